package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// What the links of mails open, for people who are not signed in.
func TestMailLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rules := &reminder.Service{Store: w.store, Now: func() time.Time { return now }}
	contact := w.contacts[bookkeeper]
	link := func(kind string) string {
		t.Helper()
		token, err := rules.NewLink(system(t.Context()), reminder.Link{Kind: kind, ClientID: w.client.ID, ContactID: contact.ID, InvoiceID: w.invoice.ID, Email: contact.Email})
		if err != nil {
			t.Fatal(err)
		}
		return MailLinkPath(kind, token)
	}
	wants := func() bool {
		t.Helper()
		row, err := w.store.Contact(t.Context(), contact.ID)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(row.Topics, mail.Invoice)
	}

	t.Run("preferences", func(t *testing.T) {
		path := link(reminder.LinkPreferences)
		page := w.visit().get(path).want(t, http.StatusOK).shows(t, bookkeeper, "Dejar de recibir avisos")
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store"} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if !wants() {
			t.Error("opening the page changed something")
		}
		// As a mail program posts it: no cookie, no Origin.
		w.visit().post(path, url.Values{"List-Unsubscribe": {"One-Click"}}).want(t, http.StatusOK).shows(t, "ya no recibe")
		if wants() {
			t.Error("one click did not unsubscribe")
		}
		w.visit().post(path, url.Values{"reminders": {"on"}}).want(t, http.StatusOK).shows(t, "Guardado.")
		if !wants() {
			t.Error("turning the reminders on again had no effect")
		}
		w.visit().post(path, url.Values{"reminders": {"off"}}, "Sec-Fetch-Site", "cross-site").want(t, http.StatusForbidden)
	})
	t.Run("verify", func(t *testing.T) {
		path := link(reminder.LinkVerify)
		w.visit().get(path).want(t, http.StatusOK).shows(t, "Confirmar mi correo")
		if row, err := w.store.Contact(t.Context(), contact.ID); err != nil || row.VerifiedEmail != "" {
			t.Fatalf("opening the page confirmed the address: %q %v", row.VerifiedEmail, err)
		}
		w.visit().post(path, nil).want(t, http.StatusOK).shows(t, "Correo confirmado")
		if row, err := w.store.Contact(t.Context(), contact.ID); err != nil || row.VerifiedEmail != bookkeeper {
			t.Fatalf("not confirmed: %q %v", row.VerifiedEmail, err)
		}
	})
	t.Run("invoice", func(t *testing.T) {
		w.render(w.invoice)
		path := link(reminder.LinkInvoice)
		page := w.visit().get(path).want(t, http.StatusSeeOther)
		w.visit().get(page.Header.Get("Location")).want(t, http.StatusOK).shows(t, w.invoice.Number, "Descargar PDF", "$1,160.00 MXN", "Referencia numérica")
		file := w.visit().get(path+"/pdf").want(t, http.StatusOK)
		if got := file.Header.Get("Content-Type"); got != "application/pdf" || !strings.HasPrefix(file.body, "%PDF") {
			t.Errorf("no PDF: %s", got)
		}
	})
	t.Run("a link opens its own page alone", func(t *testing.T) {
		_, token, _ := strings.Cut(strings.TrimPrefix(link(reminder.LinkInvoice), "/"), "/")
		_, token, _ = strings.Cut(token, "/")
		for _, path := range []string{MailLinkPath(reminder.LinkVerify, token), MailLinkPath(reminder.LinkPreferences, token), MailLinkPath(reminder.LinkInvoice, token+"A"),
			MailLinkPath(reminder.LinkInvoice, "x") + "/pdf"} {
			w.visit().get(path).want(t, http.StatusNotFound).shows(t, "El enlace no es válido")
		}
		// An invoice of another client, signed by mistake, stays closed.
		foreign, err := rules.NewLink(system(t.Context()), reminder.Link{Kind: reminder.LinkInvoice, ClientID: w.client.ID, ContactID: contact.ID, InvoiceID: w.alien.ID, Email: contact.Email})
		if err != nil {
			t.Fatal(err)
		}
		w.visit().get(MailLinkPath(reminder.LinkInvoice, foreign)).want(t, http.StatusNotFound)
		w.visit().get(MailLinkPath(reminder.LinkInvoice, foreign)+"/pdf").want(t, http.StatusNotFound)
	})
}
