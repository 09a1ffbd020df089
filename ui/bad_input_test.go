package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// trace is how much has happened: entries of the audit log and mails under way.
func (w *world) trace() [2]int {
	w.Helper()
	mailed[account.ResetNotice](w)
	list, err := w.account.Audit(system(w.Context()), account.AuditQuery{}, db.Page{First: 100})
	if err != nil || list.HasNext {
		w.Fatalf("%d entries, %v", len(list.Rows), err)
	}
	return [2]int{len(list.Rows), len(w.notices)}
}

// A link that was used, replaced, withdrawn, made for something else, or that has come to its end opens nothing at
// either door; the text says why, and nothing changes.
func TestLinksThatOpenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{})
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	v := w.as(owner)
	invite := func(email string) (token, change string) {
		form := with(contactValues(), "email", email, "subAccount.invite", "on", "subAccount.password", "", "subAccount.passwordAgain", "")
		v.post(contacts, form).want(t, http.StatusSeeOther)
		row, _ := w.contactByEmail(t, email)
		return mailed[account.InvitationNotice](w).Token, contacts + "/" + row.ID.String() + "/acceso"
	}
	reset := func(email string) string {
		w.account.Now = func() time.Time { return now.Add(time.Duration(len(w.notices)) * 6 * time.Minute) } // a second request within five minutes sends nothing
		w.visit().post("/clientes/contrasena", url.Values{"email": {email}}).want(t, http.StatusOK)
		return mailed[account.ResetNotice](w).Token
	}
	used, _ := invite("usada@despacho.example")
	w.accept(used)
	replaced, change := invite("repetida@despacho.example")
	v.post(change, url.Values{"accion": {"reenviar"}}).want(t, http.StatusSeeOther)
	open := mailed[account.InvitationNotice](w).Token
	withdrawn, change := invite("retirada@despacho.example")
	v.post(change, url.Values{"accion": {"cancelar"}}).want(t, http.StatusSeeOther)
	usedReset := reset(stranger)
	const fresh = "Otra-frase-larga-26"
	w.visit().post("/clientes/contrasena/nueva", url.Values{"token": {usedReset}, "password": {fresh}, "passwordAgain": {fresh}}).want(t, http.StatusSeeOther)
	openReset := reset(stranger)
	expired := func() { w.account.Now = func() time.Time { return now.AddDate(0, 0, 8) } }
	before := w.trace()

	const unusable, late = "LINK_UNUSABLE", "LINK_EXPIRED"
	invitations := map[string]struct{ token, code string }{
		"used": {used, unusable}, "replaced": {replaced, unusable}, "withdrawn": {withdrawn, unusable}, "of a password": {openReset, unusable},
		"of nothing": {"nunca", unusable}, "cut": {open[:len(open)-1], unusable}, "longer": {open + "A", unusable}, "in another case": {strings.ToUpper(open), unusable},
		"very long": {strings.Repeat("A", 5000), unusable}, "with a quote": {open + "' OR '1'='1", unusable},
	}
	resets := map[string]struct{ token, code string }{
		"used": {usedReset, unusable}, "of an invitation": {open, unusable}, "of nothing": {"nunca", unusable}, "cut": {openReset[:len(openReset)-1], unusable},
		"very long": {strings.Repeat("A", 5000), unusable}, "with a quote": {openReset + "'--", unusable},
	}
	try := func(invitations, resets map[string]struct{ token, code string }) {
		t.Helper()
		for name, c := range invitations {
			guest := w.visit()
			variables := map[string]any{"t": c.token, "p": password}
			if code, _ := guest.api(`query ($t: String!) { invitation(token: $t) { client email } }`, variables); code != c.code {
				t.Errorf("an invitation, %s: the API shows it: %q", name, code)
			}
			if code, _ := guest.api(`mutation ($t: String!, $p: String!) { acceptInvitation(input: {token: $t, password: $p, passwordAgain: $p}) { token userErrors { code message } } }`, variables); code != c.code {
				t.Errorf("an invitation, %s: the API accepts it: %q", name, code)
			}
			guest.post("/clientes/invitacion/aceptar", url.Values{"token": {c.token}, "password": {password}, "passwordAgain": {password}}).want(t, http.StatusConflict).shows(t, locale.Error(locale.Spanish, c.code, nil))
			guest.get("/clientes").want(t, http.StatusSeeOther) // nobody was signed in
		}
		for name, c := range resets {
			guest := w.visit()
			if code, _ := guest.api(`mutation ($t: String!, $p: String!) { completePasswordReset(input: {token: $t, password: $p, passwordAgain: $p}) { userErrors { code message } } }`,
				map[string]any{"t": c.token, "p": password + "-x"}); code != c.code {
				t.Errorf("a password's link, %s: %q", name, code)
			}
			guest.post("/clientes/contrasena/nueva", url.Values{"token": {c.token}, "password": {password + "-x"}, "passwordAgain": {password + "-x"}}).
				want(t, http.StatusUnprocessableEntity).shows(t, locale.Error(locale.Spanish, c.code, nil))
		}
	}
	try(invitations, resets)
	if code, _ := w.visit().api(`query ($t: String!) { invitation(token: $t) { client } }`, map[string]any{"t": "a\x00b"}); code != "CONTROL_CHARACTERS" {
		t.Errorf("a zero in a token: %q", code)
	}
	expired()
	try(map[string]struct{ token, code string }{"too late": {open, late}}, map[string]struct{ token, code string }{"too late": {openReset, late}})
	w.account.Now = func() time.Time { return now }
	if after := w.trace(); after != before {
		t.Errorf("something happened: %v before, %v after", before, after)
	}
	w.visit().post("/clientes/entrar", url.Values{"email": {stranger}, "password": {fresh}}).want(t, http.StatusSeeOther)
}

