package fiscal

import (
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
)

// Violation is one thing that is wrong with a document, a certificate or a request: what a
// PAC would refuse, said before it is asked.
type Violation struct {
	// Code is stable: the SAT's own (CFDI40105, CRP20217, 306) where it has one, otherwise
	// an English snake_case code of ours.
	Code string
	// SAT is the code that the SAT or a PAC gives for this, "" when there is none.
	SAT string
	// Path is where: Receptor@UsoCFDI, Conceptos/Concepto[2]@Importe. "" for the whole document.
	Path string
	// ES and EN say it to a person.
	ES, EN string
	// Warning marks what is allowed but probably a mistake.
	Warning bool
}

// Error is the English form, for logs.
func (v *Violation) Error() string {
	s := "fiscal: " + v.Code
	if v.SAT != "" && v.SAT != v.Code {
		s += " (SAT " + v.SAT + ")"
	}
	if v.Path != "" {
		s += " at " + v.Path
	}
	return s + ": " + v.EN
}

// refusal is what is stored of it.
func (v *Violation) refusal() db.Refusal {
	return db.Refusal{Code: v.Code, Message: v.ES, MessageEN: v.EN, Field: v.Path, SATCode: v.SAT}
}

// Message is the sentence for a person, in English when lang starts with "en" and in
// Spanish otherwise.
func (v *Violation) Message(lang string) string {
	if strings.HasPrefix(strings.ToLower(lang), "en") {
		return v.EN
	}
	return v.ES
}

// Is makes errors.Is compare codes.
func (v *Violation) Is(target error) bool {
	t, ok := target.(*Violation)
	return ok && t.Code == v.Code
}

// Violations is a list of them as one error.
type Violations []Violation

func (vs Violations) Error() string {
	parts := make([]string, len(vs))
	for i := range vs {
		parts[i] = strings.TrimPrefix(vs[i].Error(), "fiscal: ")
	}
	return "fiscal: " + strings.Join(parts, "; ")
}

// Refusals returns those that are not warnings.
func (vs Violations) Refusals() Violations {
	var out Violations
	for _, v := range vs {
		if !v.Warning {
			out = append(out, v)
		}
	}
	return out
}

// Has reports whether one of them has that code.
func (vs Violations) Has(code string) bool {
	for _, v := range vs {
		if v.Code == code {
			return true
		}
	}
	return false
}

func refuse(code, sat, path, es, en string, args ...any) *Violation {
	return &Violation{Code: code, SAT: sat, Path: path, ES: fmt.Sprintf(es, args...), EN: fmt.Sprintf(en, args...)}
}
