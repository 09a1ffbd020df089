package fiscal

import (
	"archive/zip"
	"bytes"
	"fmt"

	"github.com/thedatashed/xlsxreader"
)

// What a workbook may hold: more than any of the SAT's, and little enough that a file made to fill the memory does not.
const (
	maxUnpacked = 512 << 20 // bytes of all its parts
	maxRows     = 1 << 20   // of a sheet, as spreadsheets have
	maxColumns  = 256
)

// readWorkbook reads a workbook of catalogs (.xlsx).
func readWorkbook(data []byte) (*Catalogs, error) {
	if err := unpacks(data); err != nil {
		return nil, err
	}
	book, err := xlsxreader.NewReader(data)
	if err != nil {
		return nil, &CatalogError{Reason: "the workbook cannot be read: " + err.Error()}
	}
	out := &Catalogs{lists: map[string][]Entry{}, partial: map[string]bool{}}
	for _, sheet := range book.Sheets {
		var rows [][]string
		for row := range book.ReadRows(sheet) {
			if row.Error != nil {
				return nil, &CatalogError{Sheet: sheet, Row: row.Index, Reason: row.Error.Error()}
			}
			if row.Index == 0 { // a row without a number follows the one before it
				row.Index = len(rows) + 1
			}
			if row.Index < 1 || row.Index > maxRows {
				return nil, &CatalogError{Sheet: sheet, Row: row.Index, Reason: fmt.Sprintf("a sheet has %d rows at most", maxRows)}
			}
			for len(rows) < row.Index { // rows without cells are left out of the file
				rows = append(rows, nil)
			}
			cells := make([]string, 0, len(row.Cells))
			for _, cell := range row.Cells {
				at := cell.ColumnIndex()
				if at < 0 || at >= maxColumns {
					return nil, &CatalogError{Sheet: sheet, Row: row.Index, Reason: fmt.Sprintf("a row has %d columns at most", maxColumns)}
				}
				for len(cells) <= at {
					cells = append(cells, "")
				}
				cells[at] = cell.Value
			}
			rows[row.Index-1] = cells
		}
		if err := out.addSheet(sheet, sheet, rows); err != nil {
			return nil, err
		}
	}
	if len(out.lists) == 0 {
		return nil, &CatalogError{Reason: "no sheet has a heading with a catalog's name, such as c_FormaPago"}
	}
	return out.checked()
}

// unpacks refuses a workbook whose parts are too large once they are unpacked. What a part says of its size is what is
// read of it at most.
func unpacks(data []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return &CatalogError{Reason: "the workbook cannot be read: " + err.Error()}
	}
	size := uint64(0)
	for _, part := range archive.File {
		if size += part.UncompressedSize64; size > maxUnpacked || part.UncompressedSize64 > maxUnpacked {
			return &CatalogError{Reason: fmt.Sprintf("the workbook is larger than %d MB once it is unpacked", maxUnpacked>>20)}
		}
	}
	return nil
}
