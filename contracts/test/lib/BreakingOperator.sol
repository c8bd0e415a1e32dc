// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch} from "../../src/interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "../../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./Bonds.sol";

/// @notice An operator that keeps some promises and breaks others in every way, withholds data,
/// changes its keys, leaves as soon as it can, and holds up whom it can; and users who follow the
/// rule of docs/contracts.md and look at nothing but the chain and what was published. What a user
/// does must succeed. A bond that leaves while a promise is broken is kept as the escape.
contract BreakingOperator is Bonds {
    uint256 internal constant MOST = 10;
    uint256 internal constant HORIZON = 7 days;

    struct Held {
        Promise p;
        bytes signature;
        /// @dev When its holder looks: after the deadline and less than 14 days after it was
        /// accepted.
        uint256 lookAt;
        /// @dev End of the time to answer the holder's challenge; zero if there is none.
        uint256 answerBy;
        bool done;
    }

    bytes32 internal log;
    uint256 internal key = KEY;
    uint256 internal era;
    Held[] internal held;
    mapping(bytes32 log => mapping(uint256 number => bool)) internal published;

    address internal user = makeAddr("user");
    uint256 internal burnt;
    uint256 internal outside;

    string public escape;
    mapping(IPromiseBond.Breach breach => uint256) public slashes;
    uint256 public withdrawals;
    uint256 public answers;

    constructor() {
        vm.deal(address(this), 1 << 100);
        begin();
    }

    receive() external payable {}

    /// @dev What the contract holds beyond what it owes and what was burnt.
    function surplus() external view returns (uint256) {
        Bonded memory b = bonded(log);
        uint256 owed = b.amount + b.open * 0.01 ether + outside + burnt;
        return address(bond).balance - owed - bond.credits(address(this)) - bond.credits(user);
    }

    function begin() internal {
        delete held;
        outside += bonded(log).open * 0.01 ether;
        log = logs.open(bytes32(era++), address(this));
        key += 1;
        bond.addKey(log, vm.addr(key));
        bond.fund{value: 10 ether}(log);
    }

    // What the operator does.

    /// @dev Promises an index near the head: the next, one promised before, or one that may never
    /// come. Accepted only by the rule: a live bond that is not leaving, an active key, a deadline
    /// within HORIZON; and its holder looks before 14 days are over.
    function give(uint256 ahead, bytes32 leaf, uint256 horizon, uint256 patience) external {
        Bonded memory b = bonded(log);
        if (b.amount == 0 || b.leavesAt != 0 || held.length == MOST) return;
        uint256 now_ = vm.getBlockTimestamp();
        uint256 deadline = now_ + bound(horizon, 1, HORIZON);
        Promise memory p = Promise(log, messages[log] + ahead % 6, leaf, deadline, user);
        uint256 lookAt = bound(patience, deadline + 1, now_ + 14 days - 1);
        held.push(Held(p, sign(key, p), lookAt, 0, false));
    }

    /// @dev A batch of what was promised, where `honest` has the index's bit, and of anything else.
    function anchorSome(uint256 size, uint256 honest, bool publish) external {
        bytes32[] memory list = fresh(bound(size, 1, 6), bytes32(honest));
        for (uint256 i; i < list.length; ++i) {
            if ((honest >> i) & 1 == 0) continue;
            for (uint256 h; h < held.length; ++h) {
                if (held[h].p.index == messages[log] + i) list[i] = held[h].p.leaf;
            }
        }
        published[log][batches[log].length] = publish;
        anchor(log, address(this), list);
    }

    function rotate() external {
        bond.addKey(log, vm.addr(key + 1));
        bond.revokeKey(log, vm.addr(key));
        key += 1;
    }

    function unbond() external {
        if (bonded(log).leavesAt == 0) bond.unbond(log);
    }

    /// @dev Answers where it can and likes to.
    function answerOne(uint256 which) external {
        if (held.length == 0) return;
        Held storage h = held[which % held.length];
        (address by,, bool closed) = bond.challenges(idOf(h.p));
        if (by == address(0) || closed || !kept(h.p)) return;
        if (h.answerBy < vm.getBlockTimestamp()) return;
        answer(h.p);
        ++answers;
    }

    /// @dev Challenges a promise of its own, so that nobody else can.
    function challengeItself(uint256 which) external {
        if (held.length == 0) return;
        Held storage h = held[which % held.length];
        try bond.challenge{value: 0.01 ether}(h.p, h.signature) {
            h.answerBy = vm.getBlockTimestamp() + 3 days;
        } catch {}
    }

    /// @dev The cheapest way out early: a breach of a promise that it gave to itself.
    function slashItself(uint256 often) external {
        if (often % 16 != 0) return;
        Promise memory p = Promise(log, messages[log], "x", 0, address(this));
        (uint256 amount, uint256 before) = (bonded(log).amount, bond.credits(address(this)));
        bytes memory s = sign(key, p);
        slash(p, IPromiseBond.Breach.Missed, abi.encodeCall(bond.slashMissed, (p, s)));
        if (bond.credits(address(this)) - before > amount / 10) escape = "by its own hand";
        begin();
    }

    function withdraw() external {
        try bond.withdraw(log, address(this)) {
            for (uint256 h; h < held.length; ++h) {
                if (!held[h].done && held[h].answerBy == 0) escape = "before a holder looked";
                if (!kept(held[h].p)) escape = "with a broken promise";
            }
            ++withdrawals;
            delete held;
            bond.fund{value: 10 ether}(log);
        } catch {}
    }

    function wait(uint256 secs) external {
        uint256 until = vm.getBlockTimestamp() + bound(secs, 1, 4 days);
        for (uint256 next = first(until); next < held.length; next = first(until)) {
            uint256 time = due(held[next]);
            if (time > vm.getBlockTimestamp()) vm.warp(time);
            look(held[next]);
            if (bonded(log).broken) begin();
        }
        vm.warp(until);
    }

    // What the users do.

    function due(Held storage h) internal view returns (uint256) {
        return h.answerBy == 0 || h.answerBy + 1 < h.lookAt ? h.lookAt : h.answerBy + 1;
    }

    /// @dev The promise that is looked at first, no later than `until`; held.length if none is.
    function first(uint256 until) internal view returns (uint256 best) {
        best = held.length;
        for (uint256 h; h < held.length; ++h) {
            if (held[h].done || due(held[h]) > until) continue;
            if (best == held.length || due(held[h]) < due(held[best])) best = h;
        }
    }

    /// @dev The one thing to do for a promise whose deadline has passed: nothing, or what must
    /// succeed.
    function look(Held storage h) internal {
        Promise memory p = h.p;
        if (h.answerBy != 0) return settle(h);
        if (conflicts(h)) return;
        if (p.index >= messages[log]) {
            bytes memory call = abi.encodeCall(bond.slashMissed, (p, h.signature));
            return slash(p, IPromiseBond.Breach.Missed, call);
        }
        Batch memory b = batchOver(log, p.index);
        bytes32[] memory path = pathOf(log, b.number);
        if (b.time > p.deadline) {
            bytes memory call = abi.encodeCall(bond.slashLate, (p, h.signature, b, path));
            return slash(p, IPromiseBond.Breach.Late, call);
        }
        if (!published[log][b.number]) {
            vm.deal(user, 1 ether);
            vm.prank(user);
            bond.challenge{value: 0.01 ether}(p, h.signature);
            h.answerBy = vm.getBlockTimestamp() + 3 days;
            return;
        }
        bytes32 other = leaves[log][p.index];
        h.done = other == p.leaf;
        if (h.done) return;
        bytes32[] memory proof = proofAt(log, p.index);
        slash(
            p,
            IPromiseBond.Breach.Substitution,
            abi.encodeCall(bond.slashSubstitution, (p, h.signature, other, b, path, proof))
        );
    }

    /// @dev Two holders who compare what they hold, while both may still look.
    function conflicts(Held storage h) internal returns (bool) {
        Promise memory p = h.p;
        for (uint256 i; i < held.length; ++i) {
            Held storage g = held[i];
            if (g.done || g.p.index != p.index || g.p.leaf == p.leaf) continue;
            if (g.lookAt < vm.getBlockTimestamp()) continue;
            bytes memory call =
                abi.encodeCall(bond.slashConflict, (p, h.signature, g.p, g.signature));
            slash(p, IPromiseBond.Breach.Conflict, call);
            return true;
        }
        return false;
    }

    function settle(Held storage h) internal {
        (,, h.done) = bond.challenges(idOf(h.p));
        if (h.done) return;
        bytes memory call = abi.encodeCall(bond.conclude, (h.p));
        slash(h.p, IPromiseBond.Breach.Withheld, call);
    }

    /// @dev Must succeed, and take the bond.
    function slash(Promise memory p, IPromiseBond.Breach breach, bytes memory call) internal {
        uint256 amount = bonded(p.log).amount;
        uint256 paid = bond.credits(p.beneficiary);
        uint256 deposits = breach == IPromiseBond.Breach.Withheld ? 0.01 ether : 0;
        (address by,,) = bond.challenges(idOf(p));
        if (by != p.beneficiary) deposits = 0;
        (bool ok, bytes memory reason) = address(bond).call(call);
        require(ok, string(reason));
        require(bonded(p.log).broken, "not slashed");
        burnt += amount - (bond.credits(p.beneficiary) - paid - deposits);
        ++slashes[breach];
    }

    /// @dev The truth, which the operator knows.
    function kept(Promise memory p) internal view returns (bool) {
        return p.index < messages[log] && leaves[log][p.index] == p.leaf
            && batchOver(log, p.index).time <= p.deadline;
    }
}
