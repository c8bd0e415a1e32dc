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

// Batch is an auto generated low-level Go binding around an user-defined struct.
type Batch struct {
	Number *big.Int
	Root   [32]byte
	First  *big.Int
	Size   *big.Int
	Time   *big.Int
	Cid    [32]byte
}

// AnchorLogMetaData contains all meta data concerning the AnchorLog contract.
var AnchorLogMetaData = bind.MetaData{
	ABI: "[{\"type\":\"function\",\"name\":\"anchor\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"batchHash\",\"inputs\":[{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]}],\"outputs\":[{\"name\":\"hash\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"pure\"},{\"type\":\"function\",\"name\":\"contains\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"name\":\"path\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"}],\"outputs\":[{\"name\":\"\",\"type\":\"bool\",\"internalType\":\"bool\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"heads\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[{\"name\":\"submitter\",\"type\":\"address\",\"internalType\":\"address\"},{\"name\":\"batches\",\"type\":\"uint32\",\"internalType\":\"uint32\"},{\"name\":\"messages\",\"type\":\"uint64\",\"internalType\":\"uint64\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"includes\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"index\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"leaf\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"batch\",\"type\":\"tuple\",\"internalType\":\"structBatch\",\"components\":[{\"name\":\"number\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"time\",\"type\":\"uint256\",\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"name\":\"path\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"},{\"name\":\"proof\",\"type\":\"bytes32[]\",\"internalType\":\"bytes32[]\"}],\"outputs\":[{\"name\":\"\",\"type\":\"bool\",\"internalType\":\"bool\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"open\",\"inputs\":[{\"name\":\"salt\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"submitter\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"nonpayable\"},{\"type\":\"function\",\"name\":\"ownerOf\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"outputs\":[{\"name\":\"owner\",\"type\":\"address\",\"internalType\":\"address\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"peak\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"height\",\"type\":\"uint256\",\"internalType\":\"uint256\"}],\"outputs\":[{\"name\":\"hash\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}],\"stateMutability\":\"view\"},{\"type\":\"function\",\"name\":\"setSubmitter\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"},{\"name\":\"submitter\",\"type\":\"address\",\"internalType\":\"address\"}],\"outputs\":[],\"stateMutability\":\"nonpayable\"},{\"type\":\"event\",\"name\":\"Anchored\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"number\",\"type\":\"uint256\",\"indexed\":true,\"internalType\":\"uint256\"},{\"name\":\"root\",\"type\":\"bytes32\",\"indexed\":false,\"internalType\":\"bytes32\"},{\"name\":\"first\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"},{\"name\":\"size\",\"type\":\"uint256\",\"indexed\":false,\"internalType\":\"uint256\"},{\"name\":\"cid\",\"type\":\"bytes32\",\"indexed\":false,\"internalType\":\"bytes32\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"Opened\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"owner\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"},{\"name\":\"salt\",\"type\":\"bytes32\",\"indexed\":false,\"internalType\":\"bytes32\"},{\"name\":\"submitter\",\"type\":\"address\",\"indexed\":false,\"internalType\":\"address\"}],\"anonymous\":false},{\"type\":\"event\",\"name\":\"SubmitterSet\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"indexed\":true,\"internalType\":\"bytes32\"},{\"name\":\"submitter\",\"type\":\"address\",\"indexed\":true,\"internalType\":\"address\"}],\"anonymous\":false},{\"type\":\"error\",\"name\":\"BadSize\",\"inputs\":[{\"name\":\"size\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"Full\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]},{\"type\":\"error\",\"name\":\"NotOwner\",\"inputs\":[{\"name\":\"caller\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"NotSubmitter\",\"inputs\":[{\"name\":\"caller\",\"type\":\"address\",\"internalType\":\"address\"}]},{\"type\":\"error\",\"name\":\"OutOfOrder\",\"inputs\":[{\"name\":\"next\",\"type\":\"uint256\",\"internalType\":\"uint256\"}]},{\"type\":\"error\",\"name\":\"Taken\",\"inputs\":[{\"name\":\"log\",\"type\":\"bytes32\",\"internalType\":\"bytes32\"}]}]",
	ID:  "AnchorLog",
	Bin: "0x6080604052348015600e575f5ffd5b50610c2b8061001c5f395ff3fe608060405234801561000f575f5ffd5b5060043610610090575f3560e01c806348dae05a1161006357806348dae05a1461016f5780636090dec5146101825780637dd5641114610195578063a8e22936146101d5578063f5d89deb146101e8575f5ffd5b80630bbfac9a146100945780630d97b0ff146100bc5780631248dc49146101395780634006383c1461015a575b5f5ffd5b6100a76100a236600461095a565b6101fb565b60405190151581526020015b60405180910390f35b6101056100ca3660046109b2565b5f602081905290815260409020546001600160a01b03811690600160a01b810463ffffffff1690600160c01b900467ffffffffffffffff1683565b604080516001600160a01b03909416845263ffffffff909216602084015267ffffffffffffffff16908201526060016100b3565b61014c6101473660046109c9565b610297565b6040519081526020016100b3565b61016d6101683660046109e9565b6102e0565b005b6100a761017d366004610a22565b610375565b61014c6101903660046109e9565b6103c8565b6101bd6101a33660046109b2565b60016020525f90815260409020546001600160a01b031681565b6040516001600160a01b0390911681526020016100b3565b61014c6101e3366004610ac1565b6104ab565b61016d6101f6366004610ae2565b6104be565b5f84815260208190526040812054600160a01b900463ffffffff1684358111610227575f91505061028f565b5f60016102368735841861070a565b6102409190610b2d565b9050838114801561028a57505f8781526002602090815260408083208484529091529020546102888686893561028361027e368d90038d018d610b40565b61072e565b61079f565b145b925050505b949350505050565b5f82815260208190526040812054600160a01b900463ffffffff16821c600190811690036102da57505f8281526002602090815260408083208484529091529020545b92915050565b5f828152600160205260409020546001600160a01b0316331461031d5760405163245aecd360e01b81523360048201526024015b60405180910390fd5b5f8281526020819052604080822080546001600160a01b0319166001600160a01b0385169081179091559051909184917f1f9848e420a703af0c26c76e55c90ce91828d4b19d3e99104c22a4adb17fb5fe9190a35050565b5f856040013588101580156103915750610391898787876101fb565b80156103bb57506103bb8383602089013560608a01356103b560408c01358e610b2d565b8c610812565b9998505050505050505050565b604080513360208201529081018390525f9060600160408051601f1981840301815291815281516020928301205f81815260019093529120549091506001600160a01b03161561042e57604051631519fa0960e31b815260048101829052602401610314565b5f81815260016020908152604080832080546001600160a01b0319908116339081179092558484529382902080546001600160a01b03881695168517905581518781529283019390935283917fc7373676fb71e2c309c9d4cdef5df6c95e9bf92ba7be7861a90d0bb509fbe0c1910160405180910390a392915050565b5f6102da61027e36849003840184610b40565b5f8581526020818152604091829020825160608101845290546001600160a01b038116808352600160a01b820463ffffffff1693830193909352600160c01b900467ffffffffffffffff1692810192909252331461053157604051630b5024e560e11b8152336004820152602401610314565b806020015163ffffffff16851461056957602081015160405163165f751360e21b815263ffffffff9091166004820152602401610314565b821580610579575063ffffffff83115b1561059a57604051633df37c2b60e11b815260048101849052602401610314565b63fffffffe1985016105c2576040516360459f8560e01b815260048101879052602401610314565b5f816040015167ffffffffffffffff1690506001826020018181516105e79190610bc3565b63ffffffff16905250604082018051859190610604908390610bdf565b67ffffffffffffffff9081169091525f89815260208181526040918290208651815483890151858a0151909616600160c01b026001600160c01b0363ffffffff909716600160a01b026001600160c01b03199092166001600160a01b0390931692909217179490941693909317909255805160c08101825289815291820188905281018390526060810186905242608082015260a081018590526106b59150889088906106b09061072e565b610864565b604080518681526020810183905290810185905260608101849052869088907fcea10ff6f06293c6bc60a2dadd41ca98d2203e5fff42ab51893cb4d4eeb78c629060800160405180910390a350505050505050565b5f5b81156107295761071b81610bff565b9050600182901c915061070c565b919050565b80516020808301516040808501516060860151608087015160a088015193515f968101879052602181019790975260418701949094526061860191909152608185015260a184019190915260c18301529060e101604051602081830303815290604052805190602001209050919050565b5f5f5b8481101561080857600184821c16156107dc576107d78686838181106107ca576107ca610c17565b90506020020135846108be565b6107fe565b6107fe838787848181106107f2576107f2610c17565b905060200201356108be565b92506001016107a2565b5090949350505050565b5f63ffffffff841180159061082657508383105b8015610843575061084061083b600186610b2d565b61070a565b86145b80156108595750846108578888868661079f565b145b979650505050505050565b5f838152600260205260408120905b8084901c6001166001036108ab575f8181526020839052604090205461089990846108be565b92506108a481610bff565b9050610873565b5f90815260209190915260409020555050565b604051600160f81b602082015260218101839052604181018290525f9060610160405160208183030381529060405280519060200120905092915050565b5f60c0828403121561090c575f5ffd5b50919050565b5f5f83601f840112610922575f5ffd5b50813567ffffffffffffffff811115610939575f5ffd5b6020830191508360208260051b8501011115610953575f5ffd5b9250929050565b5f5f5f5f610100858703121561096e575f5ffd5b8435935061097f86602087016108fc565b925060e085013567ffffffffffffffff81111561099a575f5ffd5b6109a687828801610912565b95989497509550505050565b5f602082840312156109c2575f5ffd5b5035919050565b5f5f604083850312156109da575f5ffd5b50508035926020909101359150565b5f5f604083850312156109fa575f5ffd5b8235915060208301356001600160a01b0381168114610a17575f5ffd5b809150509250929050565b5f5f5f5f5f5f5f5f610160898b031215610a3a575f5ffd5b883597506020890135965060408901359550610a598a60608b016108fc565b945061012089013567ffffffffffffffff811115610a75575f5ffd5b610a818b828c01610912565b90955093505061014089013567ffffffffffffffff811115610aa1575f5ffd5b610aad8b828c01610912565b999c989b5096995094979396929594505050565b5f60c08284031215610ad1575f5ffd5b610adb83836108fc565b9392505050565b5f5f5f5f5f60a08688031215610af6575f5ffd5b505083359560208501359550604085013594606081013594506080013592509050565b634e487b7160e01b5f52601160045260245ffd5b818103818111156102da576102da610b19565b5f60c0828403128015610b51575f5ffd5b5060405160c0810167ffffffffffffffff81118282101715610b8157634e487b7160e01b5f52604160045260245ffd5b604090815283358252602080850135908301528381013590820152606080840135908201526080808401359082015260a0928301359281019290925250919050565b63ffffffff81811683821601908111156102da576102da610b19565b67ffffffffffffffff81811683821601908111156102da576102da610b19565b5f60018201610c1057610c10610b19565b5060010190565b634e487b7160e01b5f52603260045260245ffd",
}

