// Package identity holds the pages with which people prove who they are and look after it: the second step
// of a sign-in, forgotten passwords, and the security page. They are the same for the client area and the console.
package identity

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// Area is the part of the site that people sign in to.
type Area struct {
	Root    string // path of the area: "/clientes" or "/consola"
	Cookie  string // of its sessions
	Staff   bool   // people of the company sign in to it
	Account *account.Service
	Now     func() time.Time
	// Show answers with a page inside the frame of the area, for people who are signed in.
	Show func(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) error
}

// Routes is the table of the area's routes. The page of a mailed link, Root/contrasena/{token}, is left to the
// area, which knows what else is at that depth: see NewPassword.
func (a Area) Routes() []layout.Route {
	who := layout.Logins
	if a.Staff {
		who = layout.Staff
	}
	return []layout.Route{
		{Method: "GET", Path: a.Root + "/entrar/verificar", Who: layout.Everybody, Handle: a.secondStep},
		{Method: "POST", Path: a.Root + "/entrar/verificar", Who: layout.Everybody, Handle: a.proveFactor},
		{Method: "POST", Path: a.Root + "/entrar/llave", Who: layout.Everybody, Handle: a.askPasskey},
		{Method: "POST", Path: a.Root + "/entrar/con-llave", Who: layout.Everybody, Handle: a.provePasskey},
		{Method: "GET", Path: a.Root + "/contrasena", Who: layout.Everybody, Handle: a.forgot},
		{Method: "POST", Path: a.Root + "/contrasena", Who: layout.Everybody, Handle: a.requestReset},
		{Method: "POST", Path: a.Root + "/contrasena/nueva", Who: layout.Everybody, Handle: a.setPassword},
		{Method: "GET", Path: a.Root + "/seguridad", Who: who, Handle: a.security},
		{Method: "POST", Path: a.Root + "/seguridad/sesiones", Who: who, Handle: a.endSessions},
		{Method: "POST", Path: a.Root + "/seguridad/contrasena", Who: who, Handle: a.changePassword},
		{Method: "POST", Path: a.Root + "/seguridad/aplicacion", Who: who, Handle: a.beginTOTP},
		{Method: "POST", Path: a.Root + "/seguridad/aplicacion/confirmar", Who: who, Handle: a.confirmTOTP},
		{Method: "POST", Path: a.Root + "/seguridad/aplicacion/quitar", Who: who, Handle: a.removeTOTP},
		{Method: "POST", Path: a.Root + "/seguridad/codigos", Who: who, Handle: a.newCodes},
		{Method: "POST", Path: a.Root + "/seguridad/llaves", Who: who, Handle: a.addPasskey},
		{Method: "POST", Path: a.Root + "/seguridad/llaves/opciones", Who: who, Handle: a.beginPasskey},
		{Method: "POST", Path: a.Root + "/seguridad/llaves/quitar", Who: who, Handle: a.removePasskey},
	}
}

// t is a text of these pages in the reader's language.
func t(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "identity."+key, args...)
}

func (a Area) at(path string) templ.SafeURL { return templ.SafeURL(a.Root + path) }

// pendingCookie holds the token of the second step, and after it what can answer it.
func (a Area) pendingCookie() string { return a.Cookie + "_step" }

const pendingSeconds = 600

// Signed answers a sign-in whose password was right: a session, or the second step.
func (a Area) Signed(w http.ResponseWriter, r *http.Request, in account.SignedIn, next string) error {
	next = layout.LocalPath(next, "")
	if in.Pending != "" {
		value := in.Pending
		for _, factor := range in.Factors {
			value += "." + string(factor)
		}
		layout.StartSession(w, r, a.pendingCookie(), value, pendingSeconds*time.Second)
		return layout.Redirect(w, r, withNext(a.Root+"/entrar/verificar", next))
	}
	a.Rotate(w, r, in)
	return layout.Redirect(w, r, layout.LocalPath(next, a.Root))
}

// Rotate gives the browser the session's token, and remembers the browser.
func (a Area) Rotate(w http.ResponseWriter, r *http.Request, in account.SignedIn) {
	layout.StartSession(w, r, a.Cookie, in.Token, in.ExpiresAt.Sub(a.Now()))
	layout.SetDevice(w, r, in.DeviceKey)
}

func (a Area) pending(r *http.Request) (token string, factors []string) {
	parts := strings.Split(layout.Cookie(r, a.pendingCookie()), ".")
	return parts[0], parts[1:]
}

// plain answers with a small page without navigation.
func (a Area) plain(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) error {
	return layout.Write(w, r, status, layout.Page{Title: title, Home: a.Root, Plain: true}, body)
}

// problems are the texts of what is wrong with a form, by field; "" is the form as a whole.
type problems map[string]string

// explain turns an error that the person at the form can do something about into its texts and the status of
// the answer. prefix is of the fields of the form. Too many attempts get a Retry-After.
func explain(ctx context.Context, w http.ResponseWriter, err error, prefix string) (problems, int, bool) {
	f, ok := fault.As(err)
	if !ok {
		return nil, 0, false
	}
	status := http.StatusUnprocessableEntity
	switch {
	case f.Kind == fault.RateLimited:
		layout.RetryAfter(w, err)
		status = http.StatusTooManyRequests
	case f.Kind == fault.Invalid, f.Kind == fault.Conflict, f.Kind == fault.Forbidden && f.Code == "SECOND_FACTOR_REQUIRED":
	default:
		return nil, 0, false
	}
	found := problems{}
	for _, field := range f.Fields {
		if found[prefix+field.Path] == "" {
			found[prefix+field.Path] = locale.Error(component.Lang(ctx), field.Code, field.Args)
		}
	}
	if len(f.Fields) == 0 {
		found[""] = locale.Error(component.Lang(ctx), f.Code, f.Args)
	}
	return found, status, true
}

// visitor is where a request comes from.
func visitor(r *http.Request) access.Actor { return access.From(r.Context()) }
