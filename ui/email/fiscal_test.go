package email

import (
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What each mail about a document says, in both languages and both parts; text of people is escaped.
func TestFiscalDocument(t *testing.T) {
	xml := []mail.Attachment{{Name: "a.xml", ContentType: "application/xml", Data: []byte("<a/>")}}
	for name, c := range map[string]struct {
		change  func(*fiscal.Letter)
		subject string
		shows   []string
		hides   []string
	}{
		"stamped": {func(l *fiscal.Letter) { l.Attachments, l.WithPDF = xml, true }, "Factura fiscal A 7 de Nube & Cía",
			[]string{"UUID-7", "$2,143.68", "representación impresa"}, []string{"cancel"}},
		"stamped without PDF": {func(l *fiscal.Letter) { l.Attachments = xml }, "Factura fiscal A 7 de Nube & Cía", []string{"El PDF le llegará en otro correo"}, nil},
		"the PDF that follows": {func(l *fiscal.Letter) { l.Event, l.Attachments, l.WithPDF = db.MailPDF, xml, true }, "PDF de A 7 de Nube & Cía",
			[]string{"UUID-7", "cuyo XML ya recibió", "Va adjunta la representación impresa"}, []string{"cancel"}},
		"cancellation asked": {func(l *fiscal.Letter) { l.Event, l.Deadline, l.Motivo = db.MailCancelRequested, "2026-11-30", "02" },
			"Solicitud de cancelación: Factura A 7. Responda a más tardar el 30 de noviembre de 2026", []string{"Responder hasta: 30 de noviembre de 2026", "02 - Emitida con errores, sin sustitución", "portal del SAT"}, []string{"adjunto"}},
		"cancelled": {func(l *fiscal.Letter) {
			l.Event, l.Motivo, l.Replacement, l.Attachments = db.MailCancelled, "01", "UUID-8", xml
		}, "Cancelación de Factura A 7", []string{"ya no es deducible", "Documento que lo sustituye: UUID-8", "Va adjunto el acuse"}, []string{"representación impresa"}},
		"cancelled without acuse": {func(l *fiscal.Letter) { l.Event = db.MailCancelled }, "Cancelación de Factura A 7", []string{"El acuse estará disponible"}, nil},
		"English": {func(l *fiscal.Letter) {
			l.Event, l.Deadline, l.Motivo, l.Language = db.MailCancelRequested, "2026-11-30", "03", "en"
		}, "Cancellation asked for: Invoice A 7. Answer by November 30, 2026", []string{"Answer by: November 30, 2026", "03 - The operation was not carried out"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := fiscal.Letter{Event: db.MailStamped, MessageID: "cfdi.1.2@nube.example", To: "pagos@cliente.example", Name: "Ana <b>", Language: "es-MX", Kind: db.CFDIIngreso,
				UUID: "UUID-7", Number: "A 7", Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD <ROBOTICA>", Total: "$2,143.68", Moneda: "MXN", InvoiceID: 3,
				Company: db.Company{Name: "Nube & Cía", Email: "hola@nube.example", BrandColour: "#0f766e"}}
			c.change(&l)
			m, err := FiscalDocument(t.Context(), l, Links{BaseURL: "https://clientes.nube.example"})
			if err != nil {
				t.Fatal(err)
			}
			if m.Subject != c.subject {
				t.Errorf("subject %q", m.Subject)
			}
			said := strings.Join(strings.Fields(m.Text), " ") // as it reads, wherever lines break
			for _, text := range c.shows {
				if !strings.Contains(said, text) {
					t.Errorf("no %q in\n%s", text, m.Text)
				}
			}
			for _, text := range c.hides {
				if strings.Contains(strings.ToLower(said), text) {
					t.Errorf("%q in\n%s", text, m.Text)
				}
			}
			if strings.Contains(m.HTML, "<ROBOTICA>") || strings.Contains(m.HTML, "Ana <b>") {
				t.Error("text of people is not escaped")
			}
		})
	}
}
