package fiscal_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// globals sets how often sales are summed up, and when documents are issued.
func (o *office) globals(periodicidad, when string) {
	o.Helper()
	issuer := kemper
	issuer.Periodicidad, issuer.When = periodicidad, when
	_, err := o.service.SaveIssuer(system(o.Context()), issuer)
	o.must(err)
}

// listed returns the global invoices, the oldest first.
func (o *office) listed() []db.CFDI {
	o.Helper()
	list, err := o.store.CFDIs(o.Context(), "", db.Page{First: db.MaxPage})
	o.must(err)
	rows := slices.DeleteFunc(list.Rows, func(c db.CFDI) bool { return c.Kind != db.CFDIGlobal })
	slices.Reverse(rows)
	return rows
}

// What nobody asked a document for in time falls into the global invoice of the month; what was asked for does not.
func TestGlobalInvoice(t *testing.T) {
	o := newOffice(t)
	o.globals("04", db.CFDIOnRequest)
	login := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	plain := o.pay(o.issue(hosting("86.21")), 10000, "p1")
	mixed := o.issue(hosting("1292.24"), billing.LineInput{Description: "Libro", Quantity: money.Int(1), UnitPrice: money.Must("500"), Treatment: billing.IVA0},
		billing.LineInput{Description: "Curso", Quantity: money.Int(1), UnitPrice: money.Must("250"), Treatment: billing.Exento},
		billing.LineInput{Description: "Seguro", Quantity: money.Int(1), UnitPrice: money.Must("100"), Treatment: billing.NoObjeto})
	o.credit(mixed, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("100.00")}})
	mixed, err := o.billing.RecordPayment(system(t.Context()), billing.PaymentInput{InvoiceID: mixed.ID, Amount: mixed.Total - 11600, Method: "card", RequestKey: "p2"})
	o.must(err)
	included := o.issue(billing.LineInput{Description: "Hospedaje", Quantity: money.Int(3), UnitPrice: money.Must("0.99"), PriceIncludesTax: true})
	included = o.pay(included, included.Total, "p3")
	own := o.issue(hosting("500.00"))
	own = o.pay(own, own.Total, "p4")
	unpaid := o.issue(hosting("700.00"))
	credited := o.issue(hosting("300.00"))
	o.credit(credited, billing.CreditNoteInput{})
	o.profile()
	if _, err := o.service.RequestCFDI(login, fiscal.RequestInput{InvoiceID: own.ID}); err != nil {
		t.Fatal(err)
	}
	o.work()
	o.must(o.service.IssueGlobals(system(t.Context())))
	if len(o.listed()) != 0 {
		t.Fatal("a global invoice before the month has ended")
	}
	o.clock = time.Date(2026, 12, 1, 5, 59, 59, 0, time.UTC) // one second before midnight in central Mexico
	o.must(o.service.IssueGlobals(system(t.Context())))
	if len(o.listed()) != 0 {
		t.Fatal("a global invoice before the month has ended")
	}
	asked, err := o.service.Askings(login, plain.ID, unpaid.ID)
	if err != nil || asked[plain.ID].InGlobal || !asked[plain.ID].Until.Equal(o.clock) || !asked[unpaid.ID].Until.IsZero() {
		t.Errorf("%+v %v", asked, err)
	}
	o.clock = o.clock.Add(time.Minute)
	for range 2 { // asked for again, it adds nothing
		o.must(o.service.IssueGlobals(system(t.Context())))
		o.work()
	}
	rows := o.listed()
	if len(rows) != 1 || rows[0].Status != db.CFDIStamped || rows[0].ClientID != 0 || rows[0].PeriodStart != "2026-11-01" {
		t.Fatalf("%+v", rows)
	}
	c := o.parse(rows[0].ID)
	// 100.00 + (1499.00 + 500 + 250 + 100) + 2.97
	if c.Total != "2451.97" || c.TipoDeComprobante != "I" || c.Serie != "G" || c.MetodoPago != "PUE" || c.FormaPago != "04" || c.Moneda != "MXN" || len(c.Conceptos) != 3 ||
		*c.InformacionGlobal != (fiscal.InformacionGlobal{Periodicidad: "04", Meses: "11", Año: "2026"}) ||
		*c.Receptor != fiscal.PublicoEnGeneral("42501") || c.Conceptos[0].NoIdentificacion != plain.Number || c.Conceptos[0].Descripcion != "Venta" || c.Conceptos[0].ClaveProdServ != "01010101" {
		t.Errorf("%+v %+v", c, c.InformacionGlobal)
	}
	// The credit note of a sale in it is related to it.
	notes := o.stamped(mixed, db.CFDIEgreso)
	if len(notes) != 1 || notes[0].Receptor.Rfc != fiscal.RfcGenericoNacional || notes[0].Relacionados("01")[0] != c.Timbre().UUID || notes[0].Total != "116.00" || notes[0].Receptor.UsoCFDI != "S01" {
		t.Errorf("%+v", notes)
	}
	// Its sales have no document of their own any more, whoever asks.
	for _, ctx := range []func() error{
		func() error {
			_, err := o.service.RequestCFDI(login, fiscal.RequestInput{InvoiceID: plain.ID})
			return err
		},
		func() error {
			_, err := o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: plain.ID})
			return err
		},
	} {
		if f, ok := fault.As(ctx()); !ok || f.Code != "FISCAL_IN_GLOBAL" {
			t.Error(f)
		}
	}
	if asked, _ = o.service.Askings(login, plain.ID); !asked[plain.ID].InGlobal {
		t.Error("the client is not told")
	}
	if _, err := o.service.Document(login, rows[0].ID); !fault.Is(err, fault.NotFound) {
		t.Error("a client sees a document of other clients' sales", err)
	}
	if file, err := o.service.Open(system(t.Context()), rows[0].ID, fiscal.FormatPDF); err != nil || len(file.Data) < 1000 {
		t.Error(err)
	}
	// Cancelled, it frees its sales: one of them gets its own document, the rest a new global invoice.
	row, err := o.store.CFDI(t.Context(), rows[0].ID)
	o.must(err)
	row.Status = db.CFDICancelled
	o.must(o.store.SaveCFDI(t.Context(), &row))
	if _, err := o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: plain.ID}); err != nil {
		t.Fatal(err)
	}
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	if rows = o.listed(); len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	if again := o.parse(rows[1].ID); again.Total != "2351.97" || len(again.Conceptos) != 2 || again.InformacionGlobal.Meses != "11" {
		t.Errorf("%+v", again)
	}
	if len(o.stamped(plain, db.CFDIIngreso)) != 1 || len(o.documents(unpaid)) != 0 || len(o.documents(included)) != 0 {
		t.Error("own documents")
	}
	o.verify(t, 5)
}

