package billing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// linkVersion is the first byte of a token; another layout gets another number.
const linkVersion = 1

// link is what a personal pay link says. Times are in whole seconds.
type link struct {
	invoice id.Invoice
	contact id.Contact // 0: the client's own address
	made    int64
	expires int64
}

const linkSize = 1 + 4*8

func (s *Service) sign(l link) (string, error) {
	if len(s.Secret) < 32 {
		return "", errors.New("pay links need a secret of at least 32 bytes")
	}
	raw := make([]byte, 0, linkSize+sha256.Size)
	raw = append(raw, linkVersion)
	for _, v := range []int64{int64(l.invoice), int64(l.contact), l.made, l.expires} {
		raw = binary.BigEndian.AppendUint64(raw, uint64(v))
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, mac(s.Secret, raw)...)), nil
}

func mac(secret, raw []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("avisa pay link\x00"))
	m.Write(raw)
	return m.Sum(nil)
}

func (s *Service) readLink(token string) (link, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(s.Secret) < 32 || len(raw) != linkSize+sha256.Size || raw[0] != linkVersion ||
		!s.signed(raw[:linkSize], raw[linkSize:]) {
		return link{}, false
	}
	at := func(n int) int64 { return int64(binary.BigEndian.Uint64(raw[1+8*n:])) }
	return link{id.Invoice(at(0)), id.Contact(at(1)), at(2), at(3)}, true
}

// signed reports whether the signature is of the secret, or of an earlier one.
func (s *Service) signed(raw, signature []byte) bool {
	ok := hmac.Equal(signature, mac(s.Secret, raw))
	for _, earlier := range s.EarlierSecrets {
		ok = ok || hmac.Equal(signature, mac(earlier, raw))
	}
	return ok
}

// PayLinkInput asks for a personal link.
type PayLinkInput struct {
	InvoiceID id.Invoice
	ContactID id.Contact    // whose link it is; 0: the client's own address
	Lifetime  time.Duration // 0 means 60 days
}

// PayLink returns the address at which the holder sees and pays one invoice without signing in, for a
// reminder. It opens nothing else. Staff and background work only.
func (s *Service) PayLink(ctx context.Context, in PayLinkInput) (string, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return "", err
	}
	if in.Lifetime == 0 {
		in.Lifetime = 60 * 24 * time.Hour
	}
	token, err := s.sign(link{in.InvoiceID, in.ContactID, s.Now().Unix(), s.Now().Add(in.Lifetime).Unix()})
	return s.BaseURL + "/pagar/" + token, err
}

// PayPage is what the holder of a link sees.
type PayPage struct {
	Invoice  db.Invoice
	Lines    []db.InvoiceLine
	Transfer Transfer
	Online   bool // StartCheckoutByLink can be used
}

// OpenPayLink returns what a personal link shows. The token is its authorisation: it is void after
// its time, when links of the invoice were revoked, and when its contact is no longer one of the client.
func (s *Service) OpenPayLink(ctx context.Context, token string) (PayPage, error) {
	ctx, row, err := s.follow(ctx, token)
	if err != nil {
		return PayPage{}, err
	}
	if row, err = s.RequestInvoicePDF(ctx, row.ID); err != nil {
		return PayPage{}, err
	}
	lines, err := s.Store.InvoiceLines(ctx, row.ID)
	if err != nil {
		return PayPage{}, err
	}
	transfer, err := s.TransferInstructions(ctx, row.ClientID)
	return PayPage{Invoice: row, Lines: lines, Transfer: transfer, Online: s.Gateway != nil && row.Open()}, err
}

// StartCheckoutByLink opens the gateway's page for the invoice of a personal link.
func (s *Service) StartCheckoutByLink(ctx context.Context, token string) (db.Checkout, error) {
	ctx, row, err := s.follow(ctx, token)
	if err != nil {
		return db.Checkout{}, err
	}
	return s.StartCheckout(ctx, CheckoutInput{Invoices: []id.Invoice{row.ID}, Return: "/pagar/" + token})
}

// CheckoutByLink returns an online payment of the invoice of a personal link, for the page the payer
// comes back to.
func (s *Service) CheckoutByLink(ctx context.Context, token string, checkoutID id.Checkout) (db.Checkout, db.Invoice, error) {
	ctx, row, err := s.follow(ctx, token)
	if err != nil {
		return db.Checkout{}, db.Invoice{}, err
	}
	checkout, parts, err := s.Checkout(ctx, checkoutID)
	if err == nil && (len(parts) != 1 || parts[0].InvoiceID != row.ID) {
		err = fault.Missing() // the link reveals its own invoice alone
	}
	return checkout, s.current(row), err
}

// OpenPDFByLink opens the PDF of the invoice of a personal link and writes the download log.
func (s *Service) OpenPDFByLink(ctx context.Context, token, address string) (Download, error) {
	ctx, row, err := s.follow(ctx, token)
	if err != nil {
		return Download{}, err
	}
	return s.OpenInvoicePDF(ctx, row.ID, address)
}

// follow checks a token and returns a context that may use the invoice's client's invoices; the
// callers use it for that one invoice only.
func (s *Service) follow(ctx context.Context, token string) (context.Context, db.Invoice, error) {
	void := fault.New(fault.NotFound, "LINK_INVALID")
	l, ok := s.readLink(token)
	if !ok || l.expires <= s.Now().Unix() {
		return ctx, db.Invoice{}, void
	}
	row, err := s.Store.Invoice(ctx, l.invoice)
	if fault.Is(err, fault.NotFound) || err == nil && (row.Status == db.InvoiceDraft || row.LinksRevokedAt != nil && l.made <= row.LinksRevokedAt.Unix()) {
		return ctx, db.Invoice{}, void
	}
	if err != nil {
		return ctx, db.Invoice{}, err
	}
	if l.contact != 0 {
		contact, err := s.Store.Contact(ctx, l.contact)
		if fault.Is(err, fault.NotFound) || err == nil && (contact.DeletedAt != nil || contact.ClientID != row.ClientID) {
			return ctx, db.Invoice{}, void
		}
		if err != nil {
			return ctx, db.Invoice{}, err
		}
	}
	from := access.From(ctx)
	actor := access.Actor{Kind: access.Login, Name: "link", Address: from.Address, Device: from.Device, Request: from.Request, Language: row.ClientSnapshot.Language,
		Grants: []access.Grant{{Client: row.ClientID, Contact: l.contact, Permissions: []access.Permission{access.Invoices}}}}
	return access.With(ctx, actor), row, nil
}

// RevokePayLinks makes every personal link of an invoice void that was made until now. Staff of
// billing may, and the client's owner. It returns the invoice as it is after that.
func (s *Service) RevokePayLinks(ctx context.Context, invoiceID id.Invoice) (db.Invoice, error) {
	row, err := s.Invoice(ctx, invoiceID)
	if err != nil {
		return db.Invoice{}, err
	}
	if err := access.RequireOwnerChange(ctx, row.ClientID, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	now, before := s.Now(), row.LinksRevokedAt
	row.LinksRevokedAt = &now
	return row, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.RevokeLinks(ctx, row.ID, now); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "maillink.revoke", Object: row.ID.String(),
			Before: map[string]any{"linksRevokedAt": before}, After: map[string]any{"linksRevokedAt": now.UTC()}})
	})
}
