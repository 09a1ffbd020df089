package identity

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func withNext(path, next string) string {
	if next == "" {
		return path
	}
	return path + "?next=" + url.QueryEscape(next)
}

// stepForm is the second step of a sign-in.
type stepForm struct {
	area     Area
	Next     string
	Factors  []string
	Recovery bool // a recovery code is asked for, not one of the app
	Problems problems
}

func (f stepForm) has(factor account.Factor) bool { return slices.Contains(f.Factors, string(factor)) }

// codes reports whether a code can answer at all.
func (f stepForm) codes() bool { return f.has(account.FactorTOTP) || f.has(account.FactorRecovery) }

// recovery reports whether the form asks for a recovery code.
func (f stepForm) recovery() bool { return f.Recovery || !f.has(account.FactorTOTP) }

// other leads to the other kind of code.
func (f stepForm) other() string {
	q := url.Values{}
	if f.Next != "" {
		q.Set("next", f.Next)
	}
	if !f.recovery() {
		q.Set("con", string(account.FactorRecovery))
	}
	if len(q) == 0 {
		return f.area.Root + "/entrar/verificar"
	}
	return f.area.Root + "/entrar/verificar?" + q.Encode()
}

func (a Area) step(r *http.Request) stepForm {
	_, factors := a.pending(r)
	return stepForm{area: a, Factors: factors, Next: layout.LocalPath(r.FormValue("next"), ""), Recovery: r.FormValue("con") == string(account.FactorRecovery)}
}

func (a Area) secondStep(w http.ResponseWriter, r *http.Request) error {
	form := a.step(r)
	if len(form.Factors) == 0 {
		return layout.Redirect(w, r, a.Root+"/entrar")
	}
	return a.showStep(w, r, http.StatusOK, form)
}

func (a Area) showStep(w http.ResponseWriter, r *http.Request, status int, form stepForm) error {
	return a.plain(w, r, status, t(r.Context(), "step.title"), stepPage(form))
}

func (a Area) proveFactor(w http.ResponseWriter, r *http.Request) error {
	form := a.step(r)
	token, _ := a.pending(r)
	in := account.ProveFactorInput{Pending: token, Factor: account.FactorTOTP, Code: r.PostFormValue("code"), DeviceKey: layout.DeviceKey(r)}
	if form.recovery() {
		in.Factor = account.FactorRecovery
	}
	signed, err := a.Account.ProveFactor(r.Context(), in)
	return a.proved(w, r, form, signed, err)
}

// proved ends the second step, well or not.
func (a Area) proved(w http.ResponseWriter, r *http.Request, form stepForm, signed account.SignedIn, err error) error {
	if fault.Is(err, fault.Unauthenticated) { // too late, or too often: from the start
		layout.EndSession(w, r, a.pendingCookie())
		layout.Flash(w, r, "identity.flash.again")
		return layout.Redirect(w, r, withNext(a.Root+"/entrar", form.Next))
	}
	if found, status, ok := explain(r.Context(), w, err, ""); ok {
		form.Problems = found
		return a.showStep(w, r, status, form)
	}
	if err != nil {
		return err
	}
	layout.EndSession(w, r, a.pendingCookie())
	return a.Signed(w, r, signed, form.Next)
}

// askPasskey tells the browser which passkeys can answer.
func (a Area) askPasskey(w http.ResponseWriter, r *http.Request) error {
	token, _ := a.pending(r)
	challenge, err := a.Account.BeginPasskeySignIn(r.Context(), token)
	return writeChallenge(w, r, challenge, err, "")
}

func (a Area) provePasskey(w http.ResponseWriter, r *http.Request) error {
	token, _ := a.pending(r)
	signed, err := a.Account.FinishPasskeySignIn(r.Context(), token, json.RawMessage(r.PostFormValue("response")), layout.DeviceKey(r))
	return a.proved(w, r, a.step(r), signed, err)
}

// writeChallenge answers the script of a passkey form: what to ask the browser, or what is wrong.
func writeChallenge(w http.ResponseWriter, r *http.Request, challenge account.PasskeyChallenge, err error, prefix string) error {
	answer := map[string]any{"ceremony": challenge.Ceremony, "options": challenge.Options}
	status := http.StatusOK
	if found, code, ok := explain(r.Context(), w, err, prefix); ok {
		status = code
		for _, text := range found {
			answer = map[string]any{"error": text}
		}
	} else if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(answer)
}
