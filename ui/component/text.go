// Package component holds the pieces that pages are built of: texts in the reader's language, icons,
// badges, fields, empty states. They look at nothing but their arguments and the language in the
// context.
package component

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

type languageKey struct{}

// WithLang sets the language of a request's pages.
func WithLang(ctx context.Context, lang string) context.Context {
	return context.WithValue(ctx, languageKey{}, lang)
}

// Lang is the language of the page, Spanish when nothing was chosen.
func Lang(ctx context.Context) string {
	if lang, ok := ctx.Value(languageKey{}).(string); ok {
		return lang
	}
	return locale.Spanish
}

// T is the text of a key of internal/locale in the language of the page. args are name-value pairs
// for its placeholders.
func T(ctx context.Context, key string, args ...any) string { return locale.T(Lang(ctx), key, args...) }

// Money writes an amount with its currency: "$1,234.56 MXN".
func Money(ctx context.Context, m money.Minor, currency money.Currency) string {
	return money.Format(m, currency, Lang(ctx))
}

// Amount is Money for an amount as a fiscal document writes it ("1848.00"); "" for none.
func Amount(ctx context.Context, decimal, currency string) string {
	m, err := money.ParseMinor(decimal, money.Currency(currency))
	if err != nil {
		return ""
	}
	return Money(ctx, m, money.Currency(currency))
}

// Date writes a calendar date: "30 abr 2026".
func Date(ctx context.Context, d date.Date) string { return d.Format(Lang(ctx)) }

// Moment writes a point in time as people of the zone (IANA name) see it: "30 abr 2026, 14:05".
func Moment(ctx context.Context, t time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	return date.Of(t, place).Format(Lang(ctx)) + ", " + t.In(place).Format("15:04")
}
