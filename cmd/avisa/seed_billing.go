package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// closedDemo is the address of the demo's client with whom the business has ended.
const closedDemo = "libros@libreria-cerrada.example"

// seedMore adds what staff review: a draft, a bank statement with deposits that fit and one that does not, rates of exchange,
// invoices that are overdue, one of them of a closed client, and a notice of the card gateway that nothing could be booked for.
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
	if _, err = a.billing.ImportStatement(ctx, strings.NewReader(fmt.Sprintf("date,amount,reference,description\n%s,%s,%s,SPEI RECIBIDO\n%s,750.00,0000000,DEPOSITO EN EFECTIVO\n",
		today, money.FormatPlain(row.Balance, row.Currency), row.Number, today))); err != nil {
		return err
	}
	for days, rate := range []string{"18.2140", "18.1875", "18.2362"} {
		if _, err := a.billing.SetExchangeRate(ctx, billing.ExchangeRateInput{Currency: money.USD, Day: today.AddDays(-days), Rate: money.Must(rate), Source: "Demostración"}); err != nil {
			return err
		}
	}
	return errors.Join(a.seedOverdue(ctx), a.seedGatewayEvent(ctx))
}

// seedOverdue has one client late by three weeks, and one by more than two months, with whom the business has ended since.
func (a *app) seedOverdue(ctx context.Context) error {
	for search, days := range map[string]int{"placeholder-imports": 20, closedDemo: 75} {
		client, err := a.seeded(ctx, search)
		if err != nil {
			return err
		}
		then := *a.billing
		then.Now = func() time.Time { return a.billing.Now().AddDate(0, 0, -days-15) }
		if _, err := then.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, DueDate: date.Today(a.billing.Now(), client.Timezone).AddDays(-days),
			Lines: []billing.LineInput{hosting(3)}, RequestKey: "seed-overdue-" + search}); err != nil {
			return err
		}
		if search == closedDemo {
			if _, err := a.billing.CloseClient(ctx, billing.CloseClientInput{ClientID: client.ID, Reason: "Cerró su tienda en línea"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// seedGatewayEvent is a refund that somebody made at the gateway, of a charge that was never booked here.
func (a *app) seedGatewayEvent(ctx context.Context) error {
	event := db.GatewayEvent{Gateway: "stripe", EventRef: "evt_demo", Kind: billing.EventReversed, Outcome: db.GatewayUnbooked, ReceivedAt: a.billing.Now(),
		ChargeRef: "pi_demo", ReversalRef: "re_demo", Amount: 250_00, Currency: money.MXN}
	if _, err := a.store.ClaimGatewayEvent(ctx, &event); err != nil {
		return err
	}
	return a.store.FinishGatewayEvent(ctx, &event)
}
