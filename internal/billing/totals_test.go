package billing

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/internal/money"
)

func sale(quantity, price string, treatment TaxTreatment) TaxLine {
	return TaxLine{Quantity: money.Must(quantity), UnitPrice: money.Must(price), Treatment: treatment}
}

func repeat(l TaxLine, n int) []TaxLine { return slices.Repeat([]TaxLine{l}, n) }

func with(l TaxLine, change func(*TaxLine)) TaxLine { change(&l); return l }

func gross(l *TaxLine) { l.PriceIncludesTax = true }

func row(impuesto, factor, rate string, base, importe money.Minor) SummaryRow {
	return SummaryRow{impuesto, factor, money.Must(rate), base, importe}
}

func iva16(base, importe money.Minor) []SummaryRow {
	return []SummaryRow{row(ImpuestoIVA, TipoFactorTasa, "0.16", base, importe)}
}

// Amounts accepted by the SAT's validation rules for CFDI 4.0.
func TestCompute(t *testing.T) {
	for _, c := range []struct {
		name                       string
		currency                   money.Currency
		lines                      []TaxLine
		subTotal, descuento, total money.Minor
		traslados, retenciones     []SummaryRow
	}{
		{name: "two services", lines: []TaxLine{sale("1", "1499", IVA16), sale("1", "349.00", IVA16)},
			subTotal: 184800, total: 214368, traslados: iva16(184800, 29568)},
		{name: "tax with four decimals", lines: []TaxLine{sale("1", "12931.03", IVA16)},
			subTotal: 1293103, total: 1499999, traslados: iva16(1293103, 206896)},
		{name: "discount", lines: []TaxLine{with(sale("1", "1499", IVA16), func(l *TaxLine) { l.Discount = 29980 }), sale("1", "349", IVA16)},
			subTotal: 184800, descuento: 29980, total: 179591, traslados: iva16(154820, 24771)},
		{name: "withholdings", lines: []TaxLine{with(sale("1", "10000", IVA16), func(l *TaxLine) {
			l.RetencionISR, l.RetencionIVA = money.Must("0.1"), money.Must("0.106667")
		})},
			subTotal: 1000000, total: 953333, traslados: iva16(1000000, 160000),
			retenciones: []SummaryRow{row(ImpuestoISR, TipoFactorTasa, "0.1", 1000000, 100000), row(ImpuestoIVA, TipoFactorTasa, "0.106667", 1000000, 106667)}},
		{name: "border rate", lines: []TaxLine{sale("1", "1499", IVA8)}, subTotal: 149900, total: 161892,
			traslados: []SummaryRow{row(ImpuestoIVA, TipoFactorTasa, "0.08", 149900, 11992)}},
		{name: "every treatment", lines: []TaxLine{sale("1", "250", Exento), sale("1", "100", NoObjeto), sale("1", "500", IVA0), sale("1", "1499", IVA16)},
			subTotal: 234900, total: 258884, traslados: []SummaryRow{row(ImpuestoIVA, TipoFactorTasa, "0.16", 149900, 23984),
				row(ImpuestoIVA, TipoFactorTasa, "0", 50000, 0), row(ImpuestoIVA, TipoFactorExento, "0", 25000, 0)}},
		{name: "tax included", lines: []TaxLine{with(sale("1", "100", IVA16), gross), with(sale("3", "0.99", IVA16), gross)},
			subTotal: 8877, total: 10297, traslados: iva16(8877, 1420)},
		{name: "global", lines: []TaxLine{sale("1", "86.21", IVA16), sale("1", "1292.24", IVA16)},
			subTotal: 137845, total: 159900, traslados: iva16(137845, 22055)},
		{name: "dollars", currency: money.USD, lines: []TaxLine{sale("1", "49.99", IVA16)},
			subTotal: 4999, total: 5799, traslados: iva16(4999, 800)},
		{name: "credit note", lines: []TaxLine{sale("1", "500", IVA16)}, subTotal: 50000, total: 58000, traslados: iva16(50000, 8000)},
		{name: "tax rounded once", lines: repeat(sale("1", "33.33", IVA16), 7),
			subTotal: 23331, total: 27064, traslados: iva16(23331, 3733)},
		{name: "prorated quantity", lines: []TaxLine{sale("0.566667", "899", IVA16)},
			subTotal: 50943, total: 59094, traslados: iva16(50943, 8151)},
		{name: "promotion", lines: []TaxLine{sale("1", "300", IVA16), sale("1", "-200", IVA16), sale("1", "100", IVA16)},
			subTotal: 40000, descuento: 20000, total: 23200, traslados: iva16(20000, 3200)},
		{name: "promotion with tax included", lines: []TaxLine{with(sale("1", "348", IVA16), gross), with(sale("1", "-116", IVA16), gross)},
			subTotal: 30000, descuento: 10000, total: 23200, traslados: iva16(20000, 3200)},
		{name: "only exempt", lines: []TaxLine{sale("2", "50", Exento)}, subTotal: 10000, total: 10000,
			traslados: []SummaryRow{row(ImpuestoIVA, TipoFactorExento, "0", 10000, 0)}},
		{name: "a free line", lines: []TaxLine{sale("1", "0", IVA16), sale("1", "10", IVA16)}, subTotal: 1000, total: 1160, traslados: iva16(1000, 160)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.currency == "" {
				c.currency = money.MXN
			}
			got, err := Compute(TaxDocument{Currency: c.currency, Lines: c.lines})
			if err != nil {
				t.Fatal(err)
			}
			if got.SubTotal != c.subTotal || got.Descuento != c.descuento || got.Total != c.total {
				t.Errorf("SubTotal %d, Descuento %d, Total %d; want %d, %d, %d", got.SubTotal, got.Descuento, got.Total, c.subTotal, c.descuento, c.total)
			}
			if !reflect.DeepEqual(got.Traslados, c.traslados) || !reflect.DeepEqual(got.Retenciones, c.retenciones) {
				t.Errorf("taxes %+v %+v;\nwant %+v %+v", got.Traslados, got.Retenciones, c.traslados, c.retenciones)
			}
			if got.HasDescuento != (c.descuento > 0) || got.NoCFDI != "" {
				t.Errorf("HasDescuento %v, NoCFDI %q", got.HasDescuento, got.NoCFDI)
			}
			if wantAttribute := slices.ContainsFunc(c.traslados, func(r SummaryRow) bool { return r.TipoFactor == TipoFactorTasa }); got.HasTraslados != wantAttribute {
				t.Errorf("HasTraslados %v", got.HasTraslados)
			}
		})
	}
}

