package fiscal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
)

// CatalogError is what is wrong with a file of catalogs, and where.
type CatalogError struct {
	Sheet  string // of a workbook; "" for other files
	Row    int    // from 1; 0 for the whole sheet
	Reason string
}

func (e *CatalogError) Error() string {
	where := ""
	if e.Sheet != "" {
		where = "sheet " + e.Sheet + ", "
	}
	if e.Row > 0 {
		where += "row " + strconv.Itoa(e.Row) + ", "
	}
	return strings.TrimSuffix(where, ", ") + map[bool]string{true: ": ", false: ""}[where != ""] + e.Reason
}

// ImportedCatalog is what became of one catalog of a file.
type ImportedCatalog struct {
	Name    string // c_FormaPago
	Keys    int
	Changed bool // false: the same keys were there already
}

// importable are the catalogs that can be imported and the columns, besides key, text and validity, that become
// properties of their keys. Rates (c_TasaOCuota), taxes and factors decide how amounts are worked out: they come with
// the product, because a new one needs more than a row.
var importable = map[string][]string{
	CatRegimenFiscal: {"personas"}, CatUsoCFDI: {"personas", "regimenes"}, CatFormaPago: {"bancarizado"}, CatMetodoPago: nil, CatMoneda: {"decimales"}, CatTipoRelacion: nil,
	CatPeriodicidad: nil, CatMeses: nil, CatObjetoImp: nil, CatClaveUnidad: nil, CatClaveProdServ: {"similares"}, CatExportacion: nil,
	CatTipoDeComprobante: nil, CatPais: nil, CatCodigoPostal: {"frontera"},
}

// fileNames are catalogs by the names of files that have one sheet each.
var fileNames = map[string]string{
	"regimenes_fiscales": CatRegimenFiscal, "usos_cfdi": CatUsoCFDI, "formas_pago": CatFormaPago, "metodos_pago": CatMetodoPago, "monedas": CatMoneda, "tipos_relaciones": CatTipoRelacion,
	"periodicidades": CatPeriodicidad, "meses": CatMeses, "objetos_impuestos": CatObjetoImp, "claves_unidades": CatClaveUnidad, "productos_servicios": CatClaveProdServ, "exportaciones": CatExportacion,
	"tipos_comprobantes": CatTipoDeComprobante, "paises": CatPais, "codigos_postales": CatCodigoPostal,
}

// columns are the headings of the SAT's sheets, folded and without spaces, by what they hold. Some begin so.
var columns = []struct {
	begins, holds string
}{
	{"c_estado", "text"}, {"estado", "text"}, // of a postal code
	{"descripcion", "text"}, {"nombre", "text"}, {"texto", "text"},
	{"fechainiciodevigencia", "from"}, {"fechainiciovigencia", "from"}, {"fechadeiniciodevigencia", "from"}, {"vigenciadesde", "from"}, {"vigencia_desde", "from"},
	{"fechafindevigencia", "until"}, {"fechafinvigencia", "until"}, {"fechadefindevigencia", "until"}, {"vigenciahasta", "until"}, {"vigencia_hasta", "until"},
	{"estimulofranjafronteriza", "frontera"}, {"estimulo_frontera", "frontera"}, // of a postal code: 1 north, 2 south, 0 neither
	{"decimales", "decimales"}, {"fisica", "F"}, {"aplica_fisica", "F"}, {"moral", "M"}, {"aplica_moral", "M"},
	{"regimenfiscalreceptor", "regimenes"}, {"regimenes_fiscales_receptores", "regimenes"}, {"bancarizado", "bancarizado"}, {"es_bancarizado", "bancarizado"}, {"palabrassimilares", "similares"}, {"similares", "similares"},
}

// ReadCatalogs reads a file of catalogs: the SAT's workbook saved as .xlsx, one of its sheets exported as CSV or TSV, or
// the product's own format (see LoadCatalogs). name is the file's name, which tells the kind; catalog is the catalog of
// a file with one sheet that neither its name nor its heading tells, "" otherwise. Errors are [*CatalogError].
func ReadCatalogs(data []byte, name, catalog string) (*Catalogs, error) {
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		if bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")) {
			return nil, &CatalogError{Reason: "this is a workbook of the old kind (.xls): save it as .xlsx, or its sheets as CSV"}
		}
		return readTable(data, name, catalog)
	}
	return readWorkbook(data)
}

