package fiscal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func (o *office) stamping() fiscal.Stamping {
	o.Helper()
	s, err := o.service.Stamping(system(o.Context()))
	o.must(err)
	return s
}

func (o *office) unstamped(which string) []fiscal.Unstamped {
	o.Helper()
	_, rows, err := o.service.Unstamped(system(o.Context()), which, db.Page{First: 100})
	o.must(err)
	return rows
}

// Every call to the PAC is told of, by what became of it.
func TestCallsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		fault sandbox.Fault
		want  string
	}{"ok": {sandbox.None, "ok"}, "lost": {sandbox.LostReply, "unknown"}, "down": {sandbox.Unavailable, "unavailable"}, "credentials": {sandbox.BadCredentials, "auth"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			row := prepared[db.CFDIIngreso](o)
			var calls []string
			o.service.Called = func(call fiscal.Call) {
				calls = append(calls, call.Operation+" "+call.Result)
				if call.Took < 0 {
					t.Error(call)
				}
			}
			o.fault = c.fault
			_, err := o.attempt(row)
			o.must(err)
			want := []string{"stamp " + c.want}
			if c.fault != sandbox.None {
				o.clock, o.fault = o.clock.Add(time.Hour), sandbox.None
				_, err := o.attempt(row)
				o.must(err)
				if c.fault == sandbox.LostReply {
					want = append(want, "stamp repeated")
				} else {
					want = append(want, "stamp ok")
				}
			}
			o.must(o.service.CheckCredits(system(t.Context())))
			_, err = o.service.CheckStatus(system(t.Context()), row.ID)
			o.must(err)
			if want = append(want, "credits ok", "status ok"); !slices.Equal(calls, want) {
				t.Errorf("%q, want %q", calls, want)
			}
		})
	}
}

// The PAC is down: documents wait, invoices and payments go on, staff see since when and why, and afterwards each
// document is stamped once. What tells so is in the database: another process says the same.
func TestOutage(t *testing.T) {
	o := newOfficeOf(t, kemper, time.Now().Truncate(time.Second)) // the database's clock says when work is due
	o.profile()
	first := o.issue()
	o.pay(first, first.Total, "before")
	o.work()
	if s := o.stamping(); s.Outage != nil || s.Waiting != 0 || s.Last == nil {
		t.Fatalf("before: %+v", s)
	}
	o.clock = o.clock.Add(time.Minute)
	began := o.clock
	o.fault = sandbox.Unavailable
	var invoices []db.Invoice
	for i := range 5 {
		invoice := o.issue()
		invoice = o.pay(invoice, invoice.Total, fmt.Sprint("during ", i))
		if invoice.Status != db.InvoicePaid {
			t.Fatalf("an invoice is %s during the outage", invoice.Status)
		}
		invoices = append(invoices, invoice)
		o.work()
		if i == 0 {
			if s := o.stamping(); s.Outage != nil || s.Failing != 1 {
				t.Errorf("one lost call is no outage: %+v", s)
			}
		}
		o.clock = o.clock.Add(time.Minute)
	}
	made := o.stamps()
	another := *o.service // another process
	s, err := another.Stamping(system(t.Context()))
	o.must(err)
	if s.Outage == nil || !s.Outage.Since.Equal(began) || s.Outage.Documents != 5 || s.Outage.Code != "http_503" || s.Outage.Failure != "unavailable" || s.Waiting != 5 || s.Failing != 5 ||
		!slices.Equal(s.Alerts(), []string{fiscal.AlertOutage}) || s.Oldest == nil {
		t.Errorf("during: %+v %+v", s, s.Outage)
	}
	rows := o.unstamped(db.UnstampedWaiting)
	if len(rows) != 5 || rows[0].Attempts != 1 || rows[0].NextAttempt == nil || rows[0].Cause == "" {
		t.Fatalf("%+v", rows)
	}
	if want := began.Add(fiscal.RetryDelay(1)); !rows[0].NextAttempt.Equal(want) {
		t.Errorf("the next attempt is at %s, want %s", rows[0].NextAttempt, want)
	}
	// Back again. Staff need not wait for the next attempts.
	o.fault = sandbox.None
	n, err := o.service.RetryStamps(system(t.Context()), db.UnstampedWaiting)
	if err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if _, err := o.service.RetryStamps(system(t.Context()), db.UnstampedWaiting); err != nil { // twice is once
		t.Fatal(err)
	}
	o.work()
	for _, invoice := range invoices {
		if row := o.one(invoice); row.Status != db.CFDIStamped || row.Build != 1 || row.Failure != "" {
			t.Errorf("%s: %s, build %d, failure %q", row.ID, row.Status, row.Build, row.Failure)
		}
	}
	if got := o.stamps() - made; got != 5 {
		t.Errorf("%d stamps for 5 documents", got)
	}
	if s := o.stamping(); s.Outage != nil || s.Waiting != 0 || len(s.Alerts()) != 0 {
		t.Errorf("after: %+v", s)
	}
	o.verify(t, 6)
}

