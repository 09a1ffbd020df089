package email

import (
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/locale"
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
			"/clientes/entrar":            account.AccessNotice{Letter: head, Client: evil, GivenBy: evil},
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
