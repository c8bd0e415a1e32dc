// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice An account of code. Takes no ether until armed; then calls `target` once before it does.
contract Payee {
    address internal target;
    bytes internal call;
    bool internal called;
    bool public succeeded;

    function arm(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function act(address to, bytes calldata data) external payable {
        (bool ok, bytes memory out) = to.call{value: msg.value}(data);
        require(ok, string(out));
    }

    receive() external payable {
        require(target != address(0), "not armed");
        if (called) return;
        called = true;
        (succeeded,) = target.call(call);
    }
}
