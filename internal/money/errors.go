package money

import (
	"fmt"
	"strings"
)

// Codes of [Error]. They are part of the API: clients and translations rely on them.
const (
	CodeRequired        = "amount_required"          // the text is empty
	CodeInvalid         = "amount_invalid"           // the text is not a number as written in Mexico
	CodeTooManyDecimals = "amount_too_many_decimals" // more decimals than the currency or the type has
	CodeTooLarge        = "amount_too_large"         // more digits than an amount can have
	CodeOverflow        = "amount_overflow"          // the result of a calculation does not fit
	CodeDivisionByZero  = "amount_division_by_zero"
	CodeInvalidWeights  = "amount_invalid_weights" // negative weights, or none above zero
)

// Error is a problem with an amount. Input is the offending text, shortened, or empty.
type Error struct {
	Code  string
	Input string
}

var messages = map[string]struct{ es, en string }{
	CodeRequired:        {"Escribe un importe.", "Enter an amount."},
	CodeInvalid:         {"No es un importe válido. Ejemplo: 1,234.56", "Not a valid amount. Example: 1,234.56"},
	CodeTooManyDecimals: {"El importe tiene demasiados decimales.", "The amount has too many decimals."},
	CodeTooLarge:        {"El importe es demasiado grande.", "The amount is too large."},
	CodeOverflow:        {"El resultado es demasiado grande.", "The result is too large."},
	CodeDivisionByZero:  {"No se puede dividir entre cero.", "Division by zero."},
	CodeInvalidWeights:  {"No hay importes entre los cuales repartir.", "There are no amounts to allocate to."},
}

// Error describes the problem for logs, in English, with its code.
func (e *Error) Error() string {
	if e.Input != "" {
		return fmt.Sprintf("money: %s: %q", e.Code, e.Input)
	}
	return "money: " + e.Code
}

// Message is the sentence to show to a person, in English when lang starts with "en" and
// in Spanish otherwise.
func (e *Error) Message(lang string) string {
	m := messages[e.Code]
	if english(lang) {
		return m.en
	}
	return m.es
}

// Is makes errors.Is compare codes only.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

func inputError(code, input string) *Error {
	const keep = 40
	if r := []rune(input); len(r) > keep {
		input = string(r[:keep]) + "…"
	}
	return &Error{Code: code, Input: input}
}

func english(lang string) bool { return strings.HasPrefix(strings.ToLower(lang), "en") }
