// Package date holds calendar dates: what the law and people mean by "due on 30 April", free of
// clock and time zone. Which date it is now depends on a zone: see Of.
package date

import (
	"database/sql/driver"
	"fmt"
	"io"
	"sync"
	"time"
)

const layout = "2006-01-02"

// Date is a calendar date in ISO 8601 form ("2026-04-30"), so that < and > compare dates. The empty
// Date is no date and NULL in the database.
type Date string

// Parse reads an ISO 8601 date that exists between the years 1900 and 9999.
func Parse(text string) (Date, error) {
	t, err := time.Parse(layout, text)
	if err != nil || t.Year() < 1900 {
		return "", fmt.Errorf("%q is no date (YYYY-MM-DD)", text)
	}
	return Date(text), nil
}

// Of is the date of the moment t in the zone.
func Of(t time.Time, zone *time.Location) Date { return Date(t.In(zone).Format(layout)) }

// Today is the date of the moment now in the named zone; UTC where the zone is unknown.
func Today(now time.Time, zone string) Date {
	return Of(now, Zone(zone))
}

var zones sync.Map // of *time.Location by name: loading one reads a file

// Zone is the named time zone; UTC where it is unknown.
func Zone(name string) *time.Location {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location) //nolint:forcetypeassert // nothing else is stored.
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	zones.Store(name, zone)
	return zone
}

// Time is midnight UTC of the date, for arithmetic and formatting.
func (d Date) Time() time.Time {
	t, _ := time.Parse(layout, string(d))
	return t
}

// AddDays is the date n days later.
func (d Date) AddDays(n int) Date { return Date(d.Time().AddDate(0, 0, n).Format(layout)) }

// Sub is the number of days from e to d.
func (d Date) Sub(e Date) int { return int(d.Time().Sub(e.Time()).Hours() / 24) }

var months = [...]string{"ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"}

// Format writes the date as people of the language do: "30 abr 2026", "Apr 30, 2026".
func (d Date) Format(lang string) string {
	if d == "" {
		return ""
	}
	t := d.Time()
	if lang == "en" {
		return t.Format("Jan 2, 2006")
	}
	return fmt.Sprintf("%d %s %d", t.Day(), months[t.Month()-1], t.Year())
}

func (d Date) String() string { return string(d) }

// Scan reads a DATE column; NULL becomes the empty date.
func (d *Date) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = ""
	case time.Time:
		*d = Date(v.Format(layout))
	case string:
		return d.scanText(v)
	case []byte:
		return d.scanText(string(v))
	default:
		return fmt.Errorf("cannot scan %T into a date", src)
	}
	return nil
}

func (d *Date) scanText(text string) error {
	if len(text) > len(layout) {
		text = text[:len(layout)]
	}
	parsed, err := Parse(text)
	*d = parsed
	return err
}

// UnmarshalText reads JSON and forms. Empty text is the empty date.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = ""
		return nil
	}
	parsed, err := Parse(string(text))
	*d = parsed
	return err
}

// Value is the DATE column's value.
func (d Date) Value() (driver.Value, error) {
	if d == "" {
		return nil, nil //nolint:nilnil // NULL is a nil driver value by definition.
	}
	return string(d), nil
}

// MarshalGQL writes the scalar Date.
func (d Date) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", string(d)) }

// UnmarshalGQL reads the scalar Date.
func (d *Date) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a date is written YYYY-MM-DD")
	}
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
