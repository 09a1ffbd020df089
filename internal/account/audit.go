package account

import (
	"context"
	"encoding/csv"
	"io"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// AuditQuery selects entries of the audit log. Zero values do not limit.
type AuditQuery struct {
	Client id.Client // required for people of clients: the owner sees the client's own
	Login  id.Login
	Staff  id.Staff
	Actor  string    // name or address of who acted, as the entries show it; case does not matter
	Verb   string    // "contact.update", or "contact." for all about contacts
	From   time.Time // inclusive
	Until  time.Time // exclusive
}

// Audit lists what happened, the newest first: to the owner for the client, to staff for all.
func (s *Service) Audit(ctx context.Context, query AuditQuery, page db.Page) (db.List[db.AuditRow], error) {
	if err := s.requireAudit(ctx, query.Client); err != nil {
		return db.List[db.AuditRow]{}, err
	}
	var checks fault.Checks
	if len(query.Verb) > 60 {
		checks.Add("verb", "VALUE_INVALID")
	}
	if !query.From.IsZero() && !query.Until.IsZero() && query.Until.Before(query.From) {
		checks.Add("until", "VALUE_INVALID")
	}
	if err := checks.Err(); err != nil {
		return db.List[db.AuditRow]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.AuditRow]{}, err
	}
	return s.Store.AuditLog(ctx, query.filter(), page)
}

func (q AuditQuery) filter() db.AuditFilter {
	reach := access.Reach{All: true}
	if q.Client != 0 {
		reach = access.Reach{Clients: []id.Client{q.Client}}
	}
	return db.AuditFilter{Reach: reach, Client: q.Client, Login: q.Login, Staff: q.Staff, Actor: q.Actor, Verb: q.Verb, From: q.From, Until: q.Until}
}

func (s *Service) requireAudit(ctx context.Context, client id.Client) error {
	if access.From(ctx).Kind == access.Login {
		if client == 0 {
			return fault.New(fault.Forbidden, "STAFF_ONLY")
		}
		return access.RequireOwner(ctx, client)
	}
	return access.RequireCapability(ctx, access.ReadAudit)
}

// auditColumns are the head of the CSV file.
var auditColumns = []string{"id", "at", "client", "kind", "actor", "login", "staff", "token", "address", "device", "request", "verb", "object", "before", "after"}

// ExportAudit writes the selected entries as CSV (RFC 4180, UTF-8), the newest first, page by page: the
// file may be larger than memory.
func (s *Service) ExportAudit(ctx context.Context, query AuditQuery, w io.Writer) error {
	if err := s.requireAudit(ctx, query.Client); err != nil {
		return err
	}
	page := db.Page{First: db.MaxPage}
	out := csv.NewWriter(w)
	for first := true; ; first = false {
		list, err := s.Audit(ctx, query, page)
		if err != nil {
			return err
		}
		if first {
			if err := out.Write(auditColumns); err != nil {
				return err
			}
		}
		for _, r := range list.Rows {
			record := []string{r.ID.String(), r.At.UTC().Format(time.RFC3339), global(r.ClientID), string(r.Kind), r.Actor, global(r.LoginID),
				global(r.StaffID), global(r.TokenID), r.Address, r.Device, r.Request, r.Verb, r.Object, string(r.Before), string(r.After)}
			for i := range record {
				record[i] = sheet.Cell(record[i])
			}
			if err := out.Write(record); err != nil {
				return err
			}
		}
		if page.After = list.Next(); page.After == "" {
			out.Flush()
			return out.Error()
		}
	}
}

// global is the id's text, "" for none.
func global[T interface {
	~int64
	String() string
}](v T) string {
	if v == 0 {
		return ""
	}
	return v.String()
}
