package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ExchangeRate is what one unit of a currency was worth in MXN on a day, as its source published it.
type ExchangeRate struct {
	bun.BaseModel `bun:"table:exchange_rate"`

	Currency money.Currency `bun:"currency,pk"`
	Day      date.Date      `bun:"day,pk"`
	Rate     money.Decimal  `bun:"rate"`
	Source   string         `bun:"source"`
	SetBy    string         `bun:"set_by"` // the name of who stored it; "" for what is older than the column
	SetAt    *time.Time     `bun:"set_at"`
}

// MaxRateAge is how many days old a rate may be: a long weekend and the holidays of a year's end.
const MaxRateAge = 7

// RateOn returns the newest rate of the day or the week before it; NotFound when there is none.
func (s *Store) RateOn(ctx context.Context, currency money.Currency, day date.Date) (ExchangeRate, error) {
	var row ExchangeRate
	err := s.idb.NewSelect().Model(&row).Where("currency = ?", currency).Where("day <= ?", day).Where("day >= ?", day.AddDays(-MaxRateAge)).
		OrderExpr("day DESC").Limit(1).Scan(ctx)
	return row, translate(err)
}

// Rate returns the rate of that very day.
func (s *Store) Rate(ctx context.Context, currency money.Currency, day date.Date) (ExchangeRate, error) {
	var row ExchangeRate
	err := s.idb.NewSelect().Model(&row).Where("currency = ?", currency).Where("day = ?", day).Scan(ctx)
	return row, translate(err)
}

// SaveRate writes a day's rate.
func (s *Store) SaveRate(ctx context.Context, row *ExchangeRate) error {
	_, err := s.idb.NewInsert().Model(row).On("CONFLICT (currency, day) DO UPDATE").Set("rate = EXCLUDED.rate, source = EXCLUDED.source, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at").Exec(ctx)
	return translate(err)
}

// Rates lists the newest rates of a currency.
func (s *Store) Rates(ctx context.Context, currency money.Currency, limit int) ([]ExchangeRate, error) {
	rows := []ExchangeRate{}
	err := s.idb.NewSelect().Model(&rows).Where("currency = ?", currency).OrderExpr("day DESC").Limit(int64(limit)).Scan(ctx)
	return rows, translate(err)
}
