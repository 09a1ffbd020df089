package db

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// ClientsByName finds clients by id (cli_12), RFC or email address, for many names at once. The
// answer is by the name in lower case; a name that fits several clients has several.
func (s *Store) ClientsByName(ctx context.Context, names []string) (map[string][]Client, error) {
	ids, words := []id.Client{0}, []string{""}
	for _, name := range names {
		if client, err := id.ParseClient(name); err == nil {
			ids = append(ids, client)
		} else {
			words = append(words, strings.ToLower(name))
		}
	}
	rows := []Client{}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?) OR lower(email) IN (?) OR lower(tax_id) IN (?)", bun.List(ids), bun.List(words), bun.List(words)).
		OrderExpr("id").Scan(ctx)
	found := map[string][]Client{}
	for _, row := range rows {
		for _, name := range []string{row.ID.String(), strings.ToLower(row.Email), strings.ToLower(row.TaxID)} {
			if name != "" {
				found[name] = append(found[name], row)
			}
		}
	}
	return found, translate(err)
}

// ClaimRequests claims many request keys at once and returns those that are new.
func (s *Store) ClaimRequests(ctx context.Context, rows []BillingRequest) (map[string]bool, error) {
	fresh := map[string]bool{}
	if len(rows) == 0 {
		return fresh, nil
	}
	keys := []string{}
	err := s.idb.NewInsert().Model(&rows).On("CONFLICT (key) DO NOTHING").Returning("key").Scan(ctx, &keys)
	for _, key := range keys {
		fresh[key] = true
	}
	return fresh, translate(err)
}
