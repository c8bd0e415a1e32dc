package anchor

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// factory is the deterministic deployment proxy, at the same address on every chain that has it. It
// takes a salt and creation code. https://github.com/Arachnid/deterministic-deployment-proxy
var factory = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

// deploySalt is the salt of every deployment.
var deploySalt common.Hash

// openGas is what open uses, measured with a salt of 32 bytes that are not zero, as a hash has. It is 12 less for
// each zero byte of salt and submitter: docs/contracts.md measured 68,873 with a short salt.
const openGas = 69_209

func initcode() []byte { return common.FromHex(bindings.AnchorLogMetaData.Bin) }

// ContractAddress returns where Deploy puts AnchorLog on every chain. It commits to the code.
func ContractAddress() proofs.Address {
	return proofs.Address(crypto.CreateAddress2(factory, deploySalt, crypto.Keccak256(initcode())))
}

// ProxyAddress returns the deterministic deployment proxy that Deploy uses.
func ProxyAddress() proofs.Address { return proofs.Address(factory) }

// Site is what a chain holds of a log, all of it at one block.
type Site struct {
	Log      proofs.Chain
	Block    nodes.Block    // the newest
	Proxy    bool           // the deployment proxy is there
	CodeHash proofs.Hash    // of the contract; zero: no code
	Ours     bool           // the code is the AnchorLog of this version
	Owner    proofs.Address // of the log; zero: it was never opened
	Head     Head           // of the log
	Peaks    []Peak         // of the log's mountain range, lowest first
}

// Peak is the root of a perfect tree of 2^Height batches.
type Peak struct {
	Height int
	Hash   proofs.Hash
}

// ReadSite reads what the chain holds of the log. Where the contract is missing or is another, there is
// no more to read, and that is no error.
func ReadSite(ctx context.Context, q *nodes.Quorum, log proofs.Chain) (*Site, error) {
	b, err := q.Head(ctx)
	if err != nil {
		return nil, err
	}
	s := &Site{Log: log, Block: *b}
	proxy, err := q.Code(ctx, b.Hash, proofs.Address(factory))
	if err != nil {
		return nil, err
	}
	s.Proxy = len(proxy) > 0
	code, err := q.Code(ctx, b.Hash, log.AnchorLog)
	if err != nil {
		return nil, err
	}
	if len(code) > 0 {
		s.CodeHash = proofs.Keccak(code)
	}
	if s.Ours = IsOurs(code); !s.Ours {
		return s, nil
	}
	return s, s.readLog(ctx, q)
}

// IsOurs reports whether deployed code is the AnchorLog of this version.
func IsOurs(code []byte) bool { return checkCode(code, proofs.Chain{}) == nil }

// ReadOwner returns who owns the log, as of a block; zero: it was never opened.
func ReadOwner(ctx context.Context, q *nodes.Quorum, log proofs.Chain, at proofs.Hash) (proofs.Address, error) {
	out, err := q.Call(ctx, at, log.AnchorLog, contract.PackOwnerOf(log.Log))
	if err != nil {
		return proofs.Address{}, fmt.Errorf("read owner of log %s: %w", log.Log, err)
	}
	owner, err := contract.UnpackOwnerOf(out)
	if err != nil {
		return proofs.Address{}, fmt.Errorf("read owner of log %s: %w", log.Log, err)
	}
	return proofs.Address(owner), nil
}

func (s *Site) readLog(ctx context.Context, q *nodes.Quorum) error {
	var err error
	if s.Owner, err = ReadOwner(ctx, q, s.Log, s.Block.Hash); err != nil {
		return err
	}
	head, r, err := ReadRange(ctx, q, s.Log, s.Block.Hash)
	if err != nil {
		return err
	}
	s.Head = head
	for height, hash := range r.Peaks {
		if r.Count>>height&1 == 1 {
			s.Peaks = append(s.Peaks, Peak{height, hash})
		}
	}
	return nil
}

// Planned is a transaction that is to be sent. Anybody may send a deployment; what changes a log takes
// effect only from its owner.
type Planned struct {
	What  string // verb and object
	To    proofs.Address
	Data  []byte
	Value *big.Int // wei that it carries; nil: none
	// Gas is what the call uses, measured, where no node can estimate it yet: an earlier transaction of
	// the plan makes the contract that it calls. Zero: a node is asked.
	Gas uint64
}

// PlanDeploy returns what puts AnchorLog at ContractAddress: nothing if it is there.
func (s *Site) PlanDeploy() ([]Planned, error) {
	switch {
	case s.Ours:
		return nil, nil
	case s.Log.AnchorLog != ContractAddress():
		return nil, fmt.Errorf("deploy AnchorLog: this version has the address %s and not %s", ContractAddress(), s.Log.AnchorLog)
	case !s.Proxy:
		return nil, fmt.Errorf("deploy AnchorLog: chain %d has no deployment proxy at %s: deploy that first", s.Log.ChainID, factory)
	}
	return []Planned{{
		What: fmt.Sprintf("deploy AnchorLog at %s", s.Log.AnchorLog),
		To:   proofs.Address(factory), Data: append(deploySalt.Bytes(), initcode()...),
	}}, nil
}

// PlanOpen returns what opens the log of that salt, whose id says its owner: nothing if it is open with
// this submitter. It is an error if it has another.
func (s *Site) PlanOpen(salt proofs.Hash, submitter proofs.Address) ([]Planned, error) {
	if !s.Owner.IsZero() {
		if s.Head.Submitter != submitter {
			return nil, fmt.Errorf("open log %s: it is open with the submitter %s, not %s", s.Log.Log, s.Head.Submitter, submitter)
		}
		return nil, nil
	}
	p := Planned{
		What: fmt.Sprintf("open log %s with the submitter %s", s.Log.Log, submitter),
		To:   s.Log.AnchorLog, Data: contract.PackOpen(salt, common.Address(submitter)),
	}
	if !s.Ours {
		p.Gas = openGas
	}
	return []Planned{p}, nil
}

// PlanSetSubmitter returns what replaces the log's submitter: nothing if it is this one.
func (s *Site) PlanSetSubmitter(submitter proofs.Address) ([]Planned, error) {
	switch {
	case !s.Ours:
		return nil, fmt.Errorf("set submitter: no AnchorLog contract of this version at %s on chain %d", s.Log.AnchorLog, s.Log.ChainID)
	case s.Owner.IsZero():
		return nil, fmt.Errorf("set submitter: log %s was never opened", s.Log.Log)
	case s.Head.Submitter == submitter:
		return nil, nil
	}
	return []Planned{{
		What: fmt.Sprintf("set the submitter of log %s to %s", s.Log.Log, submitter),
		To:   s.Log.AnchorLog, Data: contract.PackSetSubmitter(s.Log.Log, common.Address(submitter)),
	}}, nil
}
