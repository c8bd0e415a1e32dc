// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch} from "../../src/interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "../../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./Bonds.sol";
import {Trees} from "./Trees.sol";

/// @notice An operator that keeps its word, changes its keys, leaves and comes back, and everybody
/// else trying to have it slashed. Whatever the operator does must succeed; an attack that succeeds
/// is kept.
contract HonestOperator is Bonds {
    uint256 internal constant POOL = 8;
    uint256 public constant BOND = 100 ether;

    bytes32 internal log;
    uint256 internal key = KEY;
    Promise[] internal given;
    bytes[] internal signatures;
    bytes32[] internal pool;
    uint256[] internal open;
    mapping(uint256 which => bool) internal challenged;
    address[] internal accounts;

    string public breach;
    mapping(bytes4 reason => uint256) public refused;
    uint256 public answers;
    uint256 public withdrawals;

    constructor() {
        log = logs.open("main", address(this));
        vm.deal(address(this), 1 << 100);
        bond.fund{value: BOND}(log);
        bond.addKey(log, vm.addr(key));
        accounts = [address(this), makeAddr("user"), makeAddr("mallory"), makeAddr("bot")];
    }

    receive() external payable {}

    // The model.

    function head() external view returns (Bonded memory) {
        return bonded(log);
    }

    /// @dev What the contract holds beyond what it owes.
    function surplus() external view returns (uint256) {
        Bonded memory b = bonded(log);
        uint256 owed = b.amount + b.open * 0.01 ether;
        for (uint256 i; i < accounts.length; ++i) {
            owed += bond.credits(accounts[i]);
        }
        return address(bond).balance - owed;
    }

    function unanswered() external view returns (uint256) {
        return open.length;
    }

    // What the operator does.

    /// @dev Promises the next index, sometimes twice in other words.
    function accept(uint256 seed, uint256 horizon, bool twice) external {
        if (pool.length == POOL) flush();
        uint256 index = messages[log] + pool.length;
        bytes32 leaf = keccak256(abi.encode(seed, index));
        uint256 deadline = vm.getBlockTimestamp() + bound(horizon, 1 hours, 3 days);
        pool.push(leaf);
        give(Promise(log, index, leaf, deadline, accounts[seed % accounts.length]));
        if (twice) give(Promise(log, index, leaf, deadline + 1 hours, address(0)));
    }

    function give(Promise memory p) internal {
        given.push(p);
        signatures.push(sign(key, p));
    }

    function anchorPool() external {
        flush();
    }

    function flush() internal {
        if (pool.length == 0) return;
        anchor(log, address(this), pool);
        delete pool;
    }

    function rotate() external {
        uint256 next = key + 1;
        bond.addKey(log, vm.addr(next));
        bond.revokeKey(log, vm.addr(key));
        key = next;
    }

    function leaveAndReturn() external {
        Bonded memory b = bonded(log);
        if (b.leavesAt == 0) return bond.unbond(log);
        if (vm.getBlockTimestamp() < b.leavesAt) return;
        answerUntil(type(uint256).max);
        bond.withdraw(log, address(this));
        bond.fund{value: BOND}(log);
        ++withdrawals;
    }

    /// @dev Sleeps through neither a deadline nor a time to answer.
    function wait(uint256 secs) external {
        uint256 until = vm.getBlockTimestamp() + bound(secs, 1, 2 days);
        for (uint256 i = given.length; i > 0 && given[i - 1].index >= messages[log]; --i) {
            if (given[i - 1].deadline >= until) continue;
            flush();
            break;
        }
        answerUntil(until);
        vm.warp(until);
    }

    /// @dev Answers every challenge whose time ends before `until`.
    function answerUntil(uint256 until) internal {
        for (uint256 k = open.length; k > 0; --k) {
            Promise memory p = given[open[k - 1]];
            (, uint256 answerBy,) = bond.challenges(idOf(p));
            if (answerBy >= until) continue;
            answer(p);
            close(k - 1);
        }
    }

    function close(uint256 k) internal {
        open[k] = open[open.length - 1];
        open.pop();
        ++answers;
    }

    // What the others try.

    function count(bytes memory reason) internal {
        // The selector of the error.
        // forge-lint: disable-next-line(unsafe-typecast)
        ++refused[bytes4(reason)];
    }

    /// @dev Any promise, more often a recent one.
    function pick(uint256 which) internal view returns (uint256) {
        if (which % 2 == 0 || given.length < 6) return (which >> 8) % given.length;
        return given.length - 1 - (which >> 8) % 6;
    }

    function mallory() internal {
        vm.deal(accounts[2], 1 ether);
        vm.prank(accounts[2]);
    }

    function challenge(uint256 which) external {
        if (given.length == 0) return;
        uint256 i = open.length > 0 && which % 5 == 0 ? open[which % open.length] : pick(which);
        mallory();
        try bond.challenge{value: 0.01 ether}(given[i], signatures[i]) {
            if (challenged[i]) breach = "challenged twice";
            challenged[i] = true;
            open.push(i);
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    /// @dev Copies the operator's answer, or gives one of its own making.
    function answerFirst(uint256 which, uint256 kind) external {
        if (open.length == 0) return;
        uint256 k = which % open.length;
        Promise memory p = given[open[k]];
        Batch memory b = batchOver(log, p.index);
        bytes32[] memory path = pathOf(log, b.number);
        bytes32[] memory proof = proofAt(log, p.index);
        if (kind % 4 == 1) p.index += 1;
        if (kind % 4 == 2) b.time -= 1;
        if (kind % 4 == 3) b = batches[log][which % batches[log].length];
        bool same =
            kind % 4 == 0 || kind % 4 == 3 && b.first <= p.index && p.index < b.first + b.size;
        vm.prank(accounts[3]);
        try bond.answer(p, b, path, proof) {
            if (!same) breach = "answered with a lie";
            close(k);
        } catch (bytes memory reason) {
            if (same) breach = "true answer refused";
            count(reason);
        }
    }

    function conclude(uint256 which) external {
        if (given.length == 0) return;
        uint256 i = open.length > 0 && which % 2 == 0 ? open[which % open.length] : pick(which);
        mallory();
        try bond.conclude(given[i]) {
            breach = "concluded";
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    function missed(uint256 which) external {
        if (given.length == 0) return;
        uint256 i = pick(which);
        mallory();
        try bond.slashMissed(given[i], signatures[i]) {
            breach = "missed";
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    /// @dev Any batch, with its header as it is, or later, wider or from another place.
    function late(uint256 which, uint256 number, uint256 kind) external {
        if (given.length == 0 || messages[log] == 0) return;
        uint256 i = pick(which);
        Promise memory p = given[i];
        Batch memory b = batches[log][number % batches[log].length];
        if (kind % 3 == 0 && p.index < messages[log]) b = batchOver(log, p.index);
        bytes32[] memory path = pathOf(log, b.number);
        if (kind % 4 > 0) b.time = p.deadline + 1;
        if (kind % 4 == 2) (b.first, b.size) = (0, p.index + 1);
        if (kind % 4 == 3) b.number = number % (batches[log].length + 2);
        mallory();
        try bond.slashLate(p, signatures[i], b, path) {
            breach = "late";
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    /// @dev True leaves of other indices, inner nodes, padding, and headers that would make them
    /// fit.
    function substitute(uint256 which, uint256 other, uint256 kind, bytes32 leaf) external {
        if (given.length == 0 || messages[log] == 0) return;
        uint256 i = pick(which);
        Promise memory p = given[i];
        if (p.index < messages[log] && other % 2 == 0) other = p.index;
        other %= messages[log];
        Batch memory b = batchOver(log, other);
        bytes32[][] memory rows = rowsOf(log, b);
        uint256 position = other - b.first;
        bytes32[] memory path = pathOf(log, b.number);
        bytes32[] memory proof = Trees.proof(rows, position);
        if (kind % 8 < 4) leaf = leaves[log][other];
        if (kind % 8 == 1 && p.index >= position) b.first = p.index - position;
        if (kind % 8 == 2) b.size = p.index + 1;
        if (kind % 8 == 4 && proof.length > 0) {
            // The node above, with a proof and a size that fit it.
            leaf = rows[1][position / 2];
            proof = shorten(proof);
            if (which % 3 == 0) (b.first, b.size) = (p.index - p.index % 2, rows[1].length);
        }
        if (kind % 8 == 5) {
            // Padding after the last entry, and an index that the size does not cover.
            position = b.size % rows[0].length;
            (leaf, proof) = (rows[0][position], Trees.proof(rows, position));
            if (which % 3 == 0) b.size = rows[0].length;
            if (which % 3 == 1 && p.index >= position) b.first = p.index - position;
        }
        if (kind % 8 == 6 && proof.length > 0) (leaf, proof[0]) = (proof[0], leaves[log][other]);
        mallory();
        try bond.slashSubstitution(p, signatures[i], leaf, b, path, proof) {
            breach = "substituted";
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    function shorten(bytes32[] memory proof) internal pure returns (bytes32[] memory rest) {
        rest = new bytes32[](proof.length - 1);
        for (uint256 k; k < rest.length; ++k) {
            rest[k] = proof[k + 1];
        }
    }

    /// @dev Two of the operator's promises; or one, and one by another hand or under another's
    /// signature.
    function conflict(uint256 one, uint256 two, uint256 kind, bytes32 leaf) external {
        if (given.length == 0) return;
        (uint256 i, uint256 j) = (pick(one), pick(two));
        Promise memory a = given[i];
        Promise memory b = given[j];
        bytes memory s = signatures[j];
        if (kind % 4 == 1) (b.index, b.leaf) = (a.index, leaf);
        if (kind % 4 == 2) {
            b.leaf = leaf;
            s = sign(0xBAD, b);
        }
        if (kind % 4 == 3) (b, s) = (a, signatures[i]);
        mallory();
        try bond.slashConflict(a, signatures[i], b, s) {
            breach = "conflict";
        } catch (bytes memory reason) {
            count(reason);
        }
    }

    function usurp(uint256 kind) external {
        address thief = accounts[2];
        bytes memory call = abi.encodeCall(bond.unbond, (log));
        if (kind % 4 == 1) call = abi.encodeCall(bond.withdraw, (log, thief));
        if (kind % 4 == 2) call = abi.encodeCall(bond.addKey, (log, thief));
        if (kind % 4 == 3) call = abi.encodeCall(bond.revokeKey, (log, vm.addr(key)));
        mallory();
        (bool ok, bytes memory reason) = address(bond).call(call);
        if (ok) breach = "usurped";
        count(reason);
    }

    function collect(uint256 who) external {
        address account = accounts[who % accounts.length];
        uint256 due = bond.credits(account);
        uint256 before = account.balance;
        vm.prank(account);
        bond.collect(account);
        if (account.balance - before != due) breach = "paid what was not due";
    }
}
