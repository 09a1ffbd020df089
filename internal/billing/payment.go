package billing

import (
	"context"
	"fmt"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Methods of payment that staff can record: SPEI transfers, cash (also at OXXO), cards, cheques.
var Methods = []string{"transfer", "cash", "card", "cheque"}

// PaymentInput is money received for one invoice.
type PaymentInput struct {
	InvoiceID      id.Invoice
	Amount         money.Minor // minor units of the invoice's currency
	Method         string      // one of Methods
	Reference      string
	ReceivedOn     date.Date // "" means today in the client's zone
	ExcessToCredit bool      // what exceeds the balance becomes the client's credit; otherwise it is an error
	RequestKey     string    // required: a second request with the same key changes nothing
}

// RecordPayment books money received by hand for one invoice and returns it as it is after that.
// Staff only.
func (s *Service) RecordPayment(ctx context.Context, in PaymentInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	row, err := s.Store.Invoice(ctx, in.InvoiceID)
	if err != nil {
		return db.Invoice{}, err
	}
	_, err = s.ReceivePayment(ctx, ReceiveInput{ClientID: row.ClientID, Currency: row.Currency, Amount: in.Amount, Method: in.Method, Reference: in.Reference,
		ReceivedOn: in.ReceivedOn, ExcessToCredit: in.ExcessToCredit, RequestKey: in.RequestKey, Invoices: []Allocation{{InvoiceID: row.ID}}})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

// Allocation is the part of a payment that settles one invoice.
type Allocation struct {
	InvoiceID id.Invoice
	Amount    money.Minor // 0 means as much as the payment has left and the invoice owes
}

// ReceiveInput is money received from a client.
type ReceiveInput struct {
	ClientID       id.Client
	Currency       money.Currency // "" means MXN
	Amount         money.Minor    // minor units, more than zero
	Method         string         // one of Methods
	Reference      string
	ReceivedOn     date.Date    // "" means today in the client's zone
	Invoices       []Allocation // what it settles, in this order
	ExcessToCredit bool         // what is left becomes the client's credit; otherwise it is an error
	RequestKey     string       // required: a second request with the same key changes nothing
	gatewayRef     string       // the gateway's id of the charge
}

// ReceivePayment books money received, for any number of invoices of a client or none. Staff only.
func (s *Service) ReceivePayment(ctx context.Context, in ReceiveInput) (db.Payment, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Payment{}, err
	}
	if err := in.check(); err != nil {
		return db.Payment{}, err
	}
	paymentID, err := s.once(ctx, "payment", in.RequestKey, int64(in.ClientID), func(tx *db.Store) (int64, error) {
		row, err := s.receive(ctx, tx, in)
		return int64(row.ID), err
	})
	if err != nil {
		return db.Payment{}, err
	}
	return s.Store.Payment(ctx, id.Payment(paymentID))
}

func (in *ReceiveInput) check() error {
	var checks fault.Checks
	if in.Currency == "" {
		in.Currency = money.MXN
	}
	checkAmount(&checks, "amount", in.Amount)
	checkKey(&checks, in.RequestKey)
	checkMethod(&checks, in.Method)
	checkText(&checks, "reference", &in.Reference, false, 100)
	seen := map[id.Invoice]bool{}
	var sum money.Minor
	for i, part := range in.Invoices {
		path := fmt.Sprintf("invoices[%d]", i)
		if seen[part.InvoiceID] {
			checks.Add(path+".invoiceId", "DUPLICATE")
		}
		seen[part.InvoiceID] = true
		if part.Amount < 0 || part.Amount > money.MaxMinor {
			checks.Add(path+".amount", "AMOUNT_NOT_POSITIVE")
		} else if sum += part.Amount; sum > in.Amount && in.Amount > 0 {
			checks.Add(path+".amount", "ALLOCATION_ABOVE_PAYMENT")
			break
		}
	}
	return checks.Err()
}

func checkAmount(checks *fault.Checks, path string, amount money.Minor) {
	if amount <= 0 {
		checks.Add(path, "AMOUNT_NOT_POSITIVE")
	} else if amount > money.MaxMinor {
		checks.Add(path, "AMOUNT_TOO_LARGE")
	}
}

func checkMethod(checks *fault.Checks, method string) {
	if method == "" {
		checks.Add("method", "REQUIRED")
	} else if !slices.Contains(Methods, method) {
		checks.Add("method", "VALUE_INVALID")
	}
}

// receive books a checked payment.
func (s *Service) receive(ctx context.Context, tx *db.Store, in ReceiveInput) (db.Payment, error) {
	client, err := tx.Client(ctx, in.ClientID)
	if err != nil {
		return db.Payment{}, err
	}
	var checks fault.Checks
	if today := date.Today(s.Now(), client.Timezone); in.ReceivedOn == "" {
		in.ReceivedOn = today
	} else if in.ReceivedOn > today {
		checks.Add("receivedOn", "DATE_IN_FUTURE")
		return db.Payment{}, checks.Err()
	}
	ids := make([]id.Invoice, len(in.Invoices))
	for i, part := range in.Invoices {
		ids[i] = part.InvoiceID
	}
	invoices, err := tx.LockInvoices(ctx, ids)
	if err != nil {
		return db.Payment{}, err
	}
	payment := db.Payment{ClientID: in.ClientID, Amount: in.Amount, Currency: in.Currency, Method: in.Method, Reference: in.Reference,
		ReceivedOn: in.ReceivedOn, RequestKey: in.RequestKey, GatewayRef: in.gatewayRef, CreatedAt: s.Now()}
	if err := tx.AddPayment(ctx, &payment); err != nil {
		return db.Payment{}, err
	}
	base := db.LedgerEntry{ClientID: in.ClientID, Currency: in.Currency, Kind: db.EntryPayment, PaymentID: payment.ID, Actor: actorName(ctx)}
	entries, changed := []db.LedgerEntry{}, []*db.Invoice{}
	left := in.Amount
	for i, part := range in.Invoices {
		path := fmt.Sprintf("invoices[%d]", i)
		if len(in.Invoices) == 1 {
			path = "invoice"
		}
		row := invoices[part.InvoiceID]
		switch {
		case row == nil || row.ClientID != in.ClientID:
			return db.Payment{}, fault.Missing()
		case row.Currency != in.Currency:
			checks.Add(path, "CURRENCY_MISMATCH", "currency", string(row.Currency))
			continue
		case !row.Open() && in.gatewayRef != "":
			continue // paid or closed while the client was at the gateway: the money becomes credit
		case !row.Open():
			return db.Payment{}, fault.New(fault.Conflict, "INVOICE_NOT_OPEN").With("number", row.Number)
		case part.Amount > row.Balance && in.gatewayRef == "":
			checks.Add(path+".amount", "AMOUNT_ABOVE_BALANCE")
			continue
		}
		amount := min(left, row.Balance)
		if part.Amount > 0 {
			amount = min(amount, part.Amount)
		}
		if amount <= 0 {
			continue
		}
		left -= amount
		before := *row
		s.settle(row, amount, 0)
		if err := auditState(ctx, tx, "payment.record", before, *row, map[string]any{"amount": amount, "currency": in.Currency,
			"method": in.Method, "reference": in.Reference, "receivedOn": in.ReceivedOn, "payment": payment.ID}); err != nil {
			return db.Payment{}, err
		}
		entry := base
		entry.InvoiceID, entry.Amount = row.ID, amount
		entries, changed = append(entries, entry), append(changed, row)
	}
	if left > 0 && !in.ExcessToCredit && checks.Err() == nil {
		checks.Add("amount", "AMOUNT_ABOVE_BALANCE")
	}
	if err := checks.Err(); err != nil {
		return db.Payment{}, err
	}
	if left > 0 {
		entry := base
		entry.Amount = left
		entries = append(entries, entry)
		if err := tx.Audit(ctx, db.AuditEntry{Client: in.ClientID, Verb: "payment.credit", Object: payment.ID.String(),
			After: map[string]any{"amount": left, "currency": in.Currency, "method": in.Method, "reference": in.Reference, "receivedOn": in.ReceivedOn}}); err != nil {
			return db.Payment{}, err
		}
	}
	if _, err := tx.AddEntries(ctx, entries); err != nil {
		return db.Payment{}, err
	}
	return payment, s.saveStates(ctx, tx, changed...)
}

// VoidInput says which payment does not count, and why.
type VoidInput struct {
	PaymentID id.Payment
	Reason    string
}

// VoidPayment takes a payment back: a cheque that bounced, a transfer booked twice. What it settled
// is owed again. When the client's credit that came from it is spent, the answer is Conflict
// CREDIT_ALREADY_USED: release that first. PAYMENT_RETURNED where the gateway gave it back. Voiding again changes nothing. Staff only.
func (s *Service) VoidPayment(ctx context.Context, in VoidInput) (db.Payment, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Payment{}, err
	}
	var checks fault.Checks
	checkText(&checks, "reason", &in.Reason, true, 500)
	if err := checks.Err(); err != nil {
		return db.Payment{}, err
	}
	var payment db.Payment
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if payment, err = tx.LockPayment(ctx, in.PaymentID); err != nil || payment.VoidedAt != nil {
			return err
		}
		if returned, err := tx.ReturnedByGateway(ctx, payment.ID); err != nil || returned {
			if err == nil {
				err = fault.New(fault.Conflict, "PAYMENT_RETURNED")
			}
			return err
		}
		parts, err := tx.SettledBy(ctx, payment.ID)
		if err != nil {
			return err
		}
		ids := []id.Invoice{}
		for _, part := range parts {
			ids = append(ids, part.InvoiceID)
		}
		invoices, err := tx.LockInvoices(ctx, ids)
		if err != nil {
			return err
		}
		// An invoice may have been cancelled before it was locked: its part is credit by now.
		if parts, err = tx.SettledBy(ctx, payment.ID); err != nil {
			return err
		}
		entries, changed := []db.LedgerEntry{}, []*db.Invoice{}
		for _, part := range parts {
			entries = append(entries, db.LedgerEntry{ClientID: payment.ClientID, Currency: payment.Currency, InvoiceID: part.InvoiceID,
				Kind: db.EntryPaymentVoid, Amount: -part.Amount, PaymentID: payment.ID, Actor: actorName(ctx)})
			if row := invoices[part.InvoiceID]; row != nil {
				before := *row
				s.settle(row, -part.Amount, 0)
				if err := auditState(ctx, tx, "payment.void", before, *row, map[string]any{"payment": payment.ID, "reason": in.Reason}); err != nil {
					return err
				}
				changed = append(changed, row)
			} else if err := tx.Audit(ctx, db.AuditEntry{Client: payment.ClientID, Verb: "payment.void", Object: payment.ID.String(),
				After: map[string]any{"credit": -part.Amount, "currency": payment.Currency, "reason": in.Reason}}); err != nil {
				return err
			}
		}
		ok, err := tx.AddEntries(ctx, entries)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "CREDIT_ALREADY_USED")
		}
		now := s.Now()
		payment.VoidedAt, payment.VoidReason = &now, in.Reason
		if err := tx.VoidPayment(ctx, &payment); err != nil {
			return err
		}
		return s.saveStates(ctx, tx, changed...)
	})
	return payment, err
}

