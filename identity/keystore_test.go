package identity_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

func newKeystore(t *testing.T) identity.Keystore {
	return identity.Keystore{Dir: filepath.Join(t.TempDir(), "keys"), Light: true}
}

func TestKeystore(t *testing.T) {
	s := newKeystore(t)
	if keys, err := s.List(); err != nil || len(keys) != 0 {
		t.Errorf("an absent folder lists %v, %v", keys, err)
	}
	var want []identity.Listed
	for _, name := range []string{"0", "alice", "bob.backup_2"} {
		key, err := s.New(name, "secret of "+name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, identity.Listed{Name: name, Address: key.Address()})
		again, err := s.Unlock(name, "secret of "+name)
		if err != nil {
			t.Fatal(err)
		}
		digest := proofs.Keccak([]byte(name))
		one, err1 := key.SignDigest(digest)
		two, err2 := again.SignDigest(digest)
		if one != two || err1 != nil || err2 != nil {
			t.Errorf("%s signs otherwise after it was stored: %v, %v", name, err1, err2)
		}
		if key, err := s.Unlock(name, "secret"); key != nil || !errors.Is(err, identity.ErrPassword) {
			t.Errorf("a wrong password gives %v, %v", key, err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "README"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := s.List()
	if d := cmp.Diff(want, keys); d != "" || err != nil {
		t.Errorf("%v, keys (want, got):\n%s", err, d)
	}
	info, err := os.Stat(filepath.Join(s.Dir, "alice.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of a key is open to others: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(s.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of keys is open to others: %v, %v", info.Mode(), err)
	}
	if key, err := s.Unlock("carol", ""); key != nil || !errors.Is(err, identity.ErrNoKey) || !strings.Contains(err.Error(), s.Dir) {
		t.Errorf("an absent key gives %v, %v", key, err)
	}
}

func TestKeyNames(t *testing.T) {
	s := newKeystore(t)
	for _, name := range []string{"", ".", "..", ".alice", "-alice", "Alice", "a/b", "../alice", "a\x00", "a b", "caf\u00e9", strings.Repeat("a", 65)} {
		for what, f := range map[string]func() (*identity.Key, error){
			"New":    func() (*identity.Key, error) { return s.New(name, "") },
			"Unlock": func() (*identity.Key, error) { return s.Unlock(name, "") },
		} {
			if key, err := f(); key != nil || err == nil || !strings.Contains(err.Error(), "a-z 0-9") {
				t.Errorf("%s(%q): %v, %v", what, name, key, err)
			}
		}
	}
	if files, err := os.ReadDir(filepath.Dir(s.Dir)); err != nil || len(files) != 0 {
		t.Errorf("a bad name left %v, %v", files, err)
	}
	if _, err := s.New(strings.Repeat("a", 64), ""); err != nil {
		t.Error(err)
	}
}

// TestNeverOverwrites makes keys of one name again, by import, and many at once: the first stays.
func TestNeverOverwrites(t *testing.T) {
	s := newKeystore(t)
	first, err := s.New("alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, "alice.json")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := s.New("alice", "secret"); key != nil || !errors.Is(err, identity.ErrKeyExists) {
		t.Errorf("a second key gives %v, %v", key, err)
	}
	if key, err := s.Import("alice", file, "secret", "other"); key != nil || !errors.Is(err, identity.ErrKeyExists) {
		t.Errorf("an import gives %v, %v", key, err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(file, again) {
		t.Errorf("the file has changed, %v", err)
	}
	if key, err := s.Unlock("alice", "secret"); err != nil || key.Address() != first.Address() {
		t.Errorf("the key has changed, %v", err)
	}

	var wg sync.WaitGroup
	made := make([]*identity.Key, 6)
	for i := range made {
		wg.Go(func() {
			var err error
			if made[i], err = s.New("bob", "secret"); err != nil && !errors.Is(err, identity.ErrKeyExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stored, err := s.Unlock("bob", "secret")
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for _, key := range made {
		if key == nil {
			continue
		}
		if winners++; key.Address() != stored.Address() {
			t.Errorf("key %s was handed out and is not stored", key.Address())
		}
	}
	if winners != 1 {
		t.Errorf("%d keys of one name were handed out", winners)
	}
	if files, err := os.ReadDir(s.Dir); err != nil || len(files) != 2 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

// foreign returns a key file as geth writes it, and its key's address.
func foreign(t *testing.T, password string) ([]byte, proofs.Address) {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	address := crypto.PubkeyToAddress(key.PublicKey)
	file, err := keystore.EncryptKey(&keystore.Key{Id: uuid.New(), Address: address, PrivateKey: key}, password, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	return file, proofs.Address(address)
}

func TestImport(t *testing.T) {
	s := newKeystore(t)
	file, address := foreign(t, "old")
	if key, err := s.Import("geth", file, "new", "new"); key != nil || !errors.Is(err, identity.ErrPassword) {
		t.Errorf("a wrong password gives %v, %v", key, err)
	}
	key, err := s.Import("geth", file, "old", "new")
	if err != nil || key.Address() != address {
		t.Fatalf("got %v, %v, want %s", key, err, address)
	}
	if key, err := s.Unlock("geth", "new"); err != nil || key.Address() != address {
		t.Errorf("got %v, %v, want %s", key, err, address)
	}
	if _, err := s.Unlock("geth", "old"); !errors.Is(err, identity.ErrPassword) {
		t.Errorf("the old password gives %v", err)
	}
	keys, err := s.List()
	if d := cmp.Diff([]identity.Listed{{Name: "geth", Address: address}}, keys); d != "" || err != nil {
		t.Errorf("%v, keys (want, got):\n%s", err, d)
	}
}

// TestImportOthers imports the example files of the Web3 Secret Storage definition: scrypt, and PBKDF2,
// which geth reads and never writes.
func TestImportOthers(t *testing.T) {
	const secret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
	key, err := crypto.HexToECDSA(secret)
	if err != nil {
		t.Fatal(err)
	}
	want := proofs.Address(crypto.PubkeyToAddress(key.PublicKey))
	file := []byte(`{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
		"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
		"kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
		"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}`)
	got, err := newKeystore(t).Import("other", file, "testpassword", "")
	if err != nil || got.Address() != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

// TestMalformedFiles: a file that is not a key is an error, whatever is wrong with it.
func TestMalformedFiles(t *testing.T) {
	s := newKeystore(t)
	file, _ := foreign(t, "secret")
	var tree map[string]any
	if err := json.Unmarshal(file, &tree); err != nil {
		t.Fatal(err)
	}
	check := func(what string, file []byte) {
		t.Helper()
		if key, err := s.Import("key", file, "secret", "secret"); key != nil || err == nil || !strings.Contains(err.Error(), "import key: ") {
			t.Errorf("%s: %v, %v", what, key, err)
		}
	}
	check("nothing", nil)
	check("no JSON", []byte("0x"+hex.EncodeToString(file)))
	check("null", []byte("null"))
	check("half", file[:len(file)/2])
	var walk func(what string, m map[string]any)
	walk = func(what string, m map[string]any) {
		for k, v := range m {
			if what+k == "address" { // a copy of what the key says itself
				continue
			}
			if sub, ok := v.(map[string]any); ok {
				walk(what+k+".", sub)
			}
			for _, bad := range []any{nil, true, "zz", -1.5, []any{}, map[string]any{}} {
				m[k] = bad
				changed, err := json.Marshal(tree)
				if err != nil {
					t.Fatal(err)
				}
				check(what+k+" as "+string(changed), changed)
			}
			m[k] = v
		}
	}
	walk("", tree)
	if files, err := os.ReadDir(filepath.Dir(s.Dir)); err != nil || len(files) != 0 {
		t.Errorf("a bad file left %v, %v", files, err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{}", `{"address":"0x12"}`} {
		if err := os.WriteFile(filepath.Join(s.Dir, "odd.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if keys, err := s.List(); err == nil || !strings.Contains(err.Error(), "odd.json") || keys != nil {
			t.Errorf("a folder with %q lists %v, %v", content, keys, err)
		}
	}
}

// TestStoreFails: a key that could not be stored is not handed out.
func TestStoreFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := identity.Keystore{Dir: dir, Light: true}
	if key, err := s.New("alice", ""); key != nil || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, %v", key, err)
	}
	if keys, err := s.List(); err == nil {
		t.Errorf("a file lists %v", keys)
	}
}
