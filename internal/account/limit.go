package account

import (
	"context"
	"net/netip"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Attempts per minute to sign in: with one account from one network, from one network, and with one
// account from anywhere by browsers that it never signed in from. The last does not touch browsers
// that the account knows, so that nobody is locked out by somebody else.
const (
	perAccountAndNetwork = 10
	perNetwork           = 60
	perAccount           = 200
	perDevice            = 10
)

// Requests per hour that send mail or try a link.
const (
	resetsPerAccount = 5
	resetsPerNetwork = 30
	linksPerNetwork  = 60
	mailsPerContact  = 10 // invitations, and as many links to confirm the address
	mailsPerActor    = 200
)

// Attempts per minute with second factors and tokens.
const (
	factorsPerPerson  = 10
	tokenCalls        = 1200
	wrongTokensPerNet = 30
)

// bucket is one thing to be counted.
type bucket struct {
	key    string
	n      int
	hourly bool
}

// limited counts an attempt in every bucket: RATE_LIMITED when one is full.
func (s *Service) limited(ctx context.Context, buckets ...bucket) error {
	for _, b := range buckets {
		allow := s.Limiter.Allow
		if b.hourly {
			allow = s.Limiter.AllowHourly
		}
		wait, err := allow(ctx, b.key, b.n)
		if err != nil {
			return fault.New(fault.Unavailable, string(fault.Unavailable)).Because(err)
		}
		if wait > 0 {
			return tooMany(wait)
		}
	}
	return nil
}

func tooMany(wait time.Duration) error {
	limited := fault.New(fault.RateLimited, string(fault.RateLimited)).With("seconds", int(wait.Seconds())+1)
	limited.RetryAfter = wait
	return limited
}

// network is what one customer of a network provider holds: an IPv4 address, or an IPv6 /64, within
// which anybody can take any address.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
