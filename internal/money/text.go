package money

import (
	"errors"
	"strconv"
	"strings"
)

// ParseMinor reads what a person types: "1234.5", "1,234.56", "$1,234.50", "-$5",
// "1,234.56 MXN". Thousands are separated by commas in groups of three, decimals by a
// point, as written in Mexico. The result is in minor units of cur and may be zero or
// negative: the caller knows whether that makes sense.
//
// Errors: [CodeRequired], [CodeInvalid], [CodeTooManyDecimals] (1.005), [CodeTooLarge]
// (above [MaxMinor]).
func ParseMinor(s string, cur Currency) (Minor, error) {
	text := strings.NewReplacer("\u00a0", " ", "\u2212", "-").Replace(s)
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, &Error{Code: CodeRequired}
	}
	if code := string(cur); code != "" {
		if n := len(text) - len(code); n > 0 && strings.EqualFold(text[n:], code) {
			text = strings.TrimSpace(text[:n])
		}
	}
	sign := ""
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = "-", strings.TrimSpace(rest)
	}
	if rest, ok := strings.CutPrefix(text, symbol(cur)); ok {
		text = strings.TrimSpace(rest)
	}
	if rest, ok := strings.CutPrefix(text, "-"); ok && sign == "" {
		sign, text = "-", rest
	}
	if strings.HasPrefix(text, ".") { // ".50"
		text = "0" + text
	}
	plain, ok := ungroup(text)
	if !ok {
		return 0, inputError(CodeInvalid, s)
	}
	// "1.500" may be one and a half or, to some, fifteen hundred: refused although it is exact.
	if _, fraction, _ := strings.Cut(plain, "."); len(fraction) > cur.Decimals() && allDigits(fraction) {
		return 0, inputError(CodeTooManyDecimals, s)
	}
	v, err := parseFixed(sign+plain, cur.Decimals())
	if e, failed := errors.AsType[*Error](err); failed {
		return 0, inputError(e.Code, s)
	}
	if m := Minor(v); m > MaxMinor || m < -MaxMinor {
		return 0, inputError(CodeTooLarge, s)
	}
	return Minor(v), nil
}

// ungroup removes thousands separators and refuses misplaced ones ("12,34", "1,2345").
func ungroup(s string) (string, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return "", false
	}
	whole, fraction, hasPoint := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	if len(groups) > 1 {
		if len(groups[0]) > 3 {
			return "", false
		}
		for _, g := range groups[1:] {
			if len(g) != 3 {
				return "", false
			}
		}
	}
	if hasPoint {
		return strings.Join(groups, "") + "." + fraction, true
	}
	return strings.Join(groups, ""), true
}

// Format writes an amount for people: "$1,234.56 MXN" in Spanish, as Mexican invoices show
// it, and "MX$1,234.56" in English (lang "en...").
func Format(m Minor, cur Currency, lang string) string {
	number := group(FormatPlain(abs(m), cur))
	sign := ""
	if m < 0 {
		sign = "-"
	}
	if !english(lang) {
		return sign + symbol(cur) + number + " " + string(cur)
	}
	switch cur {
	case MXN:
		return sign + "MX$" + number
	case USD:
		return sign + "US$" + number
	}
	return sign + symbol(cur) + number
}

// FormatNumber writes "1,234.56": the amount without its currency, for columns whose
// header or total names it.
func FormatNumber(m Minor, cur Currency) string {
	if m < 0 {
		return "-" + group(FormatPlain(abs(m), cur))
	}
	return group(FormatPlain(m, cur))
}

// FormatPlain writes "1234.56", as CFDI attributes, CSV files and APIs want it.
func FormatPlain(m Minor, cur Currency) string {
	unit := uint64(pow10(cur.Decimals()))
	v := absolute(int64(m))
	fraction := strconv.FormatUint(v%unit+unit, 10)[1:] // keeps leading zeros
	s := strconv.FormatUint(v/unit, 10) + "." + fraction
	if m < 0 {
		return "-" + s
	}
	return s
}

// group inserts thousands separators into a plain positive number.
func group(s string) string {
	whole, fraction, _ := strings.Cut(s, ".")
	var b strings.Builder
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(whole[i])
	}
	return b.String() + "." + fraction
}

func symbol(cur Currency) string {
	if cur == EUR {
		return "€"
	}
	return "$"
}

// abs leaves the single value without a positive counterpart alone; FormatPlain copes with it.
func abs(m Minor) Minor {
	if m < 0 {
		return -m
	}
	return m
}
