package cost

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Ether is one ether in wei, Gwei one gwei.
var (
	Ether = new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
	Gwei  = big.NewInt(1_000_000_000)
)

// units are the decimals of an amount in that unit.
var units = map[string]int{"wei": 0, "gwei": 9, "ether": 18, "eth": 18}

// maxAmount is longer than any amount of wei there can be, with its unit.
const maxAmount = 60

// ParseWei reads an amount with its unit: "0.05 ether", "0.05 ETH", "10 gwei", "1500 wei". An amount without
// a unit is in wei and whole. More decimals than the unit has, signs, exponents and separators are errors.
func ParseWei(s string) (*big.Int, error) {
	number, unit, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		unit = "wei"
	}
	decimals, known := units[strings.ToLower(strings.TrimSpace(unit))]
	if !known {
		return nil, fmt.Errorf("amount %.60q: want ether, gwei or wei after the number", s)
	}
	wei, err := parseUnits(number, decimals)
	if err != nil {
		return nil, fmt.Errorf("amount %.60q: %w", s, err)
	}
	return wei, nil
}

// parseUnits reads a decimal number of a unit that has so many decimals.
func parseUnits(s string, decimals int) (*big.Int, error) {
	whole, part, point := strings.Cut(s, ".")
	part = strings.TrimRight(part, "0")
	switch {
	case whole == "" || strings.Trim(whole+part, "0123456789") != "" || point && strings.HasSuffix(s, "."):
		return nil, errors.New("want a decimal number")
	case len(part) > decimals:
		return nil, fmt.Errorf("more than %d decimals", decimals)
	case len(whole)+decimals > maxAmount:
		return nil, errors.New("more wei than there are")
	}
	wei, _ := new(big.Int).SetString(whole+part+strings.Repeat("0", decimals-len(part)), 10)
	return wei, nil
}

// FormatEther returns wei in ether, exactly: "0.0098", "12", "0.000000000000000001".
func FormatEther(wei *big.Int) string { return formatUnits(wei, 18) }

// FormatGwei returns wei in gwei, exactly.
func FormatGwei(wei *big.Int) string { return formatUnits(wei, 9) }

func formatUnits(wei *big.Int, decimals int) string {
	digits := new(big.Int).Abs(wei).String()
	if n := decimals + 1 - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	whole, part := digits[:len(digits)-decimals], strings.TrimRight(digits[len(digits)-decimals:], "0")
	if part != "" {
		whole += "." + part
	}
	if wei.Sign() < 0 {
		whole = "-" + whole
	}
	return whole
}

// Round returns r as a decimal number of about so many significant digits, without an exponent.
func Round(r *big.Rat, digits int) string {
	f, _ := new(big.Rat).Abs(r).Float64()
	if f == 0 {
		return "0"
	}
	s := r.FloatString(max(0, digits-1-int(math.Floor(math.Log10(f)))))
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// RoundEther returns wei in ether, of about four significant digits.
func RoundEther(wei *big.Int) string { return Round(new(big.Rat).SetFrac(wei, Ether), 4) }

// RoundGwei returns wei in gwei, of about four significant digits.
func RoundGwei(wei *big.Int) string { return Round(new(big.Rat).SetFrac(wei, Gwei), 4) }

// Count returns a number with a comma before each three digits.
func Count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
