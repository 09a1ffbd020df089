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

// The connections of the schema. That of invoices knows its list, for its sums.

type (
	AuditConnection struct {
		Connection[*db.AuditRow, *AuditEdge]
	}
	BankMovementConnection struct {
		Connection[*BankMovement, *BankMovementEdge]
	}
	ClientConnection struct {
		Connection[*db.Client, *ClientEdge]
	}
	ContactConnection struct {
		Connection[*db.Contact, *ContactEdge]
	}
	DeliveryConnection struct {
		Connection[*db.Delivery, *DeliveryEdge]
	}
	EmailConnection struct {
		Connection[*db.Email, *EmailEdge]
	}
	FailedSignInConnection struct {
		Connection[*db.FailedSignIn, *FailedSignInEdge]
	}
	FiscalDocumentConnection struct {
		Connection[*db.CFDI, *FiscalDocumentEdge]
	}
	GatewayEventConnection struct {
		Connection[*GatewayEvent, *GatewayEventEdge]
	}
	PaymentConnection struct {
		Connection[*Payment, *PaymentEdge]
	}
	ProductConnection struct {
		Connection[*db.Product, *ProductEdge]
	}
	ServiceConnection struct {
		Connection[*db.Service, *ServiceEdge]
	}
	UnstampedDocumentConnection struct {
		Connection[*UnstampedDocument, *UnstampedDocumentEdge]
	}
	InvoiceConnection struct {
		Connection[*Invoice, *InvoiceEdge]
		Query billing.InvoiceQuery
	}
)
