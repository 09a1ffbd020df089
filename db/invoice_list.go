package db

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// InvoiceFilter limits a list of invoices. Zero values do not limit.
type InvoiceFilter struct {
	Reach      access.Reach
	Client     id.Client
	IDs        []id.Invoice
	Origin     id.Invoice // of late fees: the late invoice
	Status     string     // a stored state, InvoiceOverdue, or "open" for everything still owed
	Currency   money.Currency
	IssuedFrom date.Date // first and last day of issue
	IssuedTo   date.Date
	DueFrom    date.Date // first and last due date
	DueTo      date.Date
	MinTotal   money.Minor // minor units
	MaxTotal   money.Minor
	Search     string       // part of the number, of another system's reference, or of the client's name, address or RFC
	Today      date.Date    // what overdue means
	Order      InvoiceOrder // of a list
	NoDrafts   bool         // clients see what was issued to them
}

// InvoiceOrder is the order of a list of invoices. The zero value is the newest first.
type InvoiceOrder struct {
	By        string // one of InvoiceOrders; "" is issue_date
	Ascending bool
}

// InvoiceOrders are the columns a list of invoices can be ordered by.
var InvoiceOrders = []string{"issue_date", "due_date", "total", "balance", "folio"}

func (s *Store) filterInvoices(ctx context.Context, f InvoiceFilter, q *bun.SelectQuery) (*bun.SelectQuery, error) {
	if !f.Reach.All {
		q = q.Where("invoice.client_id IN (?)", bun.List(orNone(f.Reach.Clients)))
	}
	if f.Client != 0 {
		q = q.Where("invoice.client_id = ?", f.Client)
	}
	if f.IDs != nil {
		q = q.Where("invoice.id IN (?)", bun.List(orNone(f.IDs)))
	}
	if f.Origin != 0 {
		q = q.Where("invoice.origin_id = ?", f.Origin)
	}
	if f.NoDrafts {
		q = q.Where("invoice.status <> 'draft'")
	}
	switch f.Status {
	case "":
	case "open":
		q = q.Where("invoice.status IN ('issued', 'partly_paid')")
	case InvoiceOverdue:
		q = q.Where("invoice.status IN ('issued', 'partly_paid')").Where("invoice.due_date < ?", f.Today)
	default:
		q = q.Where("invoice.status = ?", f.Status)
	}
	if f.Currency != "" {
		q = q.Where("invoice.currency = ?", f.Currency)
	}
	for _, limit := range []struct {
		condition string
		day       date.Date
	}{{"invoice.issue_date >= ?", f.IssuedFrom}, {"invoice.issue_date <= ?", f.IssuedTo}, {"invoice.due_date >= ?", f.DueFrom}, {"invoice.due_date <= ?", f.DueTo}} {
		if limit.day != "" {
			q = q.Where(limit.condition, limit.day)
		}
	}
	if f.MinTotal != 0 {
		q = q.Where("invoice.total >= ?", f.MinTotal)
	}
	if f.MaxTotal != 0 {
		q = q.Where("invoice.total <= ?", f.MaxTotal)
	}
	return s.search(ctx, q, "lower(invoice.number || ' ' || invoice.external_reference)", "invoice.client_id", f.Search)
}

// Invoices lists invoices in the filter's order, the newest first by default.
func (s *Store) Invoices(ctx context.Context, filter InvoiceFilter, page Page) (List[Invoice], error) {
	rows, by := []Invoice{}, filter.Order
	if !slices.Contains(InvoiceOrders, by.By) {
		by.By = "issue_date"
	}
	if by.By == "folio" && filter.Status == InvoiceDraft {
		by.By = "issue_date" // a draft has no number
	}
	first := key{"invoice." + by.By, "bigint"}
	switch by.By {
	case "issue_date", "due_date":
		first.as = "date"
	case "folio": // a draft has none: it counts as 0
		first.expr = "coalesce(invoice.folio, 0)"
	}
	q, err := s.filterInvoices(ctx, filter, s.idb.NewSelect().Model(&rows))
	if err != nil {
		return List[Invoice]{}, err
	}
	return readPage(ctx, s, q, &rows, page, order[Invoice]{by: []key{first, {"invoice.id", "bigint"}}, descending: !by.Ascending,
		of: func(i Invoice) []any { return []any{by.key(i), int64(i.ID)} }})
}

