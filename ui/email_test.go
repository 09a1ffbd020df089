package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// sent keeps mails of the client: a reminder that came back, with a hostile subject, and an invitation.
func (w *world) sent(t *testing.T) {
	t.Helper()
	for _, e := range []*db.Email{
		db.NewEmail(db.EmailInvitation, w.client.ID, w.contacts[assistant].ID, mail.Message{ID: "account.invitation.1@tabla.example", ToName: "Asistente", To: assistant, Subject: "Invitación al Área de Clientes", Text: "Acepte aquí"}).Went(mail.Receipt{}, nil),
		db.NewEmail(db.EmailReminder, w.client.ID, 0, mail.Message{ID: "reminder.1.1.0@tabla.example", ToName: "Café", To: owner, Subject: `Vence <script>alert(1)</script>`, Text: "Saldo de la factura",
			HTML: `<p>Saldo de la factura</p><script>alert(1)</script><img src="https://espia.example/pixel">`}).Went(mail.Receipt{}, &mail.Refusal{Code: 550, Permanent: true, Reply: "550 5.1.1 no such user"}),
	} {
		if err := w.store.KeepEmail(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmailPages(t *testing.T) {
	w := newWorld(t)
	w.sent(t)
	list := fmt.Sprintf("/clientes/%s/correos", w.client.ID)
	const reminder, invitation = "Vence &lt;script&gt;", "Invitación al Área de Clientes"
	visitors := map[string]*visitor{owner: w.as(owner), bookkeeper: w.as(bookkeeper), stranger: w.as(stranger)}
	for name, c := range map[string]struct {
		who     string
		query   string
		has     []string
		without []string
	}{
		"everything, to the owner":           {owner, "", []string{reminder, invitation, "No entregado", "El servidor de correo lo rechazó", owner}, []string{"<script>alert", "550 5.1.1"}},
		"of invoices, to the bookkeeper":     {bookkeeper, "", []string{reminder}, []string{invitation, `value="invitation"`, `name="contacto"`}},
		"of a kind":                          {owner, "?tipo=invitation", []string{invitation}, []string{reminder}},
		"of a state":                         {owner, "?estado=failed", []string{reminder}, []string{invitation}},
		"to a contact":                       {owner, "?contacto=" + w.contacts[assistant].ID.String(), []string{invitation}, []string{reminder}},
		"to the client's own address":        {owner, "?contacto=propia", []string{reminder}, []string{invitation}},
		"of days without mail":               {owner, "?hasta=2001-01-01", []string{"Ningún correo coincide"}, []string{reminder}},
		"of no day":                          {owner, "?desde=ayer", []string{`aria-invalid="true"`, "Ningún correo coincide"}, []string{reminder}},
		"of days that end before they begin": {owner, "?desde=2026-04-02&hasta=2026-04-01", []string{"Debe ser igual o posterior"}, []string{reminder}},
	} {
		t.Run(name, func(t *testing.T) {
			body := visitors[c.who].get(list+c.query).want(t, http.StatusOK).body
			for _, text := range c.has {
				if !strings.Contains(body, text) {
					t.Errorf("%q is missing", text)
				}
			}
			for _, text := range c.without {
				if strings.Contains(body, text) {
					t.Errorf("%q is there", text)
				}
			}
		})
	}
	visitors[owner].get(list+"?tipo=x").want(t, http.StatusSeeOther)
	w.as(assistant).get(list).want(t, http.StatusForbidden)
	visitors[stranger].get(list).want(t, http.StatusNotFound)

	mails, err := w.store.Emails(t.Context(), db.EmailFilter{Client: w.client.ID, Kinds: []string{db.EmailReminder}}, db.Page{})
	if err != nil || len(mails.Rows) != 1 {
		t.Fatal(len(mails.Rows), err)
	}
	one := list + "/" + mails.Rows[0].ID.String()
	page := visitors[owner].get(one).want(t, http.StatusOK)
	if !strings.Contains(page.body, `sandbox=""`) || !strings.Contains(page.body, one+"/contenido") || strings.Contains(page.body, "550 5.1.1") {
		t.Error("the page of a mail shows it in a frame without powers, and not what the server said")
	}
	if text := visitors[owner].get(one+"?ver=texto").want(t, http.StatusOK).body; !strings.Contains(text, "Saldo de la factura") || strings.Contains(text, "<iframe") {
		t.Error("the text part is missing")
	}
	frame := visitors[owner].get(one+"/contenido").want(t, http.StatusOK)
	if csp := frame.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.HasSuffix(csp, "sandbox") || strings.Contains(csp, "script-src") || frame.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the frame's policy is %q", csp)
	}
	visitors[stranger].get(one).want(t, http.StatusNotFound)
	visitors[stranger].get(strings.Replace(one, w.client.ID.String(), w.other.ID.String(), 1)).want(t, http.StatusNotFound)
	visitors[owner].get(list+"/"+id.Email(999).String()).want(t, http.StatusNotFound)

	staff := w.staff().get(strings.Replace(one, "/clientes/", "/consola/clientes/", 1)).want(t, http.StatusOK)
	if !strings.Contains(staff.body, "550 5.1.1 no such user") {
		t.Error("staff do not see what the mail server said")
	}
}