func TestComputeConcepto(t *testing.T) {
	got, err := Compute(TaxDocument{Currency: money.MXN, Lines: []TaxLine{
		with(sale("3", "0.99", IVA16), gross),
		with(sale("100000", "0.01", IVA16), gross), // written with Cantidad 1: the price would lose cents
		sale("1", "300", IVA8), sale("1", "-200", IVA8), sale("1", "100", IVA8),
		sale("1", "0", NoObjeto),
	}})
	if err != nil {
		t.Fatal(err)
	}
	type concepto struct{ cantidad, valor, importe, descuento, base, objeto, tax string }
	want := []concepto{
		{"3", "0.853448", "2.560344", "0", "2.560344", "02", "0.409655"},
		{"1", "862.068966", "862.068966", "0", "862.068966", "02", "137.931035"},
		{"1", "300", "300", "150", "150", "02", "12"},
		{"0", "0", "0", "0", "0", "02", ""},
		{"1", "100", "100", "50", "50", "02", "4"},
		{"1", "0", "0", "0", "0", "01", ""},
	}
	for i, l := range got.Lines {
		g := concepto{l.Cantidad.String(), l.ValorUnitario.String(), l.Importe.String(), l.Descuento.String(), l.Base.String(), l.ObjetoImp, ""}
		if len(l.Traslados) > 0 {
			g.tax = l.Traslados[0].Importe.String()
		}
		if g != want[i] {
			t.Errorf("line %d: %+v, want %+v", i, g, want[i])
		}
		if l.IsConcepto() != (i != 3 && i != 5) || l.Absorbed != (i == 3) {
			t.Errorf("line %d: IsConcepto %v, Absorbed %v", i, l.IsConcepto(), l.Absorbed)
		}
	}
}

