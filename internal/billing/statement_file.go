package billing

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// Columns says which column of a file holds what: our name of a column by the file's.
type Columns map[string]string

// StatementColumns are what a column of a bank statement can hold.
var StatementColumns = []string{"date", "amount", "reference", "description", "currency"}

// statementNames are how banks call the columns, without accents and in lower case.
var statementNames = map[string][]string{
	"date":        {"date", "fecha", "fecha operacion", "fecha de operacion", "fecha movimiento", "fecha valor", "dia"},
	"amount":      {"amount", "abono", "abonos", "deposito", "depositos", "importe abono", "haber", "credito", "creditos"},
	"reference":   {"reference", "referencia", "referencia numerica", "no. referencia", "clave de rastreo", "folio"},
	"description": {"description", "descripcion", "concepto", "concepto / referencia", "detalle", "movimiento"},
	"currency":    {"currency", "moneda", "divisa"},
}

// plainName is a column's name without accents, case and surplus spaces.
func plainName(name string) string {
	name = strings.Join(strings.Fields(strings.ToLower(name)), " ")
	return strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ü", "u").Replace(name)
}

// StatementFile is what a person needs to see of a statement to say what its columns are.
type StatementFile struct {
	Names    []string   // of the first row
	Rows     [][]string // the first few below it
	Proposed Columns    // what the names say
}

// Complete reports whether the names say what has to be known.
func (f StatementFile) Complete() bool {
	held := []string{}
	for _, column := range f.Proposed {
		held = append(held, column)
	}
	return slices.Contains(held, "date") && slices.Contains(held, "amount")
}

// maxPreamble is how many rows of title banks may write above the names of the columns.
const maxPreamble = 30

// readStatementFile reads the beginning of a bank statement and finds the row with the names of its columns.
func readStatementFile(r io.Reader) (StatementFile, error) {
	rows, err := sheet.Open(r)
	if err != nil {
		return StatementFile{}, err
	}
	head := [][]string{}
	widest := 0
	for len(head) < maxPreamble {
		record, err := rows.CSV.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return StatementFile{}, sheet.Fault(len(head)+1, "ROW_MALFORMED")
		}
		head = append(head, slices.Clone(record))
		widest = max(widest, filled(record))
	}
	// The row with names that we know, else the first of the widest ones.
	first := slices.IndexFunc(head, func(record []string) bool { return names(record) >= 2 })
	if first < 0 {
		first = slices.IndexFunc(head, func(record []string) bool { return filled(record) >= widest })
	}
	if first < 0 || widest < 2 {
		return StatementFile{}, sheet.Fault(1, "FILE_EMPTY")
	}
	file := StatementFile{Names: head[first], Rows: head[first+1 : min(len(head), first+6)], Proposed: Columns{}}
	taken := map[string]bool{}
	for _, column := range StatementColumns {
		for _, known := range statementNames[column] {
			for _, name := range file.Names {
				if plainName(name) == known && !taken[column] && file.Proposed[name] == "" {
					file.Proposed[name], taken[column] = column, true
				}
			}
		}
	}
	return file, nil
}

func filled(record []string) int {
	n := 0
	for _, cell := range record {
		if strings.TrimSpace(cell) != "" {
			n++
		}
	}
	return n
}

// names counts the cells that name a column as banks do.
func names(record []string) int {
	n := 0
	for _, cell := range record {
		for _, known := range statementNames {
			if slices.Contains(known, plainName(cell)) {
				n++
			}
		}
	}
	return n
}

// stagedStatement is where the statement waits that a person has sent and not yet said the columns of: one for each
// person, so that what is left behind is replaced.
func stagedStatement(ctx context.Context) string {
	return "statements/" + access.From(ctx).Staff.String() + ".csv"
}

// StageStatement keeps a bank statement until its columns are known, and returns its beginning. Staff only.
func (s *Service) StageStatement(ctx context.Context, file io.Reader) (StatementFile, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return StatementFile{}, err
	}
	ctx, stop := context.WithCancel(ctx) // what is not whole is not kept
	defer stop()
	if err := s.Files.Upload(ctx, stagedStatement(ctx), file, &blob.WriterOptions{ContentType: "text/csv"}); err != nil {
		return StatementFile{}, err
	}
	return s.StagedStatement(ctx)
}

// StagedStatement returns the beginning of the statement that the actor has staged. Staff only.
func (s *Service) StagedStatement(ctx context.Context) (StatementFile, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return StatementFile{}, err
	}
	file, err := s.openStaged(ctx)
	if err != nil {
		return StatementFile{}, err
	}
	defer func() { _ = file.Close() }()
	return readStatementFile(file)
}

func (s *Service) openStaged(ctx context.Context) (io.ReadCloser, error) {
	file, err := s.Files.NewReader(ctx, stagedStatement(ctx), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fault.New(fault.NotFound, "STATEMENT_MISSING")
	}
	return file, err
}

// ImportStagedStatement imports the staged statement with these columns, see ImportStatement; the file is forgotten when that
// succeeds. Staff only.
func (s *Service) ImportStagedStatement(ctx context.Context, columns Columns) (StatementResult, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return StatementResult{}, err
	}
	file, err := s.openStaged(ctx)
	if err != nil {
		return StatementResult{}, err
	}
	defer func() { _ = file.Close() }()
	var checks fault.Checks
	held := map[string]bool{}
	for _, column := range columns {
		if !slices.Contains(StatementColumns, column) {
			checks.Add("columns", "VALUE_INVALID")
		}
		if held[column] {
			checks.Add("columns."+column, "DUPLICATE")
		}
		held[column] = true
	}
	for _, column := range []string{"date", "amount"} {
		if !held[column] {
			checks.Add("columns."+column, "REQUIRED")
		}
	}
	if err := checks.Err(); err != nil {
		return StatementResult{}, err
	}
	rows, err := sheet.NewMapped(file, columns, maxPreamble)
	if err != nil {
		return StatementResult{}, err
	}
	result, err := s.importStatement(ctx, rows)
	if err == nil {
		_ = s.Files.Delete(ctx, stagedStatement(ctx)) // what stays is replaced by the next one
	}
	return result, err
}
