package devstack

import (
	"time"

	"github.com/emersion/go-smtp"
)

// Drop says when the mailbox cuts the connection instead of answering.
type Drop int

const (
	// DropNone keeps the connection.
	DropNone Drop = iota
	// DropBeforeAccept cuts it after the whole message was sent, and forgets it.
	DropBeforeAccept
	// DropAfterAccept keeps the message and cuts before saying so. The sender
	// cannot know that it arrived: the one case in which mail may double.
	DropAfterAccept
)

// SMTPFailure is an injected fault.
type SMTPFailure struct {
	// Code is the SMTP reply, 4xx or 5xx; 0 refuses nothing.
	Code int
	// Message is the reply's text; empty means one that says it is a test.
	Message string
	// AtData refuses after the message was sent, not at its recipient.
	AtData bool
	// Stall waits before the answer to the message.
	Stall time.Duration
	// Drop cuts the connection at the end of the message.
	Drop Drop
}

// Fail installs a fault injector: it is asked for every recipient, and nil lets
// the mail through. A nil function ends the injection.
func (m *Mailbox) Fail(injector func(from, to string) *SMTPFailure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = injector
}

func (m *Mailbox) failure(from, to string) *SMTPFailure {
	m.mu.Lock()
	injector := m.fail
	m.mu.Unlock()
	if injector == nil {
		return nil
	}
	return injector(from, to)
}

// atRecipient reports whether the fault is the answer to RCPT TO.
func (f *SMTPFailure) atRecipient() bool {
	return f.Code != 0 && !f.AtData && f.Drop == DropNone
}

// inject waits and returns the error reply, if the fault has one.
func (m *Mailbox) inject(f *SMTPFailure) error {
	if f.Stall > 0 {
		select {
		case <-time.After(f.Stall):
		case <-m.closing:
		}
	}
	if f.Code == 0 {
		return nil
	}
	text := f.Message
	if text == "" {
		text = "Refused for a test"
	}
	return &smtp.SMTPError{Code: f.Code, EnhancedCode: smtp.EnhancedCode{f.Code / 100, 0, 0}, Message: text}
}
