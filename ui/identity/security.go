package identity

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/pquerna/otp"
	"github.com/skip2/go-qrcode"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// securityView is the security page of a person.
type securityView struct {
	area     Area
	Sessions []db.Session
	Current  id.Session
	Factors  account.FactorStatus
	Open     string // the form that stays open, because something in it is wrong
	Problems problems
}

func (v securityView) password(name, label, autocomplete string) component.Field {
	return component.Field{Name: name, Label: label, Autocomplete: autocomplete, Required: true, Error: v.Problems[name]}
}

func (v securityView) passkeys() []component.Option {
	list := make([]component.Option, 0, len(v.Factors.Passkeys))
	for _, p := range v.Factors.Passkeys {
		list = append(list, component.Option{Value: p.ID.String(), Label: p.Name})
	}
	return list
}

func (a Area) security(w http.ResponseWriter, r *http.Request) error {
	return a.showSecurity(w, r, http.StatusOK, "", nil)
}

func (a Area) showSecurity(w http.ResponseWriter, r *http.Request, status int, open string, found problems) error {
	ctx := r.Context()
	view := securityView{area: a, Current: visitor(r).Session, Open: open, Problems: found}
	var err error
	if view.Sessions, err = a.Account.Sessions(ctx); err != nil {
		return err
	}
	if view.Factors, err = a.Account.Factors(ctx); err != nil {
		return err
	}
	return a.Show(w, r, status, t(ctx, "security.title"), securityPage(view))
}

// done answers a form of the security page: back to it with a message, or again with what is wrong.
func (a Area) done(w http.ResponseWriter, r *http.Request, form string, err error, flash string) error {
	if found, status, ok := explain(r.Context(), w, err, form+"."); ok {
		return a.showSecurity(w, r, status, form, found)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "identity.flash."+flash)
	return layout.Redirect(w, r, a.Root+"/seguridad")
}

func (a Area) endSessions(w http.ResponseWriter, r *http.Request) error {
	if text := r.PostFormValue("session"); text != "" {
		sessionID, err := id.ParseSession(text)
		if err != nil {
			return fault.Missing()
		}
		return a.done(w, r, "sessions", a.Account.EndSession(r.Context(), sessionID), "session_ended")
	}
	if err := a.Account.SignOutEverywhere(r.Context()); err != nil {
		return err
	}
	layout.EndSession(w, r, a.Cookie)
	layout.Flash(w, r, "identity.flash.everywhere")
	return layout.Redirect(w, r, a.Root+"/entrar")
}

func (a Area) changePassword(w http.ResponseWriter, r *http.Request) error {
	signed, err := a.Account.ChangePassword(r.Context(), account.ChangePasswordInput{Current: r.PostFormValue("change.current"),
		Password: r.PostFormValue("change.password"), PasswordAgain: r.PostFormValue("change.passwordAgain")})
	if err == nil {
		a.Rotate(w, r, signed)
	}
	return a.done(w, r, "change", err, "password_changed")
}

// totpForm shows what an authenticator app needs, and asks for its first code.
type totpForm struct {
	area     Area
	URL      string
	Secret   string
	Image    string // PNG as a data: address
	Problems problems
}

func (a Area) beginTOTP(w http.ResponseWriter, r *http.Request) error {
	begun, err := a.Account.BeginTOTP(r.Context(), r.PostFormValue("totp.password"))
	if err != nil {
		return a.done(w, r, "totp", err, "")
	}
	return a.showTOTP(w, r, http.StatusOK, begun.URL, nil)
}

// showTOTP draws the address of the secret. It travels with the form, so that a mistyped code can be corrected.
func (a Area) showTOTP(w http.ResponseWriter, r *http.Request, status int, address string, found problems) error {
	key, err := otp.NewKeyFromURL(address)
	if err != nil || len(address) > 1000 || key.Type() != "totp" {
		return layout.Redirect(w, r, a.Root+"/seguridad")
	}
	png, err := qrcode.Encode(address, qrcode.Medium, 240)
	if err != nil {
		return err
	}
	form := totpForm{area: a, URL: address, Secret: grouped(key.Secret()), Problems: found, Image: "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)}
	return a.Show(w, r, status, t(r.Context(), "totp.title"), totpPage(form))
}

// grouped writes a secret in fours, for typing.
func grouped(text string) string {
	var parts []string
	for len(text) > 4 {
		parts, text = append(parts, text[:4]), text[4:]
	}
	return strings.Join(append(parts, text), " ")
}

func (a Area) confirmTOTP(w http.ResponseWriter, r *http.Request) error {
	added, err := a.Account.ConfirmTOTP(r.Context(), r.PostFormValue("code"))
	if found, status, ok := explain(r.Context(), w, err, ""); ok && !fault.Is(err, fault.Conflict) {
		return a.showTOTP(w, r, status, r.PostFormValue("url"), found)
	}
	return a.added(w, r, "totp", added, err, "totp_added")
}

// added ends the adding of a factor: the session's new token, and its recovery codes where there are new ones.
func (a Area) added(w http.ResponseWriter, r *http.Request, form string, added account.FactorAdded, err error, flash string) error {
	if err == nil {
		a.Rotate(w, r, added.SignedIn)
		if len(added.RecoveryCodes) > 0 {
			return a.showCodes(w, r, added.RecoveryCodes)
		}
	}
	return a.done(w, r, form, err, flash)
}

func (a Area) showCodes(w http.ResponseWriter, r *http.Request, codes []string) error {
	return a.Show(w, r, http.StatusOK, t(r.Context(), "codes.title"), codesPage(a, codes))
}

func (a Area) removeTOTP(w http.ResponseWriter, r *http.Request) error {
	signed, err := a.Account.RemoveTOTP(r.Context(), r.PostFormValue("totp.password"))
	if err == nil {
		a.Rotate(w, r, signed)
	}
	return a.done(w, r, "totp", err, "totp_removed")
}

func (a Area) newCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := a.Account.NewRecoveryCodes(r.Context(), r.PostFormValue("codes.password"))
	if err != nil {
		return a.done(w, r, "codes", err, "")
	}
	return a.showCodes(w, r, codes)
}

func (a Area) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	challenge, err := a.Account.BeginPasskey(r.Context(), r.PostFormValue("passkey.password"))
	return writeChallenge(w, r, challenge, err, "passkey.")
}

func (a Area) addPasskey(w http.ResponseWriter, r *http.Request) error {
	added, err := a.Account.AddPasskey(r.Context(), account.AddPasskeyInput{Ceremony: r.PostFormValue("ceremony"), Name: r.PostFormValue("passkey.name"),
		Response: json.RawMessage(r.PostFormValue("response"))})
	return a.added(w, r, "passkey", added, err, "passkey_added")
}

func (a Area) removePasskey(w http.ResponseWriter, r *http.Request) error {
	passkeyID, err := id.ParsePasskey(r.PostFormValue("passkey"))
	if err != nil {
		return fault.Missing()
	}
	signed, err := a.Account.RemovePasskey(r.Context(), passkeyID, r.PostFormValue("unkey.password"))
	if err == nil {
		a.Rotate(w, r, signed)
	}
	return a.done(w, r, "unkey", err, "passkey_removed")
}
