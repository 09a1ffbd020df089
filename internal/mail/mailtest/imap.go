// Package mailtest gives tests a mail server to read from.
package mailtest

import (
	"bytes"
	"io"
	"math"
	"net"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// IMAP is a server with one user, whose password is "secreto" and whose mailboxes are INBOX and
// Rebotes. It offers no TLS.
type IMAP struct {
	Addr string
	user *imapmemserver.User
}

// StartIMAP starts a server that ends with the test.
func StartIMAP(t testing.TB) *IMAP {
	t.Helper()
	store := imapmemserver.New()
	user := imapmemserver.NewUser("rebotes", "secreto")
	for _, name := range []string{"INBOX", "Rebotes"} {
		if err := user.Create(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	store.AddUser(user)
	server := imapserver.New(&imapserver.Options{NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
		return store.NewSession(), nil, nil
	}, Caps: imap.CapSet{imap.CapIMAP4rev1: {}}, InsecureAuth: true})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return &IMAP{listener.Addr().String(), user}
}

// URL is the address of a mailbox.
func (m *IMAP) URL(mailbox string) string {
	return "imap://rebotes:secreto@" + m.Addr + "/" + mailbox + "?tls=none"
}

// Deliver puts a mail into a mailbox.
func (m *IMAP) Deliver(t testing.TB, mailbox string, raw []byte) {
	t.Helper()
	if _, err := m.user.Append(mailbox, bytes.NewReader(raw), &imap.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Cut is the address of a way to a server on which the first connections break off, each after so many
// bytes of the server's; later ones hold.
func Cut(t testing.TB, to string, after ...int64) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for n := 0; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := new(net.Dialer).DialContext(t.Context(), "tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			limit := int64(math.MaxInt64)
			if n < len(after) {
				limit = after[n]
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			go func() { _, _ = io.CopyN(client, server, limit); _ = client.Close(); _ = server.Close() }()
		}
	}()
	return listener.Addr().String()
}
