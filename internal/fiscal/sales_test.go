package fiscal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// sale is something that is invoiced.
type sale struct {
	name   string
	in     billing.IssueInput
	total  fiscal.Num // "" where it does not matter
	abroad bool
	person bool // only for issuers whose clients withhold taxes
}

func sales() []sale {
	with := func(change func(*billing.LineInput)) []billing.LineInput {
		l := hosting("1000.00")
		change(&l)
		return []billing.LineInput{l}
	}
	long := strings.Repeat("Hospedaje Ñandú & Cía. «año» <2027> \"x\" ", 40)
	return []sale{
		{name: "16 %", in: lines(hosting("1499.00"), hosting("349.00")), total: "2143.68"},
		{name: "8 % at the border", in: lines(priced("1499.00", billing.IVA8)), total: "1618.92"},
		{name: "0 %", in: lines(priced("1499.00", billing.IVA0)), total: "1499.00"},
		{name: "exempt", in: lines(priced("1499.00", billing.Exento)), total: "1499.00"},
		{name: "no tax object", in: lines(priced("1499.00", billing.NoObjeto)), total: "1499.00"},
		{name: "all rates", in: lines(hosting("1499.00"), priced("333.33", billing.IVA8), priced("500.00", billing.IVA0), priced("250.00", billing.Exento), priced("100.00", billing.NoObjeto)), total: "2948.84"},
		{name: "discount", in: lines(with(func(l *billing.LineInput) { l.Discount = 33333 })...), total: "773.34"},
		{name: "tax included", in: lines(with(func(l *billing.LineInput) {
			l.UnitPrice, l.Quantity, l.PriceIncludesTax = money.Must("0.99"), money.Int(7), true
		})...)},
		{name: "fractions", in: lines(with(func(l *billing.LineInput) { l.UnitPrice, l.Quantity = money.Must("899"), money.Must("0.566667") })...), total: "590.94"},
		{name: "names and 1000 characters", in: lines(with(func(l *billing.LineInput) { l.Description = string([]rune(long)[:1000]) })...), total: "1160.00"},
		{name: "fees of a person", person: true, in: lines(with(func(l *billing.LineInput) {
			l.RetencionISR, l.RetencionIVA = money.Must("0.1"), money.Must("0.106667")
		})...), total: "953.33"},
		{name: "freight", person: true, in: lines(with(func(l *billing.LineInput) {
			l.RetencionIVA, l.ClaveProdServ = money.Must("0.04"), "78101800"
		})...), total: "1120.00"},
		{name: "dollars", in: billing.IssueInput{Currency: money.USD, Lines: []billing.LineInput{hosting("49.99")}}, total: "57.99"},
		{name: "abroad", abroad: true, in: billing.IssueInput{Currency: money.USD, Lines: []billing.LineInput{priced("49.99", billing.IVA0), hosting("10.00")}}, total: "61.59"},
	}
}

