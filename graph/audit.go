package graph

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/account"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

// auditArgs are the filters of the audit log; nil does not limit.
type auditArgs struct {
	client, login, staff, verb *string
	from, until                *time.Time
}

func (a auditArgs) query() (account.AuditQuery, error) {
	query := account.AuditQuery{Verb: deref(a.verb)}
	var err error
	if query.Client, err = optional(a.client, ids.ParseClient); err != nil {
		return query, err
	}
	if query.Login, err = optional(a.login, ids.ParseLogin); err != nil {
		return query, err
	}
	if query.Staff, err = optional(a.staff, ids.ParseStaff); err != nil {
		return query, err
	}
	if a.from != nil {
		query.From = *a.from
	}
	if a.until != nil {
		query.Until = *a.until
	}
	return query, nil
}

func (r *resolver) audit(ctx context.Context, args auditArgs, first *int, after *string, last *int, before *string) (*model.AuditConnection, error) {
	query, err := args.query()
	if err != nil {
		return nil, err
	}
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	list, err := r.Account.Audit(ctx, query, page)
	if err != nil {
		return nil, err
	}
	return &model.AuditConnection{Connection: connection(list, func(row *db.AuditRow) *db.AuditRow { return row },
		func(cursor string, node *db.AuditRow) *model.AuditEdge {
			return &model.AuditEdge{Cursor: cursor, Node: node}
		})}, nil
}

// someID is the text of an id; nil for none.
func someID[K interface {
	~int64
	String() string
}](key K) *string {
	if key == 0 {
		return nil
	}
	text := key.String()
	return &text
}
