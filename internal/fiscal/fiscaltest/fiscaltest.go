// Package fiscaltest gives tests the SAT's reference data that lies beside the repository.
package fiscaltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// SATDir is the SAT's reference data beside the checkout: schemas, stylesheets, public test
// certificates, samples and the verifier. Tests that need it are skipped without it.
func SATDir(tb testing.TB) string {
	tb.Helper()
	dir := satDir(tb)
	if dir == "" {
		tb.Skip("SAT reference data not found at ../shared/sat beside the repository")
	}
	return dir
}

// satDir is [SATDir], "" where there is none.
func satDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			sat := filepath.Join(filepath.Dir(dir), "shared", "sat")
			if _, err := os.Stat(filepath.Join(sat, "verify-cfdi")); err == nil {
				return sat
			}
			break
		}
	}
	return ""
}

// Read reads a file of the reference data.
func Read(tb testing.TB, elem ...string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{SATDir(tb)}, elem...)...))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// Samples lists the sample documents.
func Samples(tb testing.TB) []string {
	tb.Helper()
	files, _ := filepath.Glob(filepath.Join(SATDir(tb), "samples", "*.xml"))
	own, _ := filepath.Glob(filepath.Join(SATDir(tb), "samples", "own", "*.xml"))
	files = append(files, own...)
	if len(files) < 20 {
		tb.Fatalf("only %d samples", len(files))
	}
	return files
}

// XSLT runs a SAT stylesheet over documents, all in one process, and returns its outputs by
// name. A sheet of ours that imports it only adds a mark after each output.
func XSLT(tb testing.TB, sheet string, docs map[string][]byte) map[string]string {
	tb.Helper()
	if _, err := exec.LookPath("xsltproc"); err != nil {
		tb.Skip("xsltproc is not installed")
	}
	const end = "@@END@@"
	dir := tb.TempDir()
	wrapper := filepath.Join(dir, "wrapper.xslt")
	path := filepath.Join(SATDir(tb), "resources/www.sat.gob.mx/sitio_internet/cfd", sheet)
	files := map[string][]byte{wrapper: []byte(`<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">` +
		`<xsl:import href="` + path + `"/><xsl:template match="/"><xsl:apply-imports/>` + end + `</xsl:template></xsl:stylesheet>`)}
	args := []string{"--nonet", wrapper}
	names := slices.Sorted(maps.Keys(docs))
	for _, name := range names {
		file := filepath.Join(dir, name)
		files[file] = docs[name]
		args = append(args, file)
	}
	for file, data := range files {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	// stderr has warnings that the sheets say XSLT 2.0
	out, err := exec.Command("xsltproc", args...).Output() //nolint:gosec // files that the tests wrote
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			msg := string(exit.Stderr)
			tb.Fatalf("xsltproc: %v\n%s", err, msg[max(0, len(msg)-1000):])
		}
		tb.Fatal(err)
	}
	parts := strings.Split(string(out), end)
	if len(parts) != len(names)+1 {
		tb.Fatalf("xsltproc: %d outputs of %d documents", len(parts)-1, len(names))
	}
	result := map[string]string{}
	for i, name := range names {
		result[name] = parts[i]
	}
	return result
}

// Verify runs the verifier over files and fails the test with its complaints.
func Verify(tb testing.TB, files []string, args ...string) {
	tb.Helper()
	cmd := exec.Command(filepath.Join(SATDir(tb), "verify-cfdi"), append(append([]string{"-q"}, args...), files...)...) //nolint:gosec // files that the tests wrote
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		tb.Fatalf("verify-cfdi: %v\n%.4000s", err, out.String())
	}
}

var verified sync.Map // names of tests

