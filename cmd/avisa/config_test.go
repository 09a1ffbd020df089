package main

import (
	"slices"
	"strings"
	"testing"
)

// Only what a browser can send as an origin is taken; a star or a path, which would open more or nothing, is refused.
func TestAPIOrigins(t *testing.T) {
	for setting, want := range map[string][]string{
		"":                    nil,
		"https://app.example": {"https://app.example"},
		" https://app.example , http://localhost:3000,": {"https://app.example", "http://localhost:3000"},
		"https://app.example:8443":                      {"https://app.example:8443"},
	} {
		t.Setenv("AVISA_API_ORIGINS", setting)
		if c, err := readConfig(development); err != nil || !slices.Equal(c.APIOrigins, want) {
			t.Errorf("%q: %v, %v", setting, c.APIOrigins, err)
		}
	}
	for _, setting := range []string{"*", "https://*.example", "https://app.example/", "https://app.example/x", "app.example", "null", "https://App.example",
		"https://ana@app.example", "ftp://app.example", "https://app.example?x", "https://app.example,*"} {
		t.Setenv("AVISA_API_ORIGINS", setting)
		if _, err := readConfig(development); err == nil || !strings.Contains(err.Error(), "AVISA_API_ORIGINS") {
			t.Errorf("%q is taken: %v", setting, err)
		}
	}
}
