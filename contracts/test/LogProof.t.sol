// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogProof} from "../src/LogProof.sol";
import {Test} from "./lib/Test.sol";
import {Trees} from "./lib/Trees.sol";

contract LogProofTest is Test {
    function verify(bytes32[] calldata p, bytes32 root, uint256 size, uint256 index, bytes32 leaf)
        external
        pure
        returns (bool)
    {
        return LogProof.verify(p, root, size, index, leaf);
    }

    function leavesOf(bytes32 seed, uint256 size) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            leaves[i] = keccak256(bytes.concat(hex"00", abi.encode(seed, i)));
        }
    }

    function test_verify_everySizeAndIndex() public view {
        for (uint256 size = 1; size <= 33; ++size) {
            bytes32[] memory leaves = leavesOf("all", size);
            bytes32[][] memory rows = Trees.rows(leaves);
            bytes32 root = Trees.root(rows);
            for (uint256 i; i < size; ++i) {
                bytes32[] memory proof = Trees.proof(rows, i);
                for (uint256 j; j <= size; ++j) {
                    vm.assertTrue(this.verify(proof, root, size, j, leaves[i]) == (i == j));
                }
            }
        }
    }

    function test_verify_refusesPadding() public view {
        for (uint256 size = 3; size <= 33; ++size) {
            bytes32[][] memory rows = Trees.rows(leavesOf("padding", size));
            bytes32 root = Trees.root(rows);
            for (uint256 i = size; i < rows[0].length; ++i) {
                bytes32[] memory proof = Trees.proof(rows, i);
                vm.assertFalse(this.verify(proof, root, size, i, 0));
                // The path itself is sound: only the size tells the padding from an entry.
                vm.assertTrue(this.verify(proof, root, rows[0].length, i, 0));
            }
        }
    }

    function test_verify_refusesNoLeavesAndTooMany() public view {
        bytes32[] memory none = new bytes32[](0);
        vm.assertFalse(this.verify(none, "root", 0, 0, "root"));
        vm.assertTrue(this.verify(none, "root", 1, 0, "root"));

        bytes32[] memory p = new bytes32[](32);
        bytes32 root = "leaf";
        for (uint256 k; k < 32; ++k) {
            root = Trees.node(root, 0);
        }
        vm.assertTrue(this.verify(p, root, type(uint32).max, 0, "leaf"));
        vm.assertFalse(this.verify(p, root, 1 << 32, 0, "leaf"));
    }

    struct Case {
        bytes32[][] rows;
        bytes32[] proof;
        bytes32 root;
        bytes32 leaf;
        uint256 size;
        uint256 index;
    }

    function caseOf(bytes32 seed, uint256 size, uint256 i) internal pure returns (Case memory c) {
        c.size = bound(size, 2, 300);
        c.index = bound(i, 0, c.size - 1);
        c.rows = Trees.rows(leavesOf(seed, c.size));
        c.proof = Trees.proof(c.rows, c.index);
        c.root = Trees.root(c.rows);
        c.leaf = c.rows[0][c.index];
    }

    function testFuzz_verify(bytes32 seed, uint256 size, uint256 i) public view {
        Case memory c = caseOf(seed, size, i);
        vm.assertTrue(this.verify(c.proof, c.root, c.size, c.index, c.leaf));
    }

    function testFuzz_verify_refusesAnotherIndex(bytes32 seed, uint256 size, uint256 i, uint256 j)
        public
        view
    {
        Case memory c = caseOf(seed, size, i);
        vm.assume(j != c.index);
        vm.assertFalse(this.verify(c.proof, c.root, c.size, j, c.leaf));
        j %= c.size;
        vm.assume(j != c.index);
        vm.assertFalse(this.verify(c.proof, c.root, c.size, j, c.leaf));
        vm.assertFalse(this.verify(c.proof, c.root, c.size, c.index, c.rows[0][j]));
    }

    function testFuzz_verify_refusesIndexPlusPowerOfTwo(bytes32 seed, uint256 size, uint256 i)
        public
        view
    {
        Case memory c = caseOf(seed, size, i);
        for (uint256 k = c.proof.length; k < 256; ++k) {
            uint256 j = c.index + 2 ** k;
            vm.assertFalse(this.verify(c.proof, c.root, c.size, j, c.leaf));
        }
    }

    function testFuzz_verify_refusesAlteredProof(
        bytes32 seed,
        uint256 size,
        uint256 i,
        uint256 level,
        uint8 bit
    ) public view {
        Case memory c = caseOf(seed, size, i);
        c.proof[level % c.proof.length] ^= bytes32(uint256(1) << bit);
        vm.assertFalse(this.verify(c.proof, c.root, c.size, c.index, c.leaf));
    }

    function testFuzz_verify_refusesInnerNode(bytes32 seed, uint256 size, uint256 i, uint256 level)
        public
        view
    {
        Case memory c = caseOf(seed, size, i);
        level = bound(level, 1, c.proof.length);
        bytes32[] memory rest = new bytes32[](c.proof.length - level);
        for (uint256 k; k < rest.length; ++k) {
            rest[k] = c.proof[k + level];
        }
        uint256 j = c.index >> level;
        vm.assertFalse(this.verify(rest, c.root, c.size, j, c.rows[level][j]));
        vm.assertFalse(this.verify(c.proof, c.root, c.size, j, c.rows[level][j]));
    }

    function testFuzz_verify_refusesWrongLength(bytes32 seed, uint256 size, uint256 i) public view {
        Case memory c = caseOf(seed, size, i);
        bytes32[] memory longer = new bytes32[](c.proof.length + 1);
        bytes32[] memory shorter = new bytes32[](c.proof.length - 1);
        for (uint256 k; k < c.proof.length; ++k) {
            longer[k] = c.proof[k];
            if (k < shorter.length) shorter[k] = c.proof[k];
        }
        vm.assertFalse(this.verify(longer, c.root, c.size, c.index, c.leaf));
        vm.assertFalse(this.verify(shorter, c.root, c.size, c.index, c.leaf));
        // A root that the longer path does reach: the length alone is wrong.
        vm.assertFalse(this.verify(longer, Trees.node(c.root, 0), c.size, c.index, c.leaf));
    }

    function testFuzz_bitLength(uint256 x) public pure {
        uint256 n = LogProof.bitLength(x);
        vm.assertTrue(n == 256 || x >> n == 0);
        vm.assertTrue(n == 0 || x >> (n - 1) == 1);
    }

    function test_bitLength() public pure {
        vm.assertEq(LogProof.bitLength(0), 0);
        vm.assertEq(LogProof.bitLength(1), 1);
        vm.assertEq(LogProof.bitLength(255), 8);
        vm.assertEq(LogProof.bitLength(256), 9);
        vm.assertEq(LogProof.bitLength(type(uint256).max), 256);
    }
}
