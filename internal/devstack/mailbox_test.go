package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/wneessen/go-mail"
)

func startMailbox(t *testing.T, options ...MailboxOption) *Mailbox {
	t.Helper()
	m, err := StartMailbox(":0", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func mailClient(t *testing.T, m *Mailbox) *mail.Client {
	t.Helper()
	addr := m.listener.Addr().(*net.TCPAddr)
	client, err := mail.NewClient(addr.IP.String(), mail.WithPort(addr.Port), mail.WithTLSPolicy(mail.NoTLS), mail.WithTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newMail(t *testing.T, to, subject string) *mail.Msg {
	t.Helper()
	msg := mail.NewMsg()
	if err := errors.Join(msg.FromFormat("Hosting Ñandú", "cobranza@nandu.example"), msg.To(to)); err != nil {
		t.Fatal(err)
	}
	msg.Subject(subject)
	msg.SetMessageIDWithValue("aviso." + subject + "@nandu.example")
	msg.SetBodyString(mail.TypeTextPlain, "Su factura vence mañana.")
	return msg
}

func send(t *testing.T, m *Mailbox, to, subject string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return mailClient(t, m).DialAndSendWithContext(ctx, newMail(t, to, subject))
}

func TestMailboxParsesWhatItReceives(t *testing.T) {
	t.Parallel()
	m := startMailbox(t)
	msg := newMail(t, "Núñez <contadora@cliente.example>", "Recordatorio: factura Nº 42 · $1,160.00 — vence mañana")
	msg.SetMessageIDWithValue("aviso.42@nandu.example")
	msg.AddAlternativeString(mail.TypeTextHTML, "<p>Su factura vence <b>mañana</b>.</p>")
	msg.SetGenHeader("List-Unsubscribe", "<https://nandu.example/baja?t=1>")
	pdf := []byte("%PDF-1.7\n\x00\xff")
	if err := msg.AttachReader("factura ñ 42.pdf", bytes.NewReader(pdf), mail.WithFileContentType("application/pdf")); err != nil {
		t.Fatal(err)
	}
	if err := mailClient(t, m).DialAndSendWithContext(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got, err := m.WaitFor(t.Context(), func(got Message) bool { return got.MessageID == "aviso.42@nandu.example" })
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"from":        {got.From, "cobranza@nandu.example"},
		"to":          {strings.Join(got.To, ","), "contadora@cliente.example"},
		"subject":     {got.Subject, "Recordatorio: factura Nº 42 · $1,160.00 — vence mañana"},
		"header from": {got.Headers.Get("From"), "Hosting Ñandú <cobranza@nandu.example>"},
		"unsubscribe": {got.Headers.Get("List-Unsubscribe"), "<https://nandu.example/baja?t=1>"},
		"text":        {strings.TrimSpace(got.Text), "Su factura vence mañana."},
		"html":        {strings.TrimSpace(got.HTML), "<p>Su factura vence <b>mañana</b>.</p>"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
	if len(got.Attachments) != 1 || got.Attachments[0].Name != "factura ñ 42.pdf" ||
		got.Attachments[0].ContentType != "application/pdf" || !bytes.Equal(got.Attachments[0].Data, pdf) {
		t.Errorf("attachments = %+v", got.Attachments)
	}
	if !bytes.Contains(got.Raw, []byte("MIME-Version: 1.0")) || got.ID != 1 || time.Since(got.ReceivedAt) > time.Minute {
		t.Errorf("raw %d bytes, id %d, received %s", len(got.Raw), got.ID, got.ReceivedAt)
	}
	if same, ok := m.Message(got.ID); !ok || same.MessageID != got.MessageID {
		t.Errorf("Message(%d) = %v, %v", got.ID, same.MessageID, ok)
	}
}

func TestParseMessageOddOnes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, subject, text, html string }{
		"latin-1":           {"Subject: =?iso-8859-1?Q?Pe=F1a?=\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nma=F1ana", "Peña", "mañana", ""},
		"raw utf-8 header":  {"Subject: Peña\r\n\r\nhola", "Peña", "hola", ""},
		"no content type":   {"Subject: a\r\n\r\nhola", "a", "hola", ""},
		"html only":         {"Content-Type: text/html; charset=utf-8\r\n\r\n<p>ñ", "", "", "<p>ñ"},
		"unknown charset":   {"Subject: a\r\nContent-Type: text/plain; charset=x-none\r\n\r\nhola", "a", "hola", ""},
		"unknown encoding":  {"Subject: a\r\nContent-Transfer-Encoding: x-none\r\n\r\nhola", "a", "hola", ""},
		"nothing":           {"", "", "", ""},
		"no header":         {"\r\nhola", "", "hola", ""},
		"broken header":     {"no header at all\r\n\r\nhola", "", "", ""},
		"multipart cut off": {"Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhola\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>", "a", "hola", "<p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parseMessage([]byte(test.raw))
			if got.Subject != test.subject || strings.TrimSpace(got.Text) != test.text || strings.TrimSpace(got.HTML) != test.html || string(got.Raw) != test.raw {
				t.Errorf("got subject %q, text %q, html %q", got.Subject, got.Text, got.HTML)
			}
		})
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhola\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got := parseMessage(raw); !bytes.Equal(got.Raw, raw) {
			t.Error("raw bytes changed")
		}
	})
}

func TestMailboxAdvertises(t *testing.T) {
	t.Parallel()
	conn, err := textproto.Dial("tcp", startMailbox(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := conn.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	if err := conn.PrintfLine("EHLO test.example"); err != nil {
		t.Fatal(err)
	}
	_, text, err := conn.ReadResponse(250)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"8BITMIME", "SMTPUTF8", "PIPELINING"} {
		if !slices.Contains(strings.Split(text, "\n"), want) {
			t.Errorf("%s is missing in %q", want, text)
		}
	}
}

func TestMailboxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	m := startMailbox(t, KeepLast(3))
	for i := range 5 {
		if err := send(t, m, "a@cliente.example", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	var subjects []string
	for _, message := range m.Messages() {
		subjects = append(subjects, message.Subject)
	}
	if !slices.Equal(subjects, []string{"4", "3", "2"}) || m.Count() != 3 || m.Total() != 5 {
		t.Errorf("kept %v, count %d, total %d", subjects, m.Count(), m.Total())
	}
	for id, want := range map[int64]bool{0: false, 2: false, 3: true, 5: true, 6: false} {
		if _, ok := m.Message(id); ok != want {
			t.Errorf("Message(%d) found = %v", id, ok)
		}
	}
	m.Clear()
	if m.Count() != 0 || m.Total() != 5 || len(m.Messages()) != 0 {
		t.Errorf("after Clear: count %d, total %d", m.Count(), m.Total())
	}
	if err := send(t, m, "a@cliente.example", "next"); err != nil {
		t.Fatal(err)
	}
	if got, ok := m.Message(6); !ok || got.Subject != "next" {
		t.Errorf("after Clear the next one is %+v", got)
	}
}

func TestMailboxEnvelopesOnly(t *testing.T) {
	t.Parallel()
	m := startMailbox(t, EnvelopesOnly())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := send(t, m, fmt.Sprintf("c%d@cliente.example", i), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[string]string{}
	for _, envelope := range m.Envelopes() {
		seen[envelope.MessageID] = strings.Join(envelope.To, ",")
	}
	if len(seen) != 8 || seen["aviso.3@nandu.example"] != "c3@cliente.example" || len(m.Messages()) != 0 || m.Total() != 8 {
		t.Errorf("envelopes %v, %d messages, total %d", seen, len(m.Messages()), m.Total())
	}
}

func TestMailboxFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure  SMTPFailure
		wantCode int // 0: the connection breaks
		kept     int
	}{
		"4xx at the recipient":   {SMTPFailure{Code: 451, Message: "Try later"}, 451, 0},
		"5xx at the recipient":   {SMTPFailure{Code: 550}, 550, 0},
		"5xx after the message":  {SMTPFailure{Code: 554, AtData: true}, 554, 0},
		"drop before accepting":  {SMTPFailure{Drop: DropBeforeAccept}, 0, 0},
		"drop after accepting":   {SMTPFailure{Drop: DropAfterAccept}, 0, 1},
		"stall beyond patience":  {SMTPFailure{Stall: time.Minute}, 0, 0},
		"drop wins over a reply": {SMTPFailure{Code: 550, Drop: DropBeforeAccept}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMailbox(t)
			m.Fail(func(from, to string) *SMTPFailure {
				if from != "cobranza@nandu.example" || to != "bad@cliente.example" {
					return nil
				}
				return &test.failure
			})
			if err := send(t, m, "good@cliente.example", "good"); err != nil {
				t.Fatalf("another recipient: %v", err)
			}
			m.Clear()
			code, err := sendPlain(m.Addr(), "bad@cliente.example")
			if err == nil || code != test.wantCode {
				t.Errorf("code %d (%v), want %d", code, err, test.wantCode)
			}
			if m.Count() != test.kept {
				t.Errorf("kept %d, want %d", m.Count(), test.kept)
			}
			m.Fail(nil)
			if err := send(t, m, "bad@cliente.example", "again"); err != nil {
				t.Errorf("after the fault ended: %v", err)
			}
		})
	}
}

// sendPlain sends one mail and returns the code it was refused with, 0 when the
// connection broke or nothing was answered for a second.
func sendPlain(addr, to string) (code int, err error) {
	client, err := smtp.Dial(addr)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	client.CommandTimeout, client.SubmissionTimeout = time.Second, time.Second
	err = client.SendMail("cobranza@nandu.example", []string{to}, strings.NewReader("Subject: a\r\n\r\nhola\r\n"))
	if refused := (*smtp.SMTPError)(nil); errors.As(err, &refused) {
		return refused.Code, err
	}
	return 0, err
}

func TestMailboxWaitFor(t *testing.T) {
	t.Parallel()
	m := startMailbox(t)
	go func() {
		for i := range 3 {
			_ = send(t, m, "a@cliente.example", fmt.Sprint(i))
		}
	}()
	got, err := m.WaitFor(t.Context(), func(got Message) bool { return got.Subject == "2" })
	if err != nil || got.ID != 3 {
		t.Errorf("got %d, %v", got.ID, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.WaitFor(ctx, func(Message) bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WaitFor(t.Context(), func(Message) bool { return false }); err == nil {
		t.Error("a closed mailbox waits")
	}
	if m.Count() != 3 || m.Close() != nil {
		t.Error("messages are gone, or the second Close failed")
	}
}

func TestMailboxAddressTaken(t *testing.T) {
	t.Parallel()
	m := startMailbox(t)
	if _, err := StartMailbox(m.Addr()); err == nil || !strings.HasPrefix(err.Error(), "mailbox: ") {
		t.Errorf("error = %v", err)
	}
}
