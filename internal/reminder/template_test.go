package reminder_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

func TestTemplates(t *testing.T) {
	o := newOutside(t)
	in := reminder.TemplateInput{Anchor: db.AnchorDue, Days: -1, Language: "es-MX", Subject: "Factura {{invoice.number}}",
		Body: "Hola {{ contact.name }}:\n\n{{#if invoice.days_left}}Faltan {{invoice.days_left}} días.{{/if}}{{#if invoice.days_late}}Tarde.{{/if}} Saldo {{invoice.balance}} <b>"}
	preview, err := o.rules.PreviewTemplate(o.system(), in, o.invoice.ID)
	fail(o.world, err)
	if !strings.Contains(preview.Text, "Faltan 1 días. Saldo $116.00") || strings.Contains(preview.Text, "Tarde") {
		t.Fatalf("%q", preview.Text)
	}
	_, err = o.rules.SaveTemplate(o.system(), in)
	fail(o.world, err)
	o.rules.LinkURL = func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token }
	o.send(o.take())
	m := o.mailbox.Messages()[0]
	if m.Subject != "Factura "+o.invoice.Number || !strings.Contains(m.Text, "Faltan 1 días") {
		t.Fatalf("%q %q", m.Subject, m.Text)
	}
	if m.Headers.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Fatalf("%v", m.Headers)
	}
	_, token, _ := strings.Cut(strings.Trim(m.Headers.Get("List-Unsubscribe"), "<> "), "/preferences/")
	if _, err := o.rules.SetReminderPreference(anonymous(), token, false); err != nil {
		t.Fatalf("one click: %v (%s)", err, m.Headers.Get("List-Unsubscribe"))
	}
	fail(o.world, o.rules.ResetTemplate(o.system(), in.Anchor, in.Days, in.Language))
	versions, err := o.rules.Templates(o.system(), in.Anchor, in.Days, in.Language)
	if err != nil || len(versions) != 2 || versions[0].Body != "" || versions[1].Body != in.Body {
		t.Fatalf("%+v, %v", versions, err)
	}
}