// Refused credentials are an outage at once, and a PAC that never was there is one too.
func TestOutageOfCredentials(t *testing.T) {
	for name, prepare := range map[string]func(*office){
		"refused": func(o *office) { o.fault = sandbox.BadCredentials },
		"none":    func(o *office) { o.service.PAC = nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOfficeOf(t, kemper, time.Now().Truncate(time.Second))
			o.profile()
			prepare(o)
			invoice := o.issue()
			o.pay(invoice, invoice.Total, "p")
			o.work()
			if s := o.stamping(); s.Outage == nil || s.Outage.Failure != "auth" || s.Outage.Code == "" {
				t.Errorf("%+v", s.Outage)
			}
		})
	}
}

// A document that cannot even be sealed says why, and waits.
func TestUnsealed(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.service.Keyring = nil
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	rows, err := o.store.TakeJobs(t.Context(), 100, time.Hour)
	o.must(err)
	for len(rows) > 0 {
		for _, row := range rows {
			if err := do(system(t.Context()), o.service, row); err != nil {
				o.must(o.store.RetryJob(t.Context(), row.ID, time.Hour, err.Error()))
				continue
			}
			o.must(o.store.FinishJob(t.Context(), row.ID))
		}
		rows, err = o.store.TakeJobs(t.Context(), 100, time.Hour)
		o.must(err)
	}
	waiting := o.unstamped(db.UnstampedWaiting)
	if len(waiting) != 1 || waiting[0].Status != db.CFDIDraft || waiting[0].Cause == "" || waiting[0].NextAttempt == nil {
		t.Fatalf("%+v", waiting)
	}
}

