package proofs_test

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// TestRangeTree compares with ranges that grow one by one, at every count and number. That those agree
// with the contract is in the golden vectors.
func TestRangeTree(t *testing.T) {
	const most = 70
	var tree proofs.RangeTree
	var hashes []proofs.Hash
	var r proofs.Range
	ranges := []proofs.Range{{}}
	if tree.Count() != 0 || len(tree.Peaks(0)) != 0 {
		t.Error("an empty tree holds something")
	}
	for i := range most {
		hashes = append(hashes, wordHash(i))
		tree.Append(hashes[i])
		r.Append(hashes[i])
		ranges = append(ranges, proofs.Range{Count: r.Count, Peaks: slices.Clone(r.Peaks)})
	}
	for count := uint64(1); count <= most; count++ {
		want := slices.DeleteFunc(shownPeaks(ranges[count]), proofs.Hash.IsZero)
		slices.Reverse(want)
		if d := cmp.Diff(want, tree.Peaks(count)); d != "" {
			t.Fatalf("peaks of %d (want, got):\n%s", count, d)
		}
		for number := range count {
			if d := cmp.Diff(proofs.ProveRange(hashes[:count], number), tree.Prove(number, count)); d != "" {
				t.Fatalf("path of %d in %d (want, got):\n%s", number, count, d)
			}
		}
	}
	if tree.Count() != most {
		t.Errorf("%d batches, want %d", tree.Count(), most)
	}
}

// someHead has peaks at heights 4, 2 and 0.
func someHead() proofs.Head {
	return proofs.Head{
		Place: goldenChain.Place(), Batches: 21, Messages: 400, Peaks: []proofs.Hash{wordHash(1), wordHash(2), wordHash(3)},
		Block: proofs.BlockRef{Number: 7_412_099, Hash: wordHash(4)},
	}
}

// TestHeadLeaf holds the leaf to go-ethereum's ABI encoder.
func TestHeadLeaf(t *testing.T) {
	h := someHead()
	kind := func(name string) abi.Argument {
		typ, err := abi.NewType(name, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return abi.Argument{Type: typ}
	}
	var args abi.Arguments
	for _, name := range strings.Fields("bytes32 uint256 address bytes32 uint256 uint256 bytes32 uint256 bytes32") {
		args = append(args, kind(name))
	}
	number := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
	data, err := args.Pack(
		crypto.Keccak256Hash([]byte("Head(uint256 chainId,address anchorLog,bytes32 log,uint256 batches,uint256 messages,bytes32 peaks,uint256 blockNumber,bytes32 blockHash)")),
		number(h.ChainID), common.Address(h.AnchorLog), h.Log, number(h.Batches), number(h.Messages),
		crypto.Keccak256Hash(h.Peaks[0][:], h.Peaks[1][:], h.Peaks[2][:]), number(h.Block.Number), h.Block.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, h.LeafData()) {
		t.Errorf("leaf data %x, want %x", h.LeafData(), data)
	}
	if want := proofs.Hash(crypto.Keccak256Hash([]byte{0}, data)); h.Leaf() != want {
		t.Errorf("leaf %s, want %s", h.Leaf(), want)
	}
}

func TestHeadRange(t *testing.T) {
	h := someHead()
	want := []proofs.Hash{wordHash(3), {}, wordHash(2), {}, wordHash(1)}
	if r := h.Range(); r.Count != 21 || !slices.Equal(r.Peaks, want) {
		t.Errorf("range %+v, want 21 batches and %v", r, want)
	}
}

func TestParseHead(t *testing.T) {
	want := someHead()
	block := want.Format()
	got, err := proofs.ParseHead(block)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, got); d != "" {
		t.Errorf("head (want, got):\n%s", d)
	}
	full := proofs.Head{Place: want.Place, Batches: 1<<32 - 1, Messages: 1<<64 - 1, Block: proofs.BlockRef{Number: 1<<64 - 1}}
	full.Peaks = slices.Repeat([]proofs.Hash{wordHash(5)}, 32)
	if _, err := proofs.ParseHead(full.Format()); err != nil {
		t.Errorf("the largest head: %v", err)
	}
	for i := range block {
		if h, err := proofs.ParseHead(block[:i]); err == nil {
			t.Errorf("cut at %d: %+v", i, h)
		}
		for bit := range 8 {
			changed := bytes.Clone(block)
			changed[i] ^= 1 << bit
			if h, err := proofs.ParseHead(changed); err == nil && (cmp.Equal(&want, h) || !bytes.Equal(h.Format(), changed)) {
				t.Errorf("bit %d of byte %d is read and not kept", bit, i)
			}
		}
	}
	if _, err := proofs.ParseHead(append(block, 0)); err == nil {
		t.Error("a byte after it")
	}
	if _, err := proofs.ParseHead(make([]byte, 2049)); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("2,049 bytes: %v", err)
	}
	for name, f := range map[string]func(*proofs.Head){
		"no batch":      func(h *proofs.Head) { h.Batches, h.Peaks = 0, nil },
		"2^32 batches":  func(h *proofs.Head) { h.Batches, h.Peaks = 1<<32, h.Peaks[:1] },
		"few messages":  func(h *proofs.Head) { h.Messages = 20 },
		"a peak less":   func(h *proofs.Head) { h.Peaks = h.Peaks[:2] },
		"a peak more":   func(h *proofs.Head) { h.Peaks = append(h.Peaks, h.Peaks[0]) },
		"other batches": func(h *proofs.Head) { h.Batches = 20 },
	} {
		h := someHead()
		f(&h)
		if _, err := proofs.ParseHead(h.Format()); err == nil {
			t.Errorf("accepted: %s", name)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	h := someHead()
	f.Add(h.Format())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := proofs.ParseHead(b)
		if err != nil {
			return
		}
		if !bytes.Equal(h.Format(), b) {
			t.Fatalf("%x is read as %+v, which is written otherwise", b, h)
		}
		if r := h.Range(); r.Count != h.Batches {
			t.Fatalf("range of %d batches, head of %d", r.Count, h.Batches)
		}
	})
}