// The sales of a client whose documents are automatic never fall into a global invoice when its data are there.
func TestGlobalAfterAutomatic(t *testing.T) {
	o := newOffice(t)
	o.globals("04", db.CFDIOnPayment)
	other := dbtest.Client(t, o.store, "Sin datos", "sin@datos.example")
	late := o.pay(o.issue(hosting("100.00")), 11600, "p1")
	row, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: other.ID, DueDate: "2026-12-10", Currency: money.MXN, Lines: []billing.LineInput{hosting("10.00")}})
	o.must(err)
	o.pay(row, row.Total, "p2")
	o.work()
	o.profile() // the data were completed, and nobody asked
	o.clock = time.Date(2026, 12, 2, 18, 0, 0, 0, time.UTC)
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	if got := o.stamped(late, db.CFDIIngreso); len(got) != 1 || got[0].Receptor.Rfc != "URE180429TM6" {
		t.Errorf("%+v", got)
	}
	if rows := o.listed(); len(rows) != 1 || o.parse(rows[0].ID).Total != "11.60" {
		t.Errorf("%+v", rows)
	}
	o.verify(t, 2)
}

// Dollars are summed up in pesos, at each invoice's own rate.
func TestGlobalOfDollars(t *testing.T) {
	o := newOffice(t)
	o.globals("01", db.CFDIOnRequest)
	_, err := o.billing.SetExchangeRate(system(t.Context()), billing.ExchangeRateInput{Currency: money.USD, Day: "2026-11-19", Rate: money.Must("18.4521"), Source: "DOF"})
	o.must(err)
	invoice, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10", Currency: money.USD, Lines: []billing.LineInput{hosting("49.99")}})
	o.must(err)
	o.pay(invoice, invoice.Total, "p")
	o.clock = o.clock.Add(24 * time.Hour)
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	c := o.parse(o.listed()[0].ID)
	// 49.99 by 18.4521 is 922.42; 16 % of it is 147.59
	if c.SubTotal != "922.42" || c.Total != "1070.01" || c.Moneda != "MXN" || *c.InformacionGlobal != (fiscal.InformacionGlobal{Periodicidad: "01", Meses: "11", Año: "2026"}) {
		t.Errorf("%+v", c)
	}
	o.verify(t, 1)
}