// Names and addresses that would write into a mail's head, or that look like others, are refused at both doors
// with a text of their own, and nothing is stored or mailed.
func TestNamesAndAddressesThatDeceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{})
	v := w.as(owner)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	before := w.trace()
	const add = `mutation ($c: ID!, $d: ContactDetailsInput!) { addContact(input: {clientId: $c, details: $d}) { contact { id } userErrors { field code message } } }`
	const addStaff = `mutation ($n: String!, $e: String!) { addStaff(input: {name: $n, email: $e}) { staff { id } userErrors { field code message } } }`
	for name, c := range map[string]struct{ field, value, code string }{
		"Bcc in a first name":    {"firstname", "Ana\r\nBcc: todos@nada.example", "CONTROL_CHARACTERS"},
		"Bcc in a company":       {"companyname", "Café\nBcc: todos@nada.example", "CONTROL_CHARACTERS"},
		"a zero in a last name":  {"lastname", "Luz\x00", "CONTROL_CHARACTERS"},
		"text that runs back":    {"lastname", "Luz\u202eagnop", "CONTROL_CHARACTERS"},
		"Bcc in an address":      {"email", "ana@nada.example\r\nBcc: todos@nada.example", "CONTROL_CHARACTERS"},
		"two addresses":          {"email", "ana@nada.example, otra@nada.example", "EMAIL_MALFORMED"},
		"a name and an address":  {"email", "Ana <ana@nada.example>", "EMAIL_MALFORMED"},
		"a Cyrillic letter":      {"email", "direcciоn@cafe.example", "EMAIL_DISGUISED"},
		"a Cyrillic domain":      {"email", "direccion@сafe.example", "EMAIL_DISGUISED"},
		"a zero-width space":     {"email", "direccion@cafe.exam\u200bple", "EMAIL_MALFORMED"},
		"a zero-width joiner":    {"email", "direc\u200dcion@cafe.example", "EMAIL_DISGUISED"},
		"fullwidth letters":      {"email", "ｄireccion@cafe.example", "EMAIL_DISGUISED"},
		"another case":           {"email", "CONTABILIDAD@Cafe.Example", "EMAIL_TAKEN"},
		"another case, accented": {"email", "CONTABILIDAD@cafe.example ", "EMAIL_TAKEN"},
	} {
		details := map[string]any{"email": "nueva@nada.example", c.field: c.value}
		if code, _ := v.api(add, map[string]any{"c": w.client.ID.String(), "d": details}); code != c.code {
			t.Errorf("%s: the API says %q", name, code)
		}
		form := with(contactValues(), "email", "nueva@nada.example", c.field, c.value)
		page := v.post(contacts, form).want(t, http.StatusUnprocessableEntity)
		if got := page.fieldError("f-" + c.field); got != locale.Error(locale.Spanish, c.code, nil) {
			t.Errorf("%s: the page says %q", name, got)
		}
		if c.code == "EMAIL_TAKEN" {
			continue // by a contact; staff are others
		}
		person := map[string]any{"n": "Ana", "e": "nueva@nada.example"}
		switch c.field {
		case "email":
			person["e"] = c.value
		default:
			person["n"] = c.value
		}
		code, _ := staff.api(addStaff, person)
		if want := c.code; code != want && (c.field != "email" || c.code != "CONTROL_CHARACTERS" || code != "EMAIL_MALFORMED") {
			t.Errorf("%s: staff: %q", name, code)
		}
		if c.field == "email" {
			refused := w.visit().post("/clientes/contrasena", url.Values{"email": {c.value}}).want(t, http.StatusUnprocessableEntity)
			if refused.fieldError("f-email") == "" {
				t.Errorf("%s: a forgotten password says nothing", name)
			}
			w.visit().post("/clientes/entrar", url.Values{"email": {c.value}, "password": {password}}).want(t, http.StatusUnprocessableEntity)
		}
	}
	if after := w.trace(); after != before {
		t.Errorf("something happened: %v before, %v after", before, after)
	}
}
