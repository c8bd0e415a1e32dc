// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch, IAnchorLog} from "../../src/interfaces/IAnchorLog.sol";
import {Logs} from "./Logs.sol";
import {Trees} from "./Trees.sol";

/// @notice What the invariant campaign may do: everything right, and everything wrong. A wrong act
/// that succeeds is kept as the breach.
contract Actors is Logs {
    uint256 public constant LOGS = 4;

    address[] internal _owners;
    address[] internal _everyone;
    bytes32[LOGS] internal _logs;
    address[LOGS] internal _submitters;
    string public breach;

    constructor() {
        for (uint256 i; i < 3; ++i) {
            _owners.push(makeAddr(string.concat("owner ", vm.toString(i))));
            _everyone.push(_owners[i]);
            _everyone.push(makeAddr(string.concat("submitter ", vm.toString(i))));
        }
        _everyone.push(makeAddr("outsider"));
        for (uint256 l; l < LOGS; ++l) {
            _submitters[l] = _everyone[2 * (l % 3) + 1];
            vm.prank(ownerFor(l));
            _logs[l] = logs.open(saltFor(l), _submitters[l]);
        }
    }

    // The model.

    function anchorLog() external view returns (IAnchorLog) {
        return logs;
    }

    function ownerFor(uint256 l) public view returns (address) {
        return _owners[l % 3];
    }

    function saltFor(uint256 l) internal pure returns (bytes32) {
        return bytes32(l);
    }

    function model(uint256 l)
        external
        view
        returns (bytes32 log, address submitter, uint256 count, uint256 entries)
    {
        log = _logs[l];
        return (log, _submitters[l], batches[log].length, messages[log]);
    }

    function allContained(uint256 l) external view returns (bool ok) {
        ok = true;
        for (uint256 i; i < batches[_logs[l]].length; ++i) {
            ok = ok && contained(_logs[l], i);
        }
    }

    function peaksMatch(uint256 l) external view returns (bool ok) {
        ok = true;
        for (uint256 h; h < 10; ++h) {
            ok = ok && logs.peak(_logs[l], h) == Trees.peak(ranges[_logs[l]], h);
        }
    }

    // What is allowed.

    function anchor(uint256 l, uint256 size, uint256 count, uint256 wait) external {
        l %= LOGS;
        if (_submitters[l] == address(0)) return;
        count = bound(count, 1, 4);
        for (uint256 i; i < count; ++i) {
            skip(bound(wait, 0, 1 days));
            append(_logs[l], _submitters[l], bound(size, 1, 9));
        }
    }

    function replace(uint256 l, uint256 who) external {
        l %= LOGS;
        who %= _everyone.length + 1;
        address submitter = who == _everyone.length ? address(0) : _everyone[who];
        vm.prank(ownerFor(l));
        logs.setSubmitter(_logs[l], submitter);
        _submitters[l] = submitter;
    }

    function prove(uint256 l, uint256 index) external {
        bytes32 log = _logs[l % LOGS];
        if (messages[log] == 0) return;
        index %= messages[log];
        uint256 n = numberAt(log, index);
        uint256 position = index - batches[log][n].first;
        if (!included(log, index, leafOf(log, index), n, position)) breach = "true entry refused";
    }

    // What is not.

    function anchorAsAnother(uint256 l, uint256 who) external {
        l %= LOGS;
        address sender = _everyone[who % _everyone.length];
        if (sender == _submitters[l]) return;
        uint256 next = batches[_logs[l]].length;
        vm.prank(sender);
        try logs.anchor(_logs[l], next, "root", 1, "cid") {
            breach = "anchored by another";
        } catch {}
    }

    function anchorOutOfOrder(uint256 l, uint256 number) external {
        l %= LOGS;
        uint256 count = batches[_logs[l]].length;
        if (number % 2 == 0) number = bound(number, 0, count + 2);
        if (number == count) return;
        vm.prank(_submitters[l]);
        try logs.anchor(_logs[l], number, "root", 1, "cid") {
            breach = "anchored out of order";
        } catch {}
    }

    function anchorBadSize(uint256 l, uint256 size) external {
        l %= LOGS;
        size = size % 2 == 0 ? 0 : bound(size, 1 << 32, type(uint256).max);
        uint256 next = batches[_logs[l]].length;
        vm.prank(_submitters[l]);
        try logs.anchor(_logs[l], next, "root", size, "cid") {
            breach = "anchored a bad size";
        } catch {}
    }

    function replaceAsAnother(uint256 l, uint256 who) external {
        l %= LOGS;
        address sender = _everyone[who % _everyone.length];
        if (sender == ownerFor(l)) return;
        vm.prank(sender);
        try logs.setSubmitter(_logs[l], sender) {
            breach = "submitter set by another";
        } catch {}
    }

    function openAgain(uint256 l, uint256 who) external {
        l %= LOGS;
        vm.prank(ownerFor(l));
        try logs.open(saltFor(l), _everyone[who % _everyone.length]) {
            breach = "opened twice";
        } catch {}
    }

    /// @dev A true entry shown at another index, padding, another leaf, or another log.
    function lie(uint256 l, uint256 index, uint256 other, uint256 kind) external {
        bytes32 log = _logs[l % LOGS];
        if (messages[log] == 0) return;
        index %= messages[log];
        uint256 n = numberAt(log, index);
        Batch memory b = batches[log][n];
        uint256 position = index - b.first;
        bytes32 leaf = leafOf(log, index);
        bool accepted;
        if (kind % 4 == 0) {
            other = other % 3 == 0 ? other : other % (messages[log] + 8);
            accepted = other != index && included(log, other, leaf, n, position);
        } else if (kind % 4 == 1) {
            uint256 width = treeOf(log, b)[0].length;
            position = bound(other, b.size, b.size + width);
            if (position < width) accepted = included(log, b.first + position, 0, n, position);
        } else if (kind % 4 == 2) {
            accepted = included(log, index, bytes32(other), n, position);
        } else {
            bytes32 foreign = _logs[(l % LOGS + 1) % LOGS];
            accepted = logs.contains(foreign, b, Trees.path(ranges[log], n));
        }
        if (accepted) breach = "lie accepted";
    }

    function numberAt(bytes32 log, uint256 index) internal view returns (uint256 n) {
        while (batches[log][n].first + batches[log][n].size <= index) ++n;
    }
}
