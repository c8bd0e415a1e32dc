// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {Test} from "./lib/Test.sol";

/// @notice Gas as a transaction pays it: under `isolate` forge runs every call as a transaction of its
/// own, so that intrinsic gas, calldata and cold storage are in the figures.
contract AnchorLogGasTest is Test {
    uint256 internal constant LIMIT = 42_000;
    uint256 internal constant BATCHES = 128;
    bytes32 internal constant SALT = "main";

    AnchorLog internal logs = new AnchorLog();
    bytes32 internal log;
    mapping(bytes32 slot => bool) internal used;

    function setUp() public {
        vm.warp(1_700_000_000);
        log = logs.open(SALT, address(this));
    }

    /// @dev Roots and digests without zero bytes to speak of; 1,000 to 101,000 entries.
    function anchor(uint256 number) internal returns (uint256 gas) {
        bytes32 root = keccak256(abi.encode("root", number));
        bytes32 cid = keccak256(abi.encode("cid", number));
        logs.anchor(log, number, root, 1000 + uint256(cid) % 100_000, cid);
        gas = vm.lastCallGas().gasTotalUsed;
        skip(12);
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_anchor_gasIsAtMost42000() public {
        uint256 first = anchor(0);
        (uint256 sum, uint256 least, uint256 most) = (0, type(uint256).max, 0);
        for (uint256 i = 1; i <= BATCHES; ++i) {
            uint256 gas = anchor(i);
            sum += gas;
            if (gas < least) least = gas;
            if (gas > most) most = gas;
        }
        vm.assertGt(least, 21_000 + 4 * 164); // Intrinsic gas and calldata are in.
        vm.assertLe(sum / BATCHES, LIMIT);
        vm.snapshotValue("AnchorLog", "anchor: first batch", first);
        vm.snapshotValue("AnchorLog", "anchor: least of the next 128", least);
        vm.snapshotValue("AnchorLog", "anchor: mean of the next 128", sum / BATCHES);
        vm.snapshotValue("AnchorLog", "anchor: most of the next 128", most);
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gasOfTheRest() public {
        AnchorLog fresh = new AnchorLog();
        fresh.open(SALT, address(this));
        vm.snapshotGasLastCall("AnchorLog", "open");
        fresh.setSubmitter(keccak256(abi.encode(address(this), SALT)), address(1));
        vm.snapshotGasLastCall("AnchorLog", "setSubmitter");
        logs.anchor(log, 0, "root", 1 << 20, "cid");
        Batch memory batch = Batch(0, "root", 0, 1 << 20, vm.getBlockTimestamp(), "cid");
        logs.includes(log, 0, "leaf", batch, new bytes32[](0), new bytes32[](20));
        vm.snapshotGasLastCall("AnchorLog", "includes: one of 2^20 entries, the call alone");
    }

    /// @dev Anchoring `number` may create a slot only where the count reaches a power of two.
    function test_anchor_createsSlotsOnlyWhenTheRangeGrows() public {
        for (uint256 number; number < 300; ++number) {
            vm.record();
            anchor(number);
            (, bytes32[] memory writes) = vm.accesses(address(logs));
            vm.assertEq(writes.length, 2);
            uint256 count = number + 1;
            uint256 height;
            while ((count >> height) & 1 == 0) ++height;
            bytes32 peaks = keccak256(abi.encode(log, uint256(2)));
            vm.assertEq(writes[0], keccak256(abi.encode(log, uint256(0))));
            vm.assertEq(writes[1], keccak256(abi.encode(height, peaks)));
            // Every other slot was non-zero before: the range had this height already.
            vm.assertTrue(used[writes[1]] == (count & (count - 1) != 0));
            used[writes[1]] = true;
        }
    }
}
