package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// The demo's people. Every address is under .example, which reaches nobody (RFC 2606).
const (
	demoPassword   = "Faro-Demostracion-26"
	demoStaff      = "personal@nube-demo.example"
	demoOwner      = "direccion@cafe-ficticio.example"
	demoAccountant = "contabilidad@cafe-ficticio.example"
)

func runSeed(ctx context.Context, c config, log *slog.Logger, _ []string) error {
	if c.Env == production {
		return errors.New("demo data never go into a production database: AVISA_ENV is production")
	}
	if err := c.need("DATABASE_URL", "REDIS_URL", "BLOB_URL", "AVISA_BASE_URL", "AVISA_SECRET"); err != nil {
		return err
	}
	a, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.close()
	if _, err := a.store.Migrate(ctx); err != nil {
		return err
	}
	if err := a.seed(ctx); err != nil {
		return err
	}
	log.Info("demo data are there", "staff", demoStaff, "owner", demoOwner, "password", "see docs/operations.md")
	return nil
}

// seedClient is a fictional client with its invoices: days from today to the due date, and what of
// the total is paid already, in percent.
type seedClient struct {
	name, email, taxID, city, state, language string
	invoices                                  []seedInvoice
}

type seedInvoice struct {
	due, paid int
	lines     []billing.LineInput
}

func hosting(months int64) billing.LineInput {
	return billing.LineInput{Description: "Hospedaje web Profesional", Quantity: money.Int(months), UnitPrice: money.Must("349.00")}
}

func domain(name string) billing.LineInput {
	return billing.LineInput{Description: "Renovación del dominio " + name + ", 1 año", Quantity: money.Int(1), UnitPrice: money.Must("299.00")}
}

func server(name string) billing.LineInput {
	return billing.LineInput{Description: "Servidor virtual " + name + ", 4 núcleos, 8 GB", Quantity: money.Int(1), UnitPrice: money.Must("1499.00")}
}

var seedClients = []seedClient{
	{"Café Ficticio de Coatepec", demoOwner, "CFC010101AB1", "Coatepec", "Veracruz", "es-MX", []seedInvoice{
		{due: -20, paid: 100, lines: []billing.LineInput{server("espresso"), hosting(1)}},
		{due: 7, lines: []billing.LineInput{hosting(12), domain("cafe-ficticio.example")}},
		{due: 15, paid: 40, lines: []billing.LineInput{server("espresso")}},
	}},
	{"Papelería Imaginaria", "compras@papeleria-imaginaria.example", "PIM020202CD2", "Puebla", "Puebla", "es-MX", []seedInvoice{
		{due: 5, lines: []billing.LineInput{hosting(1)}},
		{due: 30, lines: []billing.LineInput{domain("papeleria-imaginaria.example")}},
	}},
	{"Taller Inventado del Norte", "admin@taller-inventado.example", "TIN030303EF3", "Monterrey", "Nuevo León", "es-MX", []seedInvoice{
		{due: 10, lines: []billing.LineInput{server("torno"), server("fresa")}},
	}},
	{"Placeholder Imports LLC", "billing@placeholder-imports.example", "", "Austin", "Texas", "en", []seedInvoice{
		{due: 14, lines: []billing.LineInput{server("import-1")}},
	}},
	{"Florería de Muestra", "flores@floreria-muestra.example", "FMU050505GH5", "Guadalajara", "Jalisco", "es-MX", nil},
	{"Refacciones Ficticias del Bajío", "pagos@refacciones-ficticias.example", "RFB060606IJ6", "León", "Guanajuato", "es-MX", nil},
	{"Constructora de Muestra", "administracion@constructora-de-muestra.example", "CMU070707KL7", "Querétaro", "Querétaro", "es-MX", nil},
	{"Librería Cerrada de Muestra", closedDemo, "LCM080808MN8", "Mérida", "Yucatán", "es-MX", nil},
}

