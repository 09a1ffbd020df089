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

// InvoiceQuery selects and orders invoices of a list. Zero values do not limit.
type InvoiceQuery struct {
	Client     id.Client // 0: every client that the actor reaches
	IDs        []id.Invoice
	Origin     id.Invoice // late fees of this invoice alone
	Status     string     // a state of db.Invoice, "overdue" or "open"; "" any
	Currency   money.Currency
	IssuedFrom date.Date
	IssuedTo   date.Date
	DueFrom    date.Date
	DueTo      date.Date
	MinTotal   money.Minor // minor units
	MaxTotal   money.Minor
	Search     string // part of the number, of another system's reference, or of the client's name, address or RFC
	Order      db.InvoiceOrder
}

var statuses = []string{"", "open", db.InvoiceOverdue, db.InvoiceDraft, db.InvoiceIssued, db.InvoicePartlyPaid, db.InvoicePaid, db.InvoiceCancelled, db.InvoiceWrittenOff}

// filter asks for the right to see the list and makes its filter.
func (s *Service) filter(ctx context.Context, query InvoiceQuery) (db.InvoiceFilter, error) {
	reach, err := s.reach(ctx, query.Client)
	if err != nil {
		return db.InvoiceFilter{}, err
	}
	var checks fault.Checks
	if !slices.Contains(statuses, query.Status) {
		checks.Add("status", "VALUE_INVALID")
	}
	if query.Order.By != "" && !slices.Contains(db.InvoiceOrders, query.Order.By) {
		checks.Add("order", "VALUE_INVALID")
	}
	if query.IssuedFrom != "" && query.IssuedTo != "" && query.IssuedTo < query.IssuedFrom {
		checks.Add("issuedTo", "DATE_RANGE")
	}
	if query.DueFrom != "" && query.DueTo != "" && query.DueTo < query.DueFrom {
		checks.Add("dueTo", "DATE_RANGE")
	}
	return db.InvoiceFilter{Reach: reach, Client: query.Client, IDs: query.IDs, Origin: query.Origin, Status: query.Status, Currency: query.Currency,
		IssuedFrom: query.IssuedFrom, IssuedTo: query.IssuedTo, DueFrom: query.DueFrom, DueTo: query.DueTo, MinTotal: query.MinTotal, MaxTotal: query.MaxTotal,
		Search: query.Search, Order: query.Order, Today: s.Today(), NoDrafts: access.RequireCapability(ctx, access.ReadBilling) != nil}, checks.Err()
}

// Invoices lists invoices, by default the newest first.
func (s *Service) Invoices(ctx context.Context, query InvoiceQuery, page db.Page) (db.List[db.Invoice], error) {
	filter, err := s.filter(ctx, query)
	if err != nil {
		return db.List[db.Invoice]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Invoice]{}, err
	}
	list, err := s.Store.Invoices(ctx, filter, page)
	for i := range list.Rows {
		list.Rows[i] = s.current(list.Rows[i])
	}
	return list, err
}

// InvoiceSums sums the invoices of a list, by currency; more is true, and nothing summed, where a search finds more
// than db.MaxSummed.
func (s *Service) InvoiceSums(ctx context.Context, query InvoiceQuery) (sums []db.InvoiceSums, more bool, err error) {
	filter, err := s.filter(ctx, query)
	if err != nil {
		return nil, false, err
	}
	return s.Store.InvoiceSums(ctx, filter)
}
