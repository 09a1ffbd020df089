package fiscal_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// A workbook that is made to fill the memory is refused with a word, at once.
func TestHostileWorkbooks(t *testing.T) {
	t.Parallel()
	named := func(rows string) []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for name, body := range map[string]string{
			"xl/workbook.xml":            `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="c_FormaPago" sheetId="1" r:id="rId1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
			"xl/styles.xml":              `<styleSheet></styleSheet>`,
			"xl/worksheets/sheet1.xml":   `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`,
		} {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(body))
		}
		_ = z.Close()
		return out.Bytes()
	}
	const cell = `<c r="%s" t="inlineStr"><is><t>x</t></is></c>`
	bomb := named("")
	// The size that a part states, in the directory at the end, is believed by nobody who unpacks it, but read first.
	at := bytes.LastIndex(bomb, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(bomb[at+24:], 1<<31)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"row two milliards":   {named(`<row r="2000000000">` + fmt.Sprintf(cell, "A2000000000") + `</row>`), "rows at most"},
		"row below zero":      {named(`<row r="-5">` + fmt.Sprintf(cell, "A1") + `</row>`), "rows at most"},
		"column of six signs": {named(`<row r="1">` + fmt.Sprintf(cell, "ZZZZZZ1") + `</row>`), "columns at most"},
		"rows without number": {named(`<row>` + fmt.Sprintf(cell, "A1") + `</row>`), "heading"},
		"two gigabytes":       {bomb, "once it is unpacked"},
		"half a file":         {named("")[:100], "cannot be read"},
	} {
		_, err := fiscal.ReadCatalogs(c.data, "catalogos.xlsx", "")
		if wrong, ok := errors.AsType[*fiscal.CatalogError](err); !ok || !strings.Contains(wrong.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
