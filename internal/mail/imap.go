package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// IMAP is a mailbox that others write to, such as the one that bounces return to.
type IMAP struct {
	scheme, address string
	user, password  string
	mailbox         string
	insecure        bool
	timeout         time.Duration // of a whole visit
}

const (
	imapBytes = 1 << 20 // a report comes before the mail that it returns, which may be cut off
	imapMails = 500     // the rest waits for the next visit
)

// NewIMAP reads the address of a mailbox: imaps://user:password@host/INBOX uses TLS from the first byte
// (port 993), imap:// uses STARTTLS (port 143), without exception unless ?tls=none says that the server
// is on the same machine. The path is the mailbox, INBOX if there is none. timeout bounds one visit.
func NewIMAP(address string, timeout time.Duration) (*IMAP, error) {
	wrong := errors.New("BOUNCE_IMAP_URL is not of the form imaps://user:password@host/INBOX") // without the password in it
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "imaps" && u.Scheme != "imap" || u.User == nil {
		return nil, wrong
	}
	port := "993"
	if u.Scheme == "imap" {
		port = "143"
	}
	password, _ := u.User.Password()
	return &IMAP{scheme: u.Scheme, address: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), user: u.User.Username(), password: password,
		mailbox: cmp.Or(strings.Trim(u.Path, "/"), "INBOX"), insecure: u.Query().Get("tls") == "none", timeout: timeout}, nil
}

// Fetch hands over the mails that nobody has read, the oldest first, and marks as read those for which
// each returns true; the others come again. Of a mail above 1 MiB it hands over the beginning.
func (m *IMAP) Fetch(ctx context.Context, each func(raw []byte) (seen bool)) error {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	client, err := m.dial()
	if err != nil {
		return fmt.Errorf("mailbox of bounces: %w", err)
	}
	defer func() { _ = client.Close() }()
	// The client's calls know no context: when it ends, so does the connection.
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	if err := m.visit(ctx, client, each); err != nil {
		return fmt.Errorf("mailbox of bounces: %w", errors.Join(context.Cause(ctx), err))
	}
	_ = client.Logout().Wait()
	return nil
}

func (m *IMAP) dial() (*imapclient.Client, error) {
	options := &imapclient.Options{Dialer: &net.Dialer{Timeout: min(m.timeout, 30*time.Second)}}
	switch {
	case m.scheme == "imaps":
		return imapclient.DialTLS(m.address, options)
	case m.insecure:
		return imapclient.DialInsecure(m.address, options)
	}
	return imapclient.DialStartTLS(m.address, options)
}

func (m *IMAP) visit(ctx context.Context, client *imapclient.Client, each func(raw []byte) (seen bool)) error {
	if err := client.Login(m.user, m.password).Wait(); err != nil {
		return err
	}
	if _, err := client.Select(m.mailbox, nil).Wait(); err != nil {
		return err
	}
	found, err := client.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen, imap.FlagDeleted}}, nil).Wait()
	if err != nil {
		return err
	}
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: imapBytes}}
	for i, uid := range found.AllUIDs() {
		if i == imapMails {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		messages, err := client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
		if err != nil {
			return err
		}
		if len(messages) == 0 || !each(messages[0].FindBodySection(section)) {
			continue // somebody removed it meanwhile, or it comes again
		}
		if err := client.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err != nil {
			return err
		}
	}
	return nil
}
