package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CloseClientInput ends the business with a client.
type CloseClientInput struct {
	ClientID id.Client
	Reason   string // why, for staff; at most 500 characters
}

// CloseClient ends the business with a client: its services renew no more, and neither invoices nor services nor late
// fees are added. What is open stays owed, is paid and reminded of as before; its people go on reading what they could
// read (see docs/adr/0009-closed-clients.md). Closing it again changes nothing. Staff only. Field faults: REQUIRED,
// TOO_LONG and CONTROL_CHARACTERS (reason).
func (s *Service) CloseClient(ctx context.Context, in CloseClientInput) (db.Client, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	var checks fault.Checks
	checkText(&checks, "reason", &in.Reason, true, 500)
	if err := checks.Err(); err != nil {
		return db.Client{}, err
	}
	return s.changeClient(ctx, in.ClientID, func(tx *db.Store, row *db.Client) error {
		if row.ClosedAt != nil {
			return nil
		}
		now := s.Now()
		row.ClosedAt, row.CloseReason = &now, in.Reason
		if err := tx.SetClientClosed(ctx, row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.close", Object: row.ID.String(), After: map[string]any{"closedAt": row.ClosedAt}}) // the owner reads it: no reason
	})
}

// ReopenClient takes up the business with a closed client again. Its services renew from the next period on that
// begins today or later: periods that passed meanwhile are not invoiced, as with a suspended service. Reopening a
// client that is not closed changes nothing. Staff only.
func (s *Service) ReopenClient(ctx context.Context, clientID id.Client) (db.Client, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	return s.changeClient(ctx, clientID, func(tx *db.Store, row *db.Client) error {
		if row.ClosedAt == nil {
			return nil
		}
		services, err := tx.LockActiveServices(ctx, row.ID)
		if err != nil {
			return err
		}
		today, moved := date.Today(s.Now(), row.Timezone), []*db.Service{}
		for i := range services {
			if v := &services[i]; resume(v, today) {
				moved = append(moved, v)
			}
		}
		if err := tx.UpdateNextOn(ctx, moved); err != nil {
			return err
		}
		before := map[string]any{"closedAt": row.ClosedAt}
		row.ClosedAt, row.CloseReason = nil, ""
		if err := tx.SetClientClosed(ctx, row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.reopen", Object: row.ID.String(), Before: before, After: map[string]any{"services": len(moved)}})
	})
}

func (s *Service) changeClient(ctx context.Context, clientID id.Client, change func(*db.Store, *db.Client) error) (db.Client, error) {
	var row db.Client
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockClient(ctx, clientID); err != nil { // renewals take the same lock
			return err
		}
		return change(tx, &row)
	})
	return row, err
}

// clientClosed is the code of what a closed client is not billed for.
const clientClosed = "CLIENT_CLOSED"

// openClient refuses to add anything to a closed client.
func openClient(row db.Client) error {
	if row.ClosedAt != nil {
		return fault.New(fault.Conflict, clientClosed)
	}
	return nil
}
