package console

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// zone is where staff works: times of the console are shown in it.
const zone = "America/Mexico_City"

// t is a text of the console in the language of the page.
func t(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "console."+key, args...)
}

// plural is the text for n things; the key has a variant ".one".
func plural(ctx context.Context, key string, n int64) string {
	return t(ctx, oneOr(key, n), "n", n)
}

// oneOr is the key of the text for n things.
func oneOr(key string, n int64) string {
	if n == 1 {
		return key + ".one"
	}
	return key
}

// optional is the label of a field that may stay empty.
func optional(ctx context.Context, key string) string {
	return t(ctx, key) + " (" + t(ctx, "optional") + ")"
}

func moment(ctx context.Context, at time.Time) string { return component.Moment(ctx, at, zone) }

// iso is the machine-readable form of a moment, for <time>.
func iso(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// stepLabel says in words which entry of the policy a delivery belongs to.
func stepLabel(ctx context.Context, step db.ReminderStep) string {
	days := int64(step.Days)
	switch {
	case step.Anchor == db.AnchorIssue && days == 0:
		return t(ctx, "step.issue")
	case step.Anchor == db.AnchorIssue:
		return plural(ctx, "step.issue.after", days)
	case days < 0:
		return plural(ctx, "step.due.before", -days)
	case days == 0:
		return t(ctx, "step.due")
	}
	return plural(ctx, "step.due.after", days)
}

// reasonLabel says why a delivery is in its state. A reason without a text is shown as it is.
func reasonLabel(ctx context.Context, reason string) string {
	if key := "console.reason." + reason; locale.Has(key) {
		return component.T(ctx, key)
	}
	return reason
}

func eventLabel(ctx context.Context, event string) string {
	if key := "console.event." + event; locale.Has(key) {
		return component.T(ctx, key)
	}
	return event
}

// eventTone colours an entry of the history.
func eventTone(event string) string {
	switch event {
	case db.DeliverySent:
		return "bg-success"
	case db.DeliveryFailed, db.DeliveryBounced:
		return "bg-error"
	case "retry", "interrupted":
		return "bg-warning"
	}
	return "bg-base-content/40"
}

// when is the time that matters: when it was sent, else when it is to be sent.
func (d deliveryRow) when() time.Time {
	if d.SentAt != nil {
		return *d.SentAt
	}
	return d.SendAt
}

// on reports whether a pause is in force.
func (f pauseForm) on() bool { return f.Paused > f.Today }

func clientPath(client id.Client) string { return "/consola/clientes/" + client.String() }

func invoicePath(invoice id.Invoice) string { return "/consola/facturas/" + invoice.String() }

func deliveryPath(delivery id.Delivery) string { return "/consola/recordatorios/" + delivery.String() }

func contactPath(contact id.Contact) string { return "/consola/contactos/" + contact.String() }

// waitingNote says since when, or until when, deliveries wait.
func waitingNote(ctx context.Context, v homeView) string {
	switch {
	case v.Counts.Waiting == 0 || v.Counts.Oldest == nil:
		return t(ctx, "home.waiting.none")
	case v.Counts.Oldest.After(v.Now):
		return t(ctx, "home.waiting.next", "at", moment(ctx, *v.Counts.Oldest))
	}
	return t(ctx, "home.waiting.since", "at", moment(ctx, *v.Counts.Oldest))
}

// shortTopic is the short label of an email preference.
func shortTopic(ctx context.Context, topic mail.Topic) string {
	return t(ctx, "topic."+string(topic))
}

// permissionList names the permissions of a sub-account.
func permissionList(ctx context.Context, permissions []access.Permission) string {
	var labels []string
	for _, p := range permissions {
		labels = append(labels, component.T(ctx, "access."+string(p)))
	}
	return strings.Join(labels, " · ")
}

// pdfPath is where the PDF of an invoice is downloaded.
func pdfPath(invoice id.Invoice) string { return "/descargas/facturas/" + invoice.String() + ".pdf" }