// seed fills an empty database with demo data. Where data are already, it changes nothing.
func (a *app) seed(ctx context.Context) error {
	ctx = access.With(ctx, access.SystemActor())
	if _, err := a.store.Company(ctx); err == nil || !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := a.account.SetUp(ctx, db.Company{Name: "Nube de Demostración", LegalName: "NUBE DE DEMOSTRACION", TaxID: "NDD010101AAA",
		Email: "cobranza@nube-demo.example", Phonenumber: "55 5555 0100", Website: "nube-demo.example",
		Address:        "Calle Sin Nombre 0, Col. Ejemplo, Ciudad de México, CP 00000",
		Signature:      "Equipo de Cobranza · Nube de Demostración",
		PaymentDetails: "Banco de Demostración. Esta cuenta no existe.", CLABE: "999180001234567802",
		BrandColour: "#0f766e", Timezone: "America/Mexico_City"}); err != nil {
		return err
	}
	if _, err := a.account.AddStaff(ctx, account.AddStaffInput{Name: "Personal de Demostración", Email: demoStaff, Password: demoPassword}); err != nil {
		return err
	}
	logo, err := demoLogo()
	if err != nil {
		return err
	}
	if _, err := a.billing.SetLogo(ctx, logo); err != nil {
		return err
	}
	for i, c := range seedClients {
		country := "MX"
		if c.taxID == "" {
			country = "US"
		}
		client, err := a.account.AddClient(ctx, account.AddClientInput{Password: demoPassword, Details: account.ClientDetails{
			Name: c.name, Email: c.email, TaxID: c.taxID, City: c.city, State: c.state, Country: country, Language: c.language}})
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if i == 0 {
			if err := a.seedContacts(ctx, client); err != nil {
				return err
			}
			if err := a.seedFiscal(ctx, client); err != nil {
				return err
			}
		}
		if i < 3 {
			if err := a.seedService(ctx, client, i); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		for n, invoice := range c.invoices {
			if err := a.seedInvoice(ctx, client, invoice, fmt.Sprintf("seed-%d-%d", i, n)); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	if err := a.seedReminders(ctx); err != nil {
		return err
	}
	if err := a.seedMore(ctx); err != nil {
		return err
	}
	if err := a.seedDocuments(ctx); err != nil {
		return err
	}
	return a.seedPast(ctx)
}

func (a *app) seedContacts(ctx context.Context, client db.Client) error {
	for _, in := range []account.AddContactInput{
		{Details: account.ContactDetails{Firstname: "Contabilidad", Lastname: "de Muestra", Email: demoAccountant}, Topics: []mail.Topic{mail.Invoice},
			SubAccount: &account.SubAccountInput{Active: true, Password: demoPassword, PasswordAgain: demoPassword,
				Permissions: []access.Permission{access.Invoices, access.Emails}}},
		{Details: account.ContactDetails{Firstname: "Soporte", Lastname: "Técnico", Companyname: "Agencia Inventada", Email: "sistemas@agencia-inventada.example"},
			Topics: []mail.Topic{mail.Domain, mail.Support}},
	} {
		in.ClientID = client.ID
		if _, err := a.account.AddContact(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) seedInvoice(ctx context.Context, client db.Client, in seedInvoice, key string) error {
	today := date.Today(a.billing.Now(), client.Timezone)
	issue := today
	if in.due < 0 {
		issue = today.AddDays(in.due - 15)
	}
	row, err := a.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, IssueDate: issue, DueDate: today.AddDays(in.due),
		Lines: in.lines, RequestKey: key})
	if err != nil || in.paid == 0 {
		return err
	}
	amount, err := row.Total.MulDiv(int64(in.paid), 100)
	if err != nil {
		return err
	}
	_, err = a.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: row.ID, Amount: amount, Method: "transfer", Reference: "SPEI DEMO", RequestKey: key + "-payment"})
	return err
}

// freshInvoice makes sure that the demo's client has an open invoice with a reminder due today,
// whatever day the demo is run again.
func (a *app) freshInvoice(ctx context.Context) (id.Invoice, error) {
	ctx = access.With(ctx, access.SystemActor())
	list, err := a.store.Clients(ctx, db.ClientFilter{Reach: access.Reach{All: true}, Search: demoOwner}, db.Page{First: 1})
	if err != nil || len(list.Rows) == 0 {
		return 0, errors.Join(err, errors.New("the demo's client is missing: remove .avisa to start anew"))
	}
	client := list.Rows[0]
	today := date.Today(a.billing.Now(), client.Timezone)
	in := billing.IssueInput{ClientID: client.ID, DueDate: today.AddDays(1),
		Lines: []billing.LineInput{server("espresso"), domain("cafe-ficticio.example")}, RequestKey: "demo-" + string(today)}
	row, err := a.billing.IssueInvoice(ctx, in)
	if err == nil && !row.Open() { // somebody paid it in the console meanwhile
		in.RequestKey += a.billing.Now().Format("T15:04:05")
		row, err = a.billing.IssueInvoice(ctx, in)
	}
	return row.ID, err
}
