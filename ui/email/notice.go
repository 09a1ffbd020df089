package email

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Invitation is where an invitation is accepted.
func (l Links) Invitation(token string) string {
	return l.at("/clientes/invitacion/" + url.PathEscape(token))
}

// Reset is where a new password is set.
func (l Links) Reset(token string, staff bool) string {
	return l.at(realm(staff) + "/contrasena/" + url.PathEscape(token))
}

// Handover is where an offer of ownership is answered.
func (l Links) Handover(client id.Client) string {
	return l.at("/clientes/" + client.String() + "/titularidad")
}

// Security is where a person sees their sessions and second factors.
func (l Links) Security(staff bool) string { return l.at(realm(staff) + "/seguridad") }

// SignIn is where people of clients sign in.
func (l Links) SignIn() string { return l.at("/clientes/entrar") }

// Issuer is where staff upload a certificate.
func (l Links) Issuer() string { return l.at("/consola/fiscal/emisor") }

// Reports is where staff see what the nightly comparison of documents and payments found.
func (l Links) Reports() string { return l.at("/consola/informes") }

// Pending is where staff see what documents wait for.
func (l Links) Pending() string { return l.at("/consola/fiscal/pendientes") }

// ClientContacts is the page where the people of one client decide who is sent what.
func (l Links) ClientContacts(client id.Client) string {
	return l.at("/clientes/" + client.String() + "/contactos")
}

// ConsoleClient is the page of a client for staff.
func (l Links) ConsoleClient(client id.Client) string {
	return l.at("/consola/clientes/" + client.String())
}

func realm(staff bool) string {
	if staff {
		return "/consola"
	}
	return "/clientes"
}

// Notice writes a mail about access, or to staff about what they must do. Like Reminder, it refuses what could not arrive or would lead nowhere.
func Notice(ctx context.Context, n account.Notice, links Links) (mail.Message, error) {
	head := n.Head()
	to, ok := mail.Address(head.To)
	if !ok {
		return mail.Message{}, fmt.Errorf("recipient %q is no email address", head.To)
	}
	from, ok := mail.Address(head.Company.Email)
	if !ok {
		return mail.Message{}, fmt.Errorf("the company's address %q is no email address", head.Company.Email)
	}
	if !links.valid() {
		return mail.Message{}, fmt.Errorf("base address %q is no web address", links.BaseURL)
	}
	if !validMessageID(head.MessageID) {
		return mail.Message{}, fmt.Errorf("message id %q is malformed", head.MessageID)
	}
	lang := head.Language
	if !locale.Valid(lang) {
		lang = locale.Spanish
	}
	kind, address, values, err := compose(n, links, lang, head.Company.Timezone)
	if err != nil {
		return mail.Message{}, err
	}
	company, name := line(head.Company.Name), line(head.Name)
	values = append(values, "company", company, "email", to)
	t := func(key string) string { return locale.T(lang, "notice."+key+"."+kind, values...) }
	l := letter{Language: lang, Company: company, Colour: brandColour(head.Company.BrandColour), Subject: line(t("subject")), Title: line(t("subject")),
		Preheader: t("lead"), Lead: t("lead"), Facts: noticeFacts(n, lang), Action: link{t("action"), address}, Note: t("why"), Email: to,
		Greeting: greeting(lang, name), Signature: signature(head.Company), Legal: append([]string{t("legal")}, legal(head.Company, lang)...)}
	l.OnColour = readableOn(l.Colour)
	var html strings.Builder
	if err := noticeDocument(l).Render(ctx, &html); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{ID: head.MessageID, FromName: company, From: from, ReplyTo: from, ToName: name, To: to,
		Subject: l.Subject, Text: noticeText(l), HTML: html.String(), Language: lang, Secrets: secrets(n)}, nil
}

// secrets are the tokens in the links of a notice.
func secrets(n account.Notice) []string {
	switch n := n.(type) {
	case account.InvitationNotice:
		return []string{n.Token}
	case account.ResetNotice:
		return []string{n.Token}
	case reminder.VerifyNotice:
		return []string{n.Token}
	}
	return nil
}

// maxGaps is how many findings a mail lists; the page that it leads to has all of them.
const maxGaps = 10

