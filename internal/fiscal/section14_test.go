package fiscal_test

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// guide is what the cases of the filling guides run against: companies that issue documents when an invoice is paid, when
// it is issued, and as a person whose clients withhold taxes.
type guide struct {
	paid, later, person *office
	invoices            map[int]db.Invoice // of cases that later ones build on
}

// on makes a company report to the case that runs.
func on(t *testing.T, o *office) *office { o.TB = t; return o }

// sold issues and pays an invoice and returns its stamped document.
func (g *guide) sold(t *testing.T, n int, o *office, in billing.IssueInput) *fiscal.Comprobante {
	t.Helper()
	on(t, o)
	in.ClientID, in.DueDate = o.client.ID, "2026-12-10"
	invoice, err := o.billing.IssueInvoice(system(t.Context()), in)
	o.must(err)
	g.invoices[n] = o.pay(invoice, invoice.Total, fmt.Sprint("case ", n))
	o.work()
	rows := o.stamped(invoice, db.CFDIIngreso)
	if len(rows) != 1 {
		t.Fatalf("%d documents of %+v", len(rows), o.documents(invoice))
	}
	return rows[0]
}

// amounts compares SubTotal, Descuento, IVA, withholdings and Total, "" where there is none.
func amounts(t *testing.T, c *fiscal.Comprobante, subTotal, descuento, iva, withheld, total fiscal.Num) {
	t.Helper()
	got := []fiscal.Num{c.SubTotal, c.Descuento, "", "", c.Total}
	if c.Impuestos != nil {
		got[2], got[3] = c.Impuestos.TotalImpuestosTrasladados, c.Impuestos.TotalImpuestosRetenidos
	}
	if want := []fiscal.Num{subTotal, descuento, iva, withheld, total}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func priced(price string, iva billing.TaxTreatment) billing.LineInput {
	l := hosting(price)
	l.Treatment = iva
	return l
}

func lines(list ...billing.LineInput) billing.IssueInput { return billing.IssueInput{Lines: list} }

// broke holds a document with a mistake against the rules.
func broke(t *testing.T, code string, mutate func(*fiscal.Comprobante)) {
	t.Helper()
	c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
	if err != nil {
		t.Fatal(err)
	}
	mutate(c)
	vs := fiscal.Validate(c, fiscal.Options{Now: noon})
	for i := range vs {
		if vs[i].Code == code && (vs[i].Path == "" && code != "node_missing" || vs[i].ES == "" || vs[i].EN == "") {
			t.Errorf("%+v", vs[i])
		}
	}
	wantCode(t, vs, code)
}

// The test cases of the specification, by their number. Those about amounts, stamping and cancelling go through the
// services, from the invoice to the stamped document.
var section14 = map[int]func(t *testing.T, g *guide){
	1: func(t *testing.T, g *guide) {
		amounts(t, g.sold(t, 1, g.paid, lines(hosting("1499.00"), hosting("349.00"))), "1848.00", "", "295.68", "", "2143.68")
	},
	2: func(t *testing.T, g *guide) {
		o := on(t, g.later)
		g.invoices[2] = o.issue(hosting("12931.03"))
		o.work()
		c := o.stamped(g.invoices[2], db.CFDIIngreso)[0]
		amounts(t, c, "12931.03", "", "2068.96", "", "14999.99")
		if c.MetodoPago != "PPD" || c.FormaPago != "99" {
			t.Errorf("%+v", c)
		}
	},
	3: func(t *testing.T, g *guide) {
		l := hosting("1499.00")
		l.Discount = 29980
		c := g.sold(t, 3, g.paid, lines(l, hosting("349.00")))
		amounts(t, c, "1848.00", "299.80", "247.71", "", "1795.91")
		if c.Impuestos.Traslados[0].Base != "1548.20" {
			t.Errorf("%+v", c.Impuestos)
		}
	},
	4: func(t *testing.T, g *guide) {
		l := hosting("10000.00")
		l.RetencionISR, l.RetencionIVA = money.Must("0.1"), money.Must("0.106667")
		c := g.sold(t, 4, g.person, lines(l))
		amounts(t, c, "10000.00", "", "1600.00", "2066.67", "9533.33")
		if r := c.Impuestos.Retenciones; len(r) != 2 || r[0].Importe != "1000.00" || r[1].Importe != "1066.67" || c.Emisor.RegimenFiscal != "612" {
			t.Errorf("%+v", r)
		}
	},
	5: func(t *testing.T, g *guide) {
		amounts(t, g.sold(t, 5, g.paid, lines(priced("1499.00", billing.IVA8))), "1499.00", "", "119.92", "", "1618.92")
	},
	6: func(t *testing.T, g *guide) {
		c := g.sold(t, 6, g.paid, lines(hosting("1499.00"), priced("500.00", billing.IVA0), priced("250.00", billing.Exento), priced("100.00", billing.NoObjeto)))
		amounts(t, c, "2349.00", "", "239.84", "", "2588.84")
		if rows := c.Impuestos.Traslados; len(rows) != 3 || rows[0].Importe != "239.84" || rows[1].Base != "500.00" || rows[1].Importe != "0.00" || rows[2].Base != "250.00" || rows[2].Importe != "" {
			t.Errorf("%+v", rows)
		}
	},
	7: func(t *testing.T, g *guide) {
		a, b := hosting("100.00"), hosting("0.99")
		a.PriceIncludesTax, b.PriceIncludesTax, b.Quantity = true, true, money.Int(3)
		amounts(t, g.sold(t, 7, g.paid, lines(a, b)), "88.77", "", "14.20", "", "102.97")
	},
	8: func(t *testing.T, g *guide) {
		o := newOfficeOf(t, kemper, time.Date(2026, 10, 20, 18, 0, 0, 0, time.UTC))
		o.globals("04", db.CFDIOnRequest)
		for i, price := range []string{"100.00", "1499.00"} {
			l := hosting(price)
			l.PriceIncludesTax = true
			invoice := o.issue(l)
			o.pay(invoice, invoice.Total, fmt.Sprint("r", i))
		}
		o.clock = time.Date(2026, 11, 1, 18, 0, 0, 0, time.UTC)
		o.must(o.service.IssueGlobals(system(t.Context())))
		o.work()
		rows := o.listed()
		if len(rows) != 1 {
			t.Fatalf("%+v", rows)
		}
		c := o.parse(rows[0].ID)
		amounts(t, c, "1378.45", "", "220.55", "", "1599.00")
		if *c.InformacionGlobal != (fiscal.InformacionGlobal{Periodicidad: "04", Meses: "10", Año: "2026"}) || *c.Receptor != fiscal.PublicoEnGeneral("42501") {
			t.Errorf("%+v %+v", c.InformacionGlobal, c.Receptor)
		}
		o.verify(t, 1)
	},
	9: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		_, err := o.billing.SetExchangeRate(system(t.Context()), billing.ExchangeRateInput{Currency: money.USD, Day: date.Of(o.clock, time.UTC), Rate: money.Must("18.4521"), Source: "DOF"})
		o.must(err)
		client := o.client
		defer func() { o.client = client }()
		o.client = foreign(o)
		c := g.sold(t, 9, o, billing.IssueInput{Currency: money.USD, Lines: []billing.LineInput{hosting("49.99")}})
		amounts(t, c, "49.99", "", "8.00", "", "57.99")
		if c.TipoCambio != "18.4521" || *c.Receptor != fiscal.Extranjero("ACME HOSTING LLC", "USA", "42501") {
			t.Errorf("%s %+v", c.TipoCambio, c.Receptor)
		}
	},
	10: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		o.credit(g.invoices[1], billing.CreditNoteInput{Lines: []billing.LineInput{hosting("500.00")}, Reason: "case 10"})
		o.work()
		c := o.stamped(g.invoices[1], db.CFDIEgreso)[0]
		amounts(t, c, "500.00", "", "80.00", "", "580.00")
		if c.Receptor.UsoCFDI != "G02" || !slices.Equal(c.Relacionados("01"), []string{o.stamped(g.invoices[1], db.CFDIIngreso)[0].Timbre().UUID}) {
			t.Errorf("%+v", c)
		}
	},
	11: func(t *testing.T, g *guide) {
		amounts(t, g.sold(t, 11, g.paid, lines(slices.Repeat([]billing.LineInput{hosting("33.33")}, 7)...)), "233.31", "", "37.33", "", "270.64")
	},
	12: func(t *testing.T, g *guide) {
		l := hosting("899.00")
		l.Quantity = money.Must("0.566667")
		amounts(t, g.sold(t, 12, g.paid, lines(l)), "509.43", "", "81.51", "", "590.94")
	},
	13: func(t *testing.T, g *guide) {
		g.receipt(t, 500000, 1, "4310.35", "689.66", "9999.99")
	},
	14: func(t *testing.T, g *guide) {
		g.receipt(t, 999999, 2, "8620.68", "1379.31", "0.00")
	},
	15: func(t *testing.T, _ *guide) {
		broke(t, "CFDI40105", func(c *fiscal.Comprobante) { c.MetodoPago = "PPD" })
		broke(t, "forma_pago_99_with_pue", func(c *fiscal.Comprobante) { c.FormaPago = "99" })
	},
	16: func(t *testing.T, _ *guide) {
		broke(t, "CFDI40130", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.PublicoEnGeneral(lugar) })
		broke(t, "CFDI40146", func(c *fiscal.Comprobante) { c.Receptor.Nombre = fiscal.NombrePublicoEnGeneral })
	},
	17: func(t *testing.T, _ *guide) {
		broke(t, "CFDI40149", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.SinRfc("CLIENTE", "01000") })
		broke(t, "CFDI40159", func(c *fiscal.Comprobante) {
			*c.Receptor = fiscal.SinRfc("CLIENTE", lugar)
			c.Receptor.RegimenFiscalReceptor = "612"
		})
	},
	18: func(t *testing.T, _ *guide) {
		for _, regimen := range []string{"605", "616"} {
			broke(t, "CFDI40161", func(c *fiscal.Comprobante) {
				c.Receptor.Rfc, c.Receptor.RegimenFiscalReceptor = "CACX7605101P8", regimen
			})
		}
		broke(t, "CFDI40161", func(c *fiscal.Comprobante) { c.Receptor.UsoCFDI = "D01" })
	},
	19: func(t *testing.T, _ *guide) {
		broke(t, "CFDI40158", func(c *fiscal.Comprobante) { c.Receptor.Rfc = "CACX7605101P8" })
		broke(t, "CFDI40141", func(c *fiscal.Comprobante) { c.Emisor.Rfc = "CACX7605101P8" })
	},
	20: func(t *testing.T, g *guide) {
		broke(t, "text_pipe", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = "a|b" })
		broke(t, "text_too_long", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = strings.Repeat("ñ", 1001) })
		l := hosting("10.00")
		l.Description = "Plan\tEmpresarial   anual"
		if c := g.sold(t, 20, g.paid, lines(l)); c.Conceptos[0].Descripcion != "Plan Empresarial anual" {
			t.Errorf("%q", c.Conceptos[0].Descripcion)
		}
	},
	21: func(t *testing.T, _ *guide) {
		e := newEnv(t, sandbox.Config{})
		d := draft(line("10.00", fiscal.IVA16))
		d.Emisor = fiscal.Emisor{Rfc: "H&E951128469", Nombre: "HERRERIA & ELECTRICOS", RegimenFiscal: "601"}
		d.Receptor.Nombre = `PÉREZ & HIJOS "Ñ"`
		doc := e.stamp("21", e.build(d))
		cadena, err := doc.CadenaOriginal()
		if err != nil || !strings.Contains(cadena, `|PÉREZ & HIJOS "Ñ"|`) || !strings.Contains(string(e.docs["21"]), `PÉREZ &amp; HIJOS &quot;Ñ&quot;`) ||
			!strings.Contains(fiscal.VerificationURL(doc.Comprobante), "re=H%26E951128469") {
			t.Error(cadena, err)
		}
		e.verify(1)
	},
	22: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		row := o.one(g.invoices[3])
		for from, code := range map[string]string{"Hospedaje web": "Hospedajo web", "FechaTimbrado=\"2026": "FechaTimbrado=\"2025"} {
			to := code
			doc, err := fiscal.Parse([]byte(strings.Replace(string(row.XML), from, to, 1)))
			o.must(err)
			seal, stamp := doc.VerifySello(), doc.VerifyTimbre(o.pac.Identity().Certificado)
			if strings.HasPrefix(from, "Hospedaje") && !violationsOf(seal).Has("CFDI40102") || strings.HasPrefix(from, "Fecha") && stamp == nil {
				t.Errorf("%s: %v, %v", to, seal, stamp)
			}
		}
	},
	23: func(t *testing.T, _ *guide) {
		for name, c := range map[string]struct{ cer, password, rfc, code, sat string }{
			"FIEL":           {"EKU9003173C9-FIEL", password, "EKU9003173C9", fiscal.CodeCSDIsFiel, "306"},
			"expired":        {"CACX7605101P8-expired2023", password, "CACX7605101P8", fiscal.CodeCSDExpired, "305"},
			"wrong password": {"EKU9003173C9", "otra", "EKU9003173C9", fiscal.CodeCSDPassword, ""},
		} {
			_, _, err := openSAT(t, c.cer, c.password, c.rfc, noon)
			vs := violationsOf(err)
			i := slices.IndexFunc(vs, func(v fiscal.Violation) bool { return v.Code == c.code && v.SAT == c.sat })
			if i < 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := fiscal.OpenCSD(fiscaltest.Read(t, "csd", "EKU9003173C9.cer"), fiscaltest.Read(t, "csd", "CACX7605101P8-expired2023.key"), password, "", noon); !violationsOf(err).Has(fiscal.CodeCSDMismatch) {
			t.Error(err)
		}
	},
	24: func(t *testing.T, _ *guide) {
		c, err := fiscal.ParseCertificado(fiscaltest.Read(t, "csd", "EKU9003173C9.cer"))
		if err != nil || c.NoCertificado != "30001000000500003416" || c.Rfc != "EKU9003173C9" {
			t.Errorf("%+v %v", c, err)
		}
	},
	25: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		row, other, before := o.one(g.invoices[3]), o.one(g.invoices[5]), o.stamps()
		again, err := o.pac.Stamp(t.Context(), row.Sealed, fmt.Sprintf("%s-%d", row.ID, row.Build))
		if err != nil || !again.Repeated || again.Timbre.UUID != row.UUID {
			t.Error(again, err)
		}
		fresh := fiscaltest.Sealed(t, "25")
		if _, err = o.pac.Stamp(t.Context(), fresh, fmt.Sprintf("%s-%d", other.ID, other.Build)); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI3307"}) || o.stamps() != before {
			t.Error(err, o.stamps()-before)
		}
	},
	26: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		for i, fault := range []sandbox.Fault{sandbox.LostReply, sandbox.Unavailable} {
			before := o.stamps()
			invoice := o.issue(hosting("26.00"))
			row := o.drafted(o.pay(invoice, invoice.Total, fmt.Sprint("case 26 ", i)))
			o.fault = fault
			for range 3 {
				_, err := o.attempt(row)
				o.must(err)
			}
			sealed, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			o.fault = sandbox.None
			_, err = o.attempt(row)
			o.must(err)
			got, err := o.store.CFDI(t.Context(), row.ID)
			if err != nil || got.Status != db.CFDIStamped || got.Folio != sealed.Folio || o.stamps() != before+1 {
				t.Errorf("%s folio %d, %d stamps, %v", got.Status, got.Folio, o.stamps()-before, err)
			}
		}
		o.work()
	},
	27: func(t *testing.T, _ *guide) {
		broke(t, "CFDI40115", func(c *fiscal.Comprobante) { c.Moneda = "USD" })
		broke(t, "CFDI40116", func(c *fiscal.Comprobante) { c.Moneda, c.TipoCambio = "XXX", "1" })
		c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
		if err != nil {
			t.Fatal(err)
		}
		if c.TipoCambio = "1.0"; len(fiscal.Validate(c, fiscal.Options{Now: noon}).Refusals()) != 0 {
			t.Error("1.0 is refused for pesos")
		}
	},
	28: func(t *testing.T, g *guide) {
		o := on(t, g.later)
		invoice := o.issue(hosting("12931.03"))
		o.work()
		o.receive(1510000, "case 28", billing.Allocation{InvoiceID: invoice.ID})
		o.work()
		p := o.stamped(invoice, db.CFDIPago)[0].Pagos().Pago[0]
		credits, err := o.billing.Credits(system(t.Context()), o.client.ID)
		if err != nil || p.Monto != "15100.00" || p.DoctoRelacionado[0].ImpPagado != "14999.99" || len(credits) != 1 || credits[0].Amount != 10001 {
			t.Errorf("%+v %+v %v", p, credits, err)
		}
		doc := fiscal.DocumentoPagado{UUID: uuidA, Moneda: money.MXN, NumParcialidad: 1, ImpSaldoAnt: 1499999, ImpPagado: 1500000, Total: 1499999}
		if _, err := fiscal.BuildPago(pagoDraft(transfer(1500000, doc))); !errors.Is(err, &fiscal.Violation{Code: "CRP20244"}) {
			t.Error(err)
		}
	},
	29: func(t *testing.T, g *guide) {
		c := g.sold(t, 29, g.paid, lines(hosting("300.00"), hosting("100.00"), hosting("-200.00")))
		amounts(t, c, "400.00", "200.00", "32.00", "", "232.00")
		if len(c.Conceptos) != 2 || c.Conceptos[0].Descuento != "150.00" || c.Conceptos[1].Descuento != "50.00" {
			t.Errorf("%+v", c.Conceptos)
		}
		if _, err := fiscal.Build(draft(line("300.00", fiscal.IVA16), line("100.00", fiscal.IVA16), line("-400.00", fiscal.IVA16))); !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeNothingToInvoice}) {
			t.Error(err)
		}
	},
	30: func(t *testing.T, g *guide) {
		o := on(t, g.later)
		request := fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: uuidA, Motivo: "01"}
		if err := fiscal.CheckCancel(request, nil, nil); !errors.Is(err, &fiscal.Violation{Code: "cancel_replacement_missing"}) {
			t.Error(err)
		}
		request.FolioSustitucion = uuidB
		if err := fiscal.CheckCancel(request, replacementOf(uuidB), nil); !errors.Is(err, &fiscal.Violation{Code: "cancel_replacement_unrelated"}) {
			t.Error(err)
		}
		csd := testCSD(t, "EKU9003173C9")
		cancel := func(uuid string) string {
			r, err := o.pac.Cancel(t.Context(), fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: uuid, Motivo: "02", CSD: csd, Fecha: o.clock})
			var e *fiscal.PACError
			if errors.As(err, &e) {
				return e.Code
			}
			o.must(err)
			return r.Code
		}
		// The receipts of case 2 are in force, so it cannot be cancelled; they can, once.
		if code := cancel(o.stamped(g.invoices[2], db.CFDIIngreso)[0].Timbre().UUID); code == "201" {
			t.Error("an invoice with receipts was cancelled")
		}
		rep := o.stamped(g.invoices[2], db.CFDIPago)[1].Timbre().UUID
		if first, again := cancel(rep), cancel(rep); first != "201" || again != "202" {
			t.Error(first, again)
		}
	},
	31: func(t *testing.T, _ *guide) {
		if vs := fiscal.CheckRfc("EKU9003173C8", "rfc"); len(vs) != 1 || !vs[0].Warning {
			t.Errorf("%+v", vs)
		}
		if vs := fiscal.CheckRfc("EKU9002303C9", "rfc"); !vs.Has("rfc_date_invalid") || len(vs.Refusals()) == 0 {
			t.Errorf("%+v", vs)
		}
		if got := fiscal.NormalizeRfc(" eku9003173c9 "); got != "EKU9003173C9" {
			t.Error(got)
		}
	},
	32: func(t *testing.T, g *guide) {
		o := on(t, g.later)
		a, b := o.issue(hosting("1499.00")), o.issue(hosting("333.33"))
		o.work()
		o.receive(212550, "case 32", billing.Allocation{InvoiceID: a.ID}, billing.Allocation{InvoiceID: b.ID})
		o.work()
		p := o.stamped(a, db.CFDIPago)[0].Pagos().Pago
		if len(p) != 1 || len(p[0].DoctoRelacionado) != 2 || p[0].Monto != "2125.50" || len(p[0].ImpuestosP.TrasladosP) != 1 || p[0].ImpuestosP.TrasladosP[0].BaseP != "1832.33" ||
			p[0].ImpuestosP.TrasladosP[0].ImporteP != "293.17" {
			t.Errorf("%+v", p)
		}
	},
	33: func(t *testing.T, g *guide) {
		o := on(t, g.paid)
		row, err := o.store.CFDI(t.Context(), o.documents(g.invoices[1])[0].ID)
		o.must(err)
		file, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatPDF)
		o.must(err)
		tool := exec.Command("pdftotext", "-", "-")
		tool.Stdin = strings.NewReader(string(file.Data))
		out, err := tool.Output()
		if err != nil {
			t.Skip("pdftotext is not installed")
		}
		text := strings.Join(strings.Fields(string(out)), "")
		doc := o.parse(row.ID)
		for _, want := range []string{row.UUID, doc.Sello, doc.Timbre().SelloSAT, fiscal.CadenaTFD(doc.Timbre()), "Este documento es una representación impresa de un CFDI",
			"DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100 M.N."} {
			if !strings.Contains(text, strings.Join(strings.Fields(want), "")) {
				t.Errorf("%q is missing", want)
			}
		}
	},
	34: func(t *testing.T, _ *guide) {
		e := newEnv(t, sandbox.Config{})
		invoice := e.ppd("USD", func(d *fiscal.Draft) { d.Moneda, d.TipoCambio = money.USD, money.Must("17.2414") }, line("1000.00", fiscal.IVA16))
		doc := paid(invoice, 116000)
		doc.Aplicado = 2000000
		p := e.rep("34", pagoDraft(transfer(2000000, doc))).Pagos().Pago[0]
		if dr := p.DoctoRelacionado[0]; p.MonedaP != "MXN" || p.TipoCambioP != "1" || dr.MonedaDR != "USD" || dr.EquivalenciaDR != "0.058000" || dr.ImpPagado != "1160.00" {
			t.Errorf("%+v", p)
		}
		e.verify(1)
	},
}

