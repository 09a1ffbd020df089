package ui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/email"
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
	t.Run("preview", func(t *testing.T) {
		for _, kind := range []string{reminder.LinkInvoice, reminder.LinkInvoices, reminder.LinkPreferences} {
			w.visit().get(MailLinkPath(kind, "vista-previa")).want(t, http.StatusNotFound).shows(t, "Este enlace es de una vista previa")
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

// One click in a mail program (RFC 8058), by the header of a mail as it went out: a plain client without cookies posts
// to the address, as a form of either kind. It turns reminders off for the recipient of that mail and for nobody else;
// opening the address, as programs that scan mail do, changes nothing, and neither does what else is posted along.
func TestOneClickUnsubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const first, second = "cuentas@tabla.example", "direccion@tabla.example"
	for _, address := range []string{first, second} { // contacts of long ago: who is added later is not mailed about the past
		w.contacts[address] = dbtest.Contact(t, w.store, w.client, address, now.AddDate(0, -2, 0), mail.Invoice, mail.Domain)
	}
	box := &outbox{}
	rules := &reminder.Service{Store: w.store, Billing: w.billing, Now: func() time.Time { return now }, Mailer: box, Lease: time.Minute,
		LinkURL: func(kind, token string) string { return w.server.URL + MailLinkPath(kind, token) },
		Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
			return email.Reminder(ctx, r, email.Links{BaseURL: w.server.URL})
		}}
	ctx := system(t.Context())
	_, err := rules.SavePolicy(ctx, reminder.PolicyInput{Name: "Al emitir", SendFrom: "00:00", SendUntil: "23:59", Steps: []reminder.StepInput{{Anchor: db.AnchorIssue}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.SendReminders(ctx, reminder.RunInput{InvoiceID: w.invoice.ID, Immediate: true}); err != nil {
		t.Fatal(err)
	}
	taken, err := rules.Dispatch(ctx, 100, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range taken {
		if err := rules.Send(ctx, []id.Delivery{row.ID}); err != nil {
			t.Fatal(err)
		}
	}
	mails := map[string]mail.Message{}
	for _, m := range box.sent {
		mails[m.To] = m
	}
	wants := func(address string) string {
		t.Helper()
		if address == owner {
			client, err := w.store.Client(t.Context(), w.client.ID)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(client.Topics)
		}
		row, err := w.store.Contact(t.Context(), w.contacts[address].ID)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(row.Topics)
	}
	everybody := []string{owner, bookkeeper, assistant, first, second}
	before := map[string]string{}
	for _, address := range everybody {
		before[address] = wants(address)
	}
	program := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("one click must not be redirected") }}
	for address, kind := range map[string]string{first: "application/x-www-form-urlencoded", second: "multipart/form-data; boundary=clic"} {
		m, ok := mails[address]
		if !ok || m.Headers["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click" {
			t.Fatalf("%s: %d mails, %v", address, len(mails), m.Headers)
		}
		target := strings.Trim(m.Unsubscribe, "<>")
		body := "List-Unsubscribe=One-Click&contact=" + w.contacts[assistant].ID.String() + "&email=" + owner
		if strings.HasPrefix(kind, "multipart") {
			body = "--clic\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--clic--\r\n"
		}
		do := func(method, body string) {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", kind)
			answer, err := program.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %s", method, kind, answer.Status)
			}
		}
		for range 2 {
			do(http.MethodGet, "")
			do(http.MethodHead, "")
		}
		if got := wants(address); got != before[address] {
			t.Fatalf("%s: opening the address made %s of %s", address, got, before[address])
		}
		do(http.MethodPost, body)
		before[address] = strings.Replace(strings.Replace(before[address], "invoice ", "", 1), "invoice", "", 1)
		for _, other := range everybody {
			if got := wants(other); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(before[other]), " ") {
				t.Errorf("after %s: %s wants %s, want %s", address, other, got, before[other])
			}
		}
	}
}

// outbox keeps what is sent.
type outbox struct{ sent []mail.Message }

func (o *outbox) Send(_ context.Context, m mail.Message) (mail.Receipt, error) {
	o.sent = append(o.sent, m)
	return mail.Receipt{Reply: "250 ok"}, nil
}

// Whoever is mailed about several invoices sees, downloads and pays them from the mail, without a login.
func TestPayFromMailOfSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := w.cashier()
	first, second := w.another(w.client, "uno", "500"), w.another(w.client, "dos", "300")
	third := w.another(w.client, "tres", "100")
	box := &outbox{}
	rules := &reminder.Service{Store: w.store, Billing: w.billing, Now: func() time.Time { return now }, Mailer: box, Lease: time.Minute,
		LinkURL: func(kind, token string) string { return w.server.URL + MailLinkPath(kind, token) },
		Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
			return email.Reminder(ctx, r, email.Links{BaseURL: w.server.URL})
		}}
	ctx := system(t.Context())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := rules.SavePolicy(ctx, reminder.PolicyInput{Name: "Juntas", SendFrom: "00:00", SendUntil: "23:59", Consolidate: true, Steps: []reminder.StepInput{{Anchor: db.AnchorIssue}}})
	must(err)
	for _, row := range []db.Invoice{first, second} {
		_, err = rules.SendReminders(ctx, reminder.RunInput{InvoiceID: row.ID, Immediate: true})
		must(err)
	}
	taken, err := rules.Dispatch(ctx, 100, 100)
	must(err)
	ids := []id.Delivery{}
	for _, row := range taken {
		ids = append(ids, row.ID)
	}
	must(rules.Send(ctx, ids))
	path := ""
	for _, m := range box.sent {
		_, token, _ := strings.Cut(m.Text, w.server.URL+"/correo/facturas/")
		path, _, _ = strings.Cut("/correo/facturas/"+token, "\n")
	}
	if len(box.sent) != 1 || path == "/correo/facturas/" {
		t.Fatalf("%d mails, the link %q", len(box.sent), path)
	}
	v := w.visit()
	shown := v.get(path).want(t, http.StatusOK).shows(t, first.Number, second.Number, "$928.00 MXN", "2 facturas elegidas", "Pagar con tarjeta", "Referencia numérica").hides(t, third.Number, w.invoice.Number)
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store"} {
		if got := shown.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if csp := shown.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:;") {
		t.Errorf("the browser would not follow to the gateway: %s", csp)
	}
	v.get(path+"?elegir=1&factura="+second.ID.String()).want(t, http.StatusOK).shows(t, "$348.00 MXN", "1 factura elegida")
	v.get(path+"?pago=sin-terminar").want(t, http.StatusOK).shows(t, "El pago con tarjeta no se terminó")
	v.post(path, url.Values{"elegir": {"1"}}).want(t, http.StatusUnprocessableEntity).shows(t, "Elija al menos una factura")
	v.post(path, url.Values{"factura": {third.ID.String()}}).want(t, http.StatusNotFound)
	v.post(path, url.Values{"factura": {w.alien.ID.String()}}).want(t, http.StatusNotFound)
	detail, _, _ := strings.Cut(strings.SplitN(shown.body, `href="/correo/factura/`, 2)[1], `"`)
	v.get("/correo/factura/"+detail).want(t, http.StatusSeeOther)

	ref := page(t, v.post(path, url.Values{"factura": {first.ID.String(), second.ID.String()}}).want(t, http.StatusSeeOther))
	session, _ := cashier.Session(ref)
	if session.AmountTotal != 92800 {
		t.Fatalf("%+v", session)
	}
	back := strings.TrimPrefix(session.SuccessURL, w.server.URL)
	if !strings.HasPrefix(back, path+"/") || session.CancelURL != w.server.URL+path+"?pago=sin-terminar" {
		t.Fatalf("comes back to %s or %s", back, session.CancelURL)
	}
	v.get(back).want(t, http.StatusOK).shows(t, "Esperamos la confirmación")
	paid, event := cashier.Finish(ref, "paid")
	must(cashier.Post(t.Context(), cashier.Event("evt_1", event, paid)))
	v.get(back).want(t, http.StatusOK).shows(t, "Pago recibido", "$928.00 MXN", first.Number+", "+second.Number)
	v.get(path).want(t, http.StatusOK).shows(t, "Todas están pagadas").hides(t, "Pagar con tarjeta")
	// A payment of other invoices stays closed.
	other := page(t, w.as(bookkeeper).post("/clientes/"+w.client.ID.String()+"/pagar", url.Values{"factura": {third.ID.String()}}).want(t, http.StatusSeeOther))
	foreign, _ := cashier.Session(other)
	v.get(path+"/"+foreign.SuccessURL[strings.LastIndex(foreign.SuccessURL, "/")+1:]).want(t, http.StatusNotFound)
}
