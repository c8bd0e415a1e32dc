// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {PromiseBond} from "../src/PromiseBond.sol";
import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "../src/interfaces/IPromiseBond.sol";
import {Promised} from "./lib/Promised.sol";
import {Trees} from "./lib/Trees.sol";

/// @notice What is a breach, what is none, and who is paid.
contract PromiseBondBreachesTest is Promised {
    // Evidence.

    function test_evidence_revertsIfNoBond() public {
        Promise memory p = word(0, "leaf");
        p.log = "unbonded";
        bytes memory s = sign(p);
        afterwards();
        bytes memory reason = abi.encodeWithSelector(IPromiseBond.NoBond.selector, p.log);
        vm.expectRevert(reason);
        bond.slashMissed(p, s);
        vm.expectRevert(reason);
        bond.challenge{value: 0.01 ether}(p, s);
    }

    function test_evidence_revertsIfSlashedBefore() public {
        Promise memory p = word(0, "leaf");
        bytes memory s = sign(p);
        afterwards();
        bond.slashMissed(p, s);
        bytes memory reason = abi.encodeWithSelector(IPromiseBond.NoBond.selector, log);
        vm.expectRevert(reason);
        bond.slashMissed(p, s);
        vm.expectRevert(reason);
        bond.challenge{value: 0.01 ether}(p, s);
        assertSlashed();
    }

    function testFuzz_evidence_revertsIfAnotherKey(uint256 key) public {
        key = bound(key, 1, 1 << 250);
        vm.assume(key != KEY);
        Promise memory p = word(0, "leaf");
        bytes memory s = sign(key, p);
        afterwards();
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadSignature.selector, vm.addr(key)));
        bond.slashMissed(p, s);
    }

    /// @dev Every length but 65, the other s, every other v: nobody's signature.
    function test_evidence_revertsIfMalformed() public {
        Promise memory p = word(0, "leaf");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, idOf(p));
        afterwards();
        bytes memory reason = abi.encodeWithSelector(IPromiseBond.BadSignature.selector, address(0));
        bytes memory good = abi.encodePacked(r, s, v);
        for (uint256 length; length < 70; ++length) {
            if (length == 65) continue;
            bytes memory bad = new bytes(length);
            for (uint256 i; i < length && i < 65; ++i) {
                bad[i] = good[i];
            }
            vm.expectRevert(reason);
            bond.slashMissed(p, bad);
        }
        for (uint8 w; w < 255; ++w) {
            if (w == 27 || w == 28) continue;
            vm.expectRevert(reason);
            bond.slashMissed(p, abi.encodePacked(r, s, w));
        }
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 high = bytes32(order - uint256(s));
        vm.expectRevert(reason);
        bond.slashMissed(p, abi.encodePacked(r, high, 55 - v));
        bond.slashMissed(p, good);
        assertSlashed();
    }

    /// @dev The same owner, salt and key on another chain, bond or AnchorLog give other promises.
    function test_evidence_revertsIfForAnotherBondOrChain() public {
        Promise memory p = word(0, "leaf");
        PromiseBond twin = new PromiseBond(logs);
        bytes32[2] memory digests =
            [digestOf(p, block.chainid, address(twin)), digestOf(p, 10, address(bond))];
        afterwards();
        for (uint256 i; i < 2; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digests[i]);
            address signer = ecrecover(idOf(p), v, r, s);
            vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadSignature.selector, signer));
            bond.slashMissed(p, abi.encodePacked(r, s, v));
        }
    }

    /// @dev A key of one log of the owner is none of another.
    function test_evidence_revertsIfKeyOfAnotherLog() public {
        open("second", 0xBEEF);
        Promise memory p = word(0, "leaf");
        bytes memory s = sign(0xBEEF, p);
        afterwards();
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadSignature.selector, vm.addr(0xBEEF)));
        bond.slashMissed(p, s);
    }

    /// @dev Every breach is there and is shown; only the promise is in nobody's hand.
    function test_evidence_isAskedForEveryTime() public {
        history(1 days + 1);
        Promise memory p = word(8, "mine");
        bytes memory s = sign(0xBEEF, p);
        Batch memory b = batchOver(log, 8);
        (bytes32[] memory path, bytes32[] memory proof) = (pathOf(log, 1), proofAt(log, 8));
        bytes32 other = leaves[log][8];
        bytes memory reason =
            abi.encodeWithSelector(IPromiseBond.BadSignature.selector, vm.addr(0xBEEF));
        vm.expectRevert(reason);
        bond.slashSubstitution(p, s, other, b, path, proof);
        vm.expectRevert(reason);
        bond.slashLate(p, s, b, path);
        vm.expectRevert(reason);
        bond.challenge{value: 0.01 ether}(p, s);
        p.index = 100;
        s = sign(0xBEEF, p);
        vm.expectRevert(reason);
        bond.slashMissed(p, s);
    }

    // Conflict.

    function test_slashConflict() public {
        Promise memory a = word(7, "a");
        Promise memory b = word(7, "b");
        b.deadline += 5 days;
        b.beneficiary = outsider;
        (bytes memory sa, bytes memory sb) = (sign(a), sign(b));
        slashed(a, IPromiseBond.Breach.Conflict);
        bond.slashConflict(a, sa, b, sb);
        vm.assertTrue(bonded(log).broken);
        // The order of the two decides nothing.
        vm.assertEq(bond.credits(user), 5 ether);
        vm.assertEq(bond.credits(outsider), 5 ether);
    }

    function test_slashConflict_byTwoKeys() public {
        vm.prank(owner);
        bond.addKey(log, vm.addr(0xBEEF));
        (Promise memory a, Promise memory b) = (word(7, "a"), word(7, "b"));
        bond.slashConflict(a, sign(a), b, sign(0xBEEF, b));
        assertSlashed();
    }

    /// @dev One promise twice, or the same leaf promised again, is no conflict.
    function test_slashConflict_revertsIfSameLeaf() public {
        Promise memory a = word(7, "a");
        Promise memory b = word(7, "a");
        (bytes memory sa, bytes memory sb) = (sign(a), sign(b));
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashConflict(a, sa, b, sb);
        (b.deadline, b.beneficiary) = (DEADLINE + 1, outsider);
        sb = sign(b);
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashConflict(a, sa, b, sb);
    }

    function test_slashConflict_revertsIfOtherIndex() public {
        (Promise memory a, Promise memory b) = (word(7, "a"), word(8, "b"));
        (bytes memory sa, bytes memory sb) = (sign(a), sign(b));
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashConflict(a, sa, b, sb);
    }

    /// @dev Both logs have the key and a bond.
    function test_slashConflict_revertsIfOtherLog() public {
        bytes32 second = open("second", KEY);
        (Promise memory a, Promise memory b) = (word(7, "a"), word(7, "b"));
        b.log = second;
        (bytes memory sa, bytes memory sb) = (sign(a), sign(b));
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashConflict(a, sa, b, sb);
    }

    function test_slashConflict_revertsIfOneIsForged() public {
        (Promise memory a, Promise memory b) = (word(7, "a"), word(7, "b"));
        (bytes memory sa, bytes memory sb) = (sign(a), sign(0xBEEF, b));
        bytes memory reason =
            abi.encodeWithSelector(IPromiseBond.BadSignature.selector, vm.addr(0xBEEF));
        vm.expectRevert(reason);
        bond.slashConflict(a, sa, b, sb);
        vm.expectRevert(reason);
        bond.slashConflict(b, sb, a, sa);
    }

    // Substitution.

    function test_slashSubstitution() public {
        Promise memory p = word(8, "mine");
        history(1);
        slashed(p, IPromiseBond.Breach.Substitution);
        substitution(p);
        assertSlashed();
    }

    function testFuzz_slashSubstitution(uint256 index, uint256 deadline) public {
        history(1);
        index %= 20;
        Promise memory p = Promise(log, index, "mine", deadline, user);
        substitution(p);
        assertSlashed();
    }

    function test_slashSubstitution_revertsIfPromisedLeaf() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        Batch memory b = batchOver(log, 8);
        (bytes memory s, bytes32[] memory path) = (sign(p), pathOf(log, b.number));
        bytes32[] memory proof = proofAt(log, 8);
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashSubstitution(p, s, p.leaf, b, path, proof);
    }

    /// @dev Padding, inner nodes, true leaves of other indices, other sizes, other firsts.
    function test_slashSubstitution_revertsIfFalse() public {
        history(1);
        Promise memory p = word(13, leaves[log][13]);
        bytes memory s = sign(p);
        Batch memory b = batchOver(log, 13);
        bytes32[] memory path = pathOf(log, b.number);
        bytes32[][] memory rows = rowsOf(log, b);

        // The entry at 12, by its own proof.
        bytes32[] memory proof = Trees.proof(rows, 7);
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, leaves[log][12], b, path, proof);
        // The same, with the batch said to begin one later.
        Batch memory forged = batchOver(log, 13);
        forged.first += 1;
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, leaves[log][12], forged, path, proof);
        // The node above 13, by a shorter proof, with the size that fits it.
        proof = new bytes32[](3);
        uint256 position = 4;
        for (uint256 k; k < 3; ++k) {
            proof[k] = rows[k + 1][(position >> k) ^ 1];
        }
        forged = batchOver(log, 13);
        forged.size = 5;
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, rows[1][4], forged, path, proof);
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, rows[1][4], b, path, proof);
        // Padding: index 14 is the next batch's, 9 of this tree.
        p = word(14, leaves[log][14]);
        s = sign(p);
        proof = Trees.proof(rows, 9);
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, 0, b, path, proof);
        forged = batchOver(log, 13);
        forged.size = 10;
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, 0, forged, path, proof);
    }

    /// @dev Another leaf there, but in another log.
    function test_slashSubstitution_revertsIfOtherLog() public {
        bytes32 second = open("second", KEY);
        anchor(second, submitter, fresh(5, "other"));
        anchor(log, submitter, fresh(5, "one"));
        Promise memory p = word(2, leaves[log][2]);
        bytes memory s = sign(p);
        Batch memory b = batchOver(second, 2);
        bytes32[] memory proof = proofAt(second, 2);
        bytes32 other = leaves[second][2];
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, other, b, new bytes32[](0), proof);
    }

    /// @dev The same owner and salt give the same id on another AnchorLog, which is no evidence
    /// here.
    function test_slashSubstitution_revertsIfOtherAnchorLog() public {
        AnchorLog twin = new AnchorLog();
        vm.prank(owner);
        vm.assertEq(twin.open("main", submitter), log);
        vm.prank(submitter);
        twin.anchor(log, 0, "other", 1, "cid");
        Promise memory p = word(0, "mine");
        bytes memory s = sign(p);
        Batch memory b = Batch(0, "other", 0, 1, START, "cid");
        bytes32[] memory none;
        vm.assertTrue(twin.includes(log, 0, "other", b, none, none));
        refuses(IPromiseBond.BadProof.selector);
        bond.slashSubstitution(p, s, "other", b, none, none);
    }

    // Missed.

    function test_slashMissed() public {
        anchor(log, submitter, fresh(5, "one"));
        Promise memory p = word(5, "mine");
        bytes memory s = sign(p);
        afterwards();
        slashed(p, IPromiseBond.Breach.Missed);
        bond.slashMissed(p, s);
        assertSlashed();
    }

    function test_slashMissed_revertsIfInTime() public {
        Promise memory p = word(5, "mine");
        bytes memory s = sign(p);
        vm.warp(DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, DEADLINE));
        bond.slashMissed(p, s);
    }

    function test_slashMissed_revertsIfReached() public {
        anchor(log, submitter, fresh(6, "one"));
        Promise memory p = word(5, "mine");
        bytes memory s = sign(p);
        afterwards();
        refuses(IPromiseBond.NoBreach.selector);
        bond.slashMissed(p, s);
    }

    /// @dev Nothing is added to a deadline or an index, so nothing overflows.
    function test_slashMissed_atTheEndsOfTheRange() public {
        Promise memory p = Promise(log, type(uint256).max, "mine", type(uint256).max, user);
        bytes memory s = sign(p);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, p.deadline));
        bond.slashMissed(p, s);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, p.deadline));
        bond.challenge{value: 0.01 ether}(p, s);
        p.deadline = 0;
        s = sign(p);
        bond.slashMissed(p, s);
        assertSlashed();
    }

    // Late.

    function test_slashLate() public {
        history(1 days + 1);
        Promise memory p = word(8, leaves[log][8]);
        slashed(p, IPromiseBond.Breach.Late);
        late(p);
        assertSlashed();
    }

    /// @dev The last second counts as in time; and the batch is the one that covers the index.
    function testFuzz_slashLate(uint256 index, uint256 wait) public {
        wait = bound(wait, 1 days - 2, 1 days + 2);
        index %= 20;
        history(wait);
        Promise memory p = word(index, leaves[log][index]);
        if (index < 5 || wait <= 1 days) {
            refuses(IPromiseBond.NoBreach.selector);
            this.lateByHistory(p);
        } else {
            late(p);
            assertSlashed();
        }
    }

    function lateByHistory(Promise memory p) external {
        late(p);
    }

    function test_slashLate_revertsIfAnotherBatch() public {
        history(1 days + 1);
        for (uint256 index = 4; index < 15; ++index) {
            if (index > 4 && index < 14) continue;
            Promise memory p = word(index, leaves[log][index]);
            p.deadline = START; // Batch 1 is late for it, but does not cover it.
            bytes memory s = sign(p);
            bytes32[] memory path = pathOf(log, 1);
            Batch memory b = batches[log][1];
            refuses(IPromiseBond.NoBreach.selector);
            bond.slashLate(p, s, b, path);
        }
    }

    function test_slashLate_revertsIfForged() public {
        history(1);
        Promise memory p = word(8, leaves[log][8]);
        bytes memory s = sign(p);
        bytes32[] memory path = pathOf(log, 1);
        Batch memory b = batches[log][1];
        b.time = DEADLINE + 1;
        refuses(IPromiseBond.BadProof.selector);
        bond.slashLate(p, s, b, path);
        // A late batch said to reach back to the index.
        afterwards();
        anchor(log, submitter, fresh(5, "late"));
        b = batches[log][5];
        b.first = 0;
        b.size = 25;
        path = pathOf(log, 5);
        refuses(IPromiseBond.BadProof.selector);
        bond.slashLate(p, s, b, path);
    }

    /// @dev An operator spoils a slashing that is under way only by anchoring until the peak merges.
    function test_slashLate_withThePathOfNow() public {
        skip(1 days + 1);
        anchor(log, submitter, fresh(5, "late"));
        Promise memory p = word(2, leaves[log][2]);
        bytes memory s = sign(p);
        bytes32[] memory path = pathOf(log, 0);
        anchor(log, submitter, fresh(1, "one more"));
        Batch memory b = batches[log][0];
        refuses(IPromiseBond.BadProof.selector);
        bond.slashLate(p, s, b, path);
        path = pathOf(log, 0);
        anchor(log, submitter, fresh(1, "no merge with it"));
        bond.slashLate(p, s, b, path);
        assertSlashed();
    }

    // Who is paid.

    /// @dev The sender gets nothing, so there is nothing to copy from a pending transaction.
    function test_slash_paysTheBeneficiaryNotTheSender() public {
        Promise memory p = word(5, "mine");
        bytes memory s = sign(p);
        afterwards();
        vm.prank(outsider);
        bond.slashMissed(p, s);
        vm.assertEq(bond.credits(outsider), 0);
        assertSlashed();
    }

    function test_slash_burnsAllWithoutBeneficiary() public {
        Promise memory p = word(5, "mine");
        p.beneficiary = address(0);
        bytes memory s = sign(p);
        afterwards();
        vm.expectEmit(address(bond));
        emit IPromiseBond.Slashed(log, idOf(p), IPromiseBond.Breach.Missed, 100 ether, 0);
        bond.slashMissed(p, s);
        vm.assertEq(bond.credits(address(0)), 0);
        vm.assertTrue(bonded(log).broken);
    }

    function test_slash_burnsHalfAShareOfAConflict() public {
        (Promise memory a, Promise memory b) = (word(5, "a"), word(5, "b"));
        b.beneficiary = address(0);
        bond.slashConflict(a, sign(a), b, sign(b));
        vm.assertEq(bond.credits(user), 5 ether);
        vm.assertEq(bond.credits(address(0)), 0);
    }

    /// @dev Whoever breaks a promise to itself loses 9 parts of 10, to the wei.
    function testFuzz_slash_burnsNineTenths(uint96 amount) public {
        vm.assume(amount > 0);
        vm.deal(owner, amount);
        vm.prank(owner);
        bytes32 second = logs.open("second", submitter);
        vm.prank(owner);
        bond.fund{value: amount}(second);
        vm.prank(owner);
        bond.addKey(second, vm.addr(KEY));
        Promise memory p = Promise(second, 0, "mine", START - 1, owner);
        vm.prank(owner);
        bond.slashMissed(p, sign(p));
        vm.assertLe(bond.credits(owner), uint256(amount) / 10);
        vm.assertLe(uint256(amount) / 10, bond.credits(owner) + 1);
    }
}
