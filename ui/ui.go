// Package ui is the door for people: the client area, the staff console, the demo mailbox and the
// downloads. It authenticates, translates forms into verbs of internal/ and answers into pages, and
// decides nothing.
package ui

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/asset"
	"github.com/nubedigitalmx/avisa/ui/console"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/mailbox"
	"github.com/nubedigitalmx/avisa/ui/portal"
	"github.com/nubedigitalmx/avisa/ui/static"
)

// Config is what the pages need.
type Config struct {
	Account  *account.Service
	Billing  *billing.Service
	Reminder *reminder.Service
	Fiscal   *fiscal.Service // nil: no fiscal documents
	// Outbox sums up the background work that waits, Downloads is the download log of an invoice;
	// the console leaves out what is nil.
	Outbox    func(ctx context.Context) (db.OutboxState, error)
	Downloads func(ctx context.Context, invoice id.Invoice) ([]db.InvoiceDownload, error)
	GraphQL   http.Handler // served at /graphql; nil: no API and no explorer
	// RefuseAPI answers what is refused at /graphql before it gets to GraphQL, and what is refused of a program's downloads,
	// in GraphQL's way; nil: with a page.
	RefuseAPI      func(w http.ResponseWriter, r *http.Request, status int, f *fault.Error)
	Mailbox        mailbox.Box      // shown at /buzon; nil: no such page
	BaseURL        string           // how people reach this installation; cookies are Secure unless it is plain http
	TrustedProxies []netip.Prefix   // whose X-Forwarded-For is believed
	APIOrigins     []string         // whose pages may use /graphql from a browser, such as "https://app.example"; none but our own when empty
	Log            *slog.Logger     // internal errors; nil: slog.Default
	Now            func() time.Time // nil: time.Now
}

type site struct{ Config }

// New serves all pages. What a request may do is decided by the services; Routes says who is let in.
func New(config Config) http.Handler {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &site{config}
	mux := http.NewServeMux()
	for _, route := range Routes(s.Config) {
		mux.Handle(route.Method+" "+route.Path, s.serve(route))
	}
	if s.GraphQL != nil {
		mux.Handle("/graphql", s.GraphQL)
	}
	assets := asset.New(static.Dist())
	mux.Handle(asset.Prefix, assets)
	mux.Handle("/", s.serve(layout.Route{Handle: notFound}))

	secure := !strings.HasPrefix(config.BaseURL, "http://")
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(strings.TrimRight(config.BaseURL, "/")); err != nil && config.BaseURL != "" {
		config.Log.Warn("base URL is no origin: requests are compared with their Host header alone", "base", config.BaseURL)
	}
	origins.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	site := s.authenticated(mux)
	return headers(secure)(assets.With(locate(config.TrustedProxies)(s.branded(s.recovering(s.fromElsewhere(site, origins.Handler(site)))))))
}

// Routes is the table of all routes but the GraphQL endpoint and the browser files, which have
// handlers of their own.
func Routes(c Config) []layout.Route {
	pages := pages{c}
	table := []layout.Route{
		{Method: "GET", Path: "/{$}", Who: layout.Everybody, Handle: toPortal},
		{Method: "GET", Path: "/favicon.svg", Who: layout.Everybody, Handle: favicon},
		{Method: "GET", Path: "/marca/logo", Who: layout.Everybody, Handle: pages.logo},
		{Method: "GET", Path: "/marca/color.css", Who: layout.Everybody, Handle: pages.brandStyle},
		{Method: "POST", Path: "/idioma", Who: layout.Everybody, Handle: pages.setLanguage},
		{Method: "POST", Path: "/consola/idioma", Who: layout.Everybody, Handle: pages.setLanguage},
	}
	table = append(table, pages.downloadRoutes()...)
	table = append(table, maillinks{c.Reminder, c.Now}.routes()...)
	table = append(table, pages.paymentRoutes()...)
	table = append(table, pages.bounceRoute())
	if c.Fiscal != nil {
		table = append(table, layout.Route{Method: "GET", Path: "/descargas/cfdi/{file}", Who: layout.SignedIn, Handle: pages.fiscalFile},
			layout.Route{Method: "GET", Path: "/descargas/fiscal/{client}/{file}", Who: layout.SignedIn, Handle: pages.fiscalArchive})
	}
	if c.GraphQL != nil {
		table = append(table, layout.Route{Method: "GET", Path: "/graphql/explorer", Who: layout.Everybody, Handle: explorer})
	}
	table = append(table, c.portal().Routes()...)
	table = append(table, c.console().Routes()...)
	if c.Mailbox != nil {
		table = append(table, mailbox.Routes(mailbox.Config{Box: c.Mailbox})...)
	}
	return table
}

func (c Config) portal() *portal.Portal {
	return portal.New(portal.Config{Account: c.Account, Billing: c.Billing, Reminder: c.Reminder, Fiscal: c.Fiscal, Now: c.Now})
}

func (c Config) console() *console.Console {
	return console.New(console.Config{Account: c.Account, Billing: c.Billing, Reminder: c.Reminder, Fiscal: c.Fiscal,
		Outbox: c.Outbox, Downloads: c.Downloads, Mailbox: c.Mailbox != nil, Now: c.Now})
}