// goldenFoldPlace is where the golden head is folded to.
var goldenFoldPlace = proofs.Place{ChainID: 11_155_111, AnchorLog: proofs.Address{0xd5, 0x83, 0x12}, Log: wordHash(90)}

// foldAt anchors the head of a log of n batches, of which the world's is one, on another made-up chain.
func (w *world) foldAt(t *testing.T, n uint64) *proofs.Fold {
	t.Helper()
	var tree proofs.RangeTree
	for i := range n {
		hash := w.batch.Hash()
		if i != w.batch.Number {
			hash = wordHash(800 + int(i))
		}
		tree.Append(hash)
	}
	messages := w.batch.First + w.batch.Size + 10*(n-1-w.batch.Number)
	f := &proofs.Fold{Place: goldenFoldPlace, Path: tree.Prove(w.batch.Number, n), Head: proofs.Head{
		Place: w.chain.Place(), Batches: n, Messages: messages, Peaks: tree.Peaks(n), Block: proofs.BlockRef{Number: 7_412_099, Hash: wordHash(91)},
	}}
	f.Batch = proofs.Batch{Number: 3, Root: f.Head.Leaf(), First: 3, Size: 1, Time: w.batch.Time + 3600, CID: proofs.BlockDigest(f.Head.Format())}
	w.anchorFold(t, f)
	return f
}

// anchorFold puts the fold's batch into a block of its chain.
func (w *world) anchorFold(t *testing.T, f *proofs.Fold) {
	t.Helper()
	other := world{chain: proofs.Chain{ChainID: f.ChainID, AnchorLog: f.AnchorLog, Log: f.Log}, batch: f.Batch}
	other.anchorIn(t, 40, 17, 2)
	f.Anchor = other.anchor
}

// folded returns the finalized receipt of message i with the fold.
func (w *world) folded(t *testing.T, i int, f *proofs.Fold) *proofs.Receipt {
	rc := w.receipt(t, i, proofs.Finalized)
	rc.Fold = f
	return rc
}

// foldTrust names the log and the one that it is folded to.
func (w *world) foldTrust() *proofs.Trust {
	trust := w.trust()
	p := goldenFoldPlace
	trust.Logs = append(trust.Logs, proofs.TrustedLog{Name: "heads", Chain: proofs.Chain{ChainID: p.ChainID, AnchorLog: p.AnchorLog, Log: p.Log}})
	return trust
}

// foldChange is one field of a fold altered. Anchored anew says that the head's leaf, the root and the
// other chain's block are made to fit, so that only the head's own content is wrong.
type foldChange struct {
	name  string
	says  string
	alter func(*proofs.Fold)
	anew  bool
}

