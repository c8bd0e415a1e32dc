// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Promises} from "./Promises.sol";
import {Batch, IAnchorLog} from "./interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "./interfaces/IPromiseBond.sol";

/// @title PromiseBond
/// @notice See IPromiseBond. Has no owner, no proxy, no pause and no upgrade.
/// @dev Of foreign code only AnchorLog's views run while a bond is judged. Payments are the last
/// step of withdraw and collect, and what is burnt stays here: no statement pays it out.
contract PromiseBond is IPromiseBond {
    struct Bond {
        uint128 amount;
        uint64 leavesAt;
        uint32 open;
        bool broken;
    }

    struct Challenge {
        address challenger;
        uint64 answerBy;
        bool closed;
    }

    /// @inheritdoc IPromiseBond
    uint256 public constant override UNBONDING_TIME = 14 days;
    /// @inheritdoc IPromiseBond
    uint256 public constant override ANSWER_TIME = 3 days;
    /// @inheritdoc IPromiseBond
    uint256 public constant override CHALLENGE_DEPOSIT = 0.01 ether;
    /// @inheritdoc IPromiseBond
    uint256 public constant override REWARD_PERCENT = 10;

    uint256 private constant ACTIVE = type(uint256).max;

    /// @inheritdoc IPromiseBond
    IAnchorLog public immutable override ANCHOR_LOG;

    /// @inheritdoc IPromiseBond
    mapping(bytes32 log => Bond) public override bonds;
    /// @inheritdoc IPromiseBond
    mapping(bytes32 log => mapping(address key => uint256 until)) public override keys;
    /// @inheritdoc IPromiseBond
    mapping(bytes32 id => Challenge) public override challenges;
    /// @inheritdoc IPromiseBond
    mapping(address account => uint256 amount) public override credits;

    modifier onlyOwner(bytes32 log) {
        if (msg.sender != ANCHOR_LOG.ownerOf(log)) revert NotOwner(msg.sender);
        _;
    }

    constructor(IAnchorLog anchorLog) {
        ANCHOR_LOG = anchorLog;
    }

    /// @inheritdoc IPromiseBond
    function fund(bytes32 log) external payable override onlyOwner(log) {
        if (msg.value == 0) revert BadValue(0);
        if (bonds[log].broken) revert Broken(log);
        // Safe: there are not 2^128 wei of any coin.
        // forge-lint: disable-next-line(unsafe-typecast)
        bonds[log].amount += uint128(msg.value);
        emit Funded(log, msg.value);
    }

    /// @inheritdoc IPromiseBond
    function addKey(bytes32 log, address key) external override onlyOwner(log) {
        // A signature that recovers to nobody recovers to zero.
        if (key == address(0) || keys[log][key] != 0) revert BadKey(key);
        keys[log][key] = ACTIVE;
        emit KeyAdded(log, key);
    }

    /// @inheritdoc IPromiseBond
    function revokeKey(bytes32 log, address key) external override onlyOwner(log) {
        if (keys[log][key] != ACTIVE) revert BadKey(key);
        uint256 until = block.timestamp + UNBONDING_TIME;
        keys[log][key] = until;
        emit KeyRevoked(log, key, until);
    }

    /// @inheritdoc IPromiseBond
    function unbond(bytes32 log) external override onlyOwner(log) {
        Bond storage bond = bonds[log];
        if (bond.amount == 0) revert NoBond(log);
        if (bond.leavesAt != 0) revert AlreadyLeaving(bond.leavesAt);
        // Safe: 64 bits of seconds.
        // forge-lint: disable-next-line(unsafe-typecast)
        bond.leavesAt = uint64(block.timestamp + UNBONDING_TIME);
        emit Leaving(log, bond.leavesAt);
    }

    /// @inheritdoc IPromiseBond
    function withdraw(bytes32 log, address to) external override onlyOwner(log) {
        Bond memory bond = bonds[log];
        if (bond.leavesAt == 0) revert NotLeaving(log);
        if (block.timestamp < bond.leavesAt) revert TooEarly(bond.leavesAt);
        if (bond.open != 0) revert OpenChallenges(bond.open);
        if (bond.amount == 0) revert NoBond(log);
        delete bonds[log];
        emit Withdrawn(log, to, bond.amount);
        _pay(to, bond.amount);
    }

    /// @inheritdoc IPromiseBond
    function slashConflict(
        Promise calldata a,
        bytes calldata signatureA,
        Promise calldata b,
        bytes calldata signatureB
    ) external override {
        bytes32 id = _evidence(a, signatureA);
        _evidence(b, signatureB);
        if (a.log != b.log || a.index != b.index || a.leaf == b.leaf) revert NoBreach();
        _slash(a.log, id, Breach.Conflict, a.beneficiary, b.beneficiary);
    }

    /// @inheritdoc IPromiseBond
    function slashSubstitution(
        Promise calldata p,
        bytes calldata signature,
        bytes32 other,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external override {
        bytes32 id = _evidence(p, signature);
        if (other == p.leaf) revert NoBreach();
        if (!ANCHOR_LOG.includes(p.log, p.index, other, batch, path, proof)) revert BadProof();
        _slash(p, id, Breach.Substitution);
    }

    /// @inheritdoc IPromiseBond
    function slashMissed(Promise calldata p, bytes calldata signature) external override {
        bytes32 id = _evidence(p, signature);
        if (block.timestamp <= p.deadline) revert TooEarly(p.deadline);
        (,, uint64 messages) = ANCHOR_LOG.heads(p.log);
        if (p.index < messages) revert NoBreach();
        _slash(p, id, Breach.Missed);
    }

    /// @inheritdoc IPromiseBond
    function slashLate(
        Promise calldata p,
        bytes calldata signature,
        Batch calldata batch,
        bytes32[] calldata path
    ) external override {
        bytes32 id = _evidence(p, signature);
        bool covers = p.index >= batch.first && p.index - batch.first < batch.size;
        if (!covers || batch.time <= p.deadline) revert NoBreach();
        if (!ANCHOR_LOG.contains(p.log, batch, path)) revert BadProof();
        _slash(p, id, Breach.Late);
    }

    /// @inheritdoc IPromiseBond
    function challenge(Promise calldata p, bytes calldata signature) external payable override {
        if (msg.value != CHALLENGE_DEPOSIT) revert BadValue(msg.value);
        bytes32 id = _evidence(p, signature);
        if (block.timestamp <= p.deadline) revert TooEarly(p.deadline);
        // From here on nothing new may hold the bond back.
        uint256 leavesAt = bonds[p.log].leavesAt;
        if (leavesAt != 0 && block.timestamp >= leavesAt) revert TooLate(leavesAt);
        if (challenges[id].challenger != address(0)) revert AlreadyChallenged(id);
        // Safe: 64 bits of seconds.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 answerBy = uint64(block.timestamp + ANSWER_TIME);
        challenges[id] = Challenge(msg.sender, answerBy, false);
        ++bonds[p.log].open;
        emit Challenged(p.log, id, p, msg.sender, answerBy);
    }

    /// @inheritdoc IPromiseBond
    function answer(
        Promise calldata p,
        Batch calldata batch,
        bytes32[] calldata path,
        bytes32[] calldata proof
    ) external override {
        bytes32 id = promiseId(p);
        Challenge memory c = _close(p.log, id);
        if (block.timestamp > c.answerBy) revert TooLate(c.answerBy);
        if (
            batch.time > p.deadline
                || !ANCHOR_LOG.includes(p.log, p.index, p.leaf, batch, path, proof)
        ) revert BadProof();
        credits[msg.sender] += CHALLENGE_DEPOSIT;
        emit Answered(p.log, id, msg.sender);
    }

    /// @inheritdoc IPromiseBond
    function conclude(Promise calldata p) external override {
        bytes32 id = promiseId(p);
        Challenge memory c = _close(p.log, id);
        if (block.timestamp <= c.answerBy) revert TooEarly(c.answerBy);
        if (!bonds[p.log].broken) _slash(p, id, Breach.Withheld);
        credits[c.challenger] += CHALLENGE_DEPOSIT;
        emit Concluded(p.log, id);
    }

    /// @inheritdoc IPromiseBond
    function collect(address to) external override {
        uint256 amount = credits[msg.sender];
        credits[msg.sender] = 0;
        emit Collected(msg.sender, to, amount);
        _pay(to, amount);
    }

    /// @inheritdoc IPromiseBond
    function promiseId(Promise calldata p) public view override returns (bytes32 id) {
        return Promises.digest(p);
    }

    /// @dev The id of a promise that may cost its log the bond.
    function _evidence(Promise calldata p, bytes calldata signature)
        private
        view
        returns (bytes32 id)
    {
        if (bonds[p.log].amount == 0) revert NoBond(p.log);
        id = promiseId(p);
        address signer = Promises.recover(id, signature);
        if (block.timestamp >= keys[p.log][signer]) revert BadSignature(signer);
    }

    function _slash(Promise calldata p, bytes32 id, Breach breach) private {
        _slash(p.log, id, breach, p.beneficiary, p.beneficiary);
    }

    /// @dev What is due to nobody is burnt too: paid to the sender, it would go to whoever copies
    /// the transaction first.
    function _slash(bytes32 log, bytes32 id, Breach breach, address one, address two) private {
        uint256 amount = bonds[log].amount;
        bonds[log].amount = 0;
        bonds[log].broken = true;
        uint256 share = amount * REWARD_PERCENT / 100 / 2;
        uint256 paid = _credit(one, share) + _credit(two, share);
        emit Slashed(log, id, breach, amount - paid, paid);
    }

    function _credit(address account, uint256 amount) private returns (uint256 paid) {
        if (account == address(0)) return 0;
        credits[account] += amount;
        return amount;
    }

    /// @dev Closes the open challenge of the promise `id`, whose log is `log`.
    function _close(bytes32 log, bytes32 id) private returns (Challenge memory c) {
        c = challenges[id];
        if (c.challenger == address(0) || c.closed) revert NotChallenged(id);
        challenges[id].closed = true;
        --bonds[log].open;
    }

    function _pay(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert PaymentFailed(to);
    }
}
