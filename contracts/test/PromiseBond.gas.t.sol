// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batch} from "../src/interfaces/IAnchorLog.sol";
import {Promise} from "../src/interfaces/IPromiseBond.sol";
import {Bonds} from "./lib/Bonds.sol";
import {Trees} from "./lib/Trees.sol";

/// @notice Gas of every action as a transaction pays it (`isolate`), for an entry of a batch of 2^20
/// under a range of 256 batches: 20 siblings and a path of 8.
contract PromiseBondGasTest is Bonds {
    uint256 internal constant DEADLINE = 1_700_086_400;
    uint256 internal constant INDEX = 0xb5a39;

    address internal user = address(uint160(uint256(keccak256("user"))));
    address internal challenger = address(uint160(uint256(keccak256("challenger"))));
    bytes32 internal log;
    bytes32 internal leaf = keccak256("leaf");
    bytes32[] internal proof;

    /// @dev The siblings are any hashes: the root is what makes them a proof.
    function setUp() public {
        vm.warp(DEADLINE - 1 days);
        log = logs.open("main", address(this));
        bytes32 root = leaf;
        for (uint256 k; k < 20; ++k) {
            bytes32 sibling = keccak256(abi.encode("sibling", k));
            proof.push(sibling);
            root = (INDEX >> k) & 1 == 0 ? Trees.node(root, sibling) : Trees.node(sibling, root);
        }
        append(log, address(this), root, 1 << 20);
        for (uint256 i = 1; i < 256; ++i) {
            append(log, address(this), keccak256(abi.encode(i)), 1000);
        }
        vm.deal(challenger, 1 ether);
        bond.fund{value: 100 ether}(log);
        bond.addKey(log, vm.addr(KEY));
        vm.warp(DEADLINE + 1);
    }

    receive() external payable {}

    function word(uint256 index, bytes32 promised) internal view returns (Promise memory) {
        return Promise(log, index, promised, DEADLINE, user);
    }

    function snapshot(string memory name) internal {
        vm.snapshotGasLastCall("PromiseBond", name);
    }

    function challenge(Promise memory p) internal {
        bytes memory s = sign(p);
        vm.prank(challenger);
        bond.challenge{value: 0.01 ether}(p, s);
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_owner() public {
        bytes32 other = logs.open("other", address(this));
        bond.fund{value: 100 ether}(other);
        snapshot("fund: first");
        bond.addKey(other, user);
        snapshot("addKey");
        bond.revokeKey(other, user);
        snapshot("revokeKey");
        bond.unbond(other);
        snapshot("unbond");
        skip(14 days);
        bond.withdraw(other, address(this));
        snapshot("withdraw");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_conflict() public {
        (Promise memory a, Promise memory b) = (word(INDEX, leaf), word(INDEX, keccak256("b")));
        b.beneficiary = challenger;
        (bytes memory sa, bytes memory sb) = (sign(a), sign(b));
        bond.slashConflict(a, sa, b, sb);
        snapshot("slashConflict: two beneficiaries");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_substitution() public {
        Promise memory p = word(INDEX, keccak256("mine"));
        bytes memory s = sign(p);
        bytes32[] memory path = pathOf(log, 0);
        vm.assertEq(path.length, 8);
        bond.slashSubstitution(p, s, leaf, batches[log][0], path, proof);
        snapshot("slashSubstitution");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_missed() public {
        Promise memory p = word(1 << 40, leaf);
        bytes memory s = sign(p);
        bond.slashMissed(p, s);
        snapshot("slashMissed");
        vm.prank(user);
        bond.collect(user);
        snapshot("collect");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_late() public {
        Promise memory p = word(INDEX, leaf);
        p.deadline -= 2 days;
        bytes memory s = sign(p);
        bond.slashLate(p, s, batches[log][0], pathOf(log, 0));
        snapshot("slashLate");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_answered() public {
        Promise memory p = word(INDEX, leaf);
        challenge(p);
        snapshot("challenge");
        Batch memory batch = batches[log][0];
        bytes32[] memory path = pathOf(log, 0);
        bond.answer(p, batch, path, proof);
        snapshot("answer: the answerer's first");
    }

    /// @dev Every answer but an account's first finds its credit slot in use.
    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_answeredAgain() public {
        Promise memory p = word(INDEX, leaf);
        Promise memory q = word(INDEX, leaf);
        q.beneficiary = challenger;
        challenge(p);
        challenge(q);
        Batch memory batch = batches[log][0];
        bytes32[] memory path = pathOf(log, 0);
        bond.answer(p, batch, path, proof);
        bond.answer(q, batch, path, proof);
        snapshot("answer");
        // Whoever is overtaken pays for a call that ends early.
        (bool ok,) = address(bond).call(abi.encodeCall(bond.answer, (q, batch, path, proof)));
        vm.assertFalse(ok);
        snapshot("answer: overtaken");
    }

    /// forge-config: default.isolate = true
    /// forge-config: ci.isolate = true
    function test_gas_concluded() public {
        Promise memory p = word(INDEX, keccak256("withheld"));
        challenge(p);
        skip(3 days + 1);
        bond.conclude(p);
        snapshot("conclude");
    }
}
