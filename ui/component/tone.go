package component

import "github.com/nubedigitalmx/avisa/db"

// Tone is what a colour says. Text always says it too.
type Tone string

// The tones of badges, alerts and toasts.
const (
	Neutral Tone = "neutral"
	Info    Tone = "info"
	Good    Tone = "good"
	Warning Tone = "warning"
	Bad     Tone = "bad"
)

var badgeClass = map[Tone]string{
	Neutral: "badge badge-soft", Info: "badge badge-soft badge-info", Good: "badge badge-soft badge-success",
	Warning: "badge badge-soft badge-warning", Bad: "badge badge-soft badge-error",
}

var alertClass = map[Tone]string{
	Neutral: "alert alert-soft", Info: "alert alert-soft alert-info", Good: "alert alert-soft alert-success",
	Warning: "alert alert-soft alert-warning", Bad: "alert alert-soft alert-error",
}

var toneIcon = map[Tone]string{Neutral: "info", Info: "info", Good: "check", Warning: "warning", Bad: "warning"}

// InvoiceTone is the tone of an invoice's state (db.Invoice.State). Its label is common.invoice.<state>.
func InvoiceTone(state string) Tone {
	switch state {
	case db.InvoicePaid:
		return Good
	case db.InvoiceOverdue:
		return Bad
	case db.InvoicePartlyPaid:
		return Info
	case db.InvoiceIssued:
		return Warning
	}
	return Neutral
}

// DeliveryTone is the tone of a delivery's state. Its label is common.delivery.<state>.
func DeliveryTone(state string) Tone {
	switch state {
	case db.DeliverySent:
		return Good
	case db.DeliveryFailed, db.DeliveryBounced:
		return Bad
	case db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending, "would_send":
		return Info
	}
	return Neutral
}

// AccessTone is the tone of a contact's access (account.Access.State; "" is none). Its label is
// common.access.<state>, common.access.none for "".
func AccessTone(state string) Tone {
	switch state {
	case db.SubAccountActive:
		return Good
	case db.SubAccountInvited:
		return Info
	case db.SubAccountSuspended, "expired":
		return Warning
	}
	return Neutral
}

// alertRole interrupts a reader only for what went wrong.
func alertRole(tone Tone) string {
	if tone == Bad {
		return "alert"
	}
	return "status"
}

func checkValue(value string) string {
	if value == "" {
		return "on"
	}
	return value
}
