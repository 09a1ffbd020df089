package money

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "1499": "1499", "1499.00": "1499", "+2.50": "2.5", "0.566667": "0.566667", "-0.000001": "-0.000001",
		"1.0000000000": "1", "000012": "12", "9223372036854.775807": "9223372036854.775807",
	} {
		if d, err := Parse(in); err != nil || d.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, d, err, want)
		}
	}
	for in, code := range map[string]string{
		"": CodeRequired, "1e3": CodeInvalid, "1,000": CodeInvalid, " 1": CodeInvalid, ".5": CodeInvalid, "5.": CodeInvalid, "-": CodeInvalid,
		"--1": CodeInvalid, "NaN": CodeInvalid, "١": CodeInvalid, "0x10": CodeInvalid, "1_0": CodeInvalid, "1.-5": CodeInvalid,
		"0.0000001": CodeTooManyDecimals, "1234567890123456789": CodeTooLarge, "9223372036854.775808": CodeTooLarge,
		strings.Repeat("9", 5000): CodeTooLarge,
	} {
		if d, err := Parse(in); !errors.Is(err, &Error{Code: code}) {
			t.Errorf("Parse(%.30q) = %v, %v; want %s", in, d, err, code)
		}
	}
}

func TestFixedAndRound(t *testing.T) {
	for _, c := range []struct {
		in     string
		places int
		want   string
	}{
		{"0.16", 6, "0.160000"}, {"1499", 2, "1499.00"}, {"2.005", 2, "2.01"}, {"-2.005", 2, "-2.01"}, {"2.004999", 2, "2.00"},
		{"-0.004", 2, "0.00"}, {"0.5", 0, "1"}, {"-0.5", 0, "-1"}, {"1.4", 0, "1"}, {"1234.5", 1, "1234.5"}, {"1", 9, "1.000000"},
	} {
		if got := Must(c.in).Fixed(c.places); got != c.want {
			t.Errorf("%s.Fixed(%d) = %s, want %s", c.in, c.places, got, c.want)
		}
	}
	if got := (Decimal{math.MaxInt64}).Fixed(0); got != "9223372036854" {
		t.Errorf("at the limit: %s", got)
	}
}

func TestArithmetic(t *testing.T) {
	check := func(name string, got Decimal, err error, want string) {
		t.Helper()
		if err != nil || got.String() != want {
			t.Errorf("%s = %s, %v; want %s", name, got, err, want)
		}
	}
	d, err := Must("100").Div(Must("1.16"))
	check("100/1.16", d, err, "86.206897")
	d, err = Must("0.000001").Mul(Must("0.5"))
	check("0.000001*0.5", d, err, "0.000001")
	d, err = Must("86.206897").MulRate(Must("0.16"))
	check("86.206897*0.16", d, err, "13.793104")
	d, err = Must("1").Sub(Must("1.5"))
	check("1-1.5", d, err, "-0.5")
	if _, err := Must("1").Div(Decimal{}); !errors.Is(err, &Error{Code: CodeDivisionByZero}) {
		t.Errorf("1/0: %v", err)
	}
	if _, err := Must("9000000000000").Mul(Must("1000")); !errors.Is(err, &Error{Code: CodeOverflow}) {
		t.Errorf("overflow: %v", err)
	}
	if m, err := Must("0.566667").MulMinor(Must("899"), MXN); err != nil || m != 50943 {
		t.Errorf("0.566667*899 = %d, %v", m, err)
	}
	// 0.0049999999 is less than half a cent; rounding to six decimals first would make it a cent.
	if m, err := Must("0.009999").MulMinor(Must("0.50004"), MXN); err != nil || m != 0 {
		t.Errorf("double rounding: %d, %v", m, err)
	}
	if m, err := Must("-1.005").Minor(MXN); err != nil || m != -101 {
		t.Errorf("-1.005 = %d, %v", m, err)
	}
	if d, err := Minor(-149905).Decimal(MXN); err != nil || d.String() != "-1499.05" {
		t.Errorf("cents to decimal: %v, %v", d, err)
	}
	if d, err := MaxMinor.Decimal(MXN); err != nil || d.String() != "9000000000000" {
		t.Errorf("largest amount: %v, %v", d, err)
	}
	for s, want := range map[string]int{"0": 0, "10": 0, "1.50": 1, "0.000001": 6} {
		if got := Must(s).Decimals(); got != want {
			t.Errorf("%s has %d decimals, want %d", s, got, want)
		}
	}
}

func TestTextSQLAndJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Millionths(rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "millionths"))
		var fromText, fromSQL, fromJSON Decimal
		text, _ := d.MarshalText()
		if err := fromText.UnmarshalText(text); err != nil || fromText != d {
			t.Fatalf("text %s: %v, %v", text, fromText, err)
		}
		value, _ := d.Value()
		if err := fromSQL.Scan(value); err != nil || fromSQL != d {
			t.Fatalf("sql %v: %v, %v", value, fromSQL, err)
		}
		b, _ := json.Marshal(d)
		if err := json.Unmarshal(b, &fromJSON); err != nil || fromJSON != d {
			t.Fatalf("json %s: %v, %v", b, fromJSON, err)
		}
	})
}

func TestScan(t *testing.T) {
	var d Decimal
	if err := d.Scan([]byte("12.500000")); err != nil || d != Must("12.5") {
		t.Errorf("bytes: %v, %v", d, err)
	}
	if err := d.Scan(int64(-7)); err != nil || d != Int(-7) {
		t.Errorf("int64: %v, %v", d, err)
	}
	for _, src := range []any{nil, 1.5, true, int64(math.MaxInt64), "NaN"} {
		if err := d.Scan(src); err == nil {
			t.Errorf("Scan(%v) accepted", src)
		}
	}
}
