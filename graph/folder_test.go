package graph_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// TestFiscalFolder: the list that the page shows, with relations, files and who downloaded them, for who may see invoices,
// in as many statements however many documents there are.
func TestFiscalFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *graph.Config) {
		c.ArchivePath = func(client id.Client, month string) string { return "/zip/" + client.String() + "/" + month }
	})
	ctx := access.With(t.Context(), access.SystemActor())
	pac, err := sandbox.New(sandbox.Config{Now: now})
	w.must(err)
	w.fiscal.PAC = pac
	t.Cleanup(func() { fiscaltest.VerifyStored(t, w.store, pac.Identity().CertificatePEM()) })
	_, _, err = w.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: 1, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	w.must(err)
	stamp := func(row db.CFDI) { w.must(w.fiscal.Stamp(ctx, fiscal.StampJob{CFDI: row.ID})) }
	acused := ""
	for i := range 6 {
		invoice := w.invoice(1, "2026-04-02", "2026-05-02", "10")
		_, err := w.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: invoice.ID, Amount: invoice.Total, Method: "transfer", RequestKey: "p" + invoice.ID.String()})
		w.must(err)
		row, err := w.fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
		w.must(err)
		stamp(row)
		if i == 5 { // of 1,000 pesos or less: without the receiver
			_, err := w.fiscal.CancelCFDI(ctx, fiscal.CancelInput{CFDI: row.ID, Motivo: "03"})
			w.must(err)
			w.must(w.fiscal.SendCancellation(ctx, fiscal.CancelJob{CFDI: row.ID, Round: 1}))
			acused = "/files/" + row.ID.String() + ".acuse"
		}
		if i > 0 {
			continue
		}
		_, err = w.billing.IssueCreditNote(ctx, billing.CreditNoteInput{InvoiceID: invoice.ID, Reason: "Devolución", Return: true, RequestKey: "n",
			Lines: []billing.LineInput{{Description: "Devolución", Quantity: money.Int(1), UnitPrice: money.Must("5")}}})
		w.must(err)
		w.must(w.fiscal.Follow(ctx, billing.ChangedJob{InvoiceID: invoice.ID}))
		documents, err := w.fiscal.Documents(ctx, invoice.ID)
		w.must(err)
		stamp(documents[invoice.ID][1])
		_, err = w.fiscal.Open(access.With(t.Context(), w.actor("accountant")), row.ID, fiscal.FormatXML)
		w.must(err)
		_, err = w.fiscal.Open(ctx, row.ID, fiscal.FormatXML)
		w.must(err)
	}
	const query = `{ client(id: "cli_1") { fiscalMonths { month count zipPath } fiscalDocuments(month: "2026-04", first: 50) {
		nodes { kind uuid serie folio total xmlPath pdfPath acusePath nombreReceptor issuedAt invoiceId related { kind document { kind } } downloads { format who } } } } }`
	for _, actor := range []string{"owner", "accountant", "staff"} {
		used := ^uint32(0)
		var got struct {
			Data struct {
				Client struct {
					FiscalMonths    []struct{ Month, ZipPath string }
					FiscalDocuments struct {
						Nodes []struct {
							Kind, UUID, XMLPath, PDFPath, InvoiceID string
							AcusePath                               *string
							Related                                 []struct {
								Kind     string
								Document struct{ Kind string }
							}
							Downloads []struct {
								Format string
								Who    *string
							}
						}
					}
				}
			}
		}
		for range 3 { // a loader's batch ends with the clock
			before := w.store.Statements()
			rec := w.post(actor, query, nil)
			used = min(used, w.store.Statements()-before)
			if text := decodeAnswer(t, rec); text.codes() != "" {
				t.Fatalf("%s: %s", actor, rec.Body)
			}
			w.must(json.Unmarshal(rec.Body.Bytes(), &got))
		}
		// The actor (2, the test's own), the client, issuer and list, issuer and months, two for relations, one for downloads.
		if used > 10 {
			t.Errorf("%s: %d statements", actor, used)
		}
		nodes := got.Data.Client.FiscalDocuments.Nodes
		if len(nodes) != 7 || len(got.Data.Client.FiscalMonths) != 1 || got.Data.Client.FiscalMonths[0].ZipPath != "/zip/cli_1/2026-04" {
			t.Fatalf("%s: %+v", actor, got)
		}
		var relations, downloads int
		acuses := []string{}
		for _, n := range nodes {
			if n.UUID == "" || n.XMLPath == "" || n.PDFPath == "" || n.InvoiceID == "" {
				t.Errorf("%s: %+v", actor, n)
			}
			if n.AcusePath != nil {
				acuses = append(acuses, *n.AcusePath)
			}
			for _, r := range n.Related {
				relations++
				if want := map[string]string{"INGRESO": "RELATED_BY EGRESO", "EGRESO": "RELATES INGRESO"}[n.Kind]; r.Kind+" "+r.Document.Kind != want {
					t.Errorf("%s: %s is %s %s", actor, n.Kind, r.Kind, r.Document.Kind)
				}
			}
			for _, d := range n.Downloads {
				if d.Who != nil {
					downloads++
				}
			}
		}
		if !slices.Equal(acuses, []string{acused}) {
			t.Errorf("%s: acuses %q", actor, acuses)
		}
		if relations != 2 || downloads != 1 {
			t.Errorf("%s: %d relations, %d downloads by name", actor, relations, downloads)
		}
	}
	// A refusal names its field and the SAT's code.
	w.must(w.store.AddCFDI(ctx, &db.CFDI{Kind: db.CFDIGlobal, PeriodStart: "2026-04-01", Periodicidad: "04", Status: db.CFDIStampFailed, Failure: "rejected",
		Refusal: db.Refusal{Code: "text_pipe", SATCode: "301", Field: "Conceptos/Concepto[1]@Descripcion", Message: "No puede llevar «|».", MessageEN: "It cannot have a pipe."}}))
	refused := w.post("staff", `{ stamping { refused documents(which: REFUSED) { nodes { cause failure document { code satCode field status } } } } }`, nil).Body.String()
	for _, want := range []string{`"refused":1`, `"cause":"No puede llevar «|»."`, `"failure":"REJECTED"`, `"code":"text_pipe"`, `"satCode":"301"`, `"field":"Conceptos/Concepto[1]@Descripcion"`} {
		if !strings.Contains(strings.Join(strings.Fields(refused), ""), strings.Join(strings.Fields(want), "")) {
			t.Errorf("no %s in %s", want, refused)
		}
	}
	for actor, want := range map[string]string{"assistant": "PERMISSION_REQUIRED", "stranger": "NOT_FOUND"} {
		if got := decodeAnswer(t, w.post(actor, query, nil)).codes(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", actor, got)
		}
	}
}
