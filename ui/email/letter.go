package email

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// letter is what a mail says; the text and the HTML part show it.
type letter struct {
	Language  string
	Subject   string
	Preheader string // what a mail program shows beside the subject
	Colour    string // of the brand, #rrggbb
	OnColour  string // readable on Colour
	Company   string
	Tone      string // issued, upcoming, today, overdue
	ToneLabel string
	Title     string
	Greeting  string
	Lead      string
	Words     []paragraph // of the company's own template, in the place of greeting and lead
	Facts     []fact
	Balance   fact
	Action    link
	Pay       link     // the words that stand for it in a template
	Alert     string   // above everything else
	Note      string   // below the button
	Payment   []string // how to pay, line by line
	Reference string   // what to name in the payment
	Signature []string
	Why       string
	HowToStop string // before Change
	Change    link
	Email     string
	Legal     []string // who sends this: name, RFC, address, telephone
}

type fact struct{ Label, Value, URL string }

// paragraph is lines of passages; a passage with a URL is a link.
type paragraph [][]passage

type passage struct{ Text, URL string }

type link struct{ Label, URL string }

// toneOf is how urgent the mail is. An announcement of an invoice that is overdue already is no news.
func toneOf(r reminder.Reminder) string {
	switch {
	case r.DaysLeft < 0:
		return "overdue"
	case r.Issued:
		return "issued"
	case r.DaysLeft == 0:
		return "today"
	}
	return "upcoming"
}

func newLetter(r reminder.Reminder, links Links) letter {
	lang, tone := r.Language, toneOf(r)
	amount := func(m money.Minor) string { return money.Format(m, r.Currency, lang) }
	values := []any{"number", r.Number, "client", r.Client, "company", r.Company.Name, "email", r.To, "name", r.Name,
		"balance", amount(r.Balance), "due", longDate(lang, r.DueDate), "when", when(lang, number(r), r.DaysLeft), "count", len(r.Invoices)}
	t := func(key string) string { return locale.T(lang, "mail."+key, values...) }
	// about is a text of which there is another one for several invoices.
	about := func(key string) string { return t(number(r) + key) }

	l := letter{
		Language: lang, Subject: about("subject." + tone), Preheader: t("preheader"), Company: r.Company.Name, Email: r.To,
		Colour: brandColour(r.Company.BrandColour), Tone: tone, ToneLabel: t("tone." + tone), Title: about("title.other"),
		Greeting: greeting(lang, r.Name), Lead: about("lead." + tone),
		Balance: fact{Label: t("balance"), Value: amount(r.Balance)}, Reference: about("reference"),
		Action:  link{t("view"), cmp.Or(r.Link, links.Invoice(r.InvoiceID))}, // the personal one opens without a login
		Pay:     link{t("pay"), r.PaymentLink},
		Payment: lines(r.Company.PaymentDetails), Signature: signature(r.Company),
		Why: t("why"), HowToStop: t("change"), Change: link{t("change.link"), links.Contacts()},
	}
	if r.Preferences != "" { // opens without a login too
		l.HowToStop, l.Change = t("change.personal"), link{t("change.personal.link"), r.Preferences}
	}
	l.OnColour = readableOn(l.Colour)
	if tone == "issued" {
		l.Title = about("title.issued")
	}
	due := fact{Label: t("due_on"), Value: longDate(lang, r.DueDate)}
	if len(r.Invoices) > 0 {
		l.Action = link{about("view"), cmp.Or(r.Link, links.Invoices(r.ClientID))}
		l.Facts = []fact{{Label: t("client"), Value: r.Client}, due}
		for _, one := range r.Invoices {
			l.Facts = append(l.Facts, fact{t("invoice") + " " + line(one.Number), amount(one.Balance), cmp.Or(one.Link, links.Invoice(one.InvoiceID))})
		}
	} else {
		l.Facts = []fact{{Label: t("invoice"), Value: r.Number}, {Label: t("client"), Value: r.Client}, {Label: t("issued_on"), Value: longDate(lang, r.IssueDate)}, due}
	}
	if r.Balance != r.Total {
		l.Facts = append(l.Facts, fact{Label: about("total"), Value: amount(r.Total)}, fact{Label: t("paid"), Value: amount(r.Total - r.Balance)})
	}
	for _, fee := range r.LateFees {
		l.Facts = append(l.Facts, fact{Label: locale.T(lang, "mail.late_fee.fact", "name", line(fee.Name), "day", longDate(lang, fee.On)), Value: money.Format(fee.Total, fee.Currency, lang)})
	}
	l.use(r.Words, r.Company)
	l.Legal = legal(r.Company, lang)
	return l
}

