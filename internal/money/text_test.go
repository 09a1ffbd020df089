package money

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMinor(t *testing.T) {
	for in, want := range map[string]Minor{
		"1,234.56": 123456, "$1,234.5": 123450, "1234": 123400, " 0.01 ": 1, "-5": -500, "-$5.25": -525, "$-5.25": -525, "\u22125": -500,
		"1,234,567.00": 123456700, "$ 10": 1000, "99 MXN": 9900, "$99.90mxn": 9990, ".5": 50, "0": 0, "\u00a01": 100,
		"9,000,000,000,000.00": MaxMinor,
	} {
		if got, err := ParseMinor(in, MXN); err != nil || got != want {
			t.Errorf("ParseMinor(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for in, code := range map[string]string{
		"": CodeRequired, "  ": CodeRequired, "abc": CodeInvalid, "1.234,56": CodeInvalid, "12,34": CodeInvalid, "1,2345": CodeInvalid,
		"1234,567": CodeInvalid, ",123": CodeInvalid, "1..2": CodeInvalid, "1.2.3": CodeInvalid, "--5": CodeInvalid, "-$-5": CodeInvalid,
		"1e5": CodeInvalid, "€5": CodeInvalid, "5 USD": CodeInvalid, "MXN": CodeInvalid, "$": CodeInvalid, "1 234": CodeInvalid, "-": CodeInvalid, "+5": CodeInvalid,
		"1.005": CodeTooManyDecimals, "1.500": CodeTooManyDecimals, "0.001": CodeTooManyDecimals,
		"1234567890123456789": CodeTooLarge, "9,000,000,000,000.01": CodeTooLarge, strings.Repeat("9", 300): CodeTooLarge, "-9999999999999999": CodeTooLarge,
	} {
		if got, err := ParseMinor(in, MXN); !errors.Is(err, &Error{Code: code}) {
			t.Errorf("ParseMinor(%.30q) = %d, %v; want %s", in, got, err, code)
		}
	}
	if got, err := ParseMinor("€1,000.10 EUR", EUR); err != nil || got != 100010 {
		t.Errorf("euros: %d, %v", got, err)
	}
	var e *Error
	if _, err := ParseMinor(strings.Repeat("x", 1000), MXN); !errors.As(err, &e) || len(e.Input) > 60 {
		t.Errorf("input is not shortened: %v", err)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		m                     Minor
		cur                   Currency
		es, en, number, plain string
	}{
		{123456, MXN, "$1,234.56 MXN", "MX$1,234.56", "1,234.56", "1234.56"},
		{5, USD, "$0.05 USD", "US$0.05", "0.05", "0.05"},
		{-100000000, EUR, "-€1,000,000.00 EUR", "-€1,000,000.00", "-1,000,000.00", "-1000000.00"},
		{0, MXN, "$0.00 MXN", "MX$0.00", "0.00", "0.00"},
		{99999, MXN, "$999.99 MXN", "MX$999.99", "999.99", "999.99"},
	} {
		if got := Format(c.m, c.cur, "es-MX"); got != c.es {
			t.Errorf("es %q, want %q", got, c.es)
		}
		if got := Format(c.m, c.cur, "en"); got != c.en {
			t.Errorf("en %q, want %q", got, c.en)
		}
		if got := FormatNumber(c.m, c.cur); got != c.number {
			t.Errorf("number %q, want %q", got, c.number)
		}
		if got := FormatPlain(c.m, c.cur); got != c.plain {
			t.Errorf("plain %q, want %q", got, c.plain)
		}
	}
	if got := FormatPlain(math.MinInt64, MXN); got != "-92233720368547758.08" {
		t.Errorf("smallest: %s", got)
	}
}

func TestFormatRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Minor(rapid.Int64Range(int64(-MaxMinor), int64(MaxMinor)).Draw(t, "m"))
		cur := rapid.SampledFrom(Currencies()).Draw(t, "currency")
		for _, s := range []string{Format(m, cur, "es-MX"), FormatNumber(m, cur), FormatPlain(m, cur)} {
			if got, err := ParseMinor(s, cur); err != nil || got != m {
				t.Fatalf("%q = %d, %v; want %d", s, got, err, m)
			}
		}
	})
}