// receipt pays a part of case 2 and checks its receipt.
func (g *guide) receipt(t *testing.T, amount money.Minor, number int, base, tax, left fiscal.Num) {
	t.Helper()
	o := on(t, g.later)
	o.pay(g.invoices[2], amount, fmt.Sprint("part ", number))
	o.work()
	c := o.stamped(g.invoices[2], db.CFDIPago)[number-1]
	dr := c.Pagos().Pago[0].DoctoRelacionado[0]
	x := dr.ImpuestosDR.TrasladosDR[0]
	if x.BaseDR != base || x.ImporteDR != tax || dr.ImpSaldoInsoluto != left || dr.NumParcialidad != fmt.Sprint(number) || c.Pagos().Totales.MontoTotalPagos.Rat().Cmp(dr.ImpPagado.Rat()) != 0 {
		t.Errorf("%+v", dr)
	}
}

// foreign is a client abroad with its fiscal data.
func foreign(o *office) db.Client {
	o.Helper()
	client := o.newClient("ACME Hosting LLC", "billing@acme.example")
	_, _, err := o.service.SaveFiscalProfile(system(o.Context()), fiscal.ProfileInput{ClientID: client.ID, Rfc: fiscal.RfcGenericoExtranjero, Nombre: "Acme Hosting LLC", ResidenciaFiscal: "USA"})
	o.must(err)
	return client
}

func TestSection14(t *testing.T) {
	g := &guide{paid: newOffice(t), later: newOffice(t), invoices: map[int]db.Invoice{},
		person: newOfficeOf(t, fiscal.IssuerInput{Rfc: "CACX7605101P8", Nombre: "Xochilt Casas Chavez", RegimenFiscal: "612", LugarExpedicion: "42501"})}
	for _, o := range []*office{g.paid, g.later, g.person} {
		o.profile()
	}
	g.later.must(g.later.service.SetWhen(system(t.Context()), g.later.client.ID, db.CFDIOnIssue))
	for n := 1; n <= 34; n++ {
		run, ok := section14[n]
		if !ok {
			t.Fatalf("case %d is missing", n)
		}
		t.Run(fmt.Sprintf("%02d", n), func(t *testing.T) { run(t, g) })
	}
	for _, o := range []*office{g.paid, g.later, g.person} {
		o.TB = t
		o.verify(t, 1)
	}
}
