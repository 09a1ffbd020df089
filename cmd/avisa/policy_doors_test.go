package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// post sends a form as a browser does and returns the page that it leads to.
func (s *site) post(browser *http.Client, path string, form url.Values) (status int, page string) {
	s.Helper()
	response, err := browser.PostForm(s.base+path, form)
	s.must(err)
	return s.read(response)
}

// visit opens an address without signing in, or in a browser.
func (s *site) visit(browser *http.Client, address string) (status int, page string) {
	s.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.base + address
	}
	response, err := browser.Get(address)
	s.must(err)
	return s.read(response)
}

func (s *site) read(response *http.Response) (int, string) {
	s.Helper()
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	s.must(err)
	return response.StatusCode, string(body)
}

// savePolicy sets what the mails of the case's client carry, through the console's form or the API.
func (s *site) savePolicy(door string, pdf, xml, consolidate bool) {
	s.Helper()
	if door == "console" {
		form := url.Values{"cliente": {s.client.ID.String()}, "name": {"Con documentos"}, "sendFrom": {"00:00"}, "sendUntil": {"23:59"}, "catchUpDays": {"3"}, "days": {"1"}, "when": {"before"}}
		for name, on := range map[string]bool{"attachPdf": pdf, "attachXml": xml, "consolidate": consolidate} {
			if on {
				form.Set(name, "on")
			}
		}
		if status, page := s.post(s.staff, "/consola/recordatorios/politicas/editar?cliente="+s.client.ID.String(), form); status != http.StatusOK {
			s.Fatalf("%d: %s", status, page)
		}
		return
	}
	var out struct {
		SaveReminderPolicy struct {
			Policy     struct{ AttachPDF, AttachXML, Consolidate bool }
			UserErrors userErrors
		}
	}
	s.must(apiClient{base: s.base}.do(s.Context(), s.token, `mutation ($in: SaveReminderPolicyInput!) { saveReminderPolicy(input: $in) { policy { attachPdf attachXml consolidate } userErrors { field code message } } }`,
		map[string]any{"in": map[string]any{"clientId": s.client.ID.String(), "name": "Con documentos", "sendFrom": "00:00", "sendUntil": "23:59", "attachPdf": pdf, "attachXml": xml, "consolidate": consolidate,
			"steps": []map[string]any{{"anchor": "DUE", "days": -1}}}}, &out))
	s.must(out.SaveReminderPolicy.UserErrors.err())
	if got := out.SaveReminderPolicy.Policy; got.AttachPDF != pdf || got.AttachXML != xml || got.Consolidate != consolidate {
		s.Fatalf("saved %+v", got)
	}
}

// paper makes the PDF of an invoice, and its stamped document.
func (s *site) paper(row db.Invoice) (xml []byte) {
	s.Helper()
	s.must(s.billing.RenderPDF(s.system(), billing.RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}))
	profile := db.FiscalProfile{ClientID: s.client.ID, Rfc: "XAXX010101000", Nombre: "CLIENTE", DomicilioFiscalReceptor: "06600", RegimenFiscalReceptor: "616", UsoCFDI: "S01"}
	s.must(s.store.SaveFiscalProfile(s.Context(), &profile))
	xml = fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<cfdi:Comprobante Folio=\"%s\" Nombre=\"Ñandú\"/>\n", row.Number)
	s.must(s.store.AddCFDI(s.Context(), &db.CFDI{Kind: db.CFDIIngreso, ClientID: s.client.ID, InvoiceID: row.ID, ProfileID: profile.ID, Status: db.CFDIStamped,
		UUID: fmt.Sprintf("5a1f7d3e-0000-4000-8000-%012d", row.ID), XML: xml, XMLSHA256: []byte{byte(row.ID)}}))
	return xml
}

// mails are those that the mail server has for an address.
func (s *site) mails(to string) []devstack.Message {
	return slices.DeleteFunc(s.mailbox.Messages(), func(m devstack.Message) bool { return !slices.Contains(m.To, to) })
}

var personalLink = regexp.MustCompile(`https?://[^\s"<>]+/correo/[a-z]+/[A-Za-z0-9_-]+`)

