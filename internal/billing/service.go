package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ServiceInput is a service that a client buys.
type ServiceInput struct {
	ClientID    id.Client
	ProductID   id.Product // its pricing is taken; 0: Pricing is given
	Description string     // what the invoice says: "Hospedaje Profesional, cafe.example"
	Quantity    money.Decimal
	Pricing
	StartsOn   date.Date
	AnchorDay  int       // day of the month on which periods begin, 1 to 31; 0 means that of StartsOn
	EndsOn     date.Date // no period begins on this day or later; "" for no end
	DaysBefore *int      // days between the invoice and the period, 0 to 90; nil means 14
	RequestKey string
}

// AddService sells a service: its invoices are made from then on. Staff only.
func (s *Service) AddService(ctx context.Context, in ServiceInput) (db.Service, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Service{}, err
	}
	serviceID, err := s.once(ctx, "service", in.RequestKey, int64(in.ClientID), func(tx *db.Store) (int64, error) {
		if in.ProductID != 0 {
			p, err := tx.Product(ctx, in.ProductID)
			if err != nil {
				return 0, err
			}
			in.Pricing = Pricing{Kind: p.Kind, TLD: p.TLD, Cycle: Cycle(p.Cycle), Price: p.Price, Currency: p.Currency, Treatment: TaxTreatment(p.Treatment),
				PriceIncludesTax: p.PriceIncludesTax, ClaveProdServ: p.ClaveProdServ, ClaveUnidad: p.ClaveUnidad}
			if in.Description == "" {
				in.Description = p.Name
			}
		}
		row, err := in.row()
		if err != nil {
			return 0, err
		}
		if in.ProductID == 0 {
			if err := s.checkPricing(ctx, tx, in.Pricing); err != nil {
				return 0, err
			}
		}
		client, err := tx.Client(ctx, in.ClientID)
		if err == nil {
			err = openClient(client)
		}
		if err != nil {
			return 0, err
		}
		if err := tx.AddService(ctx, &row); err != nil {
			return 0, err
		}
		return int64(row.ID), auditService(ctx, tx, "service.add", nil, row)
	})
	if err != nil {
		return db.Service{}, err
	}
	return s.Store.Service(ctx, id.Service(serviceID))
}

func (in *ServiceInput) row() (db.Service, error) {
	var checks fault.Checks
	checkConcept(&checks, "description", &in.Description, true, 900)
	in.check(&checks)
	if in.Quantity.IsZero() {
		in.Quantity = money.Int(1)
	}
	if in.Quantity.Sign() < 0 {
		checks.Add("quantity", "QUANTITY_NOT_POSITIVE")
	}
	if in.StartsOn == "" {
		checks.Add("startsOn", "REQUIRED")
	} else if in.AnchorDay == 0 {
		in.AnchorDay = in.StartsOn.Time().Day()
	}
	if in.AnchorDay < 1 || in.AnchorDay > 31 {
		checks.Add("anchorDay", "VALUE_INVALID")
	}
	if in.EndsOn != "" && in.EndsOn < in.StartsOn {
		checks.Add("endsOn", "DATE_ORDER")
	}
	days := 14
	if in.DaysBefore != nil {
		days = *in.DaysBefore
	}
	if days < 0 || days > 90 {
		checks.Add("daysBefore", "VALUE_INVALID")
	}
	return db.Service{ClientID: in.ClientID, ProductID: in.ProductID, Description: in.Description, Kind: in.Kind, TLD: in.TLD, Cycle: string(in.Cycle),
		Quantity: in.Quantity, Price: in.Price, Currency: in.Currency, Treatment: string(in.Treatment), PriceIncludesTax: in.PriceIncludesTax,
		ClaveProdServ: in.ClaveProdServ, ClaveUnidad: in.ClaveUnidad, StartsOn: in.StartsOn, AnchorDay: in.AnchorDay, NextOn: in.StartsOn, EndsOn: in.EndsOn,
		DaysBefore: days, Status: db.ServiceActive}, checks.Err()
}