// readTable reads a text file.
func readTable(data []byte, name, catalog string) (*Catalogs, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) { // what spreadsheets call CSV
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil {
			return nil, &CatalogError{Reason: "the text is neither UTF-8 nor Windows-1252"}
		}
		data = decoded
	}
	first, _, _ := strings.Cut(strings.TrimLeft(withoutComments(string(data)), "\r\n"), "\n")
	if cells := strings.Split(first, "\t"); len(cells) > 1 && strings.HasPrefix(cells[0], "c_") && (cells[1] == "partial" || len(cells) >= 3 && !heading(cells[1])) {
		own, err := LoadCatalogs(bytes.NewReader(data))
		if err != nil {
			return nil, &CatalogError{Reason: err.Error()}
		}
		return own.checked()
	}
	comma := ','
	for _, c := range []rune{'\t', ';'} {
		if strings.Count(first, string(c)) > strings.Count(first, string(comma)) {
			comma = c
		}
	}
	rows, err := readRows(data, comma)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	out := &Catalogs{lists: map[string][]Entry{}, partial: map[string]bool{}}
	if err := out.addSheet("", cmp.Or(catalog, fileNames[base], base), rows); err != nil {
		return nil, err
	}
	if len(out.lists) == 0 {
		return nil, &CatalogError{Reason: "no row is a heading with a catalog's name, such as c_FormaPago; name the catalog with --catalog"}
	}
	return out.checked()
}

// readRows splits a text into rows, by their line.
func readRows(data []byte, comma rune) ([][]string, error) {
	var rows [][]string
	if comma == '\t' { // published without quotes around cells, and with quotes in them
		for line := range strings.Lines(string(data)) {
			rows = append(rows, strings.Split(strings.TrimRight(line, "\r\n"), "\t"))
		}
		return rows, nil
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comma, reader.FieldsPerRecord = comma, -1
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, &CatalogError{Row: wrong.Line, Reason: wrong.Err.Error()}
		}
		if err != nil {
			return nil, &CatalogError{Reason: err.Error()}
		}
		line, _ := reader.FieldPos(0)
		for len(rows) < line-1 {
			rows = append(rows, nil)
		}
		rows = append(rows, record)
	}
}

