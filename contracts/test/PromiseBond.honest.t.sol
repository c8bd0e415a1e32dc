// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromiseBond} from "../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./lib/Bonds.sol";
import {HonestOperator} from "./lib/HonestOperator.sol";
import {Test} from "./lib/Test.sol";

/// @notice An honest operator and its attackers, in any order.
contract PromiseBondHonestInvariants is Test {
    HonestOperator internal op;

    function setUp() public {
        vm.warp(1_700_000_000);
        op = new HonestOperator();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(op);
    }

    /// @dev Nor does anybody get what is not theirs, and every wei is owed to somebody.
    function invariant_honestOperatorIsNeverSlashed() public view {
        check();
    }

    function check() internal view {
        Bonds.Bonded memory b = op.head();
        vm.assertFalse(b.broken);
        vm.assertEq(b.amount, op.BOND());
        vm.assertEq(b.open, op.unanswered());
        vm.assertEq(op.surplus(), 0);
        vm.assertEq(op.breach(), "");
    }

    /// @dev The campaign says nothing if its attacks are refused at the door: here each goes as far
    /// as it can, and the operator answers, leaves and returns.
    function test_attacksAreRefusedForTheirOwnReason() public {
        uint256 x;
        for (uint256 i; i < 1500; ++i) {
            x = uint256(keccak256(abi.encode(x, i)));
            act(x % 16, x >> 16, x >> 80, x >> 144);
        }
        check();
        vm.assertGt(op.refused(IPromiseBond.BadProof.selector), 50);
        vm.assertGt(op.refused(IPromiseBond.NoBreach.selector), 50);
        vm.assertGt(op.refused(IPromiseBond.TooEarly.selector), 50);
        vm.assertGt(op.refused(IPromiseBond.BadSignature.selector), 20);
        vm.assertGt(op.refused(IPromiseBond.NotChallenged.selector), 5);
        vm.assertGt(op.refused(IPromiseBond.AlreadyChallenged.selector), 5);
        vm.assertGt(op.refused(IPromiseBond.NotOwner.selector), 5);
        vm.assertGt(op.answers(), 10);
        vm.assertGt(op.withdrawals(), 2);
    }

    function act(uint256 kind, uint256 a, uint256 b, uint256 c) internal {
        if (kind < 3) op.accept(a, b, c % 4 == 0);
        else if (kind == 3) op.anchorPool();
        else if (kind == 4 && a % 8 == 0) op.rotate();
        else if (kind == 5) op.leaveAndReturn();
        else if (kind == 6) op.wait(a);
        else if (kind == 7) op.challenge(a);
        else if (kind == 8) op.answerFirst(a, b);
        else if (kind == 9) op.conclude(a);
        else if (kind == 10) op.missed(a);
        else if (kind == 11) op.late(a, b, c);
        else if (kind == 12) op.substitute(a, b, c, bytes32(a));
        else if (kind == 13) op.conflict(a, b, c, bytes32(a));
        else if (kind == 14) op.usurp(a);
        else op.collect(a);
    }
}
