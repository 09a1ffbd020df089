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

type secureKey struct{}

// WithSecure notes whether cookies are for HTTPS only: always, but where an installation is reached
// by plain HTTP, as the demo on localhost is.
func WithSecure(ctx context.Context, secure bool) context.Context {
	return context.WithValue(ctx, secureKey{}, secure)
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	secure, known := r.Context().Value(secureKey{}).(bool)
	//nolint:gosec // Secure is off only where people reach the installation by plain HTTP, see WithSecure.
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: secure || !known, SameSite: http.SameSiteLaxMode})
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
	if c, err := r.Cookie(deviceCookie); err == nil {
		return c.Value
	}
	return ""
}

// SetLanguage remembers a chosen language for a year.
func SetLanguage(w http.ResponseWriter, r *http.Request, lang string) {
	setCookie(w, r, languageCookie, lang, 365*24*60*60)
}

// ChosenLanguage is the language that was chosen in this browser, "" for none.
func ChosenLanguage(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && locale.Valid(c.Value) {
		return c.Value
	}
	return ""
}

// Flash shows a text on the next page, once: key is one of internal/locale with "flash." in it.
func Flash(w http.ResponseWriter, r *http.Request, key string) { setCookie(w, r, flashCookie, key, 60) }

// takeFlash is the key of the text to show now, "" for none. Whoever forges the cookie chooses
// among our own texts only.
func takeFlash(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	setCookie(w, r, flashCookie, "", -1)
	if !strings.Contains(c.Value, ".flash.") || !locale.Has(c.Value) {
		return ""
	}
	return c.Value
}
