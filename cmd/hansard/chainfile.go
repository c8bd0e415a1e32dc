package main

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.yaml.in/yaml/v3"

	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// chainFile is a chain as a configuration says it: docs/chains has examples of the file. What the file
// does not name is zero, which means the default.
type chainFile struct {
	ChainID   uint64
	RPC       []string       // URLs, or paths of IPC sockets
	Quorum    int            // nodes that must agree; 0: more than half
	Confirm   uint64         // blocks on top that make a block final; 0: the chain's finalized tag
	Contract  proofs.Address // zero: where this version deploys
	Bond      bondChoice     // PromiseBond that the log's promises name
	LogOwner  proofs.Address // zero: the account
	FromBlock uint64
	LogWindow uint64   // blocks of one question for events; 0: the default
	MaxFee    *big.Int // wei per gas; nil: no cap
	MaxTip    *big.Int // wei per gas; nil: no cap
	CapTx     *big.Int // wei, worst case of one transaction; nil: no cap
	CapDay    *big.Int
	CapMonth  *big.Int
	OnCap     string        // delay or pay; empty: delay
	Urgent    time.Duration // before a promise's deadline; 0: the default
	OPStack   bool          // the chain charges a data fee
	Accounts  []string      // signer URIs of the submitters
}

// maxChainFile is far more than a chain file needs, in bytes.
const maxChainFile = 64 << 10

// loadChain reads a chain file. Its error is about all that is wrong in it, each with its line.
func loadChain(path string) (chainFile, error) {
	b, err := readFile(path, nil)
	if err != nil {
		return chainFile{}, err
	}
	if len(b) > maxChainFile {
		return chainFile{}, usage("read chain file %s: over the limit of %d bytes", path, maxChainFile)
	}
	file, problems := parseChain(b)
	if len(problems) > 0 {
		return chainFile{}, usage("chain file %s:\n  %s", path, strings.Join(problems, "\n  "))
	}
	return file, nil
}

// problem is something wrong at a line of the file; 0 is the file as a whole.
type problem struct {
	line int
	text string
}

// chainParser collects what is wrong.
type chainParser struct {
	file     chainFile
	problems []problem
	lines    map[string]int // of each key that stands in the file
}

// parseChain reads a chain file and returns what is wrong with it, in the order of its lines.
func parseChain(b []byte) (chainFile, []string) {
	p := chainParser{lines: map[string]int{}}
	d := yaml.NewDecoder(strings.NewReader(string(b)))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case err != nil:
		return p.file, []string{"it is not YAML, or it is empty: " + err.Error()}
	case d.Decode(&more) == nil:
		return p.file, []string{fmt.Sprintf("line %d: a second document; one file is one chain", more.Line)}
	}
	p.mapping(doc.Content[0], "", p.fields())
	p.check()
	slices.SortStableFunc(p.problems, func(a, b problem) int { return a.line - b.line })
	var texts []string
	for _, x := range p.problems {
		if x.line > 0 {
			x.text = fmt.Sprintf("line %d: %s", x.line, x.text)
		}
		texts = append(texts, x.text)
	}
	return p.file, texts
}

// setter reads the value of one key.
type setter func(n *yaml.Node) error

// fields are the keys of the file.
func (p *chainParser) fields() map[string]setter {
	f := &p.file
	return map[string]setter{
		"chain_id":     number(&f.ChainID, 1),
		"rpc":          p.list("rpc", &f.RPC, checkRPC),
		"quorum":       f.quorum,
		"finality":     f.finality,
		"contract":     address(&f.Contract),
		"bond":         f.bond,
		"log_owner":    address(&f.LogOwner),
		"from_block":   number(&f.FromBlock, 0),
		"log_window":   number(&f.LogWindow, 1),
		"max_fee_gwei": gwei(&f.MaxFee),
		"max_tip_gwei": gwei(&f.MaxTip),
		"caps": func(n *yaml.Node) error {
			p.mapping(n, "caps.", map[string]setter{"tx": amount(&f.CapTx), "day": amount(&f.CapDay), "month": amount(&f.CapMonth)})
			return nil
		},
		"on_cap":   oneOf(&f.OnCap, "delay", "pay"),
		"urgent":   duration(&f.Urgent),
		"data_fee": f.dataFee,
		"accounts": p.list("accounts", &f.Accounts, checkAccount),
	}
}

