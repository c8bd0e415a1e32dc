// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromiseBond, Promise} from "../../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./Bonds.sol";

/// @notice A bonded log, an owner, a submitter, a user with promises and an outsider.
abstract contract Promised is Bonds {
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant DEADLINE = START + 1 days;

    address internal owner = makeAddr("owner");
    address internal submitter = makeAddr("submitter");
    address internal outsider = makeAddr("outsider");
    address internal user = makeAddr("user");
    bytes32 internal log;

    function setUp() public {
        vm.warp(START);
        vm.deal(owner, 1000 ether);
        vm.deal(outsider, 1000 ether);
        log = open("main", KEY);
    }

    function open(bytes32 salt, uint256 key) internal returns (bytes32 id) {
        vm.prank(owner);
        id = logs.open(salt, submitter);
        vm.prank(owner);
        bond.fund{value: 100 ether}(id);
        vm.prank(owner);
        bond.addKey(id, vm.addr(key));
    }

    function word(uint256 index, bytes32 leaf) internal view returns (Promise memory) {
        return Promise(log, index, leaf, DEADLINE, user);
    }

    /// @dev Two batches of 5 and 9 entries, the second `wait` seconds later, and three after them.
    function history(uint256 wait) internal {
        anchor(log, submitter, fresh(5, "one"));
        skip(wait);
        anchor(log, submitter, fresh(9, "two"));
        for (uint256 i; i < 3; ++i) {
            anchor(log, submitter, fresh(2, bytes32(i)));
        }
    }

    function afterwards() internal {
        vm.warp(DEADLINE + 1);
    }

    function challengeBy(address who, Promise memory p) internal {
        bytes memory s = sign(p);
        vm.prank(who);
        bond.challenge{value: 0.01 ether}(p, s);
    }

    function slashed(Promise memory p, IPromiseBond.Breach breach) internal {
        vm.expectEmit(address(bond));
        emit IPromiseBond.Slashed(log, idOf(p), breach, 90 ether, 10 ether);
    }

    function refuses(bytes4 reason) internal {
        vm.expectRevert(abi.encodePacked(reason));
    }

    function assertSlashed() internal view {
        vm.assertTrue(bonded(log).broken);
        vm.assertEq(bonded(log).amount, 0);
        vm.assertEq(bond.credits(user), 10 ether);
        vm.assertEq(address(bond).balance, 100 ether);
    }

    function assertPaid() internal view {
        vm.assertTrue(bonded(log).broken);
        vm.assertEq(bond.credits(user), 10 ether);
    }
}
