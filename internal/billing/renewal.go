package billing

import (
	"context"
	"errors"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// renewalBatch is how many clients are invoiced in one transaction.
const renewalBatch = 200

// RenewalResult counts what a run made.
type RenewalResult struct {
	Invoices int
	Periods  int
	Skipped  int // periods that cannot be invoiced, with the reason in Problems
	Problems []RenewalProblem
}

// RenewalProblem is a client whose services could not be invoiced.
type RenewalProblem struct {
	ClientID id.Client
	Err      error
}

// InvoiceRenewals invoices the periods of services that begin within the days that each service
// asks for, by its client's calendar. It is run by the clock, and may be run by staff at any time by any number
// of processes: a period is invoiced once, by the key of service_period. Services of a client with the same currency
// and renewal day share an invoice, due on that day (or today when the day has passed).
func (s *Service) InvoiceRenewals(ctx context.Context) (RenewalResult, error) {
	var result RenewalResult
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return result, err
	}
	// Passes over the clients, one period of each service at a time, until nothing is due: after an
	// outage a service may be several periods behind.
	for {
		made, after := 0, id.Client(0)
		result.Skipped, result.Problems = 0, nil
		for {
			var last id.Client
			err := s.Store.InTx(ctx, func(tx *db.Store) error {
				services, err := tx.TakeDueServices(ctx, s.Now(), after, renewalBatch)
				if err != nil || len(services) == 0 {
					return err
				}
				last = services[len(services)-1].ClientID
				n, err := s.invoiceServices(ctx, tx, services, &result)
				made += n
				return err
			})
			if err != nil {
				return result, err
			}
			if after = last; last == 0 {
				break
			}
		}
		if made == 0 {
			return result, nil
		}
	}
}

// UpcomingRenewals lists the active services whose next period begins by the day, the next one first. Staff only.
func (s *Service) UpcomingRenewals(ctx context.Context, until date.Date, page db.Page) (db.List[db.Service], error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.List[db.Service]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Service]{}, err
	}
	return s.Store.UpcomingRenewals(ctx, until, page)
}

// RenewalSums sums the next periods that begin by the day, by currency. Staff only.
func (s *Service) RenewalSums(ctx context.Context, until date.Date) ([]db.RenewalSum, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.RenewalSums(ctx, until)
}

// group is the services of one invoice.
type group struct {
	client   id.Client
	services []*db.Service
}

// invoiceServices invoices one period of each service and moves it to its next one.
func (s *Service) invoiceServices(ctx context.Context, tx *db.Store, services []db.Service, result *RenewalResult) (made int, err error) {
	groups := []group{}
	ids := []id.Client{}
	for i := range services {
		v := &services[i]
		if n := len(groups); n > 0 {
			first := groups[n-1].services[0]
			if first.ClientID == v.ClientID && first.Currency == v.Currency && first.NextOn == v.NextOn {
				groups[n-1].services = append(groups[n-1].services, v)
				continue
			}
		}
		groups, ids = append(groups, group{v.ClientID, []*db.Service{v}}), append(ids, v.ClientID)
	}
	clients, err := tx.ClientsByID(ctx, ids)
	if err != nil {
		return 0, err
	}
	byID := map[id.Client]db.Client{}
	for _, c := range clients {
		byID[c.ID] = c
	}
	company, err := tx.Company(ctx)
	if err != nil {
		return 0, err
	}
	rows, lines, owners := []db.Invoice{}, [][]db.InvoiceLine{}, []group{}
	for _, g := range groups {
		row, ls, err := s.renewal(ctx, tx, g, byID[g.client], company)
		if f, ok := fault.As(err); ok && f.Kind == fault.Invalid {
			result.Skipped += len(g.services)
			result.Problems = append(result.Problems, RenewalProblem{g.client, err})
			continue
		}
		if err != nil {
			return 0, err
		}
		rows, lines, owners = append(rows, row), append(lines, ls), append(owners, g)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	first, err := tx.NextFolios(ctx, invoiceSeries, len(rows))
	if err != nil {
		return 0, err
	}
	for i := range rows {
		s.setNumber(&rows[i], invoiceSeries, first+int64(i))
	}
	if err := tx.AddInvoices(ctx, rows, lines); err != nil {
		return 0, err
	}
	if err := auditIssue(ctx, tx, rows...); err != nil {
		return 0, err
	}
	periods, moved, jobs := []db.ServicePeriod{}, []*db.Service{}, []db.Job{}
	for i, g := range owners {
		jobs = append(jobs, s.renderJob(rows[i]), Changed(rows[i]))
		for _, v := range g.services {
			next := Cycle(v.Cycle).After(v.NextOn, v.AnchorDay)
			periods = append(periods, db.ServicePeriod{ServiceID: v.ID, StartsOn: v.NextOn, EndsOn: periodEnd(*v), InvoiceID: rows[i].ID})
			if v.NextOn = next; next == "" || v.EndsOn != "" && next >= v.EndsOn {
				v.NextOn = ""
			}
			moved = append(moved, v)
		}
	}
	if err := errors.Join(tx.AddPeriods(ctx, periods), tx.UpdateNextOn(ctx, moved), tx.EnqueueAll(ctx, jobs)); err != nil {
		return 0, err
	}
	result.Invoices += len(rows)
	result.Periods += len(periods)
	return len(rows), nil
}

// periodEnd is the first day after the period that begins on the service's NextOn. A one-off has no length.
func periodEnd(v db.Service) date.Date {
	if end := Cycle(v.Cycle).After(v.NextOn, v.AnchorDay); end != "" {
		return end
	}
	return v.NextOn
}

// renewal composes the invoice of a group.
func (s *Service) renewal(ctx context.Context, tx *db.Store, g group, client db.Client, company db.Company) (db.Invoice, []db.InvoiceLine, error) {
	first := g.services[0]
	in := IssueInput{ClientID: g.client, Currency: first.Currency, DueDate: max(first.NextOn, date.Today(s.Now(), client.Timezone))}
	for _, v := range g.services {
		in.Lines = append(in.Lines, LineInput{Description: withoutPipes(v.Description), Quantity: v.Quantity, UnitPrice: v.Price, Treatment: TaxTreatment(v.Treatment),
			PriceIncludesTax: v.PriceIncludesTax, Kind: v.Kind, TLD: v.TLD, ClaveProdServ: v.ClaveProdServ, ClaveUnidad: v.ClaveUnidad,
			ServiceID: v.ID, PeriodStart: v.NextOn, PeriodEnd: periodEnd(*v)})
	}
	var checks fault.Checks
	d := in.check(&checks)
	row, err := s.composeFor(ctx, tx, &d, &checks, client, company, nil)
	return row, d.lines, err
}
