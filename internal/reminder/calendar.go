package reminder

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// calendar knows the days without business.
type calendar map[date.Date]bool

// business is the day itself, or the next one on which there is business.
func (c calendar) business(day date.Date) date.Date {
	for day.Weekend() || c[day] {
		day = day.AddDays(1)
	}
	return day
}

// acts is the day on which a step acts that falls on base: the planner's function reminder_day.
func (c calendar) acts(base date.Date, p db.ReminderPolicy, pauses ...db.Pause) date.Date {
	for day := base; ; {
		before := day
		for _, pause := range pauses {
			if pause.Shifts() && day >= pause.PausedFrom.AddDays(-p.CatchUpDays) && day < pause.PausedUntil {
				day = pause.PausedUntil
			}
		}
		if p.BusinessDays {
			day = c.business(day)
		}
		if day == before {
			return day
		}
	}
}

// sends is the earliest moment from now on at which the policy lets mail of the zone go out.
func (c calendar) sends(now time.Time, zone string, p db.ReminderPolicy) time.Time {
	today, now0 := date.Today(now, zone), clock(now, zone)
	day := today
	if now0 > p.SendUntil {
		day = day.AddDays(1)
	}
	if p.BusinessDays {
		day = c.business(day)
	}
	if day == today && now0 >= p.SendFrom {
		return now
	}
	return moment(day, p.SendFrom, zone)
}

// clock is the local time of day, "15:04:05".
func clock(now time.Time, zone string) string {
	return now.In(date.Zone(zone)).Format("15:04:05.999999")
}

// moment is a local time of a day. One that daylight saving time leaves out is an hour later.
func moment(day date.Date, clock, zone string) time.Time {
	var h, m, s int
	_, _ = fmt.Sscanf(clock+":00", "%d:%d:%d", &h, &m, &s)
	t := day.Time()
	return time.Date(t.Year(), t.Month(), t.Day(), h, m, s, 0, date.Zone(zone))
}

// calendar loads the days without business from one day to two years later.
func (s *Service) calendar(ctx context.Context, from date.Date) (calendar, error) {
	if err := s.keepHolidays(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.Holidays(ctx, from, from.AddDays(1200))
	days := calendar{}
	for _, row := range rows {
		days[row.Day] = true
	}
	return days, err
}

// keepHolidays stores the bank holidays of this year, the last and the next two, once a year.
func (s *Service) keepHolidays(ctx context.Context) error {
	year := s.Now().Year()
	last, err := s.Store.LegalHolidaysUntil(ctx)
	if err != nil || last >= date.Date(fmt.Sprintf("%04d-12-01", year+2)) {
		return err
	}
	rows := []db.Holiday{}
	for y := year - 1; y <= year+2; y++ {
		for _, h := range date.BankHolidays(y) {
			rows = append(rows, db.Holiday{Day: h.Day, NameES: h.ES, NameEN: h.EN})
		}
	}
	return s.Store.AddHolidays(ctx, rows)
}

// Holidays lists the days without business of a year. Staff only.
func (s *Service) Holidays(ctx context.Context, year int) ([]db.Holiday, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	from, err := date.Parse(fmt.Sprintf("%04d-01-01", year))
	if err != nil {
		var checks fault.Checks
		checks.Add("year", "VALUE_INVALID")
		return nil, checks.Err()
	}
	if err := s.keepHolidays(ctx); err != nil {
		return nil, err
	}
	return s.Store.Holidays(ctx, from, date.Date(fmt.Sprintf("%04d-12-31", year)))
}

// AddHoliday adds a day on which the company does no business. Staff only.
func (s *Service) AddHoliday(ctx context.Context, day date.Date, name string) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	var checks fault.Checks
	name = strings.TrimSpace(name)
	if day == "" {
		checks.Add("day", "REQUIRED")
	}
	if name == "" {
		checks.Add("name", "REQUIRED")
	}
	if len([]rune(name)) > 100 {
		checks.Add("name", "TOO_LONG", "max", 100)
	}
	if err := checks.Err(); err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Verb: "holiday.add", After: map[string]any{"day": day, "name": name}}, func(tx *db.Store) error {
		return tx.AddHolidays(ctx, []db.Holiday{{Day: day, NameES: name, NameEN: name, Own: true}})
	})
}

// RemoveHoliday takes one of the company's own days back. Staff only.
func (s *Service) RemoveHoliday(ctx context.Context, day date.Date) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Verb: "holiday.remove", Before: map[string]any{"day": day}}, func(tx *db.Store) error {
		return tx.DeleteHoliday(ctx, day)
	})
}