func withoutComments(text string) string {
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

// folded is a heading without accents, case and spaces.
func folded(text string) string { return strings.Join(strings.Fields(fold(text)), "") }

// heading reports whether a cell names a column.
func heading(cell string) bool {
	return slices.ContainsFunc(columns, func(c struct{ begins, holds string }) bool { return strings.HasPrefix(folded(cell), c.begins) })
}

// catalogOf is the catalog that a name means: c_ClaveProdServ, also of a part such as c_ClaveProdServ_1.
func catalogOf(name string) string {
	for catalog := range importable {
		if strings.EqualFold(name, catalog) || regexp.MustCompile(`(?i)^`+catalog+`_?(parte_?)?\d+$`).MatchString(name) {
			return catalog
		}
	}
	return ""
}

// addSheet reads one sheet: what is above its heading is the SAT's title. Sheets without one, or of other catalogs, are
// left alone.
func (c *Catalogs) addSheet(sheet, name string, rows [][]string) error {
	catalog, holds, begin := "", map[int]string{}, 0
	for i, row := range rows[:min(len(rows), 20)] {
		key := slices.IndexFunc(row, func(cell string) bool {
			cell = strings.TrimSpace(cell)
			return catalogOf(cell) != "" || cell == "id" && catalogOf(name) != ""
		})
		if key < 0 {
			continue
		}
		if catalog = catalogOf(strings.TrimSpace(row[key])); catalog == "" {
			catalog = catalogOf(name)
		}
		holds, begin = map[int]string{key: "key"}, i+1
		taken := map[string]bool{}
		// Some headings have a second row under them: Física and Moral under "Aplica para tipo persona".
		lines := [][]string{row}
		if i+1 < len(rows) && slices.ContainsFunc(rows[i+1], func(cell string) bool { return folded(cell) == "fisica" }) {
			lines, begin = append(lines, rows[i+1]), i+2
		}
		for _, line := range lines {
			for n, cell := range line {
				for _, column := range columns {
					if n != key && holds[n] == "" && !taken[column.holds] && strings.HasPrefix(folded(cell), column.begins) {
						holds[n], taken[column.holds] = column.holds, true
						break
					}
				}
			}
		}
		if !taken["text"] {
			return &CatalogError{Sheet: sheet, Row: i + 1, Reason: "no column has the texts (Descripción)"}
		}
		break
	}
	if catalog == "" {
		return nil
	}
	for i, row := range rows[begin:] {
		e, skip, err := readEntry(catalog, row, holds)
		if err != nil {
			return &CatalogError{Sheet: sheet, Row: begin + i + 1, Reason: err.Error()}
		}
		if !skip {
			c.lists[catalog] = append(c.lists[catalog], e)
		}
	}
	if len(c.lists[catalog]) == 0 {
		return &CatalogError{Sheet: sheet, Reason: "there is no key under the heading"}
	}
	return nil
}

var keyForms = map[string]*regexp.Regexp{
	CatClaveProdServ: regexp.MustCompile(`^\d{8}$`), CatClaveUnidad: regexp.MustCompile(`^[A-Za-z0-9]{1,3}$`), CatRegimenFiscal: regexp.MustCompile(`^\d{3}$`), CatMoneda: regexp.MustCompile(`^[A-Z]{3}$`),
	CatUsoCFDI: regexp.MustCompile(`^[A-Z]{1,2}\d{2}$`), CatMetodoPago: regexp.MustCompile(`^[A-Z]{3}$`),
	CatTipoDeComprobante: regexp.MustCompile(`^[A-Z]$`), CatPais: regexp.MustCompile(`^[A-Z]{3}$`), CatCodigoPostal: regexp.MustCompile(`^\d{5}$`),
}

// widths are the digits of keys that a spreadsheet may have taken for numbers: 1 is 01.
var widths = map[string]int{CatClaveProdServ: 8, CatFormaPago: 2, CatTipoRelacion: 2, CatPeriodicidad: 2, CatMeses: 2, CatObjetoImp: 2, CatExportacion: 2, CatCodigoPostal: 5}

// readEntry reads a row; skip is true for rows without a key.
func readEntry(catalog string, row []string, holds map[int]string) (e Entry, skip bool, err error) {
	value := map[string]string{}
	for n, what := range holds {
		if n < len(row) {
			value[what] = strings.Join(strings.Fields(row[n]), " ")
		}
	}
	e = Entry{Key: value["key"], Text: value["text"]}
	if len(importable[catalog]) > 0 {
		e.Properties = map[string]string{}
	}
	if e.Key == "" && e.Text == "" {
		return e, true, nil
	}
	if width := widths[catalog]; len(e.Key) < width && e.Key != "" && strings.Trim(e.Key, "0123456789") == "" {
		e.Key = strings.Repeat("0", width-len(e.Key)) + e.Key
	}
	form := keyForms[catalog]
	if form == nil {
		form = regexp.MustCompile(`^\d{2}$`)
	}
	switch {
	case e.Key == "":
		return e, false, errors.New("the key is missing")
	case !form.MatchString(e.Key):
		return e, false, fmt.Errorf("%q is no key of %s", e.Key, catalog)
	case e.Text == "":
		return e, false, fmt.Errorf("key %s has no text", e.Key)
	}
	if e.From, err = readDay(value["from"]); err != nil {
		return e, false, fmt.Errorf("key %s: the first day %q is no date", e.Key, value["from"])
	}
	if e.Until, err = readDay(value["until"]); err != nil {
		return e, false, fmt.Errorf("key %s: the last day %q is no date", e.Key, value["until"])
	}
	if e.Until != "" && e.Until < e.From {
		return e, false, fmt.Errorf("key %s: its last day %s is before its first %s", e.Key, e.Until, e.From)
	}
	for _, property := range importable[catalog] {
		switch property {
		case "personas":
			who := ""
			for _, persona := range []string{"F", "M"} {
				if yes(value[persona]) {
					who += persona
				}
			}
			if who == "" {
				return e, false, fmt.Errorf("key %s is neither for physical nor for legal persons", e.Key)
			}
			e.Properties["personas"] = who
		case "regimenes":
			regimes := strings.Join(strings.FieldsFunc(value["regimenes"], func(r rune) bool { return r < '0' || r > '9' }), ",")
			if regimes == "" {
				return e, false, fmt.Errorf("key %s has no regimes of the receiver", e.Key)
			}
			e.Properties["regimenes"] = regimes
		case "decimales":
			if len(value["decimales"]) != 1 || value["decimales"] < "0" || value["decimales"] > "6" {
				return e, false, fmt.Errorf("key %s: %q is no number of decimals", e.Key, value["decimales"])
			}
			e.Properties["decimales"] = value["decimales"]
		case "frontera":
			if zone := value["frontera"]; zone == "1" || zone == "2" {
				e.Properties["frontera"] = zone
			}
		case "bancarizado":
			if yes(value["bancarizado"]) {
				e.Properties["bancarizado"] = "si"
			}
		default:
			if value[property] != "" {
				e.Properties[property] = value[property]
			}
		}
	}
	return e, false, nil
}

func yes(text string) bool { return slices.Contains([]string{"si", "1", "true", "x"}, folded(text)) }

// readDay reads a date as spreadsheets and the SAT write it: 2022-01-01, with a time, 01/01/2022, 01-01-2022.
func readDay(text string) (string, error) {
	if text == "" || text == "-" {
		return "", nil
	}
	for _, layout := range []string{"2006-01-02", "02/01/2006", "2/1/2006", "02-01-2006", time.RFC3339, "2006-01-02 15:04:05"} {
		if day, err := time.Parse(layout, text); err == nil {
			return day.Format(time.DateOnly), nil
		}
	}
	return "", errors.New("no date")
}

// fewest are the keys of catalogs of which the product has none of its own: a file with fewer was cut off. c_Pais has 250
// of them and c_CodigoPostal, of Mexico as a whole, more than 90,000.
var fewest = map[string]int{CatPais: 200, CatCodigoPostal: 50_000}

// checked refuses what would take away keys that the product needs, as a file that was cut off would.
func (c *Catalogs) checked() (*Catalogs, error) {
	for name, list := range c.lists {
		if _, ok := importable[name]; !ok {
			return nil, &CatalogError{Sheet: name, Reason: "this catalog comes with the product and cannot be imported"}
		}
		type period struct{ key, from string }
		seen, keys := map[period]bool{}, map[string]bool{}
		for _, e := range list {
			if seen[period{e.Key, e.From}] {
				return nil, &CatalogError{Sheet: name, Reason: fmt.Sprintf("key %s is there twice from the same day", e.Key)}
			}
			seen[period{e.Key, e.From}], keys[e.Key] = true, true
		}
		if len(keys) < fewest[name] {
			return nil, &CatalogError{Sheet: name, Reason: fmt.Sprintf("%d keys are not all of them: the file is not complete", len(keys))}
		}
		for _, own := range DefaultCatalogs().lists[name] {
			if !keys[own.Key] && own.Until == "" {
				return nil, &CatalogError{Sheet: name, Reason: fmt.Sprintf("key %s (%s) is missing: the file is not complete", own.Key, own.Text)}
			}
		}
	}
	return c.indexed(), nil
}

// ImportCatalogs stores catalogs in the place of the earlier ones, all of them or, with an error, none. The same keys
// again change nothing. source is the file's name. Commands only.
func (s *Service) ImportCatalogs(ctx context.Context, c *Catalogs, source string) (done []ImportedCatalog, err error) {
	if err := access.RequireSystem(ctx); err != nil {
		return nil, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		for name, list := range c.lists {
			keys := make([]db.SATKey, len(list))
			hash := sha256.New()
			for i, e := range list {
				keys[i] = db.SATKey{Catalog: name, N: i, Key: e.Key, Text: e.Text, VigenciaDesde: e.From, VigenciaHasta: e.Until, Properties: e.Properties}
				if keys[i].Properties == nil {
					keys[i].Properties = map[string]string{}
				}
				if err := json.NewEncoder(hash).Encode(keys[i]); err != nil {
					return err
				}
			}
			changed, err := tx.SaveSATCatalog(ctx, db.SATCatalog{Name: name, SHA256: hash.Sum(nil), Partial: c.partial[name], Source: source}, keys)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			done = append(done, ImportedCatalog{Name: name, Keys: len(list), Changed: changed})
		}
		slices.SortFunc(done, func(a, b ImportedCatalog) int { return cmp.Compare(a.Name, b.Name) })
		changed := map[string]any{}
		for _, one := range done {
			if one.Changed {
				changed[one.Name] = one.Keys
			}
		}
		if len(changed) == 0 {
			return nil
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "catalog.import", Object: source, After: changed})
	})
	return done, err
}
