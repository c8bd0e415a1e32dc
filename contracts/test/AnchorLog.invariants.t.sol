// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchorLog} from "../src/interfaces/IAnchorLog.sol";
import {Actors} from "./lib/Actors.sol";
import {Test} from "./lib/Test.sol";

/// @notice Three owners with four logs, three submitters and an outsider, in any order.
contract AnchorLogInvariants is Test {
    Actors internal actors;

    function setUp() public {
        vm.warp(1_700_000_000);
        actors = new Actors();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    /// @dev Counts are the sums of what was appended, by whom the model says, and nothing else.
    function invariant_countsAreContiguous() public view {
        IAnchorLog logs = actors.anchorLog();
        for (uint256 l; l < actors.LOGS(); ++l) {
            (bytes32 log, address submitter, uint256 count, uint256 entries) = actors.model(l);
            (address s, uint256 b, uint256 m) = logs.heads(log);
            vm.assertEq(s, submitter, "submitter");
            vm.assertEq(b, count, "batches");
            vm.assertEq(m, entries, "messages");
            vm.assertEq(logs.ownerOf(log), actors.ownerFor(l), "owner");
        }
    }

    function invariant_everyBatchIsContained() public view {
        for (uint256 l; l < actors.LOGS(); ++l) {
            vm.assertTrue(actors.allContained(l));
        }
    }

    function invariant_peaksAreTheRange() public view {
        for (uint256 l; l < actors.LOGS(); ++l) {
            vm.assertTrue(actors.peaksMatch(l));
        }
    }

    /// @dev No call that had to fail succeeded, and no false statement was accepted.
    function invariant_nothingForbiddenHappened() public view {
        vm.assertEq(actors.breach(), "");
    }
}
