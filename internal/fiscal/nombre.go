package fiscal

import (
	"regexp"
	"strings"
)

// companySuffix is the company type at the end of a name. Since CFDI 4.0 the SAT's record of
// a taxpayer does not have it, except where it belongs to the name (some A.C. and S.C.).
var companySuffix = regexp.MustCompile(`,? +(` + strings.Join([]string{
	`S\.? ?A\.? ?P\.? ?I\.? ?(DE ?C\.? ?V\.?)?`,
	`S\.? ?A\.? ?B\.? ?(DE ?C\.? ?V\.?)?`,
	`S\.? ?A\.? ?S\.? ?(DE ?C\.? ?V\.?)?`,
	`S\.? ?A\.? ?(DE ?C\.? ?V\.?)?`,
	`S\.? ?DE ?R\.? ?L\.? ?(DE ?C\.? ?V\.?|MI)?`,
	`S\.? ?C\.?( ?DE ?R\.? ?L\.?( ?DE ?C\.? ?V\.?)?)?`,
	`A\.? ?C\.?`,
}, "|") + `)$`)

// NormalizeNombre writes a name as the SAT does: upper case, single spaces. Accents, Ñ, &
// and digits stay.
func NormalizeNombre(s string) string { return strings.Join(strings.Fields(strings.ToUpper(s)), " ") }

// SuggestNombre returns the normalised name without its company suffix, and whether that
// differs from the normalised name. It is a suggestion to show, not a correction: the name
// must be the one in the Constancia de Situación Fiscal.
func SuggestNombre(s string) (string, bool) {
	full := NormalizeNombre(s)
	short := strings.TrimRight(companySuffix.ReplaceAllString(full, ""), " ,")
	if short == "" {
		short = full
	}
	return short, short != full
}
