package fiscal_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// generator invents invoices, credit notes and payment plans from a seed.
type generator struct{ r *rand.Rand }

func pick[T any](g generator, list ...T) T { return list[g.r.IntN(len(list))] }

func (g generator) cents(limit int64) money.Decimal {
	return money.Millionths((1 + g.r.Int64N(limit)) * 10_000)
}

func (g generator) line() fiscal.Line {
	l := line("1", pick(g, fiscal.IVA16, fiscal.IVA16, fiscal.IVA16, fiscal.IVA8, fiscal.IVA0, fiscal.IVAExento, fiscal.NoObjeto))
	l.ValorUnitario = g.cents(pick(g, int64(10), 1000, 100_000, 10_000_000))
	l.ClaveProdServ = pick(g, "81112105", "81112107", "81112003", "81111811")
	l.Descripcion = pick(g, "Hospedaje ejemplo.example", "Dominio ñandú.example & \"más\" <uno>", "  Servidor\tvirtual\n4 GB  ", "Soporte 'técnico'")
	switch g.r.IntN(6) {
	case 0:
		l.Cantidad = money.Millionths(1 + g.r.Int64N(3_000_000)) // proration
	case 1:
		l.Cantidad = money.Int(1 + g.r.Int64N(500))
	case 2:
		l.ValorUnitario = money.Millionths(1 + g.r.Int64N(50_000_000)) // six decimals
	}
	l.TaxIncluded = g.r.IntN(4) == 0
	if amount, err := l.Cantidad.MulMinor(l.ValorUnitario, money.MXN); err == nil && amount > 1 && g.r.IntN(4) == 0 {
		l.Descuento = money.Minor(1 + g.r.Int64N(int64(amount)))
	}
	return l
}

func (g generator) draft(i int) fiscal.Draft {
	d := draft()
	d.Folio = fmt.Sprint(i)
	for range 1 + g.r.IntN(8) {
		d.Lines = append(d.Lines, g.line())
	}
	if g.r.IntN(5) == 0 {
		promo := line("-1", d.Lines[0].IVA)
		promo.ValorUnitario = g.cents(5000).Neg()
		promo.TaxIncluded = g.r.IntN(2) == 0
		d.Lines = append(d.Lines, promo)
	}
	if g.r.IntN(6) == 0 {
		d.Emisor = xochilt
		d.Retenciones = []fiscal.Retencion{{Impuesto: fiscal.ImpuestoISR, Tasa: money.Must(pick(g, "0.1", "0.0125"))}, {Impuesto: fiscal.ImpuestoIVA, Tasa: money.Must("0.106667")}}
	}
	if g.r.IntN(5) == 0 {
		d.Moneda, d.TipoCambio = pick(g, money.USD, money.EUR), money.Millionths(15_000_000+g.r.Int64N(9_000_000))
	}
	switch g.r.IntN(6) {
	case 0:
		d.Receptor = fiscal.SinRfc("CLIENTE SIN RFC", lugar)
	case 1:
		d.Receptor = fiscal.Extranjero("ACME HOSTING LLC", pick(g, "USA", "ESP", "CAN"), lugar)
	}
	if g.r.IntN(3) == 0 {
		d.MetodoPago, d.FormaPago = "PPD", ""
	}
	return d
}

// fakeStamp gives a document a folio fiscal without a PAC.
func (g generator) fakeStamp(c *fiscal.Comprobante) {
	c.Complemento = &fiscal.Complemento{TimbreFiscalDigital: &fiscal.TimbreFiscalDigital{Version: "1.1",
		UUID: fmt.Sprintf("%08X-0000-4000-8000-%012X", g.r.Uint32(), g.r.Int64N(1<<48)), FechaTimbrado: "2026-11-20T10:00:00", RfcProvCertif: "SPR190613I52",
		SelloCFD: "AAAA", NoCertificadoSAT: "00000000000000000000", SelloSAT: "AAAA"}}
}

// documents invents one invoice and what follows from it.
func (g generator) documents(t *testing.T, i int) []*fiscal.Comprobante {
	t.Helper()
	d := g.draft(i)
	invoice, err := fiscal.Build(d)
	if err != nil {
		for _, v := range violationsOf(err) {
			if v.Code == fiscal.CodeNothingToInvoice || v.Code == fiscal.CodeNegativeUnplaced || v.Code == "CFDI40169" {
				return nil // the promotion or discount takes it all
			}
		}
		t.Fatalf("%d: %v", i, err)
	}
	docs := []*fiscal.Comprobante{invoice}
	origin := *invoice
	g.fakeStamp(&origin)
	total, err := invoice.Total.Decimal().Minor(money.MXN)
	if err != nil {
		t.Fatal(err)
	}
	if want, ok := inCents(d); ok && want != int64(total) {
		t.Errorf("document %d: total %s, in integers %d", i, invoice.Total, want)
	}
	if g.r.IntN(3) == 0 {
		d := fiscal.Draft{Serie: "NC", Folio: fmt.Sprint(i), Fecha: noon, LugarExpedicion: lugar}
		credit, err := fiscal.BuildEgreso(d, &origin, 1+money.Minor(g.r.Int64N(int64(total))), "Bonificación")
		if err != nil && !violationsOf(err).Has(fiscal.CodeNothingToInvoice) {
			t.Fatalf("%d: %v", i, err)
		}
		if err == nil {
			docs = append(docs, credit)
		}
	}
	if origin.MetodoPago == "PPD" {
		docs = append(docs, g.plan(t, &origin, total)...)
	}
	if i%7 == 0 {
		docs = append(docs, g.global(t, i))
	}
	if i%5 == 0 {
		docs = append(docs, g.together(t, i))
	}
	return docs
}

