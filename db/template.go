package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// MailTemplate is a version of the text of a step's mail in a language. The newest holds; an empty
// body means that the built-in text holds.
type MailTemplate struct {
	bun.BaseModel `bun:"table:mail_template"`

	ID        id.Template `bun:"id,pk,autoincrement"`
	Anchor    string      `bun:"anchor"`
	Days      int         `bun:"days"`
	Language  string      `bun:"language"`
	Subject   string      `bun:"subject"`
	Body      string      `bun:"body"`
	Author    string      `bun:"author"`
	CreatedAt time.Time   `bun:"created_at,nullzero,default:now()"`
}

// AddTemplate inserts a version and sets its id.
func (s *Store) AddTemplate(ctx context.Context, row *MailTemplate) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// Template returns one version.
func (s *Store) Template(ctx context.Context, templateID id.Template) (MailTemplate, error) {
	var row MailTemplate
	err := s.idb.NewSelect().Model(&row).Where("id = ?", templateID).Scan(ctx)
	return row, translate(err)
}

// Templates returns the versions for a step in a language, the newest 50 first.
func (s *Store) Templates(ctx context.Context, anchor string, days int, language string) ([]MailTemplate, error) {
	rows := []MailTemplate{}
	err := s.idb.NewSelect().Model(&rows).Where("anchor = ?", anchor).Where("days = ?", days).Where("language = ?", language).
		OrderExpr("id DESC").Limit(50).Scan(ctx)
	return rows, translate(err)
}

// TemplatesInForce returns the newest version for every step and language.
func (s *Store) TemplatesInForce(ctx context.Context) ([]MailTemplate, error) {
	rows := []MailTemplate{}
	err := s.idb.NewRaw("SELECT DISTINCT ON (anchor, days, language) * FROM mail_template ORDER BY anchor, days, language, id DESC").Scan(ctx, &rows)
	return rows, translate(err)
}
