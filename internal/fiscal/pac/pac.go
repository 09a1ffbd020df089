// Package pac is the HTTP side that the adapters of PACs share: one host, time limits, no
// redirects, answers of limited size, and errors that say what may have happened and never contain
// credentials.
package pac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// DefaultTimeout of a whole call. PACs answer in a second or two; the SAT's pauses add to that.
const DefaultTimeout = 60 * time.Second

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 16 << 20

// Client calls one host.
type Client struct {
	base    *url.URL
	http    *http.Client
	secrets []string
}

// NewClient returns a client for a base address: https, or http to this machine for tests and
// stubs. A name that leads to a private address is not connected to, so that documents and
// credentials do not end up in the inner network. secrets are blanked in errors. A zero timeout is
// DefaultTimeout.
func NewClient(base string, timeout time.Duration, secrets ...string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("pac: address_invalid")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("pac: address_not_https")
	}
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); !loopback(u.Hostname()) && (proxy == nil || err != nil) {
		dialer.Control = public // through a proxy, it is the proxy that looks the name up
	}
	return &Client{base: u, secrets: secrets, http: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: 60 * time.Second,
			Proxy: http.ProxyFromEnvironment,
		},
		// documents and credentials go nowhere but to the configured host
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errPrivate refuses an address of the inner network.
var errPrivate = errors.New("the name leads to a private address")

// public lets connections to public addresses through. It sees the address that is connected to, after the name was
// looked up.
func public(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errPrivate
	}
	ip := to.Addr().Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return errPrivate
	}
	return nil
}

// special are the networks that netip counts as public and that are not the Internet, or lead to an IPv4 address
// that they carry inside (https://www.iana.org/assignments/iana-ipv4-special-registry, and the same for IPv6).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// Response is an answer of any status.
type Response struct {
	Status int
	Body   []byte
}

// Do calls path with a method, headers and body. An error is a *fiscal.PACError:
// KindUnavailable when the request did not leave, KindUnknown when it did and no whole answer
// came back.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body []byte) (*Response, error) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "request_invalid"}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(err, sent.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, c.failed(err, true)
	}
	if len(data) > maxAnswer {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_too_large"}
	}
	return &Response{Status: resp.StatusCode, Body: data}, nil
}

func (c *Client) failed(err error, sent bool) error {
	e := &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "connection_failed"}
	if sent {
		e.Kind, e.Code = fiscal.KindUnknown, "answer_lost"
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		e.Code = "timeout"
	}
	var outer *url.Error // its text has the address; the cause is enough
	if errors.As(err, &outer) {
		err = outer.Err
	}
	e.Message = c.Redact(err.Error())
	return e
}

// Redact blanks the secrets in a text.
func (c *Client) Redact(s string) string {
	for _, secret := range c.secrets {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

// HTTPError is what an unexpected status means. A 408 or 5xx says nothing about what was done: whatever sits before the PAC
// answers so too when the PAC was at work (RFC 9110, section 15.6).
func (c *Client) HTTPError(r *Response) error {
	e := &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: fmt.Sprintf("http_%d", r.Status), Message: c.Redact(http.StatusText(r.Status))}
	switch {
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden || r.Status == http.StatusPaymentRequired:
		e.Kind = fiscal.KindAuth
	case r.Status == http.StatusRequestTimeout || r.Status >= 500:
		e.Kind = fiscal.KindUnknown
	}
	return e
}
