package billing

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// maxKey is the longest request key, in characters.
const maxKey = 200

// checkKey notes a request key that is missing or too long.
func checkKey(checks *fault.Checks, key string) {
	switch {
	case strings.TrimSpace(key) == "":
		checks.Add("requestKey", "REQUIRED")
	case len([]rune(key)) > maxKey:
		checks.Add("requestKey", "TOO_LONG", "max", maxKey)
	}
}

// once does a verb's work in one transaction, and only once for its request key: a second request
// waits for the first and returns the id of what that one made. scope is what the request is about
// (a client or a document); the same key for another verb or scope is a mistake of the caller. An
// empty key does the work each time.
func (s *Service) once(ctx context.Context, verb, key string, scope int64, do func(tx *db.Store) (subject int64, err error)) (int64, error) {
	var subject int64
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if key == "" {
			subject, err = do(tx)
			return err
		}
		row, first, err := tx.ClaimRequest(ctx, key, verb, scope)
		if err != nil {
			return err
		}
		if !first {
			if row.Verb != verb || row.Scope != scope {
				var checks fault.Checks
				checks.Add("requestKey", "REQUEST_KEY_REUSED")
				return checks.Err()
			}
			subject = row.Subject
			return nil
		}
		if subject, err = do(tx); err != nil {
			return err
		}
		return tx.FinishRequest(ctx, key, subject)
	})
	return subject, err
}

// auditState writes what changed of an invoice's money and status.
func auditState(ctx context.Context, tx *db.Store, verb string, before, after db.Invoice, more map[string]any) error {
	state := func(row db.Invoice) map[string]any {
		return map[string]any{"paid": row.Paid, "credited": row.Credited, "status": row.Status}
	}
	now := state(after)
	maps.Copy(now, more)
	return tx.Audit(ctx, db.AuditEntry{Client: after.ClientID, Verb: verb, Object: after.ID.String(), Before: state(before), After: now})
}

// auditIssue writes that invoices became final, whoever or whatever issued them.
func auditIssue(ctx context.Context, tx *db.Store, rows ...db.Invoice) error {
	entries := make([]db.AuditEntry, len(rows))
	for i, row := range rows {
		entries[i] = db.AuditEntry{Client: row.ClientID, Verb: "invoice.issue", Object: row.ID.String(), After: map[string]any{
			"number": row.Number, "total": row.Total, "currency": row.Currency, "issueDate": row.IssueDate, "dueDate": row.DueDate}}
	}
	return tx.Audit(ctx, entries...)
}

// actorName names who acts, for the ledger.
func actorName(ctx context.Context) string {
	switch a := access.From(ctx); a.Kind {
	case access.Staff:
		return a.Staff.String()
	case access.Login:
		return a.Login.String()
	default:
		return string(a.Kind)
	}
}

// checkText notes a text that is too long or, where it is needed, missing.
func checkText(checks *fault.Checks, path string, text *string, needed bool, limit int) {
	*text = strings.TrimSpace(*text)
	switch {
	case *text == "" && needed:
		checks.Add(path, "REQUIRED")
	case len([]rune(*text)) > limit:
		checks.Add(path, "TOO_LONG", "max", limit)
	case strings.ContainsFunc(*text, deceives):
		checks.Add(path, "CONTROL_CHARACTERS")
	}
}

// checkConcept is checkText of what becomes the Descripcion of a CFDI's Concepto: its schema allows no pipe (SAT 301),
// and the lines of an issued invoice never change.
func checkConcept(checks *fault.Checks, path string, text *string, needed bool, limit int) {
	checkText(checks, path, text, needed, limit)
	if strings.Contains(*text, "|") && !checks.Has(path) {
		checks.Add(path, "PIPE", "sat", "301")
	}
}

// withoutPipes is a text from elsewhere, or from before pipes were refused, as [checkConcept] takes it.
func withoutPipes(text string) string { return strings.ReplaceAll(text, "|", "/") }

// deceives reports whether a character has no place in a text that people read: control characters but the
// ends of lines, marks that turn the direction of what follows, and what stands for bytes that are no text.
func deceives(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
}

// number writes series and folio as people know them.
func number(series string, folio int64) string { return fmt.Sprintf("%s-%d", series, folio) }
