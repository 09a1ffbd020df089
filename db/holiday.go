package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
)

// Holiday is a day without business.
type Holiday struct {
	bun.BaseModel `bun:"table:holiday"`

	Day    date.Date `bun:"day,pk"`
	NameES string    `bun:"name_es"`
	NameEN string    `bun:"name_en"`
	Own    bool      `bun:"own"` // the company's own, not one of the law
}

// AddHolidays inserts days that are not there yet.
func (s *Store) AddHolidays(ctx context.Context, rows []Holiday) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.idb.NewInsert().Model(&rows).On("CONFLICT (day) DO NOTHING").Exec(ctx)
	return translate(err)
}

// DeleteHoliday removes one of the company's own days.
func (s *Store) DeleteHoliday(ctx context.Context, day date.Date) error {
	_, err := s.idb.NewDelete().Table("holiday").Where("day = ?", day).Where("own").Exec(ctx)
	return translate(err)
}

// Holidays returns the days from one to another, both included, in order.
func (s *Store) Holidays(ctx context.Context, from, to date.Date) ([]Holiday, error) {
	rows := []Holiday{}
	err := s.idb.NewSelect().Model(&rows).Where("day BETWEEN ? AND ?", from, to).OrderExpr("day").Scan(ctx)
	return rows, translate(err)
}

// LegalHolidaysUntil is the last day of the law that is stored, "" when there is none.
func (s *Store) LegalHolidaysUntil(ctx context.Context) (date.Date, error) {
	var last date.Date
	err := s.idb.NewRaw("SELECT max(day) FROM holiday WHERE NOT own").Scan(ctx, &last)
	return last, translate(err)
}