// The end of the period is the end of the time to ask.
func TestWindow(t *testing.T) {
	paid := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC) // a Friday
	for periodicidad, want := range map[string]date.Date{"": "2026-11-30", "01": "2026-11-20", "02": "2026-11-22", "03": "2026-11-30", "04": "2026-11-30", "05": "2026-12-31"} {
		got := fiscal.Window(db.Invoice{PaidAt: &paid}, db.FiscalIssuer{Periodicidad: periodicidad})
		if date.Of(got, fiscal.ZonaCentro()) != want || got.In(fiscal.ZonaCentro()).Format("15:04:05") != "23:59:59" {
			t.Errorf("%q: %s, want %s", periodicidad, got, want)
		}
	}
	first := time.Date(2026, 12, 2, 18, 0, 0, 0, time.UTC)
	for periodicidad, want := range map[string]date.Date{"02": "2026-12-06", "03": "2026-12-15", "05": "2026-12-31"} {
		if got := date.Of(fiscal.Window(db.Invoice{PaidAt: &first}, db.FiscalIssuer{Periodicidad: periodicidad}), fiscal.ZonaCentro()); got != want {
			t.Errorf("%q: %s, want %s", periodicidad, got, want)
		}
	}
	last := time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC) // a Monday whose week ends with the month
	if got := date.Of(fiscal.Window(db.Invoice{PaidAt: &last}, db.FiscalIssuer{Periodicidad: "02"}), fiscal.ZonaCentro()); got != "2026-11-30" {
		t.Error(got)
	}
	if !fiscal.Window(db.Invoice{}, db.FiscalIssuer{Periodicidad: "04"}).IsZero() {
		t.Error("a window of an unpaid invoice")
	}
}

