package mail_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/nubedigitalmx/avisa/internal/mail"
)

// authority signs certificates. The one of TestMain is that which this process trusts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var trusted authority

// TestMain has the process trust an authority of its own, as SSL_CERT_FILE does in operation.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "avisa-mail")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		trusted = newAuthority()
		file := filepath.Join(folder, "ca.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.cert.Raw}), 0o600); err != nil {
			panic(err)
		}
		_ = os.Setenv("SSL_CERT_FILE", file)
		return m.Run()
	}())
}

func newAuthority() authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Autoridad de prueba"}, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return authority{cert, key}
}

// certificate is one for the name that holds until the moment.
func (a authority) certificate(name string, until time.Time) tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// server is a mail server with encryption and a password, which notes what it is told.
type server struct {
	net.Listener
	config   *tls.Config // nil: it offers no encryption
	implicit bool        // encrypted from the first byte
	accepts  atomic.Int32
	mails    atomic.Int32
	secure   atomic.Int32 // mails over an encrypted connection
	signedIn atomic.Int32 // mails from who gave the password
	wire     struct {     // what passed, as it passed
		sync.Mutex
		bytes.Buffer
	}
	last atomic.Value // net.Conn, the newest
}

type overheard struct {
	net.Conn
	s *server
}

func (c overheard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.wire.Lock()
	defer c.s.wire.Unlock()
	c.s.wire.Write(p[:n])
	return n, err
}

// Accept counts connections and listens to them.
func (s *server) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.accepts.Add(1)
	s.last.Store(conn)
	return overheard{conn, s}, nil
}

type session struct {
	s      *server
	conn   *smtp.Conn
	signed bool
}

func (x *session) AuthMechanisms() []string { return []string{"PLAIN", "LOGIN"} }

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "cobranza" || password != "hunter2-muy-secreta" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "bad credentials"}
		}
		x.signed = true
		return nil
	}), nil
}
func (x *session) Mail(string, *smtp.MailOptions) error { return nil }
func (x *session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (x *session) Reset()                               {}
func (x *session) Logout() error                        { return nil }
func (x *session) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	x.s.mails.Add(1)
	if _, secure := x.conn.TLSConnectionState(); secure {
		x.s.secure.Add(1)
	}
	if x.signed {
		x.s.signedIn.Add(1)
	}
	return nil
}