// global sums up receipts of several treatments, with the tax that was charged on each.
func (g generator) global(t *testing.T, i int) *fiscal.Comprobante {
	t.Helper()
	d := draft()
	d.Serie, d.Folio = "G", fmt.Sprint(i)
	var receipts []fiscal.Receipt
	for n := range 1 + g.r.IntN(40) {
		r := fiscal.Receipt{Number: fmt.Sprintf("A-%d", n), FormaPago: pick(g, "01", "03", "04", "17", "28")}
		for _, iva := range []fiscal.IVA{fiscal.IVA16, fiscal.IVA8, fiscal.IVA0, fiscal.IVAExento, fiscal.NoObjeto} {
			if len(r.Bases) > 0 && g.r.IntN(4) > 0 {
				continue
			}
			base := money.Minor(1 + g.r.Int64N(pick(g, int64(100), 100_000, 100_000_000)))
			r.Bases = append(r.Bases, fiscal.ReceiptBase{IVA: iva, Base: base, Tax: taxOf(t, base, iva)})
		}
		receipts = append(receipts, r)
	}
	c, err := fiscal.BuildGlobal(d, fiscal.Periodo(pick(g, "01", "02", "03", "04"), noon), receipts)
	if err != nil {
		t.Fatalf("%d: %v", i, err)
	}
	return c
}

func taxOf(t *testing.T, base money.Minor, iva fiscal.IVA) money.Minor {
	t.Helper()
	rate := map[fiscal.IVA]string{fiscal.IVA16: "0.16", fiscal.IVA8: "0.08"}[iva]
	if rate == "" {
		return 0
	}
	tax, err := base.MulRate(money.Must(rate))
	if err != nil {
		t.Fatal(err)
	}
	return tax
}

// together pays several invoices with one payment, some of them after a credit note, in pesos or dollars.
func (g generator) together(t *testing.T, i int) *fiscal.Comprobante {
	t.Helper()
	currency, rate := pick(g, money.MXN, money.MXN, money.USD), money.Millionths(15_000_000+g.r.Int64N(9_000_000))
	p := transfer(0)
	p.Moneda, p.TipoCambio = currency, rate
	for n := range 1 + g.r.IntN(6) {
		d := draft(g.line())
		d.Folio, d.MetodoPago, d.FormaPago, d.Moneda, d.TipoCambio = fmt.Sprintf("%d-%d", i, n), "PPD", "", currency, rate
		d.Lines[0].Descuento = 0
		invoice, err := fiscal.Build(d)
		if err != nil {
			if violationsOf(err).Has(fiscal.CodeNothingToInvoice) {
				continue
			}
			t.Fatalf("%d: %v", i, err)
		}
		g.fakeStamp(invoice)
		total, err := invoice.Total.Decimal().Minor(currency)
		if err != nil {
			t.Fatal(err)
		}
		doc := paid(invoice, total)
		if total > 2 && g.r.IntN(3) == 0 {
			credit := 1 + money.Minor(g.r.Int64N(int64(total-1)))
			note, err := fiscal.BuildEgreso(fiscal.Draft{Serie: "NC", Folio: "1", Fecha: noon, LugarExpedicion: lugar}, invoice, credit, "Bonificación")
			if err == nil {
				doc.Acreditado = credit
				doc.ImpSaldoAnt -= credit
				doc.Impuestos = fiscal.ConEgreso(doc.Impuestos, note, big.NewRat(1, 1))
			}
		}
		doc.ImpPagado = doc.ImpSaldoAnt
		if doc.ImpSaldoAnt > 1 && g.r.IntN(2) == 0 {
			doc.ImpPagado = 1 + money.Minor(g.r.Int64N(int64(doc.ImpSaldoAnt-1)))
		}
		p.Monto += doc.ImpPagado
		p.Documentos = append(p.Documentos, doc)
	}
	if len(p.Documentos) == 0 {
		return g.global(t, i)
	}
	rep, err := fiscal.BuildPago(pagoDraft(p))
	if err != nil {
		t.Fatalf("%d: %v", i, err)
	}
	return rep
}

