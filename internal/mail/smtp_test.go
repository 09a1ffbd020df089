package mail_test

import (
	"bytes"
	"context"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

func mailbox(t *testing.T) (*devstack.Mailbox, *mail.SMTP) {
	t.Helper()
	box, err := devstack.StartMailbox("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	smtp, err := mail.NewSMTP("smtp://"+box.Addr()+"?tls=none", time.Second, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(smtp.Close)
	return box, smtp
}

func letter() mail.Message {
	return mail.Message{ID: "uno@empresa.example", FromName: "Empresa", From: "cobranza@empresa.example", ToName: "Ana Ñúñez", To: "ana@cliente.example",
		Subject: "Su factura vence mañana", Text: "Hola\n", HTML: "<p>Hola</p>", Language: "es-MX", Unsubscribe: "<https://empresa.example/x>"}
}

func TestSMTPSends(t *testing.T) {
	box, smtp := mailbox(t)
	receipt, err := smtp.Send(t.Context(), letter())
	if err != nil || receipt.Reply == "" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	m := box.Messages()[0]
	if m.MessageID != "uno@empresa.example" || m.Subject != "Su factura vence mañana" || strings.TrimSpace(m.Text) != "Hola" || m.HTML != "<p>Hola</p>" {
		t.Fatalf("%+v", m)
	}
	for _, want := range []string{"List-Unsubscribe: <https://empresa.example/x>", "Auto-Submitted: auto-generated", "Content-Language: es-MX"} {
		if !strings.Contains("\n"+string(m.Raw), "\n"+want+"\r\n") {
			t.Errorf("no %q in\n%s", want, m.Raw)
		}
	}
}

// No value of a message can begin another header or add a recipient.
func TestSMTPHeaderInjection(t *testing.T) {
	box, smtp := mailbox(t)
	m := letter()
	m.Subject = "Factura\r\nBcc: intruso@empresa.example"
	m.ToName = "Ana\r\nX-Malo: 1"
	m.FromName = "Empresa\nX-Malo: 2"
	m.Unsubscribe = "<https://empresa.example>\r\nX-Malo: 3"
	if _, err := smtp.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := box.Messages()[0]
	header, _, _ := strings.Cut(string(got.Raw), "\r\n\r\n")
	if strings.Contains(header, "\nBcc:") || strings.Contains(header, "\nX-Malo") || len(got.To) != 1 {
		t.Fatalf("a header was injected:\n%s", header)
	}
	m = letter()
	m.To = "ana@cliente.example>\r\nRCPT TO:<intruso@empresa.example"
	if _, err := smtp.Send(t.Context(), m); err == nil || box.Total() != 1 {
		t.Fatalf("an address with a line break was accepted: %v", err)
	}
}

// A mail reaches people whatever their name is made of, under that very name.
func TestSMTPNames(t *testing.T) {
	box, smtp := mailbox(t)
	for i, name := range []string{"", `Servicios "El Faro" SA`, `"`, `\`, `a\"b`, "Pérez, Ana; <jefa> (ventas) @ norte", `"><img src=x onerror=alert(1)>`, `x" <intruso@empresa.example>, "`, "日本 株式会社", strings.Repeat("largo ñ ", 25)} {
		m := letter()
		m.ToName, m.FromName = name, name
		if _, err := smtp.Send(t.Context(), m); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if box.Total() != int64(i+1) {
			t.Fatalf("%q: %d mails", name, box.Total())
		}
		got := box.Messages()[0]
		parsed, err := netmail.ReadMessage(bytes.NewReader(got.Raw))
		if err != nil {
			t.Fatal(err)
		}
		for field, address := range map[string]string{"To": m.To, "From": m.From} {
			list, err := parsed.Header.AddressList(field)
			if err != nil || len(list) != 1 || list[0].Name != strings.TrimSpace(name) || list[0].Address != address {
				t.Errorf("%q: %s %v, %v", name, field, list, err)
			}
		}
		if len(got.To) != 1 || got.To[0] != m.To {
			t.Errorf("%q: recipients %v", name, got.To)
		}
	}
}

// Connections are kept, also from many goroutines, and one that the server closed is replaced.
func TestSMTPConnections(t *testing.T) {
	box, smtp := mailbox(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				if _, err := smtp.Send(t.Context(), letter()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if box.Total() != 200 {
		t.Fatalf("%d mails, want 200", box.Total())
	}
}

func TestSMTPFailures(t *testing.T) {
	box, smtp := mailbox(t)
	for _, c := range []struct {
		failure   devstack.SMTPFailure
		code      int
		permanent bool
	}{
		{devstack.SMTPFailure{Code: 451, Message: "later"}, 451, false},
		{devstack.SMTPFailure{Code: 550, Message: "unknown"}, 550, true},
		{devstack.SMTPFailure{Code: 552, Message: "full", AtData: true}, 552, true},
	} {
		box.Fail(func(string, string) *devstack.SMTPFailure { return &c.failure })
		_, err := smtp.Send(t.Context(), letter())
		refusal, ok := mail.AsRefusal(err)
		if !ok || refusal.Code != c.code || refusal.Permanent != c.permanent || !strings.Contains(refusal.Reply, c.failure.Message) {
			t.Errorf("%d: %#v", c.code, err)
		}
	}
	box.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Drop: devstack.DropBeforeAccept}
	})
	if _, err := smtp.Send(t.Context(), letter()); err == nil {
		t.Error("a dropped connection is no success")
	} else if _, refused := mail.AsRefusal(err); refused {
		t.Errorf("a dropped connection is no refusal: %v", err)
	}
	box.Fail(nil)
	if _, err := smtp.Send(t.Context(), letter()); err != nil || box.Total() != 1 {
		t.Fatalf("after the trouble: %v, %d mails", err, box.Total())
	}
}

func TestSMTPUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	smtp, err := mail.NewSMTP("smtp://user:hunter2@"+address, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := smtp.Send(ctx, letter()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("%v", err)
	}
}

func TestSMTPAddress(t *testing.T) {
	for _, address := range []string{"", "mail.example:25", "http://mail.example", "smtp://", "smtp://user:hunter2@mail.example:x"} {
		if _, err := mail.NewSMTP(address, time.Second, 1); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Addresses that pass for another are known, the ones that people here have are not called so.
func TestDisguised(t *testing.T) {
	for text, want := range map[string]bool{
		"ana@cliente.example": false, "ANA.o'neill+f@sub.cliente.example": false, "peña@señal.example": false, "müller@straße.example": false,
		"joão@ação.example": false, "ana@xn--e1awd7f.example": false, "": false,
		"аna@cliente.example":       true, // Cyrillic а
		"ana@cliеnte.example":       true, // Cyrillic е in the domain
		"ana@сliente.example":       true, // Cyrillic с
		"anα@cliente.example":       true, // Greek
		"ana@clıente.example":       true, // Turkish dotless ı
		"ɑna@cliente.example":       true, // Latin alpha
		"ana@cliente.example\u200b": true, // zero-width space
		"an\u200da@cliente.example": true, // zero-width joiner
		"an\u00ada@cliente.example": true, // soft hyphen
		"\ufeffana@cliente.example": true, // byte order mark
		"ana@cliente.exam\u2060ple": true, // word joiner
		"ana＠cliente.example":       true, // fullwidth @
		"ａna@cliente.example":       true, // fullwidth a
		"ana@cliente。example":       true, // ideographic full stop
		"ﬁn@cliente.example":        true, // ligature
		"n\u0303a@cliente.example":  true, // ñ in two signs
		"a\u0336na@cliente.example": true, // struck through
		"𝐚na@cliente.example":       true, // mathematical a
		"ana@cliente.example\u202e": true,
		"用户@例子.example":             true,
	} {
		if got := mail.Disguised(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"ana@cliente.example": true, " ana@cliente.example ": true, "ana.o'neill+f@sub.cliente.example": true, "ana@señal.example": true,
		"": false, "ana": false, "ana@localhost": false, "@cliente.example": false, "ana@cliente..example": false, "ana@@cliente.example": false,
		"ana@cliente.example\r\nBcc: x@y.example": false, "ana@cliente.example, otra@cliente.example": false, "Ana <ana@cliente.example>": false,
		"a\u202ena@cliente.example": false, "ana@-cliente.example": false, strings.Repeat("a", 65) + "@cliente.example": false,
		"ana@" + strings.Repeat("a", 64) + ".example": false,
	} {
		if _, ok := mail.Address(text); ok != want {
			t.Errorf("%q: %v, want %v", text, ok, want)
		}
	}
}
