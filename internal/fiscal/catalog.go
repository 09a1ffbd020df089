package fiscal

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

//go:embed catalogs.tsv
var catalogsTSV string

// Names of the catalogs, as the SAT calls them.
const (
	CatRegimenFiscal     = "c_RegimenFiscal"
	CatUsoCFDI           = "c_UsoCFDI"
	CatFormaPago         = "c_FormaPago"
	CatMetodoPago        = "c_MetodoPago"
	CatMoneda            = "c_Moneda"
	CatTipoRelacion      = "c_TipoRelacion"
	CatPeriodicidad      = "c_Periodicidad"
	CatMeses             = "c_Meses"
	CatObjetoImp         = "c_ObjetoImp"
	CatClaveUnidad       = "c_ClaveUnidad"
	CatClaveProdServ     = "c_ClaveProdServ"
	CatTipoFactor        = "c_TipoFactor"
	CatTasaOCuota        = "c_TasaOCuota"
	CatImpuesto          = "c_Impuesto"
	CatExportacion       = "c_Exportacion"
	CatTipoDeComprobante = "c_TipoDeComprobante"
	CatPais              = "c_Pais"
	CatCodigoPostal      = "c_CodigoPostal"
)

// Entry is a key of a catalog.
type Entry struct {
	Key, Text   string
	From, Until string // first and last day, 2006-01-02; "" is unlimited
	Properties  map[string]string
}

// ValidOn reports whether the key is in force on a day (2006-01-02, or longer: Fecha).
func (e Entry) ValidOn(day string) bool {
	if len(day) > 10 {
		day = day[:10]
	}
	return day == "" || (e.From == "" || e.From <= day) && (e.Until == "" || day <= e.Until)
}

// Offered reports whether the product proposes the key in its forms. Others are valid too.
func (e Entry) Offered() bool { return e.Properties["ofrecido"] == "si" }

// Applies reports whether the key is for that kind of taxpayer.
func (e Entry) Applies(p Persona) bool {
	who, limited := e.Properties["personas"]
	switch {
	case !limited:
		return true
	case p == PersonaFisica:
		return strings.Contains(who, "F")
	case p == PersonaMoral:
		return strings.Contains(who, "M")
	}
	return false
}

// Catalogs are the SAT's lists of keys. They are immutable: an update makes new ones.
type Catalogs struct {
	lists   map[string][]Entry
	partial map[string]bool
	index   map[string]*index
	borders bool // c_CodigoPostal is there and says which are in the border regions
}

// index finds keys of a catalog: the SAT has 52,000 of products.
type index struct {
	at    map[string][]int32 // by key
	texts []string           // folded, by position: made when they are first searched
	once  sync.Once
}

// indexed makes the indexes, once the lists are complete.
func (c *Catalogs) indexed() *Catalogs {
	c.index = make(map[string]*index, len(c.lists))
	for name, list := range c.lists {
		at := make(map[string][]int32, len(list))
		for i, e := range list {
			at[e.Key] = append(at[e.Key], int32(i))
		}
		c.index[name] = &index{at: at}
	}
	c.borders = slices.ContainsFunc(c.lists[CatCodigoPostal], func(e Entry) bool { return e.Properties["frontera"] != "" })
	return c
}

// DefaultCatalogs are the ones that come with the product.
var DefaultCatalogs = sync.OnceValue(func() *Catalogs {
	c, err := LoadCatalogs(strings.NewReader(catalogsTSV))
	if err != nil {
		panic(err)
	}
	return c
})

