package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Product is what is offered for sale.
type Product struct {
	bun.BaseModel `bun:"table:product"`

	ID               id.Product     `bun:"id,pk,autoincrement"`
	Name             string         `bun:"name"`
	Kind             string         `bun:"kind"`
	TLD              string         `bun:"tld"`   // of a domain
	Cycle            string         `bun:"cycle"` // see billing.Cycle
	Price            money.Decimal  `bun:"price"` // per cycle, units of Currency
	Currency         money.Currency `bun:"currency"`
	Treatment        string         `bun:"treatment"`
	PriceIncludesTax bool           `bun:"price_includes_tax"`
	ClaveProdServ    string         `bun:"clave_prod_serv"`
	ClaveUnidad      string         `bun:"clave_unidad"`
	Active           bool           `bun:"active"` // can be sold
	CreatedAt        time.Time      `bun:"created_at,nullzero,default:now()"`
	UpdatedAt        time.Time      `bun:"updated_at,nullzero,default:now()"`
}

// States of a service.
const (
	ServiceActive    = "active"
	ServiceSuspended = "suspended" // not billed for the time being
	ServiceEnded     = "ended"
)

// Service is what a client has bought and is billed for, period by period.
type Service struct {
	bun.BaseModel `bun:"table:service"`

	ID               id.Service     `bun:"id,pk,autoincrement"`
	ClientID         id.Client      `bun:"client_id"`
	ProductID        id.Product     `bun:"product_id,nullzero"`
	Description      string         `bun:"description"`
	Kind             string         `bun:"kind"`
	TLD              string         `bun:"tld"`
	Cycle            string         `bun:"cycle"`
	Quantity         money.Decimal  `bun:"quantity"`
	Price            money.Decimal  `bun:"price"` // of one, per cycle
	Currency         money.Currency `bun:"currency"`
	Treatment        string         `bun:"treatment"`
	PriceIncludesTax bool           `bun:"price_includes_tax"`
	ClaveProdServ    string         `bun:"clave_prod_serv"`
	ClaveUnidad      string         `bun:"clave_unidad"`
	StartsOn         date.Date      `bun:"starts_on"`
	AnchorDay        int            `bun:"anchor_day"`        // of the month, on which periods begin; the last day of shorter months
	NextOn           date.Date      `bun:"next_on,type:date"` // first day of the next period to be invoiced; "" when there is none
	EndsOn           date.Date      `bun:"ends_on"`           // no period begins on this day or later; "" for no end
	DaysBefore       int            `bun:"days_before"`       // how many days before a period begins its invoice is issued
	Status           string         `bun:"status"`
	CreatedAt        time.Time      `bun:"created_at,nullzero,default:now()"`
	UpdatedAt        time.Time      `bun:"updated_at,nullzero,default:now()"`
}

// ServicePeriod is a period that was invoiced: at most one row for each period of a service.
type ServicePeriod struct {
	bun.BaseModel `bun:"table:service_period"`

	ServiceID id.Service `bun:"service_id,pk"`
	StartsOn  date.Date  `bun:"starts_on,pk"`
	EndsOn    date.Date  `bun:"ends_on"` // first day after the period
	InvoiceID id.Invoice `bun:"invoice_id"`
	CreatedAt time.Time  `bun:"created_at,nullzero,default:now()"`
}

// SaveProduct inserts a product, or changes the one with its id.
func (s *Store) SaveProduct(ctx context.Context, row *Product) error {
	row.UpdatedAt = time.Now()
	if row.ID == 0 {
		_, err := s.idb.NewInsert().Model(row).Exec(ctx)
		return translate(err)
	}
	_, err := s.idb.NewUpdate().Model(row).ExcludeColumn("id", "created_at").WherePK().Exec(ctx)
	return translate(err)
}

// Product returns one product.
func (s *Store) Product(ctx context.Context, productID id.Product) (Product, error) {
	var row Product
	err := s.idb.NewSelect().Model(&row).Where("id = ?", productID).Scan(ctx)
	return row, translate(err)
}

// Products lists products by name.
func (s *Store) Products(ctx context.Context, page Page) (List[Product], error) {
	rows := []Product{}
	q := s.idb.NewSelect().Model(&rows)
	return readPage(ctx, s, q, &rows, page, order[Product]{by: []key{{"name", "text"}, {"id", "bigint"}}, of: func(p Product) []any { return []any{p.Name, int64(p.ID)} }})
}

// AddService inserts a service and sets its id.
func (s *Store) AddService(ctx context.Context, row *Service) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// UpdateService writes a service.
func (s *Store) UpdateService(ctx context.Context, row *Service) error {
	row.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(row).ExcludeColumn("id", "client_id", "created_at").WherePK().Exec(ctx)
	return translate(err)
}

// UpdateNextOn writes the next period and status of many services in one statement.
func (s *Store) UpdateNextOn(ctx context.Context, rows []*Service) error {
	if len(rows) == 0 {
		return nil
	}
	now := time.Now()
	for _, row := range rows {
		row.UpdatedAt = now
	}
	_, err := s.idb.NewUpdate().Model(&rows).Column("next_on", "status", "updated_at").Bulk().Exec(ctx)
	return translate(err)
}

