package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/auditlog"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// peopleRoutes is the table of what concerns access to the console itself, and of seeing as a client.
func (c *Console) peopleRoutes() []layout.Route {
	return []layout.Route{
		{Method: "POST", Path: "/consola/clientes/{id}/ver", Who: layout.Staff, Handle: c.viewAs},
		{Method: "GET", Path: "/consola/actividad", Who: layout.Staff, Handle: c.activity},
		{Method: "GET", Path: "/consola/actividad/archivo", Who: layout.Staff, Handle: c.activityFile},
		{Method: "GET", Path: "/consola/actividad/intentos", Who: layout.Staff, Handle: c.failedSignIns},
		{Method: "GET", Path: "/consola/personal", Who: layout.Staff, Handle: c.staffPage},
		{Method: "POST", Path: "/consola/personal", Who: layout.Staff, Handle: c.addStaff},
		{Method: "POST", Path: "/consola/personal/factor", Who: layout.Staff, Handle: c.requireFactor},
		{Method: "POST", Path: "/consola/personal/{id}", Who: layout.Staff, Handle: c.updateStaff},
		{Method: "GET", Path: "/consola/empresa", Who: layout.Staff, Handle: c.companyPage},
		{Method: "POST", Path: "/consola/empresa", Who: layout.Staff, Handle: c.saveCompany},
		{Method: "POST", Path: "/consola/empresa/logo", Who: layout.Staff, Handle: c.saveLogo},
		{Method: "GET", Path: "/consola/empresa/logo", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/tokens", Who: layout.Staff, Handle: c.tokensPage},
		{Method: "POST", Path: "/consola/tokens", Who: layout.Staff, Handle: c.addToken},
		{Method: "POST", Path: "/consola/tokens/{id}/revocar", Who: layout.Staff, Handle: c.revokeToken},
	}
}

// viewAs opens the client area as the client's owner sees it, in a session of its own.
func (c *Console) viewAs(w http.ResponseWriter, r *http.Request) error {
	clientID, err := id.ParseClient(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	signed, err := c.Account.ViewAs(r.Context(), clientID)
	if err != nil {
		return err
	}
	layout.StartSession(w, r, layout.LoginCookie, signed.Token, signed.ExpiresAt.Sub(c.Now()))
	return layout.Redirect(w, r, "/clientes/"+clientID.String())
}

func (c *Console) activity(w http.ResponseWriter, r *http.Request) error {
	view, err := auditlog.Log{Account: c.Account, Path: "/consola/actividad"}.Read(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	return c.show(w, r, http.StatusOK, t(ctx, "nav.activity"), auditlog.Page(view, t(ctx, "nav.activity"), t(ctx, "activity.detail")))
}

// failedSignIns shows who tried to get in and could not.
func (c *Console) failedSignIns(w http.ResponseWriter, r *http.Request) error {
	view, err := auditlog.Log{Account: c.Account, Path: "/consola/actividad"}.Failed(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	return c.show(w, r, http.StatusOK, t(ctx, "failed.title"), auditlog.FailedPage(view, t(ctx, "nav.activity")))
}

func (c *Console) activityFile(w http.ResponseWriter, r *http.Request) error {
	return auditlog.Log{Account: c.Account}.Write(w, r)
}

type staffView struct {
	Rows     []db.Staff
	Required bool // a second factor of everybody
	Name     string
	Email    string
	Role     string
	Errors   fieldErrors
}

func roleOptions(ctx context.Context) []component.Option {
	list := make([]component.Option, 0, len(access.Roles()))
	for _, role := range access.Roles() {
		list = append(list, component.Option{Value: string(role), Label: t(ctx, "role."+string(role))})
	}
	return list
}

func (c *Console) staffPage(w http.ResponseWriter, r *http.Request) error {
	return c.showStaff(w, r, http.StatusOK, staffView{Role: string(access.ReadOnly)})
}

func (c *Console) showStaff(w http.ResponseWriter, r *http.Request, status int, view staffView) error {
	ctx := r.Context()
	var err error
	if view.Rows, err = c.Account.Staff(ctx); err != nil {
		return err
	}
	if view.Required, err = c.Account.StaffSecondFactor(ctx); err != nil {
		return err
	}
	return c.show(w, r, status, t(ctx, "nav.staff"), staffList(view))
}

// staffDone answers a form of the page.
func (c *Console) staffDone(w http.ResponseWriter, r *http.Request, err error, view staffView, done string) error {
	if errs, ok := invalid(r.Context(), err); ok {
		view.Errors = errs
		return c.showStaff(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, done)
	return layout.Redirect(w, r, "/consola/personal")
}

func (c *Console) addStaff(w http.ResponseWriter, r *http.Request) error {
	view := staffView{Name: r.PostFormValue("name"), Email: r.PostFormValue("email"), Role: r.PostFormValue("role")}
	_, err := c.Account.AddStaff(r.Context(), account.AddStaffInput{Name: view.Name, Email: view.Email, Role: access.Role(view.Role)})
	return c.staffDone(w, r, err, view, "console.flash.staff_invited")
}

func (c *Console) updateStaff(w http.ResponseWriter, r *http.Request) error {
	staffID, err := id.ParseStaff(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	if r.PostFormValue("accion") == "factores" {
		err = c.Account.ResetStaffFactors(r.Context(), staffID)
	} else {
		_, err = c.Account.UpdateStaff(r.Context(), account.UpdateStaffInput{StaffID: staffID, Name: new(r.PostFormValue("name")),
			Role: new(access.Role(r.PostFormValue("role"))), Active: new(r.PostFormValue("active") != "")})
	}
	return c.staffDone(w, r, err, staffView{Role: string(access.ReadOnly)}, "console.flash.saved")
}

func (c *Console) requireFactor(w http.ResponseWriter, r *http.Request) error {
	return c.staffDone(w, r, c.Account.SetStaffSecondFactor(r.Context(), r.PostFormValue("required") != ""), staffView{Role: string(access.ReadOnly)}, "console.flash.saved")
}

type tokensView struct {
	Rows   []db.APIToken
	Now    int64
	New    string // the text of a token that was just made: shown this once
	Name   string
	Days   string
	Scopes map[string]bool
	Errors fieldErrors
}

func (c *Console) tokensPage(w http.ResponseWriter, r *http.Request) error {
	return c.showTokens(w, r, http.StatusOK, tokensView{Days: "90"})
}

func (c *Console) showTokens(w http.ResponseWriter, r *http.Request, status int, view tokensView) error {
	ctx := r.Context()
	var err error
	if view.Rows, err = c.Account.Tokens(ctx); err != nil {
		return err
	}
	view.Now = c.Now().Unix()
	return c.show(w, r, status, t(ctx, "nav.tokens"), tokenList(view))
}

func (c *Console) addToken(w http.ResponseWriter, r *http.Request) error {
	view := tokensView{Name: r.PostFormValue("name"), Days: r.PostFormValue("days"), Scopes: map[string]bool{}}
	in := account.AddTokenInput{Name: view.Name}
	in.Days, _ = strconv.Atoi(view.Days) // what is no number is 0, which is refused
	for _, scope := range r.PostForm["scopes"] {
		view.Scopes[scope] = true
		in.Scopes = append(in.Scopes, access.Capability(scope))
	}
	_, text, err := c.Account.AddToken(r.Context(), in)
	if errs, ok := invalid(r.Context(), err); ok {
		view.Errors = errs
		return c.showTokens(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	return c.showTokens(w, r, http.StatusOK, tokensView{Days: "90", New: text})
}

func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request) error {
	tokenID, err := id.ParseToken(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	if _, err := c.Account.RevokeToken(r.Context(), tokenID); err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.revoked")
	return layout.Redirect(w, r, "/consola/tokens")
}

// scopeKey is the key of the text that says what a token with the scope may do.
func scopeKey(scope access.Capability) string {
	return "scope." + strings.ReplaceAll(string(scope), ":", "_")
}