// mapping reads the keys of a mapping, each known and once.
func (p *chainParser) mapping(n *yaml.Node, prefix string, fields map[string]setter) {
	if n.Kind != yaml.MappingNode {
		what := strings.TrimSuffix(prefix, ".")
		if what == "" {
			what = "the file"
		}
		p.add(n.Line, "%s: want keys with values", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := prefix + key.Value
		set, known := fields[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			p.add(key.Line, "unknown key %.60q; known are %s", name, strings.Join(sortedKeys(fields), ", "))
			continue
		case p.lines[name] > 0:
			p.add(key.Line, "%s stands twice, first in line %d", name, p.lines[name])
			continue
		}
		p.lines[name] = key.Line
		if err := set(value); err != nil {
			p.add(value.Line, "%s: %s", name, err)
		}
	}
}

func sortedKeys(fields map[string]setter) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p *chainParser) add(line int, format string, args ...any) {
	p.problems = append(p.problems, problem{line, fmt.Sprintf(format, args...)})
}

// check looks for values that do not go together.
func (p *chainParser) check() {
	f := &p.file
	refuse := func(bad bool, key, format string, args ...any) {
		if bad {
			p.add(p.lines[key], format, args...)
		}
	}
	over := func(a, b *big.Int) bool { return a != nil && b != nil && a.Cmp(b) > 0 }
	refuse(p.lines["chain_id"] == 0, "chain_id", "chain_id is missing")
	refuse(p.lines["rpc"] == 0, "rpc", "rpc is missing")
	refuse(len(f.RPC) > 0 && f.Quorum > len(f.RPC), "quorum", "quorum: %d of %d nodes", f.Quorum, len(f.RPC))
	refuse(over(f.MaxTip, f.MaxFee), "max_tip_gwei", "max_tip_gwei is over max_fee_gwei")
	refuse(over(f.CapTx, f.CapDay), "caps.tx", "caps.tx is over caps.day")
	refuse(over(f.CapTx, f.CapMonth), "caps.tx", "caps.tx is over caps.month")
	refuse(over(f.CapDay, f.CapMonth), "caps.day", "caps.day is over caps.month")
	for i, r := range f.RPC {
		refuse(slices.Contains(f.RPC[:i], r), "rpc", "rpc: number %d is there twice: a node has one vote", i+1)
	}
	for i, a := range f.Accounts {
		refuse(slices.Contains(f.Accounts[:i], a), "accounts", "accounts: number %d is there twice", i+1)
	}
}

// scalar returns the text of a plain value.
func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		return "", errors.New("want one value")
	}
	return n.Value, nil
}

func number(v *uint64, least uint64) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		if *v, err = strconv.ParseUint(s, 10, 64); err != nil || *v < least {
			return fmt.Errorf("want a whole number of at least %d, got %.60q", least, s)
		}
		return nil
	}
}

func (f *chainFile) quorum(n *yaml.Node) error {
	var v uint64
	err := number(&v, 1)(n)
	f.Quorum = int(min(v, math.MaxInt32))
	return err
}

func (f *chainFile) bond(n *yaml.Node) error {
	s, err := scalar(n)
	if err == nil {
		f.Bond, err = parseBond(s)
	}
	return err
}

func (f *chainFile) dataFee(n *yaml.Node) error {
	var s string
	err := oneOf(&s, "none", "op-stack")(n)
	f.OPStack = s == "op-stack"
	return err
}

