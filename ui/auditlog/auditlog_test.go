package auditlog

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
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

// offered are the nouns that a filter of the view has.
func offered(v View) (nouns []string) {
	for _, option := range v.subjects(component.WithLang(context.Background(), locale.Spanish))[1:] {
		nouns = append(nouns, strings.TrimSuffix(option.Value, "."))
	}
	return nouns
}

// A client's log offers what its entries can be about, and nothing of the company's own; the console's offers all.
func TestFilterOffersWhatThereIs(t *testing.T) {
	t.Parallel()
	client, all := offered(View{}), offered(View{Clients: true})
	if !slices.Contains(client, "contact") || slices.Contains(client, "staff") || len(all) != len(client)+len(companys) {
		t.Errorf("a client's log has %v, the console's %v", client, all)
	}
	found := 0
	err := sources(func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if kind, ok := literal.Type.(*ast.SelectorExpr); !ok || kind.Sel.Name != "AuditEntry" {
				return true
			}
			fields := map[string]string{}
			for _, field := range literal.Elts {
				if pair, ok := field.(*ast.KeyValueExpr); ok {
					fields[fmt.Sprint(pair.Key)] = ""
					if text, ok := pair.Value.(*ast.BasicLit); ok {
						fields[fmt.Sprint(pair.Key)], _ = strconv.Unquote(text.Value)
					}
				}
			}
			noun, _, _ := strings.Cut(fields["Verb"], ".")
			if _, ofClient := fields["Client"]; ofClient && noun != "" {
				found++
				if !slices.Contains(client, noun) {
					t.Errorf("a client has entries about %s and cannot choose them", noun)
				}
			}
			return true
		})
	})
	if err != nil || found < 20 {
		t.Errorf("%d entries of clients found: the test looks in the wrong place; %v", found, err)
	}
}

// What an entry is about is a link where its page is there for whoever reads the log.
func TestObjectsAreLinks(t *testing.T) {
	t.Parallel()
	console, client := View{Path: "/consola/actividad", Clients: true}, View{Path: "/clientes/cli_7/actividad"}
	for _, c := range []struct{ verb, object, console, client string }{
		{"invoice.issue", "inv_5", "/consola/facturas/inv_5", "/clientes/cli_7/facturas/inv_5"},
		{"payment.add", "inv_5", "/consola/facturas/inv_5", "/clientes/cli_7/facturas/inv_5"},
		{"client.update", "cli_7", "/consola/clientes/cli_7", ""},
		{"invoice.draft", "inv_5", "", ""}, {"invoice.edit", "inv_5", "", ""}, {"invoice.delete", "inv_5", "", ""},
		{"contact.add", "con_5", "", ""}, {"catalog.import", "inv_5.xlsx", "", ""}, {"import.clients", "", "", ""},
	} {
		row := db.AuditRow{Verb: c.verb, Object: c.object}
		if got := console.page(row); got != c.console {
			t.Errorf("%s of %s leads to %q in the console, want %q", c.verb, c.object, got, c.console)
		}
		if got := client.page(row); got != c.client {
			t.Errorf("%s of %s leads to %q in the client area, want %q", c.verb, c.object, got, c.client)
		}
	}
}

// sources calls for each file of the product's rules.
func sources(each func(*ast.File)) error {
	return filepath.WalkDir(filepath.Join("..", "..", "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			each(file)
		}
		return err
	})
}

// Every verb that the product writes into the audit has words in every language: people read it who know no code.
func TestEveryVerbHasWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	err := sources(func(file *ast.File) {
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