// noticeFacts are what a notice shows line by line.
func noticeFacts(n account.Notice, lang string) []fact {
	t := func(key string) string { return locale.T(lang, "notice.fact."+key) }
	switch n := n.(type) {
	case reminder.MailNotice:
		if n.What == "bounced" {
			return []fact{{Label: t("client"), Value: line(n.Client)}, {Label: t("address"), Value: line(n.Email)}, {Label: t("answer"), Value: line(n.Detail)}}
		}
	case reminder.LedgerNotice:
		list := []fact{}
		for i, gap := range n.Gaps[:min(len(n.Gaps), maxGaps)] {
			list = append(list, fact{Label: strconv.Itoa(i + 1), Value: line(billing.GapText(lang, gap))})
		}
		return list
	case reminder.GatewayNotice:
		return []fact{{Label: t("client"), Value: line(n.Client)}, {Label: t("amount"), Value: n.Amount}, {Label: t("reference"), Value: line(n.Reference)}}
	}
	return nil
}

// compose names the kind of a notice, the address that it leads to and the values of its texts.
func compose(n account.Notice, links Links, lang, zone string) (kind, address string, values []any, err error) {
	switch n := n.(type) {
	case account.InvitationNotice:
		return "invitation", links.Invitation(n.Token), []any{"by", line(n.InvitedBy), "client", line(n.Client), "until", moment(n.ExpiresAt, lang, zone)}, nil
	case account.ResetNotice:
		kind := "reset"
		if n.Client != "" {
			kind = "reset_client"
		}
		if n.InvitedBy != "" {
			kind = "staff"
		}
		return kind, links.Reset(n.Token, n.Staff), []any{"by", line(n.InvitedBy), "until", moment(n.ExpiresAt, lang, zone), "client", line(n.Client)}, nil
	case account.HandoverNotice:
		return "handover", links.Handover(n.ClientID), []any{"by", line(n.OfferedBy), "client", line(n.Client), "until", moment(n.ExpiresAt, lang, zone)}, nil
	case account.AlertNotice:
		device := line(n.Device)
		if device == "" {
			device = locale.T(lang, "notice.unknown_device")
		}
		return "alert", links.Security(n.Staff), []any{"when", moment(n.At, lang, zone), "address", line(n.Address), "device", device}, nil
	case fiscal.ExpiryNotice:
		return "csd", links.Issuer(), []any{"number", n.NoCertificado, "days", n.Days, "until", longDate(lang, n.Until)}, nil
	case fiscal.ReceiptsNotice:
		return "receipts", links.Pending(), []any{"count", n.Count, "due", longDate(lang, n.Due)}, nil
	case account.AccessNotice:
		return "access", links.SignIn(), []any{"by", line(n.GivenBy), "client", line(n.Client)}, nil
	case reminder.MailNotice:
		kind, address := n.What+"_owner", links.ClientContacts(n.Of)
		if n.Staff {
			kind, address = n.What+"_staff", links.ConsoleClient(n.Of)
		}
		return kind, address, []any{"address", line(n.Email), "client", line(n.Client)}, nil
	case reminder.VerifyNotice:
		if !(Links{BaseURL: n.URL}).valid() {
			return "", "", nil, fmt.Errorf("personal link %q is no web address", n.URL)
		}
		return "verify", n.URL, []any{"client", line(n.Client)}, nil
	case reminder.LedgerNotice:
		return "ledger", links.Reports(), []any{"count", len(n.Gaps)}, nil
	case reminder.GatewayNotice:
		return "gateway", n.URL, []any{"amount", n.Amount, "cause", locale.T(lang, "notice.cause."+n.Outcome)}, nil
	}
	return "", "", nil, fmt.Errorf("no mail is written for %T", n)
}

// moment writes date and time in the company's zone: "30 abr 2026, 14:05 (CST)".
func moment(at time.Time, lang, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	at = at.In(loc)
	return longDate(lang, date.Of(at, loc)) + at.Format(", 15:04 (MST)")
}

func noticeText(l letter) string {
	facts := ""
	for _, f := range l.Facts {
		facts += f.Label + ": " + f.Value + "\n"
	}
	parts := joinPresent(wrap(l.Alert), wrap(l.Greeting), wrap(l.Lead), strings.TrimSuffix(facts, "\n"), l.Action.Label+":\n"+l.Action.URL, wrap(l.Note), strings.Join(l.Signature, "\n"))
	legal := make([]string, len(l.Legal))
	for i, text := range l.Legal {
		legal[i] = wrap(text)
	}
	return strings.Join(parts, "\n\n") + "\n\n-- \n" + strings.Join(legal, "\n") + "\n"
}