// legal says who sends the mail, line by line.
func legal(company db.Company, lang string) []string {
	taxID := ""
	if company.TaxID != "" {
		taxID = locale.T(lang, "mail.rfc", "rfc", line(company.TaxID))
	}
	return joinPresent(joinedBy(" · ", cmp.Or(line(company.LegalName), line(company.Name)), taxID), strings.Join(lines(company.Address), ", "),
		joinedBy(" · ", line(company.Phonenumber), line(company.Email), line(company.Website)))
}

// signature is the company's, its name where it has none.
func signature(company db.Company) []string {
	if signed := lines(company.Signature); len(signed) > 0 {
		return signed
	}
	return []string{line(company.Name)}
}

// greeting is how a mail begins to somebody whose name may not be known.
func greeting(lang, name string) string {
	if name == "" {
		return locale.T(lang, "mail.greeting.nobody")
	}
	return locale.T(lang, "mail.greeting", "name", name)
}

// use puts the words of a template into the letter. What they say themselves, the rest of the letter does
// not say again.
func (l *letter) use(words *reminder.Words, company db.Company) {
	if words == nil {
		return
	}
	l.Subject = line(words.Subject)
	l.Title = l.Subject
	body := words.Body
	says := func(text string) bool { return text != "" && strings.Contains(body, text) }
	if says(strings.TrimSpace(strings.ReplaceAll(company.PaymentDetails, "\r\n", "\n"))) {
		l.Payment = nil
	}
	signed := strings.TrimSpace(strings.ReplaceAll(company.Signature, "\r\n", "\n"))
	if cut, last := strings.CutSuffix(strings.TrimSpace(body), cmp.Or(signed, company.Name)); last { // at their end it goes to the letter's
		body = cut
	} else if says(signed) { // it stays where the words have it
		l.Signature = nil
	}
	part := paragraph{}
	for text := range strings.Lines(body + "\n\n") {
		switch {
		case strings.TrimSpace(text) != "":
			part = append(part, l.passages(text))
		case len(part) > 0:
			l.Words, part = append(l.Words, part), paragraph{}
		}
	}
}

// passages parts a line of a template at the addresses of the letter's button and of the place to pay, which
// become links with their words. Nothing else that people typed becomes one.
func (l *letter) passages(text string) (list []passage) {
	for text != "" {
		at, next := len(text), link{}
		for _, to := range []link{l.Pay, l.Action} { // the first is the second one with more behind it
			if i := strings.Index(text, to.URL); to.URL != "" && i >= 0 && i < at {
				at, next = i, to
			}
		}
		if words := line(text[:at]); words != "" {
			list = append(list, passage{Text: words})
		}
		if text = text[at+len(next.URL):]; next.URL != "" {
			list = append(list, passage{next.Label, next.URL})
		}
	}
	return list
}

// number is the part of a text's key for several invoices.
func number(r reminder.Reminder) string {
	if len(r.Invoices) > 0 {
		return "several."
	}
	return ""
}

// when says "is due in 7 days" in the words people use.
func when(lang, number string, daysLeft int) string {
	key, days := "ago", -daysLeft
	switch {
	case daysLeft > 1:
		key, days = "days", daysLeft
	case daysLeft == 1:
		key = "tomorrow"
	case daysLeft == 0:
		key = "today"
	case daysLeft == -1:
		key = "yesterday"
	}
	return locale.T(lang, "mail."+number+"when."+key, "days", days)
}

// longDate writes a date in full: "30 de abril de 2026".
func longDate(lang string, d date.Date) string {
	if d == "" {
		return ""
	}
	at := d.Time()
	month := locale.T(lang, "mail.month."+strconv.Itoa(int(at.Month())))
	return locale.T(lang, "mail.date", "day", at.Day(), "month", month, "year", at.Year())
}

// lines splits a text of the company's settings into its lines, each fit to be shown.
func lines(text string) []string {
	var kept []string
	for part := range strings.Lines(text) {
		if part = line(part); part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

func joinPresent(parts ...string) []string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func joinedBy(separator string, parts ...string) string {
	return strings.Join(joinPresent(parts...), separator)
}