// LoadCatalogs reads catalogs in the format of catalogs.tsv: catalog, key, text, first day,
// last day, properties (name=value, separated by spaces), with tabs between. The line
// "catalog<TAB>partial" says that the SAT has keys that are not listed.
func LoadCatalogs(r io.Reader) (*Catalogs, error) {
	c := &Catalogs{lists: map[string][]Entry{}, partial: map[string]bool{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		cols := strings.Split(line, "\t")
		if len(cols) == 2 && cols[1] == "partial" {
			c.partial[cols[0]] = true
			continue
		}
		if len(cols) < 3 || len(cols) > 6 || !strings.HasPrefix(cols[0], "c_") || cols[1] == "" {
			return nil, fmt.Errorf("fiscal: catalog_malformed: line %d", n)
		}
		cols = append(cols, "", "", "")
		e := Entry{Key: cols[1], Text: cols[2], From: cols[3], Until: cols[4], Properties: map[string]string{}}
		for word := range strings.FieldsSeq(cols[5]) {
			k, v, _ := strings.Cut(word, "=")
			e.Properties[k] = v
		}
		c.lists[cols[0]] = append(c.lists[cols[0]], e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("fiscal: catalog_malformed: %w", err)
	}
	return c.indexed(), nil
}

// With returns catalogs where those that newer has replace the old ones, whole. What forms offer stays: it is the
// product's choice, not the SAT's.
func (c *Catalogs) With(newer *Catalogs) *Catalogs {
	out := &Catalogs{lists: maps.Clone(c.lists), partial: maps.Clone(c.partial)}
	for name, list := range newer.lists {
		list = slices.Clone(list)
		for i, e := range list {
			if old, known := c.Find(name, e.Key, ""); known && old.Offered() && !e.Offered() {
				list[i].Properties = maps.Clone(e.Properties)
				if list[i].Properties == nil {
					list[i].Properties = map[string]string{}
				}
				list[i].Properties["ofrecido"] = "si"
			}
		}
		out.lists[name] = list
		out.partial[name] = newer.partial[name]
	}
	return out.indexed()
}

// Find returns the key of a catalog that is in force on a day ("" for any day).
func (c *Catalogs) Find(catalog, key, day string) (Entry, bool) {
	index := c.index[catalog]
	if index == nil {
		return Entry{}, false
	}
	for _, i := range index.at[key] {
		if e := c.lists[catalog][i]; e.ValidOn(day) {
			return e, true
		}
	}
	return Entry{}, false
}

// Has reports whether a key may be used on a day: listed, or, in a partial catalog, known to the SAT. Countries are
// those of ISO 3166 and postal codes any five digits until their catalogs are imported.
func (c *Catalogs) Has(catalog, key, day string) bool {
	if len(c.lists[catalog]) == 0 {
		switch catalog {
		case CatPais:
			return pais(key)
		case CatCodigoPostal:
			return len(key) == 5 && digits(key)
		}
	}
	if _, ok := c.Find(catalog, key, day); ok {
		return true
	}
	_, listed := c.Find(catalog, key, "")
	if listed || !c.partial[catalog] {
		return false
	}
	known, ok := knownKeys()[catalog]
	return !ok && key != "" || ok && known.has(key)
}

// Frontera reports whether IVA of 8 % is possible at a postal code on a day: it is in the northern or southern border region
// (c_CodigoPostal, "Estímulo Franja Fronteriza"; decrees of 31 December 2018 and 30 December 2020). Until the catalog is
// imported it is possible everywhere.
func (c *Catalogs) Frontera(postalCode, day string) bool {
	if !c.borders {
		return true
	}
	e, found := c.Find(CatCodigoPostal, postalCode, day)
	return found && e.Properties["frontera"] != ""
}

// Text is what a key means, "" when not known.
func (c *Catalogs) Text(catalog, key string) string {
	e, _ := c.Find(catalog, key, "")
	return e.Text
}

// Label is how keys are printed: "G03 - Gastos en general".
func (c *Catalogs) Label(catalog, key string) string {
	if text := c.Text(catalog, key); text != "" {
		return key + " - " + text
	}
	return key
}

// List returns the keys in force on a day.
func (c *Catalogs) List(catalog, day string) []Entry {
	return slices.DeleteFunc(slices.Clone(c.lists[catalog]), func(e Entry) bool { return !e.ValidOn(day) })
}

// Search returns at most limit keys in force on a day that fit what was typed, without regard to case and accents: keys
// that begin so, then texts that begin so, then texts with every word at the beginning of one of theirs, then texts that
// have every word somewhere.
func (c *Catalogs) Search(catalog, typed, day string, limit int) []Entry {
	list, index := c.lists[catalog], c.index[catalog]
	if index == nil {
		return nil
	}
	index.once.Do(func() {
		index.texts = make([]string, len(list))
		for i, e := range list {
			index.texts[i] = " " + fold(e.Text+" "+e.Properties["similares"])
		}
	})
	words := strings.Fields(fold(typed))
	whole := strings.Join(words, " ")
	var found [4][]Entry
	for i, e := range list {
		rank := rankOf(e, index.texts[i], whole, words)
		if rank < len(found) && len(found[rank]) < limit && e.ValidOn(day) {
			found[rank] = append(found[rank], e)
		}
	}
	out := slices.Concat(found[0], found[1], found[2], found[3])
	return out[:min(len(out), limit)]
}

// rankOf is how well an entry fits, 0 the best and 4 not at all.
func rankOf(e Entry, text, whole string, words []string) int {
	switch {
	case len(words) == 1 && len(e.Key) >= len(whole) && strings.EqualFold(e.Key[:len(whole)], whole):
		return 0
	case len(words) > 0 && strings.HasPrefix(text[1:], whole):
		return 1
	}
	rank := 2
	for _, word := range words {
		i := strings.Index(text, word)
		if i < 0 {
			return 4
		}
		if text[i-1] != ' ' && !strings.Contains(text, " "+word) {
			rank = 3
		}
	}
	return rank
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// Regimenes returns the regimes for a kind of taxpayer, for forms.
func (c *Catalogs) Regimenes(p Persona, day string) []Entry {
	return slices.DeleteFunc(c.List(CatRegimenFiscal, day), func(e Entry) bool { return !e.Applies(p) })
}

// Usos returns the UsoCFDI keys to offer to a receiver, for forms.
func (c *Catalogs) Usos(p Persona, regimen, day string) []Entry {
	return slices.DeleteFunc(c.List(CatUsoCFDI, day), func(e Entry) bool { return !e.Offered() || !e.usable(p, regimen) })
}

// usable is rule CFDI40161: the use fits the kind of taxpayer and the regime.
func (e Entry) usable(p Persona, regimen string) bool {
	return e.Applies(p) && slices.Contains(strings.Split(e.Properties["regimenes"], ","), regimen)
}

// Decimals of a currency (c_Moneda); 2 when it is not listed.
func (c *Catalogs) Decimals(moneda string) int {
	switch e, _ := c.Find(CatMoneda, moneda, ""); e.Properties["decimales"] {
	case "0":
		return 0
	case "3":
		return 3
	case "4":
		return 4
	}
	return 2
}

// TasaValida reports whether a rate is in c_TasaOCuota for a tax, factor and direction.
func (c *Catalogs) TasaValida(impuesto, factor string, tasa Num, retencion bool, day string) bool {
	ambito := "traslado"
	if retencion {
		ambito = "retencion"
	}
	for _, e := range c.lists[CatTasaOCuota] {
		p := e.Properties
		if e.ValidOn(day) && p["impuesto"] == impuesto && p["factor"] == factor && p["ambito"] == ambito &&
			Num(p["minimo"]).Rat().Cmp(tasa.Rat()) <= 0 && tasa.Rat().Cmp(Num(p["maximo"]).Rat()) <= 0 {
			return true
		}
	}
	return false
}

// pais reports whether code is a country of ISO 3166-1 alpha-3, as c_Pais has them.
func pais(code string) bool {
	r, err := language.ParseRegion(code)
	return err == nil && len(code) == 3 && r.IsCountry() && r.ISO3() == code
}