// link is the personal link of a kind in a mail.
func (s *site) link(m devstack.Message, kind string) string {
	s.Helper()
	for _, found := range personalLink.FindAllString(m.Text, -1) {
		if strings.Contains(found, "/correo/"+kind+"/") {
			return found
		}
	}
	s.Fatalf("no link to /correo/%s/ in %q", kind, m.Text)
	return ""
}

// What staff set in the console's form or the API is in the mail as the mail server has it: the documents of
// every invoice byte for byte, one mail for a day, links that open and can be revoked, the late fee with its tax.
func TestPolicyThroughTheDoors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var fee struct {
		SaveLateFeeRule struct{ UserErrors userErrors }
	}
	s.must(apiClient{base: s.base}.do(t.Context(), s.token, `mutation { saveLateFeeRule(input: {name: "Recargo por pago tardío", percent: "5", graceDays: 2}) { userErrors { field code message } } }`, nil, &fee))
	s.must(fee.SaveLateFeeRule.UserErrors.err())
	anybody := &http.Client{}
	n := 100
	for _, door := range []string{"console", "API"} {
		for _, c := range []struct{ pdf, xml, consolidate bool }{{false, false, false}, {true, false, false}, {false, true, false}, {true, true, true}, {false, false, true}} {
			n++
			t.Run(fmt.Sprintf("%s, PDF %t, XML %t, one mail %t", door, c.pdf, c.xml, c.consolidate), func(t *testing.T) {
				s := s.begin(t, n)
				second := s.owe(-18, 1)
				files := map[string][]byte{s.invoice.Number + ".xml": s.paper(s.invoice), second.Number + ".xml": s.paper(second)}
				s.savePolicy(door, c.pdf, c.xml, c.consolidate)
				s.exec("UPDATE reminder_step SET created_at = now() - interval '40 days'")
				s.plan()
				s.work()
				mails := s.mails(s.contact.Email)
				want := 2
				if c.consolidate {
					want = 1
				}
				if len(mails) != want {
					t.Fatalf("%d mails, want %d", len(mails), want)
				}
				documents := 0
				for _, m := range mails {
					for _, a := range m.Attachments {
						documents++
						switch {
						case strings.HasSuffix(a.Name, ".pdf"):
							if !c.pdf || !bytes.HasPrefix(a.Data, []byte("%PDF-")) || a.ContentType != "application/pdf" {
								t.Errorf("attached %s, %s", a.Name, a.ContentType)
							}
						case !c.xml || !bytes.Equal(a.Data, files[a.Name]):
							t.Errorf("attached %s: %q, want %q", a.Name, a.Data, files[a.Name])
						}
					}
					// 5 % of 100.00 with 16 % of IVA.
					for name, body := range map[string]string{"text": m.Text, "HTML": m.HTML} {
						if !strings.Contains(body, "$5.80") || strings.Contains(body, "$5.00") || !strings.Contains(body, "Recargo por pago tardío") {
							t.Errorf("the %s does not announce the late fee of $5.80: %s", name, body)
						}
					}
					if m.Text == "" || m.HTML == "" || strings.Contains(m.HTML, "<script") {
						t.Error("no text, or no HTML")
					}
				}
				if want := map[bool]int{true: 2}[c.pdf] + map[bool]int{true: 2}[c.xml]; documents != want {
					t.Errorf("%d documents, want %d", documents, want)
				}
				kind := map[bool]string{true: "facturas", false: "factura"}[c.consolidate]
				first := slices.IndexFunc(mails, func(m devstack.Message) bool {
					return strings.HasPrefix(m.MessageID, fmt.Sprintf("reminder.%d.", s.invoice.ID))
				})
				if first < 0 {
					if first = 0; !c.consolidate {
						t.Fatal("no mail about the invoice")
					}
				}
				open := s.link(mails[first], kind)
				status, page := s.visit(anybody, open)
				if status != http.StatusOK || !strings.Contains(page, s.invoice.Number) || strings.Contains(page, second.Number) != c.consolidate {
					t.Fatalf("the link opens %d %s", status, page)
				}
				if status, page = s.visit(anybody, s.link(mails[first], "preferencias")); status != http.StatusOK || !strings.Contains(page, s.contact.Email) {
					t.Fatalf("the preferences: %d", status)
				}
				s.revokes(door, mails[first], open, second)
			})
		}
	}
}

