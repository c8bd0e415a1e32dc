package main

import (
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

var compareWei = cmp.Comparer(func(a, b *big.Int) bool {
	return a == b || a != nil && b != nil && a.Cmp(b) == 0
})

func wei(t *testing.T, s string) *big.Int {
	t.Helper()
	v, ok := new(big.Int).SetString(s, 10)
	if !ok {
		t.Fatalf("number %q", s)
	}
	return v
}

// TestChainExamples reads the documented files, of which the first has nearly every key.
func TestChainExamples(t *testing.T) {
	const dir = "../../docs/chains"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]uint64{"mainnet.yaml": 1, "sepolia.yaml": 11155111, "base.yaml": 8453, "op-mainnet.yaml": 10}
	for _, f := range files {
		got, err := loadChain(filepath.Join(dir, f.Name()))
		if err != nil || got.ChainID != ids[f.Name()] || got.ChainID == 0 {
			t.Errorf("%s: chain %d, %v", f.Name(), got.ChainID, err)
		}
		delete(ids, f.Name())
		for _, rpc := range got.RPC {
			if !strings.HasSuffix(rpc, ".example") {
				t.Errorf("%s names a real node: %s", f.Name(), rpc)
			}
		}
	}
	if len(ids) > 0 {
		t.Errorf("missing: %v", ids)
	}
	got, err := loadChain(filepath.Join(dir, "mainnet.yaml"))
	want := chainFile{
		ChainID: 1, RPC: []string{"https://rpc-a.example", "https://rpc-b.example", "https://rpc-c.example"}, Quorum: 2,
		LogOwner: proofs.Address{19: 0xa1}, FromBlock: 23850000, LogWindow: 2000,
		MaxFee: big.NewInt(30e9), MaxTip: big.NewInt(2e9),
		CapTx: big.NewInt(5e15), CapDay: big.NewInt(2e16), CapMonth: wei(t, "300000000000000000"),
		OnCap: "delay", Urgent: 30 * time.Minute, Accounts: []string{"keystore:anchor-1", "keystore:anchor-2"},
	}
	if d := cmp.Diff(want, got, compareWei); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	if got, err = loadChain(filepath.Join(dir, "base.yaml")); err != nil || !got.OPStack || got.MaxFee.Int64() != 5e8 {
		t.Errorf("base: %+v, %v", got, err)
	}
}

const goodChain = "chain_id: 5\nrpc:\n  - http://127.0.0.1:8545\n"

