package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const stampingPath = "/consola/fiscal/timbrado"

// stampt is a text about the stamping.
func stampt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "stamping."+key, args...)
}

// stampingTabs are what the list can be limited to, by the word in the address.
var stampingTabs = []struct{ word, which, label string }{
	{"", db.UnstampedAll, "all"}, {"en-espera", db.UnstampedWaiting, "waiting"}, {"rechazadas", db.UnstampedRefused, "refused"},
}

// stampingView is the monitor of the stamping.
type stampingView struct {
	fiscal.Stamping
	Word, Which string // what the list is limited to
	Rows        []fiscal.Unstamped
	Next        string
}

func (v stampingView) count(which string) int {
	switch which {
	case db.UnstampedWaiting:
		return v.Waiting
	case db.UnstampedRefused:
		return v.Refused
	}
	return v.Waiting + v.Refused
}

func (v stampingView) tabs(ctx context.Context) []component.Tab {
	tabs := make([]component.Tab, len(stampingTabs))
	for i, one := range stampingTabs {
		tabs[i] = tab(stampt(ctx, "tab."+one.label, "n", v.count(one.which)), stampingURL(one.word, ""), one.word == v.Word)
	}
	return tabs
}

// attempts says what was tried with a document, and what comes next.
func attempts(ctx context.Context, row fiscal.Unstamped) string {
	text := stampt(ctx, "since", "at", moment(ctx, row.CreatedAt))
	switch {
	case row.Attempts == 1:
		text += " · " + stampt(ctx, "attempts.one")
	case row.Attempts > 1:
		text += " · " + stampt(ctx, "attempts", "n", row.Attempts)
	}
	if row.FailedAt != nil && row.Attempts > 0 {
		text += ", " + stampt(ctx, "attempts.last", "at", moment(ctx, *row.FailedAt))
	}
	switch {
	case row.NextAttempt != nil:
		text += " · " + stampt(ctx, "next", "at", moment(ctx, *row.NextAttempt))
	case row.LeaseUntil != nil && row.Waiting():
		text += " · " + stampt(ctx, "now")
	}
	return text
}

// failureOf is the badge of a document without a stamp.
func failureOf(row fiscal.Unstamped) (tone component.Tone, key string) {
	switch {
	case row.Status == db.CFDIStampFailed:
		return component.Bad, "rejected"
	case row.Failure != "":
		return component.Warning, row.Failure
	}
	return component.Info, "waiting"
}

func stampingURL(word, after string) string {
	q := url.Values{}
	set(q, "situacion", word)
	set(q, "despues", after)
	return withQuery(stampingPath, q)
}

// whichOf reads what the list is limited to; anything unknown is everything.
func whichOf(word string) (string, string) {
	for _, one := range stampingTabs {
		if one.word == word {
			return one.word, one.which
		}
	}
	return "", db.UnstampedAll
}