func TestComputeNoCFDI(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []TaxLine
		reason string
		total  money.Minor
	}{
		{"promotion of everything", []TaxLine{sale("1", "300", IVA16), sale("1", "100", IVA16), sale("1", "-400", IVA16)}, NoCFDIZeroTotal, 0},
		{"promotion above its treatment", []TaxLine{sale("1", "100", IVA16), sale("1", "-150", IVA16), sale("1", "500", Exento)}, NoCFDINegativeLine, 44200},
		{"promotion without its treatment", []TaxLine{sale("1", "100", IVA16), sale("1", "-50", IVA0)}, NoCFDINegativeLine, 6600},
		{"a line given away", []TaxLine{sale("1", "100", IVA16), with(sale("1", "50", IVA16), func(l *TaxLine) { l.Discount = 5000 })}, NoCFDIZeroBase, 11600},
		{"one cent left for two lines", []TaxLine{sale("1", "1", Exento), sale("1", "1", Exento), sale("1", "-1.99", Exento)}, NoCFDIZeroBase, 1},
		{"a cent moved so that each line keeps one", []TaxLine{sale("1", "300", Exento), sale("1", "0.01", Exento), sale("1", "-299.99", Exento)}, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Compute(TaxDocument{Currency: money.MXN, Lines: c.lines, AllowZeroTotal: true})
			if err != nil || got.NoCFDI != c.reason || got.Total != c.total {
				t.Errorf("NoCFDI %q, Total %d, %v; want %q, %d", got.NoCFDI, got.Total, err, c.reason, c.total)
			}
		})
	}
}

func TestComputeErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		doc  TaxDocument
		want []AmountError
	}{
		{"empty", TaxDocument{}, []AmountError{{"currency", CodeCurrency}, {"lines", CodeEmpty}}},
		{"every field", TaxDocument{Currency: "GBP", Lines: []TaxLine{
			sale("0", "1", IVA16), sale("-1", "1", IVA16), sale("0.001", "1", IVA16), sale("1", "1", "iva99"),
			with(sale("1", "1", IVA16), func(l *TaxLine) { l.Discount = 101 }), with(sale("1", "1", IVA16), func(l *TaxLine) { l.Discount = -1 }),
			with(sale("1", "-1", IVA16), func(l *TaxLine) { l.Discount = 1 }),
			with(sale("1", "1", IVA16), func(l *TaxLine) { l.RetencionISR = money.Must("0.350001") }),
			with(sale("1", "1", Exento), func(l *TaxLine) { l.RetencionIVA = money.Must("0.1") }),
			with(sale("1", "1", NoObjeto), func(l *TaxLine) { l.RetencionISR = money.Must("0.1") }),
			with(sale("1", "1", IVA16), func(l *TaxLine) { l.RetencionISR = money.Must("0.1") }),
			with(sale("1", "1", IVA16), func(l *TaxLine) { l.RetencionISR = money.Must("0.0125") }),
		}}, []AmountError{{"currency", CodeCurrency}, {"lines[0].quantity", CodeQuantity}, {"lines[1].quantity", CodeQuantity}, {"lines[2].quantity", CodeRoundsToZero},
			{"lines[3].treatment", CodeTreatment}, {"lines[4].discount", CodeDiscount}, {"lines[5].discount", CodeDiscount}, {"lines[6].discount", CodeDiscount},
			{"lines[7].retencionISR", CodeWithholding}, {"lines[8].retencionIVA", CodeWithholding}, {"lines[9].retencionISR", CodeWithholding},
			{"lines[11].retencionISR", CodeMixedWithholding}}},
		{"overflow", TaxDocument{Currency: money.MXN, Lines: []TaxLine{sale("9000000000000", "9000000000000", IVA16)}}, []AmountError{{"lines[0].unitPrice", money.CodeOverflow}}},
		{"too large", TaxDocument{Currency: money.MXN, Lines: []TaxLine{sale("2", "9000000000000", IVA16)}}, []AmountError{{"lines[0].unitPrice", money.CodeTooLarge}}},
		{"sum too large", TaxDocument{Currency: money.MXN, Lines: repeat(sale("1", "9000000000000", IVA0), 2)}, []AmountError{{"total", money.CodeOverflow}}},
		{"total too large", TaxDocument{Currency: money.MXN, Lines: repeat(sale("1", "9000000000000", IVA16), 1)}, []AmountError{{"total", money.CodeTooLarge}}},
		{"zero", TaxDocument{Currency: money.MXN, Lines: []TaxLine{sale("1", "0", IVA16)}}, []AmountError{{"total", CodeTotalNotPositive}}},
		{"negative", TaxDocument{Currency: money.MXN, Lines: []TaxLine{sale("1", "-1", IVA16)}, AllowZeroTotal: true}, []AmountError{{"total", CodeTotalNotPositive}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compute(c.doc)
			var list AmountErrors
			if !errors.As(err, &list) {
				t.Fatalf("error is %v", err)
			}
			var got []AmountError
			for _, e := range list {
				got = append(got, *e)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
		})
	}
}

