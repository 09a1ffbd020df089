package db_test

import (
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What gives access is in no part of a mail as it is kept: neither in its own, nor in the frame that mails share, wherever
// the design has it.
func TestKeptMailHasNoSecrets(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	client := dbtest.Client(t, store, "Café", "cafe@correo.example")
	for _, html := range []string{
		`<style>td{}</style><p>Ver <a href="https://a.example/t0ken">la factura</a> o escriba t0ken</p>`,
		`<p><img src="https://a.example/t0ken"/>Hola</p>`,
		`t0ken`,
		``,
	} {
		m := mail.Message{ID: "a@b.example", To: "cafe@correo.example", Subject: "Con t0ken", Text: "Abra https://a.example/t0ken", HTML: html, Secrets: []string{"", "t0ken"}}
		e := db.NewEmail(db.EmailReminder, client.ID, 0, m).Went(mail.Receipt{}, nil)
		e.MessageID = html
		if err := store.KeepEmail(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		list, err := store.Emails(t.Context(), db.EmailFilter{Client: client.ID, Kinds: []string{db.EmailReminder}}, db.Page{First: 1})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := store.EmailsByID(t.Context(), []id.Email{list.Rows[0].ID})
		if err != nil {
			t.Fatal(err)
		}
		if row := rows[0]; row.HTML != strings.ReplaceAll(html, "t0ken", "***") || row.Text != "Abra https://a.example/***" || row.Subject != "Con ***" {
			t.Errorf("%q is kept as %q, %q, %q", html, row.Subject, row.Text, row.HTML)
		}
	}
}
