package money

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAddSubOverflow(t *testing.T) {
	overflow := &Error{Code: CodeOverflow}
	for _, c := range []struct{ a, b, sum, diff Minor }{
		{1, 2, 3, -1}, {5, -7, -2, 12}, {0, 0, 0, 0}, {math.MaxInt64, 0, math.MaxInt64, math.MaxInt64},
	} {
		if got, err := c.a.Add(c.b); err != nil || got != c.sum {
			t.Errorf("%d+%d = %d, %v", c.a, c.b, got, err)
		}
		if got, err := c.a.Sub(c.b); err != nil || got != c.diff {
			t.Errorf("%d-%d = %d, %v", c.a, c.b, got, err)
		}
	}
	if _, err := Minor(math.MaxInt64).Add(1); !errors.Is(err, overflow) {
		t.Errorf("max+1: %v", err)
	}
	if _, err := Minor(math.MinInt64).Add(-1); !errors.Is(err, overflow) {
		t.Errorf("min-1: %v", err)
	}
	if _, err := Minor(math.MinInt64).Sub(1); !errors.Is(err, overflow) {
		t.Errorf("min-1: %v", err)
	}
	if _, err := Minor(0).Sub(math.MinInt64); !errors.Is(err, overflow) {
		t.Errorf("0-min: %v", err)
	}
	if _, err := Sum(MaxMinor, math.MaxInt64); !errors.Is(err, overflow) {
		t.Errorf("Sum: %v", err)
	}
}

func TestMulRateRoundsHalfAwayFromZero(t *testing.T) {
	for _, c := range []struct {
		m    Minor
		rate string
		want Minor
	}{
		{100, "0.005", 1}, {-100, "0.005", -1}, {99, "0.005", 0}, {100, "0.004999", 0}, {-99, "0.005", 0},
		{100000, "0.106667", 10667}, {1293103, "0.16", 206896}, {333, "0", 0},
	} {
		if got, err := c.m.MulRate(Must(c.rate)); err != nil || got != c.want {
			t.Errorf("%d * %s = %d, %v; want %d", c.m, c.rate, got, err, c.want)
		}
	}
}

// The rounding rule against arbitrary precision.
func TestMulDivExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b"), rapid.Int64().Draw(t, "c")
		got, err := mulDiv(a, b, c)
		if c == 0 {
			if !errors.Is(err, &Error{Code: CodeDivisionByZero}) {
				t.Fatalf("division by zero: %v", err)
			}
			return
		}
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		sign := product.Sign() * big.NewInt(c).Sign()
		double := new(big.Int).Mul(product.Abs(product), big.NewInt(2))
		divisor := new(big.Int).Abs(big.NewInt(c))
		double.Add(double, divisor)
		want := double.Quo(double, divisor.Mul(divisor, big.NewInt(2))) // (2p+c) / 2c
		want.Mul(want, big.NewInt(int64(sign)))
		fits := want.CmpAbs(big.NewInt(math.MaxInt64)) <= 0
		if fits != (err == nil) || fits && want.Int64() != got {
			t.Fatalf("%d*%d/%d = %d, %v; want %s", a, b, c, got, err, want)
		}
	})
}

func TestAllocate(t *testing.T) {
	for _, c := range []struct {
		total   Minor
		weights []Minor
		want    []Minor
	}{
		{20000, []Minor{30000, 10000}, []Minor{15000, 5000}},
		{100, []Minor{1, 1, 1}, []Minor{34, 33, 33}},
		{-100, []Minor{1, 1, 1}, []Minor{-34, -33, -33}},
		{5, []Minor{0, 3, 0}, []Minor{0, 5, 0}},
		{1, []Minor{1, 3}, []Minor{0, 1}},
		{1, []Minor{1, 1}, []Minor{1, 0}},
		{0, []Minor{1, 2}, []Minor{0, 0}},
		{math.MinInt64, []Minor{math.MaxInt64}, []Minor{math.MinInt64}},
	} {
		got, err := Allocate(c.total, c.weights)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Allocate(%d, %v) = %v, %v; want %v", c.total, c.weights, got, err, c.want)
		}
	}
	for _, weights := range [][]Minor{nil, {0, 0}, {1, -1}, {math.MaxInt64, 1}} {
		if _, err := Allocate(10, weights); !errors.Is(err, &Error{Code: CodeInvalidWeights}) {
			t.Errorf("weights %v: %v", weights, err)
		}
	}
}

func TestAllocateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := Minor(rapid.Int64Range(-1_000_000_000, 1_000_000_000).Draw(t, "total"))
		raw := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 20).Draw(t, "weights")
		weights := make([]Minor, len(raw))
		var sum int64
		for i, w := range raw {
			weights[i], sum = Minor(w), sum+w
		}
		parts, err := Allocate(total, weights)
		if sum == 0 {
			if err == nil {
				t.Fatal("zero weights accepted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := Sum(parts...); got != total {
			t.Fatalf("parts %v add up to %d, not %d", parts, got, total)
		}
		for i, p := range parts { // |p*sum - total*w| < sum: less than one unit away
			diff := int64(p)*sum - int64(total)*raw[i]
			if diff >= sum || diff <= -sum {
				t.Fatalf("part %d of %v is %d", i, weights, p)
			}
		}
	})
}

func TestCurrencies(t *testing.T) {
	for _, c := range Currencies() {
		if !c.Valid() || c.Decimals() != 2 {
			t.Errorf("%s: valid %v, %d decimals", c, c.Valid(), c.Decimals())
		}
	}
	for _, c := range []Currency{"", "mxn", "XXX", "GBP"} {
		if c.Valid() {
			t.Errorf("%q is valid", c)
		}
	}
}

func TestErrorsHaveMessages(t *testing.T) {
	for _, code := range []string{CodeRequired, CodeInvalid, CodeTooManyDecimals, CodeTooLarge, CodeOverflow, CodeDivisionByZero, CodeInvalidWeights} {
		e := &Error{Code: code}
		if es, en := e.Message("es-MX"), e.Message("en-US"); es == "" || en == "" || es == en {
			t.Errorf("%s: %q, %q", code, es, en)
		}
	}
}
