package identity

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

type forgotForm struct {
	area     Area
	Email    string
	Problems problems
	Sent     bool
}

func (a Area) forgot(w http.ResponseWriter, r *http.Request) error {
	return a.showForgot(w, r, http.StatusOK, forgotForm{area: a})
}

func (a Area) showForgot(w http.ResponseWriter, r *http.Request, status int, form forgotForm) error {
	return a.plain(w, r, status, t(r.Context(), "forgot.title"), forgotPage(form))
}

// requestReset answers the same for every address.
func (a Area) requestReset(w http.ResponseWriter, r *http.Request) error {
	form := forgotForm{area: a, Email: r.PostFormValue("email")}
	err := a.Account.RequestPasswordReset(r.Context(), account.ResetInput{Email: form.Email, Staff: a.Staff, Address: visitor(r).Address})
	if found, status, ok := explain(r.Context(), w, err, ""); ok {
		form.Problems = found
		return a.showForgot(w, r, status, form)
	}
	if err != nil {
		return err
	}
	form.Sent = true
	return a.showForgot(w, r, http.StatusOK, form)
}

type passwordForm struct {
	area     Area
	Token    string
	Problems problems
}

// NewPassword is the page of a mailed link. Whether the link can be used shows when the password is set.
func (a Area) NewPassword(w http.ResponseWriter, r *http.Request, token string) error {
	return a.showNewPassword(w, r, http.StatusOK, passwordForm{area: a, Token: token})
}

func (a Area) showNewPassword(w http.ResponseWriter, r *http.Request, status int, form passwordForm) error {
	return a.plain(w, r, status, t(r.Context(), "reset.title"), newPasswordPage(form))
}

func (a Area) setPassword(w http.ResponseWriter, r *http.Request) error {
	form := passwordForm{area: a, Token: r.PostFormValue("token")}
	err := a.Account.CompletePasswordReset(r.Context(), account.CompleteResetInput{Token: form.Token, Password: r.PostFormValue("password"),
		PasswordAgain: r.PostFormValue("passwordAgain"), Address: visitor(r).Address})
	if found, status, ok := explain(r.Context(), w, err, ""); ok {
		form.Problems = found
		return a.showNewPassword(w, r, status, form)
	}
	if err != nil {
		return err
	}
	layout.EndSession(w, r, a.Cookie)
	layout.Flash(w, r, "identity.flash.password_set")
	return layout.Redirect(w, r, a.Root+"/entrar")
}