// ClientPayments lists the payments of a client, the newest first.
func (s *Service) ClientPayments(ctx context.Context, clientID id.Client, page db.Page) (db.List[db.Payment], error) {
	if err := access.Require(ctx, access.Invoices, clientID); err != nil {
		return db.List[db.Payment]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Payment]{}, err
	}
	return s.Store.ClientPayments(ctx, clientID, page)
}

// RefundInput is money given back from a client's credit.
type RefundInput struct {
	ClientID   id.Client
	Currency   money.Currency // "" means MXN
	Amount     money.Minor    // minor units
	Method     string         // one of Methods
	Reference  string
	RefundedOn date.Date // "" means today in the client's zone
	RequestKey string    // required
}

// RecordRefund books money that was given back to a client: it leaves the client's credit. To refund
// a paid invoice, issue a credit note first. Staff only.
func (s *Service) RecordRefund(ctx context.Context, in RefundInput) (db.Refund, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Refund{}, err
	}
	if in.Currency == "" {
		in.Currency = money.MXN
	}
	var checks fault.Checks
	checkAmount(&checks, "amount", in.Amount)
	checkMethod(&checks, in.Method)
	checkKey(&checks, in.RequestKey)
	checkText(&checks, "reference", &in.Reference, false, 100)
	if err := checks.Err(); err != nil {
		return db.Refund{}, err
	}
	refundID, err := s.once(ctx, "refund", in.RequestKey, int64(in.ClientID), func(tx *db.Store) (int64, error) {
		client, err := tx.Client(ctx, in.ClientID)
		if err != nil {
			return 0, err
		}
		today := date.Today(s.Now(), client.Timezone)
		if in.RefundedOn == "" {
			in.RefundedOn = today
		}
		if in.RefundedOn > today {
			checks.Add("refundedOn", "DATE_IN_FUTURE")
			return 0, checks.Err()
		}
		row := db.Refund{ClientID: client.ID, Amount: in.Amount, Currency: in.Currency, Method: in.Method, Reference: in.Reference,
			RefundedOn: in.RefundedOn, CreatedAt: s.Now()}
		if err := tx.AddRefund(ctx, &row); err != nil {
			return 0, err
		}
		if err := tx.Enqueue(ctx, RefundedJob{RefundID: row.ID}); err != nil {
			return 0, err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Client: client.ID, Verb: "refund.record", Object: row.ID.String(),
			After: map[string]any{"amount": row.Amount, "currency": row.Currency, "method": row.Method, "reference": row.Reference}}); err != nil {
			return 0, err
		}
		ok, err := tx.AddEntries(ctx, []db.LedgerEntry{{ClientID: client.ID, Currency: in.Currency, Kind: db.EntryRefund, Amount: -in.Amount, RefundID: row.ID, Actor: actorName(ctx)}})
		if err == nil && !ok {
			err = fault.New(fault.Conflict, "CREDIT_TOO_LOW")
		}
		return int64(row.ID), err
	})
	if err != nil {
		return db.Refund{}, err
	}
	return s.Store.Refund(ctx, id.Refund(refundID))
}