// Service returns one service.
func (s *Store) Service(ctx context.Context, serviceID id.Service) (Service, error) {
	var row Service
	err := s.idb.NewSelect().Model(&row).Where("id = ?", serviceID).Scan(ctx)
	return row, translate(err)
}

// LockService returns one service, locked until the transaction ends.
func (s *Store) LockService(ctx context.Context, serviceID id.Service) (Service, error) {
	var row Service
	err := s.idb.NewSelect().Model(&row).Where("id = ?", serviceID).For("NO KEY UPDATE").Scan(ctx)
	return row, translate(err)
}

// LockActiveServices returns the active services of a client, locked until the transaction ends.
func (s *Store) LockActiveServices(ctx context.Context, client id.Client) ([]Service, error) {
	rows := []Service{}
	err := s.idb.NewSelect().Model(&rows).Where("client_id = ?", client).Where("status = ?", ServiceActive).OrderExpr("id").For("NO KEY UPDATE").Scan(ctx)
	return rows, translate(err)
}

// ServiceFilter limits a list of services.
type ServiceFilter struct {
	Reach  access.Reach
	Client id.Client // 0: any
	Status string    // "": any
}

// Services lists services, the newest first.
func (s *Store) Services(ctx context.Context, filter ServiceFilter, page Page) (List[Service], error) {
	rows := []Service{}
	q := s.idb.NewSelect().Model(&rows)
	if !filter.Reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(filter.Reach.Clients)))
	}
	if filter.Client != 0 {
		q = q.Where("client_id = ?", filter.Client)
	}
	if filter.Status != "" {
		q = q.Where("status = ?", filter.Status)
	}
	return readPage(ctx, s, q, &rows, page, order[Service]{by: []key{{"id", "bigint"}}, descending: true, of: func(v Service) []any { return []any{int64(v.ID)} }})
}

// TakeDueServices returns services whose next period must be invoiced by now, in their clients' time
// zones, locked until the transaction ends; services that another process works on are left to it.
// It takes all due services of the clients it chooses (those after the given one, by id), so that
// one invoice can hold them. What is free is never invoiced, and a closed client for nothing.
func (s *Store) TakeDueServices(ctx context.Context, now time.Time, after id.Client, clients int) ([]Service, error) {
	rows := []Service{}
	err := s.idb.NewRaw(`
WITH chosen AS (
	SELECT c.id, (?0::timestamptz AT TIME ZONE c.timezone)::date AS today FROM client AS c
	WHERE c.id > ?2 AND c.closed_at IS NULL AND EXISTS (SELECT FROM service AS d WHERE d.client_id = c.id AND d.price > 0 AND d.status = 'active' AND d.next_on IS NOT NULL
		AND d.next_on - d.days_before <= (?0::timestamptz AT TIME ZONE c.timezone)::date)
	ORDER BY c.id LIMIT ?1 FOR NO KEY UPDATE SKIP LOCKED
)
SELECT d.* FROM service AS d JOIN chosen ON chosen.id = d.client_id
WHERE d.price > 0 AND d.status = 'active' AND d.next_on IS NOT NULL AND d.next_on - d.days_before <= chosen.today
ORDER BY d.client_id, d.currency, d.next_on, d.id FOR NO KEY UPDATE OF d`, now, clients, after).Scan(ctx, &rows)
	return rows, translate(err)
}

// AddPeriods inserts invoiced periods; one that was invoiced before violates service_period_pkey.
func (s *Store) AddPeriods(ctx context.Context, rows []ServicePeriod) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.idb.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
	return translate(err)
}

// PeriodsFrom returns the invoiced periods of a service from the day on, the first of which may have begun before it.
func (s *Store) PeriodsFrom(ctx context.Context, serviceID id.Service, day date.Date) ([]ServicePeriod, error) {
	rows := []ServicePeriod{}
	err := s.idb.NewSelect().Model(&rows).Where("service_id = ?", serviceID).Where("ends_on > ?", day).OrderExpr("starts_on").Scan(ctx)
	return rows, translate(err)
}

// PeriodInvoices returns for each of a service's periods the invoices that bill it: its own, and those of changes within
// it. The newest comes first.
func (s *Store) PeriodInvoices(ctx context.Context, serviceID id.Service, periods []ServicePeriod) ([][]id.Invoice, error) {
	found := make([][]id.Invoice, len(periods))
	for i, period := range periods {
		err := s.idb.NewRaw(`SELECT DISTINCT l.invoice_id FROM service AS v JOIN invoice AS i ON i.client_id = v.client_id JOIN invoice_line AS l ON l.invoice_id = i.id
			WHERE v.id = ?0 AND i.id >= ?3 AND l.service_id = v.id AND l.period_start >= ?1 AND l.period_end = ?2 ORDER BY l.invoice_id DESC`,
			serviceID, period.StartsOn, period.EndsOn, period.InvoiceID).Scan(ctx, &found[i])
		if err != nil {
			return nil, translate(err)
		}
	}
	return found, nil
}

// Periods returns the invoiced periods of a service, the newest first.
func (s *Store) Periods(ctx context.Context, serviceID id.Service, limit int) ([]ServicePeriod, error) {
	rows := []ServicePeriod{}
	err := s.idb.NewSelect().Model(&rows).Where("service_id = ?", serviceID).OrderExpr("starts_on DESC").Limit(int64(limit)).Scan(ctx)
	return rows, translate(err)
}