// TestChainProblems: each is found with its line, and no secret is repeated.
func TestChainProblems(t *testing.T) {
	key := strings.Repeat("ab", 32)
	tests := []struct{ name, in, want string }{
		{"empty", "", "it is not YAML, or it is empty: EOF"},
		{"only a comment", "# nothing\n", "it is not YAML, or it is empty: EOF"},
		{"no mapping", "- 1\n", "chain_id is missing\nrpc is missing\nline 1: the file: want keys with values"},
		{"nothing required", "quorum: 1\n", "chain_id is missing\nrpc is missing"},
		{"two documents", goodChain + "---\nchain_id: 6\n", "line 4: a second document; one file is one chain"},
		{"twice", goodChain + "chain_id: 6\n", "line 4: chain_id stands twice, first in line 1"},
		{"unknown cap", goodChain + "caps:\n  week: 1\n", `line 5: unknown key "caps.week"; known are day, month, tx`},
		{"caps are no number", goodChain + "caps: 5\n", "line 4: caps: want keys with values"},
		{"caps in the wrong order", goodChain + "caps:\n  tx: 2 gwei\n  day: 1 gwei\n  month: 1\n",
			"line 5: caps.tx is over caps.day\nline 5: caps.tx is over caps.month\nline 6: caps.day is over caps.month"},
		{"an alias", "chain_id: &x 5\nrpc: [http://127.0.0.1:1]\nquorum: *x\n", "line 3: quorum: want one value"},
		{"a merge", "<<: {chain_id: 5}\nrpc: [http://127.0.0.1:1]\n", "chain_id is missing\n" + `line 1: unknown key "<<"; known are`},
		{"nulls", "chain_id:\nrpc:\n  -\n", "line 1: chain_id: want one value\nline 3: rpc: number 1: want one value"},
		{"numbers", "chain_id: 0\nrpc: [http://127.0.0.1:1]\nquorum: -1\nlog_window: 0\nfrom_block: 1e3\n",
			`line 1: chain_id: want a whole number of at least 1, got "0"` + "\n" + `line 3: quorum: want a whole number of at least 1, got "-1"` + "\n" +
				`line 4: log_window: want a whole number of at least 1, got "0"` + "\n" + `line 5: from_block: want a whole number of at least 0, got "1e3"`},
		{"bond", goodChain + "bond: yes\n", "line 4: bond: want default, none or an address: want an address of 0x and 40 hex digits, got \"yes\""},
		{"no address", goodChain + "bond: '0x0000000000000000000000000000000000000000'\n", "line 4: bond: want default, none or an address: the zero address is written none"},
		{"quorum", goodChain + "quorum: 2\n", "line 4: quorum: 2 of 1 nodes"},
		{"votes", "chain_id: 5\nrpc: [http://127.0.0.1:1, http://127.0.0.1:1]\n", "line 2: rpc: number 2 is there twice: a node has one vote"},
		{"rpc", "chain_id: 5\nrpc: [127.0.0.1, ftp://x, 'https://u:secret@x.example', https://]\n",
			"line 2: rpc: number 1: want http://, https://, ws:// or wss:// and a host, or the whole path of an IPC socket\n" +
				"line 2: rpc: number 2: want http://, https://, ws:// or wss:// and a host, or the whole path of an IPC socket\n" +
				"line 2: rpc: number 3: it holds a user and password: secrets do not belong in this file\n" +
				"line 2: rpc: number 4: want http://, https://, ws:// or wss:// and a host, or the whole path of an IPC socket"},
		{"keys", goodChain + "accounts:\n  - " + key + "\n  - awskms:key\n  - keystore:a\n  - keystore:a\n",
			"line 4: accounts: number 4 is there twice\n" +
				"line 5: accounts: number 1: it may be a private key: store that with hansard keys import, replace it if it was real, and name it keystore:NAME\n" +
				"line 6: accounts: number 2: want keystore:NAME, clef:PATH?address=0x... or env:VARIABLE"},
		{"finality", goodChain + "finality: safe\n", `line 4: finality: want finalized, or how many blocks on top make a block final, got "safe"`},
		{"no blocks", goodChain + "finality: 0\n", `line 4: finality: want finalized, or how many blocks on top make a block final, got "0"`},
		{"a checksum", goodChain + "contract: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD'\n" + "log_owner: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n",
			"line 4: contract: the checksum of address 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD is wrong: a digit is, too, or write it in lower case"},
		{"amounts", goodChain + "max_fee_gwei: 0\nmax_tip_gwei: 1 gwei\ncaps:\n  tx: 1 dollar\n  day: 0\n",
			`line 4: max_fee_gwei: want gwei over 0 as a decimal number, got "0"` + "\n" + `line 5: max_tip_gwei: want gwei over 0 as a decimal number, got "1 gwei"` + "\n" +
				`line 7: caps.tx: amount "1 dollar": want ether, gwei or wei after the number` + "\n" + "line 8: caps.day: want more than 0; leave the key away for no cap"},
		{"tip", goodChain + "max_fee_gwei: 1\nmax_tip_gwei: 2\n", "line 5: max_tip_gwei is over max_fee_gwei"},
		{"words", goodChain + "on_cap: wait\ndata_fee: arbitrum\nurgent: 5\n",
			`line 4: on_cap: want delay or pay, got "wait"` + "\n" + `line 5: data_fee: want none or op-stack, got "arbitrum"` + "\n" + `line 6: urgent: want a time over 0 such as 15m, got "5"`},
	}
	for _, test := range tests {
		_, problems := parseChain([]byte(test.in))
		got := strings.Join(problems, "\n")
		if got != test.want && !(strings.HasSuffix(test.want, "known are") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
		if strings.Contains(got, key) || strings.Contains(got, "secret@") {
			t.Errorf("%s: a secret is repeated: %s", test.name, got)
		}
	}
	if _, problems := parseChain([]byte(goodChain)); problems != nil {
		t.Errorf("a good file: %q", problems)
	}
	anchorLog, other := proofs.Address{1}, proofs.Address{2}
	for text, want := range map[string]proofs.Address{"": bond.Address(anchorLog), "bond: default\n": bond.Address(anchorLog), "bond: none\n": {}, "bond: '" + other.String() + "'\n": other} {
		if file, problems := parseChain([]byte(goodChain + text)); problems != nil || file.Bond.of(anchorLog) != want {
			t.Errorf("%q: %s, %q", text, file.Bond.of(anchorLog), problems)
		}
	}
}

func TestChainUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain.yaml")
	if err := os.WriteFile(path, []byte(goodChain+"on_capp: pay\nprivate_key: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadChain(path)
	if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), path+":\n  line 4: unknown key \"on_capp\"") || !strings.Contains(err.Error(), "\n  line 5: unknown key \"private_key\"") {
		t.Errorf("%v", err)
	}
	if _, err := loadChain(path + "x"); exitCode(err) != exitUsage {
		t.Errorf("no file: %v", err)
	}
}

func FuzzChainFile(f *testing.F) {
	f.Add([]byte(goodChain))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, problems := parseChain(b)
		if problems == nil && (file.ChainID == 0 || len(file.RPC) == 0 || file.Quorum > len(file.RPC)) {
			t.Errorf("accepted %q", b)
		}
	})
}
