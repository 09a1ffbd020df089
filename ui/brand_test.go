package ui

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever colour a company has, words in it are read on both themes, and so are words on it.
func TestEveryColourIsReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rgb{rapid.Float64Range(0, 1).Draw(t, "r"), rapid.Float64Range(0, 1).Draw(t, "g"), rapid.Float64Range(0, 1).Draw(t, "b")}.String()
		light, dark := readable(text)
		l, ok := parseColour(light)
		d, ok2 := parseColour(dark)
		if !ok || !ok2 {
			t.Fatalf("%s: %q, %q", text, light, dark)
		}
		content, _ := parseColour("#0b1216")
		for what, ratio := range map[string]float64{"on light": contrast(l, lightest), "white on it": contrast(l, rgb{1, 1, 1}),
			"on dark": contrast(d, darkest), "dark on it": contrast(d, content)} {
			if ratio < 4.5 {
				t.Errorf("%s, %s: %.2f", text, what, ratio)
			}
		}
	})
	for _, text := range []string{"", "rojo", "#12345", "#zzzzzz", "url(x)"} {
		if light, _ := readable(text); light != "" {
			t.Errorf("%q gives %q", text, light)
		}
	}
}
