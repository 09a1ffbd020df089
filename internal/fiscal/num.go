package fiscal

import (
	"math/big"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// Num is a decimal number as written in a document, "" when absent. Its written decimals
// matter: the SAT's tolerances depend on them.
type Num string

// Valid reports whether n is digits with an optional fraction of at most places digits and
// 18 digits before it (t_Importe of the schema has 6).
func (n Num) Valid(places int) bool {
	whole, fraction, point := strings.Cut(string(n), ".")
	return whole != "" && len(whole) <= 18 && digits(whole) && digits(fraction) &&
		point == (fraction != "") && len(fraction) <= places
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// maxDecimals bounds the work on numbers of documents from elsewhere; the schemas allow ten.
const maxDecimals = 30

// Decimals is the number of decimals written, at most maxDecimals+1.
func (n Num) Decimals() int {
	if i := strings.IndexByte(string(n), '.'); i >= 0 {
		return min(len(n)-i-1, maxDecimals+1)
	}
	return 0
}

// Rat is the value; 0 when absent or malformed. A sign and a point at either end are understood: the schemas allow them
// in some numbers of documents from elsewhere.
func (n Num) Rat() *big.Rat {
	parts := decimalPattern.FindStringSubmatch(string(n))
	if parts == nil || len(n) > 18+maxDecimals+2 {
		return new(big.Rat)
	}
	whole, fraction, _ := strings.Cut(string(n), ".")
	r, _ := new(big.Rat).SetString(whole + "." + fraction + "0")
	return r
}

// Decimal is the value as money.Decimal; 0 when absent, malformed or out of its range.
func (n Num) Decimal() money.Decimal {
	d, err := money.Parse(string(n))
	if err != nil {
		return money.Decimal{}
	}
	return d
}

func ratInt(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func sum(a, b *big.Rat) *big.Rat  { return new(big.Rat).Add(a, b) }
func diff(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func mul(a, b *big.Rat) *big.Rat  { return new(big.Rat).Mul(a, b) }

// quo is a/b, 0 when b is 0.
func quo(a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).Quo(a, b)
}

// tenth is 10^-n.
func tenth(n int) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}

type rounding int

const (
	halfUp rounding = iota
	down            // towards zero
	up              // away from zero
)

// round returns r with n decimals.
func round(r *big.Rat, n int, how rounding) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	num := new(big.Int).Mul(r.Num(), scale)
	negative := num.Sign() < 0
	num.Abs(num)
	rest := new(big.Int)
	num.QuoRem(num, r.Denom(), rest)
	switch {
	case how == halfUp && rest.Lsh(rest, 1).Cmp(r.Denom()) >= 0, how == up && rest.Sign() > 0:
		num.Add(num, big.NewInt(1))
	}
	if negative {
		num.Neg(num)
	}
	return new(big.Rat).SetFrac(num, scale)
}

// fixed writes r rounded half up with exactly n decimals.
func fixed(r *big.Rat, n int) Num { return Num(round(r, n, halfUp).FloatString(n)) }

// productLimits are the SAT's limits of a*b when both are written with limited decimals
// (CFDI40167) or, with bDecimals < 0, when b is exact (CFDI40180, CRP20261). The result has
// the decimals of the amount they are compared with.
func productLimits(a *big.Rat, aDecimals int, b *big.Rat, bDecimals, decimals int) (lo, hi *big.Rat) {
	half := ratInt(1)
	half.SetFrac64(1, 2)
	tiny := tenth(12)
	ha := mul(tenth(aDecimals), half)
	aLow, aHigh := diff(a, ha), diff(sum(a, ha), tiny)
	bLow, bHigh := b, b
	if bDecimals >= 0 {
		hb := mul(tenth(bDecimals), half)
		bLow, bHigh = diff(b, hb), diff(sum(b, hb), tiny)
	}
	return round(mul(aLow, bLow), decimals, down), round(mul(aHigh, bHigh), decimals, up)
}