// drawLine makes plausible lines, with the awkward quantities and prices among them.
func drawLine(t *rapid.T) TaxLine {
	l := TaxLine{
		Treatment:        rapid.SampledFrom([]TaxTreatment{IVA16, IVA16, IVA8, IVA0, Exento, NoObjeto}).Draw(t, "treatment"),
		PriceIncludesTax: rapid.Bool().Draw(t, "gross"),
		UnitPrice:        money.Millionths(rapid.Int64Range(10_000, 50_000_000_000).Draw(t, "price")),
		Quantity:         money.Int(rapid.Int64Range(1, 40).Draw(t, "quantity")),
	}
	if rapid.Bool().Draw(t, "wholeCents") {
		p, _ := l.UnitPrice.Round(2)
		l.UnitPrice = p
	}
	if rapid.IntRange(0, 4).Draw(t, "fraction") == 0 {
		l.Quantity = money.Millionths(rapid.Int64Range(600_000, 3_000_000).Draw(t, "millionths"))
	}
	if rapid.IntRange(0, 3).Draw(t, "discounted") == 0 {
		l.Discount = money.Minor(rapid.Int64Range(0, 1).Draw(t, "discount"))
		if amount, _ := l.Quantity.MulMinor(l.UnitPrice, money.MXN); amount > 10 {
			l.Discount = money.Minor(rapid.Int64Range(0, int64(amount)-1).Draw(t, "discount"))
		}
	}
	if l.Treatment == IVA16 && rapid.IntRange(0, 4).Draw(t, "withheld") == 0 {
		l.RetencionISR, l.RetencionIVA = money.Must("0.0125"), money.Must("0.106667")
	}
	return l
}

func drawLines(t *rapid.T) []TaxLine {
	lines := rapid.SliceOfN(rapid.Custom(drawLine), 1, 12).Draw(t, "lines")
	for range rapid.IntRange(0, 2).Draw(t, "promotions") {
		of := rapid.SampledFrom(lines).Draw(t, "of")
		if amount, _ := of.Quantity.MulMinor(of.UnitPrice, money.MXN); amount < 100 || of.UnitPrice.Sign() < 0 {
			continue
		}
		of.UnitPrice, of.Discount = of.UnitPrice.Neg(), 0
		of.Quantity = money.Int(1)
		lines = append(lines, of)
	}
	return lines
}

// What a PAC checks: sums, formats, tolerances (CFDI40108, 40111, 40119, 40167, 40168, 40180, 40203, 40205, 40211, 40215, 40221).
func TestComputeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := TaxDocument{Currency: money.MXN, Lines: drawLines(t)}
		got, err := Compute(doc)
		if err != nil {
			var list AmountErrors
			if !errors.As(err, &list) {
				t.Fatal(err)
			}
			for _, e := range list {
				if e.Code != CodeTotalNotPositive && e.Code != CodeRoundsToZero {
					t.Fatalf("unexpected %v", e)
				}
			}
			return
		}
		var importe, descuento money.Decimal
		var traslados, retenciones money.Minor
		for _, l := range got.Lines {
			importe, _ = importe.Add(l.Importe)
			descuento, _ = descuento.Add(l.Descuento)
			if got.NoCFDI != "" || !l.IsConcepto() {
				continue
			}
			if l.ValorUnitario.Sign() <= 0 || l.Base.Sign() <= 0 || l.Descuento.Sign() < 0 || l.Descuento.Cmp(l.Importe) > 0 {
				t.Fatalf("not a concept: %+v", l)
			}
			if low, high := importeLimits(l.Cantidad, l.ValorUnitario, l.Importe.Decimals()); !within(l.Importe, low, high) {
				t.Fatalf("CFDI40167: %s x %s = %s outside %s..%s", l.Cantidad, l.ValorUnitario, l.Importe, low.FloatString(8), high.FloatString(8))
			}
			for _, r := range append(slices.Clone(l.Traslados), l.Retenciones...) {
				if low, high := taxLimits(r.Base, r.TasaOCuota, r.Importe.Decimals()); !within(r.Importe, low, high) {
					t.Fatalf("CFDI40180: %s x %s = %s", r.Base, r.TasaOCuota, r.Importe)
				}
			}
		}
		for _, r := range got.Traslados {
			traslados += r.Importe
		}
		for _, r := range got.Retenciones {
			retenciones += r.Importe
		}
		if sub, _ := importe.Minor(money.MXN); sub != got.SubTotal {
			t.Fatalf("SubTotal %d, lines %s", got.SubTotal, importe)
		}
		if d, _ := descuento.Minor(money.MXN); d != got.Descuento {
			t.Fatalf("Descuento %d, lines %s", got.Descuento, descuento)
		}
		if traslados != got.TotalTraslados || retenciones != got.TotalRetenciones || got.Total != got.SubTotal-got.Descuento+traslados-retenciones {
			t.Fatalf("totals do not add up: %+v", got)
		}
		for _, r := range append(slices.Clone(got.Traslados), got.Retenciones...) {
			rounded, _ := r.Base.MulRate(r.TasaOCuota) // both sides rounded: at most a cent apart
			if diff := rounded - r.Importe; diff > 1 || diff < -1 {
				t.Fatalf("summary tax %d is not %s of %d", r.Importe, r.TasaOCuota, r.Base)
			}
		}

		shuffled := TaxDocument{Currency: money.MXN, Lines: slices.Clone(doc.Lines)}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled.Lines), func(i, j int) {
			shuffled.Lines[i], shuffled.Lines[j] = shuffled.Lines[j], shuffled.Lines[i]
		})
		other, err := Compute(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		got.Lines, other.Lines = nil, nil
		if !reflect.DeepEqual(got, other) {
			t.Fatalf("order of lines changes the totals:\n%+v\n%+v", got, other)
		}
	})
}

