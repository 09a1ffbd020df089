package console

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/identity"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// signInPage is where staff signs in.
func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) error {
	next := layout.LocalPath(r.URL.Query().Get("next"), "/consola")
	if access.From(r.Context()).Kind == access.Staff {
		return layout.Redirect(w, r, next)
	}
	return c.showSignIn(w, r, http.StatusOK, signInForm{Next: next})
}

type signInForm struct {
	Email  string
	Next   string
	Errors fieldErrors
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request, status int, form signInForm) error {
	page := layout.Page{Title: t(r.Context(), "signin.title"), Area: t(r.Context(), "area"), Home: "/consola", Product: true, Plain: true}
	return layout.Write(w, r, status, page, signInView(form))
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	visitor := access.From(ctx)
	form := signInForm{Email: r.PostFormValue("email"), Next: layout.LocalPath(r.PostFormValue("next"), "/consola")}
	signed, err := c.Account.SignIn(ctx, account.SignInInput{Email: form.Email, Password: r.PostFormValue("password"), Staff: true,
		Address: visitor.Address, Device: visitor.Device, DeviceKey: layout.DeviceKey(r)})
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		status := http.StatusUnprocessableEntity
		if fault.Is(err, fault.RateLimited) {
			layout.RetryAfter(w, err)
			status = http.StatusTooManyRequests
		}
		return c.showSignIn(w, r, status, form)
	}
	if err != nil {
		return err
	}
	return c.identity().Signed(w, r, signed, form.Next)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) error {
	err := c.Account.SignOut(r.Context())
	if err != nil && !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	layout.EndSession(w, r, layout.StaffCookie)
	return layout.Redirect(w, r, "/consola/entrar")
}

// identity is the pages with which staff prove who they are.
func (c *Console) identity() identity.Area {
	return identity.Area{Root: "/consola", Cookie: layout.StaffCookie, Staff: true, Account: c.Account, Now: c.Now, Show: c.show}
}

// newPassword is the page of a mailed link.
func (c *Console) newPassword(w http.ResponseWriter, r *http.Request) error {
	return c.identity().NewPassword(w, r, r.PathValue("token"))
}
