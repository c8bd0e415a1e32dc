// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch, IAnchorLog} from "./IAnchorLog.sol";

/// @notice An operator's word: "`leaf` will stand at `index` of `log`, in a batch anchored no later
/// than `deadline`". EIP-712 in the domain {name: "Hansard", version: "1", chainId,
/// verifyingContract: the bond}.
/// @param log The log.
/// @param index The entry's index in the log.
/// @param leaf The entry's leaf hash.
/// @param deadline Latest time of the batch, in seconds.
/// @param beneficiary Who is paid if the promise is broken; zero for nobody.
struct Promise {
    bytes32 log;
    uint256 index;
    bytes32 leaf;
    uint256 deadline;
    address beneficiary;
}

/// @title IPromiseBond
/// @notice What a log's owner stakes on the log's promises, and loses when one is broken. Because a
/// promise names the entry's index, every breach but one is shown in one transaction; withheld data
/// is met by a challenge that only an inclusion proof answers.
/// @dev A bond belongs to one log of one AnchorLog. `promiseId` is the promise's EIP-712 digest. A
/// promise is enforceable while its log has a live bond and its signer is an active key or one that
/// was revoked less than UNBONDING_TIME ago.
interface IPromiseBond {
    /// @notice How a promise was broken.
    /// @dev Conflict: another leaf was promised at the index. Substitution: another leaf stands
    /// there. Missed: the deadline passed and the log has not reached the index. Late: the index
    /// was anchored after the deadline. Withheld: nobody answered a challenge.
    enum Breach {
        Conflict,
        Substitution,
        Missed,
        Late,
        Withheld
    }

    /// @notice The owner of `log` staked `amount` more.
    event Funded(bytes32 indexed log, uint256 amount);

    /// @notice Promises for `log` signed by `key` are enforceable from now on, older ones too.
    event KeyAdded(bytes32 indexed log, address indexed key);

    /// @notice Promises for `log` signed by `key` are enforceable before `until` and never again.
    event KeyRevoked(bytes32 indexed log, address indexed key, uint256 until);

    /// @notice The bond of `log` may be withdrawn from `leavesAt` on: accept no more promises.
    event Leaving(bytes32 indexed log, uint256 leavesAt);

    /// @notice The bond of `log` was withdrawn. Its promises cost nothing to break until it has
    /// another.
    event Withdrawn(bytes32 indexed log, address indexed to, uint256 amount);

    /// @notice The inclusion proof of a promise is demanded.
    /// @dev Followed by Answered no later than `answerBy`, or by Concluded at any time after it.
    /// @param log The promise's log.
    /// @param id The promise's id.
    /// @param p The promise.
    /// @param challenger Who gets the deposit back if nobody answers.
    /// @param answerBy Latest time of an answer, in seconds.
    event Challenged(
        bytes32 indexed log, bytes32 indexed id, Promise p, address challenger, uint256 answerBy
    );

    /// @notice The promise was shown to be kept; its proof is in this transaction's input.
    event Answered(bytes32 indexed log, bytes32 indexed id, address answerer);

    /// @notice The challenge found no answer. Slashed comes before this, here or in an earlier
    /// block.
    event Concluded(bytes32 indexed log, bytes32 indexed id);

    /// @notice The bond of `log` was taken, for ever.
    /// @dev Emitted at most once a log.
    /// @param log The log.
    /// @param id The id of the broken promise; of a conflict, the first one's.
    /// @param breach How it was broken.
    /// @param burnt What this contract keeps and pays to nobody.
    /// @param paid What was credited to the beneficiaries.
    event Slashed(
        bytes32 indexed log, bytes32 indexed id, Breach breach, uint256 burnt, uint256 paid
    );

    /// @notice `account` had its credit paid out.
    event Collected(address indexed account, address indexed to, uint256 amount);

    /// @notice `caller` does not own the log.
    error NotOwner(address caller);

    /// @notice `value` wei is not what the call takes.
    error BadValue(uint256 value);

    /// @notice The log's bond was slashed; it takes no other.
    error Broken(bytes32 log);

    /// @notice Nothing is bonded for the log.
    error NoBond(bytes32 log);

    /// @notice The key is zero or was used before, or, when revoking, is not active.
    error BadKey(address key);

    /// @notice The bond leaves at `leavesAt` already.
    error AlreadyLeaving(uint256 leavesAt);

    /// @notice The log's bond is not leaving.
    error NotLeaving(bytes32 log);

    /// @notice `count` challenges are open.
    error OpenChallenges(uint256 count);

    /// @notice Not before `time`, or, after a deadline or a time to answer, not at `time` either.
    error TooEarly(uint256 time);

    /// @notice `time` has passed.
    error TooLate(uint256 time);

    /// @notice Not a signature of the promise by an enforceable key of its log. `signer` is whom it
    /// recovers to; zero if it is malformed.
    error BadSignature(address signer);

    /// @notice What was shown is consistent with the promise being kept.
    error NoBreach();

    /// @notice The log does not confirm what was shown. A path grows when peaks merge: build it
    /// again.
    error BadProof();

    /// @notice The promise was challenged before.
    error AlreadyChallenged(bytes32 id);

    /// @notice No challenge of the promise is open.
    error NotChallenged(bytes32 id);

    /// @notice `to` does not accept the payment.
    error PaymentFailed(address to);

    /// @notice Adds the value to the bond of `log`. Only the log's owner may.
    /// @dev Reverts with NotOwner, BadValue if there is no value, Broken.
    function fund(bytes32 log) external payable;

