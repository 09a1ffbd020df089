package db

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// AuditRow is one entry of the audit log: who did what, from where, and what changed.
type AuditRow struct {
	bun.BaseModel `bun:"table:audit"`

	ID       id.Audit        `bun:"id,pk,autoincrement"`
	At       time.Time       `bun:"at,nullzero,default:now()"`
	ClientID id.Client       `bun:"client_id,nullzero"`
	Kind     access.Kind     `bun:"kind"`
	LoginID  id.Login        `bun:"login_id,nullzero"`
	StaffID  id.Staff        `bun:"staff_id,nullzero"`
	TokenID  id.Token        `bun:"token_id,nullzero"`
	Actor    string          `bun:"actor"`
	Address  string          `bun:"address"`
	Device   string          `bun:"device"`
	Request  string          `bun:"request"`
	Verb     string          `bun:"verb"`
	Object   string          `bun:"object"`
	Before   json.RawMessage `bun:"before,type:jsonb,nullzero"` // only what changed
	After    json.RawMessage `bun:"after,type:jsonb,nullzero"`
}

// AuditEntry is what a verb says about its change. Who acts comes from the context.
type AuditEntry struct {
	Client id.Client // whose account was changed; 0: the company's own
	Verb   string    // noun.verb: "contact.update"
	Object string    // global id of what was changed
	Before any       // rows or maps as they were and are; only their differences are kept. Secrets
	After  any       // print as *** (see Secret), and passwords and tokens are never given here
	Actor  *access.Actor
}

// Audit writes entries in the transaction of their changes, in one statement.
func (s *Store) Audit(ctx context.Context, entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]AuditRow, len(entries))
	for i, entry := range entries {
		var err error
		if rows[i], err = entry.row(ctx); err != nil {
			return err
		}
	}
	_, err := s.idb.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
	return translate(err)
}

func (entry AuditEntry) row(ctx context.Context) (AuditRow, error) {
	actor := access.From(ctx)
	if entry.Actor != nil {
		actor = *entry.Actor
	}
	before, after, err := differences(entry.Before, entry.After)
	if err != nil {
		return AuditRow{}, err
	}
	row := AuditRow{ClientID: entry.Client, Kind: actor.Kind, LoginID: actor.Login, StaffID: actor.Staff, TokenID: actor.Token,
		Actor: actor.Name, Address: actor.Address, Device: actor.Device, Request: actor.Request,
		Verb: entry.Verb, Object: entry.Object, Before: before, After: after}
	if actor.Staff != 0 {
		row.Kind = access.Staff // also while seeing as a client
	}
	return row, nil
}

// noise are fields that say nothing about a change.
var noise = []string{"ID", "id", "ClientID", "CreatedAt", "UpdatedAt", "createdAt", "updatedAt"}

// differences writes both as JSON objects without the fields that are equal or empty in both.
func differences(before, after any) (b, a json.RawMessage, err error) {
	old, err := fields(before)
	if err != nil {
		return nil, nil, err
	}
	now, err := fields(after)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range noise {
		delete(old, name)
		delete(now, name)
	}
	for name, value := range old {
		if other, ok := now[name]; ok && bytes.Equal(value, other) {
			delete(old, name)
			delete(now, name)
		}
	}
	for _, side := range []map[string]json.RawMessage{old, now} {
		for name, value := range side {
			switch string(value) {
			case `""`, "null", "[]", "0":
				if len(old) == 0 || len(now) == 0 { // something added or removed: what it did not have says nothing
					delete(side, name)
				}
			}
		}
	}
	if len(old) > 0 {
		if b, err = json.Marshal(old); err != nil {
			return nil, nil, err
		}
	}
	if len(now) > 0 {
		if a, err = json.Marshal(now); err != nil {
			return nil, nil, err
		}
	}
	return b, a, nil
}

func fields(v any) (map[string]json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	return m, json.Unmarshal(raw, &m)
}

// AuditFilter limits a list of the audit log. Zero values do not limit.
type AuditFilter struct {
	Reach  access.Reach
	Client id.Client
	Login  id.Login
	Staff  id.Staff
	Actor  string // name or address as it was noted; case does not matter
	Verb   string // "contact.update", or "contact." for all about contacts
	From   time.Time
	Until  time.Time // exclusive
}

// AuditLog lists entries, the newest first.
func (s *Store) AuditLog(ctx context.Context, filter AuditFilter, page Page) (List[AuditRow], error) {
	rows := []AuditRow{}
	q := s.idb.NewSelect().Model(&rows)
	if !filter.Reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(filter.Reach.Clients)))
	}
	if filter.Client != 0 {
		q = q.Where("client_id = ?", filter.Client)
	}
	if filter.Login != 0 {
		q = q.Where("login_id = ?", filter.Login)
	}
	if filter.Staff != 0 {
		q = q.Where("staff_id = ?", filter.Staff)
	}
	if filter.Actor != "" {
		q = q.Where("lower(actor) = lower(?)", filter.Actor)
	}
	if n := len(filter.Verb); n > 0 && filter.Verb[n-1] == '.' {
		q = q.Where("verb LIKE ?", escapeLike(filter.Verb)+"%")
	} else if n > 0 {
		q = q.Where("verb = ?", filter.Verb)
	}
	if !filter.From.IsZero() {
		q = q.Where("at >= ?", filter.From)
	}
	if !filter.Until.IsZero() {
		q = q.Where("at < ?", filter.Until)
	}
	return readPage(ctx, s, q, &rows, page, order[AuditRow]{by: []key{{"id", "bigint"}}, descending: true, of: func(r AuditRow) []any { return []any{int64(r.ID)} }})
}
