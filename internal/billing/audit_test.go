package billing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Issuing and paying are for those whose role says so, and each is in the log with its figures. What is
// refused, and a request that is repeated, is not.
func TestIssueAndPayAreAudited(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	dbtest.Company(t, store, time.Now())
	client := dbtest.Client(t, store, "Uno", "uno@uno.example")
	s := &billing.Service{Store: store, Now: time.Now}
	as := func(role access.Role) context.Context {
		return access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 7, Name: "Persona", Role: role, Address: "192.0.2.1", Request: "req-9"})
	}
	in := billing.IssueInput{ClientID: client.ID, DueDate: "2099-01-01", RequestKey: "a",
		Lines: []billing.LineInput{{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Int(100)}}}
	for _, role := range []access.Role{access.Support, access.ReadOnly, ""} {
		if _, err := s.IssueInvoice(as(role), in); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%q issues: %v", role, err)
		}
	}
	invoice, err := s.IssueInvoice(as(access.Billing), in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.IssueInvoice(as(access.Billing), in); err != nil {
		t.Fatal(err)
	}
	pay := billing.PaymentInput{InvoiceID: invoice.ID, Amount: invoice.Total, Method: "transfer", Reference: "SPEI 1", RequestKey: "p"}
	for _, role := range []access.Role{access.Support, access.ReadOnly, ""} {
		if _, err := s.RecordPayment(as(role), pay); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%q pays: %v", role, err)
		}
	}
	for range 2 {
		if _, err := s.RecordPayment(as(access.Admin), pay); err != nil {
			t.Fatal(err)
		}
	}
	tooMuch := pay
	tooMuch.RequestKey = "q"
	if _, err := s.RecordPayment(as(access.Admin), tooMuch); err == nil {
		t.Fatal("a paid invoice was paid again")
	}
	log, err := store.AuditLog(t.Context(), db.AuditFilter{Reach: access.Reach{All: true}, Client: client.ID}, db.Page{})
	if err != nil || len(log.Rows) != 2 {
		t.Fatalf("%+v, %v", log.Rows, err)
	}
	paid, issued := log.Rows[0], log.Rows[1]
	if issued.Verb != "invoice.issue" || issued.Object != invoice.ID.String() || issued.StaffID != 7 || issued.Request != "req-9" || !strings.Contains(string(issued.After), `"total": 11600`) {
		t.Errorf("%+v %s", issued, issued.After)
	}
	if paid.Verb != "payment.record" || paid.Address != "192.0.2.1" || string(paid.Before) != `{"paid": 0, "status": "issued"}` || !strings.Contains(string(paid.After), `"status": "paid"`) {
		t.Errorf("%+v %s %s", paid, paid.Before, paid.After)
	}
}
