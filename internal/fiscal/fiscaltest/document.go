package fiscaltest

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Noon is when the documents of tests are stamped: 12:00 in central Mexico.
var Noon = time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)

// CSD returns a certificate and key made by [NewCSD].
func CSD(tb testing.TB, rfc string) *fiscal.CSD {
	tb.Helper()
	cer, key := NewCSD(tb, rfc, false)
	csd, err := fiscal.RestoreCSD(cer, key)
	if err != nil {
		tb.Fatal(err)
	}
	return csd
}

// Sealed returns an invoice of one line, sealed an hour before Noon. Each folio is another
// document.
func Sealed(tb testing.TB, folio string) []byte {
	tb.Helper()
	c, err := fiscal.Build(fiscal.Draft{
		Tipo: fiscal.TipoIngreso, Serie: "F", Folio: folio, Fecha: Noon.Add(-time.Hour), LugarExpedicion: "42501",
		Emisor: fiscal.Emisor{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601"},
		Receptor: fiscal.Receptor{Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991",
			RegimenFiscalReceptor: "601", UsoCFDI: "G03"},
		Moneda: money.MXN, MetodoPago: "PUE", FormaPago: "03",
		Lines: []fiscal.Line{{ClaveProdServ: "81112105", Cantidad: money.Int(1), ClaveUnidad: "E48", Descripcion: "Hospedaje & dominio ñandú.example",
			ValorUnitario: money.Must("1499.00"), IVA: fiscal.IVA16}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	sealed, err := fiscal.Seal(c, CSD(tb, "EKU9003173C9"))
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}