func (f *chainFile) finality(n *yaml.Node) error {
	s, err := scalar(n)
	if err != nil || s == "finalized" {
		return err
	}
	if f.Confirm, err = strconv.ParseUint(s, 10, 64); err != nil || f.Confirm == 0 {
		return fmt.Errorf("want finalized, or how many blocks on top make a block final, got %.60q", s)
	}
	return nil
}

func address(v *proofs.Address) setter {
	return func(n *yaml.Node) (err error) {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		*v, err = parseAddress(s)
		return err
	}
}

// parseAddress reads an address in lower case or with the checksum of EIP-55.
func parseAddress(s string) (proofs.Address, error) {
	if a, err := proofs.ParseAddress(s); err == nil {
		return a, nil
	}
	mixed, err := common.NewMixedcaseAddressFromString(s)
	switch {
	case err != nil || !strings.HasPrefix(s, "0x"):
		return proofs.Address{}, fmt.Errorf("want an address of 0x and 40 hex digits, got %.60q", s)
	case !mixed.ValidChecksum():
		return proofs.Address{}, fmt.Errorf("the checksum of address %s is wrong: a digit is, too, or write it in lower case", s)
	}
	return proofs.Address(mixed.Address()), nil
}

func gwei(v **big.Int) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		wei, err := cost.ParseWei(s + " gwei")
		if err != nil || wei.Sign() == 0 {
			return fmt.Errorf("want gwei over 0 as a decimal number, got %.60q", s)
		}
		*v = wei
		return nil
	}
}

func amount(v **big.Int) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		wei, err := cost.ParseWei(s)
		if err == nil && wei.Sign() == 0 {
			err = errors.New("want more than 0; leave the key away for no cap")
		}
		*v = wei
		return err
	}
}

func oneOf(v *string, words ...string) setter {
	return func(n *yaml.Node) (err error) {
		if *v, err = scalar(n); err == nil && !slices.Contains(words, *v) {
			err = fmt.Errorf("want %s, got %.60q", strings.Join(words, " or "), *v)
		}
		return err
	}
}

func duration(v *time.Duration) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n)
		if err != nil {
			return err
		}
		if *v, err = time.ParseDuration(s); err != nil || *v <= 0 {
			return fmt.Errorf("want a time over 0 such as 15m, got %.60q", s)
		}
		return nil
	}
}

// list reads a list of values, at least one.
func (p *chainParser) list(key string, v *[]string, check func(string) error) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			return errors.New("want a list, each in a line of its own after a dash")
		}
		for i, item := range n.Content {
			s, err := scalar(item)
			if err == nil {
				err = check(s)
			}
			if err != nil {
				p.add(item.Line, "%s: number %d: %s", key, i+1, err)
			}
			*v = append(*v, s)
		}
		return nil
	}
}

// checkRPC wants the address of a node. What is wrong is not repeated: it may hold a key.
func checkRPC(s string) error {
	u, err := url.Parse(s)
	switch {
	case err == nil && u.User != nil:
		return errors.New("it holds a user and password: secrets do not belong in this file")
	case err == nil && slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) && u.Host != "", filepath.IsAbs(s):
		return nil
	}
	return errors.New("want http://, https://, ws:// or wss:// and a host, or the whole path of an IPC socket")
}

var (
	keyDigits  = regexp.MustCompile(`[0-9a-fA-F]{41}`) // more than an address has
	accountURI = regexp.MustCompile(`^(keystore:|clef:|env:)?[^:\s]\S*$`)
)

// checkAccount wants a signer URI. What is wrong is not repeated: it may be a key.
func checkAccount(s string) error {
	if keyDigits.MatchString(s) {
		return errors.New("it may be a private key: store that with hansard keys import, replace it if it was real, and name it keystore:NAME")
	}
	if !accountURI.MatchString(s) || strings.Contains(s, ":") && accountURI.FindStringSubmatch(s)[1] == "" {
		return errors.New("want keystore:NAME, clef:PATH?address=0x... or env:VARIABLE")
	}
	return nil
}
