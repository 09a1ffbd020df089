package graph

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// stampingOf translates how the stamping goes.
func stampingOf(s fiscal.Stamping) *model.Stamping {
	out := &model.Stamping{Waiting: s.Waiting, Failing: s.Failing, Refused: s.Refused, Oldest: inUTC(s.Oldest), LastStampedAt: inUTC(s.Last)}
	if o := s.Outage; o != nil {
		out.Outage = &model.StampingOutage{Since: o.Since.UTC(), Last: o.Last.UTC(), Documents: o.Documents, Failure: o.Failure, Code: o.Code, Message: o.Message}
	}
	if c := s.Credits; c != nil {
		out.Credit = &model.StampCredit{Left: c.Credits, CheckedAt: c.CheckedAt.UTC(), AlertBelow: s.Issuer.CreditAlert, Low: s.Low()}
	}
	if c := s.Issuer.CSD; c != nil {
		out.Certificate = &model.SealCertificate{NoCertificado: c.NoCertificado, Rfc: c.Rfc, ValidUntil: c.ValidUntil.UTC(), DaysLeft: s.Issuer.DaysLeft}
	}
	return out
}

func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

// unstampedFilter is what the argument says; ALL is no limit.
func unstampedFilter(which string) string {
	if which == "all" {
		return db.UnstampedAll
	}
	return which
}

func (r *resolver) unstampedDocuments(ctx context.Context, which string, first *int, after *string, last *int, before *string) (*model.UnstampedDocumentConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	list, rows, err := r.Fiscal.Unstamped(ctx, unstampedFilter(which), page)
	if err != nil {
		return nil, err
	}
	row := 0 // both lists are of the same rows
	return &model.UnstampedDocumentConnection{Connection: connection(list, func(*db.CFDI) *model.UnstampedDocument {
		row++
		return unstampedDocument(ctx, &rows[row-1])
	}, func(cursor string, node *model.UnstampedDocument) *model.UnstampedDocumentEdge {
		return &model.UnstampedDocumentEdge{Cursor: cursor, Node: node}
	})}, nil
}

func unstampedDocument(ctx context.Context, row *fiscal.Unstamped) *model.UnstampedDocument {
	node := &model.UnstampedDocument{Document: &row.CFDI, Attempts: row.Attempts, Cause: row.Cause, FailedAt: inUTC(row.FailedAt), NextAttemptAt: inUTC(row.NextAttempt)}
	if row.MessageEN != "" && requestOf(ctx).lang == locale.English {
		node.Cause = row.MessageEN
	}
	if row.Failure != "" {
		node.Failure = &row.Failure
	}
	return node
}