var foldChanges = []foldChange{
	{"chain of its own", "own chain", func(f *proofs.Fold) { f.ChainID = f.Head.ChainID }, false},
	{"anchorLog", "anchorLog", func(f *proofs.Fold) { f.AnchorLog[0] ^= 1 }, false},
	{"log", "topics", func(f *proofs.Fold) { f.Log[0] ^= 1 }, false},
	{"batches", "not the head", func(f *proofs.Fold) { f.Head.Batches ^= 32 ^ 1 }, false},
	{"messages", "not the head", func(f *proofs.Fold) { f.Head.Messages++ }, false},
	{"head block number", "not the head", func(f *proofs.Fold) { f.Head.Block.Number++ }, false},
	{"head block hash", "not the head", func(f *proofs.Fold) { f.Head.Block.Hash[0] ^= 1 }, false},
	{"a peak", "not the head", func(f *proofs.Fold) { f.Head.Peaks[1][0] ^= 1 }, false},
	{"peaks swapped", "not the head", func(f *proofs.Fold) { p := f.Head.Peaks; p[0], p[1] = p[1], p[0] }, false},
	{"a peak less", "have 3 peaks, not 2", func(f *proofs.Fold) { f.Head.Peaks = f.Head.Peaks[:2] }, false},
	{"a sibling", "do not give a peak", func(f *proofs.Fold) { f.Path[0][0] ^= 1 }, false},
	{"a sibling less", "do not give a peak", func(f *proofs.Fold) { f.Path = f.Path[:1] }, false},
	{"a sibling more", "do not give a peak", func(f *proofs.Fold) { f.Path = append(f.Path, wordHash(1)) }, false},
	{"number", "topics", func(f *proofs.Fold) { f.Batch.Number++ }, false},
	{"root", "not the head", func(f *proofs.Fold) { f.Batch.Root[0] ^= 1 }, false},
	{"first", "data", func(f *proofs.Fold) { f.Batch.First++ }, false},
	{"size", "not the head", func(f *proofs.Fold) { f.Batch.Size = 2 }, false},
	{"time", "time", func(f *proofs.Fold) { f.Batch.Time++ }, false},
	{"cid", "data", func(f *proofs.Fold) { f.Batch.CID[0] ^= 1 }, false},
	{"blockNumber", "header is of block", func(f *proofs.Fold) { f.Anchor.Block.Number++ }, false},
	{"blockHash", "does not hash", func(f *proofs.Fold) { f.Anchor.Block.Hash[0] ^= 1 }, false},
	{"header", "header", func(f *proofs.Fold) { f.Anchor.Header[9] ^= 1 }, false},
	{"txIndex", "transaction receipt", func(f *proofs.Fold) { f.Anchor.TxIndex++ }, false},
	{"logIndex", "anchorLog", func(f *proofs.Fold) { f.Anchor.LogIndex-- }, false},
	{"a node less", "transaction receipt", func(f *proofs.Fold) { f.Anchor.Proof = f.Anchor.Proof[:1] }, false},
	{"a node", "transaction receipt", func(f *proofs.Fold) { f.Anchor.Proof[1][40] ^= 1 }, false},
	{"head without the batch", "not among", func(f *proofs.Fold) { f.Head.Batches, f.Head.Peaks, f.Path = 2, f.Head.Peaks[:1], nil }, true},
	{"head of other batches", "do not give a peak", func(f *proofs.Fold) { f.Head.Peaks[0][0] ^= 1 }, true},
	{"head with too few messages", "holds", func(f *proofs.Fold) { f.Head.Messages = 12 + 18 - 1 }, true},
	{"head with too many messages", "holds", func(f *proofs.Fold) { f.Head.Messages = 12 + 18*(1<<32-1) + 1 }, true},
	{"head below the block", "at or below", func(f *proofs.Fold) { f.Head.Block.Number = 7_412_054 }, true},
	{"head in another block of that number", "at or below", func(f *proofs.Fold) { f.Head.Block.Number = 7_412_055 }, true},
	{"head of another log", "not the head", func(f *proofs.Fold) {
		h := f.Head
		h.Log[0] ^= 1
		f.Batch.Root = h.Leaf()
	}, true},
	{"head on another chain", "not the head", func(f *proofs.Fold) {
		h := f.Head
		h.ChainID++
		f.Batch.Root = h.Leaf()
	}, true},
	{"batch of two heads", "not the head", func(f *proofs.Fold) {
		f.Batch.Root, f.Batch.Size = proofs.HashNode(f.Head.Leaf(), f.Head.Leaf()), 2
	}, true},
	{"bare leaf data", "not the head", func(f *proofs.Fold) { f.Batch.Root = proofs.Keccak(f.Head.LeafData()) }, true},
}

