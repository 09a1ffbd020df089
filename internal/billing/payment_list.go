package billing

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// PaymentQuery selects payments of a list. Zero values do not limit.
type PaymentQuery struct {
	Client    id.Client // 0: every client that the actor reaches
	Method    string    // one of Methods
	From, To  date.Date // first and last day on which it was received
	MinAmount money.Minor
	MaxAmount money.Minor
	Voided    *bool
	Search    string // part of the reference, or of the client's name, address or RFC
}

func (s *Service) paymentFilter(ctx context.Context, query PaymentQuery) (db.PaymentFilter, error) {
	reach, err := s.reach(ctx, query.Client)
	if err != nil {
		return db.PaymentFilter{}, err
	}
	var checks fault.Checks
	if query.Method != "" && !slices.Contains(Methods, query.Method) {
		checks.Add("method", "VALUE_INVALID")
	}
	if query.From != "" && query.To != "" && query.To < query.From {
		checks.Add("to", "DATE_RANGE")
	}
	return db.PaymentFilter{Reach: reach, Client: query.Client, Method: query.Method, From: query.From, To: query.To, MinAmount: query.MinAmount,
		MaxAmount: query.MaxAmount, Voided: query.Voided, Search: query.Search}, checks.Err()
}

// PaymentList lists payments, the newest first.
func (s *Service) PaymentList(ctx context.Context, query PaymentQuery, page db.Page) (db.List[db.Payment], error) {
	filter, err := s.paymentFilter(ctx, query)
	if err != nil {
		return db.List[db.Payment]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Payment]{}, err
	}
	return s.Store.PaymentList(ctx, filter, page)
}

// PaymentSums sums the payments of a list, by currency; what was voided counts nothing. more is true, and nothing
// summed, where a search finds more than db.MaxSummed.
func (s *Service) PaymentSums(ctx context.Context, query PaymentQuery) (sums []db.PaymentSums, more bool, err error) {
	filter, err := s.paymentFilter(ctx, query)
	if err != nil {
		return nil, false, err
	}
	return s.Store.PaymentSums(ctx, filter)
}

// Payment returns one payment.
func (s *Service) Payment(ctx context.Context, paymentID id.Payment) (db.Payment, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Payment{}, err
	}
	row, err := s.Store.Payment(ctx, paymentID)
	if err != nil {
		return db.Payment{}, err
	}
	return row, access.Require(ctx, access.Invoices, row.ClientID)
}
