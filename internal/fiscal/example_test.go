package fiscal_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// The road of an invoice. Between Seal and Stamp the sealed bytes and the key are stored: a retry
// sends the same ones.
func Example() {
	now := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	invoice, err := fiscal.Build(fiscal.Draft{
		Tipo: fiscal.TipoIngreso, Serie: "F", Folio: "1", Fecha: now, LugarExpedicion: "42501",
		Emisor:   fiscal.Emisor{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601"},
		Receptor: fiscal.SinRfc("CLIENTE DE MOSTRADOR", "42501"),
		Moneda:   money.MXN, MetodoPago: "PUE", FormaPago: "03",
		Lines: []fiscal.Line{{ClaveProdServ: "81112105", Cantidad: money.Int(1), ClaveUnidad: "E48", Descripcion: "Hospedaje web",
			ValorUnitario: money.Must("1499.00"), IVA: fiscal.IVA16}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(invoice.SubTotal, invoice.Impuestos.TotalImpuestosTrasladados, invoice.Total)

	invoice.Receptor.UsoCFDI = "G03"
	for _, v := range fiscal.Validate(invoice, fiscal.Options{Now: now}) {
		fmt.Println(v.Code, v.Path, v.Message("es"))
	}

	if _, err := sandbox.New(sandbox.Config{Production: true}); err != nil {
		fmt.Println(err)
	}
	var pac fiscal.Stamper
	if pac, err = sandbox.New(sandbox.Config{}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = pac.Stamp(context.Background(), []byte("<not a CFDI/>"), "cfdi-1")
	fmt.Println(fiscal.KindOf(err))
	// Output:
	// 1499.00 239.84 1738.84
	// CFDI40161 Receptor@UsoCFDI El uso G03 no se permite para el RFC XAXX010101000 con régimen 616.
	// sandbox: refused_in_production: its stamps have no fiscal validity
	// rejected
}
