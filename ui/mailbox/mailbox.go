// Package mailbox shows what the demo's mail server received. It is mounted in the demo and in
// development only: whoever reaches it reads everybody's mail.
package mailbox

import (
	"context"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// Box holds received mail.
type Box interface {
	Messages() []devstack.Message // newest first
	Message(id int64) (devstack.Message, bool)
}

// Config is what the mailbox needs.
type Config struct{ Box Box }

type view struct {
	Messages []devstack.Message // the newest, at most shown
	Total    int                // in the box
	Selected int64              // id of the message that is shown, 0 for none
	Message  *devstack.Message  // nil when none is selected or it is gone
	Tab      string
	Links    []mailLink
}

// Routes is the table of the mailbox's routes.
func Routes(config Config) []layout.Route {
	box := config.Box
	return []layout.Route{
		{Method: "GET", Path: "/buzon", Who: layout.Everybody, Handle: func(w http.ResponseWriter, r *http.Request) error {
			return show(w, r, box, 0, nil)
		}},
		{Method: "GET", Path: "/buzon/{id}", Who: layout.Everybody, Handle: func(w http.ResponseWriter, r *http.Request) error {
			selected, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
			if err != nil || selected <= 0 {
				return fault.Missing()
			}
			if message, ok := box.Message(selected); ok {
				return show(w, r, box, selected, &message)
			}
			return show(w, r, box, selected, nil)
		}},
		{Method: "GET", Path: "/buzon/{id}/html", Who: layout.Everybody, Handle: func(w http.ResponseWriter, r *http.Request) error {
			message, err := find(box, r)
			if err == nil {
				writeHTML(w, message)
			}
			return err
		}},
		{Method: "GET", Path: "/buzon/{id}/adjuntos/{n}", Who: layout.Everybody, Handle: func(w http.ResponseWriter, r *http.Request) error {
			message, err := find(box, r)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(r.PathValue("n"))
			if err != nil || n < 0 || n >= len(message.Attachments) {
				return fault.Missing()
			}
			writeAttachment(w, message.Attachments[n])
			return nil
		}},
	}
}

func find(box Box, r *http.Request) (devstack.Message, error) {
	wanted, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return devstack.Message{}, fault.Missing()
	}
	message, ok := box.Message(wanted)
	if !ok {
		return devstack.Message{}, fault.Missing()
	}
	return message, nil
}

// show answers with the list and the selected message; 404 when it is gone.
func show(w http.ResponseWriter, r *http.Request, box Box, selected int64, message *devstack.Message) error {
	ctx := r.Context()
	messages := box.Messages()
	v := view{Messages: messages[:min(len(messages), shown)], Total: len(messages), Selected: selected, Message: message}
	title, status := component.T(ctx, "mailbox.title"), http.StatusOK
	switch {
	case message != nil:
		v.Tab, v.Links = tabOf(r, *message), linksOf(message.HTML)
		title = subject(ctx, *message)
	case selected != 0:
		status = http.StatusNotFound
	}
	page := layout.Page{Title: title, Area: component.T(ctx, "mailbox.area"), Home: "/buzon", Nav: []layout.Link{
		{Label: component.T(ctx, "mailbox.nav.mailbox"), URL: "/buzon", Icon: "mail", Current: true},
		{Label: component.T(ctx, "mailbox.nav.console"), URL: "/consola", Icon: "people"},
		{Label: component.T(ctx, "mailbox.nav.portal"), URL: "/clientes", Icon: "home"},
	}}
	return layout.Write(w, r, status, page, mailboxPage(v))
}

func subject(ctx context.Context, m devstack.Message) string {
	if m.Subject == "" {
		return component.T(ctx, "mailbox.no_subject")
	}
	return m.Subject
}

// names of headers in a stable order: those people look for first, then the rest.
func headerNames(m devstack.Message) []string {
	first := []string{"Date", "From", "To", "Reply-To", "Subject", "Message-Id", "List-Unsubscribe"}
	names := slices.DeleteFunc(first, func(name string) bool { return len(m.Headers.Values(name)) == 0 })
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// shown is how many messages the list shows.
const shown = 200

// The tabs of a message.
const (
	tabHTML    = "html"
	tabText    = "texto"
	tabHeaders = "encabezados"
	tabFiles   = "adjuntos"
)

// tabOf is the tab asked for, or the best one that the message has.
func tabOf(r *http.Request, m devstack.Message) string {
	tab := r.URL.Query().Get("ver")
	switch {
	case tab == tabHTML, tab == tabText, tab == tabHeaders, tab == tabFiles && len(m.Attachments) > 0:
		return tab
	case m.HTML == "":
		return tabText
	}
	return tabHTML
}

// messagePath is the page of a message.
func messagePath(message int64) string { return "/buzon/" + strconv.FormatInt(message, 10) }

// writeHTML sends the HTML part of a message, for the frame.
func writeHTML(w http.ResponseWriter, m devstack.Message) {
	_ = layout.WriteMail(w, m.HTML)
}

// writeAttachment sends a file of a message, always as a download.
func writeAttachment(w http.ResponseWriter, a devstack.Attachment) {
	layout.Isolate(w.Header())
	kind, _, err := mime.ParseMediaType(a.ContentType)
	if err != nil {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Data)))
	w.Header().Set("Content-Disposition", disposition(a.Name))
	_, _ = w.Write(a.Data)
}

// disposition names a download; a name that cannot be written is left out.
func disposition(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if value := mime.FormatMediaType("attachment", map[string]string{"filename": name}); name != "" && value != "" {
		return value
	}
	return "attachment"
}

// mailLink is a link inside a mail.
type mailLink struct{ Label, URL string }

// linksOf lists the web addresses that a mail links to, each once, with the words of its first link.
func linksOf(document string) []mailLink {
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		return nil
	}
	var links []mailLink
	seen := map[string]bool{}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode || node.Data != "a" {
			continue
		}
		for _, a := range node.Attr {
			if a.Key != "href" || seen[a.Val] || !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") {
				continue
			}
			seen[a.Val] = true
			label := wordsOf(node)
			if label == "" {
				label = a.Val
			}
			links = append(links, mailLink{label, a.Val})
		}
	}
	return links
}

func wordsOf(node *html.Node) string {
	var b strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			b.WriteString(child.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// listAddress is the page that the list asks for itself: the same one, so that the selection stays.
func listAddress(v view) string {
	if v.Selected == 0 {
		return "/buzon"
	}
	return messagePath(v.Selected)
}

func tabsOf(ctx context.Context, m devstack.Message, current string) []component.Tab {
	tabs := []component.Tab{}
	add := func(key, label string) {
		tabs = append(tabs, component.Tab{Label: label, URL: templ.URL(messagePath(m.ID) + "?ver=" + key), Current: key == current})
	}
	add(tabHTML, component.T(ctx, "mailbox.tab.html"))
	add(tabText, component.T(ctx, "mailbox.tab.text"))
	add(tabHeaders, component.T(ctx, "mailbox.tab.headers"))
	if n := len(m.Attachments); n > 0 {
		add(tabFiles, component.T(ctx, "mailbox.tab.files", "n", n))
	}
	return tabs
}

// clock is the time of day at which a message came.
func clock(at time.Time) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	return at.In(place).Format("15:04:05")
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// size writes a number of bytes for people.
func size(n int) string {
	if n < 1024 {
		return strconv.Itoa(n) + " B"
	}
	return strconv.Itoa((n+512)/1024) + " KiB"
}
