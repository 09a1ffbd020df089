package auditlog

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// FailedView is a page of failed sign-ins.
type FailedView struct {
	Path string
	Rows []db.FailedSignIn
	Next string
}

// failedPath is the page of failed sign-ins beside the log at an address.
func failedPath(path string) string { return path + "/intentos" }

// Failed returns the page of failed sign-ins that a request asks for: those of the log's client, or all of them.
func (l Log) Failed(r *http.Request) (FailedView, error) {
	view := FailedView{Path: l.Path}
	list, err := l.Account.FailedSignIns(r.Context(), l.Client, db.Page{First: pageSize, After: r.URL.Query().Get("despues")})
	if err != nil {
		return FailedView{}, err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		view.Next = failedPath(l.Path) + "?despues=" + url.QueryEscape(next)
	}
	return view, nil
}

// tabs leads between what was done and who could not get in.
func tabs(ctx context.Context, path string, failed bool) []component.Tab {
	return []component.Tab{
		{Label: t(ctx, "tab.log"), URL: templ.SafeURL(path), Current: !failed},
		{Label: t(ctx, "tab.failed"), URL: templ.SafeURL(failedPath(path)), Current: failed},
	}
}

// between says when the attempts of a row were made: from the beginning of its hour to the last one.
func between(ctx context.Context, row db.FailedSignIn) string {
	text := component.Moment(ctx, row.LastAt, zone)
	if place, err := time.LoadLocation(zone); err == nil && row.Attempts > 1 {
		text += " (" + component.T(ctx, "audit.failed.since", "at", row.Hour.In(place).Format("15:04")) + ")"
	}
	return text
}

func attempts(ctx context.Context, n int) string {
	if n == 1 {
		return t(ctx, "failed.attempts.one")
	}
	return component.T(ctx, "audit.failed.attempts", "n", n)
}

func codes(ctx context.Context, n int) string {
	if n == 1 {
		return t(ctx, "failed.codes.one")
	}
	return component.T(ctx, "audit.failed.codes", "n", n)
}