// make returns the fold altered.
func (c foldChange) make(t *testing.T, w *world) *proofs.Fold {
	t.Helper()
	f := w.foldAt(t, 21)
	root := f.Batch.Root
	c.alter(f)
	if !c.anew {
		return f
	}
	if f.Batch.Root == root {
		f.Batch.Root = f.Head.Leaf()
	}
	w.anchorFold(t, f)
	return f
}

// TestVerifyFold alters each field of a fold.
func TestVerifyFold(t *testing.T) {
	w := newWorld(t)
	for _, n := range []uint64{3, 4, 5, 21, 1000} {
		f := w.foldAt(t, n)
		h, err := proofs.VerifyFold(f, w.batch, w.anchor.Block)
		if err != nil || h.Hash != f.Anchor.Block.Hash || h.Time != f.Batch.Time {
			t.Errorf("head of %d batches: %+v, %v", n, h, err)
		}
	}
	at := w.foldAt(t, 3)
	at.Head.Block = w.anchor.Block
	at.Batch.Root = at.Head.Leaf()
	w.anchorFold(t, at)
	if _, err := proofs.VerifyFold(at, w.batch, w.anchor.Block); err != nil {
		t.Errorf("head in the batch's own block: %v", err)
	}
	o := proofs.Options{Trust: w.foldTrust(), BlockHash: w.anchor.Block.Hash}
	for _, c := range foldChanges {
		f := c.make(t, w)
		h, err := proofs.VerifyFold(f, w.batch, w.anchor.Block)
		if err == nil || h != (proofs.Header{}) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v, want %q", c.name, h, err, c.says)
		}
		o.FoldBlockHash = f.Anchor.Block.Hash
		r := proofs.Verify(w.folded(t, 0, f).Format(), o)
		if r.Verdict != proofs.Invalid || r.Checks[proofs.V13].Status != proofs.Fail || r.FoldHeader != nil {
			t.Errorf("%s: %s, V13 %+v", c.name, r.Verdict, r.Checks[proofs.V13])
		}
	}
	other := w.batch
	other.CID[0] ^= 1
	if _, err := proofs.VerifyFold(w.foldAt(t, 21), other, w.anchor.Block); err == nil {
		t.Error("the fold holds for another batch of that number")
	}
}

// TestFlipFold flips every bit of the fold in a receipt: none leaves it VALID for one who asks for it.
func TestFlipFold(t *testing.T) {
	w := newWorld(t)
	rc := w.folded(t, 0, w.foldAt(t, 21))
	file := rc.Format()
	o := proofs.Options{Trust: w.foldTrust(), BlockHash: w.anchor.Block.Hash, FoldBlockHash: rc.Fold.Anchor.Block.Hash}
	r := proofs.Verify(file, o)
	if r.Verdict != proofs.Valid || r.FoldHeader == nil || r.FoldHeader.Time != rc.Fold.Batch.Time {
		t.Fatalf("%s, %+v", r.Verdict, r.FoldHeader)
	}
	if d := cmp.Diff([]string{"the block hash that you supplied", "your trust file", "the hash of the fold's block that you supplied"}, r.Relied()); d != "" {
		t.Errorf("relied on (want, got):\n%s", d)
	}
	got, err := proofs.ParseReceipt(file)
	if d := cmp.Diff(rc, got); err != nil || d != "" {
		t.Errorf("%v, (want, got):\n%s", err, d)
	}
	start, end := bytes.Index(file, []byte(`"fold"`)), bytes.Index(file, []byte(`"hints"`))
	for at := start; at < end; at++ {
		for bit := range 8 {
			forged := bytes.Clone(file)
			forged[at] ^= 1 << bit
			if r := proofs.Verify(forged, o); r.Verdict == proofs.Valid && r.Receipt.Fold == nil || r.Verdict == proofs.Valid && !bytes.Equal(r.Receipt.Format(), file) {
				t.Fatalf("flipping bit %d of byte %d (%q) is VALID", bit, at, file[at])
			}
		}
	}
}
