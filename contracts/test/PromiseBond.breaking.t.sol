// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromiseBond} from "../src/interfaces/IPromiseBond.sol";
import {BreakingOperator} from "./lib/BreakingOperator.sol";
import {Test} from "./lib/Test.sol";

/// @notice An operator that breaks promises, and users who follow the rule, in any order.
contract PromiseBondBreakingInvariants is Test {
    BreakingOperator internal op;

    function setUp() public {
        vm.warp(1_700_000_000);
        op = new BreakingOperator();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(op);
    }

    /// @dev Every act of a user succeeds, or the campaign's call reverts and fails it.
    function invariant_bondNeverLeavesWithABrokenPromise() public view {
        check();
    }

    function check() internal view {
        vm.assertEq(op.escape(), "");
        vm.assertEq(op.surplus(), 0);
    }

    /// @dev The campaign says nothing if no promise is broken: here each kind of breach is slashed,
    /// and bonds leave too.
    function test_everyKindOfBreachHappens() public {
        uint256 x;
        for (uint256 i; i < 3000; ++i) {
            x = uint256(keccak256(abi.encode(x, i)));
            act(x % 18, x >> 16, x >> 80, x >> 144);
            if (i % 100 == 0) check();
        }
        check();
        for (uint8 k; k < 5; ++k) {
            vm.assertGt(op.slashes(IPromiseBond.Breach(k)), 2);
        }
        vm.assertGt(op.withdrawals(), 5);
        vm.assertGt(op.answers(), 5);
    }

    function act(uint256 kind, uint256 a, uint256 b, uint256 c) internal {
        if (kind < 4) op.give(a, bytes32(b), c % (c % 3 == 0 ? 1 days : 8 days), b);
        else if (kind < 9) op.anchorSome(a, a % 2 == 0 ? b : type(uint256).max, c % 2 == 0);
        else if (kind == 9) op.rotate();
        else if (kind == 10) op.unbond();
        else if (kind < 13) op.answerOne(a);
        else if (kind == 13) op.challengeItself(a);
        else if (kind == 14) op.slashItself(a);
        else if (kind == 15) op.withdraw();
        else op.wait(a);
    }
}
