package date

import (
	"slices"
	"strings"
	"time"
)

// Holiday is a day on which banks in Mexico are closed.
type Holiday struct {
	Day Date
	ES  string
	EN  string
}

// BankHolidays returns the days of a year on which Mexican banks are closed, in order:
//
//   - the days of obligatory rest of Ley Federal del Trabajo, article 74, with the Mondays of its
//     reform of 2006 and, since its reform of 2024, 1 October of every sixth year (2024, 2030, ...)
//     in which the federal executive changes; before, that was 1 December;
//   - the further days on which the general provisions that the CNBV publishes every year (under
//     Ley de Instituciones de Crédito, article 95) close banks: Maundy Thursday, Good Friday,
//     2 November and 12 December.
//
// They are worked out here because the usual library, github.com/rickar/cal/v2 (2.1.13), has no data of Mexico.
func BankHolidays(year int) []Holiday {
	on := func(month time.Month, day int) Date {
		return Of(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), time.UTC)
	}
	easter := easterSunday(year)
	days := []Holiday{
		{on(time.January, 1), "Año Nuevo", "New Year's Day"},
		{nthMonday(year, time.February, 1), "Día de la Constitución", "Constitution Day"},
		{nthMonday(year, time.March, 3), "Natalicio de Benito Juárez", "Benito Juárez's birthday"},
		{easter.AddDays(-3), "Jueves Santo", "Maundy Thursday"},
		{easter.AddDays(-2), "Viernes Santo", "Good Friday"},
		{on(time.May, 1), "Día del Trabajo", "Labour Day"},
		{on(time.September, 16), "Día de la Independencia", "Independence Day"},
		{on(time.November, 2), "Día de Muertos", "Day of the Dead"},
		{nthMonday(year, time.November, 3), "Día de la Revolución", "Revolution Day"},
		{on(time.December, 12), "Día del Empleado Bancario", "Bank Employee Day"},
		{on(time.December, 25), "Navidad", "Christmas Day"},
	}
	if year >= 2024 && (year-2024)%6 == 0 {
		days = append(days, Holiday{on(time.October, 1), "Transmisión del Poder Ejecutivo Federal", "Change of the federal executive"})
	}
	slices.SortFunc(days, func(a, b Holiday) int { return strings.Compare(string(a.Day), string(b.Day)) })
	return days
}

// nthMonday is the n-th Monday of a month.
func nthMonday(year int, month time.Month, n int) Date {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	days := (int(time.Monday)-int(first.Weekday())+7)%7 + 7*(n-1)
	return Of(first.AddDate(0, 0, days), time.UTC)
}

// easterSunday is the Gregorian Easter of a year (the anonymous algorithm of Meeus, Jones, Butcher).
func easterSunday(year int) Date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	month, day := (h+l-7*m+114)/31, (h+l-7*m+114)%31+1
	return Of(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), time.UTC)
}

// Weekend reports whether the date is a Saturday or Sunday.
func (d Date) Weekend() bool {
	day := d.Time().Weekday()
	return day == time.Saturday || day == time.Sunday
}
