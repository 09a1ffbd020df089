package console

import (
	"context"
	"net/http"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

type holidaysView struct {
	Years  []yearView // this one and the next
	Day    string
	Name   string
	Errors fieldErrors
}

type yearView struct {
	Year int
	Days []db.Holiday
}

// holidays shows the days without business of this year and the next.
func (c *Console) holidays(w http.ResponseWriter, r *http.Request) error {
	return c.showHolidays(w, r, http.StatusOK, holidaysView{})
}

func (c *Console) showHolidays(w http.ResponseWriter, r *http.Request, status int, view holidaysView) error {
	ctx := r.Context()
	for year := c.Now().Year(); len(view.Years) < 2; year++ {
		days, err := c.Reminder.Holidays(ctx, year)
		if err != nil {
			return err
		}
		view.Years = append(view.Years, yearView{year, days})
	}
	return c.show(w, r, status, rt(ctx, "nav.holidays"), holidaysPage(view))
}

func (c *Console) addHoliday(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := holidaysView{Day: r.PostFormValue("day"), Name: r.PostFormValue("name")}
	var day date.Date
	var err error
	if view.Day != "" {
		if day, err = date.Parse(view.Day); err != nil {
			var checks fault.Checks
			checks.Add("day", "DATE_MALFORMED")
			err = checks.Err()
		}
	}
	if err == nil {
		err = c.Reminder.AddHoliday(ctx, day, view.Name)
	}
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = errs
		return c.showHolidays(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.holiday")
	return layout.Redirect(w, r, holidaysPath)
}

func (c *Console) removeHoliday(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	day, err := formID(r, "day", date.Parse)
	if err == nil {
		err = c.Reminder.RemoveHoliday(ctx, day)
	}
	if errs, ok := invalid(ctx, err); ok {
		return c.showHolidays(w, r, http.StatusUnprocessableEntity, holidaysView{Errors: errs})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.holiday_removed")
	return layout.Redirect(w, r, holidaysPath)
}

func holidayName(ctx context.Context, day db.Holiday) string {
	if component.Lang(ctx) == locale.English {
		return day.NameEN
	}
	return day.NameES
}

func (y yearView) title() string { return strconv.Itoa(y.Year) }