    /// @notice Makes `key` a promise key of `log`. Only the log's owner may.
    /// @dev Reverts with NotOwner, or BadKey for zero and for a key that was ever added.
    function addKey(bytes32 log, address key) external;

    /// @notice Ends `key`: enforceable for UNBONDING_TIME longer, then never again. Only the log's
    /// owner may.
    /// @dev Reverts with NotOwner, or BadKey if the key is not active.
    function revokeKey(bytes32 log, address key) external;

    /// @notice Announces that the bond of `log` leaves after UNBONDING_TIME. Only the log's owner
    /// may. It cannot be taken back; after the withdrawal the owner may fund it again.
    /// @dev Reverts with NotOwner, NoBond or AlreadyLeaving.
    function unbond(bytes32 log) external;

    /// @notice Pays the bond of `log` to `to`. Only the log's owner may.
    /// @dev Reverts with NotOwner, NotLeaving, TooEarly, OpenChallenges, NoBond if the bond was
    /// slashed, or PaymentFailed.
    function withdraw(bytes32 log, address to) external;

    /// @notice Slashes for two promises of different leaves at one index. Half of what is paid goes
    /// to the beneficiary of each.
    /// @dev Reverts with NoBond, BadSignature or NoBreach.
    function slashConflict(
        Promise calldata a,
        bytes calldata signatureA,
        Promise calldata b,
        bytes calldata signatureB
    ) external;

    /// @notice Slashes because `other` stands where `p.leaf` was promised.
    /// @dev Reverts with NoBond, BadSignature, NoBreach if `other` is the promised leaf, or
    /// BadProof.
    /// @param p The promise.
    /// @param signature 65 bytes r, s, v; s at most half the order, v 27 or 28.
    /// @param other The leaf at the index.
    /// @param batch The batch that covers the index.
    /// @param path The batch's path, as for IAnchorLog.contains.
    /// @param proof The leaf's siblings, as for IAnchorLog.includes.
    function slashSubstitution(
        Promise calldata p,
        bytes calldata signature,
        bytes32 other,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external;

    /// @notice Slashes because the deadline passed and the log has not reached the index.
    /// @dev Reverts with NoBond, BadSignature, TooEarly, or NoBreach if the log reaches the index.
    function slashMissed(Promise calldata p, bytes calldata signature) external;

    /// @notice Slashes because `batch`, which covers the index, was anchored after the deadline.
    /// @dev Reverts with NoBond, BadSignature, NoBreach or BadProof.
    function slashLate(
        Promise calldata p,
        bytes calldata signature,
        Batch calldata batch,
        bytes32[] calldata path
    ) external;

    /// @notice Demands the inclusion proof of a promise whose deadline has passed. Takes
    /// CHALLENGE_DEPOSIT, which goes to whoever answers, or back.
    /// @dev Reverts with BadValue, NoBond, BadSignature, TooEarly until the deadline has passed,
    /// TooLate once the bond may leave, or AlreadyChallenged.
    function challenge(Promise calldata p, bytes calldata signature) external payable;

    /// @notice Answers a challenge: the promised leaf stands at the index, anchored in time.
    /// Anybody may.
    /// @dev Reverts with NotChallenged, TooLate or BadProof.
    function answer(
        Promise calldata p,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external;

    /// @notice Slashes because a challenge was not answered, and credits the challenger's deposit.
    /// If the bond was slashed before, does only the latter.
    /// @dev Reverts with NotChallenged, or TooEarly while there is time to answer.
    function conclude(Promise calldata p) external;

    /// @notice Pays the sender's credit to `to`.
    /// @dev Reverts with PaymentFailed. Nothing is pushed, so that no payee can block a slashing.
    function collect(address to) external;

    /// @notice The bond of `log`.
    /// @return amount What is staked, in wei; zero for no bond.
    /// @return leavesAt When it may be withdrawn; zero while it is not leaving.
    /// @return open Count of open challenges.
    /// @return broken Whether it was slashed.
    function bonds(bytes32 log)
        external
        view
        returns (uint128 amount, uint64 leavesAt, uint32 open, bool broken);

    /// @notice Until when promises for `log` by `key` are enforceable, this second excluded.
    /// @return until Zero for a key never added, 2^256 - 1 for an active one.
    function keys(bytes32 log, address key) external view returns (uint256 until);

    /// @notice The challenge of a promise.
    /// @return challenger Who challenged; zero for nobody.
    /// @return answerBy Latest time of an answer.
    /// @return closed Whether it was answered or concluded.
    function challenges(bytes32 id)
        external
        view
        returns (address challenger, uint64 answerBy, bool closed);

    /// @notice What `account` may collect, in wei.
    function credits(address account) external view returns (uint256 amount);

    /// @notice The promise's id: its EIP-712 digest for this contract on this chain.
    function promiseId(Promise calldata p) external view returns (bytes32 id);

    /// @notice The contract whose logs are bonded here.
    function ANCHOR_LOG() external view returns (IAnchorLog);

    /// @notice Seconds that a bond outlives the wish to leave, and a key its revocation.
    function UNBONDING_TIME() external view returns (uint256);

    /// @notice Seconds that a challenge waits for an answer.
    function ANSWER_TIME() external view returns (uint256);

    /// @notice What a challenge costs if it is answered, in wei.
    function CHALLENGE_DEPOSIT() external view returns (uint256);

    /// @notice Per cent of a slashed bond that the beneficiaries are paid. The rest is burnt.
    function REWARD_PERCENT() external view returns (uint256);
}