// revokes ends the links of the case's invoice, then those of the contact, by the owner's page, the console
// or the API, and looks who is refused and what the log says.
func (s *site) revokes(door string, m devstack.Message, open string, second db.Invoice) {
	s.Helper()
	anybody := &http.Client{}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // links and revocations count in seconds
	switch door {
	case "console":
		s.post(s.staff, "/consola/facturas/"+s.invoice.ID.String()+"/enlaces", nil)
	default:
		s.post(s.owner, "/clientes/"+s.client.ID.String()+"/facturas/"+s.invoice.ID.String()+"/enlaces", nil)
	}
	status, page := s.visit(anybody, open)
	if strings.Contains(open, "/facturas/") {
		if status != http.StatusOK || strings.Contains(page, s.invoice.Number) || !strings.Contains(page, second.Number) {
			s.Fatalf("the link of a mail about two, one of them revoked: %d %s", status, page)
		}
	} else if status != http.StatusNotFound || !strings.Contains(page, "ya no es válido") && !strings.Contains(page, "ya venció") {
		s.Fatalf("a revoked link opens %d %s", status, page)
	}
	for path, browser := range map[string]*http.Client{"/consola/facturas/" + s.invoice.ID.String(): s.staff, "/clientes/" + s.client.ID.String() + "/facturas/" + s.invoice.ID.String(): s.owner} {
		if _, page := s.visit(browser, path); !strings.Contains(page, "Anulados por última vez") {
			s.Errorf("%s does not say that the links were revoked", path)
		}
	}
	var out struct {
		RevokeLinks struct{ UserErrors userErrors }
	}
	if door == "console" {
		s.post(s.owner, "/clientes/"+s.client.ID.String()+"/contactos/"+s.contact.ID.String()+"/enlaces", nil)
	} else {
		s.must(apiClient{base: s.base}.do(s.Context(), s.token, `mutation ($id: ID!) { revokeLinks(input: {contactId: $id}) { userErrors { field code message } } }`, map[string]any{"id": s.contact.ID.String()}, &out))
		s.must(out.RevokeLinks.UserErrors.err())
	}
	if status, _ := s.visit(anybody, open); status != http.StatusNotFound {
		s.Fatalf("the links of the contact were revoked and one opens: %d", status)
	}
	if status, _ := s.visit(anybody, s.link(m, "preferencias")); status != http.StatusOK {
		s.Fatalf("unsubscribing no longer works: %d", status)
	}
	log, err := s.store.AuditLog(s.Context(), db.AuditFilter{Reach: access.Reach{All: true}, Client: s.client.ID}, db.Page{First: 100})
	s.must(err)
	objects := []string{}
	for _, row := range log.Rows {
		if row.Verb == "maillink.revoke" {
			objects = append(objects, row.Object)
		}
	}
	if slices.Sort(objects); !slices.Equal(objects, []string{s.contact.ID.String(), s.invoice.ID.String()}) {
		s.Errorf("the log has %q", objects)
	}
}

// A run over a company with many invoices is answered at once by both doors, which then say how far it is.
func TestLongRunThroughTheDoors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dbtest.ManyDue(t, s.dsn, 5001)
	_, page := s.post(s.staff, "/consola/recordatorios/enviar", nil)
	if !strings.Contains(page, "Se están planeando los recordatorios") {
		t.Fatalf("the console does not say that the run goes on: %s", page)
	}
	var out struct {
		SendReminders struct {
			Planned    *int
			Run        struct{ ID, AskedBy string }
			UserErrors userErrors
		}
	}
	s.must(apiClient{base: s.base}.do(t.Context(), s.token, `mutation { sendReminders(input: {immediate: true}) { planned run { id askedBy } userErrors { field code message } } }`, nil, &out))
	run, err := id.ParseRun(out.SendReminders.Run.ID)
	if err != nil || out.SendReminders.Planned != nil || out.SendReminders.Run.AskedBy != "Personal" {
		t.Fatalf("%+v, %v", out, err)
	}
	s.must(s.reminder.FinishRun(s.system(), reminder.RunJob{RunID: run}))
	var done struct {
		ReminderRun struct {
			Planned    int
			FinishedAt *time.Time
		}
	}
	s.must(apiClient{base: s.base}.do(t.Context(), s.token, `query ($id: ID!) { reminderRun(id: $id) { planned finishedAt } }`, map[string]any{"id": run.String()}, &done))
	if done.ReminderRun.Planned != 3*5001 || done.ReminderRun.FinishedAt == nil {
		t.Fatalf("%+v", done)
	}
	if _, page := s.visit(s.staff, "/consola?corrida="+run.String()); !strings.Contains(page, "15003 planeados") && !strings.Contains(page, "15,003 planeados") {
		t.Fatalf("the console does not show the figures: %s", page)
	}
	if status, _ := s.visit(s.staff, "/consola?corrida=run_999999"); status != http.StatusNotFound {
		t.Errorf("a run that does not exist: %d", status)
	}
}

