package cost

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

func rat(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("number %q", s)
	}
	return r
}

func TestParseWei(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"0", "0"}, {"1500", "1500"}, {"1500 wei", "1500"}, {"10 gwei", "10000000000"}, {"0.05 ether", "50000000000000000"},
		{"0.05 ETH", "50000000000000000"}, {"1.50 gwei", "1500000000"}, {" 1 ether ", "1000000000000000000"},
		{"0.000000000000000001 ether", "1"}, {"000.5 gwei", "500000000"}, {"115792089237316195423570985008687907853 ether",
			"115792089237316195423570985008687907853000000000000000000"},
	} {
		got, err := ParseWei(test.in)
		if err != nil || got.String() != test.want {
			t.Errorf("%q: %v, %v; want %s", test.in, got, err, test.want)
		}
	}
	for _, bad := range []string{"", " ", "ether", "-1", "+1", "1e3", "1,000", "1_000", "0x10", ".5 ether", "5. ether", "1.5", "0.5 wei",
		"0.0000000000000000001 ether", "1 finney", "1 ether ether", "1.2.3 ether", "1ether", strings.Repeat("9", 61)} {
		if got, err := ParseWei(bad); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

func TestFormatEther(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "1": "0.000000000000000001", "50000000000000000": "0.05", "12000000000000000000": "12", "-1500000000000000000": "-1.5",
	} {
		wei, _ := new(big.Int).SetString(in, 10)
		if got := FormatEther(wei); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if wei.Sign() < 0 {
			continue
		}
		if back, err := ParseWei(FormatEther(wei) + " ether"); err != nil || back.Cmp(wei) != 0 {
			t.Errorf("%s comes back as %v, %v", in, back, err)
		}
	}
	if got := FormatGwei(big.NewInt(1_500_000_001)); got != "1.500000001" {
		t.Errorf("gwei: %s", got)
	}
}

// contractCall is a signed transaction whose size under FastLZ the clients of the OP stack test, as they do the others.
const contractCall = "02f901550a758302df1483be21b88304743f94f80e51afb613d764fa61751affd3313c190a86bb870151bd62fd12adb8e41ef24f3f00000000000000" +
	"0000000000000000000000000000000000000000000000006e000000000000000000000000af88d065e77c8cc2239327c5edb3a432268e5831000000" +
	"000000000000000000000000000000000000000000000000000003c1e500000000000000000000000000000000000000000000000000000000000000" +
	"0000000000000000000000000000000000000000000000000000000000000000a0000000000000000000000000000000000000000000000000000000" +
	"00000000148c89ed219d02f1a5be012c689b4f5b731827bebe000000000000000000000000c001a033fd89cb37c31b2cba46b6466e040c61fc9b2a36" +
	"75a7f5f493ebd5ad77c497f8a07cdf65680e238392693019b4092f610222e71b7cec06449cb922b93b6a12744e"

func TestFastLZSize(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want int
	}{
		{"nothing", nil, 0},
		{"1000 ones", bytes.Repeat([]byte{1}, 1000), 21},
		{"1000 zeros", make([]byte, 1000), 21},
		{"a transaction that calls nothing", unhex(t, "dd80808094095e7baea6a6c7c4c2dfeb977efac326af552d878080808080"), 31},
		{"a call", unhex(t, contractCall), 202},
	}
	for _, test := range tests {
		if got := FastLZSize(test.data); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	for n := range 300 { // whatever the length: no byte outside is read
		if got := FastLZSize(make([]byte, n)); got > n+n/32+1 {
			t.Errorf("%d zeros: %d", n, got)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDataFee holds the formula against figures that were computed by hand from the specification.
func TestDataFee(t *testing.T) {
	d := DataFee{BaseFeeScalar: 2, BlobBaseFeeScalar: 3, L1BaseFee: big.NewInt(1_000_000_000), BlobBaseFee: big.NewInt(10_000_000)}
	for size, want := range map[int]int64{
		0:   3_203_000, // 100 bytes at least: 100e6 * (2*1e9*16 + 3*1e7) / 1e12
		170: 3_203_000, // 0.8365*170 - 42.5856 = 99.6
		202: 4_048_188, // (836,500*202 - 42,585,600) * 32.03e9 / 1e12
	} {
		if got := d.Wei(size); got.Int64() != want {
			t.Errorf("size %d: %d, want %d", size, got, want)
		}
	}
	if got := LeastBlobBaseFee(big.NewInt(16_000_000_000)); got.Int64() != 1_000_000_000 {
		t.Errorf("least blob base fee: %d", got)
	}
}

func TestSmallestBatch(t *testing.T) {
	price := rat(t, "3000")
	target := TargetWei(Target, price)
	for _, test := range []struct {
		gas  uint64
		fee  int64 // wei
		want uint64
	}{
		{40_137, 5_000_000, 603}, // 40,137 gas * 0.005 gwei * $3,000 = $0.000602055 a batch
		{40_137, 1_000_000_000, 120_412},
		{41_162, 1_000_000_000, 123_487},
		{41_162, 20_000_000_000, 2_469_721},
	} {
		wei := Anchor{Gas: test.gas, FeePerGas: big.NewInt(test.fee)}.Wei()
		n, ok := SmallestBatch(wei, target)
		if !ok || n != test.want {
			t.Errorf("%d gas at %d wei: %d messages, want %d", test.gas, test.fee, n, test.want)
		}
		if PerThousand(wei, n).Cmp(target) >= 0 || PerThousand(wei, n-1).Cmp(target) < 0 {
			t.Errorf("%d gas at %d wei: %d messages are not the least", test.gas, test.fee, n)
		}
		below := PriceBelow(PerThousand(wei, 10_000), Target)
		if Dollars(PerThousand(wei, 10_000), below).Cmp(Target) != 0 {
			t.Errorf("%d gas at %d wei: at $%s it does not cost the target", test.gas, test.fee, below.FloatString(2))
		}
	}
	if n, ok := SmallestBatch(new(big.Int).Exp(big.NewInt(10), big.NewInt(60), nil), target); ok {
		t.Errorf("%d messages are enough for everything there is", n)
	}
	if n, ok := SmallestBatch(new(big.Int), target); !ok || n != 1 {
		t.Errorf("free: %d", n)
	}
}

func TestSpent(t *testing.T) {
	var s Spent
	s.Add(10, 50_000, big.NewInt(500))
	s.Add(3, 0, nil)
	s.Add(30, 40_000, big.NewInt(300))
	if s.Batches != 2 || s.Messages != 40 || s.Gas != 90_000 || s.Wei.Int64() != 800 || s.Unknown != 1 {
		t.Errorf("%+v", s)
	}
	if got := PerThousand(s.Wei, s.Messages); got.RatString() != "20000" {
		t.Errorf("per 1,000: %s", got.RatString())
	}
	if PerThousand(big.NewInt(1), 0) != nil {
		t.Error("a price for no messages")
	}
}

func TestRound(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "1/3": "0.3333", "2/3": "0.6667", "1234567": "1234567", "1234.56": "1235", "0.00012345678": "0.0001235",
		"-0.5": "-0.5", "99999/100000": "1", "1e-18": "0.000000000000000001", "12.30": "12.3",
	} {
		if got := Round(rat(t, in), 4); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := RoundEther(big.NewInt(728_377_123_456_789)); got != "0.0007284" {
		t.Errorf("ether: %s", got)
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 123_456: "123,456", 1_234_567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
