package billing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// TaxTreatment says how IVA applies to a line.
type TaxTreatment string

// Tax treatments. NoObjeto is ObjetoImp 01; all others are ObjetoImp 02.
const (
	IVA16    TaxTreatment = "iva16"
	IVA8     TaxTreatment = "iva8" // border region decree
	IVA0     TaxTreatment = "iva0"
	Exento   TaxTreatment = "exento"
	NoObjeto TaxTreatment = "no_objeto"
)

var ivaRates = map[TaxTreatment]money.Decimal{
	IVA16: money.Must("0.16"), IVA8: money.Must("0.08"), IVA0: {}, Exento: {}, NoObjeto: {},
}

// Valid reports whether t is one of the treatments above.
func (t TaxTreatment) Valid() bool { _, ok := ivaRates[t]; return ok }

// Rate is the IVA rate (TasaOCuota); zero for IVA0, Exento and NoObjeto.
func (t TaxTreatment) Rate() money.Decimal { return ivaRates[t] }

// ObjetoImp is the SAT's code (c_ObjetoImp) of a line with this treatment.
func (t TaxTreatment) ObjetoImp() string {
	if t == NoObjeto {
		return "01"
	}
	return "02"
}

// Taxes (c_Impuesto) and factors (c_TipoFactor) of the SAT.
const (
	ImpuestoISR      = "001"
	ImpuestoIVA      = "002"
	TipoFactorTasa   = "Tasa"
	TipoFactorExento = "Exento"
)

// TaxDocument is what [Compute] needs to know of an invoice or credit note.
type TaxDocument struct {
	Currency money.Currency
	Lines    []TaxLine
	// AllowZeroTotal accepts a document whose total is 0, such as a free month: it can be
	// kept as an invoice but not as a CFDI. Without it a zero total is an error.
	AllowZeroTotal bool
}

// TaxLine is one line as it was agreed with the client.
type TaxLine struct {
	Quantity  money.Decimal // more than zero
	UnitPrice money.Decimal // in units of the currency; negative for a promotion or credit
	// Discount in minor units, on the same basis (with or without tax) as UnitPrice. From
	// zero to the amount of the line; zero on negative lines.
	Discount         money.Minor
	Treatment        TaxTreatment
	PriceIncludesTax bool
	// Rates withheld by the receiver, zero for none: ISR up to 0.35, IVA up to 0.16.
	RetencionISR, RetencionIVA money.Decimal
}

// TaxRow is a row of the summary node Impuestos, or of the taxes of one concept. Importe of
// the summary has the decimals of the currency, that of a concept up to six.
type TaxRow struct {
	Impuesto   string // ImpuestoISR or ImpuestoIVA
	TipoFactor string
	TasaOCuota money.Decimal // written with six decimals; absent when Exento
	Base       money.Decimal
	Importe    money.Decimal // absent when Exento
}

// LineTotals carries one Concepto of the CFDI, in the SAT's words. A negative line that
// became a discount of others has Absorbed set and is not a Concepto; neither is a free
// line (Importe zero), because ValorUnitario must be more than zero (CFDI40166).
type LineTotals struct {
	Cantidad, ValorUnitario, Importe, Descuento money.Decimal
	ObjetoImp                                   string
	Base                                        money.Decimal // Importe - Descuento
	Traslados, Retenciones                      []TaxRow
	Absorbed                                    bool
}

// IsConcepto reports whether the line is a Concepto of the CFDI.
func (l LineTotals) IsConcepto() bool { return !l.Absorbed && !l.Importe.IsZero() }

// Totals of a document. Amounts are in minor units of its currency; SummaryRow values are
// rounded once per tax, factor and rate.
type Totals struct {
	Lines                   []LineTotals // one per line of the document, in its order
	SubTotal, Descuento     money.Minor
	HasDescuento            bool // a concept has a discount, so the attribute is written (CFDI40111)
	Traslados               []SummaryRow
	Retenciones             []SummaryRow // one per tax
	TotalTraslados          money.Minor  // TotalImpuestosTrasladados
	HasTraslados            bool         // false when every traslado is Exento: the attribute is absent
	TotalRetenciones, Total money.Minor
	// NoCFDI is empty when a CFDI can be issued for the document, or one of the NoCFDI
	// reasons when it can only be an internal invoice.
	NoCFDI string
}

// Reasons of Totals.NoCFDI. A Base must be more than zero in a CFDI, and nothing may be negative.
const (
	NoCFDIZeroTotal    = "zero_total"
	NoCFDINegativeLine = "negative_line" // a negative line exceeds the positive lines of its treatment
	NoCFDIZeroBase     = "zero_base"     // a discount leaves nothing of a line
)

// SummaryRow is a row of the summary of taxes, rounded to the currency.
type SummaryRow struct {
	Impuesto, TipoFactor string
	TasaOCuota           money.Decimal
	Base, Importe        money.Minor
}

