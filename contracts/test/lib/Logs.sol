// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../../src/AnchorLog.sol";
import {Batch} from "../../src/interfaces/IAnchorLog.sol";
import {Test} from "./Test.sol";
import {Range, Trees} from "./Trees.sol";

/// @notice Logs with their whole history kept beside the contract.
abstract contract Logs is Test {
    AnchorLog internal logs = new AnchorLog();

    mapping(bytes32 log => Batch[]) internal batches;
    mapping(bytes32 log => uint256) internal messages;
    mapping(bytes32 log => Range) internal ranges;

    function leafOf(bytes32 log, uint256 index) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", abi.encode(log, index)));
    }

    function treeOf(bytes32 log, uint256 first, uint256 size)
        internal
        pure
        returns (bytes32[][] memory)
    {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            leaves[i] = leafOf(log, first + i);
        }
        return Trees.rows(leaves);
    }

    function treeOf(bytes32 log, Batch memory batch) internal pure returns (bytes32[][] memory) {
        return treeOf(log, batch.first, batch.size);
    }

    function hashOf(Batch memory b) internal pure returns (bytes32) {
        bytes memory words = abi.encode(b.number, b.root, b.first, b.size, b.time, b.cid);
        return keccak256(bytes.concat(hex"00", words));
    }

    /// @dev Anchors the next `size` entries of `log` and writes them down.
    function append(bytes32 log, address submitter, uint256 size) internal {
        bytes32 root = Trees.root(treeOf(log, messages[log], size));
        append(log, submitter, root, size);
    }

    function append(bytes32 log, address submitter, bytes32 root, uint256 size) internal {
        uint256 number = batches[log].length;
        uint256 first = messages[log];
        bytes32 cid = sha256(abi.encode(log, number));
        vm.prank(submitter);
        logs.anchor(log, number, root, size, cid);
        batches[log].push(Batch(number, root, first, size, vm.getBlockTimestamp(), cid));
        messages[log] = first + size;
        Trees.push(ranges[log], hashOf(batches[log][number]));
    }

    function contained(bytes32 log, uint256 number) internal view returns (bool) {
        return logs.contains(log, batches[log][number], Trees.path(ranges[log], number));
    }

    /// @dev Whether the contract accepts `leaf` at `index` with the true proof of `position` in batch
    /// `number`.
    function included(bytes32 log, uint256 index, bytes32 leaf, uint256 number, uint256 position)
        internal
        view
        returns (bool)
    {
        Batch memory batch = batches[log][number];
        bytes32[] memory path = Trees.path(ranges[log], number);
        bytes32[] memory proof = Trees.proof(treeOf(log, batch), position);
        return logs.includes(log, index, leaf, batch, path, proof);
    }
}
