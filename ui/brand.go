package ui

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// branded lets pages carry the company's name, colour and logo.
func (s *site) branded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		find := sync.OnceValue(func() db.Brand {
			brand, err := s.Billing.Brand(context.WithoutCancel(ctx))
			if err != nil && !fault.Is(err, fault.NotFound) {
				s.Log.WarnContext(ctx, "the company's name", "error", err) // pages work without it
			}
			return brand
		})
		next.ServeHTTP(w, r.WithContext(layout.WithBrand(ctx, find)))
	})
}

// logo answers with the company's picture. Its address changes with it.
func (p pages) logo(w http.ResponseWriter, r *http.Request) error {
	picture, err := p.Billing.Logo(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", http.DetectContentType(picture)) // PNG or JPEG: nothing else is kept
	keep(w, r)
	_, _ = w.Write(picture)
	return nil
}

// brandStyle answers with the company's colour as the theme's first colour, readable on light and dark.
func (p pages) brandStyle(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	keep(w, r)
	light, dark := readable(layout.Brand(r.Context()).Colour)
	if light != "" {
		_, _ = fmt.Fprintf(w, ":root{--color-primary:%s;--color-primary-content:#fff}\n"+
			"@media(prefers-color-scheme:dark){:root{--color-primary:%s;--color-primary-content:#0b1216}}\n", light, dark)
	}
	return nil
}

func keep(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("v") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
}

// rgb is a colour in sRGB, 0 to 1.
type rgb [3]float64

func parseColour(text string) (rgb, bool) {
	if len(text) != 7 || text[0] != '#' {
		return rgb{}, false
	}
	n, err := strconv.ParseUint(text[1:], 16, 32)
	return rgb{float64(n>>16) / 255, float64(n>>8&0xff) / 255, float64(n&0xff) / 255}, err == nil
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

func (c rgb) mix(to rgb, share float64) rgb {
	for i := range c {
		c[i] += (to[i] - c[i]) * share
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// The backgrounds that the colour is read on: what the themes call base-200 and base-100, with room for the
// tints of soft badges.
var (
	lightest = rgb{0.93, 0.95, 0.96}
	darkest  = rgb{0.14, 0.19, 0.22}
)

// readable moves a colour towards black until it is read on the light theme, and towards white until it is
// read on the dark one: 4.5 : 1 (WCAG 2.2, AA). "" for what is no colour.
func readable(text string) (light, dark string) {
	colour, ok := parseColour(text)
	if !ok {
		return "", ""
	}
	towards := func(background, to rgb) string {
		for share := 0.0; share <= 1; share += 0.02 {
			if moved := colour.mix(to, share); contrast(moved, background) >= 4.6 {
				return moved.String()
			}
		}
		return to.String()
	}
	return towards(lightest, rgb{}), towards(darkest, rgb{1, 1, 1})
}
