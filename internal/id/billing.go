package id

import (
	"fmt"
	"io"
)

// Invoice identifies what a client owes.
type Invoice int64

func (v Invoice) String() string               { return format(InvoicePrefix, int64(v)) }
func (v Invoice) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Invoice) UnmarshalText(text []byte) error {
	return unmarshal(InvoicePrefix, string(text), (*int64)(v))
}
func (v Invoice) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Invoice) UnmarshalGQL(text any) error { return unmarshal(InvoicePrefix, text, (*int64)(v)) }

// ParseInvoice reads the global id of what a client owes.
func ParseInvoice(text string) (Invoice, error) {
	n, err := parse(InvoicePrefix, text)
	return Invoice(n), err
}

// InvoiceLine identifies one line of an invoice.
type InvoiceLine int64

func (v InvoiceLine) String() string               { return format(InvoiceLinePrefix, int64(v)) }
func (v InvoiceLine) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *InvoiceLine) UnmarshalText(text []byte) error {
	return unmarshal(InvoiceLinePrefix, string(text), (*int64)(v))
}
func (v InvoiceLine) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *InvoiceLine) UnmarshalGQL(text any) error {
	return unmarshal(InvoiceLinePrefix, text, (*int64)(v))
}

// ParseInvoiceLine reads the global id of one line of an invoice.
func ParseInvoiceLine(text string) (InvoiceLine, error) {
	n, err := parse(InvoiceLinePrefix, text)
	return InvoiceLine(n), err
}

// Payment identifies money received for an invoice.
type Payment int64

func (v Payment) String() string               { return format(PaymentPrefix, int64(v)) }
func (v Payment) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Payment) UnmarshalText(text []byte) error {
	return unmarshal(PaymentPrefix, string(text), (*int64)(v))
}
func (v Payment) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Payment) UnmarshalGQL(text any) error { return unmarshal(PaymentPrefix, text, (*int64)(v)) }

// ParsePayment reads the global id of money received for an invoice.
func ParsePayment(text string) (Payment, error) {
	n, err := parse(PaymentPrefix, text)
	return Payment(n), err
}

// CreditNote identifies a credit note.
type CreditNote int64

func (v CreditNote) String() string               { return format(CreditNotePrefix, int64(v)) }
func (v CreditNote) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *CreditNote) UnmarshalText(text []byte) error {
	return unmarshal(CreditNotePrefix, string(text), (*int64)(v))
}
func (v CreditNote) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *CreditNote) UnmarshalGQL(text any) error {
	return unmarshal(CreditNotePrefix, text, (*int64)(v))
}

// ParseCreditNote reads the global id of a credit note.
func ParseCreditNote(text string) (CreditNote, error) {
	n, err := parse(CreditNotePrefix, text)
	return CreditNote(n), err
}

// Refund identifies money given back.
type Refund int64

func (v Refund) String() string               { return format(RefundPrefix, int64(v)) }
func (v Refund) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Refund) UnmarshalText(text []byte) error {
	return unmarshal(RefundPrefix, string(text), (*int64)(v))
}
func (v Refund) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Refund) UnmarshalGQL(text any) error { return unmarshal(RefundPrefix, text, (*int64)(v)) }

// ParseRefund reads the global id of money given back.
func ParseRefund(text string) (Refund, error) {
	n, err := parse(RefundPrefix, text)
	return Refund(n), err
}

// Product identifies what is offered for sale.
type Product int64

func (v Product) String() string               { return format(ProductPrefix, int64(v)) }
func (v Product) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Product) UnmarshalText(text []byte) error {
	return unmarshal(ProductPrefix, string(text), (*int64)(v))
}
func (v Product) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Product) UnmarshalGQL(text any) error { return unmarshal(ProductPrefix, text, (*int64)(v)) }

// ParseProduct reads the global id of what is offered for sale.
func ParseProduct(text string) (Product, error) {
	n, err := parse(ProductPrefix, text)
	return Product(n), err
}

// Service identifies what a client has bought and is billed for.
type Service int64

func (v Service) String() string               { return format(ServicePrefix, int64(v)) }
func (v Service) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Service) UnmarshalText(text []byte) error {
	return unmarshal(ServicePrefix, string(text), (*int64)(v))
}
func (v Service) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Service) UnmarshalGQL(text any) error { return unmarshal(ServicePrefix, text, (*int64)(v)) }

// ParseService reads the global id of what a client has bought and is billed for.
func ParseService(text string) (Service, error) {
	n, err := parse(ServicePrefix, text)
	return Service(n), err
}

// Movement identifies a deposit of a bank statement.
type Movement int64

func (v Movement) String() string               { return format(MovementPrefix, int64(v)) }
func (v Movement) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Movement) UnmarshalText(text []byte) error {
	return unmarshal(MovementPrefix, string(text), (*int64)(v))
}
func (v Movement) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Movement) UnmarshalGQL(text any) error { return unmarshal(MovementPrefix, text, (*int64)(v)) }

// ParseMovement reads the global id of a deposit of a bank statement.
func ParseMovement(text string) (Movement, error) {
	n, err := parse(MovementPrefix, text)
	return Movement(n), err
}

// GatewayEvent identifies what a payment gateway told.
type GatewayEvent int64

func (v GatewayEvent) String() string               { return format(GatewayEventPrefix, int64(v)) }
func (v GatewayEvent) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *GatewayEvent) UnmarshalText(text []byte) error {
	return unmarshal(GatewayEventPrefix, string(text), (*int64)(v))
}
func (v GatewayEvent) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *GatewayEvent) UnmarshalGQL(text any) error {
	return unmarshal(GatewayEventPrefix, text, (*int64)(v))
}

// ParseGatewayEvent reads the global id of what a payment gateway told.
func ParseGatewayEvent(text string) (GatewayEvent, error) {
	n, err := parse(GatewayEventPrefix, text)
	return GatewayEvent(n), err
}

// Checkout identifies an online payment that was started.
type Checkout int64

func (v Checkout) String() string               { return format(CheckoutPrefix, int64(v)) }
func (v Checkout) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Checkout) UnmarshalText(text []byte) error {
	return unmarshal(CheckoutPrefix, string(text), (*int64)(v))
}
func (v Checkout) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Checkout) UnmarshalGQL(text any) error { return unmarshal(CheckoutPrefix, text, (*int64)(v)) }

// ParseCheckout reads the global id of an online payment that was started.
func ParseCheckout(text string) (Checkout, error) {
	n, err := parse(CheckoutPrefix, text)
	return Checkout(n), err
}
