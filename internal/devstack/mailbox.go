package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	mailboxKeeps    = 2000
	maxMessageBytes = 30 << 20
)

// Mailbox is an SMTP server that accepts everything and delivers nothing: what
// it received can be looked at. It is safe for concurrent use.
type Mailbox struct {
	server   *smtp.Server
	listener net.Listener
	closing  chan struct{}

	mu        sync.Mutex
	keep      int
	bare      bool
	messages  []Message // oldest first, at most keep
	envelopes []Envelope
	total     int64
	changed   chan struct{} // closed, and replaced, when a message arrives
	fail      func(from, to string) *SMTPFailure
}

// Envelope is what is kept of a message with EnvelopesOnly.
type Envelope struct {
	MessageID string // without the angle brackets
	To        []string
}

// MailboxOption changes what a mailbox keeps.
type MailboxOption func(*Mailbox)

// KeepLast sets how many messages are kept, 2,000 if not given; older ones go.
func KeepLast(n int) MailboxOption { return func(m *Mailbox) { m.keep = n } }

// EnvelopesOnly keeps the Message-ID and the recipients of every message and
// nothing else, without end: for load tests that look for lost or doubled mail.
func EnvelopesOnly() MailboxOption { return func(m *Mailbox) { m.bare = true } }

// StartMailbox listens on addr, "host:port". An empty host is 127.0.0.1, since
// a server that takes all mail is nobody else's business; port 0 is a free one.
func StartMailbox(addr string, options ...MailboxOption) (*Mailbox, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("mailbox address: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	m := &Mailbox{listener: listener, keep: mailboxKeeps, changed: make(chan struct{}), closing: make(chan struct{})}
	for _, option := range options {
		option(m)
	}
	m.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{mailbox: m, conn: c.Conn()}, nil
	}))
	m.server.Domain = "localhost"
	m.server.EnableSMTPUTF8 = true
	m.server.MaxMessageBytes = maxMessageBytes
	m.server.MaxRecipients = 1000
	m.server.ReadTimeout = 5 * time.Minute // RFC 5321, section 4.5.3.2.7
	m.server.WriteTimeout = time.Minute
	m.server.ErrorLog = quiet{}
	go m.server.Serve(listener) //nolint:errcheck // it ends with Close
	return m, nil
}

// quiet drops the SMTP library's own log: broken connections are part of tests.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Addr is the address to send to, "host:port".
func (m *Mailbox) Addr() string { return m.listener.Addr().String() }

// Messages returns the kept messages, newest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Message, 0, len(m.messages))
	for i := len(m.messages) - 1; i >= 0; i-- {
		list = append(list, m.messages[i])
	}
	return list
}

// Message returns the kept message with this ID.
func (m *Mailbox) Message(id int64) (Message, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.messages) > 0 {
		// IDs count up by one and only the oldest are dropped.
		if i := id - m.messages[0].ID; i >= 0 && i < int64(len(m.messages)) {
			return m.messages[i], true
		}
	}
	return Message{}, false
}

// Envelopes returns what EnvelopesOnly kept, oldest first.
func (m *Mailbox) Envelopes() []Envelope {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Envelope(nil), m.envelopes...)
}

// Count is the number of messages kept now.
func (m *Mailbox) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.messages) + len(m.envelopes)
}

// Total is the number of messages ever accepted, kept or not.
func (m *Mailbox) Total() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// Clear forgets the kept messages. IDs and Total go on counting.
func (m *Mailbox) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages, m.envelopes = nil, nil
}

// WaitFor returns the newest kept message for which match is true, waiting for
// one to arrive until ctx ends.
func (m *Mailbox) WaitFor(ctx context.Context, match func(Message) bool) (Message, error) {
	for seen := int64(0); ; {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		kept := m.Messages()
		for _, message := range kept {
			if message.ID <= seen {
				break // looked at before
			}
			if match(message) {
				return message, nil
			}
		}
		if len(kept) > 0 {
			seen = kept[0].ID
		}
		select {
		case <-changed:
		case <-m.closing:
			return Message{}, errors.New("mailbox is closed")
		case <-ctx.Done():
			return Message{}, fmt.Errorf("wait for a mail (%d kept): %w", m.Count(), context.Cause(ctx))
		}
	}
}

// Close stops listening and drops open connections. Kept messages stay readable.
func (m *Mailbox) Close() error {
	m.mu.Lock()
	select {
	case <-m.closing:
		m.mu.Unlock()
		return nil
	default:
		close(m.closing)
	}
	m.mu.Unlock()
	return m.server.Close()
}

func (m *Mailbox) add(from string, to []string, raw []byte) {
	var message Message
	var envelope Envelope
	if m.bare {
		envelope = Envelope{MessageID: scanMessageID(raw), To: to}
	} else {
		message = parseMessage(raw)
		message.From, message.To, message.ReceivedAt = from, to, time.Now()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total++
	if m.bare {
		m.envelopes = append(m.envelopes, envelope)
	} else {
		message.ID = m.total
		m.messages = append(m.messages, message)
		if extra := len(m.messages) - m.keep; extra > 0 {
			clear(m.messages[:extra]) // or their bytes live as long as the array
			m.messages = m.messages[extra:]
		}
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// mailSession is one SMTP connection.
type mailSession struct {
	mailbox  *Mailbox
	conn     net.Conn
	from     string
	to       []string
	failures []*SMTPFailure
}

func (s *mailSession) Reset()        { s.from, s.to, s.failures = "", nil, nil }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if failure := s.mailbox.failure(s.from, to); failure != nil {
		if failure.atRecipient() {
			return s.mailbox.inject(failure)
		}
		s.failures = append(s.failures, failure)
	}
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, failure := range s.failures {
		if failure.Drop == DropAfterAccept {
			s.mailbox.add(s.from, s.to, raw)
		}
		if failure.Drop != DropNone {
			_ = s.mailbox.inject(&SMTPFailure{Stall: failure.Stall})
			_ = s.conn.Close()
			return io.ErrUnexpectedEOF
		}
		if err := s.mailbox.inject(failure); err != nil {
			return err
		}
	}
	s.mailbox.add(s.from, s.to, raw)
	return nil
}