// stamping lists what has no stamp, and says why.
func (c *Console) stamping(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := stampingView{}
	view.Word, view.Which = whichOf(q.Get("situacion"))
	var err error
	if view.Stamping, err = c.Fiscal.Stamping(ctx); err != nil {
		return err
	}
	list, rows, err := c.Fiscal.Unstamped(ctx, view.Which, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	view.Rows = rows
	if next := list.Next(); next != "" {
		view.Next = stampingURL(view.Word, next)
	}
	return c.show(w, r, http.StatusOK, stampt(ctx, "title"), stampingPage(view))
}

// retryStamps tries everything of the list again.
func (c *Console) retryStamps(w http.ResponseWriter, r *http.Request) error {
	word, which := whichOf(r.PostFormValue("situacion"))
	if _, err := c.Fiscal.RetryStamps(r.Context(), which); err != nil {
		return err
	}
	layout.Flash(w, r, "stamping.flash.all")
	return layout.Redirect(w, r, stampingURL(word, ""))
}

// retryCFDI tries one document again.
func (c *Console) retryCFDI(w http.ResponseWriter, r *http.Request) error {
	cfdi, err := id.ParseCFDI(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	if _, err := c.Fiscal.RetryStamp(r.Context(), cfdi); err != nil {
		return err
	}
	layout.Flash(w, r, "stamping.flash.one")
	if r.PostFormValue("desde") == "timbrado" {
		word, _ := whichOf(r.PostFormValue("situacion"))
		return layout.Redirect(w, r, stampingURL(word, ""))
	}
	return layout.Redirect(w, r, "/consola/fiscal")
}

// stampingBanner tells on every page of the console that documents are not stamped, or soon will not be. Who must still
// prove a second factor sees none.
func (c *Console) stampingBanner(ctx context.Context) (templ.Component, error) {
	if c.Fiscal == nil {
		return templ.NopComponent, nil
	}
	s, err := c.Fiscal.StampingAlerts(ctx)
	if fault.Is(err, fault.Forbidden) {
		return templ.NopComponent, nil
	}
	return stampingAlerts(s), err
}

// alertTexts are title and detail of an alert, and where to look.
func alertTexts(ctx context.Context, s fiscal.Stamping, alert string) (title, detail, look, path string) {
	look, path = stampt(ctx, "look"), stampingPath
	key := "alert." + alert
	var args []any
	switch alert {
	case fiscal.AlertOutage:
		if kind := s.Outage.Failure; kind == string(fiscal.KindAuth) || kind == string(fiscal.KindClock) {
			key += "." + kind
		}
		args = []any{"since", moment(ctx, s.Outage.Since), "cause", cause(s.Outage.Code, s.Outage.Message)}
	case fiscal.AlertCredit:
		args = []any{"left", *s.Credits.Credits}
	default:
		look, path = stampt(ctx, "alert.csd.look"), "/consola/fiscal/emisor"
		args = []any{"days", s.Issuer.DaysLeft}
	}
	return stampt(ctx, key, args...), stampt(ctx, key+".detail", args...), look, path
}

// causeOf is why a document has no stamp: what it was refused for, or what its job failed with.
func causeOf(ctx context.Context, row fiscal.Unstamped) string {
	if row.Message == "" {
		return cause(row.Code, row.Cause)
	}
	return refusalWords(ctx, row.Refusal)
}

func cause(code, message string) string {
	if message == "" || code == "" {
		return code + message
	}
	return code + ", " + message
}

func alertTone(alert string) component.Tone {
	if alert == fiscal.AlertOutage || alert == fiscal.AlertCSDExpired {
		return component.Bad
	}
	return component.Warning
}

// mayRead reports whether the reader may see the monitor.
func mayRead(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ReadBilling) == nil
}

func (v stampingView) creditNote(ctx context.Context) (value, note string) {
	switch {
	case v.Credits == nil:
		return stampt(ctx, "credits.unknown"), stampt(ctx, "credits.unknown.detail")
	case v.Credits.Credits == nil:
		return stampt(ctx, "credits.unlimited"), stampt(ctx, "credits.at", "at", moment(ctx, v.Credits.CheckedAt), "n", v.Issuer.CreditAlert)
	}
	return strconv.Itoa(*v.Credits.Credits), stampt(ctx, "credits.at", "at", moment(ctx, v.Credits.CheckedAt), "n", v.Issuer.CreditAlert)
}

func (v stampingView) providerNote(ctx context.Context) (value, note string) {
	note = stampt(ctx, "provider.never")
	if v.Last != nil {
		note = stampt(ctx, "provider.last", "at", moment(ctx, *v.Last))
	}
	switch {
	case !v.Issuer.PAC:
		return stampt(ctx, "provider.none"), note
	case v.Outage != nil:
		return stampt(ctx, "provider.down"), stampt(ctx, "provider.since", "at", moment(ctx, v.Outage.Since))
	}
	return stampt(ctx, "provider.ok"), note
}

func retryLabel(ctx context.Context, row fiscal.Unstamped) string {
	if row.Status == db.CFDIStampFailed {
		return stampt(ctx, "retry.refused")
	}
	return stampt(ctx, "retry")
}
