// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PromiseBond} from "../src/PromiseBond.sol";
import {Test} from "./lib/Test.sol";

/// @notice The address commits to the code and to the AnchorLog: docs/contracts.md, Deployment.
contract PromiseBondDeployTest is Test {
    /// @dev The deterministic deployment proxy: takes a salt and an initcode, returns 20 bytes.
    address internal constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes internal constant FACTORY_CODE =
        hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";
    bytes32 internal constant SALT = bytes32(0);
    /// @dev Where AnchorLog.deploy.t.sol pins it.
    address internal constant ANCHOR_LOG = 0xd58311ce4Bdc1FA03d1816705cB0D5964C7FB6A7;
    /// @dev Changes with every byte of the code; docs/contracts.md names it too.
    address internal constant ADDRESS = 0xA093c9E324e0651D0e21f373146f1BbBd3c07963;

    function initcode(address anchorLog) internal pure returns (bytes memory) {
        return abi.encodePacked(type(PromiseBond).creationCode, abi.encode(anchorLog));
    }

    function addressOf(bytes memory code) internal pure returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", FACTORY, SALT, keccak256(code)));
        return address(uint160(uint256(hash)));
    }

    function test_address() public {
        vm.etch(FACTORY, FACTORY_CODE);
        (bool ok, bytes memory out) = FACTORY.call(abi.encodePacked(SALT, initcode(ANCHOR_LOG)));
        vm.assertTrue(ok);
        vm.assertEq(out, abi.encodePacked(addressOf(initcode(ANCHOR_LOG))));
        vm.assertEq(addressOf(initcode(ANCHOR_LOG)), ADDRESS);
        vm.assertEq(address(PromiseBond(ADDRESS).ANCHOR_LOG()), ANCHOR_LOG);
    }

    function testFuzz_address_changesWithTheAnchorLog(address other) public pure {
        vm.assume(other != ANCHOR_LOG);
        vm.assertTrue(addressOf(initcode(other)) != ADDRESS);
    }

    /// @dev Nobody can change the code. It calls payees and AnchorLog, creates nothing, delegates to
    /// nothing, and cannot be destroyed.
    function test_code_neverDelegatesCreatesOrDestroys() public pure {
        bytes memory code = type(PromiseBond).creationCode;
        uint256 calls;
        for (uint256 i; i < code.length; ++i) {
            uint8 op = uint8(code[i]);
            if (op >= 0x60 && op <= 0x7f) {
                i += op - 0x5f;
                continue;
            }
            bool foreign = op == 0xf0 || op == 0xf2 || op == 0xf4 || op == 0xf5;
            vm.assertFalse(foreign || op == 0xff);
            if (op == 0xf1) ++calls;
        }
        vm.assertEq(calls, 1);
    }
}
