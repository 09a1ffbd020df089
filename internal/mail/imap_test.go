package mail_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/mail/mailtest"
)

func TestIMAPHandsOverWhatIsUnread(t *testing.T) {
	server := mailtest.StartIMAP(t)
	for i := range 3 {
		server.Deliver(t, "Rebotes", fmt.Appendf(nil, "Subject: %d\r\n\r\nTexto %d\r\n", i, i))
	}
	server.Deliver(t, "INBOX", []byte("Subject: otro\r\n\r\nNo es para nosotros\r\n"))
	box, err := mail.NewIMAP(server.URL("Rebotes"), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	visit := func(take func(text string) bool) (got []string) {
		t.Helper()
		if err := box.Fetch(t.Context(), func(raw []byte) bool {
			got = append(got, string(raw))
			return take(string(raw))
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	// The second one cannot be dealt with now: it comes again, alone.
	if got := visit(func(text string) bool { return !strings.Contains(text, "Texto 1") }); len(got) != 3 || !strings.Contains(got[0], "Texto 0") {
		t.Fatalf("%q", got)
	}
	if got := visit(func(string) bool { return true }); len(got) != 1 || !strings.Contains(got[0], "Texto 1") {
		t.Fatalf("%q", got)
	}
	if got := visit(func(string) bool { return true }); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	server.Deliver(t, "Rebotes", []byte("Subject: grande\r\n\r\n"+strings.Repeat("x", 3<<20)))
	if got := visit(func(string) bool { return true }); len(got) != 1 || len(got[0]) != 1<<20 {
		t.Fatalf("%d mails", len(got))
	}
}

func TestIMAPFailures(t *testing.T) {
	address := mailtest.StartIMAP(t).Addr
	for _, c := range []string{"imap://rebotes:falso-hunter2@" + address + "/Rebotes?tls=none", "imap://rebotes:secreto@" + address + "/Nada?tls=none",
		"imap://rebotes:secreto@" + address, // no STARTTLS there: never without it
		"imap://rebotes:secreto@127.0.0.1:1/INBOX?tls=none"} {
		box, err := mail.NewIMAP(c, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		err = box.Fetch(t.Context(), func([]byte) bool { t.Error("a mail"); return true })
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, c := range []string{"", "imaps://", "https://rebotes:hunter2@correo.example", "imaps://correo.example", "imaps://a:hunter2@ho st/INBOX"} {
		if _, err := mail.NewIMAP(c, time.Second); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// A server that says nothing does not hold the worker for ever.
func TestIMAPSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	box, err := mail.NewIMAP("imap://a:b@"+listener.Addr().String()+"/INBOX?tls=none", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := box.Fetch(context.Background(), func([]byte) bool { return true }); err == nil || time.Since(began) > 10*time.Second {
		t.Fatalf("%v after %s", err, time.Since(began))
	}
}
