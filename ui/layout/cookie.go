package layout

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

// The cookies of signed-in people. Both may exist side by side in one browser.
const (
	LoginCookie = "avisa_session" // client area
	StaffCookie = "avisa_staff"   // console
)

const (
	languageCookie = "avisa_lang"
	flashCookie    = "avisa_flash"
	deviceCookie   = "avisa_device"
)

// hostPrefix binds a cookie to its host: browsers take one of that name from a page of the very host alone, over
// HTTPS (RFC 6265bis, section 4.1.3.2). So no neighbour, such as a client's site on another name of the same
// domain, can put a session of its own into a person's browser.
const hostPrefix = "__Host-"

type transportKey struct{}

type transport struct{ plain, local bool }

// WithTransport notes how people reach the installation: plain for HTTP without TLS, where cookies cannot be bound
// to the host; local where nobody is in between, so that they are Secure all the same.
func WithTransport(ctx context.Context, plain, local bool) context.Context {
	return context.WithValue(ctx, transportKey{}, transport{plain, local})
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	how, _ := r.Context().Value(transportKey{}).(transport)
	//nolint:gosec // Secure is off only where people reach the installation by plain HTTP, see WithTransport.
	http.SetCookie(w, &http.Cookie{Name: cookieName(r, name), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: !how.plain || how.local, SameSite: http.SameSiteLaxMode})
}

func cookieName(r *http.Request, name string) string {
	if how, _ := r.Context().Value(transportKey{}).(transport); how.plain {
		return name
	}
	return hostPrefix + name
}

// Cookie is the value of one of our cookies, "" for none.
func Cookie(r *http.Request, name string) string {
	if c, err := r.Cookie(cookieName(r, name)); err == nil {
		return c.Value
	}
	return ""
}

// StartSession gives the browser the token of a session.
func StartSession(w http.ResponseWriter, r *http.Request, cookie, token string, lifetime time.Duration) {
	setCookie(w, r, cookie, token, int(lifetime.Seconds()))
}

// EndSession takes the token away from the browser.
func EndSession(w http.ResponseWriter, r *http.Request, cookie string) {
	setCookie(w, r, cookie, "", -1)
}

// SetDevice makes the browser one that its people are known to use, for a year; "" keeps what it has.
func SetDevice(w http.ResponseWriter, r *http.Request, key string) {
	if key != "" {
		setCookie(w, r, deviceCookie, key, 365*24*60*60)
	}
}

// DeviceKey is the browser's own key, "" for a new one.
func DeviceKey(r *http.Request) string {
	return Cookie(r, deviceCookie)
}

// SetLanguage remembers a chosen language for a year.
func SetLanguage(w http.ResponseWriter, r *http.Request, lang string) {
	setCookie(w, r, languageCookie, lang, 365*24*60*60)
}

// ChosenLanguage is the language that was chosen in this browser, "" for none.
func ChosenLanguage(r *http.Request) string {
	if lang := Cookie(r, languageCookie); locale.Valid(lang) {
		return lang
	}
	return ""
}

// Flash shows a text on the next page, once: key is one of internal/locale with "flash." in it.
func Flash(w http.ResponseWriter, r *http.Request, key string) { setCookie(w, r, flashCookie, key, 60) }

// takeFlash is the key of the text to show now, "" for none. Whoever forges the cookie chooses
// among our own texts only.
func takeFlash(w http.ResponseWriter, r *http.Request) string {
	key := Cookie(r, flashCookie)
	if key == "" {
		return ""
	}
	setCookie(w, r, flashCookie, "", -1)
	if !strings.Contains(key, ".flash.") || !locale.Has(key) {
		return ""
	}
	return key
}
