// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromiseBond, Promise} from "../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./lib/Bonds.sol";
import {Payee} from "./lib/Payee.sol";

/// @notice The owner's side: bond, keys, leaving; and who is paid.
contract PromiseBondTest is Bonds {
    uint256 internal constant START = 1_700_000_000;

    address internal owner = makeAddr("owner");
    address internal submitter = makeAddr("submitter");
    address internal outsider = makeAddr("outsider");
    address internal user = makeAddr("user");
    address internal key;
    bytes32 internal log;

    function setUp() public {
        vm.warp(START);
        key = vm.addr(KEY);
        vm.deal(owner, 1000 ether);
        vm.deal(outsider, 1000 ether);
        vm.prank(owner);
        log = logs.open("main", submitter);
    }

    function fund(uint256 amount) internal {
        vm.prank(owner);
        bond.fund{value: amount}(log);
    }

    function live() internal {
        fund(100 ether);
        vm.prank(owner);
        bond.addKey(log, key);
    }

    function unbond() internal {
        vm.prank(owner);
        bond.unbond(log);
    }

    function refuses(bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(owner);
    }

    function word(uint256 deadline) internal view returns (Promise memory) {
        return Promise(log, 0, "leaf", deadline, user);
    }

    /// @dev Has the bond slashed for a promise that no batch kept.
    function breakPromise() internal {
        Promise memory p = word(vm.getBlockTimestamp() - 1);
        bond.slashMissed(p, sign(p));
    }

    // Constants and what is signed.

    function test_constants() public view {
        vm.assertEq(address(bond.ANCHOR_LOG()), address(logs));
        vm.assertEq(bond.UNBONDING_TIME(), 14 days);
        vm.assertEq(bond.ANSWER_TIME(), 3 days);
        vm.assertEq(bond.CHALLENGE_DEPOSIT(), 0.01 ether);
        vm.assertEq(bond.REWARD_PERCENT(), 10);
    }

    function testFuzz_promiseId(Promise memory p, uint64 chain) public {
        vm.assume(chain != 0);
        vm.chainId(chain);
        vm.assertEq(bond.promiseId(p), digestOf(p, chain, address(bond)));
    }

    function testFuzz_promiseId_bindsEveryField(Promise memory p, uint256 field, uint160 flip)
        public
        view
    {
        vm.assume(flip != 0);
        bytes32 id = bond.promiseId(p);
        field %= 5;
        if (field == 0) p.log ^= bytes32(uint256(flip) << 96);
        if (field == 1) p.index ^= flip;
        if (field == 2) p.leaf ^= bytes32(uint256(flip));
        if (field == 3) p.deadline ^= uint256(flip) << 96;
        if (field == 4) p.beneficiary = address(uint160(p.beneficiary) ^ flip);
        vm.assertTrue(bond.promiseId(p) != id);
    }

    // Funding.

    function test_fund() public {
        vm.expectEmit(address(bond));
        emit IPromiseBond.Funded(log, 3 ether);
        fund(3 ether);
        fund(4 ether);
        vm.assertEq(bonded(log).amount, 7 ether);
        vm.assertEq(address(bond).balance, 7 ether);
    }

    function test_fund_revertsIfNotOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, outsider));
        vm.prank(outsider);
        bond.fund{value: 1 ether}(log);
    }

    /// @dev Nobody could take it out again.
    function test_fund_revertsIfLogIsNotOpen() public {
        refuses(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, owner));
        bond.fund{value: 1 ether}("never opened");
    }

    function test_fund_revertsIfNothing() public {
        refuses(abi.encodeWithSelector(IPromiseBond.BadValue.selector, 0));
        bond.fund(log);
    }

    function test_fund_revertsIfBroken() public {
        live();
        breakPromise();
        refuses(abi.encodeWithSelector(IPromiseBond.Broken.selector, log));
        bond.fund{value: 1 ether}(log);
    }

    function test_logsAreIndependent() public {
        vm.prank(outsider);
        bytes32 other = logs.open("main", outsider);
        vm.prank(outsider);
        bond.fund{value: 5 ether}(other);
        live();
        breakPromise();
        vm.assertTrue(bonded(log).broken);
        vm.assertFalse(bonded(other).broken);
        vm.assertEq(bonded(other).amount, 5 ether);
    }

    // Keys.

    function test_addKey() public {
        vm.expectEmit(address(bond));
        emit IPromiseBond.KeyAdded(log, key);
        vm.prank(owner);
        bond.addKey(log, key);
        vm.assertEq(bond.keys(log, key), type(uint256).max);
        vm.assertEq(bond.keys("another", key), 0);
    }

    function test_addKey_revertsIfNotOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, outsider));
        vm.prank(outsider);
        bond.addKey(log, key);
    }

    function test_addKey_revertsIfZero() public {
        refuses(abi.encodeWithSelector(IPromiseBond.BadKey.selector, address(0)));
        bond.addKey(log, address(0));
    }

    function test_addKey_revertsIfUsed() public {
        live();
        refuses(abi.encodeWithSelector(IPromiseBond.BadKey.selector, key));
        bond.addKey(log, key);
        vm.prank(owner);
        bond.revokeKey(log, key);
        skip(365 days);
        refuses(abi.encodeWithSelector(IPromiseBond.BadKey.selector, key));
        bond.addKey(log, key);
    }

    function test_revokeKey() public {
        live();
        vm.expectEmit(address(bond));
        emit IPromiseBond.KeyRevoked(log, key, START + 14 days);
        vm.prank(owner);
        bond.revokeKey(log, key);
        vm.assertEq(bond.keys(log, key), START + 14 days);
    }

    function test_revokeKey_revertsIfNotOwner() public {
        live();
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, outsider));
        vm.prank(outsider);
        bond.revokeKey(log, key);
    }

    /// @dev Neither gives an unknown key a life of 14 days, nor moves the end of a revoked one.
    function test_revokeKey_revertsIfNotActive() public {
        refuses(abi.encodeWithSelector(IPromiseBond.BadKey.selector, key));
        bond.revokeKey(log, key);
        live();
        vm.prank(owner);
        bond.revokeKey(log, key);
        skip(1 days);
        refuses(abi.encodeWithSelector(IPromiseBond.BadKey.selector, key));
        bond.revokeKey(log, key);
        vm.assertEq(bond.keys(log, key), START + 14 days);
    }

    function test_revokeKey_staysEnforceable() public {
        live();
        vm.prank(owner);
        bond.revokeKey(log, key);
        vm.warp(START + 14 days - 1);
        breakPromise();
        vm.assertTrue(bonded(log).broken);
    }

    function test_revokeKey_endsEnforcement() public {
        live();
        vm.prank(owner);
        bond.revokeKey(log, key);
        vm.warp(START + 14 days);
        Promise memory p = word(START);
        bytes memory s = sign(p);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.BadSignature.selector, key));
        bond.slashMissed(p, s);
    }

    // Leaving.

    function test_unbond_andWithdraw() public {
        live();
        vm.expectEmit(address(bond));
        emit IPromiseBond.Leaving(log, START + 14 days);
        unbond();
        vm.assertEq(bonded(log).leavesAt, START + 14 days);
        skip(14 days);
        vm.expectEmit(address(bond));
        emit IPromiseBond.Withdrawn(log, user, 100 ether);
        vm.prank(owner);
        bond.withdraw(log, user);
        vm.assertEq(user.balance, 100 ether);
        vm.assertEq(address(bond).balance, 0);
        Bonded memory b = bonded(log);
        vm.assertEq(b.amount, 0);
        vm.assertEq(b.leavesAt, 0);
    }

    function test_unbond_revertsIfNotOwner() public {
        live();
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, outsider));
        vm.prank(outsider);
        bond.unbond(log);
    }

    /// @dev Else the delay could pass before there is a bond.
    function test_unbond_revertsIfNoBond() public {
        refuses(abi.encodeWithSelector(IPromiseBond.NoBond.selector, log));
        bond.unbond(log);
    }

    function test_unbond_revertsIfLeaving() public {
        live();
        unbond();
        skip(1 days);
        refuses(abi.encodeWithSelector(IPromiseBond.AlreadyLeaving.selector, START + 14 days));
        bond.unbond(log);
    }

    /// @dev What is added while leaving leaves with the rest.
    function test_unbond_thenFund() public {
        live();
        unbond();
        fund(1 ether);
        vm.assertEq(bonded(log).leavesAt, START + 14 days);
        skip(14 days);
        vm.prank(owner);
        bond.withdraw(log, user);
        vm.assertEq(user.balance, 101 ether);
    }

    function test_withdraw_thenBondAgain() public {
        live();
        unbond();
        skip(14 days);
        vm.prank(owner);
        bond.withdraw(log, owner);
        fund(2 ether);
        vm.assertEq(bonded(log).leavesAt, 0);
        refuses(abi.encodeWithSelector(IPromiseBond.NotLeaving.selector, log));
        bond.withdraw(log, owner);
        breakPromise();
        vm.assertTrue(bonded(log).broken);
    }

    function test_withdraw_revertsIfNotOwner() public {
        live();
        unbond();
        skip(14 days);
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.NotOwner.selector, outsider));
        vm.prank(outsider);
        bond.withdraw(log, outsider);
    }

    function test_withdraw_revertsIfNotLeaving() public {
        live();
        refuses(abi.encodeWithSelector(IPromiseBond.NotLeaving.selector, log));
        bond.withdraw(log, owner);
    }

    function test_withdraw_revertsIfEarly() public {
        live();
        unbond();
        vm.warp(START + 14 days - 1);
        refuses(abi.encodeWithSelector(IPromiseBond.TooEarly.selector, START + 14 days));
        bond.withdraw(log, owner);
    }

    function test_withdraw_revertsIfChallenged() public {
        live();
        unbond();
        vm.warp(START + 14 days - 1);
        Promise memory p = word(START);
        bytes memory s = sign(p);
        vm.prank(outsider);
        bond.challenge{value: 0.01 ether}(p, s);
        skip(1);
        refuses(abi.encodeWithSelector(IPromiseBond.OpenChallenges.selector, 1));
        bond.withdraw(log, owner);
    }

    function test_withdraw_revertsIfBroken() public {
        live();
        unbond();
        breakPromise();
        skip(14 days);
        refuses(abi.encodeWithSelector(IPromiseBond.NoBond.selector, log));
        bond.withdraw(log, owner);
        vm.assertTrue(bonded(log).broken);
    }

    function test_withdraw_revertsIfRefused() public {
        live();
        unbond();
        skip(14 days);
        address payee = address(new Payee());
        refuses(abi.encodeWithSelector(IPromiseBond.PaymentFailed.selector, payee));
        bond.withdraw(log, payee);
        vm.assertEq(bonded(log).amount, 100 ether);
    }

    /// @dev An owner that calls back while it is paid gets its bond once.
    function test_withdraw_paysOnce() public {
        Payee payee = new Payee();
        vm.prank(address(payee));
        bytes32 mine = logs.open("mine", address(0));
        payee.act{value: 5 ether}(address(bond), abi.encodeCall(bond.fund, (mine)));
        payee.act(address(bond), abi.encodeCall(bond.unbond, (mine)));
        fund(50 ether);
        skip(14 days);
        bytes memory withdraw = abi.encodeCall(bond.withdraw, (mine, address(payee)));
        payee.arm(address(bond), withdraw);
        payee.act(address(bond), withdraw);
        vm.assertFalse(payee.succeeded());
        vm.assertEq(address(payee).balance, 5 ether);
        vm.assertEq(address(bond).balance, 50 ether);
    }

    // Credits.

    function test_collect() public {
        live();
        breakPromise();
        vm.assertEq(bond.credits(user), 10 ether);
        vm.expectEmit(address(bond));
        emit IPromiseBond.Collected(user, outsider, 10 ether);
        uint256 before = outsider.balance;
        vm.prank(user);
        bond.collect(outsider);
        vm.assertEq(outsider.balance - before, 10 ether);
        vm.assertEq(bond.credits(user), 0);
    }

    function test_collect_paysNobodyElse() public {
        live();
        breakPromise();
        uint256 before = outsider.balance;
        vm.prank(outsider);
        bond.collect(outsider);
        vm.assertEq(outsider.balance, before);
        vm.assertEq(bond.credits(user), 10 ether);
    }

    function test_collect_revertsIfRefused() public {
        live();
        breakPromise();
        address payee = address(new Payee());
        vm.expectRevert(abi.encodeWithSelector(IPromiseBond.PaymentFailed.selector, payee));
        vm.prank(user);
        bond.collect(payee);
        vm.assertEq(bond.credits(user), 10 ether);
    }

    /// @dev A beneficiary that takes no ether delays nobody but itself; one that calls back is paid
    /// once.
    function test_collect_paysOnce() public {
        live();
        Payee payee = new Payee();
        Promise memory p = word(START - 1);
        p.beneficiary = address(payee);
        bond.slashMissed(p, sign(p));
        vm.assertEq(bond.credits(address(payee)), 10 ether);
        bytes memory collect = abi.encodeCall(bond.collect, (address(payee)));
        payee.arm(address(bond), collect);
        payee.act(address(bond), collect);
        vm.assertTrue(payee.succeeded());
        vm.assertEq(address(payee).balance, 10 ether);
        vm.assertEq(address(bond).balance, 90 ether);
    }

    function test_etherIsNotTakenWithoutPurpose() public {
        vm.prank(outsider);
        (bool ok,) = address(bond).call{value: 1}("");
        vm.assertFalse(ok);
    }
}
