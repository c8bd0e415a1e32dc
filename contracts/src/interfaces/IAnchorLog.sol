// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A batch as it was anchored. Hashed as keccak256(0x00 || abi.encode(batch)), 193 bytes.
/// @param number Position of the batch in its log, from 0.
/// @param root Root of the batch's tree: see LogProof.
/// @param first Index in the log of the batch's first entry.
/// @param size Number of entries, 1 to 2^32 - 1.
/// @param time Timestamp in seconds of the block that anchored it.
/// @param cid SHA-256 digest in the manifest's CID (CIDv1, dag-cbor, sha2-256).
struct Batch {
    uint256 number;
    bytes32 root;
    uint256 first;
    uint256 size;
    uint256 time;
    bytes32 cid;
}

/// @title IAnchorLog
/// @notice Append-only logs of batches of entries. Anybody opens a log; its submitter appends; nobody
/// can alter, reorder or remove what was anchored, and every batch stays provable to contracts.
/// @dev A log is keccak256(abi.encode(owner, salt)). A log that was never opened reads as zeros.
interface IAnchorLog {
    /// @notice `log` was opened.
    /// @dev Emitted once a log, before any other event of it; log = keccak256(abi.encode(owner, salt)).
    /// The owner never changes. The submitter holds until the next SubmitterSet.
    /// @param log The log.
    /// @param owner Who may replace the submitter, for ever.
    /// @param salt What tells the owner's logs apart.
    /// @param submitter Who may append; zero for nobody.
    event Opened(bytes32 indexed log, address indexed owner, bytes32 salt, address submitter);

    /// @notice The submitter of `log` was replaced.
    /// @dev Every later Anchored of this log was sent by `submitter`, until the next SubmitterSet.
    /// @param log The log.
    /// @param submitter Who may append from now on; zero for nobody.
    event SubmitterSet(bytes32 indexed log, address indexed submitter);

    /// @notice A batch was appended to `log`.
    /// @dev In the order of the chain `number` counts from 0 without gaps, and `first` is the sum of
    /// all earlier sizes, so the log's entries are indexed from 0 without gaps, each once. The batch's
    /// time is the timestamp of this event's block. Nothing is said of what `root` and `cid` stand
    /// for: a submitter can anchor a root whose leaves it never shows.
    /// @param log The log.
    /// @param number Position of the batch in the log.
    /// @param root Root of the batch's tree.
    /// @param first Index of the batch's first entry.
    /// @param size Number of entries.
    /// @param cid SHA-256 digest in the manifest's CID.
    event Anchored(
        bytes32 indexed log,
        uint256 indexed number,
        bytes32 root,
        uint256 first,
        uint256 size,
        bytes32 cid
    );

    /// @notice `log` is open already.
    error Taken(bytes32 log);

    /// @notice `caller` does not own the log.
    error NotOwner(address caller);

    /// @notice `caller` may not append to the log.
    error NotSubmitter(address caller);

    /// @notice The log takes batch `next` now. If `next` is larger than the number that was sent, that
    /// number is anchored, with the sender's content or another: compare the event before going on.
    error OutOfOrder(uint256 next);

    /// @notice `size` is not within 1 to 2^32 - 1.
    error BadSize(uint256 size);

    /// @notice `log` holds 2^32 - 1 batches and takes no more.
    error Full(bytes32 log);

    /// @notice Opens the sender's log named by `salt`.
    /// @dev Reverts with Taken.
    /// @param salt Any value; one log for each.
    /// @param submitter Who may append; zero for nobody.
    /// @return log keccak256(abi.encode(msg.sender, salt)).
    function open(bytes32 salt, address submitter) external returns (bytes32 log);

    /// @notice Replaces the submitter of `log`. Only its owner may.
    /// @dev Reverts with NotOwner. Batches anchored before stay as they are.
    /// @param log The log.
    /// @param submitter Who may append from now on; zero for nobody.
    function setSubmitter(bytes32 log, address submitter) external;

    /// @notice Appends batch `number`, which must be the next one. Only the log's submitter may.
    /// @dev Reverts with NotSubmitter, OutOfOrder, BadSize or Full, checked in this order. A repeat of
    /// the same call reverts with OutOfOrder, so sending again is safe.
    /// @param log The log.
    /// @param number The log's count of batches.
    /// @param root Root of the batch's tree.
    /// @param size Number of entries, 1 to 2^32 - 1.
    /// @param cid SHA-256 digest in the manifest's CID.
    function anchor(bytes32 log, uint256 number, bytes32 root, uint256 size, bytes32 cid) external;

    /// @notice Who may append to `log`, and what it holds.
    /// @param log The log.
    /// @return submitter Who may append; zero for nobody.
    /// @return batches Count of batches: the next batch's number.
    /// @return messages Count of entries: the next entry's index.
    function heads(bytes32 log)
        external
        view
        returns (address submitter, uint32 batches, uint64 messages);

    /// @notice Who may replace the submitter of `log`; zero for a log that was never opened.
    function ownerOf(bytes32 log) external view returns (address owner);

    /// @notice The peak at `height` of the mountain range over the log's batch hashes: the root of a
    /// perfect tree of 2^height batches, or zero where the range has none.
    /// @param log The log.
    /// @param height The peak's height; there is one for every set bit of the count of batches.
    /// @return hash The peak, or zero.
    function peak(bytes32 log, uint256 height) external view returns (bytes32 hash);

    /// @notice Whether `batch` was anchored in `log`.
    /// @param log The log.
    /// @param batch The batch, every field as anchored.
    /// @param path The siblings from the batch up to the peak above it, exactly
    /// floor(log2(batch.number ^ batches)). It grows when peaks merge: rebuild it from the events.
    /// @return True if it was; false for anything else.
    function contains(bytes32 log, Batch calldata batch, bytes32[] calldata path)
        external
        view
        returns (bool);

    /// @notice Whether `leaf` is the entry at `index` of `log`.
    /// @dev At most one leaf is at an index, so true for another leaf proves that this one is not.
    /// @param log The log.
    /// @param index The entry's index in the log.
    /// @param leaf The entry's leaf hash.
    /// @param batch The batch that covers the index.
    /// @param path The batch's path, as for contains.
    /// @param proof The siblings from the leaf up to batch.root, exactly ceil(log2(batch.size)).
    /// @return True if it is; false for anything else.
    function includes(
        bytes32 log,
        uint256 index,
        bytes32 leaf,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Hash of `batch`, the leaf of the mountain range: keccak256(0x00 || abi.encode(batch)).
    /// @param batch The batch; it need not be anchored.
    /// @return hash Its hash.
    function batchHash(Batch calldata batch) external pure returns (bytes32 hash);
}
