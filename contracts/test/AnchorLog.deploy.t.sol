// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorLog} from "../src/AnchorLog.sol";
import {Test} from "./lib/Test.sol";

/// @notice The address commits to the code: docs/contracts.md, Deployment.
contract AnchorLogDeployTest is Test {
    /// @dev The deterministic deployment proxy: takes a salt and an initcode, returns 20 bytes.
    address internal constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes internal constant FACTORY_CODE =
        hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";
    bytes32 internal constant SALT = bytes32(0);
    /// @dev Changes with every byte of the code; docs/contracts.md names it too.
    address internal constant ADDRESS = 0xd58311ce4Bdc1FA03d1816705cB0D5964C7FB6A7;

    function setUp() public {
        vm.etch(FACTORY, FACTORY_CODE);
    }

    function addressOf(bytes memory initcode) internal pure returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", FACTORY, SALT, keccak256(initcode)));
        return address(uint160(uint256(hash)));
    }

    function test_address() public {
        bytes memory initcode = type(AnchorLog).creationCode;
        (bool ok, bytes memory out) = FACTORY.call(abi.encodePacked(SALT, initcode));
        vm.assertTrue(ok);
        vm.assertEq(out, abi.encodePacked(addressOf(initcode)));
        vm.assertEq(addressOf(initcode), ADDRESS);
        vm.assertEq(ADDRESS.code, type(AnchorLog).runtimeCode);

        vm.prank(FACTORY);
        bytes32 log = AnchorLog(ADDRESS).open("salt", FACTORY);
        vm.assertEq(AnchorLog(ADDRESS).ownerOf(log), FACTORY);
    }

    function test_address_isTakenOnce() public {
        bytes memory call = abi.encodePacked(SALT, type(AnchorLog).creationCode);
        (bool ok,) = FACTORY.call(call);
        vm.assertTrue(ok);
        (ok,) = FACTORY.call(call);
        vm.assertFalse(ok);
    }

    function testFuzz_address_changesWithTheCode(uint256 i, uint8 flip) public pure {
        vm.assume(flip != 0);
        bytes memory initcode = type(AnchorLog).creationCode;
        i %= initcode.length;
        initcode[i] ^= bytes1(flip);
        vm.assertTrue(addressOf(initcode) != ADDRESS);
    }

    /// @dev Nobody can change the code: no way to another contract, and none to destroy it.
    function test_code_neverCallsOrDestroys() public pure {
        bytes memory code = type(AnchorLog).runtimeCode;
        for (uint256 i; i < code.length; ++i) {
            uint8 op = uint8(code[i]);
            if (op >= 0x60 && op <= 0x7f) {
                i += op - 0x5f;
                continue;
            }
            bool calls = op >= 0xf0 && op <= 0xf2 || op == 0xf4 || op == 0xf5 || op == 0xfa;
            vm.assertFalse(calls || op == 0xff);
        }
    }
}
