package fiscal_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// filled is an office with documents of two months: A-1 of November, cancelled, and 24 of December.
func filled(t *testing.T) (*office, db.CFDI) {
	o := newOffice(t)
	row := o.old()
	o.cancel(row, "02")
	o.work()
	o.clock = time.Date(2026, 12, 1, 5, 30, 0, 0, time.UTC) // still November in Mexico
	o.pay(o.issue(), 100, "late")
	last := o.issue()
	o.pay(last, last.Total, "late-2")
	o.work()
	o.clock = time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	for i := range 24 {
		invoice := o.issue()
		o.pay(invoice, invoice.Total, string(rune('a'+i)))
	}
	o.work()
	return o, row
}

func TestFolder(t *testing.T) {
	o, cancelled := filled(t)
	ctx := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	months, err := o.service.FolderMonths(ctx, o.client.ID)
	if err != nil || !slices.Equal(months, []db.CFDIMonth{{Month: "2026-12", Count: 24}, {Month: "2026-11", Count: 2}}) {
		t.Fatal(months, err)
	}
	for name, c := range map[string]struct {
		filter fiscal.FolderFilter
		want   int
	}{
		"all":       {fiscal.FolderFilter{}, 26},
		"november":  {fiscal.FolderFilter{Month: "2026-11"}, 2},
		"december":  {fiscal.FolderFilter{Month: "2026-12"}, 24},
		"january":   {fiscal.FolderFilter{Month: "2027-01"}, 0},
		"cancelled": {fiscal.FolderFilter{Status: db.CFDICancelled}, 1},
		"receipts":  {fiscal.FolderFilter{Kind: db.CFDIPago}, 0},
	} {
		c.filter.Client = o.client.ID
		n, seen := 0, map[string]bool{}
		for page := (db.Page{First: 10}); ; {
			list, err := o.service.Folder(ctx, c.filter, page)
			o.must(err)
			for _, row := range list.Rows {
				n++
				seen[row.UUID] = true
			}
			if page.After = list.Next(); page.After == "" {
				break
			}
		}
		if n != c.want || len(seen) != n {
			t.Errorf("%s: %d documents, %d different", name, n, len(seen))
		}
	}
	for _, wrong := range []fiscal.FolderFilter{{Month: "2026-13"}, {Month: "x"}, {Kind: "x"}, {Status: "draft"}} {
		wrong.Client = o.client.ID
		if _, err := o.service.Folder(ctx, wrong, db.Page{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	list, err := o.service.Folder(ctx, fiscal.FolderFilter{Client: o.client.ID, Status: db.CFDICancelled}, db.Page{})
	if err != nil || len(list.Rows) != 1 || list.Rows[0].ID != cancelled.ID || !list.Rows[0].Acused() {
		t.Error(list.Rows, err)
	}
}

// Who may see a client's folder, and that of everybody.
func TestFolderPermissions(t *testing.T) {
	o := newOffice(t)
	row := o.old()
	type want struct{ client, everybody fault.Kind }
	for name, c := range map[string]struct {
		actor access.Actor
		want  want
	}{
		"staff":     {access.Actor{Kind: access.Staff, Role: access.Admin}, want{}},
		"read only": {access.Actor{Kind: access.Staff, Role: access.ReadOnly}, want{}},
		"invoices":  {actor(o.client.ID, access.Invoices), want{"", fault.Forbidden}},
		"profile":   {actor(o.client.ID, access.Profile), want{fault.Forbidden, fault.Forbidden}},
		"stranger":  {actor(o.client.ID+1, access.Invoices), want{fault.NotFound, fault.Forbidden}},
		"nobody":    {access.Actor{Kind: access.Anonymous}, want{fault.Unauthenticated, fault.Unauthenticated}},
	} {
		ctx := access.With(t.Context(), c.actor)
		for client, want := range map[int]fault.Kind{1: c.want.client, 0: c.want.everybody} {
			filter := fiscal.FolderFilter{Month: "2026-11"}
			if client == 1 {
				filter.Client = o.client.ID
			}
			_, folder := o.service.Folder(ctx, filter, db.Page{})
			_, months := o.service.FolderMonths(ctx, filter.Client)
			_, archive := o.service.Archive(ctx, filter)
			for verb, err := range map[string]error{"folder": folder, "months": months, "archive": archive} {
				if want == "" && err != nil || want != "" && !fault.Is(err, want) {
					t.Errorf("%s, %s of %v: %v, want %q", name, verb, filter.Client, err, want)
				}
			}
		}
	}
	trail, err := o.service.Trail(access.With(t.Context(), actor(o.client.ID, access.Invoices)), row.ID)
	if err != nil || trail.Mails != nil {
		t.Error("a login sees whom documents were mailed to", err)
	}
}

// The ZIP has every document of the month, byte for byte, and all of them are in the download log.
func TestArchive(t *testing.T) {
	o, cancelled := filled(t)
	ctx := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	read := func(filter fiscal.FolderFilter) map[string][]byte {
		t.Helper()
		filter.Client = o.client.ID
		archive, err := o.service.Archive(ctx, filter)
		o.must(err)
		var out bytes.Buffer
		o.must(archive.Write(&out))
		r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		o.must(err)
		files := map[string][]byte{}
		for _, f := range r.File {
			if files[f.Name] != nil || strings.ContainsAny(f.Name, `/\`) {
				t.Errorf("name %q", f.Name)
			}
			in, err := f.Open()
			o.must(err)
			files[f.Name], err = io.ReadAll(in)
			o.must(err)
		}
		return files
	}
	dbtest.Exec(o, o.address, fmt.Sprintf("SET session_replication_role = replica; UPDATE cfdi SET nombre_receptor = '=1+1' WHERE id = %d", cancelled.ID))
	november := read(fiscal.FolderFilter{Month: "2026-11"})
	row := o.read(cancelled)
	if len(november) != 6 || !bytes.Equal(november["2026-11-20_A-1.xml"], row.XML) || !bytes.Equal(november["2026-11-20_A-1_acuse.xml"], row.Acuse) ||
		!bytes.HasPrefix(november["2026-11-20_A-1.pdf"], []byte("%PDF-")) || november["2026-11-30_A-2.xml"] == nil {
		t.Errorf("%d files", len(november))
	}
	lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(november["indice.csv"], []byte("\ufeff")))).ReadAll()
	if err != nil || len(lines) != 3 || lines[1][4] != row.UUID || lines[1][7] != "'=1+1" || lines[1][11] != db.CFDICancelled || lines[2][13] != "2026-11-30_A-2.xml" {
		t.Error(lines, err)
	}
	december := read(fiscal.FolderFilter{Month: "2026-12"})
	if len(december) != 2*24+1 {
		t.Errorf("%d files of December", len(december))
	}
	trail, err := o.service.Trail(ctx, cancelled.ID)
	if err != nil || len(trail.Downloads) != 1 || trail.Downloads[0].Format != "zip" {
		t.Error(trail.Downloads, err)
	}
	if _, err := o.service.Archive(ctx, fiscal.FolderFilter{Client: o.client.ID, Month: "2026-10"}); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	if _, err := o.service.Archive(ctx, fiscal.FolderFilter{Client: o.client.ID}); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	// A PDF that cannot be drawn holds back no XML.
	o.service.Printer = func(db.CFDI, db.Company, string) ([]byte, error) { return nil, errors.New("out of ink") }
	if files := read(fiscal.FolderFilter{Month: "2026-11"}); len(files) != 4 || files["2026-11-20_A-1.xml"] == nil {
		t.Errorf("%d files without PDF", len(files))
	}
}

// The receipt of a payment (REP) is in the client's folder and in the month's ZIP, byte for byte, beside the invoice that
// it pays.
func TestReceiptInFolderAndArchive(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue()
	o.work()
	o.pay(invoice, 100000, "part")
	o.work()
	ctx := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	list, err := o.service.Folder(ctx, fiscal.FolderFilter{Client: o.client.ID, Kind: db.CFDIPago}, db.Page{})
	if err != nil || len(list.Rows) != 1 || list.Rows[0].Serie != "P" {
		t.Fatal(list.Rows, err)
	}
	receipt, err := o.service.Document(ctx, list.Rows[0].ID)
	o.must(err)
	around, err := o.service.Around(ctx, receipt.ID)
	if err != nil || len(around[receipt.ID]) != 1 || around[receipt.ID][0].Kind != db.CFDIIngreso || fiscal.Relation(receipt, around[receipt.ID][0]) != "relates" {
		t.Errorf("%+v %v", around, err)
	}
	archive, err := o.service.Archive(ctx, fiscal.FolderFilter{Client: o.client.ID, Month: "2026-11"})
	o.must(err)
	var out bytes.Buffer
	o.must(archive.Write(&out))
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	o.must(err)
	files := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		o.must(err)
		files[f.Name], err = io.ReadAll(in)
		o.must(err)
	}
	if len(files) != 5 || !bytes.Equal(files["2026-11-20_P-1.xml"], receipt.XML) || !bytes.HasPrefix(files["2026-11-20_P-1.pdf"], []byte("%PDF-")) || files["2026-11-20_A-1.xml"] == nil ||
		!strings.Contains(string(files["indice.csv"]), receipt.UUID) {
		t.Errorf("%d files", len(files))
	}
}
