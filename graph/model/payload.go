package model

import "github.com/nubedigitalmx/avisa/db"

// Verbs that answer alike share a type here; in the schema each has its own, which can grow alone.
type (
	// ClientPayload is the result of a verb about a client.
	ClientPayload struct {
		Client     *db.Client
		UserErrors []*UserError
	}
	// InvoicePayload is the result of a verb about an invoice.
	InvoicePayload struct {
		Invoice    *Invoice
		UserErrors []*UserError
	}
	// PaymentPayload is the result of a verb about a payment.
	PaymentPayload struct {
		Payment    *Payment
		UserErrors []*UserError
	}
	// BankMovementPayload is the result of deciding about a movement of the bank.
	BankMovementPayload struct {
		Movement   *BankMovement
		UserErrors []*UserError
	}
	// GatewayEventPayload is the result of deciding about what a gateway told.
	GatewayEventPayload struct {
		Event      *GatewayEvent
		UserErrors []*UserError
	}
	// ServicePayload is the result of a verb about a service.
	ServicePayload struct {
		Service    *db.Service
		UserErrors []*UserError
	}
)
