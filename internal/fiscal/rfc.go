package fiscal

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Persona is the kind of taxpayer.
type Persona int

// Kinds of taxpayer, by the length of the RFC (in characters: Ñ is one).
const (
	PersonaDesconocida Persona = iota
	PersonaFisica              // 13 characters
	PersonaMoral               // 12 characters
)

// PersonaOf tells the kind of taxpayer of an RFC.
func PersonaOf(rfc string) Persona {
	switch utf8.RuneCountInString(rfc) {
	case 12:
		return PersonaMoral
	case 13:
		return PersonaFisica
	}
	return PersonaDesconocida
}

// RfcGenerico reports whether the RFC is one of the two generic ones.
func RfcGenerico(rfc string) bool { return rfc == RfcGenericoNacional || rfc == RfcGenericoExtranjero }

// NormalizeRfc turns what people type into an RFC: upper case, without spaces and hyphens.
func NormalizeRfc(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.', '\t', '\u00a0':
			return -1
		}
		return r
	}, strings.ToUpper(s))
}

var rfcPattern = regexp.MustCompile(`^[A-Z&Ñ]{3,4}([0-9]{2})(0[1-9]|1[012])(0[1-9]|[12][0-9]|3[01])[A-Z0-9]{2}[0-9A]$`)

// CheckRfc checks the form and date of an RFC, and warns when its check digit does not fit:
// a few real RFCs have a wrong one. The path of the violations is path.
func CheckRfc(rfc, path string) Violations {
	parts := rfcPattern.FindStringSubmatch(rfc)
	if parts == nil || PersonaOf(rfc) == PersonaDesconocida {
		return Violations{*refuse("rfc_invalid", "301", path, "El RFC «%s» no tiene la forma correcta (12 o 13 caracteres).", "RFC %q does not have the right form (12 or 13 characters).", rfc)}
	}
	if RfcGenerico(rfc) {
		return nil
	}
	// the year has two digits: 29 February is accepted when some century has it
	date := parts[1] + parts[2] + parts[3]
	_, err19 := time.Parse("20060102", "19"+date)
	_, err20 := time.Parse("20060102", "20"+date)
	if err19 != nil && err20 != nil {
		return Violations{*refuse("rfc_date_invalid", "", path, "La fecha dentro del RFC «%s» no existe.", "The date inside RFC %q does not exist.", rfc)}
	}
	if rfcCheckDigit(rfc) != rfc[len(rfc)-1] {
		v := refuse("rfc_check_digit", "", path, "El dígito verificador del RFC «%s» no coincide; revise que esté bien escrito.", "The check digit of RFC %q does not match; check its spelling.", rfc)
		v.Warning = true
		return Violations{*v}
	}
	return nil
}

const rfcAlphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"

// rfcCheckDigit is the last character that an RFC should have: weights 13 to 2 over the
// first characters, padded to 12 on the left, modulo 11.
func rfcCheckDigit(rfc string) byte {
	body := []rune(rfc)
	body = body[:len(body)-1]
	if len(body) == 11 {
		body = append([]rune{' '}, body...)
	}
	total := 0
	for i, r := range body {
		before, _, _ := strings.Cut(rfcAlphabet, string(r))
		total += utf8.RuneCountInString(before) * (13 - i)
	}
	switch rest := total % 11; rest {
	case 0:
		return '0'
	case 1:
		return 'A'
	default:
		return byte('0' + 11 - rest)
	}
}