// One rate, prices with tax: what the client was quoted is what the document charges.
func TestComputeGrossToTheCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		treatment := rapid.SampledFrom([]TaxTreatment{IVA16, IVA8, IVA0, Exento, NoObjeto}).Draw(t, "treatment")
		lines := rapid.SliceOfN(rapid.Custom(drawLine), 1, 12).Draw(t, "lines")
		var want money.Minor
		for i := range lines {
			l := &lines[i]
			l.Treatment, l.PriceIncludesTax = treatment, true
			l.RetencionISR, l.RetencionIVA = money.Decimal{}, money.Decimal{}
			amount, _ := l.Quantity.MulMinor(l.UnitPrice, money.MXN)
			want += amount - l.Discount
		}
		got, err := Compute(TaxDocument{Currency: money.MXN, Lines: lines})
		if err != nil {
			t.Skip(err)
		}
		if got.Total != want {
			t.Fatalf("Total %d, quoted %d", got.Total, want)
		}
	})
}

func rat(d money.Decimal) *big.Rat { r, _ := new(big.Rat).SetString(d.String()); return r }

func half(decimals int) *big.Rat { // 10^-decimals / 2
	return new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Mul(big.NewInt(2), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)))
}

var tiny = big.NewRat(1, 1_000_000_000_000)

// atDecimals truncates x, or rounds it up, to n decimals.
func atDecimals(x *big.Rat, n int, up bool) *big.Rat {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(unit))
	q, r := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	if up && r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(q, unit)
}

func importeLimits(q, v money.Decimal, decimals int) (low, high *big.Rat) {
	hq, hv := half(q.Decimals()), half(v.Decimals())
	low = new(big.Rat).Mul(new(big.Rat).Sub(rat(q), hq), new(big.Rat).Sub(rat(v), hv))
	upper := func(x, h *big.Rat) *big.Rat { s := new(big.Rat).Add(x, h); return s.Sub(s, tiny) }
	high = new(big.Rat).Mul(upper(rat(q), hq), upper(rat(v), hv))
	return atDecimals(low, decimals, false), atDecimals(high, decimals, true)
}

func taxLimits(base, rate money.Decimal, decimals int) (low, high *big.Rat) {
	h := half(base.Decimals())
	low = new(big.Rat).Mul(new(big.Rat).Sub(rat(base), h), rat(rate))
	top := new(big.Rat).Add(rat(base), h)
	high = new(big.Rat).Mul(top.Sub(top, tiny), rat(rate))
	return atDecimals(low, decimals, false), atDecimals(high, decimals, true)
}

func within(d money.Decimal, low, high *big.Rat) bool {
	return rat(d).Cmp(low) >= 0 && rat(d).Cmp(high) <= 0
}