// Refused documents are listed with the cause and built anew when their data are right, each kind.
func TestRetryRefused(t *testing.T) {
	o := newOffice(t)
	profile := o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue(hosting("1000.00"))
	o.work()
	if got := o.stamped(invoice, db.CFDIIngreso); len(got) != 1 {
		t.Fatal("the invoice has no document")
	}
	// Its receipt is refused, as long as the profile is wrong; the credit note of another invoice too.
	wrong := profile
	wrong.UsoCFDI = "D01"
	o.must(o.store.SaveFiscalProfile(t.Context(), &wrong))
	other := o.issue(hosting("500.00"))
	o.work()
	if rows := o.unstamped(db.UnstampedRefused); len(rows) != 1 || rows[0].Code != "CFDI40161" || rows[0].Failure != "rejected" || rows[0].NextAttempt != nil || rows[0].Cause == "" {
		t.Fatalf("%+v", rows)
	}
	refused := o.unstamped("")[0]
	if s := o.stamping(); s.Refused != 1 || s.Waiting != 0 || s.Outage != nil {
		t.Errorf("%+v", s)
	}
	// Again with the same data: refused again.
	_, err := o.service.RetryStamp(system(t.Context()), refused.ID)
	o.must(err)
	o.work()
	if rows := o.unstamped(db.UnstampedRefused); len(rows) != 1 || rows[0].Attempts != refused.Attempts+1 {
		t.Fatalf("%+v", rows)
	}
	right := profile
	o.must(o.store.SaveFiscalProfile(t.Context(), &right))
	n, err := o.service.RetryStamps(system(t.Context()), db.UnstampedRefused)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	o.work()
	if row := o.one(other); row.Status != db.CFDIStamped || row.Code != "" {
		t.Errorf("%s %s", row.Status, row.Code)
	}
	// Nothing to retry any more.
	if _, err := o.service.RetryStamp(system(t.Context()), refused.ID); !fault.Is(err, fault.Conflict) {
		t.Errorf("a stamped document is tried again: %v", err)
	}
	if n, err := o.service.RetryStamps(system(t.Context()), ""); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, err := o.service.RetryStamps(system(t.Context()), "x"); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// A refused document of an invoice that was cancelled meanwhile is not built anew.
func TestRetryClosed(t *testing.T) {
	o := newOffice(t)
	profile := o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	profile.UsoCFDI = "D01"
	o.must(o.store.SaveFiscalProfile(t.Context(), &profile))
	invoice := o.issue()
	o.work()
	_, err := o.billing.CancelInvoice(system(t.Context()), billing.CloseInput{InvoiceID: invoice.ID, Reason: "Duplicada"})
	o.must(err)
	o.work()
	if n, err := o.service.RetryStamps(system(t.Context()), ""); n != 0 || err != nil {
		t.Error(n, err)
	}
	if rows := o.unstamped(db.UnstampedRefused); len(rows) == 1 {
		if _, err := o.service.RetryStamp(system(t.Context()), rows[0].ID); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
}

func TestStampingPermissions(t *testing.T) {
	o := newOffice(t)
	as := func(role access.Role) context.Context {
		return access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 1, Role: role})
	}
	verbs := map[string]struct {
		do  func(context.Context) error
		may []access.Role
	}{
		"Stamping":    {func(ctx context.Context) error { _, err := o.service.Stamping(ctx); return err }, []access.Role{access.Admin, access.Billing, access.Support, access.ReadOnly}},
		"Unstamped":   {func(ctx context.Context) error { _, _, err := o.service.Unstamped(ctx, "", db.Page{}); return err }, []access.Role{access.Admin, access.Billing, access.Support, access.ReadOnly}},
		"RetryStamps": {func(ctx context.Context) error { _, err := o.service.RetryStamps(ctx, ""); return err }, []access.Role{access.Admin, access.Billing}},
		"RetryStamp": {func(ctx context.Context) error {
			_, err := o.service.RetryStamp(ctx, 999)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			return err
		}, []access.Role{access.Admin, access.Billing}},
	}
	for name, verb := range verbs {
		for _, role := range access.Roles() {
			if got, want := verb.do(as(role)) == nil, slices.Contains(verb.may, role); got != want {
				t.Errorf("%s as %s: %v, want %v", name, role, got, want)
			}
		}
		if err := verb.do(access.With(t.Context(), access.Actor{Kind: access.Login, Login: 1})); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s as a login: %v", name, err)
		}
	}
	for name, do := range map[string]func(context.Context) error{"CheckCredits": o.service.CheckCredits, "WarnExpiry": o.service.WarnExpiry,
		"SendExpiry": func(ctx context.Context) error { return o.service.SendExpiry(ctx, fiscal.ExpiryJob{}) }} {
		if err := do(as(access.Admin)); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s as staff: %v", name, err)
		}
	}
}

// reporter is a PAC with so many stamps left.
type reporter struct {
	fiscal.Stamper
	left int
	err  error
}

func (r *reporter) Credits(context.Context, string) (int, error) { return r.left, r.err }

