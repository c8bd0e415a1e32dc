// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A mountain range that keeps every node it ever had: rows[k][i] covers the 2^k batch hashes
/// from i * 2^k.
struct Range {
    bytes32[][] rows;
}

/// @notice The trees of docs/contracts.md built in full, the plain way, as the model in tests. Shares no
/// code with LogProof.
library Trees {
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    /// @dev Every row of the padded tree over `leaves`, the root last.
    function rows(bytes32[] memory leaves) internal pure returns (bytes32[][] memory all) {
        uint256 depth;
        while (2 ** depth < leaves.length) ++depth;
        all = new bytes32[][](depth + 1);
        all[0] = new bytes32[](2 ** depth);
        for (uint256 i; i < leaves.length; ++i) {
            all[0][i] = leaves[i];
        }
        for (uint256 k = 1; k <= depth; ++k) {
            all[k] = new bytes32[](2 ** (depth - k));
            for (uint256 i; i < all[k].length; ++i) {
                all[k][i] = node(all[k - 1][2 * i], all[k - 1][2 * i + 1]);
            }
        }
    }

    function root(bytes32[][] memory all) internal pure returns (bytes32) {
        return all[all.length - 1][0];
    }

    function proof(bytes32[][] memory all, uint256 index)
        internal
        pure
        returns (bytes32[] memory siblings)
    {
        siblings = new bytes32[](all.length - 1);
        for (uint256 k; k < siblings.length; ++k) {
            siblings[k] = all[k][(index >> k) ^ 1];
        }
    }

    function push(Range storage range, bytes32 hash) internal {
        for (uint256 k;; ++k) {
            if (range.rows.length == k) range.rows.push();
            bytes32[] storage row = range.rows[k];
            row.push(hash);
            if (row.length % 2 == 1) return;
            hash = node(row[row.length - 2], hash);
        }
    }

    /// @dev The peak at `height`: the last node of its row, if no parent covers it.
    function peak(Range storage range, uint256 height) internal view returns (bytes32) {
        if (height >= range.rows.length || range.rows[height].length % 2 == 0) return 0;
        return range.rows[height][range.rows[height].length - 1];
    }

    /// @dev Siblings of batch `number` up to the first node that has no parent.
    function path(Range storage range, uint256 number)
        internal
        view
        returns (bytes32[] memory siblings)
    {
        uint256 height;
        while (
            height + 1 < range.rows.length && number >> (height + 1) < range.rows[height + 1].length
        ) ++height;
        siblings = new bytes32[](height);
        for (uint256 k; k < height; ++k) {
            siblings[k] = range.rows[k][(number >> k) ^ 1];
        }
    }
}
