package money

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// scale is the number of decimals of Decimal: what CFDI 4.0 allows in Cantidad,
// ValorUnitario, Importe, Base and TasaOCuota.
const (
	scale = 6
	one   = 1_000_000
)

// Decimal is an exact number with up to six decimals, between about -9.2 and 9.2
// trillion (10^12). It is comparable with == and its zero value is 0.
type Decimal struct{ millionths int64 }

// Int returns n as a Decimal. It panics beyond ±9.2*10^12: it is meant for constants and counts.
func Int(n int64) Decimal {
	v, err := mulDiv(n, one, 1)
	if err != nil {
		panic(err)
	}
	return Decimal{v}
}

// Millionths returns n/1,000,000.
func Millionths(n int64) Decimal { return Decimal{n} }

// Must parses a constant and panics when it is malformed. Never use it on input.
func Must(s string) Decimal {
	d, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Parse reads a plain number such as "0.566667", "-3" or "1499.00", without separators,
// spaces or exponent. Zeros beyond the sixth decimal are accepted; other digits there are
// [CodeTooManyDecimals], numbers that do not fit are [CodeTooLarge].
func Parse(s string) (Decimal, error) {
	if s == "" {
		return Decimal{}, &Error{Code: CodeRequired}
	}
	v, err := parseFixed(s, scale)
	if err != nil {
		return Decimal{}, err
	}
	return Decimal{v}, nil
}

// parseFixed reads [+-]digits[.digits] into units of 10^-decimals.
func parseFixed(s string, decimals int) (int64, error) {
	digits := s
	negative := false
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if whole == "" || hasPoint && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return 0, inputError(CodeInvalid, s)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > decimals {
		return 0, inputError(CodeTooManyDecimals, s)
	}
	text := whole + fraction + strings.Repeat("0", decimals-len(fraction))
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, inputError(CodeTooLarge, s)
	}
	if negative {
		v = -v
	}
	return v, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String writes the number with as many decimals as it needs: "1499", "0.5", "-0.000001".
func (d Decimal) String() string {
	s := d.digits()
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// Fixed writes the number rounded to exactly places decimals (0 to 6): TasaOCuota is
// Fixed(6), "0.160000".
func (d Decimal) Fixed(places int) string {
	r, err := d.Round(places)
	if err != nil { // only within half a unit of the limits of int64
		r = d
	}
	s := r.digits()
	if places <= 0 {
		return s[:len(s)-scale-1]
	}
	return s[:len(s)-scale+min(places, scale)]
}

func (d Decimal) digits() string {
	abs := absolute(d.millionths)
	s := fmt.Sprintf("%d.%06d", abs/one, abs%one)
	if d.millionths < 0 {
		s = "-" + s
	}
	return s
}

// Decimals is the number of decimals that String writes, 0 to 6.
func (d Decimal) Decimals() int {
	n := scale
	for v := d.millionths; n > 0 && v%10 == 0; v /= 10 {
		n--
	}
	return n
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int { return compare(d.millionths, 0) }

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.millionths == 0 }

// Cmp is -1, 0 or 1 as d is less than, equal to or greater than e.
func (d Decimal) Cmp(e Decimal) int { return compare(d.millionths, e.millionths) }

// Neg returns -d.
func (d Decimal) Neg() Decimal { return Decimal{-d.millionths} }

// Add returns d+e, exact, or an error with [CodeOverflow].
func (d Decimal) Add(e Decimal) (Decimal, error) {
	v, err := Minor(d.millionths).Add(Minor(e.millionths))
	return Decimal{int64(v)}, err
}

// Sub returns d-e, exact, or an error with [CodeOverflow].
func (d Decimal) Sub(e Decimal) (Decimal, error) {
	v, err := Minor(d.millionths).Sub(Minor(e.millionths))
	return Decimal{int64(v)}, err
}

// Mul returns d*e rounded half up to six decimals.
func (d Decimal) Mul(e Decimal) (Decimal, error) {
	v, err := mulDiv(d.millionths, e.millionths, one)
	return Decimal{v}, err
}

// MulRate is Mul, named for the reader when e is a rate.
func (d Decimal) MulRate(rate Decimal) (Decimal, error) { return d.Mul(rate) }

// Div returns d/e rounded half up to six decimals, or an error with [CodeDivisionByZero].
func (d Decimal) Div(e Decimal) (Decimal, error) {
	v, err := mulDiv(d.millionths, one, e.millionths)
	return Decimal{v}, err
}

// Round returns d rounded half up to places decimals (0 to 6).
func (d Decimal) Round(places int) (Decimal, error) {
	unit := pow10(scale - min(max(places, 0), scale))
	v, err := mulDiv(d.millionths, 1, unit)
	if err != nil {
		return Decimal{}, err
	}
	v, err = mulDiv(v, unit, 1)
	return Decimal{v}, err
}

// Minor returns d in minor units of cur, rounded half up: 0.8646 pesos are 86 cents.
func (d Decimal) Minor(cur Currency) (Minor, error) {
	v, err := mulDiv(d.millionths, 1, pow10(scale-cur.Decimals()))
	return Minor(v), err
}

// MulMinor returns d*e in minor units of cur, rounded once: quantity by unit price, where
// rounding to six decimals first could push 0.0049996 over half a cent.
func (d Decimal) MulMinor(e Decimal, cur Currency) (Minor, error) {
	v, err := mulDiv(d.millionths, e.millionths, pow10(2*scale-cur.Decimals()))
	return Minor(v), err
}

// MarshalText writes [Decimal.String]; with it JSON carries the number as a string.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [Parse] accepts.
func (d *Decimal) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Value stores the number as text for a numeric(..., 6) column.
func (d Decimal) Value() (driver.Value, error) { return d.String(), nil }

// Scan reads a numeric column. NULL and floating point are refused: use sql.Null[Decimal]
// for a nullable column, and numeric instead of double precision.
func (d *Decimal) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return d.UnmarshalText([]byte(v))
	case []byte:
		return d.UnmarshalText(v)
	case int64:
		if v > math.MaxInt64/one || v < math.MinInt64/one {
			return &Error{Code: CodeTooLarge}
		}
		*d = Decimal{v * one}
		return nil
	}
	return fmt.Errorf("money: cannot scan %T into a Decimal", src)
}
