package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Every page that a link leads to is looked at twice, as a wide window with the light theme in Spanish and as a
// phone with the dark theme in English: nothing that axe-core calls serious, one heading, a title, and nothing
// wider than the window. With -v the folder artifacts has a picture of each.
func TestEveryPage(t *testing.T) {
	if testing.Short() {
		t.Skip("without -short, as .ci/run does")
	}
	axe, err := os.ReadFile(filepath.Join("..", "..", "ui", "static", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("no axe-core: `make assets` installs it")
	}
	base := startDemo(t)
	chromium := newChromium(t)
	for name, area := range map[string]struct {
		root, email string
		starts      []string
	}{
		"anybody": {"", "", []string{"/clientes/entrar", "/clientes/contrasena", "/clientes/contrasena/no-sirve", "/clientes/invitacion/no-sirve",
			"/consola/entrar", "/consola/contrasena", "/no-existe", "/buzon", "/buzon/1"}},
		"client area": {"/clientes", demoOwner, []string{"/clientes", "/clientes/seguridad"}},
		"sub-account": {"/clientes", demoAccountant, []string{"/clientes"}},
		"console":     {"/consola", demoStaff, []string{"/consola", "/consola/seguridad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWindow(chromium, t, base)
			if area.email != "" {
				b.signInAt(area.root, area.email, demoPassword)
			}
			w := walk{browser: b, axe: string(axe), root: area.root, seen: map[string]bool{}}
			w.rest = slices.Clone(area.starts)
			for len(w.rest) > 0 {
				path := w.rest[0]
				w.rest = w.rest[1:]
				w.visit(path)
			}
			t.Logf("%d pages", len(w.seen))
		})
	}
}

// walk follows the links of an area; of pages that differ in an id or a filter alone it sees one.
type walk struct {
	*browser
	axe  string
	root string
	seen map[string]bool
	rest []string
}

var rowID = regexp.MustCompile(`[a-z]+_\d+`)

// shape is what pages have in common that differ in an id or a filter alone.
func shape(path string) string {
	path, _, _ = strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "?")
	return rowID.ReplaceAllString(path, "*")
}

func (w *walk) visit(path string) {
	w.Helper()
	if w.seen[shape(path)] {
		return
	}
	w.seen[shape(path)] = true
	w.theme("light")
	w.size(1280, 900)
	w.open(path)
	w.check(path, "wide")
	if w.root != "" {
		for _, link := range js[[]string](w.browser, `return [...document.querySelectorAll('a[href^="/"]:not([download])')].map(a=>a.getAttribute('href'))`) {
			if strings.HasPrefix(link, w.root+"/") && filepath.Ext(shape(link)) == "" && !strings.Contains(link, "/archivo") {
				w.rest = append(w.rest, link)
			}
		}
	}
	w.theme("dark")
	w.size(390, 844)
	w.follow("English")
	w.check(path, "phone")
	w.follow("Español")
}

// theme sets what the reader prefers.
func (b *browser) theme(name string) {
	b.Helper()
	b.do("theme", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		if err == nil { // as if the window were in front: otherwise nothing looks focused
			_, err = cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		}
		return chromedp.Void{}, err
	})
}

// keyboard asks for what axe-core does not look at: the first step of Tab leads past the navigation, and whatever
// has the focus shows it.
func (w *walk) keyboard(path, how string) {
	w.Helper()
	const reached = `const all=[...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex]')]
		.filter(e=>e.tabIndex>=0&&!e.disabled&&e.checkVisibility()&&e.tabIndex<1);`
	if first := js[string](w.browser, reached+`return all[0].getAttribute('href')`); first != "#main" {
		w.Errorf("%s, %s: Tab leads to %s first, not past the navigation", path, how, first)
	}
	if unseen := js[[]string](w.browser, reached+`const look=e=>[e,e.parentElement,e.nextElementSibling].filter(Boolean).map(p=>{const s=getComputedStyle(p);
			return [s.outlineStyle,s.outlineWidth,s.boxShadow,s.borderColor,s.backgroundColor,s.textDecorationLine,s.clip].join()}).join('|');
		const unseen=all.filter(e=>{const before=look(e); e.focus({focusVisible:true,preventScroll:true}); return document.activeElement===e&&look(e)===before});
		document.activeElement.blur(); return unseen.slice(0,4).map(e=>e.outerHTML.slice(0,150))`); len(unseen) > 0 {
		w.Errorf("%s, %s: the focus does not show on\n\t%s", path, how, strings.Join(unseen, "\n\t"))
	}
}

type violation struct {
	ID, Impact, Help string
	Nodes            []string
}

func (w *walk) check(path, how string) {
	w.Helper()
	name := strings.NewReplacer("/", "-", "*", "id").Replace(strings.Trim(shape(path), "/")) + "-" + how
	if testing.Verbose() {
		w.see(name)
	}
	if n := js[int](w.browser, `return document.querySelectorAll('h1').length`); n != 1 {
		w.Errorf("%s, %s: %d headings of the first level", path, how, n)
	}
	if js[string](w.browser, `return document.title`) == "" {
		w.Errorf("%s, %s: no title", path, how)
	}
	if js[bool](w.browser, `return document.documentElement.scrollWidth>innerWidth`) {
		w.Errorf("%s, %s: wider than the window: %s", path, how, js[string](w.browser,
			`return [...document.querySelectorAll('body *')].filter(e=>e.getBoundingClientRect().right>innerWidth+1&&!e.closest('.overflow-x-auto')).slice(0,5).map(e=>e.outerHTML.slice(0,150)).join(' | ')`))
	}
	w.keyboard(path, how)
	if _, err := chromedp.Run(w.ctx, chromedp.Evaluate[any](w.axe+";null")); err != nil && !strings.Contains(err.Error(), "null") {
		w.Fatal(err)
	}
	js[bool](w.browser, `window.violations=undefined;
		axe.run({runOnly:['wcag2a','wcag2aa','wcag21a','wcag21aa','best-practice']}).then(r=>{window.violations=JSON.stringify(r.violations.map(v=>
			({ID:v.id,Impact:v.impact,Help:v.help,Nodes:v.nodes.slice(0,4).map(n=>n.html.slice(0,200)+' '+(n.any[0]?.message||''))})))});
		return true`)
	w.until("what axe-core says", `window.violations!==undefined`)
	var found []violation
	if err := json.Unmarshal([]byte(js[string](w.browser, `return window.violations`)), &found); err != nil {
		w.Fatal(err)
	}
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			w.Errorf("%s, %s: %s (%s)\n\t%s", path, how, v.Help, v.ID, strings.Join(v.Nodes, "\n\t"))
		} else {
			w.Logf("%s, %s, %s: %s (%s)\n\t%s", path, how, v.Impact, v.Help, v.ID, strings.Join(v.Nodes, "\n\t"))
		}
	}
}
