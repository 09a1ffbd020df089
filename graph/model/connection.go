package model

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
)

// Connection is a page of a list.
type Connection[Node, Edge any] struct {
	Nodes    []Node
	Edges    []Edge
	PageInfo *PageInfo
	Count    func(context.Context) (int64, error) // of the whole list
}

// TotalCount is how many the whole list has, nil for more than anybody counts.
func (c Connection[Node, Edge]) TotalCount(ctx context.Context) (*int64, error) {
	n, err := c.Count(ctx)
	if err != nil || n > db.MaxCount {
		return nil, err
	}
	return &n, nil
}

// The connections of the schema. Those of invoices and payments know their list, for its sums.
type (
	// AuditConnection is a page of the audit.
	AuditConnection struct {
		Connection[*db.AuditRow, *AuditEdge]
	}
	// BankMovementConnection is a page of bank movements.
	BankMovementConnection struct {
		Connection[*BankMovement, *BankMovementEdge]
	}
	// ClientConnection is a page of clients.
	ClientConnection struct {
		Connection[*db.Client, *ClientEdge]
	}
	// ContactConnection is a page of contacts.
	ContactConnection struct {
		Connection[*db.Contact, *ContactEdge]
	}
	// DeliveryConnection is a page of deliveries.
	DeliveryConnection struct {
		Connection[*db.Delivery, *DeliveryEdge]
	}
	// EmailConnection is a page of emails.
	EmailConnection struct {
		Connection[*db.Email, *EmailEdge]
	}
	// FailedSignInConnection is a page of failed sign-ins.
	FailedSignInConnection struct {
		Connection[*db.FailedSignIn, *FailedSignInEdge]
	}
	// FiscalDocumentConnection is a page of fiscal documents.
	FiscalDocumentConnection struct {
		Connection[*db.CFDI, *FiscalDocumentEdge]
	}
	// GatewayEventConnection is a page of gateway events.
	GatewayEventConnection struct {
		Connection[*GatewayEvent, *GatewayEventEdge]
	}
	// PaymentConnection is a page of payments.
	PaymentConnection struct {
		Connection[*Payment, *PaymentEdge]
		Query billing.PaymentQuery
	}
	// ProductConnection is a page of products.
	ProductConnection struct {
		Connection[*db.Product, *ProductEdge]
	}
	// ServiceConnection is a page of services.
	ServiceConnection struct {
		Connection[*db.Service, *ServiceEdge]
	}
	// UnstampedDocumentConnection is a page of unstamped documents.
	UnstampedDocumentConnection struct {
		Connection[*UnstampedDocument, *UnstampedDocumentEdge]
	}
	// InvoiceConnection is a page of invoices.
	InvoiceConnection struct {
		Connection[*Invoice, *InvoiceEdge]
		Query billing.InvoiceQuery
	}
)
