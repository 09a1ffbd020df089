package billing

import (
	"fmt"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// PaidDocument is what [SplitPayment] needs to know of the invoice that a payment pays.
type PaidDocument struct {
	Traslados, Retenciones []SummaryRow // of the invoice, see [Totals]
	Total                  money.Minor
	// Sum of BaseDR in earlier payments, per row and in the same order; nil means none.
	PaidTraslados, PaidRetenciones []money.Minor
}

// PaymentSplit is one DoctoRelacionado of the complement Pagos 2.0, in the currency of the
// invoice. In its rows Base is BaseDR and Importe is ImporteDR.
type PaymentSplit struct {
	ImpSaldoAnt, ImpPagado, ImpSaldoInsoluto money.Minor
	Traslados, Retenciones                   []SummaryRow
}

// SplitPayment divides the part impPagado of a payment over the tax rows of an invoice that
// still owes impSaldoAnt (SAT guide of the complement "Pagos", ImpuestosDR). BaseDR is the
// row's base in proportion to the payment, the remainder on the last payment; ImporteDR is
// always derived from BaseDR (CRP20261, CRP20254), so the sum of ImporteDR may differ by a
// cent from the tax of the invoice.
//
// Errors are [AmountErrors] with CodePaymentOutOfBalance: impPagado must be more than zero
// and at most impSaldoAnt (CRP20244), impSaldoAnt at most the total.
func SplitPayment(doc PaidDocument, impSaldoAnt, impPagado money.Minor) (PaymentSplit, error) {
	switch {
	case impSaldoAnt <= 0 || impSaldoAnt > doc.Total:
		return PaymentSplit{}, AmountErrors{{"impSaldoAnt", CodePaymentOutOfBalance}}
	case impPagado <= 0 || impPagado > impSaldoAnt:
		return PaymentSplit{}, AmountErrors{{"impPagado", CodePaymentOutOfBalance}}
	}
	split := PaymentSplit{ImpSaldoAnt: impSaldoAnt, ImpPagado: impPagado, ImpSaldoInsoluto: impSaldoAnt - impPagado}
	last := split.ImpSaldoInsoluto == 0
	divide := func(name string, rows []SummaryRow, paid []money.Minor) ([]SummaryRow, error) {
		var out []SummaryRow
		for i, r := range rows {
			rest := r.Base
			if i < len(paid) {
				rest -= paid[i]
			}
			base, err := r.Base.MulDiv(int64(impPagado), int64(doc.Total))
			// Many tiny payments, each rounded up, could exceed the base of the invoice.
			if last || base > rest {
				base = max(rest, 0)
			}
			tax, taxErr := base.MulRate(r.TasaOCuota)
			if err != nil || taxErr != nil {
				return nil, AmountErrors{{fmt.Sprintf("%s[%d]", name, i), money.CodeOverflow}}
			}
			r.Base, r.Importe = base, tax
			out = append(out, r)
		}
		return out, nil
	}
	var err error
	if split.Retenciones, err = divide("retenciones", doc.Retenciones, doc.PaidRetenciones); err != nil {
		return PaymentSplit{}, err
	}
	if split.Traslados, err = divide("traslados", doc.Traslados, doc.PaidTraslados); err != nil {
		return PaymentSplit{}, err
	}
	return split, nil
}
