package auditlog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

var verb = regexp.MustCompile(`^([a-z_]+)\.([a-z_-]+)$`)

// audits reports whether a declaration writes an entry of the audit, or names its verbs.
func audits(decl ast.Decl) (found bool) {
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			found = found || n.Sel.Name == "AuditEntry"
		case *ast.ValueSpec:
			found = found || strings.HasSuffix(n.Names[0].Name, "Verbs")
		}
		return !found
	})
	return found
}

// Every verb that the product writes into the audit has words in every language: people read it who know no code.
func TestEveryVerbHasWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", "..", "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if !audits(decl) {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil && verb.MatchString(text) {
						seen[text] = true
					}
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 60 {
		t.Fatalf("only %d verbs found: the test looks in the wrong place", len(seen))
	}
	for one := range seen {
		parts := verb.FindStringSubmatch(one)
		for _, key := range []string{"audit.subject." + parts[1], "audit.action." + parts[2]} {
			if !locale.Has(key) {
				t.Errorf("%s has no text %s", one, key)
			}
		}
	}
}