func TestCreditAlert(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	in := kemper
	in.CreditAlert = 50
	_, err := o.service.SaveIssuer(ctx, in)
	o.must(err)
	pac := &reporter{Stamper: o.pac}
	o.service.PAC = pac
	if s := o.stamping(); s.Credits != nil || s.Low() {
		t.Errorf("nobody was asked: %+v", s.Credits)
	}
	down := &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "http_503"}
	for _, c := range []struct {
		left int
		err  error
		low  bool
	}{{50, nil, false}, {49, nil, true}, {0, down, true}, {fiscal.Unlimited, nil, false}, {0, nil, true}} {
		pac.left, pac.err = c.left, c.err
		o.must(o.service.CheckCredits(ctx))
		s := o.stamping()
		if s.Low() != c.low || slices.Contains(s.Alerts(), fiscal.AlertCredit) != c.low {
			t.Errorf("%d left, error %v: low %v", c.left, c.err, s.Low())
		}
	}
	in.CreditAlert = -1
	if _, err := o.service.SaveIssuer(ctx, in); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	in.CreditAlert = 0
	_, err = o.service.SaveIssuer(ctx, in)
	o.must(err)
	if o.stamping().Low() {
		t.Error("0 warns")
	}
}

// Staff who may change billing are told 60 and 30 days before, once each; nobody is told of a certificate that is not
// in use any more.
func TestExpiryMails(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	for _, p := range []db.Staff{{Email: "direccion@nube.example", Name: "Dirección", Role: access.Admin, Active: true}, {Email: "cobranza@nube.example", Name: "Cobranza", Role: access.Billing, Active: true},
		{Email: "soporte@nube.example", Name: "Soporte", Role: access.Support, Active: true}, {Email: "antes@nube.example", Name: "Antes", Role: access.Admin}} {
		p.PasswordHash, p.Language = "x", "es-MX"
		o.must(o.store.AddStaff(t.Context(), &p))
	}
	var notices []fiscal.ExpiryNotice
	o.service.RenderNotice = func(_ context.Context, n account.Notice) (mail.Message, error) {
		notice, ok := n.(fiscal.ExpiryNotice)
		if !ok {
			return mail.Message{}, fmt.Errorf("%T", n)
		}
		notices = append(notices, notice)
		return mail.Message{ID: notice.MessageID, To: notice.To}, nil
	}
	csd, err := o.store.ActiveCSD(t.Context())
	o.must(err)
	day := func(left int) {
		t.Helper()
		o.clock, notices = csd.ValidUntil.Add(-time.Duration(left)*24*time.Hour-time.Hour), nil
		for range 3 {
			o.must(o.service.WarnExpiry(ctx))
			o.work()
		}
	}
	ids := map[string]bool{}
	for _, c := range []struct{ left, mails int }{{61, 0}, {60, 2}, {59, 0}, {31, 0}, {30, 2}, {29, 0}, {1, 0}, {-2, 0}} {
		day(c.left)
		if len(notices) != c.mails {
			t.Errorf("%d days before: %d mails, want %d", c.left, len(notices), c.mails)
		}
		for _, n := range notices {
			if n.Days != c.left || n.NoCertificado != csd.NoCertificado || ids[n.MessageID] || n.To == "soporte@nube.example" || n.To == "antes@nube.example" {
				t.Errorf("%+v", n)
			}
			ids[n.MessageID] = true
		}
	}
	// A new certificate: what was asked for about the old one is not sent.
	job := fiscal.ExpiryJob{CSD: csd.ID, Days: 60, Staff: 3}
	day(61)
	newer := csd
	newer.ID, newer.NoCertificado = 0, "30001000000500009999"
	o.must(o.store.AddCSD(t.Context(), &newer))
	o.must(o.service.SendExpiry(ctx, job))
	if len(notices) != 0 {
		t.Errorf("%d mails about a certificate that is not in use", len(notices))
	}
	told, err := o.store.CSDNotices(t.Context(), csd.ID)
	o.must(err)
	if len(told) != 5 || !slices.ContainsFunc(told, func(n db.CSDNotice) bool { return n.Status == "skipped" && n.StaffID == 3 }) {
		t.Errorf("%+v", told)
	}
}

