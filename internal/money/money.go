// Package money holds exact amounts: [Minor] for what is owed and paid, [Decimal] for
// quantities, unit prices and rates, and the only rounding rule of the product.
//
// Nothing in it uses floating point. Results are rounded once, at the end of a
// calculation, half up (0.5 moves away from zero, so -0.5 becomes -1), which is the rule of
// the CFDI 4.0 filling guide (SAT, Anexo 20, rounding questions 37 to 41).
package money

import (
	"math"
	"math/bits"
	"slices"
)

// Currency is an ISO 4217 code. Only the currencies of [Currencies] are valid.
type Currency string

// Currencies in which documents can be issued and paid.
const (
	MXN Currency = "MXN"
	USD Currency = "USD"
	EUR Currency = "EUR"
)

// Currencies lists the valid currencies, the default one first.
func Currencies() []Currency { return []Currency{MXN, USD, EUR} }

// Valid reports whether c is one of [Currencies].
func (c Currency) Valid() bool { return slices.Contains(Currencies(), c) }

// Decimals is the number of decimals of the currency's minor unit (c_Moneda of the SAT).
// Every currency of [Currencies] has cents.
func (c Currency) Decimals() int { return 2 }

// Minor is an amount in minor units (cents) of a currency that the owner of the value knows.
//
// Values that enter through [ParseMinor] have at most 15 digits, so a sum of nine thousand
// of the largest of them still fits; Add, Sub and [Sum] check nevertheless, because
// totals come from data that grows.
type Minor int64

// MaxMinor is the largest amount accepted from outside, in minor units: 15 digits, all of
// which survive JSON numbers, spreadsheets and the millionths of [Decimal].
const MaxMinor Minor = 9_000_000_000_000_00

// Add returns m+n, or an error with [CodeOverflow].
func (m Minor) Add(n Minor) (Minor, error) {
	sum := m + n
	if (sum > m) != (n > 0) && n != 0 {
		return 0, &Error{Code: CodeOverflow}
	}
	return sum, nil
}

// Sub returns m-n, or an error with [CodeOverflow].
func (m Minor) Sub(n Minor) (Minor, error) {
	diff := m - n
	if (diff < m) != (n > 0) && n != 0 {
		return 0, &Error{Code: CodeOverflow}
	}
	return diff, nil
}

// Sum adds amounts of one currency, or returns an error with [CodeOverflow].
func Sum(amounts ...Minor) (Minor, error) {
	var total Minor
	var err error
	for _, m := range amounts {
		if total, err = total.Add(m); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Decimal is the amount in whole units of cur: 149900 cents are 1499.
func (m Minor) Decimal(cur Currency) (Decimal, error) {
	v, err := mulDiv(int64(m), pow10(scale-cur.Decimals()), 1)
	return Decimal{v}, err
}

// MulRate returns m*rate rounded to the minor unit, for example a fee of 0.05 or an
// exchange rate between currencies with equal decimals.
func (m Minor) MulRate(rate Decimal) (Minor, error) {
	v, err := mulDiv(int64(m), rate.millionths, one)
	return Minor(v), err
}

// MulDiv returns m*num/den rounded to the minor unit, with an exact intermediate product:
// the share that num has in den.
func (m Minor) MulDiv(num, den int64) (Minor, error) {
	v, err := mulDiv(int64(m), num, den)
	return Minor(v), err
}

// Allocate splits total in proportion to weights by the largest remainder: every part is
// within one minor unit of its exact share and the parts add up to total. Ties go to the
// larger weight, then to the earlier position. Weights must not be negative and not all
// zero ([CodeInvalidWeights]); a zero weight gets nothing. A negative total gives negative parts.
func Allocate(total Minor, weights []Minor) ([]Minor, error) {
	var sum uint64
	for _, w := range weights {
		if w < 0 || sum+uint64(w) > math.MaxInt64 {
			return nil, &Error{Code: CodeInvalidWeights}
		}
		sum += uint64(w)
	}
	if sum == 0 {
		return nil, &Error{Code: CodeInvalidWeights}
	}
	amount := absolute(int64(total))
	parts := make([]Minor, len(weights))
	remainders := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := amount
	for i, w := range weights {
		hi, lo := bits.Mul64(amount, uint64(w))
		share, rem := bits.Div64(hi, lo, sum) // hi < sum because w <= sum and amount < 2^64
		parts[i], remainders[i], order[i] = Minor(share), rem, i
		left -= share
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if remainders[a] != remainders[b] {
			return compare(remainders[b], remainders[a])
		}
		return compare(weights[b], weights[a])
	})
	for _, i := range order[:left] { // fewer units are left than weights with a remainder
		parts[i]++
	}
	if total < 0 {
		for i := range parts {
			parts[i] = -parts[i]
		}
	}
	return parts, nil
}

func compare[T int64 | uint64 | Minor](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mulDiv returns a*b/c rounded half up (away from zero), through a product of 128 bits. It
// is the only place where the product rounds.
func mulDiv(a, b, c int64) (int64, error) {
	if c == 0 {
		return 0, &Error{Code: CodeDivisionByZero}
	}
	negative := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(absolute(a), absolute(b))
	divisor := absolute(c)
	if hi >= divisor {
		return 0, &Error{Code: CodeOverflow}
	}
	quotient, remainder := bits.Div64(hi, lo, divisor)
	if remainder >= divisor-remainder { // 2*remainder >= divisor, without overflow
		quotient++
		if quotient == 0 {
			return 0, &Error{Code: CodeOverflow}
		}
	}
	if quotient > math.MaxInt64 {
		return 0, &Error{Code: CodeOverflow}
	}
	if negative {
		return -int64(quotient), nil
	}
	return int64(quotient), nil
}

func absolute(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
