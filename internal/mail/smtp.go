package mail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SMTP is a Sender over kept connections to one mail server.
type SMTP struct {
	client  *gomail.Client
	timeout time.Duration
	idle    chan *connection
}

// connection is an open connection and what its server offers.
type connection struct {
	*smtp.Client
	pipelining bool // takes commands without waiting for each answer (RFC 2920)
	utf8       bool // takes addresses outside of ASCII (RFC 6531)
	since      time.Time
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
	options := []gomail.Option{gomail.WithTimeout(timeout)}
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
	return &SMTP{client: client, timeout: timeout, idle: make(chan *connection, connections)}, nil
}

// buffers holds the bytes of messages between two uses.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKeptBuffer is the size above which a buffer is not kept: one mail with a large attachment must not
// hold its memory for good.
const maxKeptBuffer = 256 << 10

// Send implements Sender. A message that the server has taken over is never reported as failed.
func (s *SMTP) Send(ctx context.Context, m Message) (Receipt, error) {
	content, ok := buffers.Get().(*bytes.Buffer)
	if !ok {
		content = new(bytes.Buffer)
	}
	defer func() {
		if content.Cap() <= maxKeptBuffer {
			content.Reset()
			buffers.Put(content)
		}
	}()
	from, to, err := m.write(content, time.Now())
	if err != nil {
		return Receipt{}, &Refusal{Reply: err.Error(), Permanent: true}
	}
	if !bytes.HasSuffix(content.Bytes(), []byte("\r\n")) {
		content.WriteString("\r\n")
	}
	content.WriteString(".\r\n")
	c, reused, err := s.connection(ctx)
	if err != nil {
		return Receipt{}, unready(err)
	}
	reply, begun, err := c.transmit(from, to, content.Bytes(), s.patience(ctx))
	if reused && hungUp(err) && !begun {
		// The server hung up on a kept connection before it saw anything of the message.
		_ = c.Close()
		if c, err = s.dial(ctx); err != nil {
			return Receipt{}, unready(err)
		}
		reply, _, err = c.transmit(from, to, content.Bytes(), s.patience(ctx))
	}
	if err == nil || !hungUp(err) && c.reset() == nil {
		s.keep(c)
	} else {
		_ = c.Close() // its state is unknown
	}
	if err != nil {
		return Receipt{}, refusal(err)
	}
	return Receipt{Reply: clean(reply)}, nil
}

// patience is how long a message may take.
func (s *SMTP) patience(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(s.timeout, time.Until(deadline))
	}
	return s.timeout
}

// transmit gives one message to the server and returns its answer. begun is true once the content was
// sent: from then on a broken connection leaves open whether the server took the message over.
func (c *connection) transmit(from, to string, content []byte, patience time.Duration) (reply string, begun bool, err error) {
	if err := c.UpdateDeadline(patience); err != nil {
		return "", false, err
	}
	sender, recipient, err := c.envelope(from, to)
	if err != nil {
		return "", false, err
	}
	commands := []struct {
		text   string
		expect int
	}{{"MAIL FROM:" + sender + "\r\n", 250}, {"RCPT TO:<" + recipient + ">\r\n", 25}, {"DATA\r\n", 354}}
	var refused error // the first refusal, which is the cause of those that follow
	for i, command := range commands {
		if !c.pipelining {
			_, err = c.Text.W.WriteString(command.text)
		} else if i == 0 {
			_, err = c.Text.W.WriteString(command.text + commands[1].text + commands[2].text)
		}
		if err = errors.Join(err, c.Text.W.Flush()); err != nil {
			return "", false, err
		}
		switch _, _, err := c.Text.ReadResponse(command.expect); {
		case hungUp(err) || err != nil && !c.pipelining:
			return "", false, cmp.Or(refused, err)
		case refused == nil:
			refused = err
		case err == nil && command.expect == 354:
			_ = c.Close() // it waits for the content of a message that it refused
		}
	}
	if refused != nil {
		return "", false, refused
	}
	if _, err := c.Text.W.Write(content); err != nil {
		return "", true, err
	}
	if err := c.Text.W.Flush(); err != nil {
		return "", true, err
	}
	_, reply, err = c.Text.ReadResponse(250)
	return reply, true, err
}

// envelope returns the sender with its parameters and the recipient as the server takes them. Domains are in their
// ASCII form already; what is left outside of ASCII before the @ not every server takes (RFC 6531).
func (c *connection) envelope(from, to string) (sender, recipient string, err error) {
	if ascii(from) && ascii(to) {
		return "<" + from + ">", to, nil
	}
	if c.utf8 {
		return "<" + from + "> SMTPUTF8", to, nil
	}
	return "", "", &textproto.Error{Code: 553, Msg: "the mail server takes no addresses with letters outside of ASCII"}
}

// hungUp reports whether the connection is of no use any more: it broke, or the server is closing it
// (421, RFC 5321 section 3.8).
func hungUp(err error) bool {
	var answer *textproto.Error
	return err != nil && (!errors.As(err, &answer) || answer.Code == 421)
}

// reset ends a refused transaction.
func (c *connection) reset() error {
	if !c.HasConnection() {
		return net.ErrClosed
	}
	return c.Reset()
}

// connection returns a kept connection or a new one.
func (s *SMTP) connection(ctx context.Context) (c *connection, reused bool, err error) {
	for {
		select {
		case c := <-s.idle:
			if time.Since(c.since) < maxIdle && c.HasConnection() {
				return c, true, nil
			}
			_ = c.Close()
		default:
			c, err = s.dial(ctx)
			return c, false, err
		}
	}
}

func (s *SMTP) dial(ctx context.Context) (*connection, error) {
	client, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, err
	}
	c := &connection{Client: client}
	c.pipelining, _ = client.Extension("PIPELINING")
	c.utf8, _ = client.Extension("SMTPUTF8")
	return c, nil
}

func (s *SMTP) keep(c *connection) {
	c.since = time.Now()
	select {
	case s.idle <- c:
	default:
		_ = c.Quit()
	}
}

// Close ends the kept connections.
func (s *SMTP) Close() {
	for {
		select {
		case c := <-s.idle:
			_ = c.Quit()
		default:
			return
		}
	}
}

// refusal turns a reply code of the server into a Refusal; what is no reply stays as it is.
func refusal(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 400 {
		return &Refusal{Code: answer.Code, Reply: clean(answer.Error()), Permanent: answer.Code >= 500}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("mail server unreachable: %w", err)
	}
	return errors.New(clean(err.Error()))
}

// unready is what a server says before it has heard of a mail: that it takes nobody now, or not with this
// password. That is never the end of a mail, whatever the code.
func unready(err error) error {
	err = refusal(err)
	if r, ok := AsRefusal(err); ok {
		return &Refusal{Code: r.Code, Reply: r.Reply}
	}
	return err
}

// clean makes a server's text one short line.
func clean(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return text
}
