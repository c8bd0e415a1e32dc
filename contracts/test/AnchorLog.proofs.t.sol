// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {Logs} from "./lib/Logs.sol";
import {Trees} from "./lib/Trees.sol";

/// @notice What can and what cannot be proved about a log.
contract AnchorLogProofsTest is Logs {
    bytes32 internal log;

    function setUp() public {
        vm.warp(1_700_000_000);
        log = logs.open("main", address(this));
    }

    function fill(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            append(log, address(this), 1 + uint256(keccak256(abi.encode(count, i))) % 6);
            skip(12);
        }
    }

    /// @dev Anchors a batch of a root and size of the caller's choice.
    function anchored(bytes32 root, uint256 size) internal returns (Batch memory batch) {
        (, uint256 number, uint256 first) = logs.heads(log);
        batch = Batch(number, root, first, size, vm.getBlockTimestamp(), "cid");
        logs.anchor(log, number, root, size, "cid");
    }

    function test_contains_everyCountAndBatch() public {
        for (uint256 count; count <= 65; ++count) {
            for (uint256 i; i < count; ++i) {
                vm.assertTrue(contained(log, i));
            }
            for (uint256 h; h < 8; ++h) {
                vm.assertEq(logs.peak(log, h), Trees.peak(ranges[log], h));
            }
            append(log, address(this), 1 + count % 4);
            skip(count);
        }
    }

    function testFuzz_peak_isZeroAboveTheRange(uint256 count, uint256 height) public {
        count = bound(count, 0, 20);
        fill(count);
        vm.assertEq(logs.peak(log, height), Trees.peak(ranges[log], height));
        vm.assertEq(logs.peak(log, bound(height, 5, type(uint256).max)), 0);
    }

    function testFuzz_batchHash(Batch calldata batch) public view {
        vm.assertEq(logs.batchHash(batch), hashOf(batch));
    }

    function testFuzz_contains_refusesAlteredBatch(
        uint256 count,
        uint256 i,
        uint8 bit,
        uint256 field
    ) public {
        count = bound(count, 1, 20);
        fill(count);
        i = bound(i, 0, count - 1);
        Batch memory b = batches[log][i];
        uint256 mask = uint256(1) << bit;
        field %= 6;
        if (field == 0) b.number ^= mask;
        if (field == 1) b.root ^= bytes32(mask);
        if (field == 2) b.first ^= mask;
        if (field == 3) b.size ^= mask;
        if (field == 4) b.time ^= mask;
        if (field == 5) b.cid ^= bytes32(mask);
        vm.assertTrue(contained(log, i));
        vm.assertFalse(logs.contains(log, b, Trees.path(ranges[log], i)));
    }

    function testFuzz_contains_refusesAlteredPath(
        uint256 count,
        uint256 i,
        uint8 bit,
        uint256 level
    ) public {
        count = bound(count, 2, 20);
        fill(count);
        i = bound(i, 0, (count & ~uint256(1)) - 1);
        Batch memory b = batches[log][i];
        bytes32[] memory path = Trees.path(ranges[log], i);
        path[level % path.length] ^= bytes32(uint256(1) << bit);
        vm.assertFalse(logs.contains(log, b, path));
        path[level % path.length] ^= bytes32(uint256(1) << bit);

        bytes32[] memory longer = new bytes32[](path.length + 1);
        bytes32[] memory shorter = new bytes32[](path.length - 1);
        for (uint256 k; k < path.length; ++k) {
            longer[k] = path[k];
            if (k < shorter.length) shorter[k] = path[k];
        }
        vm.assertFalse(logs.contains(log, b, longer));
        vm.assertFalse(logs.contains(log, b, shorter));
    }

    /// @dev A peak that merged stays in its slot; a path to it must not count.
    function test_contains_refusesMergedPeaks() public {
        fill(3);
        bytes32[] memory old = Trees.path(ranges[log], 2);
        vm.assertTrue(logs.contains(log, batches[log][2], old));
        append(log, address(this), 1);
        vm.assertFalse(logs.contains(log, batches[log][2], old));
        vm.assertTrue(contained(log, 2));
    }

    function test_contains_refusesBatchesToCome() public {
        fill(4);
        Batch memory b = batches[log][3];
        b.number = 4;
        bytes32[] memory none = new bytes32[](0);
        vm.assertFalse(logs.contains(log, b, none));
        vm.assertFalse(logs.contains("unopened", batches[log][0], none));
        vm.assertFalse(logs.contains("unopened", Batch(0, 0, 0, 0, 0, 0), none));
    }

    function testFuzz_includes(uint256 count, uint256 index, uint256 other, bytes32 leaf) public {
        fill(bound(count, 1, 20));
        index = bound(index, 0, messages[log] - 1);
        uint256 n;
        while (batches[log][n].first + batches[log][n].size <= index) ++n;
        uint256 position = index - batches[log][n].first;
        vm.assertTrue(included(log, index, leafOf(log, index), n, position));
        vm.assertFalse(included(log, index, leaf, n, position));
        vm.assume(other != index);
        vm.assertFalse(included(log, other, leafOf(log, index), n, position));
        other %= messages[log];
        vm.assume(other != index);
        vm.assertFalse(included(log, other, leafOf(log, index), n, position));
        vm.assertFalse(included(log, other, leafOf(log, other), n, position));
    }

    /// @dev The padding has a valid path; the index past the size must not.
    function test_includes_refusesPaddingAndTheNextBatch() public {
        for (uint256 size = 1; size <= 9; ++size) {
            append(log, address(this), size);
        }
        append(log, address(this), 1);
        for (uint256 n = 2; n < 9; ++n) {
            Batch memory b = batches[log][n];
            uint256 width = treeOf(log, b)[0].length;
            for (uint256 p = b.size; p < width; ++p) {
                vm.assertFalse(included(log, b.first + p, 0, n, p));
                vm.assertFalse(included(log, b.first + p, leafOf(log, b.first + p), n, p));
            }
        }
    }

    function test_includes_refusesInnerNode() public {
        bytes32[][] memory rows = treeOf(log, 0, 2);
        Batch memory two = anchored(Trees.root(rows), 2);
        bytes32[] memory none = new bytes32[](0);
        vm.assertTrue(logs.includes(log, 0, rows[0][0], two, none, Trees.proof(rows, 0)));
        vm.assertFalse(logs.includes(log, 0, rows[1][0], two, none, none));
        two.size = 1;
        vm.assertFalse(logs.includes(log, 0, rows[1][0], two, none, none));
    }

    function test_includes_refusesBatchThatWasNotAnchored() public {
        fill(2);
        Batch memory b = batches[log][1];
        bytes32[][] memory rows = treeOf(log, b);
        bytes32[] memory path = Trees.path(ranges[log], 1);
        bytes32[] memory proof = Trees.proof(rows, 0);
        bytes32 leaf = leafOf(log, b.first);
        vm.assertTrue(logs.includes(log, b.first, leaf, b, path, proof));
        b.first += 1;
        vm.assertFalse(logs.includes(log, b.first, leaf, b, path, proof));
    }

    /// @dev The largest size: the proof of its last leaf is 32 siblings, one more leaf is refused.
    function test_includes_largestBatch() public {
        uint256 last = uint256(type(uint32).max) - 1;
        bytes32[] memory proof = new bytes32[](32);
        bytes32 root = "leaf";
        for (uint256 k; k < 32; ++k) {
            root = last >> k & 1 == 0 ? Trees.node(root, 0) : Trees.node(0, root);
        }
        Batch memory b = anchored(root, type(uint32).max);
        bytes32[] memory none = new bytes32[](0);
        vm.assertTrue(logs.includes(log, last, "leaf", b, none, proof));
        vm.assertFalse(logs.includes(log, last + 1, 0, b, none, proof));
    }
}
