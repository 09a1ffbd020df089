package graph

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vikstrous/dataloadgen"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// loaders read what the elements of a list refer to with one statement for the whole list. They live
// as long as one operation, and no longer than one mutation of it, so that nothing stale is read.
type loaders struct {
	clients   *dataloadgen.Loader[id.Client, *db.Client]
	contacts  *dataloadgen.Loader[id.Contact, *db.Contact]
	access    *dataloadgen.Loader[id.Contact, *account.Access]
	waiting   *dataloadgen.Loader[id.Contact, bool] // whose address is not confirmed
	owners    *dataloadgen.Loader[id.Client, *account.Access]
	invoices  *dataloadgen.Loader[id.Invoice, *model.Invoice]
	lines     *dataloadgen.Loader[id.Invoice, []db.InvoiceLine]
	cfdis     *dataloadgen.Loader[id.Invoice, []db.CFDI]
	around    *dataloadgen.Loader[id.CFDI, []db.CFDI]
	downloads *dataloadgen.Loader[id.CFDI, []db.CFDIDownload]
	mailed    *dataloadgen.Loader[id.FiscalProfile, []id.Contact]
	askings   *dataloadgen.Loader[id.Invoice, fiscal.Asking]
	parts     *dataloadgen.Loader[id.Payment, []db.PaymentAllocation]
	steps     *dataloadgen.Loader[id.Step, *db.ReminderStep]
	fees      *dataloadgen.Loader[id.Invoice, []db.LateFee]
	plans     *dataloadgen.Loader[id.Invoice, []reminder.PlanEntry]
	log       *dataloadgen.Loader[id.Invoice, []db.InvoiceDownload]
	notes     *dataloadgen.Loader[id.Invoice, []db.CreditNote]
	payments  *dataloadgen.Loader[id.Invoice, []db.Payment]
	transfers *dataloadgen.Loader[id.Client, *model.TransferInstructions]
	emails    *dataloadgen.Loader[id.Email, *db.Email]
	today     func() date.Date // the same for all invoices of an answer
}

// loadWait is how long a loader waits for more keys. It is added to every answer.
const loadWait = 300 * time.Microsecond

func (r *resolver) newLoaders() *loaders {
	today := sync.OnceValue(r.Billing.Today)
	return &loaders{
		today:    today,
		clients:  loader(r.Account.ClientsByID, func(row *db.Client) (id.Client, *db.Client) { return row.ID, row }),
		contacts: loader(r.Account.ContactsByID, func(row *db.Contact) (id.Contact, *db.Contact) { return row.ID, row }),
		invoices: loader(r.Billing.InvoicesByID, func(row *db.Invoice) (id.Invoice, *model.Invoice) {
			return row.ID, &model.Invoice{Invoice: *row, Today: today()}
		}),
		emails: loader(r.Account.EmailsByID, func(row *db.Email) (id.Email, *db.Email) { return row.ID, row }),
		steps:  loader(r.Reminder.StepsByID, func(row *db.ReminderStep) (id.Step, *db.ReminderStep) { return row.ID, row }),
		owners: mapLoader(func(ctx context.Context, ids []id.Client) (map[id.Client]*account.Access, error) {
			found, err := r.Account.Owners(ctx, ids)
			byID := make(map[id.Client]*account.Access, len(found))
			for client, row := range found {
				byID[client] = &row
			}
			return byID, err
		}),
		waiting: mapLoader(r.Account.UnverifiedContacts),
		access: mapLoader(func(ctx context.Context, ids []id.Contact) (map[id.Contact]*account.Access, error) {
			found, err := r.Account.AccessByContact(ctx, ids)
			byID := make(map[id.Contact]*account.Access, len(found))
			for contact, row := range found {
				byID[contact] = &row
			}
			return byID, err
		}),
		lines: mapLoader(func(ctx context.Context, ids []id.Invoice) (map[id.Invoice][]db.InvoiceLine, error) {
			return r.Billing.Lines(ctx, ids...)
		}),
		fees: mapLoader(func(ctx context.Context, ids []id.Invoice) (map[id.Invoice][]db.LateFee, error) {
			return r.Reminder.ComingLateFees(ctx, ids...)
		}),
		plans: mapLoader(func(ctx context.Context, ids []id.Invoice) (map[id.Invoice][]reminder.PlanEntry, error) {
			return r.Reminder.ReminderPlans(ctx, ids...)
		}),
		parts:    mapLoader(r.Billing.PaymentAllocations),
		payments: mapLoader(r.Billing.InvoicePayments),
		notes:    mapLoader(r.Billing.InvoiceCreditNotes),
		log:      mapLoader(r.Billing.InvoiceDownloads),
		transfers: mapLoader(func(ctx context.Context, ids []id.Client) (map[id.Client]*model.TransferInstructions, error) {
			found, err := r.Billing.Transfers(ctx, ids)
			byClient := make(map[id.Client]*model.TransferInstructions, len(found))
			for client, transfer := range found {
				byClient[client] = &model.TransferInstructions{Transfer: transfer}
			}
			return byClient, err
		}),
		cfdis: mapLoader(func(ctx context.Context, ids []id.Invoice) (map[id.Invoice][]db.CFDI, error) {
			return r.Fiscal.Documents(ctx, ids...)
		}),
		around: mapLoader(func(ctx context.Context, ids []id.CFDI) (map[id.CFDI][]db.CFDI, error) {
			return r.Fiscal.Around(ctx, ids...)
		}),
		downloads: mapLoader(func(ctx context.Context, ids []id.CFDI) (map[id.CFDI][]db.CFDIDownload, error) {
			return r.Fiscal.Downloads(ctx, ids...)
		}),
		mailed: mapLoader(func(ctx context.Context, ids []id.FiscalProfile) (map[id.FiscalProfile][]id.Contact, error) {
			return r.Fiscal.ProfileContacts(ctx, ids...)
		}),
		askings: mapLoader(func(ctx context.Context, ids []id.Invoice) (map[id.Invoice]fiscal.Asking, error) {
			return r.Fiscal.Askings(ctx, ids...)
		}),
	}
}

// loader reads rows in any order and gives each key its own; nil where there is none.
func loader[K comparable, Row, V any](read func(context.Context, []K) ([]Row, error), entry func(*Row) (K, V)) *dataloadgen.Loader[K, V] {
	return mapLoader(func(ctx context.Context, keys []K) (map[K]V, error) {
		rows, err := read(ctx, keys)
		byKey := make(map[K]V, len(rows))
		for i := range rows {
			key, value := entry(&rows[i])
			byKey[key] = value
		}
		return byKey, err
	})
}

func mapLoader[K comparable, V any](read func(context.Context, []K) (map[K]V, error)) *dataloadgen.Loader[K, V] {
	return dataloadgen.NewLoader(func(ctx context.Context, keys []K) ([]V, []error) {
		found, err := read(ctx, keys)
		if err != nil {
			return nil, []error{err}
		}
		values := make([]V, len(keys))
		for i, key := range keys {
			values[i] = found[key]
		}
		return values, nil
	}, dataloadgen.WithWait(loadWait), dataloadgen.WithBatchCapacity(1000))
}

// found is what a loader read, as a required value: nil is a missing row.
func found[V any](row *V, err error) (*V, error) {
	if err == nil && row == nil {
		return nil, fault.Missing()
	}
	return row, err
}

type loadersKey struct{}

func (r *resolver) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, r.newLoaders())
}

func load(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

// freshLoaders forgets before each mutation what an earlier one of the same request has read.
func (r *resolver) freshLoaders(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		ctx = r.withLoaders(ctx)
	}
	return next(ctx)
}