func (o InvoiceOrder) key(i Invoice) any {
	switch o.By {
	case "due_date":
		return string(i.DueDate)
	case "total":
		return int64(i.Total)
	case "balance":
		return int64(i.Balance)
	case "folio":
		return i.Folio
	}
	return string(i.IssueDate)
}

// EachInvoice calls fn for every invoice of a filter, the oldest first, with constant memory. It
// reads pages by key, so that a slow reader holds no connection.
func (s *Store) EachInvoice(ctx context.Context, filter InvoiceFilter, fn func([]Invoice) error) error {
	page := Page{First: 500}
	filter.Order = InvoiceOrder{Ascending: true}
	for {
		list, err := s.Invoices(ctx, filter, page)
		if err != nil {
			return err
		}
		if err := fn(list.Rows); err != nil {
			return err
		}
		if page.After = list.Next(); page.After == "" {
			return nil
		}
	}
}

// InvoiceSums sums the invoices of a filter in one currency.
type InvoiceSums struct {
	Currency money.Currency `bun:"currency"`
	Count    int64          `bun:"count"`
	Total    money.Minor    `bun:"total"`
	Paid     money.Minor    `bun:"paid"`
	Balance  money.Minor    `bun:"balance"` // of what is still owed
}

// InvoiceSums sums the invoices of a filter, by currency. A search that finds more than MaxSummed is not summed:
// more is true and the answer empty.
func (s *Store) InvoiceSums(ctx context.Context, filter InvoiceFilter) (rows []InvoiceSums, more bool, err error) {
	q, err := s.filterInvoices(ctx, filter, s.idb.NewSelect().TableExpr("invoice").ColumnExpr("invoice.currency, invoice.status, invoice.total, invoice.paid, invoice.balance"))
	if err != nil {
		return nil, false, err
	}
	if filter.Search != "" {
		q = q.Limit(MaxSummed + 1)
	}
	rows = []InvoiceSums{}
	err = s.idb.NewSelect().TableExpr("(?) AS found", q).
		ColumnExpr("currency, count(*) AS count, sum(total)::bigint AS total, sum(paid)::bigint AS paid").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE status IN ('issued', 'partly_paid')), 0)::bigint AS balance").
		GroupExpr("currency").OrderExpr("currency").Scan(ctx, &rows)
	var count int64
	for _, row := range rows {
		count += row.Count
	}
	if filter.Search != "" && count > MaxSummed {
		return []InvoiceSums{}, true, translate(err)
	}
	return rows, false, translate(err)
}

// InvoiceTotals is what a client owes, by currency.
type InvoiceTotals struct {
	Currency money.Currency `bun:"currency"`
	Open     int64          `bun:"open"` // invoices still owed
	Balance  money.Minor    `bun:"balance"`
	Overdue  money.Minor    `bun:"overdue"`
}

// OpenTotals sums what the clients in reach owe; client 0 means all of them.
func (s *Store) OpenTotals(ctx context.Context, reach access.Reach, client id.Client, today date.Date) ([]InvoiceTotals, error) {
	rows := []InvoiceTotals{}
	q := s.idb.NewSelect().Table("invoice").ColumnExpr("currency, count(*) AS open, sum(balance)::bigint AS balance").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE due_date < ?), 0)::bigint AS overdue", today).
		Where("status IN ('issued', 'partly_paid')").GroupExpr("currency").OrderExpr("currency")
	if !reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	if client != 0 {
		q = q.Where("client_id = ?", client)
	}
	err := q.Scan(ctx, &rows)
	return rows, translate(err)
}
