package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// MarshalString writes the scalar String.
func MarshalString(text string) graphql.Marshaler { return graphql.MarshalString(text) }

// UnmarshalString reads the scalar String; null is "". NUL, which PostgreSQL cannot hold, is refused.
func UnmarshalString(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	text, ok := v.(string)
	if !ok {
		return "", fault.New(fault.Invalid, "VALUE_INVALID")
	}
	if strings.ContainsRune(text, 0) {
		return "", fault.New(fault.Invalid, "CONTROL_CHARACTERS")
	}
	return text, nil
}

// MarshalInt writes the scalar Int.
func MarshalInt(n int) graphql.Marshaler { return graphql.MarshalInt(n) }

// UnmarshalInt reads the scalar Int. Text is refused, as the standard has it, whatever it says.
func UnmarshalInt(v any) (int, error) {
	if _, text := v.(string); text {
		return 0, fault.New(fault.Invalid, "VALUE_INVALID")
	}
	n, err := graphql.UnmarshalInt(v)
	if err != nil {
		return 0, fault.New(fault.Invalid, "VALUE_INVALID")
	}
	return n, nil
}

// MarshalDateTime writes the scalar DateTime.
func MarshalDateTime(t time.Time) graphql.Marshaler { return graphql.MarshalTime(t) }

// UnmarshalDateTime reads the scalar DateTime: RFC 3339, in a year that PostgreSQL knows; null is the zero
// moment.
func UnmarshalDateTime(v any) (time.Time, error) {
	if v == nil {
		return time.Time{}, nil
	}
	text, _ := v.(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, fault.New(fault.Invalid, "DATE_TIME_MALFORMED")
	}
	return t, nil
}

// MarshalDate writes the scalar Date; the empty date is null.
func MarshalDate(d date.Date) graphql.Marshaler {
	if d == "" {
		return graphql.Null
	}
	return graphql.MarshalString(string(d))
}

// UnmarshalDate reads the scalar Date; null is the empty date.
func UnmarshalDate(v any) (date.Date, error) {
	if v == nil {
		return "", nil
	}
	text, ok := v.(string)
	if !ok {
		return "", fault.New(fault.Invalid, "DATE_MALFORMED")
	}
	d, err := date.Parse(text)
	if err != nil {
		return "", fault.New(fault.Invalid, "DATE_MALFORMED")
	}
	return d, nil
}

// MarshalDecimal writes the scalar Decimal.
func MarshalDecimal(d money.Decimal) graphql.Marshaler { return graphql.MarshalString(d.String()) }

// UnmarshalDecimal reads the scalar Decimal: text, or a whole number. A literal with a point would
// arrive as binary floating point and is refused.
func UnmarshalDecimal(v any) (money.Decimal, error) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case int64:
		text = strconv.FormatInt(v, 10)
	case int:
		text = strconv.Itoa(v)
	}
	d, err := money.Parse(text)
	if e, failed := errors.AsType[*money.Error](err); failed && e.Code == money.CodeTooLarge {
		return money.Decimal{}, fault.New(fault.Invalid, "AMOUNT_TOO_LARGE")
	}
	if err != nil {
		return money.Decimal{}, fault.New(fault.Invalid, "NUMBER_MALFORMED")
	}
	return d, nil
}

// MarshalCurrency writes the enum Currency.
func MarshalCurrency(c money.Currency) graphql.Marshaler { return graphql.MarshalString(string(c)) }

// UnmarshalCurrency reads the enum Currency.
func UnmarshalCurrency(v any) (money.Currency, error) {
	text, err := word(v)
	return money.Currency(strings.ToUpper(text)), err
}

// MarshalLanguage writes the enum Language: es-MX is ES_MX.
func MarshalLanguage(lang string) graphql.Marshaler {
	return graphql.MarshalString(strings.ToUpper(strings.ReplaceAll(lang, "-", "_")))
}

// UnmarshalLanguage reads the enum Language; null is no choice.
func UnmarshalLanguage(v any) (string, error) {
	text, err := word(v)
	if strings.EqualFold(text, "ES_MX") {
		return locale.Spanish, err
	}
	return strings.ToLower(text), err
}

// MarshalWord writes an enum value whose stored form is the same in lower case.
func MarshalWord(text string) graphql.Marshaler { return graphql.MarshalString(strings.ToUpper(text)) }

// UnmarshalWord reads such an enum value; null is "".
func UnmarshalWord(v any) (string, error) {
	text, err := word(v)
	return strings.ToLower(text), err
}

func word(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("%T is no enum value", v)
}
