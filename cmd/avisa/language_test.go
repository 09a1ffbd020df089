package main

import (
	"strings"
	"testing"
)

// Each recipient of a reminder reads it in its own language, by its own name: a contact's own language goes before
// its client's, which the client's own address has.
func TestReminderInTheRecipientsLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s = s.begin(t, 7)
	s.exec("UPDATE contact SET language = 'en', firstname = 'Laura' WHERE id = $1", s.contact.ID)
	s.plan()
	s.work()
	for _, c := range []struct{ to, subject, greeting, language string }{
		{s.contact.Email, "Reminder: your invoice ", "Hello Laura,", "en"},
		{s.client.Email, "Recordatorio: su factura ", "Buen día, Cliente 7:", "es-MX"},
	} {
		mails := s.mails(c.to)
		if len(mails) != 1 {
			t.Fatalf("%s has %d mails", c.to, len(mails))
		}
		m := mails[0]
		if !strings.HasPrefix(m.Subject, c.subject) || !strings.HasPrefix(m.Text, c.greeting) || !strings.Contains(m.HTML, `lang="`+c.language+`"`) || !strings.Contains(m.HTML, c.greeting) {
			t.Errorf("%s reads %q, %q, %.200q", c.to, m.Subject, m.Text, m.HTML)
		}
	}
}
