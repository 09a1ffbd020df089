package pdf

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"
)

// sampleLogo is a drawn mark with transparent surroundings.
func sampleLogo() []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 240, 80))
	for y := range 80 {
		for x := range 240 {
			dx, dy := x-40, y-40
			switch {
			case dx*dx+dy*dy < 36*36 && (dx > 6 || dy < -4):
				img.Set(x, y, color.NRGBA{0x0f, 0x76, 0x6e, 255})
			case x > 90 && (y/12)%2 == 1 && x < 90+150-y:
				img.Set(x, y, color.NRGBA{0x11, 0x18, 0x27, 255})
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

const (
	sampleSeal = "pXkV3Zc8Yw0RkQdU7mJ1hT6sLr5nB4vE2gA9fC+oHiDjKlMbNqPxSyWzUeGtIaOuFpVcXrZsQwErTyUiOpAsDfGhJkLzXcVbNm1234567890+/QwErTyUiOpAsDfGhJkLzXcVbNmpXkV3Zc8Yw0RkQdU7mJ1hT6sLr5nB4vE2gA9fCoHiDjKlMbNqPxSyWzUeGtIaOuFpVcXrZsQwErTyUiOpAsDfGhJkLzXcVbNm1234567890+/QwErTyUiOpAsDfGhJkLzXcVbNmpXkV3Zc8Yw0RkQdU7mJ1hT6sLr5nB4vE2gA9fC+oHiDjKlMbNqPxSyWzUeGtIaOuFp5aGQ=="
	sampleUUID = "6F1C2A34-9B7D-4E58-A0C3-5D2E81F4B697"
)

// sampleInvoice is a paid fiscal invoice of ten lines on one page.
func sampleInvoice() Document {
	doc := Document{
		Language: "es-MX", Title: "Factura", Number: "F-1042", Status: Paid, StatusText: "Pagada el 12 de noviembre de 2026",
		Created: time.Date(2026, 11, 12, 18, 4, 5, 0, time.UTC),
		Issuer: Issuer{Color: "#0f766e", Party: Party{Name: "Hospedaje Cumbre Azul", Lines: []string{
			"RFC EKU9003173C9 · Régimen 601 General de Ley Personas Morales", "Av. de los Volcanes 118, Col. Centro, 42501 Actopan, Hidalgo", "cobranza@cumbre-azul.example"}}},
		Receiver: Party{Label: "Facturar a", Name: "Ferretería Peña & Ñúñez", Lines: []string{
			"RFC URE180429TM6", "601 - General de Ley Personas Morales", "Domicilio fiscal 86991", "Uso del CFDI: G03 - Gastos en general"}},
		Facts: []Fact{{"Fecha de emisión", "12 nov 2026, 12:04"}, {"Fecha de vencimiento", "30 nov 2026"}, {"Lugar de expedición", "42501"},
			{"Forma de pago", "03 - Transferencia electrónica"}, {"Método de pago", "PUE - Pago en una sola exhibición"}},
		Headline: Headline{"Total", "$2,143.68 MXN", "Pagada por SPEI\nReferencia 8841 2207"},
		Table: Table{Columns: []Column{{Title: "Descripción", Wide: true}, {"Cantidad", Right, false}, {"Precio", Right, false},
			{"Descuento", Right, false}, {"Importe", Right, false}}},
		Totals:  []Total{{Label: "Subtotal", Value: "$1,848.00"}, {Label: "IVA 16 %", Value: "$295.68"}, {Label: "Total", Value: "$2,143.68 MXN", Strong: true}},
		InWords: "DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100 M.N.",
		Footer:  "Hospedaje Cumbre Azul · ¿Dudas sobre tu factura? Responde al correo o llama al 772 555 0134.",
		Fiscal: &Fiscal{
			Facts: []Fact{{"Folio fiscal", sampleUUID}, {"Fecha y hora de certificación", "2026-11-12T12:04:09"}, {"RFC del proveedor de certificación", "SPR190613I52"},
				{"Certificado del emisor", "30001000000500003416"}, {"Certificado del SAT", "30001000000500003456"}, {"Tipo de comprobante", "I - Ingreso · Exportación 01 - No aplica"}},
			QR:       "https://verificacfdi.facturaelectronica.sat.gob.mx/default.aspx?id=" + sampleUUID + "&re=EKU9003173C9&rr=URE180429TM6&tt=2143.68&fe=Fp5aGQ==",
			SelloCFD: sampleSeal, SelloSAT: strings.ToUpper(sampleSeal),
			Cadena: "||1.1|" + sampleUUID + "|2026-11-12T12:04:09|SPR190613I52|" + sampleSeal + "|30001000000500003456||",
		},
	}
	for _, r := range [][]string{
		{"Hospedaje web Plan Negocio", "1", "$899.00", "", "$899.00", "ferreteria-pena.example · 1 al 30 de noviembre de 2026 · 81112105 · E48"},
		{"Dominio ferreteria-pena.example", "1", "$349.00", "", "$349.00", "Renovación anual · 81112107 · E48"},
		{"Correo empresarial", "6", "$45.00", "$27.00", "$243.00", "Buzones de 10 GB · 81112102 · E48"},
		{"Respaldo diario", "1", "$120.00", "", "$120.00", "81112006 · E48"},
		{"Certificado SSL", "1", "$99.00", "", "$99.00", "81111801 · E48"},
		{"Soporte técnico", "0.5", "$86.00", "", "$43.00", "81111811 · HUR"},
		{"IP dedicada", "1", "$35.00", "", "$35.00", "81112003 · MON"},
		{"Antispam", "1", "$18.00", "", "$18.00", "81112102 · MON"},
		{"Licencia de panel", "1", "$20.00", "$10.00", "$10.00", "81112501 · MON"},
		{"Monitoreo", "1", "$32.00", "", "$32.00", "81111811 · MON"},
	} {
		doc.Table.Rows = append(doc.Table.Rows, Row{Cells: r[:5], Note: r[5]})
	}
	return doc
}

// sampleOpen is an unpaid invoice with a logo, a payment panel and the XML inside.
func sampleOpen() Document {
	doc := sampleInvoice()
	doc.Status, doc.StatusText, doc.Fiscal = Overdue, "", nil
	doc.Issuer.Logo = sampleLogo()
	doc.Headline = Headline{"Saldo por pagar", "$2,143.68 MXN", "Vence el 30 de noviembre de 2026"}
	doc.Table.Rows = doc.Table.Rows[:4]
	doc.Notes = "Gracias por su preferencia. El servicio se renueva el 1 de diciembre; si ya pagó, haga caso omiso de este aviso."
	doc.Payment = Payment{Title: "Cómo pagar", Text: "Transfiera el importe exacto y escriba la referencia en el concepto. El pago se refleja el mismo día hábil.",
		Facts:  []Fact{{"Banco", "Banco del Valle"}, {"CLABE", "0021 8070 1234 5678 99"}, {"Beneficiario", "Hospedaje Cumbre Azul"}, {"Referencia", "1042 8841"}},
		Action: "Pagar en línea", URL: "https://clientes.cumbre-azul.example/pagar/F-1042?t=a(b)c"}
	doc.Attachments = []Attachment{{Name: "F-1042.xml", MediaType: "application/xml", Description: "CFDI", Data: []byte("<cfdi:Comprobante/>")}}
	return doc
}

// sampleStatement is an account statement in English over several pages.
func sampleStatement(rows int) Document {
	doc := Document{Language: "en", Title: "Statement of account", Number: "November 2026", Created: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
		Issuer:   Issuer{Color: "#fde047", Party: Party{Name: "Cumbre Azul Hosting", Lines: []string{"42501 Actopan, Hidalgo, Mexico"}}},
		Receiver: Party{Label: "Prepared for", Name: "Peña & Ñúñez Hardware", Lines: []string{"RFC URE180429TM6"}},
		Facts:    []Fact{{"Period", "1 to 30 November 2026"}, {"Opening balance", "MX$0.00"}},
		Headline: Headline{"Balance due", "MX$12,500.00", "On 30 November 2026"},
		Table:    Table{Columns: []Column{{"Date", Left, false}, {"Description", Left, true}, {"Charge", Right, false}, {"Payment", Right, false}, {"Balance", Right, false}}},
		Totals:   []Total{{"Charges", "MX$12,500.00", false}, {"Balance due", "MX$12,500.00", true}},
		InWords:  "TWELVE THOUSAND FIVE HUNDRED PESOS 00/100 MXN", Footer: "Cumbre Azul Hosting",
	}
	for i := range rows {
		row := Row{Cells: []string{"2026-11-" + string(rune('0'+i/10%3)) + string(rune('1'+i%9)), "Hosting, Business plan", "25.00", "", "1,250.00"}}
		if i%7 == 3 {
			row.Note = "ferreteria-pena.example"
		}
		doc.Table.Rows = append(doc.Table.Rows, row)
	}
	return doc
}

// sampleOnePage is a ten-line fiscal invoice that fits on one page.
func sampleOnePage() Document {
	doc := sampleInvoice()
	doc.Headline, doc.Status, doc.StatusText = Headline{}, NoStatus, ""
	doc.Facts = doc.Facts[:3]
	doc.Receiver.Lines = doc.Receiver.Lines[:3]
	doc.Fiscal.Facts = doc.Fiscal.Facts[:3]
	return doc
}
