package date_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/date"
)

func TestToday(t *testing.T) {
	now := time.Date(2026, 3, 1, 5, 30, 0, 0, time.UTC) // 23:30 of the day before in Mexico City
	for zone, want := range map[string]date.Date{"America/Mexico_City": "2026-02-28", "UTC": "2026-03-01", "America/Cancun": "2026-03-01", "nowhere": "2026-03-01"} {
		if got := date.Today(now, zone); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

func TestArithmetic(t *testing.T) {
	if got := date.Date("2028-02-28").AddDays(2); got != "2028-03-01" {
		t.Error(got)
	}
	if got := date.Date("2026-03-01").Sub("2026-02-22"); got != 7 {
		t.Error(got)
	}
	if got := date.Date("2026-04-30").Format("es-MX"); got != "30 abr 2026" {
		t.Error(got)
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "2026-02-30", "30/04/2026", "2026-4-3", "1800-01-01", "2026-04-30T00:00:00Z"} {
		if got, err := date.Parse(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}
