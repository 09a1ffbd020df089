package dbtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Company sets the company up, with the default reminder policy: issued, -7, -1, +1, +5, +15.
// since is when the policy's steps come into force.
func Company(t testing.TB, store *db.Store, since time.Time) db.Company {
	t.Helper()
	company := db.Company{Name: "Hospedaje Ejemplo", Email: "cobranza@hospedaje.example", BrandColour: "#0f766e", Timezone: "America/Mexico_City"}
	check(t, store.SaveCompany(t.Context(), &company))
	steps := []db.ReminderStep{{Anchor: db.AnchorIssue, CreatedAt: since}}
	for _, days := range []int{-7, -1, 1, 5, 15} {
		steps = append(steps, db.ReminderStep{Anchor: db.AnchorDue, Days: days, CreatedAt: since})
	}
	check(t, store.AddPolicy(t.Context(), &db.ReminderPolicy{Name: "default", SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: 3}, steps))
	return company
}

// Client adds a client whose own address receives every topic.
func Client(t testing.TB, store *db.Store, name, email string) db.Client {
	t.Helper()
	client := db.Client{Name: name, Email: email, Country: "MX", Language: "es-MX", Timezone: "America/Mexico_City", Topics: mail.Topics()}
	check(t, store.AddClient(t.Context(), &client))
	return client
}

// Contact adds a contact with the topics, created at the moment.
func Contact(t testing.TB, store *db.Store, client db.Client, email string, created time.Time, topics ...mail.Topic) db.Contact {
	t.Helper()
	contact := db.Contact{ClientID: client.ID, Firstname: "Contacto", Email: email, Country: "MX", Language: "es-MX",
		Timezone: client.Timezone, Topics: topics, CreatedAt: created}
	check(t, store.AddContact(t.Context(), &contact))
	return contact
}

// Invoice adds an issued invoice of 116.00 MXN, created at the moment.
func Invoice(t testing.TB, store *db.Store, client db.Client, issue, due date.Date, created time.Time) db.Invoice {
	t.Helper()
	var row db.Invoice
	check(t, store.InTx(t.Context(), func(tx *db.Store) error {
		folio, err := tx.NextFolio(t.Context(), "T")
		if err != nil {
			return err
		}
		row = db.Invoice{ClientID: client.ID, Series: "T", Folio: folio, Number: fmt.Sprintf("T-%d", folio), Status: db.InvoiceIssued,
			Currency: money.MXN, IssueDate: issue, DueDate: due, Subtotal: 10000, Tax: 1600, Total: 11600, ClientSnapshot: client, CreatedAt: created, UpdatedAt: created}
		return tx.AddInvoice(t.Context(), &row, []db.InvoiceLine{{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Int(100), Amount: 10000, Treatment: "iva16"}})
	}))
	return row
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
