// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "../src/interfaces/IPromiseBond.sol";
import {Promised} from "./lib/Promised.sol";
import {Vm} from "./lib/Vm.sol";

/// @notice What a challenge is, what answers it, and what follows if nothing does.
contract PromiseBondChallengesTest is Promised {
    function test_challenge_answered() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        afterwards();
        bytes32 id = idOf(p);
        bytes memory s = sign(p);
        vm.expectEmit(address(bond));
        emit IPromiseBond.Challenged(log, id, p, outsider, DEADLINE + 1 + 3 days);
        vm.prank(outsider);
        bond.challenge{value: 0.01 ether}(p, s);
        vm.assertEq(bonded(log).open, 1);
        (address by, uint64 answerBy, bool closed) = bond.challenges(id);
        vm.assertEq(by, outsider);
        vm.assertEq(answerBy, DEADLINE + 1 + 3 days);
        vm.assertFalse(closed);

        // To the last second, and by anybody.
        vm.warp(answerBy);
        Batch memory b = batchOver(log, 8);
        (bytes32[] memory path, bytes32[] memory proof) = (pathOf(log, 1), proofAt(log, 8));
        vm.expectEmit(address(bond));
        emit IPromiseBond.Answered(log, id, user);
        vm.prank(user);
        bond.answer(p, b, path, proof);
        vm.assertEq(bond.credits(user), 0.01 ether);
        vm.assertEq(bonded(log).open, 0);
        (,, closed) = bond.challenges(id);
        vm.assertTrue(closed);
        vm.assertEq(bonded(log).amount, 100 ether);
    }

    function test_challenge_concluded() public {
        Promise memory p = word(8, "withheld");
        history(1);
        afterwards();
        challengeBy(outsider, p);
        vm.warp(DEADLINE + 1 + 3 days + 1);
        slashed(p, IPromiseBond.Breach.Withheld);
        vm.expectEmit(address(bond));
        emit IPromiseBond.Concluded(log, idOf(p));
        bond.conclude(p);
        vm.assertTrue(bonded(log).broken);
        vm.assertEq(bonded(log).open, 0);
        vm.assertEq(bond.credits(user), 10 ether);
        vm.assertEq(bond.credits(outsider), 0.01 ether);
        vm.assertEq(address(bond).balance, 100.01 ether);
    }

    function test_challenge_revertsIfDeposit() public {
        Promise memory p = word(8, "mine");
        bytes memory s = sign(p);
        afterwards();
        uint256[3] memory values = [uint256(0), 0.01 ether - 1, 0.01 ether + 1];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadValue.selector, values[i]));
            bond.challenge{value: values[i]}(p, s);
        }
    }

    function test_challenge_revertsIfInTime() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        bytes memory s = sign(p);
        vm.warp(DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, DEADLINE));
        bond.challenge{value: 0.01 ether}(p, s);
    }

    function test_challenge_revertsIfForged() public {
        Promise memory p = word(8, "mine");
        bytes memory s = sign(0xBEEF, p);
        afterwards();
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadSignature.selector, vm.addr(0xBEEF)));
        bond.challenge{value: 0.01 ether}(p, s);
    }

    /// @dev Open, answered or concluded: a promise is challenged once.
    function test_challenge_revertsIfRepeated() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        bytes memory s = sign(p);
        afterwards();
        challengeBy(outsider, p);
        bytes memory reason =
            abi.encodeWithSelector(IPromiseBond.AlreadyChallenged.selector, idOf(p));
        vm.expectRevert(reason);
        bond.challenge{value: 0.01 ether}(p, s);
        answer(p);
        vm.expectRevert(reason);
        bond.challenge{value: 0.01 ether}(p, s);
    }

    /// @dev Nobody can hold the bond back longer than UNBONDING_TIME and ANSWER_TIME.
    function test_challenge_revertsIfMayLeave() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        Promise memory q = word(9, leaves[log][9]);
        vm.prank(owner);
        bond.unbond(log);
        uint256 leavesAt = bonded(log).leavesAt;
        vm.warp(leavesAt - 1);
        challengeBy(outsider, p);
        skip(1);
        bytes memory s = sign(q);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooLate.selector, leavesAt));
        bond.challenge{value: 0.01 ether}(q, s);
        answer(p);
        vm.prank(owner);
        bond.withdraw(log, owner);
    }

    /// @dev A key that ended after the challenge does not save it.
    function test_challenge_outlivesTheKey() public {
        Promise memory p = word(8, "withheld");
        history(1);
        vm.prank(owner);
        bond.revokeKey(log, vm.addr(KEY));
        skip(14 days - 2);
        challengeBy(outsider, p);
        skip(3 days + 1);
        bond.conclude(p);
        assertPaid();
    }

    function test_answer_revertsIfNotChallenged() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        bytes memory reason = abi.encodeWithSelector(IPromiseBond.NotChallenged.selector, idOf(p));
        vm.expectRevert(reason);
        this.answerByHistory(p);
        afterwards();
        challengeBy(outsider, p);
        answer(p);
        vm.expectRevert(reason);
        this.answerByHistory(p);
        vm.assertEq(bond.credits(address(this)), 0.01 ether);
    }

    function answerByHistory(Promise memory p) external {
        answer(p);
    }

    function test_answer_revertsIfTooLate() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        afterwards();
        challengeBy(outsider, p);
        uint256 answerBy = DEADLINE + 1 + 3 days;
        vm.warp(answerBy + 1);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooLate.selector, answerBy));
        this.answerByHistory(p);
        bond.conclude(p);
        assertPaid();
    }

    function test_answer_revertsIfAnotherLeaf() public {
        history(1);
        Promise memory p = word(8, "mine");
        afterwards();
        challengeBy(outsider, p);
        refuses(IPromiseBond.BadProof.selector);
        this.answerByHistory(p);
        // The leaf is elsewhere in the log.
        Promise memory q = word(9, leaves[log][8]);
        challengeBy(outsider, q);
        Batch memory b = batchOver(log, 8);
        (bytes32[] memory path, bytes32[] memory proof) = (pathOf(log, 1), proofAt(log, 8));
        refuses(IPromiseBond.BadProof.selector);
        bond.answer(q, b, path, proof);
    }

    /// @dev The leaf is there but came late; saying that it came in time does not help.
    function test_answer_revertsIfLate() public {
        history(1 days + 1);
        Promise memory p = word(8, leaves[log][8]);
        challengeBy(outsider, p);
        refuses(IPromiseBond.BadProof.selector);
        this.answerByHistory(p);
        Batch memory b = batchOver(log, 8);
        b.time = DEADLINE;
        (bytes32[] memory path, bytes32[] memory proof) = (pathOf(log, 1), proofAt(log, 8));
        refuses(IPromiseBond.BadProof.selector);
        bond.answer(p, b, path, proof);
    }

    function test_answer_inTheLastSecondOfTheDeadline() public {
        history(1 days);
        Promise memory p = word(8, leaves[log][8]);
        afterwards();
        challengeBy(outsider, p);
        answer(p);
        vm.assertEq(bonded(log).open, 0);
    }

    function test_conclude_revertsIfNotChallenged() public {
        Promise memory p = word(8, "mine");
        bytes memory reason = abi.encodeWithSelector(IPromiseBond.NotChallenged.selector, idOf(p));
        vm.expectRevert(reason);
        bond.conclude(p);
        afterwards();
        challengeBy(outsider, p);
        skip(3 days + 1);
        bond.conclude(p);
        vm.expectRevert(reason);
        bond.conclude(p);
    }

    function test_conclude_revertsIfAnswered() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        afterwards();
        challengeBy(outsider, p);
        answer(p);
        skip(3 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotChallenged.selector, idOf(p)));
        bond.conclude(p);
    }

    function test_conclude_revertsIfEarly() public {
        Promise memory p = word(8, "mine");
        afterwards();
        challengeBy(outsider, p);
        uint256 answerBy = DEADLINE + 1 + 3 days;
        vm.warp(answerBy);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, answerBy));
        bond.conclude(p);
    }

    /// @dev The deposit comes back although another breach took the bond.
    function test_conclude_afterASlash() public {
        (Promise memory p, Promise memory q) = (word(8, "mine"), word(9, "mine too"));
        bytes memory s = sign(q);
        afterwards();
        challengeBy(outsider, p);
        bond.slashMissed(q, s);
        skip(3 days + 1);
        vm.recordLogs();
        bond.conclude(p);
        // Slashed once, not again.
        Vm.Log[] memory events = vm.getRecordedLogs();
        vm.assertEq(events.length, 1);
        vm.assertEq(events[0].topics[0], IPromiseBond.Concluded.selector);
        vm.assertEq(bond.credits(outsider), 0.01 ether);
        vm.assertEq(bonded(log).open, 0);
        assertPaid();
    }

    /// @dev An operator that leaves and revokes in the block in which it promised, and a holder that
    /// looks at any second of its time: from the deadline to 14 days after it accepted.
    function testFuzz_everyBreachUntilTheBondMayLeave(uint256 kind, uint256 horizon, uint256 when)
        public
    {
        Promise memory p = word(3, "mine");
        p.deadline = START + bound(horizon, 1, 7 days);
        vm.prank(owner);
        bond.unbond(log);
        vm.prank(owner);
        bond.revokeKey(log, vm.addr(KEY));
        kind %= 5;
        if (kind == 3) vm.warp(p.deadline + 1);
        if (kind > 0 && kind != 2) anchor(log, submitter, fresh(5, "other"));
        vm.warp(bound(when, p.deadline + 1, START + 14 days - 1));
        if (kind == 0) conflict(p, word(3, "other"));
        if (kind == 1) substitution(p);
        if (kind == 2) bond.slashMissed(p, sign(p));
        if (kind == 3) late(p);
        if (kind == 4) withheld(p);
        assertPaid();
        vm.warp(START + 30 days);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NoBond.selector, log));
        vm.prank(owner);
        bond.withdraw(log, owner);
    }

    function conflict(Promise memory a, Promise memory b) internal {
        bond.slashConflict(a, sign(a), b, sign(b));
    }

    function withheld(Promise memory p) internal {
        challengeBy(outsider, p);
        uint256 answerBy = vm.getBlockTimestamp() + 3 days;
        vm.warp(answerBy);
        bool may = answerBy >= START + 14 days;
        vm.expectRevert(
            may
                ? abi.encodeWithSelector(IPromiseBond.OpenChallenges.selector, 1)
                : abi.encodeWithSelector(IPromiseBond.TooEarly.selector, START + 14 days)
        );
        vm.prank(owner);
        bond.withdraw(log, owner);
        skip(1);
        bond.conclude(p);
    }
}
