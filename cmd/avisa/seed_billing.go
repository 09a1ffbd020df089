package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// seedProducts are what the demo's company sells; the n-th client has the n-th as a service.
var seedProducts = []billing.ProductInput{
	{Name: "Hospedaje web Profesional", Active: true, Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Must("349.00")}},
	{Name: "Dominio .mx, 1 año", Active: true, Pricing: billing.Pricing{Kind: "domain", TLD: "mx", Cycle: billing.Yearly, Price: money.Must("299.00")}},
	{Name: "Servidor virtual, 4 núcleos, 8 GB", Active: true, Pricing: billing.Pricing{Kind: "server", Cycle: billing.Monthly, Price: money.Must("1499.00")}},
}

// seedService sells the n-th product to the client; its first renewal is weeks ahead.
func (a *app) seedService(ctx context.Context, client db.Client, n int) error {
	product, err := a.billing.SaveProduct(ctx, seedProducts[n])
	if err != nil {
		return err
	}
	_, err = a.billing.AddService(ctx, billing.ServiceInput{ClientID: client.ID, ProductID: product.ID,
		StartsOn: date.Today(a.billing.Now(), client.Timezone).AddDays(16 + 2*n), RequestKey: fmt.Sprintf("seed-service-%d", n)})
	return err
}

// seedMore adds what staff review: a draft, an invoice that is long overdue, and a bank statement with deposits that fit and
// one that does not.
func (a *app) seedMore(ctx context.Context) error {
	list, err := a.store.Clients(ctx, db.ClientFilter{Reach: access.Reach{All: true}, Search: "taller-inventado"}, db.Page{First: 1})
	if err != nil || len(list.Rows) == 0 {
		return err
	}
	client := list.Rows[0]
	today := date.Today(a.billing.Now(), client.Timezone)
	if _, err := a.billing.SaveDraft(ctx, billing.SaveDraftInput{IssueInput: billing.IssueInput{ClientID: client.ID, DueDate: today.AddDays(30),
		Lines: []billing.LineInput{server("fresa")}, RequestKey: "seed-draft"}}); err != nil {
		return err
	}
	open, err := a.billing.Invoices(ctx, billing.InvoiceQuery{Client: client.ID, Status: "open"}, db.Page{First: 1})
	if err != nil || len(open.Rows) == 0 {
		return err
	}
	row := open.Rows[0]
	_, err = a.billing.ImportStatement(ctx, strings.NewReader(fmt.Sprintf("date,amount,reference,description\n%s,%s,%s,SPEI RECIBIDO\n%s,750.00,0000000,DEPOSITO EN EFECTIVO\n",
		today, money.FormatPlain(row.Balance, row.Currency), row.Number, today)))
	return err
}