// Codes of [AmountError].
const (
	CodeEmpty               = "document_empty"
	CodeCurrency            = "currency_unknown"
	CodeQuantity            = "quantity_not_positive"
	CodeTreatment           = "tax_treatment_unknown"
	CodeDiscount            = "discount_out_of_range" // negative, above the line, or on a negative line
	CodeRoundsToZero        = "amount_rounds_to_zero" // quantity by price is less than half a cent
	CodeWithholding         = "withholding_out_of_range"
	CodeMixedWithholding    = "withholding_rates_mixed" // two rates of one withheld tax in a document
	CodeTotalNotPositive    = "total_not_positive"
	CodePaymentOutOfBalance = "payment_out_of_balance"
)

// AmountError is a problem with one value; Path names it, as in "lines[2].quantity". Code
// is one above or one of package money (money.CodeOverflow, money.CodeTooLarge).
type AmountError struct{ Path, Code string }

func (e *AmountError) Error() string { return e.Path + ": " + e.Code }

// AmountErrors lists every problem found.
type AmountErrors []*AmountError

func (es AmountErrors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets errors.As find the first AmountError.
func (es AmountErrors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// calculator keeps the first overflow, so that formulas read as formulas.
type calculator struct {
	cur money.Currency
	err error
}

func keep[T any](c *calculator, v T, err error) T {
	if err != nil && c.err == nil {
		c.err = err
	}
	return v
}

func (c *calculator) add(a, b money.Decimal) money.Decimal {
	v, err := a.Add(b)
	return keep(c, v, err)
}
func (c *calculator) sub(a, b money.Decimal) money.Decimal {
	v, err := a.Sub(b)
	return keep(c, v, err)
}
func (c *calculator) mul(a, b money.Decimal) money.Decimal {
	v, err := a.Mul(b)
	return keep(c, v, err)
}
func (c *calculator) div(a, b money.Decimal) money.Decimal {
	v, err := a.Div(b)
	return keep(c, v, err)
}
func (c *calculator) decimal(m money.Minor) money.Decimal {
	v, err := m.Decimal(c.cur)
	return keep(c, v, err)
}
func (c *calculator) minor(d money.Decimal) money.Minor {
	v, err := d.Minor(c.cur)
	return keep(c, v, err)
}
func (c *calculator) sum(ms ...money.Minor) money.Minor {
	v, err := money.Sum(ms...)
	return keep(c, v, err)
}

// working is a line on its way: amount and discount are in minor units, on the basis
// (with or without tax) of its unit price.
type working struct {
	TaxLine
	index            int
	amount, discount money.Minor
	absorbed         bool
}

// Compute calculates a document: SAT guide "Anexo 20", rounding questions 37 to 41. Tax is
// rounded once per rate and document, never per line, so that the summary equals rate by base.
//
//   - Prices without tax: Importe is quantity by price in cents, Base is Importe less
//     Descuento, the tax of a line keeps six decimals.
//   - Prices with tax included: the net of the line keeps six decimals; for a line alone,
//     Total equals its gross amount to the cent. Where ValorUnitario by Cantidad would lose
//     that, the line is written with Cantidad 1.
//   - Negative lines become Descuento of the positive lines with the same tax treatment,
//     withholding and price basis, in proportion, by the largest remainder in cents. Where
//     those do not suffice the line stays negative and NoCFDI says so.
//
// The order of lines does not change the totals. Errors are [AmountErrors].
func Compute(doc TaxDocument) (Totals, error) {
	lines, errs := prepare(doc)
	if len(errs) > 0 {
		return Totals{}, errs
	}
	var totals Totals
	absorbNegatives(lines, &totals)
	totals.Lines = make([]LineTotals, len(lines))
	for i := range lines {
		c := calculator{cur: doc.Currency}
		totals.Lines[i] = c.line(lines[i])
		if c.err != nil {
			return Totals{}, AmountErrors{amountError(fmt.Sprintf("lines[%d].unitPrice", i), c.err)}
		}
		if l := totals.Lines[i]; l.IsConcepto() && l.Base.IsZero() && totals.NoCFDI == "" {
			totals.NoCFDI = NoCFDIZeroBase
		}
	}
	c := calculator{cur: doc.Currency}
	c.summarize(&totals)
	if c.err != nil {
		return Totals{}, AmountErrors{amountError("total", c.err)}
	}
	switch {
	case totals.Total > money.MaxMinor:
		return Totals{}, AmountErrors{{"total", money.CodeTooLarge}}
	case totals.Total < 0 || totals.Total == 0 && !doc.AllowZeroTotal:
		return Totals{}, AmountErrors{{"total", CodeTotalNotPositive}}
	case totals.Total == 0:
		totals.NoCFDI = NoCFDIZeroTotal
	}
	return totals, nil
}

func amountError(path string, err error) *AmountError {
	if e, ok := errors.AsType[*money.Error](err); ok {
		return &AmountError{path, e.Code}
	}
	return &AmountError{path, money.CodeInvalid}
}

// prepare validates every line and reduces it to an amount in cents.
func prepare(doc TaxDocument) ([]working, AmountErrors) {
	var errs AmountErrors
	if !doc.Currency.Valid() {
		errs = append(errs, &AmountError{"currency", CodeCurrency})
	}
	if len(doc.Lines) == 0 {
		errs = append(errs, &AmountError{"lines", CodeEmpty})
	}
	var isr, iva money.Decimal
	lines := make([]working, len(doc.Lines))
	for i, l := range doc.Lines {
		fail := func(field, code string) {
			errs = append(errs, &AmountError{fmt.Sprintf("lines[%d].%s", i, field), code})
		}
		lines[i] = working{TaxLine: l, index: i, discount: l.Discount}
		if l.Quantity.Sign() <= 0 {
			fail("quantity", CodeQuantity)
			continue
		}
		amount, err := l.Quantity.MulMinor(l.UnitPrice, doc.Currency)
		if err != nil {
			fail("unitPrice", money.CodeOverflow)
			continue
		}
		if amount > money.MaxMinor || amount < -money.MaxMinor {
			fail("unitPrice", money.CodeTooLarge)
			continue
		}
		lines[i].amount = amount
		if amount == 0 && !l.UnitPrice.IsZero() {
			fail("quantity", CodeRoundsToZero)
		}
		if l.Discount < 0 || l.Discount > max(amount, 0) {
			fail("discount", CodeDiscount)
		}
		if !l.Treatment.Valid() {
			fail("treatment", CodeTreatment)
			continue
		}
		withhold := func(field string, rate, limit money.Decimal, seen *money.Decimal, allowed bool) {
			switch {
			case rate.IsZero():
			case rate.Sign() < 0 || rate.Cmp(limit) > 0 || !allowed:
				fail(field, CodeWithholding)
			case !seen.IsZero() && *seen != rate:
				fail(field, CodeMixedWithholding)
			default:
				*seen = rate
			}
		}
		withhold("retencionISR", l.RetencionISR, money.Must("0.35"), &isr, l.Treatment != NoObjeto)
		withhold("retencionIVA", l.RetencionIVA, l.Treatment.Rate(), &iva, l.Treatment.Rate().Sign() > 0)
	}
	return lines, errs
}

// pool names the lines among which a negative line may be spread.
type pool struct {
	treatment TaxTreatment
	isr, iva  money.Decimal
	gross     bool
}

// absorbNegatives turns negative lines into discounts of the positive lines of their pool.
func absorbNegatives(lines []working, totals *Totals) {
	pools := map[pool][]*working{}
	for i := range lines {
		l := &lines[i]
		p := pool{l.Treatment, l.RetencionISR, l.RetencionIVA, l.PriceIncludesTax}
		pools[p] = append(pools[p], l)
	}
	for _, members := range pools {
		// A fixed order, so that ties of the largest remainder do not depend on the order of lines.
		slices.SortFunc(members, func(a, b *working) int {
			return cmp.Or(-cmp.Compare(a.amount-a.discount, b.amount-b.discount), -cmp.Compare(a.amount, b.amount),
				a.Quantity.Cmp(b.Quantity), a.UnitPrice.Cmp(b.UnitPrice))
		})
		var positive, negative []*working
		var weights []money.Minor
		var available, credit int64 // both far from overflow: a sum is refused above MaxMinor
		for _, l := range members {
			switch rest := l.amount - l.discount; {
			case l.amount < 0:
				negative = append(negative, l)
				credit -= int64(l.amount)
			case rest > 0:
				positive = append(positive, l)
				weights = append(weights, rest)
				available += int64(rest)
			}
		}
		if len(negative) == 0 {
			continue
		}
		if credit > available {
			totals.NoCFDI = NoCFDINegativeLine
			continue
		}
		shares, err := money.Allocate(money.Minor(credit), weights)
		if err != nil { // credit <= available, so some weight is positive
			totals.NoCFDI = NoCFDINegativeLine
			continue
		}
		leaveSomething(shares, weights)
		for i, l := range positive {
			l.discount += shares[i]
		}
		for _, l := range negative {
			l.absorbed = true
		}
	}
}

// leaveSomething moves single cents from lines that a share would consume entirely to those
// with most left, because the Base of a Concepto must be more than zero.
func leaveSomething(shares, weights []money.Minor) {
	for i := range shares {
		if shares[i] < weights[i] {
			continue
		}
		richest := i
		for j := range shares {
			if weights[j]-shares[j] > weights[richest]-shares[richest] {
				richest = j
			}
		}
		if weights[richest]-shares[richest] < 2 {
			return // fewer cents than lines: reported as NoCFDIZeroBase
		}
		shares[i]--
		shares[richest]++
	}
}