// makers are how a sale becomes documents: each returns how many there must be of the kinds that it makes.
var makers = map[string]func(t *testing.T, o *office, s sale) (db.Invoice, map[string]int){
	"paid, then credited": func(t *testing.T, o *office, s sale) (db.Invoice, map[string]int) {
		invoice := o.sell(s)
		invoice = o.pay(invoice, invoice.Total, "p")
		o.work()
		if c := o.stamped(invoice, db.CFDIIngreso); len(c) != 1 || c[0].MetodoPago != "PUE" || c[0].FormaPago != "03" || s.total != "" && c[0].Total != s.total {
			t.Fatalf("%+v", c)
		}
		l := s.in.Lines[0]
		l.Discount, l.Quantity, l.UnitPrice = 0, money.Int(1), money.Must("0.50")
		o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{l}, Reason: "Bonificación"})
		o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{l}, Reason: "Devolución", Return: true})
		o.work()
		return invoice, map[string]int{db.CFDIIngreso: 1, db.CFDIEgreso: 2}
	},
	"on credit, three receipts": func(t *testing.T, o *office, s sale) (db.Invoice, map[string]int) {
		o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
		invoice := o.sell(s)
		o.work()
		if c := o.stamped(invoice, db.CFDIIngreso); len(c) != 1 || c[0].MetodoPago != "PPD" || c[0].FormaPago != "99" || s.total != "" && c[0].Total != s.total {
			t.Fatalf("%+v", c)
		}
		for i, part := range []money.Minor{invoice.Total / 3, 1, invoice.Total - invoice.Total/3 - 1} {
			o.receive(part, fmt.Sprint("p", i), billing.Allocation{InvoiceID: invoice.ID, Amount: part})
			o.work()
		}
		receipts := o.stamped(invoice, db.CFDIPago)
		if len(receipts) != 3 || receipts[2].Pagos().Pago[0].DoctoRelacionado[0].ImpSaldoInsoluto != "0.00" || receipts[2].Pagos().Pago[0].DoctoRelacionado[0].NumParcialidad != "3" {
			t.Errorf("%d receipts", len(receipts))
		}
		return invoice, map[string]int{db.CFDIIngreso: 1, db.CFDIPago: 3}
	},
	"on credit, credited, paid": func(t *testing.T, o *office, s sale) (db.Invoice, map[string]int) {
		o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
		invoice := o.sell(s)
		o.work()
		l := s.in.Lines[len(s.in.Lines)-1]
		l.Discount, l.Quantity, l.UnitPrice = 0, money.Int(1), money.Must("1.00")
		note := o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{l}, Reason: "Bonificación"})
		o.work()
		left := invoice.Total - note.Total
		o.receive(left, "p", billing.Allocation{InvoiceID: invoice.ID, Amount: left})
		o.work()
		return invoice, map[string]int{db.CFDIIngreso: 1, db.CFDIEgreso: 1, db.CFDIPago: 1}
	},
	"of the public": func(t *testing.T, o *office, s sale) (db.Invoice, map[string]int) {
		issuer, err := o.service.Issuer(system(t.Context()))
		o.must(err)
		in := kemper
		in.Rfc, in.Nombre, in.RegimenFiscal = issuer.Rfc, issuer.Nombre, issuer.RegimenFiscal
		in.Periodicidad, in.When = "01", db.CFDIOnRequest
		_, err = o.service.SaveIssuer(system(t.Context()), in)
		o.must(err)
		invoice := o.sell(s)
		o.pay(invoice, invoice.Total, "p")
		o.clock = o.clock.Add(24 * time.Hour)
		o.must(o.service.IssueGlobals(system(t.Context())))
		o.work()
		if c := o.listed(); len(c) != 1 {
			t.Fatalf("%d global invoices", len(c))
		}
		return invoice, nil
	},
}

func (o *office) sell(s sale) db.Invoice {
	o.Helper()
	in := s.in
	in.ClientID, in.DueDate = o.client.ID, "2026-12-10"
	invoice, err := o.billing.IssueInvoice(system(o.Context()), in)
	o.must(err)
	return invoice
}

// TestSales takes everything that can be sold through everything that can become of it, from the invoice to documents that the
// SAT's verifier accepts.
func TestSales(t *testing.T) {
	xochilt := fiscal.IssuerInput{Rfc: "CACX7605101P8", Nombre: "Xochilt Casas Chavez", RegimenFiscal: "612", LugarExpedicion: "42501"}
	for how, makes := range makers {
		for i, s := range sales() {
			if testing.Short() && i%5 != 0 || s.person && how == "of the public" { // the public withholds nothing
				continue
			}
			t.Run(how+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				issuer := kemper
				if s.person {
					issuer = xochilt
				}
				o := newOfficeOf(t, issuer)
				_, err := o.billing.SetExchangeRate(system(t.Context()), billing.ExchangeRateInput{Currency: money.USD, Day: date.Of(o.clock, time.UTC), Rate: money.Must("18.4521"), Source: "DOF"})
				o.must(err)
				switch {
				case s.abroad:
					o.client = foreign(o)
				case how != "of the public":
					o.profile()
				}
				invoice, want := makes(t, o, s)
				got := map[string]int{}
				for _, c := range o.documents(invoice) {
					if c.Status == db.CFDIStamped {
						got[c.Kind]++
					} else {
						t.Errorf("%s is %s: %s %s", c.Kind, c.Status, c.Code, c.Message)
					}
				}
				for kind, n := range want {
					if got[kind] != n {
						t.Errorf("%d of %s, want %d", got[kind], kind, n)
					}
				}
				for _, c := range o.stamped(invoice, db.CFDIIngreso) {
					if s.abroad != (c.Receptor.ResidenciaFiscal == "USA") || (s.in.Currency == money.USD) != (c.TipoCambio == "18.4521") ||
						s.person != (c.Impuestos != nil && c.Impuestos.Retenciones != nil) {
						t.Errorf("%+v %s", c.Receptor, c.TipoCambio)
					}
				}
				o.verify(t, 1)
			})
		}
	}
}
