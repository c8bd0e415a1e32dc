// Code generated via abigen V2 - DO NOT EDIT.
// This file is a generated binding and any manual changes will be lost.

package bindings

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Reference imports to suppress errors if they are not otherwise used.
var (
	_ = bytes.Equal
	_ = errors.New
	_ = big.NewInt
	_ = common.Big1
	_ = types.BloomLookup
	_ = abi.ConvertType
)

// Promise is an auto generated low-level Go binding around an user-defined struct.
type Promise struct {
	Log         [32]byte
	Index       *big.Int
	Leaf        [32]byte
	Deadline    *big.Int
	Beneficiary common.Address
}

// PromiseBondMetaData contains all meta data concerning the PromiseBond contract.
var PromiseBondMetaData = bind.MetaData{
	ABI: "[{\"type\":\"constructor\",\"inputs\":[{\"name\":\"anchorLog\",\"type\":\"address\",\"internalType\":\"contractIAnchorLog\"}],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"ANCHOR_LOG\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"address\",\"internalType\":\"contractIAnchorLog\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"ANSWER_TIME\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"CHALLENGE_DEPOSIT\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"REWARD_PERCENT\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"UNBONDING_TIME\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"addKey\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"key\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"answer\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"name\":\"path\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"},{\"name\":\"proof\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"bonds\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[{\"name\":\"amount\",\"type\":\"uint128\",\"internalType\":\"uint128\"},{\"name\":\"leavesAt\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"open\",\"type\":\"uint32\",\"internalType\":\"uint32\"},{\"name\":\"broken\",\"type\":\"bool\",\"internalType\":\"bool\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"challenge\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signature\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[],\"stateMutability\":\"payable\"},{\"type\":\"function\",\"name\":\"challenges\",\"inputs\":[{\"name\":\"id\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[{\"name\":\"challenger\",\"type\":\"address\",\"internalType\":\"address\"},{\"name\":\"answerBy\",\"type\":\"uint64\",\"internalType\":\"uint64\"},{\"name\":\"closed\",\"type\":\"bool\",\"internalType\":\"bool\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"collect\",\"inputs\":[{\"name\":\"to\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"conclude\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"credits\",\"inputs\":[{\"name\":\"account\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[{\"name\":\"amount\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"fund\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[],\"stateMutability\":\"payable\"},{\"type\":\"function\",\"name\":\"keys\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"key\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[{\"name\":\"until\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"promiseId\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]}],\"outputs\":[{\"name\":\"id\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"revokeKey\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"key\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"slashConflict\",\"inputs\":[{\"name\":\"a\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signatureA\",\"type\":\"bytes\",\"internalType\":\"bytes\"},{\"name\":\"b\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signatureB\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"slashLate\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signature\",\"type\":\"bytes\",\"internalType\":\"bytes\"},{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"name\":\"path\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"slashMissed\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signature\",\"type\":\"bytes\",\"internalType\":\"bytes\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"slashSubstitution\",\"inputs\":[{\"name\":\"p\",\"type\":\"tuple\",\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"signature\",\"type\":\"bytes\",\"internalType\":\"bytes\"},{\"name\":\"other\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"name\":\"path\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"},{\"name\":\"proof\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"unbond\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"withdraw\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"to\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"event\",\"name\":\"Answered\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"id\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"answerer\",\"type\":\"address\",\"indexed\":false,\"internalType\":\"address\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Challenged\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"id\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"p\",\"type\":\"tuple\",\"indexed\":false,\"internalType\":\"structPromise\",\"components\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"deadline\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"beneficiary\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"name\":\"challenger\",\"type\":\"address\",\"indexed\":false,\"internalType\":\"address\"},{\"name\":\"answerBy\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Collected\",\"inputs\":[{\"name\":\"account\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"to\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"amount\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Concluded\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"id\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Funded\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"amount\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"KeyAdded\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"key\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"KeyRevoked\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"key\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"until\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Leaving\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"leavesAt\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Slashed\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"id\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"breach\",\"type\":\"uint8\",\"indexed\":false,\"internalType\":\"enumIPromiseBond.Breach\"},{\"name\":\"burnt\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"},{\"name\":\"paid\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Withdrawn\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"to\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"amount\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"}],\"anonymous\":false},{\"type\":\"error\",\"name\":\"AlreadyChallenged\",\"inputs\":[{\"name\":\"id\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"AlreadyLeaving\",\"inputs\":[{\"name\":\"leavesAt\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"BadKey\",\"inputs\":[{\"name\":\"key\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"BadProof\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"BadSignature\",\"inputs\":[{\"name\":\"signer\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"BadValue\",\"inputs\":[{\"name\":\"value\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"Broken\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"NoBond\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"NoBreach\",\"inputs\":[]},{\"type\":\"error\",\"name\":\"NotChallenged\",\"inputs\":[{\"name\":\"id\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"NotLeaving\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"NotOwner\",\"inputs\":[{\"name\":\"caller\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"OpenChallenges\",\"inputs\":[{\"name\":\"count\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"PaymentFailed\",\"inputs\":[{\"name\":\"to\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"TooEarly\",\"inputs\":[{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"TooLate\",\"inputs\":[{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]}]",
	ID:  "PromiseBond",
	Bin: "0x60a060405234801561000f575f5ffd5b5060405161244638038061244683398101604081905261002e9161003f565b6001600160a01b031660805261006c565b5f6020828403121561004f575f5ffd5b81516001600160a01b0381168114610065575f5ffd5b9392505050565b6080516123836100c35f395f81816102f701528181610592015281816108690152818161092f01528181610b2a01528181610bf801528181610d98015281816111ea01528181611389015261156d01526123835ff3fe60806040526004361061013c575f3560e01c80636063822f116100b3578063bf14c1191161006d578063bf14c11914610401578063c1e69b6614610414578063d33438ba14610494578063d697ae7d146104b3578063e3fa4a59146104c9578063fe5ff468146104e8575f5ffd5b80636063822f146102a8578063784f76e9146102c75780637e905534146102e6578063a67af6dd14610331578063ac0a1bce14610344578063b9ad7ea914610363575f5ffd5b80632903b8ee116101045780632903b8ee146101e05780632fd1c2cd146102165780634a98c07a146102355780634c7dc0ba1461025457806352c69b121461026a5780635b8a813f14610289575f5ffd5b806306ec16f81461014057806306fbedbe14610161578063089a2f30146101885780631b258d50146101a25780631e159a94146101c1575b5f5ffd5b34801561014b575f5ffd5b5061015f61015a366004611c19565b610513565b005b34801561016c575f5ffd5b50610175600a81565b6040519081526020015b60405180910390f35b348015610193575f5ffd5b50610175662386f26fc1000081565b3480156101ad575f5ffd5b5061015f6101bc366004611c34565b61057a565b3480156101cc575f5ffd5b5061015f6101db366004611d0c565b6107e2565b3480156101eb575f5ffd5b506101756101fa366004611c34565b600160209081525f928352604080842090915290825290205481565b348015610221575f5ffd5b5061015f610230366004611d9f565b610917565b348015610240575f5ffd5b5061017561024f366004611db6565b610aca565b34801561025f575f5ffd5b506101756203f48081565b348015610275575f5ffd5b5061015f610284366004611dd0565b610ada565b348015610294575f5ffd5b5061015f6102a3366004611c34565b610be0565b3480156102b3575f5ffd5b5061015f6102c2366004611e1f565b610d4f565b3480156102d2575f5ffd5b5061015f6102e1366004611db6565b610e54565b3480156102f1575f5ffd5b506103197f000000000000000000000000000000000000000000000000000000000000000081565b6040516001600160a01b03909116815260200161017f565b61015f61033f366004611dd0565b610f3c565b34801561034f575f5ffd5b5061015f61035e366004611eeb565b61113a565b34801561036e575f5ffd5b506103c261037d366004611d9f565b5f602081905290815260409020546001600160801b03811690600160801b81046001600160401b031690600160c01b810463ffffffff1690600160e01b900460ff1684565b604080516001600160801b0390951685526001600160401b03909316602085015263ffffffff909116918301919091521515606082015260800161017f565b61015f61040f366004611d9f565b6111d2565b34801561041f575f5ffd5b5061046561042e366004611d9f565b60026020525f90815260409020546001600160a01b03811690600160a01b81046001600160401b031690600160e01b900460ff1683565b604080516001600160a01b0390941684526001600160401b03909216602084015215159082015260600161017f565b34801561049f575f5ffd5b5061015f6104ae366004611c34565b611371565b3480156104be575f5ffd5b506101756212750081565b3480156104d4575f5ffd5b5061015f6104e3366004611f6c565b6114eb565b3480156104f3575f5ffd5b50610175610502366004611c19565b60036020525f908152604090205481565b335f8181526003602052604080822080549290555190916001600160a01b038416917f484decdc1e9549e1866295f6f86c889ded3f7de410e7488a7a415978589dc8fd906105649085815260200190565b60405180910390a36105768282611683565b5050565b604051637dd5641160e01b81526004810183905282907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690637dd5641190602401602060405180830381865afa1580156105df573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906106039190611fe1565b6001600160a01b0316336001600160a01b03161461063b5760405163245aecd360e01b81523360048201526024015b60405180910390fd5b5f83815260208181526040808320815160808101835290546001600160801b0381168252600160801b81046001600160401b0316938201849052600160c01b810463ffffffff1692820192909252600160e01b90910460ff161515606082015291036106bd5760405163d3eb8aa560e01b815260048101859052602401610632565b80602001516001600160401b03164210156106fc576020810151604051630a8d68c960e21b81526001600160401b039091166004820152602401610632565b604081015163ffffffff1615610733576040808201519051638c0f5c9360e01b815263ffffffff9091166004820152602401610632565b80516001600160801b03165f03610760576040516303c231f160e21b815260048101859052602401610632565b5f848152602081815260409182902080546001600160e81b0319169055825191516001600160801b0390921682526001600160a01b0385169186917f04eda370f8b8612fa7266d7ebbd41af9d694e19793fe9d9ff31b3ddbd99b08e1910160405180910390a36107dc83825f01516001600160801b0316611683565b50505050565b5f6107ee878787611703565b90505f846040013588602001351015801561081d5750606085013561081b604087013560208b0135612010565b105b905080158061083457508760600135856080013511155b1561085257604051632abb103760e11b815260040160405180910390fd5b6040516305dfd64d60e11b81526001600160a01b037f00000000000000000000000000000000000000000000000000000000000000001690630bbfac9a906108a5908b3590899089908990600401612053565b602060405180830381865afa1580156108c0573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906108e491906120b7565b61090157604051637ca55c7760e01b815260040160405180910390fd5b61090d888360036117ae565b5050505050505050565b604051637dd5641160e01b81526004810182905281907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690637dd5641190602401602060405180830381865afa15801561097c573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906109a09190611fe1565b6001600160a01b0316336001600160a01b0316146109d35760405163245aecd360e01b8152336004820152602401610632565b5f828152602081905260408120805490916001600160801b039091169003610a11576040516303c231f160e21b815260048101849052602401610632565b8054600160801b90046001600160401b031615610a55578054604051633f567e9960e21b8152600160801b9091046001600160401b03166004820152602401610632565b610a6262127500426120d6565b815467ffffffffffffffff60801b1916600160801b6001600160401b03928316810291909117808455604051919004909116815283907f63a00a6c29317b9c85461ee943a6d85e0cf2a0e8007364c57ef6ca3062b67bd79060200160405180910390a2505050565b5f610ad4826117d5565b92915050565b5f610ae6848484611703565b905083606001354211610b1257604051630a8d68c960e21b815260608501356004820152602401610632565b604051630d97b0ff60e01b8152843560048201525f907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690630d97b0ff90602401606060405180830381865afa158015610b77573d5f5f3e3d5ffd5b505050506040513d601f19601f82011682018060405250810190610b9b91906120e9565b92505050806001600160401b031685602001351015610bcd57604051632abb103760e11b815260040160405180910390fd5b610bd9858360026117ae565b5050505050565b604051637dd5641160e01b81526004810183905282907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690637dd5641190602401602060405180830381865afa158015610c45573d5f5f3e3d5ffd5b505050506040513d601f19601f82011682018060405250810190610c699190611fe1565b6001600160a01b0316336001600160a01b031614610c9c5760405163245aecd360e01b8152336004820152602401610632565b6001600160a01b0382161580610cd257505f8381526001602090815260408083206001600160a01b038616845290915290205415155b15610cfb5760405163141f0d3560e21b81526001600160a01b0383166004820152602401610632565b5f8381526001602090815260408083206001600160a01b03861680855292528083205f19905551909185917fbd64680c965c9b28ab14056bd0ccefa46e65fc159a3f3e2d3cc2b5c80c79b0939190a3505050565b5f610d5b8a8a8a611703565b905089604001358703610d8157604051632abb103760e11b815260040160405180910390fd5b60405163246d702d60e11b81526001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016906348dae05a90610de0908d359060208f0135908c908c908c908c908c908c90600401612146565b602060405180830381865afa158015610dfb573d5f5f3e3d5ffd5b505050506040513d601f19601f82011682018060405250810190610e1f91906120b7565b610e3c57604051637ca55c7760e01b815260040160405180910390fd5b610e488a8260016117ae565b50505050505050505050565b5f610e5e82610aca565b90505f610e6c8335836118ff565b905080602001516001600160401b03164211610eac576020810151604051630a8d68c960e21b81526001600160401b039091166004820152602401610632565b82355f90815260208190526040902054600160e01b900460ff16610ed657610ed6838360046117ae565b80516001600160a01b03165f9081526003602052604081208054662386f26fc100009290610f059084906120d6565b909155505060405182908435907fdd7547edec420c95048c320e49dcf224d31acd8151a18ebbe04e595b9a30a13b905f90a3505050565b662386f26fc100003414610f655760405163c274680960e01b8152346004820152602401610632565b5f610f71848484611703565b905083606001354211610f9d57604051630a8d68c960e21b815260608501356004820152602401610632565b83355f90815260208190526040902054600160801b90046001600160401b03168015801590610fcc5750804210155b15610fed5760405163348f2b4160e11b815260048101829052602401610632565b5f828152600260205260409020546001600160a01b0316156110255760405163c4da3f0160e01b815260048101839052602401610632565b5f6110336203f480426120d6565b604080516060810182523381526001600160401b0380841660208084019182525f8486018181528a82526002835286822095518654945191511515600160e01b0260ff60e01b1992909616600160a01b026001600160e01b03199095166001600160a01b03919091161793909317929092169290921790925589358252819052208054919250906018906110d49063ffffffff600160c01b909104166121d0565b91906101000a81548163ffffffff021916908363ffffffff16021790555082865f01357f68dd3d5f85908102850a2c61b017a4e82ebb3589a16efe1116755f8712e808da88338560405161112a9392919061223a565b60405180910390a3505050505050565b5f611146878787611703565b9050611153848484611703565b508635843514158061116d57508360200135876020013514155b8061117f575083604001358760400135145b1561119d57604051632abb103760e11b815260040160405180910390fd5b6111c98735825f6111b460a08c0160808d01611c19565b6111c460a08a0160808b01611c19565b6119fd565b50505050505050565b604051637dd5641160e01b81526004810182905281907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690637dd5641190602401602060405180830381865afa158015611237573d5f5f3e3d5ffd5b505050506040513d601f19601f8201168201806040525081019061125b9190611fe1565b6001600160a01b0316336001600160a01b03161461128e5760405163245aecd360e01b8152336004820152602401610632565b345f036112b05760405163c274680960e01b81525f6004820152602401610632565b5f82815260208190526040902054600160e01b900460ff16156112e95760405163e223d7b160e01b815260048101839052602401610632565b5f828152602081905260408120805434929061130f9084906001600160801b0316612270565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550817f9f4592c3bd42bd33860ee93dc92d07f06e3f4fb6e19a9ca214982fe7c1bdb0373460405161136591815260200190565b60405180910390a25050565b604051637dd5641160e01b81526004810183905282907f00000000000000000000000000000000000000000000000000000000000000006001600160a01b031690637dd5641190602401602060405180830381865afa1580156113d6573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906113fa9190611fe1565b6001600160a01b0316336001600160a01b03161461142d5760405163245aecd360e01b8152336004820152602401610632565b5f8381526001602090815260408083206001600160a01b03861684529091529020545f191461147a5760405163141f0d3560e21b81526001600160a01b0383166004820152602401610632565b5f61148862127500426120d6565b5f8581526001602090815260408083206001600160a01b0388168085529083529281902084905551838152929350909186917f3676508d13428f3c4360361df8b9cec77e830186282f6c5bad8f561d2e7848c8910160405180910390a350505050565b5f6114f587610aca565b90505f6115038835836118ff565b905080602001516001600160401b031642111561154457602081015160405163348f2b4160e11b81526001600160401b039091166004820152602401610632565b8760600135876080013511806115f857506040805163246d702d60e11b81526001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016916348dae05a916115b7918c359160208e0135918e0135908d908d908d908d908d90600401612146565b602060405180830381865afa1580156115d2573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906115f691906120b7565b155b1561161657604051637ca55c7760e01b815260040160405180910390fd5b335f9081526003602052604081208054662386f26fc10000929061163b9084906120d6565b909155505060405133815282908935907ff0702e010f6f7734aeba83ddc29d90986de87b17d18797abe8f679543218eb82906020015b60405180910390a35050505050505050565b5f826001600160a01b0316826040515f6040518083038185875af1925050503d805f81146116cc576040519150601f19603f3d011682016040523d82523d5f602084013e6116d1565b606091505b50509050806116fe576040516306d133c960e31b81526001600160a01b0384166004820152602401610632565b505050565b82355f908152602081905260408120546001600160801b0316810361173e576040516303c231f160e21b815284356004820152602401610632565b61174784610aca565b90505f611755828585611ac6565b85355f9081526001602090815260408083206001600160a01b038516845290915290205490915042106117a657604051639a7d38d960e01b81526001600160a01b0382166004820152602401610632565b509392505050565b6116fe833583836117c560a0880160808901611c19565b6111c460a0890160808a01611c19565b604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201527f0848fbe9ee0b946a7f9fc981897808601ced26e788a2e66e69bb4930e9d5136a918101919091527fc89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc660608201524660808201523060a08201525f90819060c0016040516020818303038152906040528051906020012090505f7f0ae54dce23a6ec2d69a4b40a64de8ce4853af6a8a70b5db4dcee5e3ad40c896c846040516020016118ac92919061228f565b60408051808303601f19018152828252805160209182012061190160f01b828501526022840195909552604280840195909552815180840390950185526062909201905282519201919091209392505050565b60408051606080820183525f80835260208084018290529284018190528481526002835283902083519182018452546001600160a01b038116808352600160a01b82046001600160401b031693830193909352600160e01b900460ff161515928101929092521580611972575080604001515b1561199357604051637e16ae7b60e01b815260048101839052602401610632565b5f828152600260209081526040808320805460ff60e01b1916600160e01b17905585835290829052902080546018906119d99063ffffffff600160c01b909104166122a3565b91906101000a81548163ffffffff021916908363ffffffff16021790555092915050565b5f85815260208190526040812080547fffffff00ffffffffffffffffffffffff000000000000000000000000000000008116600160e01b179091556001600160801b03169060026064611a51600a856122c1565b611a5b91906122d8565b611a6591906122d8565b90505f611a728483611bb9565b611a7c8684611bb9565b611a8691906120d6565b905086887ff196a48ddca54b9b97d8b691b062ce102c150939b0bfb82e242c43c62a47fda688611ab68588612010565b85604051611671939291906122f7565b5f60418214611ad657505f611bb2565b5f611ae560406020858761232b565b611aee91612352565b90507f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0811115611b21575f915050611bb2565b60018585856040818110611b3757611b3761236f565b919091013560f81c9050611b4e60205f888a61232b565b611b5791612352565b604080515f8152602081018083529490945260ff9092169183019190915260608201526080810183905260a0016020604051602081039080840390855afa158015611ba4573d5f5f3e3d5ffd5b505050602060405103519150505b9392505050565b5f6001600160a01b038316611bcf57505f610ad4565b6001600160a01b0383165f9081526003602052604081208054849290611bf69084906120d6565b90915550919392505050565b6001600160a01b0381168114611c16575f5ffd5b50565b5f60208284031215611c29575f5ffd5b8135611bb281611c02565b5f5f60408385031215611c45575f5ffd5b823591506020830135611c5781611c02565b809150509250929050565b5f60a08284031215611c72575f5ffd5b50919050565b5f5f83601f840112611c88575f5ffd5b5081356001600160401b03811115611c9e575f5ffd5b602083019150836020828501011115611cb5575f5ffd5b9250929050565b5f60c08284031215611c72575f5ffd5b5f5f83601f840112611cdc575f5ffd5b5081356001600160401b03811115611cf2575f5ffd5b6020830191508360208260051b8501011115611cb5575f5ffd5b5f5f5f5f5f5f6101a08789031215611d22575f5ffd5b611d2c8888611c62565b955060a08701356001600160401b03811115611d46575f5ffd5b611d5289828a01611c78565b9096509450611d6690508860c08901611cbc565b92506101808701356001600160401b03811115611d81575f5ffd5b611d8d89828a01611ccc565b979a9699509497509295939492505050565b5f60208284031215611daf575f5ffd5b5035919050565b5f60a08284031215611dc6575f5ffd5b611bb28383611c62565b5f5f5f60c08486031215611de2575f5ffd5b611dec8585611c62565b925060a08401356001600160401b03811115611e06575f5ffd5b611e1286828701611c78565b9497909650939450505050565b5f5f5f5f5f5f5f5f5f6101e08a8c031215611e38575f5ffd5b611e428b8b611c62565b985060a08a01356001600160401b03811115611e5c575f5ffd5b611e688c828d01611c78565b90995097505060c08a01359550611e828b60e08c01611cbc565b94506101a08a01356001600160401b03811115611e9d575f5ffd5b611ea98c828d01611ccc565b9095509350506101c08a01356001600160401b03811115611ec8575f5ffd5b611ed48c828d01611ccc565b915080935050809150509295985092959850929598565b5f5f5f5f5f5f6101808789031215611f01575f5ffd5b611f0b8888611c62565b955060a08701356001600160401b03811115611f25575f5ffd5b611f3189828a01611c78565b9096509450611f4590508860c08901611c62565b92506101608701356001600160401b03811115611f60575f5ffd5b611d8d89828a01611c78565b5f5f5f5f5f5f6101a08789031215611f82575f5ffd5b611f8c8888611c62565b9550611f9b8860a08901611cbc565b94506101608701356001600160401b03811115611fb6575f5ffd5b611fc289828a01611ccc565b9095509350506101808701356001600160401b03811115611d81575f5ffd5b5f60208284031215611ff1575f5ffd5b8151611bb281611c02565b634e487b7160e01b5f52601160045260245ffd5b81810381811115610ad457610ad4611ffc565b8183525f6001600160fb1b0383111561203a575f5ffd5b8260051b80836020870137939093016020019392505050565b8481526120956020820185803582526020808201359083015260408082013590830152606080820135908301526080808201359083015260a090810135910152565b61010060e08201525f6120ad61010083018486612023565b9695505050505050565b5f602082840312156120c7575f5ffd5b81518015158114611bb2575f5ffd5b80820180821115610ad457610ad4611ffc565b5f5f5f606084860312156120fb575f5ffd5b835161210681611c02565b602085015190935063ffffffff8116811461211f575f5ffd5b60408501519092506001600160401b038116811461213b575f5ffd5b809150509250925092565b8881528760208201528660408201526121946060820187803582526020808201359083015260408082013590830152606080820135908301526080808201359083015260a090810135910152565b6101606101208201525f6121ad61016083018688612023565b8281036101408401526121c1818587612023565b9b9a5050505050505050505050565b5f63ffffffff821663ffffffff81036121eb576121eb611ffc565b60010192915050565b80358252602080820135908301526040808201359083015260608082013590830152608081013561222481611c02565b6001600160a01b03166080929092019190915250565b60e0810161224882866121f4565b6001600160a01b039390931660a08201526001600160401b039190911660c090910152919050565b6001600160801b038181168382160190811115610ad457610ad4611ffc565b82815260c08101611bb260208301846121f4565b5f63ffffffff8216806122b8576122b8611ffc565b5f190192915050565b8082028115828204841417610ad457610ad4611ffc565b5f826122f257634e487b7160e01b5f52601260045260245ffd5b500490565b606081016005851061231757634e487b7160e01b5f52602160045260245ffd5b938152602081019290925260409091015290565b5f5f85851115612339575f5ffd5b83861115612345575f5ffd5b5050820193919092039150565b80356020831015610ad4575f19602084900360031b1b1692915050565b634e487b7160e01b5f52603260045260245ffd",
}

