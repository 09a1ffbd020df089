package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	ids "github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

func (r *resolver) saveLateFeeRule(ctx context.Context, in model.SaveLateFeeRuleInput) (db.LateFeeRule, error) {
	rule := reminder.LateFeeRuleInput{Name: in.Name, Kind: in.Kind, TLD: in.Tld, Currency: in.Currency, GraceDays: in.GraceDays, Treatment: billing.TaxTreatment(in.Treatment)}
	var err error
	if rule.Replaces, err = optional(in.Replaces, ids.ParseLateFee); err != nil {
		return db.LateFeeRule{}, err
	}
	if in.Percent != nil {
		rule.Percent = *in.Percent
	}
	var checks fault.Checks
	for _, amount := range []struct {
		path string
		from *money.Decimal
		to   *money.Minor
	}{{"fixed", in.Fixed, &rule.Fixed}, {"minimum", in.Minimum, &rule.Minimum}} {
		if amount.from != nil {
			*amount.to = minor(&checks, amount.path, *amount.from, in.Currency)
		}
	}
	if err := checks.Err(); err != nil {
		return db.LateFeeRule{}, err
	}
	return r.Reminder.SaveLateFeeRule(ctx, rule)
}
