package ui

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/nubedigitalmx/avisa/ui/layout"
)

// bounceHook is where a mail server, or a service that sends mail, posts the report of a bounce.
const bounceHook = "/webhooks/bounces"

func (p pages) bounceRoute() layout.Route {
	return layout.Route{Method: "POST", Path: bounceHook, Who: layout.Staff, Handle: p.receiveBounce}
}

// receiveBounce takes one delivery status notification as the mail that it is (RFC 3464), from an API
// token with the scope of reminders, and answers how many reminders it concerned. Reports are read up
// to 1 MiB: what says who and why comes before the mail that is returned.
func (p pages) receiveBounce(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	concerned, err := p.Reminder.RecordBounce(r.Context(), raw)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]int{"reminders": concerned})
}
