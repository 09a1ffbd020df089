package billing

import (
	"context"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Kinds of what is sold; late fees and reports tell them apart.
var Kinds = []string{"hosting", "domain", "server", "ssl", "email", "license", "support", "other"}

// kindKeys are the SAT's keys (c_ClaveProdServ) that a kind has unless it is given others.
var kindKeys = map[string]string{"hosting": "81112105", "domain": "81112107", "server": "81112003", "ssl": "81111801", "email": "81112102",
	"license": "81112501", "support": "81111811", "other": "01010101"}

// Pricing is what products and services have in common.
type Pricing struct {
	Kind             string // one of Kinds
	TLD              string // of a domain, without a leading dot: "com.mx"
	Cycle            Cycle
	Price            money.Decimal  // per cycle, units of Currency
	Currency         money.Currency // "" means MXN
	Treatment        TaxTreatment   // "" means IVA16
	PriceIncludesTax bool
	ClaveProdServ    string // c_ClaveProdServ; "" takes the kind's
	ClaveUnidad      string // c_ClaveUnidad; "" means E48, unit of service
}

func (p *Pricing) check(checks *fault.Checks) {
	if p.Currency == "" {
		p.Currency = money.MXN
	}
	if p.Treatment == "" {
		p.Treatment = IVA16
	}
	if p.ClaveProdServ == "" {
		p.ClaveProdServ = kindKeys[p.Kind]
	}
	if p.ClaveUnidad == "" {
		p.ClaveUnidad = "E48"
	}
	p.TLD = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(p.TLD)), ".")
	if !slices.Contains(Kinds, p.Kind) {
		checks.Add("kind", "KIND_UNKNOWN")
	}
	if (p.Kind == "domain") != (p.TLD != "") || len(p.TLD) > 63 || strings.ContainsAny(p.TLD, " /@") {
		checks.Add("tld", "TLD_REQUIRED")
	}
	if !p.Cycle.Valid() {
		checks.Add("cycle", "CYCLE_UNKNOWN")
	}
	if p.Price.Sign() < 0 {
		checks.Add("price", "PRICE_NEGATIVE")
	} else if m, err := p.Price.Minor(money.MXN); err != nil || m > money.MaxMinor {
		checks.Add("price", "AMOUNT_TOO_LARGE")
	}
	if !p.Currency.Valid() {
		checks.Add("currency", "CURRENCY_UNKNOWN")
	}
	if !p.Treatment.Valid() {
		checks.Add("treatment", "TAX_TREATMENT_UNKNOWN")
	}
	checkSATKeys(checks, func(field string) string { return field }, &p.ClaveProdServ, &p.ClaveUnidad)
}

// ProductInput is a product as it should be from now on.
type ProductInput struct {
	ProductID id.Product // 0: a new product
	Name      string
	Pricing
	Active bool // can be sold
}

// SaveProduct makes or changes a product. Services that were sold keep their price. Staff only.
func (s *Service) SaveProduct(ctx context.Context, in ProductInput) (db.Product, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Product{}, err
	}
	var checks fault.Checks
	checkConcept(&checks, "name", &in.Name, true, 200)
	in.check(&checks)
	if err := checks.Err(); err != nil {
		return db.Product{}, err
	}
	row := db.Product{ID: in.ProductID, Name: in.Name, Kind: in.Kind, TLD: in.TLD, Cycle: string(in.Cycle), Price: in.Price, Currency: in.Currency,
		Treatment: string(in.Treatment), PriceIncludesTax: in.PriceIncludesTax, ClaveProdServ: in.ClaveProdServ, ClaveUnidad: in.ClaveUnidad, Active: in.Active}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := s.checkPricing(ctx, tx, in.Pricing); err != nil {
			return err
		}
		var before any
		if row.ID != 0 {
			old, err := tx.Product(ctx, row.ID)
			if err != nil {
				return err
			}
			if row.CreatedAt, row.UpdatedAt = old.CreatedAt, old.UpdatedAt; row == old {
				return nil
			}
			before = old
		}
		if err := tx.SaveProduct(ctx, &row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "product.save", Object: row.ID.String(), Before: before, After: row})
	})
	if err != nil {
		return db.Product{}, err
	}
	return s.Store.Product(ctx, row.ID)
}

// Products lists products by name. Staff only.
func (s *Service) Products(ctx context.Context, page db.Page) (db.List[db.Product], error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.List[db.Product]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Product]{}, err
	}
	return s.Store.Products(ctx, page)
}

// Product returns one product. Staff only.
func (s *Service) Product(ctx context.Context, productID id.Product) (db.Product, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.Product{}, err
	}
	return s.Store.Product(ctx, productID)
}
