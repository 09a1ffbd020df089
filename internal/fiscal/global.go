package fiscal

import (
	"fmt"
	"math/big"
	"time"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// Receipt is a paid sale without CFDI that goes into the global invoice.
type Receipt struct {
	Number    string // NoIdentificacion: the receipt's own number
	FormaPago string
	Bases     []ReceiptBase
}

// ReceiptBase is the part of a receipt with one treatment, in minor units.
type ReceiptBase struct {
	IVA  IVA
	Base money.Minor // without tax
	Tax  money.Minor // as it was charged
}

// Periodo is the InformacionGlobal of a period that contains a moment (in the zone of the
// issuer). periodicidad: 01 day, 02 week, 03 fortnight, 04 month, 05 two months (regime 621).
func Periodo(periodicidad string, at time.Time) InformacionGlobal {
	month := int(at.Month())
	if periodicidad == "05" {
		month = 13 + (month-1)/2
	}
	return InformacionGlobal{Periodicidad: periodicidad, Meses: fmt.Sprintf("%02d", month), Año: fmt.Sprint(at.Year())}
}

// BuildGlobal makes the global invoice of receipts for public in general (RMF 2.7.1.21): a
// concept per receipt, with the tax that was charged on it, so that its total is what was
// collected. d gives series, dates, issuer and currency; its receiver, lines and FormaPago are not
// used: the latter is that of the largest receipt.
func BuildGlobal(d Draft, period InformacionGlobal, receipts []Receipt) (*Comprobante, error) {
	d.Tipo, d.MetodoPago, d.FormaPago = TipoIngreso, "PUE", ""
	d.Receptor = PublicoEnGeneral(d.LugarExpedicion)
	decimals := d.Moneda.Decimals()
	largest := new(big.Rat)
	var items []item
	for _, r := range receipts {
		it := item{importe: new(big.Rat), descuento: new(big.Rat), decimals: decimals, c: Concepto{
			ClaveProdServ: "01010101", NoIdentificacion: r.Number, Cantidad: "1", ClaveUnidad: "ACT", Descripcion: "Venta"}}
		gross := new(big.Rat)
		for _, b := range r.Bases {
			if b.Base < 0 || b.Tax < 0 {
				return nil, refuse(CodeLineInvalid, "", "", "El recibo %s tiene importes negativos.", "Receipt %s has negative amounts.", r.Number)
			}
			amount := minor(b.Base, decimals)
			it.importe.Add(it.importe, amount)
			gross.Add(gross, sum(amount, minor(b.Tax, decimals)))
			if b.IVA != NoObjeto && b.Base > 0 {
				it.bases = append(it.bases, base{iva: b.IVA, amount: amount, tax: minor(b.Tax, decimals)})
			}
		}
		if it.importe.Sign() == 0 {
			continue
		}
		it.c.ValorUnitario = fixed(it.importe, decimals)
		if gross.Cmp(largest) > 0 {
			largest, d.FormaPago = gross, r.FormaPago
		}
		items = append(items, it)
	}
	c, err := assemble(d, items)
	if err != nil {
		return nil, err
	}
	c.InformacionGlobal = &period
	return c, nil
}
