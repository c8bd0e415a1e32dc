// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title LogProof
/// @notice Positional Merkle proofs over keccak256. A tree of `size` leaves is perfect and binary: its
/// lowest row is padded on the right with 32 zero bytes up to a power of two; a tree of one leaf is
/// that leaf. A leaf is hashed with a first byte 0x00 by its maker, an inner node with 0x01 here.
/// @dev Root, size and index fix the length and the sides of the path, so at most one leaf verifies at
/// an index: a proof of another leaf there is a proof that the first is absent.
library LogProof {
    /// @notice The most leaves that a tree may have.
    uint256 internal constant MAX_SIZE = type(uint32).max;

    /// @notice Hash of an inner node.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Whether `leaf` is at `index` of the tree of `size` leaves under `root`.
    /// @dev The padding has valid paths, which is why `index < size` is part of the check.
    /// @param proof The siblings from the leaf upward, exactly ceil(log2(size)).
    function verify(
        bytes32[] calldata proof,
        bytes32 root,
        uint256 size,
        uint256 index,
        bytes32 leaf
    ) internal pure returns (bool) {
        return size <= MAX_SIZE && index < size && proof.length == bitLength(size - 1)
            && climb(proof, index, leaf) == root;
    }

    /// @notice The root over `hash` at `index`: bit k of `index` says right child at level k.
    /// @dev Proves nothing unless the caller checks the length of `path`.
    function climb(bytes32[] calldata path, uint256 index, bytes32 hash)
        internal
        pure
        returns (bytes32)
    {
        for (uint256 k; k < path.length; ++k) {
            hash = (index >> k) & 1 == 0 ? node(hash, path[k]) : node(path[k], hash);
        }
        return hash;
    }

    /// @notice Number of bits of `x` up to its highest set one; 0 for 0.
    function bitLength(uint256 x) internal pure returns (uint256 n) {
        for (; x != 0; x >>= 1) {
            ++n;
        }
    }
}