// A sale belongs to the month of its payment in central Mexico, to the second, also where the year ends.
func TestGlobalAtTheEndOfAMonth(t *testing.T) {
	o := newOffice(t)
	o.globals("04", db.CFDIOnRequest)
	want := map[string]fiscal.InformacionGlobal{}
	for _, c := range []struct {
		paid       time.Time
		meses, año string
	}{
		{time.Date(2026, 12, 1, 5, 59, 59, 0, time.UTC), "11", "2026"}, {time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC), "12", "2026"},
		{time.Date(2027, 1, 1, 5, 59, 59, 0, time.UTC), "12", "2026"}, {time.Date(2027, 1, 1, 6, 0, 0, 0, time.UTC), "01", "2027"},
	} {
		o.clock = c.paid
		sale, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2027-02-10", Lines: []billing.LineInput{hosting("100.00")}})
		o.must(err)
		sale = o.pay(sale, 11600, c.paid.String())
		want[sale.Number] = fiscal.InformacionGlobal{Periodicidad: "04", Meses: c.meses, Año: c.año}
		o.must(o.service.IssueGlobals(system(t.Context()))) // at the sale's own moment: of earlier months alone
		o.work()
	}
	o.clock = time.Date(2027, 2, 1, 6, 0, 0, 0, time.UTC)
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	got := map[string]fiscal.InformacionGlobal{}
	for _, row := range o.listed() {
		c := o.parse(row.ID)
		for _, x := range c.Conceptos {
			if _, twice := got[x.NoIdentificacion]; twice {
				t.Error(x.NoIdentificacion, "is in two global invoices")
			}
			got[x.NoIdentificacion] = *c.InformacionGlobal
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	o.verify(t, 3)
}

// Clients ask in the last second of the month while the global invoice is made in the first one of the next, in two
// processes: each sale ends in exactly one document, its own or the global one, and whoever is refused is told why.
func TestAutofacturaAgainstGlobal(t *testing.T) {
	o := newOffice(t)
	o.globals("04", db.CFDIOnRequest)
	o.profile()
	login := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	midnight := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	before, after := *o.service, *o.service
	before.Now = func() time.Time { return midnight.Add(-time.Second) }
	after.Now = func() time.Time { return midnight }
	sales := make([]db.Invoice, 20)
	for i := range sales {
		sales[i] = o.pay(o.issue(hosting("100.00")), 11600, strconv.Itoa(i))
	}
	o.work()
	asked := make([]error, len(sales))
	request := func(i int) {
		_, asked[i] = before.RequestCFDI(login, fiscal.RequestInput{InvoiceID: sales[i].ID})
	}
	// The makers of the global invoice have chosen its sales, and wait, while the first half of them is asked for; the
	// second half is asked for as they go on.
	held, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		if err := o.store.InTx(t.Context(), func(tx *db.Store) error {
			defer func() { <-release }()
			defer close(held)
			return tx.Lock(t.Context(), "fiscal global")
		}); err != nil {
			t.Error(err)
		}
	})
	<-held
	for range 2 {
		group.Go(func() {
			if err := after.IssueGlobals(system(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	for i := range len(sales) / 2 {
		request(i)
	}
	close(release)
	for i := len(sales) / 2; i < len(sales); i++ {
		group.Go(func() { request(i) })
	}
	group.Wait()
	o.clock = midnight
	o.work()
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()

	summed := map[string]int{}
	for _, row := range o.listed() {
		for _, x := range o.parse(row.ID).Conceptos {
			summed[x.NoIdentificacion]++
		}
	}
	var own int
	for i, sale := range sales {
		mine := len(o.stamped(sale, db.CFDIIngreso))
		if mine+summed[sale.Number] != 1 {
			t.Errorf("%s has %d documents of its own and is in %d global ones", sale.Number, mine, summed[sale.Number])
		}
		if f, refused := fault.As(asked[i]); (mine == 1) == (asked[i] != nil) || refused && f.Code != "FISCAL_IN_GLOBAL" {
			t.Errorf("%s: %d, %v", sale.Number, mine, asked[i])
		}
		own += mine
	}
	t.Logf("%d of %d sales have a document of their own", own, len(sales))
}

// The month ends where the issuer is: in Tijuana two hours after Mexico City in winter, in Cancún one before. Clients can
// ask until then, the sale falls into that month's global invoice, and that is dated in the new month.
func TestMonthEndsWhereTheIssuerIs(t *testing.T) {
	for name, c := range map[string]struct {
		lugar string
		end   time.Time // of November 2026
	}{
		"Ciudad de México": {"06300", time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)},
		"Tijuana":          {"22000", time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)},
		"Hermosillo":       {"83000", time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC)},
		"Cancún":           {"77500", time.Date(2026, 12, 1, 5, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := kemper
			issuer.LugarExpedicion, issuer.Periodicidad, issuer.When = c.lugar, "04", db.CFDIOnRequest
			o := newOfficeOf(t, issuer)
			o.clock = c.end.Add(-time.Second)
			november := o.issue(hosting("100.00"))
			november = o.pay(november, november.Total, "n")
			login := access.With(t.Context(), actor(o.client.ID, access.Invoices))
			askings, err := o.service.Askings(login, november.ID)
			o.must(err)
			if until := askings[november.ID].Until; !until.Equal(o.clock) || until.Format("2006-01-02 15:04:05") != "2026-11-30 23:59:59" {
				t.Errorf("until %s", until)
			}
			o.clock = c.end
			december := o.issue(hosting("200.00"))
			december = o.pay(december, december.Total, "d")
			if _, err := o.service.RequestCFDI(login, fiscal.RequestInput{InvoiceID: november.ID, ProfileID: o.profile().ID}); err == nil || !strings.Contains(err.Error(), "FISCAL_WINDOW_CLOSED") {
				t.Error(err)
			}
			o.clock = c.end.Add(time.Minute)
			o.must(o.service.IssueGlobals(system(t.Context())))
			o.work()
			rows := o.listed()
			if len(rows) != 1 {
				t.Fatalf("%d global invoices", len(rows))
			}
			doc := o.parse(rows[0].ID)
			if doc.Total != "116.00" || *doc.InformacionGlobal != (fiscal.InformacionGlobal{Periodicidad: "04", Meses: "11", Año: "2026"}) || doc.Fecha != "2026-12-01T00:01:00" || doc.LugarExpedicion != c.lugar {
				t.Errorf("%+v %+v", doc, doc.InformacionGlobal)
			}
			if got, err := o.service.Askings(login, december.ID); err != nil || got[december.ID].Until.Format("2006-01-02") != "2026-12-31" || got[december.ID].InGlobal {
				t.Errorf("%+v %v", got, err)
			}
			o.clock = c.end.Add(-time.Hour)
			o.verify(t, 1)
		})
	}
}

// The last year in which a document can be cancelled counts from its own date, where it was issued.
func TestCancelBeforeWhereTheIssuerIs(t *testing.T) {
	issuer := kemper
	issuer.LugarExpedicion = "22000"
	o := newOfficeOf(t, issuer)
	o.profile()
	invoice := o.issue()
	o.clock = time.Date(2027, 1, 1, 7, 30, 0, 0, time.UTC) // 23:30 on 31 December in Tijuana, 1:30 in Mexico City
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	if c := o.parse(row.ID); c.Fecha != "2026-12-31T23:30:00" {
		t.Fatal(c.Fecha)
	}
	if got := fiscal.CancelBefore(row); got.Format("2006-01-02") != "2027-03-31" {
		t.Error(got)
	}
}
