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

// SetExchangeRate stores a day's rate for the invoices that are issued from then on: on that day and, where no newer
// one is stored, the db.MaxRateAge days after it. What was issued keeps the rate it had. The same rate again changes
// nothing. Staff only. Field faults: CURRENCY_UNKNOWN (currency), REQUIRED (day, source), EXCHANGE_RATE_INVALID (rate).
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
	now := s.Now()
	row := db.ExchangeRate{Currency: in.Currency, Day: in.Day, Rate: in.Rate, Source: in.Source, SetBy: access.From(ctx).Name, SetAt: &now}
	return row, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "exchange_rate:"+string(row.Currency)); err != nil {
			return err
		}
		entry := db.AuditEntry{Verb: "exchange_rate.set", Object: string(row.Currency) + " " + string(row.Day), After: rateState(row)}
		switch old, err := tx.Rate(ctx, row.Currency, row.Day); {
		case fault.Is(err, fault.NotFound):
		case err != nil:
			return err
		case old.Rate == row.Rate && old.Source == row.Source:
			row = old
			return nil
		default:
			entry.Before = rateState(old)
		}
		if err := tx.Audit(ctx, entry); err != nil {
			return err
		}
		return tx.SaveRate(ctx, &row)
	})
}

func rateState(row db.ExchangeRate) map[string]any {
	return map[string]any{"rate": row.Rate, "source": row.Source}
}

// ExchangeRates lists the newest hundred rates of a currency. Staff only.
func (s *Service) ExchangeRates(ctx context.Context, currency money.Currency) ([]db.ExchangeRate, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.Rates(ctx, currency, 100)
}
