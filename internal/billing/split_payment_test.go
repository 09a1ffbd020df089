package billing

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/internal/money"
)

func TestSplitPayment(t *testing.T) {
	doc := PaidDocument{Traslados: iva16(1293103, 206896), Total: 1499999}
	first, err := SplitPayment(doc, 1499999, 500000)
	want := PaymentSplit{ImpSaldoAnt: 1499999, ImpPagado: 500000, ImpSaldoInsoluto: 999999, Traslados: iva16(431035, 68966)}
	if err != nil || !reflect.DeepEqual(first, want) {
		t.Errorf("first payment %+v, %v", first, err)
	}
	doc.PaidTraslados = []money.Minor{431035}
	last, err := SplitPayment(doc, 999999, 999999)
	want = PaymentSplit{ImpSaldoAnt: 999999, ImpPagado: 999999, Traslados: iva16(862068, 137931)}
	if err != nil || !reflect.DeepEqual(last, want) {
		t.Errorf("last payment %+v, %v", last, err)
	}
	for _, c := range []struct {
		saldo, pagado money.Minor
		path          string
	}{{1499999, 1500000, "impPagado"}, {1499999, 0, "impPagado"}, {10, -1, "impPagado"}, {0, 1, "impSaldoAnt"}, {1500000, 1, "impSaldoAnt"}} {
		var e *AmountError
		if _, err := SplitPayment(doc, c.saldo, c.pagado); !errors.As(err, &e) || *e != (AmountError{c.path, CodePaymentOutOfBalance}) {
			t.Errorf("saldo %d, pagado %d: %v", c.saldo, c.pagado, err)
		}
	}
}

// However an invoice is paid, the bases of its payments add up to its own.
func TestSplitPaymentAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals, err := Compute(TaxDocument{Currency: money.MXN, Lines: drawLines(t)})
		if err != nil || totals.NoCFDI != "" {
			t.Skip(err)
		}
		doc := PaidDocument{Traslados: totals.Traslados, Retenciones: totals.Retenciones, Total: totals.Total,
			PaidTraslados: make([]money.Minor, len(totals.Traslados)), PaidRetenciones: make([]money.Minor, len(totals.Retenciones))}
		for balance := totals.Total; balance > 0; {
			paid := money.Minor(rapid.Int64Range(1, int64(balance)).Draw(t, "paid"))
			split, err := SplitPayment(doc, balance, paid)
			if err != nil {
				t.Fatal(err)
			}
			add := func(rows []SummaryRow, sums []money.Minor) {
				for i, r := range rows {
					if low, high := taxLimits(decimalOf(r.Base), r.TasaOCuota, 2); r.Base < 0 || !within(decimalOf(r.Importe), low, high) {
						t.Fatalf("CRP20261: %+v", r)
					}
					sums[i] += r.Base
				}
			}
			add(split.Traslados, doc.PaidTraslados)
			add(split.Retenciones, doc.PaidRetenciones)
			balance = split.ImpSaldoInsoluto
		}
		for i, r := range totals.Traslados {
			if doc.PaidTraslados[i] != r.Base {
				t.Fatalf("row %d: paid %d of %d", i, doc.PaidTraslados[i], r.Base)
			}
		}
		for i, r := range totals.Retenciones {
			if doc.PaidRetenciones[i] != r.Base {
				t.Fatalf("row %d: paid %d of %d", i, doc.PaidRetenciones[i], r.Base)
			}
		}
	})
}

func decimalOf(m money.Minor) money.Decimal { d, _ := m.Decimal(money.MXN); return d }
