package billing

import (
	"time"

	"github.com/nubedigitalmx/avisa/internal/date"
)

// Cycle is how often a service is billed.
type Cycle string

// The cycles.
const (
	Monthly   Cycle = "monthly"
	Quarterly Cycle = "quarterly"
	Yearly    Cycle = "yearly"
	OneOff    Cycle = "one_off"
)

var cycleMonths = map[Cycle]int{Monthly: 1, Quarterly: 3, Yearly: 12, OneOff: 0}

// Valid reports whether c is one of the cycles above.
func (c Cycle) Valid() bool { _, ok := cycleMonths[c]; return ok }

// After is the first day of the period that follows the one beginning on start, "" after a one-off.
// anchor is the day of the month on which periods begin; in shorter months they begin on the last
// day, and on the anchor again afterwards: 31 January, 28 February, 31 March.
func (c Cycle) After(start date.Date, anchor int) date.Date {
	months := cycleMonths[c]
	if months == 0 {
		return ""
	}
	t := start.Time()
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return date.Of(first.AddDate(0, 0, min(anchor, last)-1), time.UTC)
}
