package email

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Every notice, in both languages: it reaches its recipient, leads to one place, and what people typed
// stays text.
func TestNotices(t *testing.T) {
	links := Links{BaseURL: "https://clientes.hospedaje.example"}
	at := time.Date(2026, 4, 30, 20, 5, 0, 0, time.UTC)
	evil := `Ana <script>alert(1)</script>` + "\r\nBcc: x@y.example"
	for _, lang := range []string{locale.Spanish, locale.English} {
		head := account.Letter{MessageID: "account.invitation.1@hospedaje.example", To: "ana@persona.example", Name: evil, Language: lang,
			Company: db.Company{Name: "Hospedaje Ejemplo", Email: "cobranza@hospedaje.example", BrandColour: "#0f766e", Timezone: "America/Mexico_City"}}
		for want, n := range map[string]account.Notice{
			"/clientes/invitacion/tok-en": account.InvitationNotice{Letter: head, Client: evil, InvitedBy: evil, Token: "tok-en", ExpiresAt: at},
			"/clientes/contrasena/tok-en": account.ResetNotice{Letter: head, Token: "tok-en", ExpiresAt: at},
			"/clientes/contrasena/tok-do": account.ResetNotice{Letter: head, Token: "tok-do", ExpiresAt: at, Client: "Café <Uno>"},
			"/consola/contrasena/tok-en":  account.ResetNotice{Letter: head, Token: "tok-en", ExpiresAt: at, Staff: true},
			"/consola/contrasena/tok-in":  account.ResetNotice{Letter: head, Token: "tok-in", ExpiresAt: at, Staff: true, InvitedBy: evil},
			"/clientes/cli_3/titularidad": account.HandoverNotice{Letter: head, Client: evil, OfferedBy: evil, ClientID: 3, ExpiresAt: at},
			"/clientes/seguridad":         account.AlertNotice{Letter: head, Address: "192.0.2.1", Device: evil, At: at},
			"/consola/fiscal/emisor":      fiscal.ExpiryNotice{Letter: head, NoCertificado: "30001000000500003416", Days: 30, Until: "2026-05-30"},
			"/consola/fiscal/pendientes":  fiscal.ReceiptsNotice{Letter: head, Count: 3, Due: "2026-05-05"},
			"/consola/informes":           reminder.LedgerNotice{Letter: head, Gaps: []db.LedgerGap{{What: "invoice", Subject: evil, Stored: 700}}},
			"/clientes/entrar":            account.AccessNotice{Letter: head, Client: evil, GivenBy: evil},
			"/clientes/cli_3/contactos":   reminder.MailNotice{Letter: head, What: "bounced", Email: evil, Client: evil, Detail: evil, Of: 3},
			"/consola/clientes/cli_3":     reminder.MailNotice{Letter: head, What: "bounced", Email: evil, Client: evil, Detail: evil, Of: 3, Staff: true},
			"/clientes/cli_4/contactos":   reminder.MailNotice{Letter: head, What: "unsubscribed", Email: evil, Client: evil, Of: 4},
			"/consola/clientes/cli_4":     reminder.MailNotice{Letter: head, What: "unsubscribed", Email: evil, Client: evil, Of: 4, Staff: true},
			"/correo/confirmar/tok-en":    reminder.VerifyNotice{Letter: head, Client: evil, Token: "tok-en", URL: links.BaseURL + "/correo/confirmar/tok-en"},
			"/consola/pasarela/gev_1":     reminder.GatewayNotice{Letter: head, Client: evil, Amount: "$1.00 MXN", Reference: evil, Outcome: "differs", URL: links.BaseURL + "/consola/pasarela/gev_1"},
		} {
			m, err := Notice(t.Context(), n, links)
			if err != nil {
				t.Errorf("%T: %v", n, err)
				continue
			}
			if m.To != "ana@persona.example" || m.ID != head.MessageID || m.Language != lang || m.Subject == "" || strings.ContainsAny(m.Subject+m.ToName, "\r\n") {
				t.Errorf("%T: %+v", n, m)
			}
			if !strings.Contains(m.Text, links.BaseURL+want) || !strings.Contains(m.HTML, `href="`+links.BaseURL+want+`"`) {
				t.Errorf("%T does not lead to %s", n, want)
			}
			if kept := m.Inert(); strings.Contains(kept.Text+kept.HTML, "tok-") || strings.Contains(want, "tok-") == (kept.Text == m.Text) {
				t.Errorf("%T: what is kept of it gives access", n)
			}
			if strings.Contains(m.HTML, "<script>") {
				t.Errorf("%T: what people typed is more than text", n)
			}
			if strings.ContainsAny(m.Subject+m.Text, "{}") || strings.Contains(m.Text, "notice.") {
				t.Errorf("%T: a placeholder stayed: %s %s", n, m.Subject, m.Text)
			}
		}
	}
}