// PromiseBond is an auto generated Go binding around an Ethereum contract.
type PromiseBond struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *PromiseBond) GetABI() abi.ABI {
	return c.abi
}

// NewPromiseBond creates a new instance of PromiseBond.
func NewPromiseBond() *PromiseBond {
	parsed, err := PromiseBondMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &PromiseBond{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *PromiseBond) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackConstructor is the Go binding used to pack the parameters required for
// contract deployment.
//
// Solidity: constructor(address anchorLog) returns()
func (promiseBond *PromiseBond) PackConstructor(anchorLog common.Address) []byte {
	enc, err := promiseBond.abi.Pack("", anchorLog)
	if err != nil {
		panic(err)
	}
	return enc
}

// PackANCHORLOG is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7e905534.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function ANCHOR_LOG() view returns(address)
func (promiseBond *PromiseBond) PackANCHORLOG() []byte {
	enc, err := promiseBond.abi.Pack("ANCHOR_LOG")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackANCHORLOG is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7e905534.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function ANCHOR_LOG() view returns(address)
func (promiseBond *PromiseBond) TryPackANCHORLOG() ([]byte, error) {
	return promiseBond.abi.Pack("ANCHOR_LOG")
}

// UnpackANCHORLOG is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x7e905534.
//
// Solidity: function ANCHOR_LOG() view returns(address)
func (promiseBond *PromiseBond) UnpackANCHORLOG(data []byte) (common.Address, error) {
	out, err := promiseBond.abi.Unpack("ANCHOR_LOG", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackANSWERTIME is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4c7dc0ba.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function ANSWER_TIME() view returns(uint256)
func (promiseBond *PromiseBond) PackANSWERTIME() []byte {
	enc, err := promiseBond.abi.Pack("ANSWER_TIME")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackANSWERTIME is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4c7dc0ba.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function ANSWER_TIME() view returns(uint256)
func (promiseBond *PromiseBond) TryPackANSWERTIME() ([]byte, error) {
	return promiseBond.abi.Pack("ANSWER_TIME")
}

// UnpackANSWERTIME is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x4c7dc0ba.
//
// Solidity: function ANSWER_TIME() view returns(uint256)
func (promiseBond *PromiseBond) UnpackANSWERTIME(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("ANSWER_TIME", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackCHALLENGEDEPOSIT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x089a2f30.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function CHALLENGE_DEPOSIT() view returns(uint256)
func (promiseBond *PromiseBond) PackCHALLENGEDEPOSIT() []byte {
	enc, err := promiseBond.abi.Pack("CHALLENGE_DEPOSIT")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCHALLENGEDEPOSIT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x089a2f30.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function CHALLENGE_DEPOSIT() view returns(uint256)
func (promiseBond *PromiseBond) TryPackCHALLENGEDEPOSIT() ([]byte, error) {
	return promiseBond.abi.Pack("CHALLENGE_DEPOSIT")
}

// UnpackCHALLENGEDEPOSIT is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x089a2f30.
//
// Solidity: function CHALLENGE_DEPOSIT() view returns(uint256)
func (promiseBond *PromiseBond) UnpackCHALLENGEDEPOSIT(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("CHALLENGE_DEPOSIT", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackREWARDPERCENT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fbedbe.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function REWARD_PERCENT() view returns(uint256)
func (promiseBond *PromiseBond) PackREWARDPERCENT() []byte {
	enc, err := promiseBond.abi.Pack("REWARD_PERCENT")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackREWARDPERCENT is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fbedbe.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function REWARD_PERCENT() view returns(uint256)
func (promiseBond *PromiseBond) TryPackREWARDPERCENT() ([]byte, error) {
	return promiseBond.abi.Pack("REWARD_PERCENT")
}

// UnpackREWARDPERCENT is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x06fbedbe.
//
// Solidity: function REWARD_PERCENT() view returns(uint256)
func (promiseBond *PromiseBond) UnpackREWARDPERCENT(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("REWARD_PERCENT", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackUNBONDINGTIME is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd697ae7d.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function UNBONDING_TIME() view returns(uint256)
func (promiseBond *PromiseBond) PackUNBONDINGTIME() []byte {
	enc, err := promiseBond.abi.Pack("UNBONDING_TIME")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackUNBONDINGTIME is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd697ae7d.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function UNBONDING_TIME() view returns(uint256)
func (promiseBond *PromiseBond) TryPackUNBONDINGTIME() ([]byte, error) {
	return promiseBond.abi.Pack("UNBONDING_TIME")
}

// UnpackUNBONDINGTIME is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xd697ae7d.
//
// Solidity: function UNBONDING_TIME() view returns(uint256)
func (promiseBond *PromiseBond) UnpackUNBONDINGTIME(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("UNBONDING_TIME", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackAddKey is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5b8a813f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function addKey(bytes32 log, address key) returns()
func (promiseBond *PromiseBond) PackAddKey(log [32]byte, key common.Address) []byte {
	enc, err := promiseBond.abi.Pack("addKey", log, key)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAddKey is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5b8a813f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function addKey(bytes32 log, address key) returns()
func (promiseBond *PromiseBond) TryPackAddKey(log [32]byte, key common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("addKey", log, key)
}

// PackAnswer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe3fa4a59.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function answer((bytes32,uint256,bytes32,uint256,address) p, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) returns()
func (promiseBond *PromiseBond) PackAnswer(p Promise, batch Batch, path [][32]byte, proof [][32]byte) []byte {
	enc, err := promiseBond.abi.Pack("answer", p, batch, path, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAnswer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe3fa4a59.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function answer((bytes32,uint256,bytes32,uint256,address) p, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) returns()
func (promiseBond *PromiseBond) TryPackAnswer(p Promise, batch Batch, path [][32]byte, proof [][32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("answer", p, batch, path, proof)
}

// PackBonds is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xb9ad7ea9.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function bonds(bytes32 log) view returns(uint128 amount, uint64 leavesAt, uint32 open, bool broken)
func (promiseBond *PromiseBond) PackBonds(log [32]byte) []byte {
	enc, err := promiseBond.abi.Pack("bonds", log)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBonds is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xb9ad7ea9.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function bonds(bytes32 log) view returns(uint128 amount, uint64 leavesAt, uint32 open, bool broken)
func (promiseBond *PromiseBond) TryPackBonds(log [32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("bonds", log)
}

// BondsOutput serves as a container for the return parameters of contract
// method Bonds.
type BondsOutput struct {
	Amount   *big.Int
	LeavesAt uint64
	Open     uint32
	Broken   bool
}

// UnpackBonds is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xb9ad7ea9.
//
// Solidity: function bonds(bytes32 log) view returns(uint128 amount, uint64 leavesAt, uint32 open, bool broken)
func (promiseBond *PromiseBond) UnpackBonds(data []byte) (BondsOutput, error) {
	out, err := promiseBond.abi.Unpack("bonds", data)
	outstruct := new(BondsOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.Amount = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.LeavesAt = *abi.ConvertType(out[1], new(uint64)).(*uint64)
	outstruct.Open = *abi.ConvertType(out[2], new(uint32)).(*uint32)
	outstruct.Broken = *abi.ConvertType(out[3], new(bool)).(*bool)
	return *outstruct, nil
}

// PackChallenge is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa67af6dd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function challenge((bytes32,uint256,bytes32,uint256,address) p, bytes signature) payable returns()
func (promiseBond *PromiseBond) PackChallenge(p Promise, signature []byte) []byte {
	enc, err := promiseBond.abi.Pack("challenge", p, signature)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackChallenge is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa67af6dd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function challenge((bytes32,uint256,bytes32,uint256,address) p, bytes signature) payable returns()
func (promiseBond *PromiseBond) TryPackChallenge(p Promise, signature []byte) ([]byte, error) {
	return promiseBond.abi.Pack("challenge", p, signature)
}

// PackChallenges is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc1e69b66.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function challenges(bytes32 id) view returns(address challenger, uint64 answerBy, bool closed)
func (promiseBond *PromiseBond) PackChallenges(id [32]byte) []byte {
	enc, err := promiseBond.abi.Pack("challenges", id)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackChallenges is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc1e69b66.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function challenges(bytes32 id) view returns(address challenger, uint64 answerBy, bool closed)
func (promiseBond *PromiseBond) TryPackChallenges(id [32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("challenges", id)
}

// ChallengesOutput serves as a container for the return parameters of contract
// method Challenges.
type ChallengesOutput struct {
	Challenger common.Address
	AnswerBy   uint64
	Closed     bool
}

// UnpackChallenges is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc1e69b66.
//
// Solidity: function challenges(bytes32 id) view returns(address challenger, uint64 answerBy, bool closed)
func (promiseBond *PromiseBond) UnpackChallenges(data []byte) (ChallengesOutput, error) {
	out, err := promiseBond.abi.Unpack("challenges", data)
	outstruct := new(ChallengesOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.Challenger = *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	outstruct.AnswerBy = *abi.ConvertType(out[1], new(uint64)).(*uint64)
	outstruct.Closed = *abi.ConvertType(out[2], new(bool)).(*bool)
	return *outstruct, nil
}

// PackCollect is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06ec16f8.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function collect(address to) returns()
func (promiseBond *PromiseBond) PackCollect(to common.Address) []byte {
	enc, err := promiseBond.abi.Pack("collect", to)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCollect is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06ec16f8.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function collect(address to) returns()
func (promiseBond *PromiseBond) TryPackCollect(to common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("collect", to)
}

// PackConclude is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x784f76e9.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function conclude((bytes32,uint256,bytes32,uint256,address) p) returns()
func (promiseBond *PromiseBond) PackConclude(p Promise) []byte {
	enc, err := promiseBond.abi.Pack("conclude", p)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackConclude is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x784f76e9.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function conclude((bytes32,uint256,bytes32,uint256,address) p) returns()
func (promiseBond *PromiseBond) TryPackConclude(p Promise) ([]byte, error) {
	return promiseBond.abi.Pack("conclude", p)
}

// PackCredits is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xfe5ff468.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function credits(address account) view returns(uint256 amount)
func (promiseBond *PromiseBond) PackCredits(account common.Address) []byte {
	enc, err := promiseBond.abi.Pack("credits", account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCredits is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xfe5ff468.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function credits(address account) view returns(uint256 amount)
func (promiseBond *PromiseBond) TryPackCredits(account common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("credits", account)
}

// UnpackCredits is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xfe5ff468.
//
// Solidity: function credits(address account) view returns(uint256 amount)
func (promiseBond *PromiseBond) UnpackCredits(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("credits", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackFund is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xbf14c119.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function fund(bytes32 log) payable returns()
func (promiseBond *PromiseBond) PackFund(log [32]byte) []byte {
	enc, err := promiseBond.abi.Pack("fund", log)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackFund is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xbf14c119.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function fund(bytes32 log) payable returns()
func (promiseBond *PromiseBond) TryPackFund(log [32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("fund", log)
}

// PackKeys is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2903b8ee.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function keys(bytes32 log, address key) view returns(uint256 until)
func (promiseBond *PromiseBond) PackKeys(log [32]byte, key common.Address) []byte {
	enc, err := promiseBond.abi.Pack("keys", log, key)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackKeys is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2903b8ee.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function keys(bytes32 log, address key) view returns(uint256 until)
func (promiseBond *PromiseBond) TryPackKeys(log [32]byte, key common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("keys", log, key)
}

// UnpackKeys is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x2903b8ee.
//
// Solidity: function keys(bytes32 log, address key) view returns(uint256 until)
func (promiseBond *PromiseBond) UnpackKeys(data []byte) (*big.Int, error) {
	out, err := promiseBond.abi.Unpack("keys", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackPromiseId is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4a98c07a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function promiseId((bytes32,uint256,bytes32,uint256,address) p) view returns(bytes32 id)
func (promiseBond *PromiseBond) PackPromiseId(p Promise) []byte {
	enc, err := promiseBond.abi.Pack("promiseId", p)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPromiseId is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4a98c07a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function promiseId((bytes32,uint256,bytes32,uint256,address) p) view returns(bytes32 id)
func (promiseBond *PromiseBond) TryPackPromiseId(p Promise) ([]byte, error) {
	return promiseBond.abi.Pack("promiseId", p)
}

// UnpackPromiseId is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x4a98c07a.
//
// Solidity: function promiseId((bytes32,uint256,bytes32,uint256,address) p) view returns(bytes32 id)
func (promiseBond *PromiseBond) UnpackPromiseId(data []byte) ([32]byte, error) {
	out, err := promiseBond.abi.Unpack("promiseId", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackRevokeKey is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd33438ba.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function revokeKey(bytes32 log, address key) returns()
func (promiseBond *PromiseBond) PackRevokeKey(log [32]byte, key common.Address) []byte {
	enc, err := promiseBond.abi.Pack("revokeKey", log, key)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRevokeKey is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd33438ba.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function revokeKey(bytes32 log, address key) returns()
func (promiseBond *PromiseBond) TryPackRevokeKey(log [32]byte, key common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("revokeKey", log, key)
}

// PackSlashConflict is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xac0a1bce.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function slashConflict((bytes32,uint256,bytes32,uint256,address) a, bytes signatureA, (bytes32,uint256,bytes32,uint256,address) b, bytes signatureB) returns()
func (promiseBond *PromiseBond) PackSlashConflict(a Promise, signatureA []byte, b Promise, signatureB []byte) []byte {
	enc, err := promiseBond.abi.Pack("slashConflict", a, signatureA, b, signatureB)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSlashConflict is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xac0a1bce.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function slashConflict((bytes32,uint256,bytes32,uint256,address) a, bytes signatureA, (bytes32,uint256,bytes32,uint256,address) b, bytes signatureB) returns()
func (promiseBond *PromiseBond) TryPackSlashConflict(a Promise, signatureA []byte, b Promise, signatureB []byte) ([]byte, error) {
	return promiseBond.abi.Pack("slashConflict", a, signatureA, b, signatureB)
}

// PackSlashLate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1e159a94.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function slashLate((bytes32,uint256,bytes32,uint256,address) p, bytes signature, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path) returns()
func (promiseBond *PromiseBond) PackSlashLate(p Promise, signature []byte, batch Batch, path [][32]byte) []byte {
	enc, err := promiseBond.abi.Pack("slashLate", p, signature, batch, path)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSlashLate is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1e159a94.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function slashLate((bytes32,uint256,bytes32,uint256,address) p, bytes signature, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path) returns()
func (promiseBond *PromiseBond) TryPackSlashLate(p Promise, signature []byte, batch Batch, path [][32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("slashLate", p, signature, batch, path)
}

// PackSlashMissed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x52c69b12.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function slashMissed((bytes32,uint256,bytes32,uint256,address) p, bytes signature) returns()
func (promiseBond *PromiseBond) PackSlashMissed(p Promise, signature []byte) []byte {
	enc, err := promiseBond.abi.Pack("slashMissed", p, signature)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSlashMissed is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x52c69b12.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function slashMissed((bytes32,uint256,bytes32,uint256,address) p, bytes signature) returns()
func (promiseBond *PromiseBond) TryPackSlashMissed(p Promise, signature []byte) ([]byte, error) {
	return promiseBond.abi.Pack("slashMissed", p, signature)
}

// PackSlashSubstitution is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6063822f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function slashSubstitution((bytes32,uint256,bytes32,uint256,address) p, bytes signature, bytes32 other, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) returns()
func (promiseBond *PromiseBond) PackSlashSubstitution(p Promise, signature []byte, other [32]byte, batch Batch, path [][32]byte, proof [][32]byte) []byte {
	enc, err := promiseBond.abi.Pack("slashSubstitution", p, signature, other, batch, path, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSlashSubstitution is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6063822f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function slashSubstitution((bytes32,uint256,bytes32,uint256,address) p, bytes signature, bytes32 other, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) returns()
func (promiseBond *PromiseBond) TryPackSlashSubstitution(p Promise, signature []byte, other [32]byte, batch Batch, path [][32]byte, proof [][32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("slashSubstitution", p, signature, other, batch, path, proof)
}

// PackUnbond is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2fd1c2cd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function unbond(bytes32 log) returns()
func (promiseBond *PromiseBond) PackUnbond(log [32]byte) []byte {
	enc, err := promiseBond.abi.Pack("unbond", log)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackUnbond is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x2fd1c2cd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function unbond(bytes32 log) returns()
func (promiseBond *PromiseBond) TryPackUnbond(log [32]byte) ([]byte, error) {
	return promiseBond.abi.Pack("unbond", log)
}

// PackWithdraw is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1b258d50.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function withdraw(bytes32 log, address to) returns()
func (promiseBond *PromiseBond) PackWithdraw(log [32]byte, to common.Address) []byte {
	enc, err := promiseBond.abi.Pack("withdraw", log, to)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackWithdraw is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1b258d50.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function withdraw(bytes32 log, address to) returns()
func (promiseBond *PromiseBond) TryPackWithdraw(log [32]byte, to common.Address) ([]byte, error) {
	return promiseBond.abi.Pack("withdraw", log, to)
}

// PromiseBondAnswered represents a Answered event raised by the PromiseBond contract.
type PromiseBondAnswered struct {
	Log      [32]byte
	Id       [32]byte
	Answerer common.Address
	Raw      *types.Log // Blockchain specific contextual infos
}

const PromiseBondAnsweredEventName = "Answered"

// ContractEventName returns the user-defined event name.
func (PromiseBondAnswered) ContractEventName() string {
	return PromiseBondAnsweredEventName
}

// UnpackAnsweredEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Answered(bytes32 indexed log, bytes32 indexed id, address answerer)
func (promiseBond *PromiseBond) UnpackAnsweredEvent(log *types.Log) (*PromiseBondAnswered, error) {
	event := "Answered"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondAnswered)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondChallenged represents a Challenged event raised by the PromiseBond contract.
type PromiseBondChallenged struct {
	Log        [32]byte
	Id         [32]byte
	P          Promise
	Challenger common.Address
	AnswerBy   *big.Int
	Raw        *types.Log // Blockchain specific contextual infos
}

const PromiseBondChallengedEventName = "Challenged"

// ContractEventName returns the user-defined event name.
func (PromiseBondChallenged) ContractEventName() string {
	return PromiseBondChallengedEventName
}

// UnpackChallengedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Challenged(bytes32 indexed log, bytes32 indexed id, (bytes32,uint256,bytes32,uint256,address) p, address challenger, uint256 answerBy)
func (promiseBond *PromiseBond) UnpackChallengedEvent(log *types.Log) (*PromiseBondChallenged, error) {
	event := "Challenged"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondChallenged)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondCollected represents a Collected event raised by the PromiseBond contract.
type PromiseBondCollected struct {
	Account common.Address
	To      common.Address
	Amount  *big.Int
	Raw     *types.Log // Blockchain specific contextual infos
}

const PromiseBondCollectedEventName = "Collected"

// ContractEventName returns the user-defined event name.
func (PromiseBondCollected) ContractEventName() string {
	return PromiseBondCollectedEventName
}

// UnpackCollectedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Collected(address indexed account, address indexed to, uint256 amount)
func (promiseBond *PromiseBond) UnpackCollectedEvent(log *types.Log) (*PromiseBondCollected, error) {
	event := "Collected"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondCollected)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondConcluded represents a Concluded event raised by the PromiseBond contract.
type PromiseBondConcluded struct {
	Log [32]byte
	Id  [32]byte
	Raw *types.Log // Blockchain specific contextual infos
}

const PromiseBondConcludedEventName = "Concluded"

// ContractEventName returns the user-defined event name.
func (PromiseBondConcluded) ContractEventName() string {
	return PromiseBondConcludedEventName
}

// UnpackConcludedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Concluded(bytes32 indexed log, bytes32 indexed id)
func (promiseBond *PromiseBond) UnpackConcludedEvent(log *types.Log) (*PromiseBondConcluded, error) {
	event := "Concluded"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondConcluded)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondFunded represents a Funded event raised by the PromiseBond contract.
type PromiseBondFunded struct {
	Log    [32]byte
	Amount *big.Int
	Raw    *types.Log // Blockchain specific contextual infos
}

const PromiseBondFundedEventName = "Funded"

// ContractEventName returns the user-defined event name.
func (PromiseBondFunded) ContractEventName() string {
	return PromiseBondFundedEventName
}

// UnpackFundedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Funded(bytes32 indexed log, uint256 amount)
func (promiseBond *PromiseBond) UnpackFundedEvent(log *types.Log) (*PromiseBondFunded, error) {
	event := "Funded"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondFunded)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondKeyAdded represents a KeyAdded event raised by the PromiseBond contract.
type PromiseBondKeyAdded struct {
	Log [32]byte
	Key common.Address
	Raw *types.Log // Blockchain specific contextual infos
}

const PromiseBondKeyAddedEventName = "KeyAdded"

// ContractEventName returns the user-defined event name.
func (PromiseBondKeyAdded) ContractEventName() string {
	return PromiseBondKeyAddedEventName
}

// UnpackKeyAddedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event KeyAdded(bytes32 indexed log, address indexed key)
func (promiseBond *PromiseBond) UnpackKeyAddedEvent(log *types.Log) (*PromiseBondKeyAdded, error) {
	event := "KeyAdded"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondKeyAdded)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondKeyRevoked represents a KeyRevoked event raised by the PromiseBond contract.
type PromiseBondKeyRevoked struct {
	Log   [32]byte
	Key   common.Address
	Until *big.Int
	Raw   *types.Log // Blockchain specific contextual infos
}

const PromiseBondKeyRevokedEventName = "KeyRevoked"

// ContractEventName returns the user-defined event name.
func (PromiseBondKeyRevoked) ContractEventName() string {
	return PromiseBondKeyRevokedEventName
}

// UnpackKeyRevokedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event KeyRevoked(bytes32 indexed log, address indexed key, uint256 until)
func (promiseBond *PromiseBond) UnpackKeyRevokedEvent(log *types.Log) (*PromiseBondKeyRevoked, error) {
	event := "KeyRevoked"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondKeyRevoked)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondLeaving represents a Leaving event raised by the PromiseBond contract.
type PromiseBondLeaving struct {
	Log      [32]byte
	LeavesAt *big.Int
	Raw      *types.Log // Blockchain specific contextual infos
}

const PromiseBondLeavingEventName = "Leaving"

// ContractEventName returns the user-defined event name.
func (PromiseBondLeaving) ContractEventName() string {
	return PromiseBondLeavingEventName
}

// UnpackLeavingEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Leaving(bytes32 indexed log, uint256 leavesAt)
func (promiseBond *PromiseBond) UnpackLeavingEvent(log *types.Log) (*PromiseBondLeaving, error) {
	event := "Leaving"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondLeaving)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondSlashed represents a Slashed event raised by the PromiseBond contract.
type PromiseBondSlashed struct {
	Log    [32]byte
	Id     [32]byte
	Breach uint8
	Burnt  *big.Int
	Paid   *big.Int
	Raw    *types.Log // Blockchain specific contextual infos
}

const PromiseBondSlashedEventName = "Slashed"

// ContractEventName returns the user-defined event name.
func (PromiseBondSlashed) ContractEventName() string {
	return PromiseBondSlashedEventName
}

// UnpackSlashedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Slashed(bytes32 indexed log, bytes32 indexed id, uint8 breach, uint256 burnt, uint256 paid)
func (promiseBond *PromiseBond) UnpackSlashedEvent(log *types.Log) (*PromiseBondSlashed, error) {
	event := "Slashed"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondSlashed)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// PromiseBondWithdrawn represents a Withdrawn event raised by the PromiseBond contract.
type PromiseBondWithdrawn struct {
	Log    [32]byte
	To     common.Address
	Amount *big.Int
	Raw    *types.Log // Blockchain specific contextual infos
}

const PromiseBondWithdrawnEventName = "Withdrawn"

// ContractEventName returns the user-defined event name.
func (PromiseBondWithdrawn) ContractEventName() string {
	return PromiseBondWithdrawnEventName
}

// UnpackWithdrawnEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Withdrawn(bytes32 indexed log, address indexed to, uint256 amount)
func (promiseBond *PromiseBond) UnpackWithdrawnEvent(log *types.Log) (*PromiseBondWithdrawn, error) {
	event := "Withdrawn"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != promiseBond.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(PromiseBondWithdrawn)
	if len(log.Data) > 0 {
		if err := promiseBond.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range promiseBond.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (promiseBond *PromiseBond) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["AlreadyChallenged"].ID.Bytes()[:4]) {
		return promiseBond.UnpackAlreadyChallengedError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["AlreadyLeaving"].ID.Bytes()[:4]) {
		return promiseBond.UnpackAlreadyLeavingError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["BadKey"].ID.Bytes()[:4]) {
		return promiseBond.UnpackBadKeyError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["BadProof"].ID.Bytes()[:4]) {
		return promiseBond.UnpackBadProofError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["BadSignature"].ID.Bytes()[:4]) {
		return promiseBond.UnpackBadSignatureError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["BadValue"].ID.Bytes()[:4]) {
		return promiseBond.UnpackBadValueError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["Broken"].ID.Bytes()[:4]) {
		return promiseBond.UnpackBrokenError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["NoBond"].ID.Bytes()[:4]) {
		return promiseBond.UnpackNoBondError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["NoBreach"].ID.Bytes()[:4]) {
		return promiseBond.UnpackNoBreachError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["NotChallenged"].ID.Bytes()[:4]) {
		return promiseBond.UnpackNotChallengedError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["NotLeaving"].ID.Bytes()[:4]) {
		return promiseBond.UnpackNotLeavingError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["NotOwner"].ID.Bytes()[:4]) {
		return promiseBond.UnpackNotOwnerError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["OpenChallenges"].ID.Bytes()[:4]) {
		return promiseBond.UnpackOpenChallengesError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["PaymentFailed"].ID.Bytes()[:4]) {
		return promiseBond.UnpackPaymentFailedError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["TooEarly"].ID.Bytes()[:4]) {
		return promiseBond.UnpackTooEarlyError(raw[4:])
	}
	if bytes.Equal(raw[:4], promiseBond.abi.Errors["TooLate"].ID.Bytes()[:4]) {
		return promiseBond.UnpackTooLateError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// PromiseBondAlreadyChallenged represents a AlreadyChallenged error raised by the PromiseBond contract.
type PromiseBondAlreadyChallenged struct {
	Id [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AlreadyChallenged(bytes32 id)
func PromiseBondAlreadyChallengedErrorID() common.Hash {
	return common.HexToHash("0xc4da3f01237735fa153eb988c2fe1fdb368ceb7a5771eb7456aefebc02c9d1f6")
}

// UnpackAlreadyChallengedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AlreadyChallenged(bytes32 id)
func (promiseBond *PromiseBond) UnpackAlreadyChallengedError(raw []byte) (*PromiseBondAlreadyChallenged, error) {
	out := new(PromiseBondAlreadyChallenged)
	if err := promiseBond.abi.UnpackIntoInterface(out, "AlreadyChallenged", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondAlreadyLeaving represents a AlreadyLeaving error raised by the PromiseBond contract.
type PromiseBondAlreadyLeaving struct {
	LeavesAt *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AlreadyLeaving(uint256 leavesAt)
func PromiseBondAlreadyLeavingErrorID() common.Hash {
	return common.HexToHash("0xfd59fa6494af697c7c25a5dadcee84b98cf7eb8f80e27787fe6a52db9fef4f78")
}

// UnpackAlreadyLeavingError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AlreadyLeaving(uint256 leavesAt)
func (promiseBond *PromiseBond) UnpackAlreadyLeavingError(raw []byte) (*PromiseBondAlreadyLeaving, error) {
	out := new(PromiseBondAlreadyLeaving)
	if err := promiseBond.abi.UnpackIntoInterface(out, "AlreadyLeaving", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondBadKey represents a BadKey error raised by the PromiseBond contract.
type PromiseBondBadKey struct {
	Key common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadKey(address key)
func PromiseBondBadKeyErrorID() common.Hash {
	return common.HexToHash("0x507c34d4c0060a943403a80295bc9c9ecc986591ca2ebc5ff98faea1f8573ef0")
}

// UnpackBadKeyError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadKey(address key)
func (promiseBond *PromiseBond) UnpackBadKeyError(raw []byte) (*PromiseBondBadKey, error) {
	out := new(PromiseBondBadKey)
	if err := promiseBond.abi.UnpackIntoInterface(out, "BadKey", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondBadProof represents a BadProof error raised by the PromiseBond contract.
type PromiseBondBadProof struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadProof()
func PromiseBondBadProofErrorID() common.Hash {
	return common.HexToHash("0x7ca55c774976027f27f73629387ed99a2044a8721aec39c3c2717944b08c423a")
}

// UnpackBadProofError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadProof()
func (promiseBond *PromiseBond) UnpackBadProofError(raw []byte) (*PromiseBondBadProof, error) {
	out := new(PromiseBondBadProof)
	if err := promiseBond.abi.UnpackIntoInterface(out, "BadProof", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondBadSignature represents a BadSignature error raised by the PromiseBond contract.
type PromiseBondBadSignature struct {
	Signer common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadSignature(address signer)
func PromiseBondBadSignatureErrorID() common.Hash {
	return common.HexToHash("0x9a7d38d94d3da0d5188ab778bbe9a3a38c77802b1bf2426c15740dc786da791d")
}

// UnpackBadSignatureError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadSignature(address signer)
func (promiseBond *PromiseBond) UnpackBadSignatureError(raw []byte) (*PromiseBondBadSignature, error) {
	out := new(PromiseBondBadSignature)
	if err := promiseBond.abi.UnpackIntoInterface(out, "BadSignature", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondBadValue represents a BadValue error raised by the PromiseBond contract.
type PromiseBondBadValue struct {
	Value *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadValue(uint256 value)
func PromiseBondBadValueErrorID() common.Hash {
	return common.HexToHash("0xc2746809ae36db438803888e458cb29559ba2da3da25966cab7b55876654d3e0")
}

// UnpackBadValueError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadValue(uint256 value)
func (promiseBond *PromiseBond) UnpackBadValueError(raw []byte) (*PromiseBondBadValue, error) {
	out := new(PromiseBondBadValue)
	if err := promiseBond.abi.UnpackIntoInterface(out, "BadValue", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondBroken represents a Broken error raised by the PromiseBond contract.
type PromiseBondBroken struct {
	Log [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Broken(bytes32 log)
func PromiseBondBrokenErrorID() common.Hash {
	return common.HexToHash("0xe223d7b13b84fee0ee9085b5f241be4217449aa17c1d90dfec50f62a6548e6ad")
}

// UnpackBrokenError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Broken(bytes32 log)
func (promiseBond *PromiseBond) UnpackBrokenError(raw []byte) (*PromiseBondBroken, error) {
	out := new(PromiseBondBroken)
	if err := promiseBond.abi.UnpackIntoInterface(out, "Broken", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondNoBond represents a NoBond error raised by the PromiseBond contract.
type PromiseBondNoBond struct {
	Log [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NoBond(bytes32 log)
func PromiseBondNoBondErrorID() common.Hash {
	return common.HexToHash("0x0f08c7c4e02a1497fda0bab468fff4dba02ccd22d2e8eb7da132c5cf38219d4b")
}

// UnpackNoBondError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NoBond(bytes32 log)
func (promiseBond *PromiseBond) UnpackNoBondError(raw []byte) (*PromiseBondNoBond, error) {
	out := new(PromiseBondNoBond)
	if err := promiseBond.abi.UnpackIntoInterface(out, "NoBond", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondNoBreach represents a NoBreach error raised by the PromiseBond contract.
type PromiseBondNoBreach struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NoBreach()
func PromiseBondNoBreachErrorID() common.Hash {
	return common.HexToHash("0x5576206e3f6b8f427aa113114fa490f3d7b4b3b1144ec280894a2d93d57fc374")
}

// UnpackNoBreachError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NoBreach()
func (promiseBond *PromiseBond) UnpackNoBreachError(raw []byte) (*PromiseBondNoBreach, error) {
	out := new(PromiseBondNoBreach)
	if err := promiseBond.abi.UnpackIntoInterface(out, "NoBreach", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondNotChallenged represents a NotChallenged error raised by the PromiseBond contract.
type PromiseBondNotChallenged struct {
	Id [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotChallenged(bytes32 id)
func PromiseBondNotChallengedErrorID() common.Hash {
	return common.HexToHash("0x7e16ae7bae517ed1abce66ed5eb2db2259315982078f8e2084305d81a42cf7a5")
}

// UnpackNotChallengedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotChallenged(bytes32 id)
func (promiseBond *PromiseBond) UnpackNotChallengedError(raw []byte) (*PromiseBondNotChallenged, error) {
	out := new(PromiseBondNotChallenged)
	if err := promiseBond.abi.UnpackIntoInterface(out, "NotChallenged", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondNotLeaving represents a NotLeaving error raised by the PromiseBond contract.
type PromiseBondNotLeaving struct {
	Log [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotLeaving(bytes32 log)
func PromiseBondNotLeavingErrorID() common.Hash {
	return common.HexToHash("0xd3eb8aa5a6df4818fda8ea826a6feab49a5e0315588aa68da1743c9e5ef2a880")
}

// UnpackNotLeavingError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotLeaving(bytes32 log)
func (promiseBond *PromiseBond) UnpackNotLeavingError(raw []byte) (*PromiseBondNotLeaving, error) {
	out := new(PromiseBondNotLeaving)
	if err := promiseBond.abi.UnpackIntoInterface(out, "NotLeaving", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondNotOwner represents a NotOwner error raised by the PromiseBond contract.
type PromiseBondNotOwner struct {
	Caller common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotOwner(address caller)
func PromiseBondNotOwnerErrorID() common.Hash {
	return common.HexToHash("0x245aecd3fabbd17d6c3c92dc7f0ab916ea8cbf6fc1862c8b56893090ac3fff4c")
}

// UnpackNotOwnerError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotOwner(address caller)
func (promiseBond *PromiseBond) UnpackNotOwnerError(raw []byte) (*PromiseBondNotOwner, error) {
	out := new(PromiseBondNotOwner)
	if err := promiseBond.abi.UnpackIntoInterface(out, "NotOwner", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondOpenChallenges represents a OpenChallenges error raised by the PromiseBond contract.
type PromiseBondOpenChallenges struct {
	Count *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OpenChallenges(uint256 count)
func PromiseBondOpenChallengesErrorID() common.Hash {
	return common.HexToHash("0x8c0f5c935ce4f45ebc556e198c9bfb016fc1148d77bccad9bf4a6386042cf35b")
}

// UnpackOpenChallengesError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OpenChallenges(uint256 count)
func (promiseBond *PromiseBond) UnpackOpenChallengesError(raw []byte) (*PromiseBondOpenChallenges, error) {
	out := new(PromiseBondOpenChallenges)
	if err := promiseBond.abi.UnpackIntoInterface(out, "OpenChallenges", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondPaymentFailed represents a PaymentFailed error raised by the PromiseBond contract.
type PromiseBondPaymentFailed struct {
	To common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error PaymentFailed(address to)
func PromiseBondPaymentFailedErrorID() common.Hash {
	return common.HexToHash("0x36899e48161ee4504f5f89aa55f7aed73460d464cb62f64e03057df7dbcdd0aa")
}

// UnpackPaymentFailedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error PaymentFailed(address to)
func (promiseBond *PromiseBond) UnpackPaymentFailedError(raw []byte) (*PromiseBondPaymentFailed, error) {
	out := new(PromiseBondPaymentFailed)
	if err := promiseBond.abi.UnpackIntoInterface(out, "PaymentFailed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondTooEarly represents a TooEarly error raised by the PromiseBond contract.
type PromiseBondTooEarly struct {
	Time *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error TooEarly(uint256 time)
func PromiseBondTooEarlyErrorID() common.Hash {
	return common.HexToHash("0x2a35a3246d5070e2b118858c24c2c4d23eaebe645b92ab746b92dd600c35a9d7")
}

// UnpackTooEarlyError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error TooEarly(uint256 time)
func (promiseBond *PromiseBond) UnpackTooEarlyError(raw []byte) (*PromiseBondTooEarly, error) {
	out := new(PromiseBondTooEarly)
	if err := promiseBond.abi.UnpackIntoInterface(out, "TooEarly", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// PromiseBondTooLate represents a TooLate error raised by the PromiseBond contract.
type PromiseBondTooLate struct {
	Time *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error TooLate(uint256 time)
func PromiseBondTooLateErrorID() common.Hash {
	return common.HexToHash("0x691e5682c05af91a82d806fceac093f8891d2c453dfc42c67196c1ccdb7b8be1")
}

// UnpackTooLateError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error TooLate(uint256 time)
func (promiseBond *PromiseBond) UnpackTooLateError(raw []byte) (*PromiseBondTooLate, error) {
	out := new(PromiseBondTooLate)
	if err := promiseBond.abi.UnpackIntoInterface(out, "TooLate", raw); err != nil {
		return nil, err
	}
	return out, nil
}