// VerifyAll holds stamped documents against the project's own checks, every one of them, and then against the verifier
// where it is: the documents as files in batches, as parallel subtests; in short mode one document per test, because the
// verifier takes longer than all else that is tested of a document. pacCert is the certificate that stamped them (PEM).
func VerifyAll(t *testing.T, docs map[string][]byte, pacCert []byte, batches int) {
	t.Helper()
	pac, err := fiscal.ParseCertificado(pacCert)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if err := ownChecks(docs[name], pac); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if satDir(t) == "" || len(docs) == 0 {
		return
	}
	dir := t.TempDir()
	cert := filepath.Join(dir, "pac.pem")
	if err := os.WriteFile(cert, pacCert, 0o600); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		file := filepath.Join(dir, name+".xml")
		if err := os.WriteFile(file, docs[name], 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if testing.Short() {
		test, _, _ := strings.Cut(t.Name(), "/")
		if _, done := verified.LoadOrStore(test, true); done {
			return
		}
		files = files[:min(1, len(files))]
	}
	t.Run("verifier", func(t *testing.T) {
		for chunk := range slices.Chunk(files, (len(files)+batches-1)/batches) {
			t.Run(filepath.Base(chunk[0]), func(t *testing.T) {
				t.Parallel()
				Verify(t, chunk, "--require-tfd", "--pac-cert", cert)
			})
		}
	})
}

// VerifyStored is [VerifyAll] of every stamped document of a database, without subtests, for the end of a test: the
// project's own checks always, the verifier where it is and the mode is not short.
func VerifyStored(tb testing.TB, store *db.Store, pacCert []byte) {
	tb.Helper()
	ctx := context.Background() // the test's own is over
	pac, err := fiscal.ParseCertificado(pacCert)
	if err != nil {
		tb.Fatal(err)
	}
	dir, files := tb.TempDir(), []string(nil)
	for page := (db.Page{First: db.MaxPage}); ; {
		list, err := store.CFDIs(ctx, "", page)
		if err != nil {
			tb.Fatal(err)
		}
		for _, row := range list.Rows {
			if !row.Stamped() {
				continue
			}
			full, err := store.CFDI(ctx, row.ID)
			if err != nil {
				tb.Fatal(err)
			}
			if err := ownChecks(full.XML, pac); err != nil {
				tb.Errorf("%s %s: %v", row.Kind, row.ID, err)
			}
			file := filepath.Join(dir, row.Kind+"-"+row.ID.String()+".xml")
			if err := os.WriteFile(file, full.XML, 0o600); err != nil {
				tb.Fatal(err)
			}
			files = append(files, file)
		}
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if testing.Short() || satDir(tb) == "" || len(files) == 0 {
		return
	}
	cert := filepath.Join(dir, "pac.pem")
	if err := os.WriteFile(cert, pacCert, 0o600); err != nil {
		tb.Fatal(err)
	}
	Verify(tb, files, "--require-tfd", "--pac-cert", cert)
}

// ownChecks are what the project can say of a stamped document without the verifier: structure, rules, seal and stamp.
func ownChecks(stamped []byte, pac *fiscal.Certificado) error {
	doc, err := fiscal.Parse(stamped)
	if err != nil {
		return err
	}
	if bad := doc.Validate(fiscal.Options{Sealed: true}).Refusals(); len(bad) > 0 {
		return bad
	}
	return errors.Join(doc.VerifySello(), doc.VerifyTimbre(pac))
}

// Verdicts runs the verifier over documents that need not be right, and returns its complaints, by name: "" where it has
// none. Documents without seal need no seal.
func Verdicts(t *testing.T, docs map[string][]byte) map[string]string {
	t.Helper()
	dir := t.TempDir()
	names := slices.Sorted(maps.Keys(docs))
	var mu sync.Mutex
	verdicts := map[string]string{}
	var wait sync.WaitGroup
	for chunk := range slices.Chunk(names, max(1, (len(names)+3)/4)) {
		var files []string
		for i, name := range chunk {
			file := filepath.Join(dir, strconv.Itoa(len(files))+"-"+strconv.Itoa(i)+strings.Map(safe, chunk[0])+".xml")
			if err := os.WriteFile(file, docs[name], 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		wait.Go(func() {
			for done := 0; done < len(files) && t.Context().Err() == nil; {
				answers := complaints(t, files[done:])
				mu.Lock()
				for i, answer := range answers {
					verdicts[chunk[done+i]] = answer
				}
				mu.Unlock()
				done += len(answers)
			}
		})
	}
	wait.Wait()
	if len(verdicts) != len(docs) {
		t.Fatalf("%d verdicts of %d documents", len(verdicts), len(docs))
	}
	return verdicts
}

func safe(r rune) rune {
	if r == '/' || r == '@' {
		return '-'
	}
	return r
}

// complaints are those of the verifier about the first files, of all or up to one that it cannot go on after: about that,
// how it ended.
func complaints(t *testing.T, files []string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(SATDir(t), "verify-cfdi"), append([]string{"--unsealed", "--json"}, files...)...) //nolint:gosec // files that the tests wrote
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var answers []string
	for line := range bytes.Lines(out) {
		var r struct {
			OK     bool
			Checks []struct{ Step, Status, Message string }
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("verify-cfdi: %v: %s", err, line)
		}
		var why []string
		for _, c := range r.Checks {
			if c.Status == "FAIL" {
				why = append(why, c.Step+": "+c.Message)
			}
		}
		if r.OK != (len(why) == 0) {
			t.Errorf("verify-cfdi says %v of %v", r.OK, why)
		}
		answers = append(answers, strings.Join(why, "; "))
	}
	if len(answers) < len(files) {
		last := stderr.String()
		answers = append(answers, fmt.Sprintf("verify-cfdi: %v %s", err, last[max(0, len(last)-200):]))
	}
	return answers
}
