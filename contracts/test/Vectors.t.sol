// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {LogProof} from "../src/LogProof.sol";
import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {Test} from "./lib/Test.sol";

/// @notice The trees and ranges that Go and JavaScript check too: testdata/vectors.
contract VectorsTest is Test {
    struct Tree {
        uint256 size;
        bytes32[] leafHashes;
        bytes32 root;
        bytes32[][] proofs;
    }

    struct Anchor {
        uint256 number;
        bytes32 root;
        uint256 first;
        uint256 size;
        uint256 time;
        bytes32 cid;
        bytes32 hash;
    }

    struct Path {
        uint256 count;
        uint256 number;
        bytes32[] path;
    }

    struct Inclusion {
        bytes32 leaf;
        uint256 position;
        uint256 size;
        bytes32 root;
        bytes32[] proof;
        string why;
    }

    struct BadPath {
        bytes32 hash;
        uint256 number;
        uint256 count;
        bytes32[] path;
        string why;
    }

    string internal constant TREE =
        "Tree(uint256 size,bytes32[] leafHashes,bytes32 root,bytes32[][] proofs)";
    string internal constant ANCHOR =
        "Anchor(uint256 number,bytes32 root,uint256 first,uint256 size,uint256 time,bytes32 cid,bytes32 hash)";
    string internal constant PATH = "Path(uint256 count,uint256 number,bytes32[] path)";
    string internal constant INCLUSION =
        "Inclusion(bytes32 leaf,uint256 position,uint256 size,bytes32 root,bytes32[] proof,string why)";
    string internal constant BAD_PATH =
        "BadPath(bytes32 hash,uint256 number,uint256 count,bytes32[] path,string why)";

    function verify(bytes32[] calldata p, bytes32 root, uint256 size, uint256 index, bytes32 leaf)
        external
        pure
        returns (bool)
    {
        return LogProof.verify(p, root, size, index, leaf);
    }

    function test_trees() public view {
        string memory json = vm.readFile("testdata/vectors/tree.json");
        Tree[] memory trees = abi.decode(vm.parseJsonTypeArray(json, ".trees", TREE), (Tree[]));
        vm.assertEq(trees.length, 33);
        for (uint256 t; t < trees.length; ++t) {
            Tree memory tree = trees[t];
            vm.assertEq(tree.size, t + 1);
            vm.assertEq(tree.leafHashes.length, tree.size);
            vm.assertEq(tree.proofs.length, tree.size);
            for (uint256 i; i < tree.size; ++i) {
                for (uint256 j; j <= tree.size; ++j) {
                    bool ok =
                        this.verify(tree.proofs[i], tree.root, tree.size, j, tree.leafHashes[i]);
                    vm.assertTrue(ok == (i == j), vm.toString(tree.size));
                }
            }
        }
    }

    /// @dev Trees up to the largest, and proofs that nobody may accept.
    function test_inclusions() public view {
        string memory json = vm.readFile("testdata/vectors/tree.json");
        checkInclusions(json, ".large", true);
        checkInclusions(json, ".bad", false);
    }

    function checkInclusions(string memory json, string memory key, bool want) internal view {
        Inclusion[] memory list =
            abi.decode(vm.parseJsonTypeArray(json, key, INCLUSION), (Inclusion[]));
        vm.assertGt(list.length, 4);
        for (uint256 i; i < list.length; ++i) {
            Inclusion memory c = list[i];
            vm.assertTrue(this.verify(c.proof, c.root, c.size, c.position, c.leaf) == want, c.why);
        }
    }

    /// @dev Anchors the batches at their times; the peaks after each, then every path at its count.
    function test_range() public {
        string memory json = vm.readFile("testdata/vectors/range.json");
        Anchor[] memory batches =
            abi.decode(vm.parseJsonTypeArray(json, ".batches", ANCHOR), (Anchor[]));
        Path[] memory paths = abi.decode(vm.parseJsonTypeArray(json, ".paths", PATH), (Path[]));
        AnchorLog logs = new AnchorLog();
        bytes32 log = logs.open("vectors", address(this));
        vm.assertGt(batches.length, 8);
        uint256 checked;
        for (uint256 n; n < batches.length; ++n) {
            Anchor memory a = batches[n];
            vm.warp(a.time);
            (,, uint256 first) = logs.heads(log);
            vm.assertEq(a.number, n);
            vm.assertEq(a.first, first);
            vm.assertEq(logs.batchHash(batchOf(a)), a.hash);
            logs.anchor(log, n, a.root, a.size, a.cid);
            checkPeaks(logs, log, json, n + 1);
            for (uint256 p; p < paths.length; ++p) {
                if (paths[p].count != n + 1) continue;
                Batch memory b = batchOf(batches[paths[p].number]);
                vm.assertTrue(logs.contains(log, b, paths[p].path));
                ++checked;
            }
        }
        // One path for every batch of every count.
        vm.assertEq(checked, paths.length);
        vm.assertEq(checked, batches.length * (batches.length + 1) / 2);
    }

    /// @dev Asks the log at every count, the empty log too, for the paths that nobody may accept.
    function test_badPaths() public {
        string memory json = vm.readFile("testdata/vectors/range.json");
        Anchor[] memory batches =
            abi.decode(vm.parseJsonTypeArray(json, ".batches", ANCHOR), (Anchor[]));
        BadPath[] memory bad =
            abi.decode(vm.parseJsonTypeArray(json, ".bad", BAD_PATH), (BadPath[]));
        AnchorLog logs = new AnchorLog();
        bytes32 log = logs.open("vectors", address(this));
        uint256 refused = refuse(logs, log, 0, batches, bad);
        for (uint256 n; n < batches.length; ++n) {
            Anchor memory a = batches[n];
            vm.warp(a.time);
            logs.anchor(log, n, a.root, a.size, a.cid);
            refused += refuse(logs, log, n + 1, batches, bad);
        }
        vm.assertGt(refused, 100);
        vm.assertEq(refused, bad.length);
    }

    /// @dev Shows the log the batches of bad paths at this count, each under the number given for it.
    function refuse(
        AnchorLog logs,
        bytes32 log,
        uint256 count,
        Anchor[] memory batches,
        BadPath[] memory bad
    ) internal view returns (uint256 refused) {
        for (uint256 i; i < bad.length; ++i) {
            if (bad[i].count != count) continue;
            ++refused;
            uint256 k;
            while (k < batches.length && batches[k].hash != bad[i].hash) ++k;
            // Nobody can show the log an inner node: it hashes the batch itself.
            if (k == batches.length) continue;
            Batch memory b = batchOf(batches[k]);
            b.number = bad[i].number;
            vm.assertFalse(logs.contains(log, b, bad[i].path), bad[i].why);
        }
    }

    function checkPeaks(AnchorLog logs, bytes32 log, string memory json, uint256 count)
        internal
        view
    {
        string memory key = string.concat(".peaks[", vm.toString(count), "]");
        bytes32[] memory peaks = vm.parseJsonBytes32Array(json, key);
        for (uint256 h; h < peaks.length; ++h) {
            vm.assertEq(logs.peak(log, h), peaks[h]);
        }
        vm.assertEq(count >> peaks.length, 0);
    }

    function batchOf(Anchor memory a) internal pure returns (Batch memory) {
        return Batch(a.number, a.root, a.first, a.size, a.time, a.cid);
    }
}