// inCents computes the total of a draft again, in integers and by the text of the guide: amounts
// in cents, tax of each rate on the sum of its bases. ok is false for drafts with prices that
// include tax or with promotions.
func inCents(d fiscal.Draft) (total int64, ok bool) {
	halfUp := func(n, d *big.Int) int64 {
		twice := new(big.Int).Add(new(big.Int).Lsh(n, 1), d)
		return twice.Quo(twice, new(big.Int).Lsh(d, 1)).Int64()
	}
	millionths := func(m money.Decimal) *big.Int {
		n, _ := new(big.Int).SetString(strings.Replace(m.Fixed(6), ".", "", 1), 10)
		return n
	}
	bases := map[fiscal.IVA]int64{}
	for _, l := range d.Lines {
		if l.TaxIncluded || l.ValorUnitario.Sign() < 0 {
			return 0, false
		}
		importe := halfUp(new(big.Int).Mul(millionths(l.Cantidad), millionths(l.ValorUnitario)), big.NewInt(10_000_000_000))
		bases[l.IVA] += importe - int64(l.Descuento)
		total += importe - int64(l.Descuento)
	}
	subject := bases[fiscal.IVA16] + bases[fiscal.IVA8] + bases[fiscal.IVA0] + bases[fiscal.IVAExento]
	for iva, rate := range map[fiscal.IVA]int64{fiscal.IVA16: 16, fiscal.IVA8: 8} {
		total += halfUp(big.NewInt(bases[iva]*rate), big.NewInt(100))
	}
	for _, r := range d.Retenciones {
		base := subject
		if r.Impuesto == fiscal.ImpuestoIVA {
			base = bases[fiscal.IVA16] + bases[fiscal.IVA8]
		}
		total -= halfUp(new(big.Int).Mul(big.NewInt(base), millionths(r.Tasa)), big.NewInt(1_000_000))
	}
	return total, true
}

// plan pays an invoice in parts, in its currency or in another.
func (g generator) plan(t *testing.T, invoice *fiscal.Comprobante, total money.Minor) []*fiscal.Comprobante {
	t.Helper()
	var out []*fiscal.Comprobante
	doc := paid(invoice, total)
	for part := 1; doc.ImpSaldoAnt > 0; part++ {
		doc.ImpPagado = doc.ImpSaldoAnt
		if part < 6 && doc.ImpSaldoAnt > 1 && g.r.IntN(4) > 0 {
			doc.ImpPagado = 1 + money.Minor(g.r.Int64N(int64(doc.ImpSaldoAnt-1)))
		}
		p := transfer(doc.ImpPagado)
		p.Moneda = money.Currency(invoice.Moneda)
		p.TipoCambio = invoice.TipoCambio.Decimal()
		if p.Moneda != money.MXN && g.r.IntN(2) == 0 { // paid in pesos
			p.Moneda = money.MXN
			p.Monto, _ = doc.ImpPagado.MulRate(money.Millionths(15_000_000 + g.r.Int64N(9_000_000)))
			doc.Aplicado = p.Monto
		}
		if g.r.IntN(5) == 0 && p.Moneda == money.Currency(invoice.Moneda) {
			p.Monto += money.Minor(g.r.Int64N(10_000)) // more than is owed
		}
		p.Documentos = []fiscal.DocumentoPagado{doc}
		d := pagoDraft(p)
		d.Emisor, d.Receptor = *invoice.Emisor, *invoice.Receptor
		rep, err := fiscal.BuildPago(d)
		if err != nil {
			t.Fatalf("%+v: %v", doc, err)
		}
		out = append(out, rep)
		doc = next(doc, rep, 0)
	}
	return out
}

func TestRandomDocuments(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(2026, 11))}
	e := newEnv(t, sandbox.Config{})
	const want, sealed = 10_000, 200
	var kinds = map[string]int{}
	var kept []*fiscal.Comprobante
	for i, n := 0, 0; n < want; i++ {
		for _, c := range g.documents(t, i) {
			n++
			kinds[c.TipoDeComprobante]++
			if c.InformacionGlobal != nil {
				kinds["global"]++
			}
			if p := c.Pagos(); p != nil && len(p.Pago[0].DoctoRelacionado) > 1 {
				kinds["together"]++
			}
			for _, v := range fiscal.Validate(c, fiscal.Options{Now: noon}).Refusals() {
				t.Errorf("document %d: %v", i, &v)
			}
			if n%(want/sealed) == 0 {
				kept = append(kept, c)
			}
			if t.Failed() {
				t.Fatalf("%+v", c)
			}
		}
	}
	for _, kind := range []string{"I", "E", "P", "global", "together"} {
		if kinds[kind] < want/30 {
			t.Errorf("only %d documents of type %s", kinds[kind], kind)
		}
	}
	for i, c := range kept[:sealed] {
		e.stamp(fmt.Sprintf("%03d-%s", i, c.TipoDeComprobante), c)
	}
	if !slices.ContainsFunc(kept, func(c *fiscal.Comprobante) bool { return c.Moneda == "USD" }) {
		t.Error("no document in dollars")
	}
	if testing.Short() {
		for name := range e.docs {
			if !strings.HasPrefix(name, "00") {
				delete(e.docs, name)
			}
		}
	}
	e.verify(4)
}
