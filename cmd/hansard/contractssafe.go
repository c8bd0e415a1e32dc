package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

// safeFile is a batch of the Safe Transaction Builder, version 1.0 of its format.
type safeFile struct {
	Version      string   `json:"version"`
	ChainID      string   `json:"chainId"`
	CreatedAt    int64    `json:"createdAt"` // ms since 1970 UTC
	Meta         safeMeta `json:"meta"`
	Transactions []safeTx `json:"transactions"`
}

type safeMeta struct {
	Name                    string `json:"name"`
	Description             string `json:"description"`
	CreatedFromSafeAddress  string `json:"createdFromSafeAddress"`
	CreatedFromOwnerAddress string `json:"createdFromOwnerAddress"`
	Checksum                string `json:"checksum,omitempty"`
}

// safeTx is a call whose data is given as it stands, without an ABI.
type safeTx struct {
	To                   string  `json:"to"`
	Value                string  `json:"value"`
	Data                 string  `json:"data"`
	ContractMethod       *string `json:"contractMethod"`
	ContractInputsValues *string `json:"contractInputsValues"`
}

// writeSafe writes the plan for a Safe. It replaces no file.
func writeSafe(path string, chainID uint64, safe proofs.Address, plan []anchor.Planned) error {
	var what []string
	file := safeFile{
		Version: "1.0", ChainID: strconv.FormatUint(chainID, 10), CreatedAt: time.Now().UnixMilli(),
		Meta: safeMeta{Name: "Hansard", CreatedFromSafeAddress: common.Address(safe).Hex()},
	}
	for _, p := range plan {
		what = append(what, p.What)
		value := "0"
		if p.Value != nil {
			value = p.Value.String()
		}
		file.Transactions = append(file.Transactions, safeTx{To: common.Address(p.To).Hex(), Value: value, Data: fmt.Sprintf("0x%x", p.Data)})
	}
	file.Meta.Description = strings.Join(what, "; ")
	var err error
	if file.Meta.Checksum, err = safeChecksum(file); err != nil {
		return err
	}
	b, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("--safe: %s exists; name another file", path)
	}
	if err != nil {
		return usage("--safe: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}

// safeChecksum is the checksum that the Transaction Builder compares with meta.checksum: Keccak-256 of the file
// without it, and with meta.name null, in a serialization of its own: an object is its sorted keys as a JSON list,
// then each value and a comma.
func safeChecksum(file any) (string, error) {
	b, err := json.Marshal(file)
	if err != nil {
		return "", err
	}
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	if meta, ok := v["meta"].(map[string]any); ok {
		meta["name"] = nil
	}
	var out strings.Builder
	if err := serializeSafe(&out, v); err != nil {
		return "", err
	}
	return proofs.Keccak([]byte(out.String())).String(), nil
}

func serializeSafe(out *strings.Builder, v any) error {
	switch v := v.(type) {
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := serializeSafe(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	case map[string]any:
		keys := []string{}
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out.WriteByte('{')
		if err := serializeSafe(out, anys(keys)); err != nil {
			return err
		}
		for _, k := range keys {
			if err := serializeSafe(out, v[k]); err != nil {
				return err
			}
			out.WriteByte(',')
		}
		out.WriteByte('}')
		return nil
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out.WriteString(strings.TrimSuffix(text.String(), "\n"))
	return nil
}

func anys(list []string) (all []any) {
	for _, s := range list {
		all = append(all, s)
	}
	return all
}
