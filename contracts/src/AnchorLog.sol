// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LogProof} from "./LogProof.sol";
import {Batch, IAnchorLog} from "./interfaces/IAnchorLog.sol";

/// @title AnchorLog
/// @notice See IAnchorLog. Has no owner, no proxy, no pause and no upgrade.
/// @dev A log is one head slot and the peaks of a Merkle mountain range over its batches. Anchoring
/// rewrites the head and one peak; only a count that reaches a power of two creates a slot. A peak
/// that merged stays behind in its slot until it is overwritten: the bits of the count say which
/// slots are live.
contract AnchorLog is IAnchorLog {
    struct Head {
        address submitter;
        uint32 batches;
        uint64 messages;
    }

    /// @inheritdoc IAnchorLog
    mapping(bytes32 log => Head) public override heads;
    /// @inheritdoc IAnchorLog
    mapping(bytes32 log => address owner) public override ownerOf;
    mapping(bytes32 log => mapping(uint256 height => bytes32 hash)) private _peaks;

    /// @inheritdoc IAnchorLog
    function open(bytes32 salt, address submitter) external override returns (bytes32 log) {
        log = keccak256(abi.encode(msg.sender, salt));
        if (ownerOf[log] != address(0)) revert Taken(log);
        ownerOf[log] = msg.sender;
        heads[log].submitter = submitter;
        emit Opened(log, msg.sender, salt, submitter);
    }

    /// @inheritdoc IAnchorLog
    function setSubmitter(bytes32 log, address submitter) external override {
        if (msg.sender != ownerOf[log]) revert NotOwner(msg.sender);
        heads[log].submitter = submitter;
        emit SubmitterSet(log, submitter);
    }

    /// @inheritdoc IAnchorLog
    function anchor(bytes32 log, uint256 number, bytes32 root, uint256 size, bytes32 cid)
        external
        override
    {
        Head memory head = heads[log];
        if (msg.sender != head.submitter) revert NotSubmitter(msg.sender);
        if (number != head.batches) revert OutOfOrder(head.batches);
        if (size == 0 || size > LogProof.MAX_SIZE) revert BadSize(size);
        if (number == type(uint32).max) revert Full(log);

        uint256 first = head.messages;
        head.batches += 1;
        // Safe: size was bounded, and 2^32 - 1 batches of 2^32 - 1 entries stay below 2^64.
        // forge-lint: disable-next-line(unsafe-typecast)
        head.messages += uint64(size);
        heads[log] = head;
        _push(log, number, _hash(Batch(number, root, first, size, block.timestamp, cid)));
        emit Anchored(log, number, root, first, size, cid);
    }

    /// @inheritdoc IAnchorLog
    function includes(
        bytes32 log,
        uint256 index,
        bytes32 leaf,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external view override returns (bool) {
        return index >= batch.first && contains(log, batch, path)
            && LogProof.verify(proof, batch.root, batch.size, index - batch.first, leaf);
    }

    /// @inheritdoc IAnchorLog
    function peak(bytes32 log, uint256 height) external view override returns (bytes32 hash) {
        if ((uint256(heads[log].batches) >> height) & 1 == 1) hash = _peaks[log][height];
    }

    /// @inheritdoc IAnchorLog
    function batchHash(Batch calldata batch) external pure override returns (bytes32 hash) {
        return _hash(batch);
    }

    /// @inheritdoc IAnchorLog
    function contains(bytes32 log, Batch calldata batch, bytes32[] calldata path)
        public
        view
        override
        returns (bool)
    {
        uint256 count = heads[log].batches;
        if (batch.number >= count) return false;
        // The peak above a batch stands where its number and the count differ first.
        uint256 height = LogProof.bitLength(batch.number ^ count) - 1;
        return path.length == height
            && LogProof.climb(path, batch.number, _hash(batch)) == _peaks[log][height];
    }

    /// @dev Adds the batch hash to a range of `count` batches, merging peaks of equal height.
    function _push(bytes32 log, uint256 count, bytes32 hash) private {
        mapping(uint256 => bytes32) storage peaks = _peaks[log];
        uint256 height;
        for (; (count >> height) & 1 == 1; ++height) {
            hash = LogProof.node(peaks[height], hash);
        }
        peaks[height] = hash;
    }

    function _hash(Batch memory batch) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                bytes1(0x00),
                batch.number,
                batch.root,
                batch.first,
                batch.size,
                batch.time,
                batch.cid
            )
        );
    }
}
