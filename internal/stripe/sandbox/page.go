package sandbox

import (
	"html/template"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

type pageView struct {
	Lang   string
	Open   bool
	Items  []pageItem
	Total  string
	Cancel string
	T      func(key string) string
}

type pageItem struct{ Name, Amount string }

func view(session Session) pageView {
	lang := locale.Spanish
	if session.Locale == "en" {
		lang = locale.English
	}
	currency := money.Currency(strings.ToUpper(session.Currency))
	v := pageView{Lang: lang, Open: session.Status == "open", Total: money.Format(money.Minor(session.AmountTotal), currency, lang), Cancel: session.CancelURL,
		T: func(key string) string { return locale.T(lang, "payment.sandbox."+key) }}
	for _, i := range session.items {
		v.Items = append(v.Items, pageItem{i.name, money.Format(money.Minor(i.amount), currency, lang)})
	}
	return v
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{{call .T "title"}}</title><style>
:root{color-scheme:light}body{margin:0;background:#f3f4f6;color:#1f2937;font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:0 auto;padding:2rem 1rem}
.note{background:#fef3c7;color:#78350f;border-radius:.5rem;padding:.75rem 1rem;font-size:.9rem}
section{background:#fff;border:1px solid #e5e7eb;border-radius:.75rem;padding:1.25rem;margin-top:1rem}
h1{font-size:1.25rem;margin:1.25rem 0 0}dl{display:grid;grid-template-columns:1fr auto;gap:.4rem 1rem;margin:0}dd{margin:0;text-align:end;font-variant-numeric:tabular-nums}
.total{font-weight:600;border-top:1px solid #e5e7eb;padding-top:.5rem}
button{display:block;width:100%;padding:.7rem 1rem;margin-top:.6rem;border:1px solid #d1d5db;border-radius:.5rem;background:#fff;font:inherit;font-weight:600;cursor:pointer}
button.main{background:#0f766e;border-color:#0f766e;color:#fff}a{color:#0f766e}</style></head>
<body><main><p class="note" role="note">{{call .T "note"}}</p><h1>{{call .T "title"}}</h1>
<section><dl>{{range .Items}}<dt>{{.Name}}</dt><dd>{{.Amount}}</dd>{{end}}<dt class="total">{{call .T "total"}}</dt><dd class="total">{{.Total}}</dd></dl>
{{if .Open}}<form method="post"><button class="main" name="como" value="paid">{{call .T "pay"}}</button>
<button name="como" value="processing">{{call .T "later"}}</button></form>
<p><a href="{{.Cancel}}">{{call .T "back"}}</a></p>{{else}}<p>{{call .T "closed"}}</p><p><a href="{{.Cancel}}">{{call .T "back"}}</a></p>{{end}}</section></main></body></html>`))
