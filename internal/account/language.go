package account

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// SetLanguage makes a language the person's own: of pages on every device, and of mails about their access.
// What contacts are mailed follows the contact. Fault: LANGUAGE_UNKNOWN on "language".
func (s *Service) SetLanguage(ctx context.Context, lang string) error {
	if err := access.RequirePerson(ctx); err != nil {
		return err
	}
	if !locale.Valid(lang) {
		var checks fault.Checks
		checks.Add("language", "LANGUAGE_UNKNOWN")
		return checks.Err()
	}
	person, before := personOf(ctx), access.From(ctx).Language
	if before == lang {
		return nil
	}
	verb := "login.update"
	if person.Staff != 0 {
		verb = "staff.update"
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.SetLanguage(ctx, person, lang); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: verb, Object: objectOf(person), Before: map[string]any{"language": before}, After: map[string]any{"language": lang}})
	})
}
