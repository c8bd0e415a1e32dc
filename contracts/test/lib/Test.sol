// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice Base of every test. Forge's assertions are cheatcodes and forge finds tests by their names,
/// so this and Vm.sol stand in for forge-std, which is not published to npm.
abstract contract Test {
    /// @dev Keeps forge from counting the contract in size and gas reports.
    bool public constant IS_TEST = true;

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function makeAddr(string memory name) internal returns (address account) {
        account = address(uint160(uint256(keccak256(bytes(name)))));
        vm.label(account, name);
    }

    /// @dev Folds `x` into [min, max]; values within stay as they are.
    function bound(uint256 x, uint256 min, uint256 max) internal pure returns (uint256) {
        if (x >= min && x <= max) return x;
        return min + x % (max - min + 1);
    }

    /// @dev Reads the time from forge: the compiler may take block.timestamp for a constant.
    function skip(uint256 secs) internal {
        vm.warp(vm.getBlockTimestamp() + secs);
    }
}
