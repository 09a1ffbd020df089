package email

import (
	"flag"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

var update = flag.Bool("update", false, "write the golden files")

var links = Links{BaseURL: "https://clientes.nube.example"}

func sample() reminder.Reminder {
	return reminder.Reminder{
		MessageID: "reminder.102.3.7@nube.example", To: "laura@aurora.example", Name: "Laura Méndez", Language: locale.Spanish,
		Client: "Comercializadora Aurora", InvoiceID: 102, Number: "F-102", IssueDate: "2026-04-15", DueDate: "2026-04-30",
		DaysLeft: 7, Total: 123456, Balance: 123456, Currency: money.MXN,
		Company: db.Company{Name: "Nube Ejemplo", LegalName: "Nube Ejemplo, S.A. de C.V.", TaxID: "NEJ260101AB1", Email: "cobranza@nube.example",
			Phonenumber: "55 5555 0100", Website: "https://nube.example", Address: "Av. Reforma 100, Piso 4\n06600 Ciudad de México",
			Signature: "Equipo de Cobranza\nNube Ejemplo", PaymentDetails: "Transferencia SPEI a Banco Ejemplo\nCLABE 000 000 00000000000 0",
			BrandColour: "#0f766e"},
	}
}

// several makes it a mail about three invoices.
func several(r *reminder.Reminder) {
	one := *r
	for i, number := range []string{"F-102", "F-103", "F-110"} {
		one.Number, one.InvoiceID, one.Link = number, id.Invoice(102+i), "https://clientes.nube.example/correo/factura/ejemplo-"+number
		r.Invoices = append(r.Invoices, one)
	}
	r.ClientID, r.Number, r.Total, r.Balance = 4, "F-102, F-103 y F-110", 3*r.Total, 3*r.Balance
}

// own gives it the words of a template and personal links.
func own(r *reminder.Reminder) {
	r.Link, r.Preferences = "https://clientes.nube.example/correo/factura/AQAx", "https://clientes.nube.example/correo/preferencias/AQBy"
	r.Words = &reminder.Words{Subject: "Factura " + r.Number + " <pendiente>", Body: "Estimada Laura & compañía:\n\nSu factura <b>" + r.Number + "</b> vence pronto.\nVéala aquí: " + r.Link +
		" cuando guste.\n \n\n" + r.Company.Signature}
}

// The words of a template stand in the designed letter: with its button, its table of all invoices and
// its way out. What the words say themselves is not said twice, and nothing that people wrote is markup.
func TestReminderOwnWords(t *testing.T) {
	r := sample()
	several(&r)
	own(&r)
	r.Words.Subject, r.Words.Body = "Uno\r\nBcc: x@y.example", r.Words.Body+"\n\nhttps://malo.example/ <script>alert(1)</script>\u202e"
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "Uno Bcc: x@y.example" {
		t.Errorf("subject %q", m.Subject)
	}
	for part, body := range map[string]string{"text": m.Text, "html": m.HTML} {
		for _, want := range []string{"F-102", "F-103", "F-110", "ejemplo-F-103", r.Link, r.Preferences, "CLABE 000", "Nube Ejemplo, S.A. de C.V.", "https://malo.example/"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s part lacks %q", part, want)
			}
		}
		if n := strings.Count(body, "Equipo de Cobranza"); n != 1 {
			t.Errorf("%s part: the signature stands %d times", part, n)
		}
		for _, not := range []string{"Buen día", "/clientes/contactos", "/clientes/cli_", "\u202e"} {
			if strings.Contains(body, not) {
				t.Errorf("%s part has %q", part, not)
			}
		}
	}
	parsed, err := html.Parse(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	for node := range parsed.Descendants() {
		switch {
		case node.Type != html.ElementNode:
		case node.Data == "script" || node.Data == "b":
			t.Errorf("<%s> in the HTML part", node.Data)
		case node.Data == "a" && strings.Contains(node.Attr[0].Val+node.Attr[1].Val, "malo.example"):
			t.Error("an address that somebody typed became a link")
		}
	}
	r.Words.Body = r.Company.PaymentDetails + "\n\nAtentamente"
	if m, err = Reminder(t.Context(), r, links); err != nil || strings.Count(m.Text, "CLABE 000") != 1 || !strings.Contains(m.Text, "Atentamente") {
		t.Errorf("payment details: %v\n%s", err, m.Text)
	}
}

// The address of the invoice and that of the place to pay become links with words of their own, and what an invoice
// bills is text.
func TestReminderLinksInWords(t *testing.T) {
	r := sample()
	r.Link = links.BaseURL + "/correo/factura/AbCd"
	r.PaymentLink = r.Link + "#pagar"
	r.Words = &reminder.Words{Subject: "Factura", Body: "Pague en " + r.PaymentLink + " o véala en " + r.Link + ".\n– <script>x</script> & Cía: $50.00\n" + r.Link + "#otro"}
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := html.Parse(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for node := range parsed.Descendants() {
		if node.Type == html.ElementNode && node.Data == "script" {
			t.Error("markup in the HTML part")
		}
		if node.Type == html.ElementNode && node.Data == "a" && node.FirstChild != nil {
			for _, attr := range node.Attr {
				if attr.Key == "href" {
					found[attr.Val] += strings.TrimSpace(node.FirstChild.Data) + "|"
				}
			}
		}
	}
	if found[r.PaymentLink] != "Pagar|" || !strings.HasPrefix(found[r.Link], "Ver factura|Ver factura|") {
		t.Errorf("links %q", found)
	}
	for _, want := range []string{"Pague en " + r.PaymentLink, "– <script>x</script> & Cía: $50.00"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the text part lacks %q: %s", want, m.Text)
		}
	}
	if !strings.Contains(m.HTML, "– &lt;script&gt;x&lt;/script&gt; &amp; Cía: $50.00") {
		t.Error("the lines are not text in the HTML part")
	}
}

// lateFee is one that the invoice will bear.
var lateFee = db.LateFee{Name: "Recargo por pago tardío", On: "2026-05-05", Total: 12346, Currency: money.MXN}

func TestReminderGolden(t *testing.T) {
	cases := map[string]func(*reminder.Reminder){
		"issued":    func(r *reminder.Reminder) { r.Issued, r.DaysLeft = true, 15 },
		"upcoming":  func(*reminder.Reminder) {},
		"tomorrow":  func(r *reminder.Reminder) { r.DaysLeft = 1 },
		"today":     func(r *reminder.Reminder) { r.DaysLeft = 0 },
		"yesterday": func(r *reminder.Reminder) { r.DaysLeft = -1 },
		"overdue":   func(r *reminder.Reminder) { r.DaysLeft, r.Balance = -5, 100000 },
		"several":   several,
		"several-issued": func(r *reminder.Reminder) {
			several(r)
			r.Issued, r.DaysLeft = true, 15
		},
		"several-overdue": func(r *reminder.Reminder) {
			several(r)
			r.DaysLeft, r.Balance = -1, r.Balance-50000
		},
		"late-fee": func(r *reminder.Reminder) { r.LateFees = []db.LateFee{lateFee} },
		"several-late-fee": func(r *reminder.Reminder) {
			several(r)
			fee := lateFee
			fee.Name += " (factura F-103)"
			r.LateFees = []db.LateFee{lateFee, fee}
		},
		"own": func(r *reminder.Reminder) { own(r) },
		"several-own": func(r *reminder.Reminder) {
			several(r)
			own(r)
		},
	}
	for name, change := range cases {
		for _, lang := range locale.Languages() {
			t.Run(name+" "+lang, func(t *testing.T) {
				r := sample()
				r.Language = lang
				change(&r)
				m, err := Reminder(t.Context(), r, links)
				if err != nil {
					t.Fatal(err)
				}
				keep(t, name, m)
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and look at the difference", file)
	}
}

func TestReminderMessage(t *testing.T) {
	m, err := Reminder(t.Context(), sample(), links)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "reminder.102.3.7@nube.example" || m.To != "laura@aurora.example" || m.ToName != "Laura Méndez" ||
		m.From != "cobranza@nube.example" || m.FromName != "Nube Ejemplo" || m.ReplyTo != m.From || m.Language != locale.Spanish {
		t.Errorf("message: %+v", m)
	}
	entries := regexp.MustCompile(`^<(mailto:[^>]+)>, <(https://clientes\.nube\.example/clientes/contactos)>$`).FindStringSubmatch(m.Unsubscribe)
	if entries == nil {
		t.Fatalf("List-Unsubscribe: %s", m.Unsubscribe)
	}
	u, err := url.Parse(entries[1])
	if err != nil || u.Opaque != "cobranza@nube.example" || !strings.Contains(u.Query().Get("subject"), "laura@aurora.example") {
		t.Errorf("mailto: %s, %v", entries[1], err)
	}
	for part, body := range map[string]string{"text": m.Text, "html": m.HTML} {
		for _, want := range []string{"F-102", "$1,234.56 MXN", "30 de abril de 2026", "Buen día, Laura Méndez:", "CLABE 000",
			"https://clientes.nube.example/clientes/facturas/inv_102", "https://clientes.nube.example/clientes/contactos",
			"Nube Ejemplo, S.A. de C.V.", "NEJ260101AB1"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s part lacks %q", part, want)
			}
		}
	}
	if strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "url(") || strings.Contains(m.HTML, "<script") {
		t.Error("the HTML part loads something")
	}
}

// The personal link opens the invoice without a login; the button and the text lead there.
func TestReminderLeadsToPersonalLink(t *testing.T) {
	r := sample()
	r.Link = "https://clientes.nube.example/correo/factura/AQAx"
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	for part, body := range map[string]string{"text": m.Text, "html": m.HTML} {
		if !strings.Contains(body, r.Link) || strings.Contains(body, "/clientes/facturas/") {
			t.Errorf("the %s part leads elsewhere:\n%s", part, body)
		}
	}
}

// What people typed is text, in every part of the mail.
func TestReminderHostileInput(t *testing.T) {
	r := sample()
	r.Name = "Eva\r\nBcc: victima@otra.example\x00 <script>alert(1)</script>"
	r.Client = `"><img src=x onerror=alert(2)>` + "\u202eartxe"
	r.Number = "F-1\r\nX-Injected: yes"
	r.Company.Name = "Nube\nEjemplo <b>"
	r.Company.Signature = "<iframe src=https://malo.example>\n{balance}"
	r.Company.PaymentDetails = "</p><script>x</script>"
	r.Company.BrandColour = `#fff"onload="x`
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"subject": m.Subject, "to": m.ToName, "from": m.FromName, "unsubscribe": m.Unsubscribe} {
		if strings.ContainsAny(value, "\r\n\x00\u202e") {
			t.Errorf("%s has control characters: %q", name, value)
		}
	}
	if strings.Contains(m.Text, "\r") || strings.Contains(m.Text, "\nBcc:") || strings.Contains(m.Text, "\u202e") {
		t.Errorf("text part:\n%s", m.Text)
	}
	parsed, err := html.Parse(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	for node := range parsed.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		switch node.Data {
		case "script", "img", "iframe":
			t.Errorf("<%s> in the HTML part", node.Data)
		}
		for _, a := range node.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s>", node.Data, a.Key)
			}
		}
	}
	if !strings.Contains(m.HTML, defaultColour) {
		t.Error("a malformed colour is not replaced")
	}
}