// newServer starts one and returns its port.
func newServer(t *testing.T, config *tls.Config, implicit bool) (*server, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: listener, config: config, implicit: implicit}
	run := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	run.Domain, run.AllowInsecureAuth, run.ErrorLog = "localhost", true, silent{}
	var from net.Listener = s
	if implicit {
		from = tls.NewListener(s, config)
	} else {
		run.TLSConfig = config
	}
	go func() {
		if err := run.Serve(from); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { _ = run.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return s, port
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

const credentials = "cobranza:hunter2-muy-secreta@"

func (s *server) heardPassword() bool {
	s.wire.Lock()
	defer s.wire.Unlock()
	for _, form := range []string{"hunter2", "aHVudGVyMi", "h1bnRlcjIt", "odW50ZXIyL"} { // as it is, and in base64 at each of its places
		if bytes.Contains(s.wire.Bytes(), []byte(form)) {
			return true
		}
	}
	return false
}

// A mail goes out encrypted where the server offers it, a password only then, and nothing at all to a server that
// cannot prove its name: with an error that says why, which is the end of no mail.
func TestSMTPEncryption(t *testing.T) {
	t.Parallel()
	good := trusted.certificate("localhost", time.Now().AddDate(0, 6, 0))
	for name, c := range map[string]struct {
		scheme, user, query string
		cert                *tls.Certificate // nil: the server offers no encryption
		most                uint16           // the newest TLS that it knows, 0: any
		wrong               string           // part of the error; "": the mail arrives
		plain               bool             // it arrives without encryption
	}{
		"STARTTLS with a password":               {scheme: "smtp", user: credentials, cert: &good},
		"STARTTLS without a password":            {scheme: "smtp", cert: &good},
		"TLS from the first byte":                {scheme: "smtps", user: credentials, cert: &good},
		"TLS from the first byte, no password":   {scheme: "smtps", cert: &good},
		"no encryption, no password":             {scheme: "smtp", plain: true},
		"no encryption for a password":           {scheme: "smtp", user: credentials, wrong: "STARTTLS"},
		"encryption turned off for a password":   {scheme: "smtp", user: credentials, query: "?tls=none", cert: &good, wrong: "auth"},
		"no TLS at an encrypted port":            {scheme: "smtps", user: credentials, wrong: "TLS"},
		"expired, STARTTLS":                      {scheme: "smtp", user: credentials, cert: new(trusted.certificate("localhost", time.Now().Add(-time.Hour))), wrong: "expired"},
		"expired, TLS":                           {scheme: "smtps", user: credentials, cert: new(trusted.certificate("localhost", time.Now().Add(-time.Hour))), wrong: "expired"},
		"another's name, STARTTLS":               {scheme: "smtp", user: credentials, cert: new(trusted.certificate("mail.otra.example", time.Now().AddDate(0, 6, 0))), wrong: "not localhost"},
		"another's name, TLS":                    {scheme: "smtps", user: credentials, cert: new(trusted.certificate("mail.otra.example", time.Now().AddDate(0, 6, 0))), wrong: "not localhost"},
		"an unknown authority, STARTTLS":         {scheme: "smtp", user: credentials, cert: new(newAuthority().certificate("localhost", time.Now().AddDate(0, 6, 0))), wrong: "unknown authority"},
		"an unknown authority, TLS":              {scheme: "smtps", user: credentials, cert: new(newAuthority().certificate("localhost", time.Now().AddDate(0, 6, 0))), wrong: "unknown authority"},
		"an unknown authority, no password":      {scheme: "smtp", cert: new(newAuthority().certificate("localhost", time.Now().AddDate(0, 6, 0))), wrong: "unknown authority"},
		"a version of TLS that is broken":        {scheme: "smtps", user: credentials, cert: &good, most: tls.VersionTLS11, wrong: "protocol version"},
		"a version of TLS that is broken, later": {scheme: "smtp", user: credentials, cert: &good, most: tls.VersionTLS11, wrong: "protocol version"},
		"a wrong password":                       {scheme: "smtp", user: "cobranza:otra@", cert: &good, wrong: "535"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config *tls.Config
			if c.cert != nil {
				config = &tls.Config{Certificates: []tls.Certificate{*c.cert}, MaxVersion: c.most, MinVersion: tls.VersionTLS10}
			}
			s, port := newServer(t, config, c.scheme == "smtps" && config != nil)
			client, err := mail.NewSMTP(c.scheme+"://"+c.user+"localhost:"+port+c.query, 3*time.Second, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			_, err = client.Send(ctx, letter())
			if s.heardPassword() {
				t.Error("the password was readable on its way")
			}
			if c.wrong != "" {
				if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.wrong)) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				if refusal, ok := mail.AsRefusal(err); ok && refusal.Permanent {
					t.Error("the mail would be given up")
				}
				if s.mails.Load() != 0 {
					t.Error("a mail arrived")
				}
				return
			}
			if err != nil || s.mails.Load() != 1 || (s.secure.Load() == 1) == c.plain || (s.signedIn.Load() == 1) != (c.user != "") {
				t.Errorf("%v: %d mails, %d encrypted, %d with the password", err, s.mails.Load(), s.secure.Load(), s.signedIn.Load())
			}
		})
	}
}

// Many mails share few connections: one for one after the other, no more than are kept for many at once; and one
// that the server hung up on costs one more.
func TestSMTPConnectionIsReused(t *testing.T) {
	t.Parallel()
	good := &tls.Config{Certificates: []tls.Certificate{trusted.certificate("localhost", time.Now().AddDate(0, 6, 0))}, MinVersion: tls.VersionTLS12}
	for _, scheme := range []string{"smtp", "smtps"} {
		for _, at := range []int{1, 4} {
			s, port := newServer(t, good, scheme == "smtps")
			client, err := mail.NewSMTP(scheme+"://"+credentials+"localhost:"+port, 3*time.Second, at)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for range at {
				group.Go(func() {
					for range 50 / at {
						if _, err := client.Send(t.Context(), letter()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			sent := int32(50 / at * at)
			if got := s.accepts.Load(); s.mails.Load() != sent || s.signedIn.Load() != sent || got > int32(at) {
				t.Errorf("%s: %d mails by %d at once over %d connections", scheme, s.mails.Load(), at, got)
			}
			if at == 1 {
				conn, ok := s.last.Load().(net.Conn)
				if !ok || conn.Close() != nil {
					t.Fatal("nothing to hang up on")
				}
				if _, err := client.Send(t.Context(), letter()); err != nil || s.accepts.Load() != 2 {
					t.Errorf("%s: after the server hung up: %v, %d connections", scheme, err, s.accepts.Load())
				}
			}
			client.Close()
		}
	}
}