// A preview shows the mail of the step's day, whenever the invoice is due; no number of days is blank, and
// none of them makes a condition hold.
func TestTemplateDays(t *testing.T) {
	o := newOutside(t)
	for days, want := range map[int]string{5: "atraso 5, faltan 0. Tarde.", 0: "atraso 0, faltan 0. ", -7: "atraso 0, faltan 7. Pronto."} {
		preview, err := o.rules.PreviewTemplate(o.system(), reminder.TemplateInput{Anchor: db.AnchorDue, Days: days, Language: "es-MX", Subject: "x",
			Body: "atraso {{invoice.days_late}}, faltan {{invoice.days_left}}. {{#if invoice.days_late}}Tarde.{{/if}}{{#if invoice.days_left}}Pronto.{{/if}}|"}, o.invoice.ID)
		if err != nil || !strings.HasPrefix(preview.Text, want+"|") {
			t.Errorf("%d days: %q, want %q, %v", days, preview.Text, want, err)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	o := newOutside(t)
	for _, c := range []struct {
		body, code   string
		line, column int
	}{
		{"Hola\n\n  {{client.nme}}", "TEMPLATE_UNKNOWN_VALUE", 3, 3},
		{"{{#if invoice.nada}}x{{/if}}", "TEMPLATE_UNKNOWN_VALUE", 1, 1},
		{"ñá {{client.name", "TEMPLATE_SYNTAX", 1, 4},
		{"{{#if invoice.number}}x", "TEMPLATE_SYNTAX", 1, 1},
		{"x{{/if}}", "TEMPLATE_SYNTAX", 1, 2},
		{"{{}}", "TEMPLATE_UNKNOWN_VALUE", 1, 1},
		{"{{range .}}", "TEMPLATE_UNKNOWN_VALUE", 1, 1},
	} {
		_, err := o.rules.SaveTemplate(o.system(), reminder.TemplateInput{Anchor: db.AnchorDue, Days: 1, Language: "es-MX", Subject: "x", Body: c.body})
		f, ok := fault.As(err)
		if !ok || len(f.Fields) != 1 || f.Fields[0].Code != c.code || f.Fields[0].Args["line"] != c.line || f.Fields[0].Args["column"] != c.column {
			t.Errorf("%q: %v", c.body, err)
		}
	}
}

// A value that the company has not filled in is an error at save, unless a condition asks for it; when it becomes
// empty later its line is left out. Nothing in a mail is ever blank.
func TestTemplateBlanks(t *testing.T) {
	o := newOutside(t)
	set := func(phonenumber, payment, signature string) {
		company, err := o.store.Company(t.Context())
		fail(o.world, err)
		company.Phonenumber, company.PaymentDetails, company.Signature = phonenumber, payment, signature
		fail(o.world, o.store.SaveCompany(t.Context(), &company))
	}
	in := reminder.TemplateInput{Anchor: db.AnchorDue, Days: -1, Language: "es-MX", Subject: "Factura {{invoice.number}}"}
	save := func(body string) error {
		in.Body = body
		_, err := o.rules.SaveTemplate(o.system(), in)
		return err
	}
	set("", "", "")
	for body, wrong := range map[string]string{
		"Llame al {{company.phonenumber}}":                                                       "company.phonenumber",
		"{{#if invoice.days_left}}{{company.payment}}{{/if}}":                                    "company.payment",
		"{{#if company.phonenumber}}Llame al {{company.phonenumber}}{{/if}} {{company.payment}}": "company.payment",
		"{{#if company.phonenumber}}Llame al {{company.phonenumber}}{{/if}}{{company.email}}":    "",
		"{{signature}}": "",
	} {
		f, refused := fault.As(save(body))
		if refused != (wrong != "") || refused && (len(f.Fields) != 1 || f.Fields[0].Code != "TEMPLATE_EMPTY_VALUE" || f.Fields[0].Args["name"] != wrong || f.Fields[0].Path != "body") {
			t.Errorf("%q: %v, want %q", body, f, wrong)
		}
	}
	set("55 5555 0100", "CLABE 1", "Cobranza")
	fail(o.world, save("Saldo {{invoice.balance}}.\nLlame al {{company.phonenumber}}.\nPague a:\n{{company.payment}}\n\nAtentamente,\n{{signature}}"))
	set("", " ", "")
	o.send(o.take())
	company, err := o.store.Company(t.Context())
	fail(o.world, err)
	if got, want := strings.TrimSpace(o.mailbox.Messages()[0].Text), "Saldo $116.00 MXN.\nPague a:\n\nAtentamente,\n"+company.Name; strings.ReplaceAll(got, "\r\n", "\n") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The values are those that the product promises: of the client, the contact, the invoice (number, dates, totals,
// balance, lines, link, payment link), the company and the signature. Each is one more line here.
func TestMergeValues(t *testing.T) {
	promised := []string{
		"client.name",
		"company.email", "company.name", "company.payment", "company.phonenumber",
		"contact.email", "contact.name",
		"invoice.balance", "invoice.currency", "invoice.days_late", "invoice.days_left", "invoice.due_date", "invoice.issue_date",
		"invoice.lines", "invoice.link", "invoice.number", "invoice.payment_link", "invoice.total",
		"signature",
	}
	if got := reminder.MergeValues(); !slices.Equal(got, promised) {
		t.Errorf("%q, want %q", got, promised)
	}
	for _, name := range promised {
		for _, language := range locale.Languages() {
			if text := locale.T(language, "reminder.value."+name); text == "" || strings.Contains(text, "value.") {
				t.Errorf("%s: the editor says %q of %s", language, text, name)
			}
		}
	}
}

// Every value has something to say of an invoice with everything, in the preview and in the mail.
func TestTemplateSaysEverything(t *testing.T) {
	o := newOutside(t)
	o.rules.LinkURL = func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token }
	company, err := o.store.Company(t.Context())
	fail(o.world, err)
	company.Phonenumber, company.PaymentDetails, company.Signature = "55 5555 0100", "CLABE 012180001234567891", "Cobranza\nHospedaje Ejemplo"
	fail(o.world, o.store.SaveCompany(t.Context(), &company))
	raw, err := sql.Open("pgx", o.address)
	fail(o.world, err)
	defer func() { _ = raw.Close() }()
	raw.SetMaxOpenConns(1)
	exec := func(statement string, args ...any) {
		_, err := raw.ExecContext(t.Context(), statement, args...)
		fail(o.world, err)
	}
	exec("SET session_replication_role = replica") // lines of an issued invoice do not change otherwise
	exec("DELETE FROM invoice_line WHERE invoice_id = $1", o.invoice.ID)
	exec(`INSERT INTO invoice_line (invoice_id, position, description, quantity, unit_price, discount, amount, treatment, kind) VALUES
		($1, 1, 'Hospedaje <b>anual</b>' || chr(10) || '{{signature}}', 2, 30, 1000, 6000, 'iva16', 'hosting'), ($1, 2, 'Dominio', 1, 50, 0, 5000, 'iva16', 'domain')`, o.invoice.ID)
	body := ""
	for _, name := range reminder.MergeValues() {
		body += name + "=[{{" + name + "}}]\n"
	}
	in := reminder.TemplateInput{Anchor: db.AnchorDue, Days: -1, Language: "es-MX", Subject: "Factura {{invoice.number}}", Body: body}
	preview, err := o.rules.PreviewTemplate(o.system(), in, o.invoice.ID)
	fail(o.world, err)
	_, err = o.rules.SaveTemplate(o.system(), in)
	fail(o.world, err)
	o.send(o.take())
	for where, text := range map[string]string{"the preview": preview.Text, "the mail": strings.ReplaceAll(o.mailbox.Messages()[0].Text, "\r\n", "\n")} {
		for _, name := range reminder.MergeValues() {
			if _, value, found := strings.Cut(text, name+"=["); !found || strings.TrimSpace(strings.SplitN(value, "]", 2)[0]) == "" {
				t.Errorf("%s has no %s: %q", where, name, text)
			}
		}
		if !strings.Contains(text, "invoice.lines=[– 2 × Hospedaje <b>anual</b> {{signature}}: $50.00 MXN\n– Dominio: $50.00 MXN]") {
			t.Errorf("%s: the lines: %q", where, text)
		}
		_, link, _ := strings.Cut(text, "invoice.link=[")
		link, _, _ = strings.Cut(link, "]")
		if !strings.Contains(text, "invoice.payment_link=["+link+"#pagar]") || !strings.HasPrefix(link, "https://clientes.example/invoice/") {
			t.Errorf("%s: the links: %q", where, text)
		}
	}
}