// Services lists the services that the actor may see (permission products), the newest first.
func (s *Service) Services(ctx context.Context, client id.Client, status string, page db.Page) (db.List[db.Service], error) {
	if client != 0 {
		if err := access.Require(ctx, access.Products, client); err != nil {
			return db.List[db.Service]{}, err
		}
	}
	reach, err := access.Scope(ctx, access.Products)
	if err != nil {
		return db.List[db.Service]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Service]{}, err
	}
	return s.Store.Services(ctx, db.ServiceFilter{Reach: reach, Client: client, Status: status}, page)
}

// ServiceStateInput suspends, resumes or ends a service.
type ServiceStateInput struct {
	ServiceID id.Service
	Status    string    // db.ServiceActive, ServiceSuspended or ServiceEnded
	EndsOn    date.Date // with ServiceActive: no period begins on this day or later
}

// SetServiceState suspends, resumes or ends a service. Periods that passed while it was suspended
// are not invoiced later. Staff only.
func (s *Service) SetServiceState(ctx context.Context, in ServiceStateInput) (db.Service, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Service{}, err
	}
	var row db.Service
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockService(ctx, in.ServiceID); err != nil {
			return err
		}
		var checks fault.Checks
		switch {
		case in.Status != db.ServiceActive && in.Status != db.ServiceSuspended && in.Status != db.ServiceEnded:
			checks.Add("status", "VALUE_INVALID")
		case row.Status == db.ServiceEnded && in.Status != db.ServiceEnded:
			return fault.New(fault.Conflict, "SERVICE_NOT_ACTIVE")
		case row.Status == db.ServiceSuspended && in.Status == db.ServiceActive:
			client, err := tx.Client(ctx, row.ClientID)
			if err != nil {
				return err
			}
			resume(&row, date.Today(s.Now(), client.Timezone))
		}
		if err := checks.Err(); err != nil {
			return err
		}
		before := row
		row.Status, row.EndsOn = in.Status, in.EndsOn
		if row.Status == db.ServiceEnded || row.EndsOn != "" && row.NextOn >= row.EndsOn {
			row.NextOn = ""
		}
		if row == before {
			return nil
		}
		if err := auditService(ctx, tx, "service."+serviceVerbs[row.Status], before, row); err != nil {
			return err
		}
		return tx.UpdateService(ctx, &row)
	})
	return row, err
}

// resume moves a service on to the first period that begins today or later, and reports whether it did.
func resume(row *db.Service, today date.Date) bool {
	before := row.NextOn
	for row.NextOn != "" && row.NextOn < today {
		if row.NextOn = Cycle(row.Cycle).After(row.NextOn, row.AnchorDay); row.EndsOn != "" && row.NextOn >= row.EndsOn {
			row.NextOn = ""
		}
	}
	return row.NextOn != before
}

// serviceVerbs are what a service comes to a state by.
var serviceVerbs = map[string]string{db.ServiceActive: "resume", db.ServiceSuspended: "suspend", db.ServiceEnded: "end"}

// auditService writes what changed of a service.
func auditService(ctx context.Context, tx *db.Store, verb string, before any, after db.Service) error {
	return tx.Audit(ctx, db.AuditEntry{Client: after.ClientID, Verb: verb, Object: after.ID.String(), Before: before, After: after})
}

// Service returns one service.
func (s *Service) Service(ctx context.Context, serviceID id.Service) (db.Service, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Service{}, err
	}
	row, err := s.Store.Service(ctx, serviceID)
	if err != nil {
		return db.Service{}, err
	}
	return row, access.Require(ctx, access.Products, row.ClientID)
}

// Periods returns the newest hundred periods of a service that were invoiced. Staff only.
func (s *Service) Periods(ctx context.Context, serviceID id.Service) ([]db.ServicePeriod, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.Periods(ctx, serviceID, 100)
}
