package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

func TestImportClients(t *testing.T) {
	w := newWorld(t)
	support := w.staff(access.Support)
	w.work()
	file := "reference;name;email;city;contact_email;contact_topics;contact_permissions\n" +
		"1;Vivero;v@vivero.example;M\xe9rida;pagos@vivero.example;;invoices emails\n" +
		"1;Vivero;v@vivero.example;M\xe9rida;redes@vivero.example;domain support;\n" +
		"2;Imprenta;i@imprenta.example;;;;\n"
	result, err := w.ImportClients(support, strings.NewReader(file))
	if err != nil || result.Clients != 2 || result.Contacts != 2 || !result.Latin1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if notices := w.work(); len(notices) != 0 {
		t.Fatalf("an import mailed somebody: %+v", notices)
	}
	found, err := w.Clients(support, account.ClientQuery{ExternalRef: "1"}, db.Page{})
	if err != nil || len(found.Rows) != 1 || found.Rows[0].City != "Mérida" || len(found.Rows[0].Topics) != 6 {
		t.Fatalf("%+v, %v", found.Rows, err)
	}
	contacts, err := w.Contacts(support, found.Rows[0].ID, db.Page{})
	if err != nil || len(contacts.Rows) != 2 || fmt.Sprint(contacts.Rows[0].Topics, contacts.Rows[1].Topics) != "[invoice] [domain support]" {
		t.Fatalf("%+v, %v", contacts.Rows, err)
	}
	if w.state(contacts.Rows[0].ID) != "invited" || w.state(contacts.Rows[1].ID) != "none" {
		t.Fatal(w.state(contacts.Rows[0].ID), w.state(contacts.Rows[1].ID))
	}
	// What was imported comes when it is invited.
	if _, err := w.ResendInvitation(support, contacts.Rows[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.InviteOwner(support, found.Rows[0].ID); err != nil {
		t.Fatal(err)
	}
	for _, n := range w.work() {
		if err := w.accept(n.(account.InvitationNotice).Token, password); err != nil {
			t.Fatal(err)
		}
	}
	if w.state(contacts.Rows[0].ID) != "active" {
		t.Fatal(w.state(contacts.Rows[0].ID))
	}
	// The same file changes nothing.
	if result, err = w.ImportClients(support, strings.NewReader(file)); err != nil || result.Clients != 0 || result.Existing != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
}

// Errors name row and column, and nothing is saved.
func TestImportClientsRefused(t *testing.T) {
	w := newWorld(t)
	support := w.staff(access.Support)
	head := "reference,name,email,country,contact_email,contact_firstname,contact_topics,contact_permissions\n"
	good := "ok,Bueno,b@bueno.example,,,,,\n"
	for name, c := range map[string]struct{ file, want string }{
		"no file":                {"", "rows[1]:FILE_EMPTY"},
		"names alone":            {head, "rows[1]:FILE_EMPTY"},
		"a column is missing":    {"reference,name\n", "rows[1]:COLUMN_MISSING"},
		"an unknown column":      {"reference,name,email,correo\n", "rows[1]:COLUMN_UNKNOWN"},
		"no reference":           {head + good + ",B,b@b.example,,,,,\n", "rows[3].reference:REQUIRED"},
		"bad details":            {head + good + "2,,b,XX,,,,\n", "rows[3].name:REQUIRED rows[3].email:EMAIL_MALFORMED rows[3].country:COUNTRY_UNKNOWN"},
		"a reference comes back": {head + "1,A,a@a.example,,,,,\n" + good + "1,A,a@a.example,,,,,\n", "rows[4].reference:REFERENCE_SPLIT"},
		"a contact twice":        {head + "1,A,a@a.example,,k@a.example,,,\n1,A,a@a.example,,K@a.example,,,\n", "rows[3].contact_email:EMAIL_TAKEN"},
		"a contact without one":  {head + "1,A,a@a.example,,,Ana,,\n", "rows[2].contact_email:REQUIRED"},
		"unknown keys":           {head + "1,A,a@a.example,,k@a.example,,facturas,todo\n", "rows[2].contact_topics:TOPIC_UNKNOWN rows[2].contact_permissions:PERMISSION_UNKNOWN"},
		"a row too short":        {head + good + "1,A\n", "rows[3]:COLUMN_COUNT"},
	} {
		result, err := w.ImportClients(support, strings.NewReader(c.file))
		if codes(err) != c.want || result.Clients != 0 {
			t.Errorf("%s: %q, want %q", name, codes(err), c.want)
		}
	}
	if _, err := w.ImportClients(w.staff(access.Billing), strings.NewReader(head+good)); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if list, err := w.Clients(support, account.ClientQuery{}, db.Page{}); err != nil || len(list.Rows) != 2 {
		t.Fatalf("%d clients, want the two of before: %v", len(list.Rows), err)
	}
}

// More clients than one batch, in any size of file, with a bounded number of statements.
func TestImportManyClients(t *testing.T) {
	w := newWorld(t)
	file := strings.Builder{}
	file.WriteString("reference,name,email,contact_email\n")
	for n := range 1203 {
		fmt.Fprintf(&file, "%d,Cliente %d,c%d@cliente.example,k%d@cliente.example\n", n, n, n, n)
	}
	// A client that comes back in a later batch would lose its contacts there.
	if _, err := w.ImportClients(w.system(), strings.NewReader(file.String()+"3,Cliente 3,c3@cliente.example,otra@cliente.example\n")); codes(err) != "rows[1205].reference:REFERENCE_SPLIT" {
		t.Fatal(err)
	}
	result, err := w.ImportClients(w.system(), strings.NewReader(file.String()))
	if err != nil || result.Clients != 1203 || result.Contacts != 1203 {
		t.Fatalf("%+v, %v", result, err)
	}
}
