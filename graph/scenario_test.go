package graph_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the API answers into testdata")

// TestScenarios plays testdata/*.txtar, each on a database of its own. A step is three files: who
// asks what (step/actor.graphql), step/variables.json if there are any, and step/expected.json. The
// actor "token" uses the last token that signIn gave.
func TestScenarios(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, name)
		})
	}
}

func play(t *testing.T, name string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	files := map[string][]byte{}
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	var out []txtar.File
	for _, f := range archive.Files {
		if !strings.HasSuffix(f.Name, ".graphql") {
			continue
		}
		step := filepath.Dir(f.Name)
		actor := strings.TrimSuffix(filepath.Base(f.Name), ".graphql")
		out = append(out, f)
		var variables any
		if raw, ok := files[step+"/variables.json"]; ok {
			if err := json.Unmarshal(raw, &variables); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
			out = append(out, txtar.File{Name: step + "/variables.json", Data: raw})
		}
		rec := w.post(actor, string(f.Data), variables)
		got := w.normal(rec.Body.Bytes())
		out = append(out, txtar.File{Name: step + "/expected.json", Data: got})
		if want := files[step+"/expected.json"]; !*update && !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", step, got, want)
		}
	}
	if w.log.Len() > 0 {
		t.Errorf("logged: %s", w.log)
	}
	if *update {
		archive.Files = out
		if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// normal indents an answer and hides its token, which is kept for the actor "token".
func (w *world) normal(raw []byte) []byte {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		w.t.Fatalf("%q: %v", raw, err)
	}
	w.hide(value)
	if object, ok := value.(map[string]any); ok { // fields of a query fail in any order
		if errs, ok := object["errors"].([]any); ok {
			slices.SortFunc(errs, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	w.must(encoder.Encode(value))
	return text.Bytes()
}

func (w *world) hide(value any) {
	switch value := value.(type) {
	case map[string]any:
		if token, ok := value["token"].(string); ok {
			w.token, value["token"] = token, "***"
		}
		for _, inner := range value {
			w.hide(inner)
		}
	case []any:
		for _, inner := range value {
			w.hide(inner)
		}
	}
}