// A placeholder that a person typed is not filled in.
func TestReminderKeepsPlaceholdersOfNames(t *testing.T) {
	r := sample()
	r.Client = "Grupo {balance}"
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(m.Text), " "), "de Grupo {balance} vence") {
		t.Errorf("text:\n%s", m.Text)
	}
}

func TestReminderRefuses(t *testing.T) {
	cases := map[string]func(*reminder.Reminder, *Links){
		"no recipient":        func(r *reminder.Reminder, _ *Links) { r.To = "" },
		"two recipients":      func(r *reminder.Reminder, _ *Links) { r.To = "a@uno.example, b@dos.example" },
		"header in address":   func(r *reminder.Reminder, _ *Links) { r.To = "a@uno.example\r\nBcc: b@dos.example" },
		"no sender":           func(r *reminder.Reminder, _ *Links) { r.Company.Email = "cobranza" },
		"no base address":     func(_ *reminder.Reminder, l *Links) { l.BaseURL = "" },
		"script as address":   func(_ *reminder.Reminder, l *Links) { l.BaseURL = "javascript:alert(1)" },
		"header in id":        func(r *reminder.Reminder, _ *Links) { r.MessageID = "a@b>\r\nBcc: c@d" },
		"id without a host":   func(r *reminder.Reminder, _ *Links) { r.MessageID = "reminder" },
		"id with two hosts":   func(r *reminder.Reminder, _ *Links) { r.MessageID = "a@b@c" },
		"personal link":       func(r *reminder.Reminder, _ *Links) { r.Link = "javascript:alert(1)" },
		"preferences":         func(r *reminder.Reminder, _ *Links) { r.Preferences = "/correo/preferencias/x" },
		"id outside of ASCII": func(r *reminder.Reminder, _ *Links) { r.MessageID = "a@ñ.example" },
	}
	for name, change := range cases {
		r, l := sample(), links
		change(&r, &l)
		if m, err := Reminder(t.Context(), r, l); err == nil || m.To != "" {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReminderDefaults(t *testing.T) {
	r := sample()
	r.Language, r.Name, r.Company.Signature, r.Company.PaymentDetails, r.Company.LegalName = "fr", " ", "", "", ""
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	if m.Language != locale.Spanish || !strings.HasPrefix(m.Text, "Buen día:\n") || strings.Contains(m.HTML, "Cómo pagar") {
		t.Errorf("defaults: %s\n%s", m.Language, m.Text)
	}
}

// The headers fit every mail program: the address parses as one mailbox and lines of the text part
// are short enough not to be broken anywhere else.
func TestReminderTextIsWrapped(t *testing.T) {
	r := sample()
	r.Client = strings.Repeat("Comercializadora ", 20)
	m, err := Reminder(t.Context(), r, links)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(m.Text) {
		n := utf8.RuneCountInString(strings.TrimRight(text, "\n"))
		if n > width && !strings.Contains(text, "https://") && !strings.HasPrefix(text, "  ") {
			t.Errorf("%d characters: %q", n, text)
		}
	}
	address := (&mail.Address{Name: m.ToName, Address: m.To}).String()
	if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != r.To {
		t.Errorf("%s: %v", address, err)
	}
}

func TestReadableOn(t *testing.T) {
	for colour, want := range map[string]string{"#0f766e": "#ffffff", "#000000": "#ffffff", "#ffffff": "#111827", "#ffd400": "#111827", "#7c3aed": "#ffffff", "#b91c1c": "#ffffff"} {
		if got := readableOn(colour); got != want {
			t.Errorf("on %s: %s, want %s", colour, got, want)
		}
	}
	for _, malformed := range []string{"", "red", "#fff", "#12345g", "#1234567", "+123456"} {
		if got := brandColour(malformed); got != defaultColour {
			t.Errorf("%q: %s", malformed, got)
		}
	}
}

func TestLongDate(t *testing.T) {
	for day, want := range map[date.Date][2]string{
		"2026-01-01": {"1 de enero de 2026", "January 1, 2026"}, "2026-12-31": {"31 de diciembre de 2026", "December 31, 2026"}, "": {"", ""},
	} {
		if es, en := longDate(locale.Spanish, day), longDate(locale.English, day); es != want[0] || en != want[1] {
			t.Errorf("%s: %q, %q", day, es, en)
		}
	}
}