func TestInWords(t *testing.T) {
	for _, c := range []struct {
		m        Minor
		cur      Currency
		lang     string
		expected string
	}{
		{214368, MXN, "es-MX", "DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100 M.N."},
		{0, MXN, "es", "CERO PESOS 00/100 M.N."},
		{7, MXN, "es", "CERO PESOS 07/100 M.N."},
		{100, MXN, "es", "UN PESO 00/100 M.N."},
		{100, USD, "es", "UN DÓLAR 00/100 USD"},
		{5799, USD, "es", "CINCUENTA Y SIETE DÓLARES 99/100 USD"},
		{200, EUR, "es", "DOS EUROS 00/100 EUR"},
		{1600, MXN, "es", "DIECISÉIS PESOS 00/100 M.N."},
		{2100, MXN, "es", "VEINTIÚN PESOS 00/100 M.N."},
		{3100, MXN, "es", "TREINTA Y UN PESOS 00/100 M.N."},
		{10000, MXN, "es", "CIEN PESOS 00/100 M.N."},
		{10100, MXN, "es", "CIENTO UN PESOS 00/100 M.N."},
		{50000, MXN, "es", "QUINIENTOS PESOS 00/100 M.N."},
		{100000, MXN, "es", "MIL PESOS 00/100 M.N."},
		{100100, MXN, "es", "MIL UN PESOS 00/100 M.N."},
		{2100000, MXN, "es", "VEINTIÚN MIL PESOS 00/100 M.N."},
		{2100100, MXN, "es", "VEINTIÚN MIL UN PESOS 00/100 M.N."},
		{10100000, MXN, "es", "CIENTO UN MIL PESOS 00/100 M.N."},
		{99999999, MXN, "es", "NOVECIENTOS NOVENTA Y NUEVE MIL NOVECIENTOS NOVENTA Y NUEVE PESOS 99/100 M.N."},
		{100000000, MXN, "es", "UN MILLÓN DE PESOS 00/100 M.N."},
		{100000100, MXN, "es", "UN MILLÓN UN PESOS 00/100 M.N."},
		{2100000000, MXN, "es", "VEINTIÚN MILLONES DE PESOS 00/100 M.N."},
		{100000000000, MXN, "es", "MIL MILLONES DE PESOS 00/100 M.N."},
		{100000000000000, MXN, "es", "UN BILLÓN DE PESOS 00/100 M.N."},
		{200000100000000, MXN, "es", "DOS BILLONES UN MILLÓN DE PESOS 00/100 M.N."},
		{99999999999999999, MXN, "es", "NOVECIENTOS NOVENTA Y NUEVE BILLONES NOVECIENTOS NOVENTA Y NUEVE MIL NOVECIENTOS NOVENTA Y NUEVE MILLONES " +
			"NOVECIENTOS NOVENTA Y NUEVE MIL NOVECIENTOS NOVENTA Y NUEVE PESOS 99/100 M.N."},
		{-150, MXN, "es", "MENOS UN PESO 50/100 M.N."},
		{214368, MXN, "en", "TWO THOUSAND ONE HUNDRED FORTY-THREE PESOS 68/100 MXN"},
		{100, USD, "en-US", "ONE DOLLAR 00/100 USD"},
		{0, EUR, "en", "ZERO EUROS 00/100 EUR"},
		{101112013, USD, "en", "ONE MILLION ELEVEN THOUSAND ONE HUNDRED TWENTY DOLLARS 13/100 USD"},
		{100000000000000, USD, "en", "ONE TRILLION DOLLARS 00/100 USD"},
		{-100, MXN, "en", "MINUS ONE PESO 00/100 MXN"},
	} {
		if got := InWords(c.m, c.cur, c.lang); got != c.expected {
			t.Errorf("InWords(%d, %s, %s) = %q, want %q", c.m, c.cur, c.lang, got, c.expected)
		}
	}
}

// Two amounts never share their words, and no amount breaks the writer.
func TestInWordsDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := Minor(rapid.Int64().Draw(t, "a")), Minor(rapid.Int64().Draw(t, "b"))
		lang := rapid.SampledFrom([]string{"es-MX", "en"}).Draw(t, "lang")
		wa, wb := InWords(a, MXN, lang), InWords(b, MXN, lang)
		if a != b && wa == wb {
			t.Fatalf("%d and %d are both %q", a, b, wa)
		}
		if strings.Contains(wa, "  ") || strings.Contains(wa, "- ") {
			t.Fatalf("%d is %q", a, wa)
		}
	})
}
