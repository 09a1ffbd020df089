// Package locale holds every text that people read, Spanish and English side by side, so that no
// text exists in one language only. Files under text/ are one per area; a key is
// "area.name" and its value {"es": "...", "en": "..."} with {placeholders}.
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// The languages people can choose.
const (
	Spanish = "es-MX" // the default
	English = "en"
)

//go:embed text/*.json
var files embed.FS

type entry struct {
	ES string `json:"es"`
	EN string `json:"en"`
}

var texts = load()

func load() map[string]entry {
	all := map[string]entry{}
	names, err := fs.Glob(files, "text/*.json")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		part := map[string]entry{}
		if err := json.Unmarshal(raw, &part); err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
		area := strings.TrimSuffix(path.Base(name), ".json")
		for key, e := range part {
			all[area+"."+key] = e
		}
	}
	return all
}

// Languages lists the supported languages, the default first.
func Languages() []string { return []string{Spanish, English} }

// Valid reports whether lang is a supported language tag.
func Valid(lang string) bool { return lang == Spanish || lang == English }

// Match returns the supported language for a tag or an Accept-Language header: the first of the
// listed tags that is supported, Spanish when there is none.
func Match(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch base, _, _ := strings.Cut(strings.ToLower(tag), "-"); base {
		case "es":
			return Spanish
		case "en":
			return English
		}
	}
	return Spanish
}

// Has reports whether the key exists.
func Has(key string) bool { _, ok := texts[key]; return ok }

// T returns the text of a key ("portal.contacts.new"). args are name-value pairs for its
// placeholders. A key that does not exist comes back as itself, which a test forbids.
func T(lang, key string, args ...any) string {
	e, ok := texts[key]
	if !ok {
		return key
	}
	text := e.ES
	if lang == English {
		text = e.EN
	}
	return fill(text, args)
}

// grouped writes a count as people do in both languages: "81,000".
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// fill puts values into {placeholders}; one without a value stays as it is. {n} is a count.
func fill(text string, args []any) string {
	start := strings.IndexByte(text, '{')
	if start < 0 || len(args) == 0 {
		return text
	}
	var out strings.Builder
	for {
		end := strings.IndexByte(text[start:], '}')
		if end < 0 {
			break
		}
		name, found := text[start+1:start+end], false
		out.WriteString(text[:start])
		for i := 0; i+1 < len(args) && !found; i += 2 {
			if key, ok := args[i].(string); ok && key == name {
				found = true
				value := fmt.Sprint(args[i+1])
				if _, written := args[i+1].(string); name == "n" && !written {
					value = grouped(value)
				}
				out.WriteString(value)
			}
		}
		if !found {
			out.WriteString(text[start : start+end+1])
		}
		text = text[start+end+1:]
		if start = strings.IndexByte(text, '{'); start < 0 {
			break
		}
	}
	out.WriteString(text)
	return out.String()
}

// Error returns the text of an error code for people.
func Error(lang, code string, args map[string]any) string {
	pairs := make([]any, 0, 2*len(args))
	for name, value := range args {
		// A permission or a topic inside a text is shown by its label, not by its key.
		if label := "access." + fmt.Sprint(value); name == "permission" && Has(label) {
			value = T(lang, label)
		}
		// What speaks both languages itself says it in the right one.
		if speaker, ok := value.(interface{ Message(lang string) string }); ok {
			value = speaker.Message(lang)
		}
		pairs = append(pairs, name, value)
	}
	return T(lang, "errors."+code, pairs...)
}

// Keys lists all keys in order.
func Keys() []string { return slices.Sorted(maps.Keys(texts)) }
