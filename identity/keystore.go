package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/renameio/v2"
	"github.com/google/uuid"

	"github.com/hansard-dao/hansard/proofs"
)

var (
	// ErrKeyExists is wrapped when a name is taken: a key file is never overwritten.
	ErrKeyExists = errors.New("key already exists")
	// ErrNoKey is wrapped when there is no key of that name.
	ErrNoKey = errors.New("no such key")
	// ErrPassword is wrapped when the password does not open the key file.
	ErrPassword = errors.New("wrong password")
)

// Keystore is a folder of key files, NAME.json each. The zero cost is geth's standard scrypt cost.
type Keystore struct {
	Dir string
	// Light uses a scrypt cost of 4 MB and 0.1 s instead of 256 MB and 1 s, for development keys.
	Light bool
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func (s Keystore) path(name string) (string, error) {
	if !keyName.MatchString(name) {
		return "", fmt.Errorf("key name %.40q: want 1 to 64 of a-z 0-9 . _ -", name)
	}
	return filepath.Join(s.Dir, name+".json"), nil
}

// New makes a random key and stores it under the name.
func (s Keystore) New(name, password string) (*Key, error) {
	key, err := GenerateKey()
	if err == nil {
		err = s.store(name, password, key)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Import reads a key file of another program and stores its key under the name with a new password.
func (s Keystore) Import(name string, file []byte, oldPassword, password string) (*Key, error) {
	key, err := decrypt(file, oldPassword)
	if err == nil {
		err = s.store(name, password, key)
	}
	if err != nil {
		return nil, fmt.Errorf("import key: %w", err)
	}
	return key, nil
}

func (s Keystore) store(name, password string, key *Key) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("create keystore: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("store key %s: %w", name, ErrKeyExists)
	}
	n, p := keystore.StandardScryptN, keystore.StandardScryptP
	if s.Light {
		n, p = keystore.LightScryptN, keystore.LightScryptP
	}
	file, err := keystore.EncryptKey(&keystore.Key{
		Id:         uuid.New(),
		Address:    crypto.PubkeyToAddress(key.key.PublicKey),
		PrivateKey: key.key,
	}, password, n, p)
	if err != nil {
		return fmt.Errorf("encrypt key %s: %w", name, err)
	}
	if err := create(path, file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrKeyExists
		}
		return fmt.Errorf("store key %s: %w", name, err)
	}
	return nil
}

// create writes a file that is not there yet, whole or not at all, and its name durably: a key that
// was shown to somebody must not be lost. A link, unlike a rename, never replaces.
func create(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Cleanup()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Unlock opens the key of that name.
func (s Keystore) Unlock(name, password string) (*Key, error) {
	path, err := s.path(name)
	if err != nil {
		return nil, err
	}
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("unlock %s in %s: %w", name, s.Dir, ErrNoKey)
	}
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", name, err)
	}
	key, err := decrypt(file, password)
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", name, err)
	}
	return key, nil
}

// maxKDF bounds what a foreign key file may ask of this machine: geth's standard is 2^18.
const maxKDF = 1 << 20

// checkKDF refuses parameters that would take minutes or all of the memory. What it cannot read it
// leaves to the library.
func checkKDF(file []byte) error {
	var head struct {
		Crypto struct {
			KDFParams struct{ N, R, P, C, DKLen float64 }
		}
	}
	if err := json.Unmarshal(file, &head); err != nil {
		return nil
	}
	k := head.Crypto.KDFParams
	if k.N > maxKDF || k.C > 10*maxKDF || k.R > 8 || k.P > 16 || k.DKLen > 64 {
		return errors.New("key file: its key derivation asks for more than this program gives; store the key again with usual parameters")
	}
	return nil
}

// decrypt opens a key file, perhaps of another program.
func decrypt(file []byte, password string) (opened *Key, err error) {
	defer func() {
		if p := recover(); p != nil { // go-ethereum's answer to a parameter that is missing or of another type
			opened, err = nil, fmt.Errorf("key file: malformed: %v", p)
		}
	}()
	if err := checkKDF(file); err != nil {
		return nil, err
	}
	key, err := keystore.DecryptKey(file, password)
	if errors.Is(err, keystore.ErrDecrypt) {
		return nil, ErrPassword
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return NewKey(key.PrivateKey), nil
}

// Listed is a key in a keystore, still locked.
type Listed struct {
	Name    string
	Address proofs.Address // as the file says
}

// List returns the keys by name. An absent folder holds none.
func (s Keystore) List() ([]Listed, error) {
	files, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var keys []Listed
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || !keyName.MatchString(name) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(s.Dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		var head struct{ Address string }
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, fmt.Errorf("list keys: %s: %w", f.Name(), err)
		}
		address, err := proofs.ParseAddress("0x" + strings.TrimPrefix(strings.ToLower(head.Address), "0x"))
		if err != nil {
			return nil, fmt.Errorf("list keys: %s: address: %w", f.Name(), err)
		}
		keys = append(keys, Listed{name, address})
	}
	return keys, nil
}
