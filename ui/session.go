package ui

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// locate notes where a request comes from: address, device and an id of its own, which the answer
// carries as X-Request-Id. X-Forwarded-For is believed of trusted proxies only.
func locate(proxies []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			random := make([]byte, 8)
			_, _ = rand.Read(random)
			actor := access.Actor{Kind: access.Anonymous, Address: address(r, proxies), Device: r.UserAgent(), Request: hex.EncodeToString(random)}
			w.Header().Set("X-Request-Id", actor.Request)
			ctx := access.With(r.Context(), actor)
			ctx = component.WithLang(ctx, language(ctx, r, actor))
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// Authenticate puts the actor behind a request into its context. A token that has ended makes an
// anonymous visitor; failed answers when the sessions cannot be read.
func Authenticate(accounts *account.Service, failed func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visitor := access.From(r.Context())
			actor, err := authenticate(r.Context(), accounts, tokens(r))
			if err != nil {
				failed(w, r, err)
				return
			}
			actor.Address, actor.Device, actor.Request = visitor.Address, visitor.Device, visitor.Request
			ctx := access.With(r.Context(), actor)
			ctx = component.WithLang(ctx, language(ctx, r, actor))
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// authenticate returns the actor of the first token that is in force, an anonymous one when none is.
func authenticate(ctx context.Context, accounts *account.Service, tokens []string) (access.Actor, error) {
	for _, token := range tokens {
		actor, err := accounts.Authenticate(ctx, token)
		if err == nil || !fault.Is(err, fault.Unauthenticated) {
			return actor, err
		}
	}
	return access.Actor{Kind: access.Anonymous}, nil
}

// tokens lists what may authenticate a request, by its path. A bearer token stands alone, so that a
// program never acts as the person whose browser it shares. Where both cookies count, downloads
// prefer the one that reaches more.
func tokens(r *http.Request) []string {
	within := func(prefix string) bool { return r.URL.Path == prefix || strings.HasPrefix(r.URL.Path, prefix+"/") }
	var cookies []string
	switch {
	case within("/graphql"):
		cookies = []string{layout.LoginCookie, layout.StaffCookie}
	case within("/descargas"):
		cookies = []string{layout.StaffCookie, layout.LoginCookie}
	case within("/consola"):
		cookies = []string{layout.StaffCookie}
	case within("/webhooks"): // programs alone
	default:
		cookies = []string{layout.LoginCookie}
	}
	if len(cookies) != 1 {
		if token, ok := bearer(r); ok {
			return []string{token}
		}
	}
	var found []string
	for _, name := range cookies {
		if token := layout.Cookie(r, name); token != "" {
			found = append(found, token)
		}
	}
	return found
}

func bearer(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// language is what was chosen in this browser, else the person's own, else the company's, else Spanish.
func language(ctx context.Context, r *http.Request, actor access.Actor) string {
	if lang := layout.ChosenLanguage(r); lang != "" {
		return lang
	}
	if locale.Valid(actor.Language) {
		return actor.Language
	}
	if lang := layout.Brand(ctx).Language; locale.Valid(lang) {
		return lang
	}
	return locale.Spanish
}

// address is the network address of the caller: the last one in X-Forwarded-For that is not a
// trusted proxy, when the connection comes from a trusted proxy.
func address(r *http.Request, proxies []netip.Prefix) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	trusted := func(text string) bool {
		ip, err := netip.ParseAddr(text)
		return err == nil && slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	}
	if !trusted(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			break // what follows to the left is anybody's text
		}
		peer = hop
		if !trusted(hop) {
			break
		}
	}
	return peer
}
