// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPromiseBond, Promise} from "../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./lib/Bonds.sol";

/// @notice The promises that Go and JavaScript check too: testdata/vectors/promises.json.
contract PromiseBondVectorsTest is Bonds {
    struct PromiseChain {
        uint256 chainId;
        bytes32 log;
        address promiseBond;
    }

    struct PromiseCase {
        address beneficiary;
        PromiseChain chain;
        uint256 deadline;
        bytes32 digest;
        uint256 index;
        bytes32 leaf;
        bytes signature;
        address signer;
    }

    string internal constant CASE =
        "PromiseCase(address beneficiary,PromiseChain chain,uint256 deadline,bytes32 digest,uint256 index,bytes32 leaf,bytes signature,address signer)PromiseChain(uint256 chainId,bytes32 log,address promiseBond)";

    function cases(string memory key) internal view returns (PromiseCase[] memory) {
        string memory json = vm.readFile("testdata/vectors/promises.json");
        return abi.decode(vm.parseJsonTypeArray(json, key, CASE), (PromiseCase[]));
    }

    /// @dev A bond at the address and on the chain of `c`, with its log bonded and its signer a key.
    function bondOf(PromiseCase memory c) internal returns (IPromiseBond target) {
        vm.chainId(c.chain.chainId);
        vm.etch(c.chain.promiseBond, address(bond).code);
        target = IPromiseBond(c.chain.promiseBond);
        bytes memory call = abi.encodeCall(logs.ownerOf, (c.chain.log));
        vm.mockCall(address(logs), call, abi.encode(address(this)));
        if (target.keys(c.chain.log, c.signer) == 0) {
            target.fund{value: 1}(c.chain.log);
            target.addKey(c.chain.log, c.signer);
        }
        vm.warp(c.deadline + 1);
        vm.assertEq(target.promiseId(promiseOf(c)), c.digest);
    }

    function promiseOf(PromiseCase memory c) internal pure returns (Promise memory) {
        return Promise(c.chain.log, c.index, c.leaf, c.deadline, c.beneficiary);
    }

    function test_promises() public {
        PromiseCase[] memory list = cases(".cases");
        vm.assertGt(list.length, 4);
        for (uint256 i; i < list.length; ++i) {
            bondOf(list[i]).challenge{value: 0.01 ether}(promiseOf(list[i]), list[i].signature);
        }
    }

    function test_badPromises() public {
        PromiseCase[] memory list = cases(".bad");
        vm.assertGt(list.length, 10);
        for (uint256 i; i < list.length; ++i) {
            IPromiseBond target = bondOf(list[i]);
            bytes memory call =
                abi.encodeCall(target.challenge, (promiseOf(list[i]), list[i].signature));
            (bool ok, bytes memory reason) = address(target).call{value: 0.01 ether}(call);
            vm.assertFalse(ok);
            vm.assertEq(reason.length, 36);
            // forge-lint: disable-next-line(unsafe-typecast)
            vm.assertTrue(bytes4(reason) == IPromiseBond.BadSignature.selector);
        }
    }
}
