package main

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// seedReminders adds what the pages about reminders show: a group with a policy of its own, a text with two
// versions, a rule for late fees, a promise to pay and an address that returned mail.
func (a *app) seedReminders(ctx context.Context) error {
	group, err := a.reminder.AddClientGroup(ctx, "Talleres con convenio")
	if err != nil {
		return err
	}
	workshop, err := a.seeded(ctx, "taller-inventado")
	if err != nil {
		return err
	}
	if err := a.reminder.SetClientGroup(ctx, workshop.ID, group.ID); err != nil {
		return err
	}
	due := func(days int) reminder.StepInput { return reminder.StepInput{Anchor: db.AnchorDue, Days: days} }
	if _, err := a.reminder.SavePolicy(ctx, reminder.PolicyInput{GroupID: group.ID, Name: "Talleres con convenio", SendFrom: "10:00", SendUntil: "17:00", CatchUpDays: 3,
		BusinessDays: true, AttachPDF: true, AttachXML: true, Consolidate: true, Steps: []reminder.StepInput{{Anchor: db.AnchorIssue}, due(-5), due(3), due(10)}}); err != nil {
		return err
	}
	text := reminder.TemplateInput{Anchor: db.AnchorDue, Days: 5, Language: locale.Spanish, Subject: "Factura {{invoice.number}}: pago pendiente",
		Body: "Buen día, {{contact.name}}:\n\nLa factura {{invoice.number}} de {{client.name}} venció el {{invoice.due_date}}."}
	if _, err := a.reminder.SaveTemplate(ctx, text); err != nil {
		return err
	}
	text.Subject = "{{client.name}}: la factura {{invoice.number}} lleva {{invoice.days_late}} días vencida"
	text.Body += "\n\n{{#if invoice.days_late}}Lleva {{invoice.days_late}} días de atraso. {{/if}}Si ya la pagó, responda a este correo con el comprobante; si necesita más plazo, díganos qué día puede pagar."
	if _, err := a.reminder.SaveTemplate(ctx, text); err != nil {
		return err
	}
	if _, err := a.reminder.SaveLateFeeRule(ctx, reminder.LateFeeRuleInput{Name: "Recargo por pago tardío", Kind: "server", Percent: money.Must("3"), Minimum: 50_00, GraceDays: 5}); err != nil {
		return err
	}
	shop, err := a.seeded(ctx, "papeleria-imaginaria")
	if err != nil {
		return err
	}
	now := a.reminder.Now()
	if _, _, err := a.reminder.SetReminderPause(ctx, reminder.PauseInput{ClientID: shop.ID, Until: date.Today(now, shop.Timezone).AddDays(8), Mode: db.PauseShift,
		Reason: "Promesa de pago: transfieren al cierre de la quincena"}); err != nil {
		return err
	}
	contact, err := a.account.AddContact(ctx, account.AddContactInput{ClientID: shop.ID, Topics: []mail.Topic{mail.Invoice},
		Details: account.ContactDetails{Firstname: "Cuentas", Lastname: "por Pagar", Email: "pagos@papeleria-imaginaria.example"}})
	if err != nil {
		return err
	}
	return a.store.MarkBounce(ctx, shop.ID, contact.ID, db.Bounce{BouncedEmail: contact.Email, BouncedAt: &now, BounceDetail: "5.1.1 550 No such user here"})
}

// seeded is a client of the demo by a part of its address.
func (a *app) seeded(ctx context.Context, search string) (db.Client, error) {
	list, err := a.store.Clients(ctx, db.ClientFilter{Reach: access.Reach{All: true}, Search: search}, db.Page{First: 1})
	if err != nil || len(list.Rows) == 0 {
		return db.Client{}, err
	}
	return list.Rows[0], nil
}
