package db

import (
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ClientsByName finds clients by id (cli_12), reference, RFC or email address, for many names at once. The
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
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?) OR lower(email) IN (?) OR lower(tax_id) IN (?) OR external_ref <> '' AND external_ref IN (?)", bun.List(ids), bun.List(words), bun.List(words), bun.List(append([]string{"-"}, names...))).
		OrderExpr("id").Scan(ctx)
	found := map[string][]Client{}
	for _, row := range rows {
		for _, name := range []string{row.ID.String(), strings.ToLower(row.ExternalRef), strings.ToLower(row.Email), strings.ToLower(row.TaxID)} {
			if name != "" && !slices.ContainsFunc(found[name], func(c Client) bool { return c.ID == row.ID }) {
				found[name] = append(found[name], row)
			}
		}
	}
	return found, translate(err)
}

// ClaimRequests claims many request keys at once. It returns those that are new, and those of the others that the same
// transaction claimed before.
func (s *Store) ClaimRequests(ctx context.Context, rows []BillingRequest) (fresh, earlier map[string]bool, err error) {
	fresh, earlier = map[string]bool{}, map[string]bool{}
	if len(rows) == 0 {
		return fresh, earlier, nil
	}
	keys := []string{}
	if err := s.idb.NewInsert().Model(&rows).On("CONFLICT (key) DO NOTHING").Returning("key").Scan(ctx, &keys); err != nil {
		return nil, nil, translate(err)
	}
	for _, key := range keys {
		fresh[key] = true
	}
	others := []string{}
	for _, row := range rows {
		if !fresh[row.Key] {
			others = append(others, row.Key)
		}
	}
	if len(others) == 0 {
		return fresh, earlier, nil
	}
	// created_at is the moment at which its transaction began.
	err = s.idb.NewRaw(`SELECT key FROM billing_request WHERE key IN (?) AND created_at = now()`, bun.List(others)).Scan(ctx, &keys)
	for _, key := range keys {
		if !fresh[key] {
			earlier[key] = true
		}
	}
	return fresh, earlier, translate(err)
}

// ClientsAddedHere returns those of the references whose clients the same transaction has added.
func (s *Store) ClientsAddedHere(ctx context.Context, references []string) ([]string, error) {
	found := []string{}
	if len(references) == 0 {
		return found, nil
	}
	err := s.idb.NewRaw(`SELECT external_ref FROM client WHERE external_ref IN (?) AND external_ref <> '' AND xmin = pg_current_xact_id()::xid ORDER BY id`, bun.List(references)).Scan(ctx, &found)
	return found, translate(err)
}

// ImportedClient is a client with its owner's row and its contacts, which are written together.
type ImportedClient struct {
	Client      Client
	Owner       SubAccount
	Contacts    []Contact
	Permissions [][]access.Permission // of each contact: nil for one without access
}

// AddClients inserts clients with their owners and contacts, in four statements, and sets their ids. A reference that is there already
// is left alone: its client keeps the id 0.
func (s *Store) AddClients(ctx context.Context, list []*ImportedClient) error {
	rows := make([]*Client, len(list))
	for i, one := range list {
		rows[i] = &one.Client
	}
	made := []Client{}
	if _, err := s.idb.NewInsert().Model(&rows).On("CONFLICT (external_ref) WHERE external_ref <> '' DO NOTHING").Returning("id, external_ref").Exec(ctx, &made); err != nil {
		return translate(err)
	}
	ids := make(map[string]id.Client, len(made))
	for _, row := range made {
		ids[row.ExternalRef] = row.ID
	}
	owners, contacts := []*SubAccount{}, []*Contact{}
	for _, one := range list {
		one.Client.ID = ids[one.Client.ExternalRef]
		if one.Client.ID == 0 {
			continue
		}
		one.Owner.ClientID = one.Client.ID
		owners = append(owners, &one.Owner)
		for i := range one.Contacts {
			one.Contacts[i].ClientID = one.Client.ID
			contacts = append(contacts, &one.Contacts[i])
		}
	}
	if len(owners) == 0 {
		return nil
	}
	if len(contacts) > 0 {
		if _, err := s.idb.NewInsert().Model(&contacts).Exec(ctx); err != nil {
			return translate(err)
		}
	}
	for _, one := range list {
		for i, permissions := range one.Permissions {
			if permissions != nil && one.Client.ID != 0 {
				owners = append(owners, &SubAccount{ClientID: one.Client.ID, ContactID: one.Contacts[i].ID, Permissions: permissions, Status: SubAccountInvited})
			}
		}
	}
	_, err := s.idb.NewInsert().Model(&owners).Exec(ctx)
	return translate(err)
}
