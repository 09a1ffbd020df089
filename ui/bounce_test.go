package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
)

// A mail server posts a report with an API token of the scope of reminders, and nobody else may.
func TestBounceHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := system(t.Context())
	planned, err := w.store.Plan(ctx, db.PlanInput{Now: now, Client: w.client.ID, Immediate: true})
	if err != nil || planned.Planned == 0 {
		t.Fatal(planned, err)
	}
	taken, err := w.store.TakeDeliveries(ctx, 10, 10, time.Minute)
	if err != nil || len(taken) == 0 {
		t.Fatal(taken, err)
	}
	claimed, err := w.store.AdvanceDeliveries(ctx, []db.Advance{{Next: taken[0].ID}}, "prueba", time.Minute)
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	row := claimed[0]
	row.Email = row.Recipient.Email
	messageID := fmt.Sprintf("reminder.%d.%d.%d@hospedaje.example", row.InvoiceID, row.StepID, row.ContactID)
	if _, err := w.store.AdvanceDeliveries(ctx, []db.Advance{{Done: []db.Outcome{{Delivery: row.Delivery, Status: db.DeliverySent, MessageID: messageID}}}}, "prueba", time.Minute); err != nil {
		t.Fatal(err)
	}
	token := func(scope access.Capability) string {
		staff, err := w.account.Staff(ctx)
		if err != nil {
			t.Fatal(err)
		}
		as := access.With(ctx, access.Actor{Kind: access.Staff, Staff: staff[0].ID, Role: access.Admin})
		_, text, err := w.account.AddToken(as, account.AddTokenInput{Name: string(scope), Scopes: []access.Capability{scope}, Days: 30})
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	report := strings.ReplaceAll(`Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; `+row.Email+`
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Message-ID: <`+messageID+`>

--b--
`, "\n", "\r\n")
	send := func(authorization, body string) answer {
		t.Helper()
		return w.visit().do(http.MethodPost, bounceHook, strings.NewReader(body), "Content-Type", "message/rfc822", "Authorization", authorization)
	}
	good := token(access.ManageReminders)
	send("", report).want(t, http.StatusUnauthorized)
	send("Bearer nothing-that-was-ever-given-out", report).want(t, http.StatusUnauthorized)
	send(token(access.ReadClients), report).want(t, http.StatusForbidden)
	w.staff().do(http.MethodPost, bounceHook, strings.NewReader(report), "Content-Type", "message/rfc822").want(t, http.StatusUnauthorized) // a cookie does not count
	send(good, "Subject: hola\r\n\r\n").want(t, http.StatusUnprocessableEntity)
	send(good, strings.Repeat("x", maxForm+1)).want(t, http.StatusRequestEntityTooLarge)
	for _, want := range []string{`{"reminders":1}`, `{"reminders":0}`} { // the second time it is known
		if got := send(good, report).want(t, http.StatusOK); strings.TrimSpace(got.body) != want {
			t.Fatalf("%q, want %s", got.body, want)
		}
	}
	if row, err := w.store.Delivery(ctx, row.ID); err != nil || row.Status != db.DeliveryBounced {
		t.Fatalf("%s, %v", row.Status, err)
	}
}
