package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ExchangeRateInput is what a unit of a currency was worth on a day.
type ExchangeRateInput struct {
	Currency money.Currency // not MXN
	Day      date.Date
	Rate     money.Decimal // MXN per unit, six decimals
	Source   string        // "DOF", "Banxico FIX"
}

// SetExchangeRate stores a day's rate for the invoices that are issued from then on; what was issued
// keeps the rate it had. Staff only.
func (s *Service) SetExchangeRate(ctx context.Context, in ExchangeRateInput) (db.ExchangeRate, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.ExchangeRate{}, err
	}
	var checks fault.Checks
	if !in.Currency.Valid() || in.Currency == money.MXN {
		checks.Add("currency", "CURRENCY_UNKNOWN")
	}
	if in.Day == "" {
		checks.Add("day", "REQUIRED")
	}
	if in.Rate.Sign() <= 0 {
		checks.Add("rate", "EXCHANGE_RATE_INVALID")
	}
	checkText(&checks, "source", &in.Source, true, 100)
	if err := checks.Err(); err != nil {
		return db.ExchangeRate{}, err
	}
	row := db.ExchangeRate{Currency: in.Currency, Day: in.Day, Rate: in.Rate, Source: in.Source}
	return row, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Audit(ctx, db.AuditEntry{Verb: "exchange_rate.set", Object: string(row.Currency), After: row}); err != nil {
			return err
		}
		return tx.SaveRate(ctx, &row)
	})
}

// ExchangeRates lists the newest hundred rates of a currency. Staff only.
func (s *Service) ExchangeRates(ctx context.Context, currency money.Currency) ([]db.ExchangeRate, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.Rates(ctx, currency, 100)
}
