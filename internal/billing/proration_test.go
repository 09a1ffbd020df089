package billing

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/internal/money"
)

func onDay(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestProrate(t *testing.T) {
	november := Period{onDay("2026-11-01"), onDay("2026-12-01")}
	for _, c := range []struct {
		period Period
		on     string
		price  money.Minor
		days   int
		want   money.Minor
	}{
		{november, "2026-11-01", 89900, 30, 89900},
		{november, "2026-11-14", 89900, 17, 50943},
		{november, "2026-11-30", 100, 1, 3},
		{november, "2026-11-16", 1, 15, 1}, // half a cent goes up
		{november, "2026-12-01", 89900, 0, 0},
		{november, "2027-01-01", 89900, 0, 0},
		{november, "2026-01-01", 89900, 30, 89900},
		{Period{onDay("2028-02-01"), onDay("2028-03-01")}, "2028-02-29", 2900, 1, 100},
		{Period{onDay("2026-01-31"), onDay("2027-01-31")}, "2026-07-31", 36500, 184, 18400},
		{Period{onDay("2026-11-01"), onDay("2026-11-01")}, "2026-11-01", 500, 0, 0},
		{Period{onDay("2026-11-02"), onDay("2026-11-01")}, "2026-11-01", 500, 0, 0},
	} {
		if got := c.period.RemainingDays(onDay(c.on)); got != c.days {
			t.Errorf("%s: %d days, want %d", c.on, got, c.days)
		}
		if got, err := c.period.Prorate(c.price, onDay(c.on)); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.on, got, err, c.want)
		}
	}
	if q, err := november.ProrateQuantity(onDay("2026-11-14")); err != nil || q != money.Must("0.566667") {
		t.Errorf("quantity %v, %v", q, err)
	}
	unused, due, err := november.ProrateChange(30000, 60000, onDay("2026-11-16"))
	if err != nil || unused != 15000 || due != 30000 {
		t.Errorf("change: %d, %d, %v", unused, due, err)
	}
}

// A day is a date, whatever the clock does that night.
func TestDaysAcrossClockChange(t *testing.T) {
	zone, err := time.LoadLocation("America/Tijuana")
	if err != nil {
		t.Skip(err)
	}
	from := time.Date(2026, 3, 7, 23, 30, 0, 0, zone)
	to := time.Date(2026, 3, 9, 0, 10, 0, 0, zone) // clocks go forward on 8 March
	if got := Days(from, to); got != 2 {
		t.Errorf("%d days", got)
	}
}

// Used and remaining part make the whole, to the cent that half-up rounding may add.
func TestProrateParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := onDay("2026-01-01").AddDate(0, 0, rapid.IntRange(0, 3000).Draw(t, "start"))
		p := Period{start, start.AddDate(0, 0, rapid.IntRange(1, 400).Draw(t, "length"))}
		price := money.Minor(rapid.Int64Range(0, 100_000_000).Draw(t, "price"))
		on := start.AddDate(0, 0, rapid.IntRange(0, 400).Draw(t, "on"))
		rest, err := p.Prorate(price, on)
		if err != nil {
			t.Fatal(err)
		}
		used, err := price.MulDiv(int64(Days(p.Start, p.End)-p.RemainingDays(on)), int64(Days(p.Start, p.End)))
		if err != nil || rest+used-price < 0 || rest+used-price > 1 {
			t.Fatalf("%d remain and %d are used of %d, %v", rest, used, price, err)
		}
	})
}
