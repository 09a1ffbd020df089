package account_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

var kinds = []string{db.EmailInvoice, db.EmailReminder, db.EmailFiscal, db.EmailCancellation, db.EmailInvitation, db.EmailHandover, db.EmailAccess, db.EmailVerification, db.EmailNotice}

// keep stores a mail of each kind for a client.
func (w *world) keep(client db.Client) {
	w.Helper()
	for _, kind := range kinds {
		e := db.NewEmail(kind, client.ID, 0, mail.Message{ID: fmt.Sprintf("%s.%s@uno.example", client.ID, kind), To: client.Email, Subject: kind, Text: "texto", HTML: "<p>texto</p>"})
		if err := w.Store.KeepEmail(w.Context(), e.Went(mail.Receipt{}, nil)); err != nil {
			w.Fatal(err)
		}
	}
}

// A mail shows no more than the pages that its reader may open.
func TestWhoReadsWhichMails(t *testing.T) {
	w := newWorld(t)
	w.keep(w.client)
	w.keep(w.other)
	invoices, people := kinds[:4], kinds[4:]
	for _, c := range []struct {
		permissions []access.Permission
		want        []string // nil: refused
	}{
		{[]access.Permission{access.Invoices, access.Contacts}, nil},
		{[]access.Permission{access.Emails}, []string{}},
		{[]access.Permission{access.Emails, access.Invoices}, invoices},
		{[]access.Permission{access.Emails, access.Contacts}, people},
		{access.Permissions(), kinds},
	} {
		ctx := access.With(t.Context(), access.Actor{Kind: access.Login, Login: 1, Grants: []access.Grant{{Client: w.client.ID, Permissions: c.permissions}}})
		list, err := w.Emails(ctx, account.EmailQuery{Client: w.client.ID}, db.Page{First: 100})
		if (err != nil) != (c.want == nil) || err != nil && codes(err) != "PERMISSION_REQUIRED" {
			t.Errorf("%v: %v", c.permissions, err)
		}
		got := []string{}
		for _, row := range list.Rows {
			got = append(got, row.Kind)
			if row.Text != "" || row.HTML != "" {
				t.Errorf("the list holds content")
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%v: %v, want %v", c.permissions, got, c.want)
		}
		all, err := w.Emails(w.system(), account.EmailQuery{Client: w.client.ID}, db.Page{First: 100})
		if err != nil || len(all.Rows) != len(kinds) {
			t.Fatal(len(all.Rows), err)
		}
		for _, row := range all.Rows { // one at a time: the same
			found, err := w.Email(ctx, row.ID)
			if may := slices.Contains(c.want, row.Kind); may != (err == nil) || may && found.Text != "texto" || !may && codes(err) != "PERMISSION_REQUIRED" {
				t.Errorf("%v: %s: %v", c.permissions, row.Kind, err)
			}
		}
		strange, err := w.Emails(w.system(), account.EmailQuery{Client: w.other.ID}, db.Page{First: 100})
		if err != nil || len(strange.Rows) == 0 {
			t.Fatal(err)
		}
		if _, err := w.Email(ctx, strange.Rows[0].ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("a stranger's mail: %v", err)
		}
		if _, err := w.Emails(ctx, account.EmailQuery{Client: w.other.ID}, db.Page{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("a stranger's list: %v", err)
		}
	}
	if _, err := w.Email(t.Context(), 1); !fault.Is(err, fault.Unauthenticated) {
		t.Error(err)
	}
}

func TestEmailFilters(t *testing.T) {
	w := newWorld(t)
	w.keep(w.client)
	at := w.clock
	for name, c := range map[string]struct {
		query account.EmailQuery
		want  int
		codes string
	}{
		"all":               {account.EmailQuery{}, 9, ""},
		"kinds":             {account.EmailQuery{Kinds: []string{db.EmailFiscal, db.EmailNotice}}, 2, ""},
		"sent":              {account.EmailQuery{Statuses: []string{db.EmailSent}}, 9, ""},
		"bounced":           {account.EmailQuery{Statuses: []string{db.EmailBounced}}, 0, ""},
		"own":               {account.EmailQuery{Own: true}, 9, ""},
		"a contact":         {account.EmailQuery{Contact: 99}, 0, ""},
		"days":              {account.EmailQuery{From: at.AddDate(0, 0, -1), Until: at.AddDate(0, 0, 1)}, 9, ""},
		"before":            {account.EmailQuery{Until: at.AddDate(0, 0, -1)}, 0, ""},
		"no kind":           {account.EmailQuery{Kinds: []string{"x"}}, 0, "kinds:VALUE_INVALID"},
		"no status":         {account.EmailQuery{Statuses: []string{"x"}}, 0, "statuses:VALUE_INVALID"},
		"until before from": {account.EmailQuery{From: at, Until: at.AddDate(0, 0, -1)}, 0, "until:VALUE_INVALID"},
	} {
		c.query.Client = w.client.ID
		list, err := w.Emails(w.system(), c.query, db.Page{First: 100})
		if codes(err) != c.codes || len(list.Rows) != c.want {
			t.Errorf("%s: %d mails, %v, want %d %q", name, len(list.Rows), err, c.want, c.codes)
		}
	}
	seen, page := 0, db.Page{First: 4}
	for { // page by page: each once
		list, err := w.Emails(w.system(), account.EmailQuery{Client: w.client.ID}, page)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(list.Rows)
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if seen != 9 {
		t.Errorf("%d in pages, want 9", seen)
	}
}

// Invitations are in the client's list, without the token that accepts them; links for a new password and
// alerts are in no list.
func TestNoticesAreKept(t *testing.T) {
	w := newWorld(t)
	w.Mail = func(_ context.Context, n account.Notice) (mail.Message, error) {
		m := mail.Message{ID: n.Head().MessageID, To: n.Head().To, Subject: "Aviso", Text: "sin enlace"}
		if n, ok := n.(account.InvitationNotice); ok {
			m.Text, m.Secrets = "https://clientes.example/"+n.Token, []string{n.Token}
		}
		w.notices = append(w.notices, n)
		return m, nil
	}
	contact, notice := w.invite(w.as("dueno@uno.example", password), w.client, "ana@persona.example", access.Invoices)
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@uno.example"}); err != nil {
		t.Fatal(err)
	}
	w.work()
	list, err := w.Emails(w.system(), account.EmailQuery{Client: w.client.ID}, db.Page{})
	if err != nil || len(list.Rows) != 1 {
		t.Fatalf("%d mails, %v, want the invitation alone", len(list.Rows), err)
	}
	e, err := w.Email(w.system(), list.Rows[0].ID)
	if err != nil || e.Kind != db.EmailInvitation || e.ContactID != contact.ID || e.Status != db.EmailSent || e.Text != "https://clientes.example/***" || strings.Contains(e.Text, notice.Token) {
		t.Fatalf("%+v, %v", e, err)
	}
	// Who can guess a Message-ID can report that the mail came back, which stops mail to the address.
	for _, n := range w.notices {
		if id := n.Head().MessageID; !regexp.MustCompile(`^account\.[a-z]+\.\d+\.[0-9a-f]{32}@`).MatchString(id) {
			t.Errorf("Message-ID %s carries no proof", id)
		}
	}
}

// By what the product does itself, a mail names the company; nobody is called "system".
func TestNoticesNameTheCompany(t *testing.T) {
	w := newWorld(t)
	company, err := w.Store.Company(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, notice := w.invite(w.system(), w.client, "ana@persona.example", access.Invoices); notice.InvitedBy != company.Name || company.Name == "" {
		t.Errorf("invited by %q, want %q", notice.InvitedBy, company.Name)
	}
	if _, notice := w.invite(w.as("dueno@uno.example", password), w.client, "eva@persona.example", access.Invoices); notice.InvitedBy == company.Name || notice.InvitedBy == "" {
		t.Errorf("invited by %q, want the owner", notice.InvitedBy)
	}
}

// After so many days what a mail said goes; that it was sent stays.
func TestForgetEmails(t *testing.T) {
	w := newWorld(t)
	w.keep(w.client)
	if err := w.ForgetEmails(w.as("dueno@uno.example", password), 180); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	for _, days := range []int{179, 181} {
		at := w.clock
		w.clock = at.AddDate(0, 0, days)
		if err := w.ForgetEmails(w.system(), 180); err != nil {
			t.Fatal(err)
		}
		w.clock = at
		list, err := w.Emails(w.system(), account.EmailQuery{Client: w.client.ID}, db.Page{})
		if err != nil || len(list.Rows) != len(kinds) {
			t.Fatal(len(list.Rows), err)
		}
		for _, row := range list.Rows {
			if e, err := w.Email(w.system(), row.ID); err != nil || (e.Text == "" && e.HTML == "") != (days > 180) || e.Subject == "" {
				t.Fatalf("after %d days: %+v, %v", days, e, err)
			}
		}
	}
}
