// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Promise} from "./interfaces/IPromiseBond.sol";

/// @title Promises
/// @notice What is signed when a promise is given, and by whom it was.
library Promises {
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant PROMISE_TYPEHASH = keccak256(
        "Promise(bytes32 log,uint256 index,bytes32 leaf,uint256 deadline,address beneficiary)"
    );
    /// @dev Half the order of secp256k1: of s and its negation exactly one is a signature here.
    uint256 private constant MAX_S =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The promise's EIP-712 digest, with the calling contract as the verifying one.
    /// @dev The chain id is read each time: after a split of the chain each side has its own digest.
    function digest(Promise calldata p) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("Hansard"), keccak256("1"), block.chainid, address(this)
            )
        );
        bytes32 word = keccak256(abi.encode(PROMISE_TYPEHASH, p));
        return keccak256(abi.encodePacked(hex"1901", domain, word));
    }

    /// @notice Who signed `hash`; zero unless the signature is 65 bytes r, s, v with a low s.
    /// @dev ecrecover itself takes no v but 27 and 28, and answers with zero for any other.
    function recover(bytes32 hash, bytes calldata signature) internal pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > MAX_S) return address(0);
        return ecrecover(hash, uint8(signature[64]), bytes32(signature[:32]), s);
    }
}
