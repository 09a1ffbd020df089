package date

import (
	"slices"
	"testing"
)

// The days of 2026 and 2027, written out from Ley Federal del Trabajo, article 74 (fractions I to IX)
// and the CNBV's yearly list for banks, whose further days are the Thursday and Friday before Easter
// (5 April 2026, 28 March 2027), 2 November and 12 December.
func TestBankHolidays(t *testing.T) {
	for year, want := range map[int][]Date{
		2024: {"2024-01-01", "2024-02-05", "2024-03-18", "2024-03-28", "2024-03-29", "2024-05-01", "2024-09-16", "2024-10-01",
			"2024-11-02", "2024-11-18", "2024-12-12", "2024-12-25"},
		2026: {"2026-01-01", "2026-02-02", "2026-03-16", "2026-04-02", "2026-04-03", "2026-05-01", "2026-09-16",
			"2026-11-02", "2026-11-16", "2026-12-12", "2026-12-25"},
		2027: {"2027-01-01", "2027-02-01", "2027-03-15", "2027-03-25", "2027-03-26", "2027-05-01", "2027-09-16",
			"2027-11-02", "2027-11-15", "2027-12-12", "2027-12-25"},
	} {
		got := []Date{}
		for _, h := range BankHolidays(year) {
			got = append(got, h.Day)
			if h.ES == "" || h.EN == "" {
				t.Errorf("%s has no name", h.Day)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", year, got, want)
		}
	}
	if days := BankHolidays(2030); !slices.ContainsFunc(days, func(h Holiday) bool { return h.Day == "2030-10-01" }) {
		t.Error("the executive changes on 1 October 2030")
	}
}