func TestNoticeRefuses(t *testing.T) {
	good := account.Letter{MessageID: "a@b.example", To: "ana@persona.example", Company: db.Company{Email: "c@d.example"}}
	for name, change := range map[string]func(l *account.Letter){
		"recipient":  func(l *account.Letter) { l.To = "ana@persona.example\r\nBcc: x@y.example" },
		"company":    func(l *account.Letter) { l.Company.Email = "" },
		"message id": func(l *account.Letter) { l.MessageID = "x" },
	} {
		l := good
		change(&l)
		if _, err := Notice(t.Context(), account.ResetNotice{Letter: l}, Links{BaseURL: "https://a.example"}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// What every mail but the reminders looks like, in both languages and both parts.
func TestNoticeGolden(t *testing.T) {
	at := time.Date(2026, 4, 30, 20, 5, 0, 0, time.UTC)
	for _, lang := range locale.Languages() {
		company := sample().Company
		company.Timezone = "America/Mexico_City"
		head := account.Letter{MessageID: "notice.1@nube.example", To: "laura@aurora.example", Name: "Laura Méndez", Language: lang, Company: company}
		const client, person = "Comercializadora Aurora", "Javier Ortega"
		notices := map[string]account.Notice{
			"invitation":         account.InvitationNotice{Letter: head, Client: client, InvitedBy: person, Token: "AbCdEf0123456789", ExpiresAt: at},
			"reset":              account.ResetNotice{Letter: head, Token: "AbCdEf0123456789", ExpiresAt: at},
			"reset-client":       account.ResetNotice{Letter: head, Token: "AbCdEf0123456789", ExpiresAt: at, Client: client},
			"staff":              account.ResetNotice{Letter: head, Token: "AbCdEf0123456789", ExpiresAt: at, Staff: true, InvitedBy: person},
			"handover":           account.HandoverNotice{Letter: head, Client: client, OfferedBy: person, ClientID: 4, ExpiresAt: at},
			"alert":              account.AlertNotice{Letter: head, Address: "192.0.2.1", Device: "Firefox, Windows", At: at},
			"access":             account.AccessNotice{Letter: head, Client: client, GivenBy: person},
			"csd":                fiscal.ExpiryNotice{Letter: head, NoCertificado: "30001000000500003416", Days: 30, Until: "2026-05-30"},
			"receipts":           fiscal.ReceiptsNotice{Letter: head, Count: 3, Due: "2026-05-05"},
			"bounced-owner":      reminder.MailNotice{Letter: head, What: "bounced", Email: "pagos@aurora.example", Client: client, Detail: "5.1.1 550 no such user here", Of: 4},
			"bounced-staff":      reminder.MailNotice{Letter: head, What: "bounced", Email: "pagos@aurora.example", Client: client, Detail: "5.1.1 550 no such user here", Of: 4, Staff: true},
			"unsubscribed-owner": reminder.MailNotice{Letter: head, What: "unsubscribed", Email: "pagos@aurora.example", Client: client, Of: 4},
			"unsubscribed-staff": reminder.MailNotice{Letter: head, What: "unsubscribed", Email: "pagos@aurora.example", Client: client, Of: 4, Staff: true},
			"verify":             reminder.VerifyNotice{Letter: head, Client: client, Token: "AbCdEf0123456789", URL: links.BaseURL + "/correo/confirmar/AbCdEf0123456789"},
			"ledger": reminder.LedgerNotice{Letter: head, Gaps: []db.LedgerGap{{What: "invoice", Subject: "F-7", Stored: 11600, Expected: 5800}, {What: "invoice_status", Subject: "F-8", Stored: 1},
				{What: "credit", Subject: "4 MXN", Stored: 100, Expected: 200}, {What: "payment", Subject: "9", Stored: 100}, {What: "credit_note", Subject: "NC-1", Stored: 100}, {What: "refund", Subject: "2", Stored: 100},
				{What: "numbering", Subject: "F", Stored: 9, Expected: 8}}},
			"gateway": reminder.GatewayNotice{Letter: head, Client: client, Amount: "$1,500.00 MXN", Reference: "ch_1", Outcome: "differs", URL: links.BaseURL + "/consola/pasarela/gev_1"},
		}
		for name, notice := range notices {
			m, err := Notice(t.Context(), notice, links)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			keep(t, "notice-"+name, m)
		}
		document := fiscal.Letter{Event: db.MailStamped, MessageID: "cfdi.1.2@nube.example", To: head.To, Name: head.Name, Language: lang, Kind: db.CFDIIngreso, WithPDF: true, Sandbox: true,
			UUID: "6128396f-c09b-4ec6-8699-43c5f7e3b230", Number: "A 7", Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", Total: "$2,143.68", Moneda: "MXN", InvoiceID: 3, Company: company}
		changes := map[string]func(*fiscal.Letter){
			"stamped": func(*fiscal.Letter) {},
			"cancel-requested": func(l *fiscal.Letter) {
				l.Event, l.Deadline, l.Motivo, l.Sandbox = db.MailCancelRequested, "2026-11-30", "02", false
			},
			"cancelled": func(l *fiscal.Letter) {
				l.Event, l.Motivo, l.Replacement, l.Sandbox = db.MailCancelled, "01", "2f1b0d4e-8f0c-4c77-9d43-2b7cf4bb21d1", false
			},
		}
		for name, change := range changes {
			l := document
			change(&l)
			m, err := FiscalDocument(t.Context(), l, links)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			keep(t, "fiscal-"+name, m)
		}
	}
}

// keep compares both parts of a mail with the golden files of the name.
func keep(t *testing.T, name string, m mail.Message) {
	t.Helper()
	file := filepath.Join("testdata", name+"."+m.Language)
	golden(t, file+".txt.golden", "Subject: "+m.Subject+"\n\n"+m.Text)
	golden(t, file+".html.golden", m.HTML)
}
