package fiscal_test

import (
	"context"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func actor(client id.Client, permissions ...access.Permission) access.Actor {
	return access.Actor{Kind: access.Login, Grants: []access.Grant{{Client: client, Permissions: permissions}}}
}

// Who may do what.
func TestFiscalPermissions(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	profile := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "CACX7605101P8", Nombre: "XOCHILT CASAS CHAVEZ", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "612", UsoCFDI: "G03"}
	verbs := map[string]func(ctx context.Context) error{
		"open":     func(ctx context.Context) error { _, err := o.service.Open(ctx, row.ID, "xml"); return err },
		"document": func(ctx context.Context) error { _, err := o.service.Document(ctx, row.ID); return err },
		"request": func(ctx context.Context) error {
			_, err := o.service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
			return err
		},
		"profiles":     func(ctx context.Context) error { _, err := o.service.FiscalProfiles(ctx, o.client.ID); return err },
		"save profile": func(ctx context.Context) error { _, _, err := o.service.SaveFiscalProfile(ctx, profile); return err },
		"issuer":       func(ctx context.Context) error { _, err := o.service.Issuer(ctx); return err },
		"csd": func(ctx context.Context) error {
			_, err := o.service.UploadCSD(ctx, fiscal.UploadCSDInput{})
			return err
		},
		"all":       func(ctx context.Context) error { _, _, err := o.service.All(ctx, "", db.Page{}); return err },
		"stamp":     func(ctx context.Context) error { return o.service.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}) },
		"follow":    func(ctx context.Context) error { return o.service.Follow(ctx, billing.Changed(invoice)) },
		"mail":      func(ctx context.Context) error { return o.service.Mail(ctx, fiscal.MailJob{CFDI: row.ID}) },
		"missed":    func(ctx context.Context) error { return o.service.FollowMissed(ctx, fiscal.MissedJob{}) },
		"take back": func(ctx context.Context) error { return o.service.TakeBack(ctx, fiscal.TakeBackJob{CFDI: row.ID}) },
		"receipts":  func(ctx context.Context) error { return o.service.FollowReceipts(ctx) },
		"globals":   func(ctx context.Context) error { return o.service.IssueGlobals(ctx) },
		"pending":   func(ctx context.Context) error { _, err := o.service.Pending(ctx); return err },
		"urgent":    func(ctx context.Context) error { _, err := o.service.Urgent(ctx); return err },
		"sales in":  func(ctx context.Context) error { _, err := o.service.SalesIn(ctx, row.ID); return err },
		"check":     func(ctx context.Context) error { return o.service.CheckStamped(ctx) },
		"redo": func(ctx context.Context) error {
			_, err := o.service.RedoGlobal(ctx, fiscal.SubstituteInput{CFDI: row.ID})
			return err
		},
		"anticipo": func(ctx context.Context) error {
			_, err := o.service.RequestAnticipo(ctx, fiscal.AnticipoInput{PaymentID: 1})
			return err
		},
		"cancel": func(ctx context.Context) error {
			_, err := o.service.CancelCFDI(ctx, fiscal.CancelInput{CFDI: row.ID})
			return err
		},
	}
	const ok, conflict, invalid, no, missing, anonymous = "", fault.Conflict, fault.Invalid, fault.Forbidden, fault.NotFound, fault.Unauthenticated
	staff := map[string]fault.Kind{"csd": invalid, "stamp": no, "follow": no, "mail": no, "take back": no, "missed": no, "receipts": no, "globals": no, "cancel": invalid, "check": no, "redo": conflict, "anticipo": conflict}
	for who, c := range map[string]struct {
		actor access.Actor
		want  map[string]fault.Kind // ok where nothing is said
		other fault.Kind
	}{
		"staff":     {access.Actor{Kind: access.Staff, Role: access.Admin}, staff, ok},
		"invoices":  {actor(o.client.ID, access.Invoices), map[string]fault.Kind{"issuer": no, "csd": no, "all": no, "stamp": no, "follow": no, "mail": no, "take back": no, "missed": no, "receipts": no, "globals": no, "cancel": no, "pending": no, "urgent": no, "sales in": no, "check": no, "redo": no, "anticipo": no}, ok},
		"profile":   {actor(o.client.ID, access.Profile), map[string]fault.Kind{"profiles": ok, "save profile": ok}, no},
		"contacts":  {actor(o.client.ID, access.Contacts), nil, no},
		"stranger":  {actor(o.client.ID+1, access.Permissions()...), map[string]fault.Kind{"issuer": no, "csd": no, "all": no, "stamp": no, "follow": no, "mail": no, "take back": no, "missed": no, "receipts": no, "globals": no, "cancel": no, "pending": no, "urgent": no, "sales in": no, "check": no, "redo": no, "anticipo": no}, missing},
		"anonymous": {access.Actor{Kind: access.Anonymous}, map[string]fault.Kind{"stamp": no, "follow": no, "mail": no, "take back": no, "missed": no, "receipts": no, "globals": no, "check": no}, anonymous},
	} {
		for name, verb := range verbs {
			want, said := c.want[name]
			if !said {
				want = c.other
			}
			err := verb(access.With(t.Context(), c.actor))
			var got fault.Kind
			if f, is := fault.As(err); is {
				got = f.Kind
			} else if err != nil {
				t.Errorf("%s %s: %v", who, name, err)
			}
			if got != want {
				t.Errorf("%s %s: %q, want %q (%v)", who, name, got, want, err)
			}
		}
	}
	found, err := o.service.Documents(access.With(t.Context(), actor(o.client.ID+1, access.Invoices)), invoice.ID)
	if err != nil || len(found) != 0 {
		t.Error("a stranger sees documents", err)
	}
	askings, err := o.service.Askings(access.With(t.Context(), actor(o.client.ID+1, access.Invoices)), invoice.ID)
	if err != nil || len(askings) != 0 {
		t.Error("a stranger sees what can be asked for", err)
	}
}
