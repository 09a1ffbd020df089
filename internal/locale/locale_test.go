package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// Every text exists in both languages, with the same placeholders.
func TestBothLanguages(t *testing.T) {
	for _, key := range locale.Keys() {
		es, en := locale.T(locale.Spanish, key), locale.T(locale.English, key)
		if strings.TrimSpace(es) == "" || strings.TrimSpace(en) == "" {
			t.Errorf("%s: a language is missing", key)
		}
		a, b := placeholder.FindAllString(es, -1), placeholder.FindAllString(en, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
			t.Errorf("%s: placeholders %v and %v", key, a, b)
		}
	}
}

// Every error code that the code raises has a text.
func TestErrorCodesHaveTexts(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root && entry.Name() != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			owner, ok := selector.X.(*ast.Ident)
			raises := ok && (owner.Name == "checks" && selector.Sel.Name == "Add" || owner.Name == "fault" && selector.Sel.Name == "New")
			if literal, ok := call.Args[1].(*ast.BasicLit); ok && raises && literal.Kind == token.STRING {
				if code := strings.Trim(literal.Value, `"`); !locale.Has("errors." + code) {
					t.Errorf("%s: the code %s has no text", path, code)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMatch(t *testing.T) {
	for header, want := range map[string]string{
		"": locale.Spanish, "es": locale.Spanish, "en-US,en;q=0.9": locale.English, "fr, en;q=0.8": locale.English, "de": locale.Spanish,
		"es-419,es;q=0.9,en;q=0.8": locale.Spanish,
	} {
		if got := locale.Match(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

var (
	// A function of a package that puts a part of the texts' keys before what it is asked for.
	prefixed = regexp.MustCompile(`func (\w+)\(ctx context\.Context, key string[^)]*\) string \{\s*return component\.T\(ctx, "([\w.]+)"\+key(?:, args\.\.\.)?\)`)
	// A call with a whole key.
	asked = regexp.MustCompile(`\b(component\.T|locale\.T|\w+)\((?:ctx|lang|l\.Language|locale\.\w+), "([\w.]+)"[,)]`)
)

// Every text that a page or a mail asks for exists.
func TestPagesHaveTexts(t *testing.T) {
	found := 0
	for _, pattern := range []string{"../../ui/*", "../../ui", "../*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			files, _ := filepath.Glob(filepath.Join(folder, "*.go"))
			sources := map[string]string{}
			prefixes := map[string]string{"component.T": "", "locale.T": ""}
			for _, file := range files {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				sources[file] = string(raw)
				for _, m := range prefixed.FindAllStringSubmatch(sources[file], -1) {
					prefixes[m[1]] = m[2]
				}
			}
			for file, source := range sources {
				for _, m := range asked.FindAllStringSubmatch(source, -1) {
					prefix, ok := prefixes[m[1]]
					if !ok {
						continue
					}
					found++
					if !locale.Has(prefix + m[2]) {
						t.Errorf("%s: the text %s does not exist", file, prefix+m[2])
					}
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("%d texts were looked for; the pattern misses how pages ask for them", found)
	}
	t.Logf("%d texts", found)
}

// Counts have separators of thousands; what else is a number has none.
func TestCounts(t *testing.T) {
	for n, want := range map[any]string{1: "1", 999: "999", 1000: "1,000", int64(81_000): "81,000", 1_234_567: "1,234,567", -100: "-100", -1000: "-1,000", "1000": "1000"} {
		if got := locale.T(locale.Spanish, "console.run.planned", "n", n); got != want+" planeados" {
			t.Errorf("%v is written %q, want %s", n, got, want)
		}
	}
}