// Three soft bounces in a row stop mail to an address; mail that arrived between them, or another address,
// begins a new row.
func TestSoftBouncesInARow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, c := range []struct {
		name    string
		between func(*site)
		stopped bool
	}{
		{"in a row", func(*site) {}, true},
		{"mail arrived between them", func(s *site) {
			s.exec("UPDATE contact SET bounced_at = now() - interval '30 days' WHERE id = $1", s.contact.ID)
			s.exec("UPDATE delivery SET status = 'sent', reason = '', sent_at = now() - interval '20 days' WHERE contact_id = $1", s.contact.ID)
		}, false},
		{"another address", func(s *site) {
			details := account.ContactDetails{Firstname: "Contacto", Email: "nueva@" + strings.SplitN(s.contact.Email, "@", 2)[1]}
			row, err := s.account.UpdateContact(s.system(), account.UpdateContactInput{ContactID: s.contact.ID, Details: &details})
			s.must(err)
			s.contact = row
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.begin(t, 200+i)
			for n := range 3 {
				if n == 2 {
					c.between(s)
				}
				s.invoice = s.owe(-18, 1)
				s.plan()
				s.work()
				list, err := s.store.InvoiceDeliveries(t.Context(), s.invoice.ID)
				s.must(err)
				for _, row := range list {
					if row.ContactID == s.contact.ID {
						report := fmt.Sprintf("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 4.4.7\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <%s>\r\n\r\n--b--\r\n", s.contact.Email, row.MessageID)
						if got, err := s.reminder.RecordBounce(s.system(), []byte(report)); got != 1 || err != nil {
							t.Fatal(n, got, err)
						}
					}
				}
			}
			row, err := s.store.Contact(t.Context(), s.contact.ID)
			if err != nil || row.Bounces(row.Email) != c.stopped {
				t.Fatalf("%+v, %v", row.Bounce, err)
			}
		})
	}
}

// What the mail announces is what is charged afterwards, and a link does not outlive its 60 days.
func TestAnnouncedFeeIsCharged(t *testing.T) {
	t.Parallel()
	s := newSite(t).begin(t, 1)
	_, err := s.reminder.SaveLateFeeRule(s.system(), reminder.LateFeeRuleInput{Name: "Recargo", Percent: money.Must("7.5"), GraceDays: 2})
	s.must(err)
	s.plan()
	s.work()
	m := s.mails(s.client.Email)[0]
	now := time.Now()
	s.reminder.Now = func() time.Time { return now.AddDate(0, 0, 5) }
	s.billing.Now = s.reminder.Now
	if n, err := s.reminder.ChargeLateFees(s.system()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	rows, err := s.store.OpenInvoicesUnder(t.Context(), s.client.ID, 0, 1)
	s.must(err)
	if announced := money.Format(rows[0].Total, rows[0].Currency, locale.Spanish); rows[0].Kind != db.KindLateFee || !strings.Contains(m.Text, announced) {
		t.Fatalf("charged %s, announced was %s", announced, m.Text)
	}
	for days, want := range map[int]int{59: http.StatusOK, 61: http.StatusNotFound} {
		s.reminder.Now = func() time.Time { return now.AddDate(0, 0, days) }
		s.billing.Now = s.reminder.Now
		if status, _ := s.visit(&http.Client{}, s.link(m, "factura")); status != want {
			t.Errorf("after %d days: %d, want %d", days, status, want)
		}
	}
}
