package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SMTP is a Sender over kept connections to one mail server.
type SMTP struct {
	client *gomail.Client
	idle   chan kept
}

// kept is an open connection that waits for its next message.
type kept struct {
	*smtp.Client
	since time.Time
}

// maxIdle is how long a kept connection may wait: mail servers commonly hang up after a minute or
// more (RFC 5321 section 4.5.3.2 asks for 5 minutes).
const maxIdle = 40 * time.Second

// NewSMTP reads the address of a mail server: smtp://user:password@host:587 uses STARTTLS (required
// as soon as there is a password, used where offered otherwise), smtps:// uses TLS from the first
// byte (port 465). ?tls=none turns encryption off for a relay on the same machine. timeout bounds
// one whole message.
func NewSMTP(address string, timeout time.Duration, connections int) (*SMTP, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("SMTP_URL is not of the form smtp://user:password@host:port") // without the password in it
	}
	options := []gomail.Option{gomail.WithTimeout(timeout), gomail.WithoutNoop(), gomail.WithoutRset()}
	port := 0
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errors.New("SMTP_URL: the port is not a number")
		}
	}
	password, hasPassword := u.User.Password()
	switch {
	case u.Scheme == "smtps":
		options = append(options, gomail.WithSSL())
		port = cmp.Or(port, 465)
	case u.Scheme != "smtp":
		return nil, errors.New("SMTP_URL must begin with smtp:// or smtps://")
	case u.Query().Get("tls") == "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case hasPassword:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	options = append(options, gomail.WithPort(cmp.Or(port, 587)))
	if hasPassword {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return &SMTP{client: client, idle: make(chan kept, connections)}, nil
}

// Send implements Sender. A message that the server has taken over is never reported as failed.
func (s *SMTP) Send(ctx context.Context, m Message) (Receipt, error) {
	msg, err := build(m)
	if err != nil {
		return Receipt{}, &Refusal{Reply: err.Error(), Permanent: true}
	}
	connection, reused, err := s.connection(ctx)
	if err != nil {
		return Receipt{}, refusal(err)
	}
	err = s.client.SendWithSMTPClient(connection, msg)
	if reused && err != nil && notStarted(err) {
		// The server hung up on a kept connection before it saw anything of the message.
		_ = connection.Close()
		if connection, err = s.client.DialToSMTPClientWithContext(ctx); err != nil {
			return Receipt{}, refusal(err)
		}
		err = s.client.SendWithSMTPClient(connection, msg)
	}
	if err != nil && !msg.IsDelivered() {
		_ = connection.Close() // its state is unknown
		return Receipt{}, refusal(err)
	}
	s.keep(connection)
	return Receipt{Reply: strings.TrimSpace(msg.ServerResponse())}, nil
}

// connection returns a kept connection or a new one.
func (s *SMTP) connection(ctx context.Context) (c *smtp.Client, reused bool, err error) {
	for {
		select {
		case k := <-s.idle:
			if time.Since(k.since) < maxIdle && k.HasConnection() {
				return k.Client, true, nil
			}
			_ = k.Close()
		default:
			c, err = s.client.DialToSMTPClientWithContext(ctx)
			return c, false, err
		}
	}
}

func (s *SMTP) keep(c *smtp.Client) {
	select {
	case s.idle <- kept{c, time.Now()}:
	default:
		_ = c.Quit()
	}
}

// Close ends the kept connections.
func (s *SMTP) Close() {
	for {
		select {
		case k := <-s.idle:
			_ = k.Quit()
		default:
			return
		}
	}
}

// notStarted reports whether the connection broke before the message was given to the server.
func notStarted(err error) bool {
	var e *gomail.SendError
	if !errors.As(err, &e) || e.ErrorCode() != 0 {
		return false
	}
	return e.Reason == gomail.ErrConnCheck || e.Reason == gomail.ErrSMTPMailFrom || e.Reason == gomail.ErrSMTPRcptTo
}

// refusal turns a reply code of the server into a Refusal; what is no reply stays as it is.
func refusal(err error) error {
	var e *gomail.SendError
	if errors.As(err, &e) && e.ErrorCode() >= 400 {
		return &Refusal{Code: e.ErrorCode(), Reply: clean(err.Error()), Permanent: e.ErrorCode() >= 500}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("mail server unreachable: %w", err)
	}
	return errors.New(clean(err.Error()))
}

// clean makes a server's text one short line.
func clean(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return text
}

func build(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from, err := mailbox(m.FromName, m.From)
	if err != nil {
		return nil, fmt.Errorf("sender address: %w", err)
	}
	to, err := mailbox(m.ToName, m.To)
	if err != nil {
		return nil, fmt.Errorf("recipient address: %w", err)
	}
	msg.FromMailAddress(from)
	msg.ToMailAddress(to)
	if m.ReplyTo != "" {
		if err := msg.ReplyTo(m.ReplyTo); err != nil {
			return nil, fmt.Errorf("reply address: %w", err)
		}
	}
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDate()
	msg.Subject(header(m.Subject))
	if m.Language != "" {
		msg.SetGenHeader(gomail.HeaderContentLang, header(m.Language))
	}
	// Tells auto-responders to keep quiet (RFC 3834).
	msg.SetGenHeader(gomail.Header("Auto-Submitted"), "auto-generated")
	if m.Unsubscribe != "" {
		msg.SetGenHeader(gomail.HeaderListUnsubscribe, header(m.Unsubscribe))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		msg.SetGenHeader(gomail.Header(name), header(m.Headers[name]))
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	for _, a := range m.Attachments {
		if err := msg.AttachReader(header(a.Name), strings.NewReader(string(a.Data)), gomail.WithFileContentType(gomail.ContentType(a.ContentType))); err != nil {
			return nil, err
		}
	}
	return msg, nil
}

// mailbox puts a name to an address without writing and reading it back (RFC 5322 section 3.4): a
// name may hold quotes and everything else that people put into one.
func mailbox(name, address string) (*netmail.Address, error) {
	parsed, err := netmail.ParseAddress("<" + address + ">")
	if err != nil {
		return nil, err
	}
	parsed.Name = strings.TrimSpace(header(name))
	return parsed, nil
}

// header takes line breaks and control characters out, so that no value can begin another header.
func header(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