// AnchorLog is an auto generated Go binding around an Ethereum contract.
type AnchorLog struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *AnchorLog) GetABI() abi.ABI {
	return c.abi
}

// NewAnchorLog creates a new instance of AnchorLog.
func NewAnchorLog() *AnchorLog {
	parsed, err := AnchorLogMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &AnchorLog{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *AnchorLog) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackAnchor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf5d89deb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function anchor(bytes32 log, uint256 number, bytes32 root, uint256 size, bytes32 cid) returns()
func (anchorLog *AnchorLog) PackAnchor(log [32]byte, number *big.Int, root [32]byte, size *big.Int, cid [32]byte) []byte {
	enc, err := anchorLog.abi.Pack("anchor", log, number, root, size, cid)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAnchor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xf5d89deb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function anchor(bytes32 log, uint256 number, bytes32 root, uint256 size, bytes32 cid) returns()
func (anchorLog *AnchorLog) TryPackAnchor(log [32]byte, number *big.Int, root [32]byte, size *big.Int, cid [32]byte) ([]byte, error) {
	return anchorLog.abi.Pack("anchor", log, number, root, size, cid)
}

// PackBatchHash is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa8e22936.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function batchHash((uint256,bytes32,uint256,uint256,uint256,bytes32) batch) pure returns(bytes32 hash)
func (anchorLog *AnchorLog) PackBatchHash(batch Batch) []byte {
	enc, err := anchorLog.abi.Pack("batchHash", batch)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBatchHash is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa8e22936.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function batchHash((uint256,bytes32,uint256,uint256,uint256,bytes32) batch) pure returns(bytes32 hash)
func (anchorLog *AnchorLog) TryPackBatchHash(batch Batch) ([]byte, error) {
	return anchorLog.abi.Pack("batchHash", batch)
}

// UnpackBatchHash is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa8e22936.
//
// Solidity: function batchHash((uint256,bytes32,uint256,uint256,uint256,bytes32) batch) pure returns(bytes32 hash)
func (anchorLog *AnchorLog) UnpackBatchHash(data []byte) ([32]byte, error) {
	out, err := anchorLog.abi.Unpack("batchHash", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackContains is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0bbfac9a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function contains(bytes32 log, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path) view returns(bool)
func (anchorLog *AnchorLog) PackContains(log [32]byte, batch Batch, path [][32]byte) []byte {
	enc, err := anchorLog.abi.Pack("contains", log, batch, path)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackContains is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0bbfac9a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function contains(bytes32 log, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path) view returns(bool)
func (anchorLog *AnchorLog) TryPackContains(log [32]byte, batch Batch, path [][32]byte) ([]byte, error) {
	return anchorLog.abi.Pack("contains", log, batch, path)
}

// UnpackContains is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x0bbfac9a.
//
// Solidity: function contains(bytes32 log, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path) view returns(bool)
func (anchorLog *AnchorLog) UnpackContains(data []byte) (bool, error) {
	out, err := anchorLog.abi.Unpack("contains", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackHeads is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0d97b0ff.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function heads(bytes32 log) view returns(address submitter, uint32 batches, uint64 messages)
func (anchorLog *AnchorLog) PackHeads(log [32]byte) []byte {
	enc, err := anchorLog.abi.Pack("heads", log)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackHeads is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0d97b0ff.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function heads(bytes32 log) view returns(address submitter, uint32 batches, uint64 messages)
func (anchorLog *AnchorLog) TryPackHeads(log [32]byte) ([]byte, error) {
	return anchorLog.abi.Pack("heads", log)
}

// HeadsOutput serves as a container for the return parameters of contract
// method Heads.
type HeadsOutput struct {
	Submitter common.Address
	Batches   uint32
	Messages  uint64
}

// UnpackHeads is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x0d97b0ff.
//
// Solidity: function heads(bytes32 log) view returns(address submitter, uint32 batches, uint64 messages)
func (anchorLog *AnchorLog) UnpackHeads(data []byte) (HeadsOutput, error) {
	out, err := anchorLog.abi.Unpack("heads", data)
	outstruct := new(HeadsOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.Submitter = *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	outstruct.Batches = *abi.ConvertType(out[1], new(uint32)).(*uint32)
	outstruct.Messages = *abi.ConvertType(out[2], new(uint64)).(*uint64)
	return *outstruct, nil
}

// PackIncludes is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x48dae05a.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function includes(bytes32 log, uint256 index, bytes32 leaf, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) view returns(bool)
func (anchorLog *AnchorLog) PackIncludes(log [32]byte, index *big.Int, leaf [32]byte, batch Batch, path [][32]byte, proof [][32]byte) []byte {
	enc, err := anchorLog.abi.Pack("includes", log, index, leaf, batch, path, proof)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackIncludes is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x48dae05a.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function includes(bytes32 log, uint256 index, bytes32 leaf, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) view returns(bool)
func (anchorLog *AnchorLog) TryPackIncludes(log [32]byte, index *big.Int, leaf [32]byte, batch Batch, path [][32]byte, proof [][32]byte) ([]byte, error) {
	return anchorLog.abi.Pack("includes", log, index, leaf, batch, path, proof)
}

// UnpackIncludes is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x48dae05a.
//
// Solidity: function includes(bytes32 log, uint256 index, bytes32 leaf, (uint256,bytes32,uint256,uint256,uint256,bytes32) batch, bytes32[] path, bytes32[] proof) view returns(bool)
func (anchorLog *AnchorLog) UnpackIncludes(data []byte) (bool, error) {
	out, err := anchorLog.abi.Unpack("includes", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackOpen is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6090dec5.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function open(bytes32 salt, address submitter) returns(bytes32 log)
func (anchorLog *AnchorLog) PackOpen(salt [32]byte, submitter common.Address) []byte {
	enc, err := anchorLog.abi.Pack("open", salt, submitter)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOpen is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x6090dec5.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function open(bytes32 salt, address submitter) returns(bytes32 log)
func (anchorLog *AnchorLog) TryPackOpen(salt [32]byte, submitter common.Address) ([]byte, error) {
	return anchorLog.abi.Pack("open", salt, submitter)
}

// UnpackOpen is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x6090dec5.
//
// Solidity: function open(bytes32 salt, address submitter) returns(bytes32 log)
func (anchorLog *AnchorLog) UnpackOpen(data []byte) ([32]byte, error) {
	out, err := anchorLog.abi.Unpack("open", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackOwnerOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7dd56411.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function ownerOf(bytes32 log) view returns(address owner)
func (anchorLog *AnchorLog) PackOwnerOf(log [32]byte) []byte {
	enc, err := anchorLog.abi.Pack("ownerOf", log)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwnerOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7dd56411.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function ownerOf(bytes32 log) view returns(address owner)
func (anchorLog *AnchorLog) TryPackOwnerOf(log [32]byte) ([]byte, error) {
	return anchorLog.abi.Pack("ownerOf", log)
}

// UnpackOwnerOf is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x7dd56411.
//
// Solidity: function ownerOf(bytes32 log) view returns(address owner)
func (anchorLog *AnchorLog) UnpackOwnerOf(data []byte) (common.Address, error) {
	out, err := anchorLog.abi.Unpack("ownerOf", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackPeak is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1248dc49.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function peak(bytes32 log, uint256 height) view returns(bytes32 hash)
func (anchorLog *AnchorLog) PackPeak(log [32]byte, height *big.Int) []byte {
	enc, err := anchorLog.abi.Pack("peak", log, height)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPeak is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1248dc49.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function peak(bytes32 log, uint256 height) view returns(bytes32 hash)
func (anchorLog *AnchorLog) TryPackPeak(log [32]byte, height *big.Int) ([]byte, error) {
	return anchorLog.abi.Pack("peak", log, height)
}

// UnpackPeak is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x1248dc49.
//
// Solidity: function peak(bytes32 log, uint256 height) view returns(bytes32 hash)
func (anchorLog *AnchorLog) UnpackPeak(data []byte) ([32]byte, error) {
	out, err := anchorLog.abi.Unpack("peak", data)
	if err != nil {
		return *new([32]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([32]byte)).(*[32]byte)
	return out0, nil
}

// PackSetSubmitter is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4006383c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setSubmitter(bytes32 log, address submitter) returns()
func (anchorLog *AnchorLog) PackSetSubmitter(log [32]byte, submitter common.Address) []byte {
	enc, err := anchorLog.abi.Pack("setSubmitter", log, submitter)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetSubmitter is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x4006383c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setSubmitter(bytes32 log, address submitter) returns()
func (anchorLog *AnchorLog) TryPackSetSubmitter(log [32]byte, submitter common.Address) ([]byte, error) {
	return anchorLog.abi.Pack("setSubmitter", log, submitter)
}

// AnchorLogAnchored represents a Anchored event raised by the AnchorLog contract.
type AnchorLogAnchored struct {
	Log    [32]byte
	Number *big.Int
	Root   [32]byte
	First  *big.Int
	Size   *big.Int
	Cid    [32]byte
	Raw    *types.Log // Blockchain specific contextual infos
}

const AnchorLogAnchoredEventName = "Anchored"

// ContractEventName returns the user-defined event name.
func (AnchorLogAnchored) ContractEventName() string {
	return AnchorLogAnchoredEventName
}

// UnpackAnchoredEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Anchored(bytes32 indexed log, uint256 indexed number, bytes32 root, uint256 first, uint256 size, bytes32 cid)
func (anchorLog *AnchorLog) UnpackAnchoredEvent(log *types.Log) (*AnchorLogAnchored, error) {
	event := "Anchored"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != anchorLog.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(AnchorLogAnchored)
	if len(log.Data) > 0 {
		if err := anchorLog.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range anchorLog.abi.Events[event].Inputs {
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

// AnchorLogOpened represents a Opened event raised by the AnchorLog contract.
type AnchorLogOpened struct {
	Log       [32]byte
	Owner     common.Address
	Salt      [32]byte
	Submitter common.Address
	Raw       *types.Log // Blockchain specific contextual infos
}

const AnchorLogOpenedEventName = "Opened"

// ContractEventName returns the user-defined event name.
func (AnchorLogOpened) ContractEventName() string {
	return AnchorLogOpenedEventName
}

// UnpackOpenedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Opened(bytes32 indexed log, address indexed owner, bytes32 salt, address submitter)
func (anchorLog *AnchorLog) UnpackOpenedEvent(log *types.Log) (*AnchorLogOpened, error) {
	event := "Opened"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != anchorLog.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(AnchorLogOpened)
	if len(log.Data) > 0 {
		if err := anchorLog.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range anchorLog.abi.Events[event].Inputs {
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

// AnchorLogSubmitterSet represents a SubmitterSet event raised by the AnchorLog contract.
type AnchorLogSubmitterSet struct {
	Log       [32]byte
	Submitter common.Address
	Raw       *types.Log // Blockchain specific contextual infos
}

const AnchorLogSubmitterSetEventName = "SubmitterSet"

// ContractEventName returns the user-defined event name.
func (AnchorLogSubmitterSet) ContractEventName() string {
	return AnchorLogSubmitterSetEventName
}

// UnpackSubmitterSetEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event SubmitterSet(bytes32 indexed log, address indexed submitter)
func (anchorLog *AnchorLog) UnpackSubmitterSetEvent(log *types.Log) (*AnchorLogSubmitterSet, error) {
	event := "SubmitterSet"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != anchorLog.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(AnchorLogSubmitterSet)
	if len(log.Data) > 0 {
		if err := anchorLog.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range anchorLog.abi.Events[event].Inputs {
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
func (anchorLog *AnchorLog) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["BadSize"].ID.Bytes()[:4]) {
		return anchorLog.UnpackBadSizeError(raw[4:])
	}
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["Full"].ID.Bytes()[:4]) {
		return anchorLog.UnpackFullError(raw[4:])
	}
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["NotOwner"].ID.Bytes()[:4]) {
		return anchorLog.UnpackNotOwnerError(raw[4:])
	}
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["NotSubmitter"].ID.Bytes()[:4]) {
		return anchorLog.UnpackNotSubmitterError(raw[4:])
	}
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["OutOfOrder"].ID.Bytes()[:4]) {
		return anchorLog.UnpackOutOfOrderError(raw[4:])
	}
	if bytes.Equal(raw[:4], anchorLog.abi.Errors["Taken"].ID.Bytes()[:4]) {
		return anchorLog.UnpackTakenError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// AnchorLogBadSize represents a BadSize error raised by the AnchorLog contract.
type AnchorLogBadSize struct {
	Size *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadSize(uint256 size)
func AnchorLogBadSizeErrorID() common.Hash {
	return common.HexToHash("0x7be6f8564509d8bf8876f3beb7a828ff7d0028c644abefd66e8f4662023b060c")
}

// UnpackBadSizeError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadSize(uint256 size)
func (anchorLog *AnchorLog) UnpackBadSizeError(raw []byte) (*AnchorLogBadSize, error) {
	out := new(AnchorLogBadSize)
	if err := anchorLog.abi.UnpackIntoInterface(out, "BadSize", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// AnchorLogFull represents a Full error raised by the AnchorLog contract.
type AnchorLogFull struct {
	Log [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Full(bytes32 log)
func AnchorLogFullErrorID() common.Hash {
	return common.HexToHash("0x60459f85ec723f19c97cf27b2af21ea303969b7f9447cffbaa49a9d40ba14bcb")
}

// UnpackFullError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Full(bytes32 log)
func (anchorLog *AnchorLog) UnpackFullError(raw []byte) (*AnchorLogFull, error) {
	out := new(AnchorLogFull)
	if err := anchorLog.abi.UnpackIntoInterface(out, "Full", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// AnchorLogNotOwner represents a NotOwner error raised by the AnchorLog contract.
type AnchorLogNotOwner struct {
	Caller common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotOwner(address caller)
func AnchorLogNotOwnerErrorID() common.Hash {
	return common.HexToHash("0x245aecd3fabbd17d6c3c92dc7f0ab916ea8cbf6fc1862c8b56893090ac3fff4c")
}

// UnpackNotOwnerError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotOwner(address caller)
func (anchorLog *AnchorLog) UnpackNotOwnerError(raw []byte) (*AnchorLogNotOwner, error) {
	out := new(AnchorLogNotOwner)
	if err := anchorLog.abi.UnpackIntoInterface(out, "NotOwner", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// AnchorLogNotSubmitter represents a NotSubmitter error raised by the AnchorLog contract.
type AnchorLogNotSubmitter struct {
	Caller common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotSubmitter(address caller)
func AnchorLogNotSubmitterErrorID() common.Hash {
	return common.HexToHash("0x16a049ca9f83d1910b3891eb48d94e59809f80c6be02e8251dc3fbabd5d65eb4")
}

// UnpackNotSubmitterError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotSubmitter(address caller)
func (anchorLog *AnchorLog) UnpackNotSubmitterError(raw []byte) (*AnchorLogNotSubmitter, error) {
	out := new(AnchorLogNotSubmitter)
	if err := anchorLog.abi.UnpackIntoInterface(out, "NotSubmitter", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// AnchorLogOutOfOrder represents a OutOfOrder error raised by the AnchorLog contract.
type AnchorLogOutOfOrder struct {
	Next *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OutOfOrder(uint256 next)
func AnchorLogOutOfOrderErrorID() common.Hash {
	return common.HexToHash("0x597dd44cc7478ea8a73fdebbab500bbc4aab387138c1c4f8aaf87fa80fb3cb78")
}

// UnpackOutOfOrderError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OutOfOrder(uint256 next)
func (anchorLog *AnchorLog) UnpackOutOfOrderError(raw []byte) (*AnchorLogOutOfOrder, error) {
	out := new(AnchorLogOutOfOrder)
	if err := anchorLog.abi.UnpackIntoInterface(out, "OutOfOrder", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// AnchorLogTaken represents a Taken error raised by the AnchorLog contract.
type AnchorLogTaken struct {
	Log [32]byte
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Taken(bytes32 log)
func AnchorLogTakenErrorID() common.Hash {
	return common.HexToHash("0xa8cfd04886d5eddf25095af6c4b4b389384bb5c7a9bccaf676b2f7d2c88f85c6")
}

// UnpackTakenError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Taken(bytes32 log)
func (anchorLog *AnchorLog) UnpackTakenError(raw []byte) (*AnchorLogTaken, error) {
	out := new(AnchorLogTaken)
	if err := anchorLog.abi.UnpackIntoInterface(out, "Taken", raw); err != nil {
		return nil, err
	}
	return out, nil
}
