// Package pdf draws invoices, statements and fiscal documents as PDF files on US Letter
// paper. It knows nothing of where the data come from: a [Document] is text that is already formatted
// and translated, and [Render] lays it out.
//
// The package writes PDF 1.7 itself (see docs/adr/0005-pdf-library.md). Equal documents give equal
// bytes, fonts are parsed once, and everything is safe for concurrent use.
package pdf

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Status is the mark a document carries beside its number.
type Status string

// Statuses. Draft and Cancelled are also written across every page.
const (
	NoStatus  Status = ""
	Draft     Status = "draft"
	Open      Status = "open"
	Paid      Status = "paid"
	Overdue   Status = "overdue"
	Cancelled Status = "cancelled"
)

// Document is a page model: every text is ready to print. Empty parts are left out.
type Document struct {
	Language    string // BCP 47, for the layout's own words: "en..." is English, all others Spanish
	Title       string // "Factura", "Estado de cuenta"
	Number      string // "F-1042"
	Status      Status
	StatusText  string    // replaces the word of the status: "Pagada el 3 de noviembre"
	Sandbox     bool      // marks a document of a test environment
	Created     time.Time // date in the file's metadata; zero for none
	Issuer      Issuer
	Receiver    Party
	Facts       []Fact   // issue date, due date, ...
	Headline    Headline // the one figure that matters
	Table       Table    // lines of the invoice or movements of the statement
	Totals      []Total
	InWords     string // amount in words
	Notes       string
	Payment     Payment
	Fiscal      *Fiscal
	Footer      string // on every page, three lines at most
	Attachments []Attachment
}

// Issuer is the company that sends the document.
type Issuer struct {
	Party
	Logo  []byte // PNG or JPEG, see [CheckLogo]; the name is written in its place if empty
	Color string // brand colour "#rrggbb", see [CheckColor]; a quiet blue if empty
}

// Party is a name with the lines below it (tax id, address, regime).
type Party struct {
	Label string // "Facturar a"; unused for the issuer
	Name  string
	Lines []string
}

// Fact is a value with its label.
type Fact struct{ Label, Value string }

// Headline shows one amount large, with a remark such as the due date.
type Headline struct{ Label, Value, Note string }

// Align of the cells of a column.
type Align int

// Alignments. Amounts belong to the right: digits have equal widths.
const (
	Left Align = iota
	Right
)

// Table is a list over any number of pages, its header repeated on each.
type Table struct {
	Columns []Column
	Rows    []Row
}

// Column of a table. One column is Wide and takes the space the others leave.
type Column struct {
	Title string
	Align Align
	Wide  bool
}

// Row has one cell per column; Note is written small below the wide cell (SAT keys, period).
type Row struct {
	Cells []string
	Note  string
}

// Total is a row of the sums; the Strong one is the amount that counts.
type Total struct {
	Label, Value string
	Strong       bool
}

// Payment tells how to pay. URL (http or https, others are left out) becomes a
// button with the text Action. The first 24 facts are shown.
type Payment struct {
	Title, Text string
	Facts       []Fact
	Action, URL string
}

// Fiscal is what the printed representation of a CFDI must show (RMF 2.7.1.7, Anexo 20 I.D).
type Fiscal struct {
	Facts    []Fact // folio fiscal, certificates, certification date, keys with their texts
	Related  []Fact // relation and UUID
	Payments *Table // documents paid, for a receipt of payment (REP)
	QR       string // the verification URL
	SelloCFD string
	SelloSAT string
	Cadena   string   // of the complement of certification (TFD)
	Legends  []string // "Este documento es una representación impresa de un CFDI" is always written
}

// Attachment is a file inside the PDF, such as the XML that it represents.
type Attachment struct {
	Name, MediaType, Description string
	Data                         []byte
}

// ErrColor is returned for a brand colour that is not of the form "#rrggbb".
var ErrColor = errors.New(`pdf: color_invalid: a colour is written "#rrggbb"`)

// CheckColor reports whether a brand colour can be used: nil or [ErrColor]. "" is the default.
func CheckColor(s string) error { _, err := parseColor(s); return err }

// CheckLogo reports whether a logo can be used: nil or [ErrLogo].
func CheckLogo(raw []byte) error { _, err := decodePicture(raw); return err }

func parseColor(s string) (rgb, error) {
	if s == "" {
		return rgb{0x1d, 0x4e, 0x89}, nil
	}
	digits, ok := strings.CutPrefix(s, "#")
	v, err := strconv.ParseUint(digits, 16, 32)
	if !ok || len(digits) != 6 || err != nil {
		return rgb{}, ErrColor
	}
	return rgb{uint8(v >> 16), uint8(v >> 8), uint8(v)}, nil
}

// words are the layout's own texts.
type words struct {
	page, words, notes, sandbox, fiscal, related, selloCFD, selloSAT, cadena, legend, payments string
	status                                                                                     map[Status]string
}

var languages = map[bool]words{
	false: {
		page: "Página %d de %d", words: "Importe con letra", notes: "Notas",
		sandbox: "Modo de pruebas: documento sin validez fiscal",
		fiscal:  "Comprobante fiscal digital por Internet", related: "CFDI relacionados", payments: "Documentos pagados",
		selloCFD: "Sello digital del CFDI", selloSAT: "Sello digital del SAT",
		cadena: "Cadena original del complemento de certificación digital del SAT",
		legend: "Este documento es una representación impresa de un CFDI",
		status: map[Status]string{Draft: "Borrador", Open: "Por pagar", Paid: "Pagado", Overdue: "Vencido", Cancelled: "Cancelado"},
	},
	true: {
		page: "Page %d of %d", words: "Amount in words", notes: "Notes",
		sandbox: "Test mode: this document has no fiscal validity",
		fiscal:  "Mexican digital tax invoice (CFDI)", related: "Related CFDI", payments: "Documents paid",
		selloCFD: "Sello digital del CFDI", selloSAT: "Sello digital del SAT",
		cadena: "Cadena original del complemento de certificación digital del SAT",
		legend: "Este documento es una representación impresa de un CFDI",
		status: map[Status]string{Draft: "Draft", Open: "Open", Paid: "Paid", Overdue: "Overdue", Cancelled: "Cancelled"},
	},
}