// Receipts stamp themselves; where one is missing three days before the 5th, staff who may change billing are told, once.
func TestReceiptMails(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	for _, p := range []db.Staff{{Email: "direccion@nube.example", Role: access.Admin, Active: true}, {Email: "cobranza@nube.example", Role: access.Billing, Active: true},
		{Email: "soporte@nube.example", Role: access.Support, Active: true}, {Email: "antes@nube.example", Role: access.Admin}} {
		p.Name, p.PasswordHash, p.Language = "Persona", "x", "es-MX"
		o.must(o.store.AddStaff(t.Context(), &p))
	}
	var notices []fiscal.ReceiptsNotice
	o.service.RenderNotice = func(_ context.Context, n account.Notice) (mail.Message, error) {
		notice, ok := n.(fiscal.ReceiptsNotice)
		if !ok {
			return mail.Message{}, fmt.Errorf("%T", n)
		}
		notices = append(notices, notice)
		return mail.Message{ID: notice.MessageID, To: notice.To}, nil
	}
	o.profile()
	o.must(o.service.SetWhen(ctx, o.client.ID, db.CFDIOnIssue))
	rate := func(day date.Date) {
		_, err := o.billing.SetExchangeRate(ctx, billing.ExchangeRateInput{Currency: money.USD, Day: day, Rate: money.Must("18.4521"), Source: "DOF"})
		o.must(err)
	}
	rate("2026-11-19")
	stamped := o.issue(hosting("100.00"))
	waits, err := o.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10", Currency: money.USD, Lines: []billing.LineInput{hosting("49.99")}})
	o.must(err)
	o.work()
	o.clock = o.clock.AddDate(0, 0, 10)
	o.pay(stamped, stamped.Total, "stamped")
	o.receive(5799, "waits", billing.Allocation{InvoiceID: waits.ID}) // for the rate of its day
	o.work()
	for _, c := range []struct {
		day   string
		mails int
	}{{"2026-12-02", 0}, {"2026-12-03", 2}, {"2026-12-05", 0}, {"2026-12-20", 0}} {
		at, err := time.Parse("2006-01-02", c.day)
		o.must(err)
		o.clock, notices = at.Add(18*time.Hour), nil
		for range 3 {
			o.must(o.service.WarnReceipts(ctx))
			o.work()
		}
		if len(notices) != c.mails {
			t.Errorf("%s: %d mails, want %d", c.day, len(notices), c.mails)
		}
		for _, n := range notices {
			if n.Due != "2026-12-05" || n.Count != 1 || n.To != "direccion@nube.example" && n.To != "cobranza@nube.example" {
				t.Errorf("%+v", n)
			}
		}
	}
	told, err := o.store.ReceiptNotices(t.Context(), "2026-12-05")
	o.must(err)
	if len(told) != 2 || told[0].Status != "sent" || told[0].Reply != "250 ok" {
		t.Errorf("%+v", told)
	}
	// What is stamped before its mail goes out is not told.
	rate("2026-11-30")
	rows := o.documents(waits)
	row := o.read(rows[len(rows)-1])
	row.Status = db.CFDIDraft // staff asks again
	o.must(o.store.SaveCFDI(t.Context(), &row))
	_, err = o.attempt(row)
	o.must(err)
	notices = nil
	o.must(o.service.SendReceipts(ctx, fiscal.ReceiptsJob{Due: "2027-01-05", Staff: told[0].StaffID}))
	if told, err = o.store.ReceiptNotices(t.Context(), "2027-01-05"); err != nil || len(notices) != 0 || len(told) != 1 || told[0].Status != "skipped" {
		t.Errorf("%d mails, %+v, %v", len(notices), told, err)
	}
}
