// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PromiseBond} from "../../src/PromiseBond.sol";
import {Batch} from "../../src/interfaces/IAnchorLog.sol";
import {IPromiseBond, Promise} from "../../src/interfaces/IPromiseBond.sol";
import {Logs} from "./Logs.sol";
import {Trees} from "./Trees.sol";

/// @notice Bonded logs of any leaves, with their whole history kept beside the contracts.
abstract contract Bonds is Logs {
    uint256 internal constant KEY = 0xC0FFEE;

    PromiseBond internal bond = new PromiseBond(logs);
    mapping(bytes32 log => bytes32[]) internal leaves;

    struct Bonded {
        uint256 amount;
        uint256 leavesAt;
        uint256 open;
        bool broken;
    }

    function bonded(bytes32 log) internal view returns (Bonded memory b) {
        (b.amount, b.leavesAt, b.open, b.broken) = bond.bonds(log);
    }

    /// @dev The digest, spelt out from docs/receipt-v1.md.
    function digestOf(Promise memory p, uint256 chainId, address contract_)
        internal
        pure
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Hansard"),
                keccak256("1"),
                chainId,
                contract_
            )
        );
        bytes32 word = keccak256(
            abi.encode(
                keccak256(
                    "Promise(bytes32 log,uint256 index,bytes32 leaf,uint256 deadline,address beneficiary)"
                ),
                p.log,
                p.index,
                p.leaf,
                p.deadline,
                p.beneficiary
            )
        );
        return keccak256(bytes.concat(hex"1901", domain, word));
    }

    function idOf(Promise memory p) internal view returns (bytes32) {
        return digestOf(p, block.chainid, address(bond));
    }

    function sign(uint256 key, Promise memory p) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, idOf(p));
        return abi.encodePacked(r, s, v);
    }

    function sign(Promise memory p) internal view returns (bytes memory) {
        return sign(KEY, p);
    }

    /// @dev Leaves that occur once.
    function fresh(uint256 size, bytes32 seed) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            list[i] = keccak256(abi.encode(seed, i));
        }
    }

    function anchor(bytes32 log, address submitter, bytes32[] memory list) internal {
        append(log, submitter, Trees.root(Trees.rows(list)), list.length);
        for (uint256 i; i < list.length; ++i) {
            leaves[log].push(list[i]);
        }
    }

    function batchOver(bytes32 log, uint256 index) internal view returns (Batch memory) {
        uint256 n;
        while (batches[log][n].first + batches[log][n].size <= index) ++n;
        return batches[log][n];
    }

    function pathOf(bytes32 log, uint256 number) internal view returns (bytes32[] memory) {
        return Trees.path(ranges[log], number);
    }

    function rowsOf(bytes32 log, Batch memory batch) internal view returns (bytes32[][] memory) {
        bytes32[] memory list = new bytes32[](batch.size);
        for (uint256 i; i < batch.size; ++i) {
            list[i] = leaves[log][batch.first + i];
        }
        return Trees.rows(list);
    }

    function proofAt(bytes32 log, uint256 index) internal view returns (bytes32[] memory) {
        Batch memory batch = batchOver(log, index);
        return Trees.proof(rowsOf(log, batch), index - batch.first);
    }

    // Shorthands that take the evidence from the history.

    function substitution(Promise memory p) internal {
        Batch memory b = batchOver(p.log, p.index);
        bytes32 other = leaves[p.log][p.index];
        bond.slashSubstitution(
            p, sign(p), other, b, pathOf(p.log, b.number), proofAt(p.log, p.index)
        );
    }

    function late(Promise memory p) internal {
        Batch memory b = batchOver(p.log, p.index);
        bond.slashLate(p, sign(p), b, pathOf(p.log, b.number));
    }

    function answer(Promise memory p) internal {
        Batch memory b = batchOver(p.log, p.index);
        bond.answer(p, b, pathOf(p.log, b.number), proofAt(p.log, p.index));
    }
}
