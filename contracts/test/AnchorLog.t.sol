// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchorLog} from "../src/interfaces/IAnchorLog.sol";
import {Logs} from "./lib/Logs.sol";

/// @notice Who may do what, in which order, and what it writes.
contract AnchorLogTest is Logs {
    bytes32 internal constant SALT = "main";

    address internal owner = makeAddr("owner");
    address internal submitter = makeAddr("submitter");
    address internal outsider = makeAddr("outsider");
    bytes32 internal log;

    function setUp() public {
        vm.warp(1_700_000_000);
        vm.prank(owner);
        log = logs.open(SALT, submitter);
    }

    function assertHead(address who, uint256 count, uint256 entries) internal view {
        (address s, uint32 b, uint64 m) = logs.heads(log);
        vm.assertEq(s, who);
        vm.assertEq(b, count);
        vm.assertEq(m, entries);
    }

    function test_open() public view {
        vm.assertEq(log, keccak256(abi.encode(owner, SALT)));
        vm.assertEq(logs.ownerOf(log), owner);
        assertHead(submitter, 0, 0);
    }

    function testFuzz_open(address who, bytes32 salt, address s) public {
        vm.assume(who != address(0));
        bytes32 id = keccak256(abi.encode(who, salt));
        vm.assume(id != log);
        vm.expectEmit(address(logs));
        emit IAnchorLog.Opened(id, who, salt, s);
        vm.prank(who);
        vm.assertEq(logs.open(salt, s), id);
        vm.assertEq(logs.ownerOf(id), who);
    }

    function test_open_revertsIfTaken() public {
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.Taken.selector, log));
        vm.prank(owner);
        logs.open(SALT, outsider);
        assertHead(submitter, 0, 0);
    }

    function test_open_isNotTakenByAnother() public {
        vm.prank(outsider);
        bytes32 other = logs.open(SALT, outsider);
        vm.assertTrue(other != log);
        vm.assertEq(logs.ownerOf(other), outsider);
        assertHead(submitter, 0, 0);
    }

    function test_setSubmitter() public {
        append(log, submitter, 3);
        vm.expectEmit(address(logs));
        emit IAnchorLog.SubmitterSet(log, outsider);
        vm.prank(owner);
        logs.setSubmitter(log, outsider);
        assertHead(outsider, 1, 3);

        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotSubmitter.selector, submitter));
        vm.prank(submitter);
        logs.anchor(log, 1, "root", 1, "cid");
        append(log, outsider, 1);
        assertHead(outsider, 2, 4);
    }

    function test_setSubmitter_toZeroStopsTheLog() public {
        vm.prank(owner);
        logs.setSubmitter(log, address(0));
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotSubmitter.selector, submitter));
        vm.prank(submitter);
        logs.anchor(log, 0, "root", 1, "cid");
    }

    function testFuzz_setSubmitter_revertsIfNotOwner(address who, bytes32 id) public {
        vm.assume(who != owner && who != address(0));
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotOwner.selector, who));
        vm.prank(who);
        logs.setSubmitter(log, who);
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotOwner.selector, who));
        vm.prank(who);
        logs.setSubmitter(id, who);
    }

    function testFuzz_anchor(bytes32 root, uint32 size, bytes32 cid) public {
        vm.assume(size > 0);
        append(log, submitter, 5);
        vm.expectEmit(address(logs));
        emit IAnchorLog.Anchored(log, 1, root, 5, size, cid);
        vm.prank(submitter);
        logs.anchor(log, 1, root, size, cid);
        assertHead(submitter, 2, 5 + uint256(size));
    }

    function testFuzz_anchor_revertsIfNotSubmitter(address who) public {
        vm.assume(who != submitter);
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotSubmitter.selector, who));
        vm.prank(who);
        logs.anchor(log, 0, "root", 1, "cid");
    }

    function test_anchor_revertsIfOwner() public {
        testFuzz_anchor_revertsIfNotSubmitter(owner);
    }

    function testFuzz_anchor_revertsIfNeverOpened(bytes32 id, address who) public {
        vm.assume(id != log && who != address(0));
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.NotSubmitter.selector, who));
        vm.prank(who);
        logs.anchor(id, 0, "root", 1, "cid");
    }

    function testFuzz_anchor_revertsIfOutOfOrder(uint256 number, uint8 count) public {
        count = uint8(bound(count, 0, 5));
        vm.assume(number != count);
        for (uint256 i; i < count; ++i) {
            append(log, submitter, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.OutOfOrder.selector, uint256(count)));
        vm.prank(submitter);
        logs.anchor(log, number, "root", 1, "cid");
    }

    function test_anchor_revertsIfRepeated() public {
        append(log, submitter, 1);
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.OutOfOrder.selector, 1));
        vm.prank(submitter);
        logs.anchor(log, 0, batches[log][0].root, 1, batches[log][0].cid);
    }

    function testFuzz_anchor_revertsIfBadSize(uint256 size) public {
        size = size == 0 ? 0 : bound(size, 1 << 32, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.BadSize.selector, size));
        vm.prank(submitter);
        logs.anchor(log, 0, "root", size, "cid");
    }

    function test_anchor_revertsIfBadSizeAtTheEdges() public {
        testFuzz_anchor_revertsIfBadSize(0);
        testFuzz_anchor_revertsIfBadSize(1 << 32);
        testFuzz_anchor_revertsIfBadSize(1 << 64);
        vm.prank(submitter);
        logs.anchor(log, 0, "root", type(uint32).max, "cid");
        assertHead(submitter, 1, type(uint32).max);
    }

    /// @dev The largest log there can be, reached by writing its head one batch before the end.
    function test_anchor_revertsIfFull() public {
        uint256 most = type(uint32).max;
        uint256 before = (most - 1) * most;
        bytes32 slot = keccak256(abi.encode(log, uint256(0)));
        uint256 head = before << 192 | (most - 1) << 160 | uint160(submitter);
        vm.store(address(logs), slot, bytes32(head));
        assertHead(submitter, most - 1, before);

        vm.prank(submitter);
        logs.anchor(log, most - 1, "root", most, "cid");
        assertHead(submitter, most, most * most);

        vm.expectRevert(abi.encodeWithSelector(IAnchorLog.Full.selector, log));
        vm.prank(submitter);
        logs.anchor(log, most, "root", 1, "cid");
    }

    function test_logsAreIndependent() public {
        vm.prank(owner);
        bytes32 other = logs.open("other", outsider);
        append(log, submitter, 3);
        append(other, outsider, 2);
        append(log, submitter, 4);
        assertHead(submitter, 2, 7);
        vm.assertTrue(contained(log, 0) && contained(log, 1) && contained(other, 0));
        vm.assertFalse(logs.contains(other, batches[log][0], new bytes32[](0)));
    }
}
