package billing

import (
	"time"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// Days counts the calendar days from one date to another, negative when to is earlier. Only
// year, month and day of the arguments matter, each in its own location, so a change to or
// from daylight saving time never costs a day.
func Days(from, to time.Time) int {
	date := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(date(to).Sub(date(from)) / (24 * time.Hour))
}

// Period is a billing period: from Start up to, but without, End.
type Period struct{ Start, End time.Time }

// RemainingDays counts the days of the period from the date on (that day included): all of
// them before the period, none from its end on.
func (p Period) RemainingDays(on time.Time) int {
	return min(max(Days(on, p.End), 0), max(Days(p.Start, p.End), 0))
}

// Prorate returns the part of price (minor units, for the whole period) that falls on the
// days from the date on, rounded half up once. A period without days gives 0.
func (p Period) Prorate(price money.Minor, on time.Time) (money.Minor, error) {
	total := Days(p.Start, p.End)
	if total <= 0 {
		return 0, nil
	}
	return price.MulDiv(int64(p.RemainingDays(on)), int64(total))
}

// ProrateChange compares a service's price with a new one from the date on: unused is what
// the client paid for the remaining days at the old price, due what those days cost at the new one, both
// in minor units. An upgrade charges due as a line and credits unused as a negative line.
func (p Period) ProrateChange(oldPrice, newPrice money.Minor, on time.Time) (unused, due money.Minor, err error) {
	if unused, err = p.Prorate(oldPrice, on); err != nil {
		return 0, 0, err
	}
	due, err = p.Prorate(newPrice, on)
	return unused, due, err
}

// ProrateQuantity is the remaining part of the period as a quantity with six decimals, for
// lines that show the full unit price (17 of 30 days are 0.566667).
func (p Period) ProrateQuantity(on time.Time) (money.Decimal, error) {
	total := Days(p.Start, p.End)
	if total <= 0 {
		return money.Decimal{}, nil
	}
	return money.Int(int64(p.RemainingDays(on))).Div(money.Int(int64(total)))
}
