package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (c *Console) documentRoutes() []layout.Route {
	if c.Fiscal == nil {
		return nil
	}
	return []layout.Route{
		{Method: "GET", Path: "/consola/fiscal/{id}", Who: layout.Staff, Handle: c.document},
		{Method: "POST", Path: "/consola/fiscal/{id}/cancelar", Who: layout.Staff, Handle: c.cancelDocument},
		{Method: "POST", Path: "/consola/fiscal/{id}/sustituir", Who: layout.Staff, Handle: c.substituteDocument},
		{Method: "POST", Path: "/consola/fiscal/{id}/estado", Who: layout.Staff, Handle: c.checkDocument},
		{Method: "GET", Path: "/consola/fiscal/{id}/cancelar", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/fiscal/{id}/sustituir", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/fiscal/{id}/estado", Who: layout.Staff, Handle: toParent},
	}
}

// documentView is the page of one fiscal document.
type documentView struct {
	fiscal.Trail
	Now      time.Time
	Changes  bool // the reader may change something
	Profiles []db.FiscalProfile
	Sales    []db.Invoice // in a global invoice
	Motivo   string       // as it was chosen
	Errors   fieldErrors  // of the form of the cancellation
	Wrong    fieldErrors  // of the form of the substitution
}

func (v documentView) name(ctx context.Context) string { return documentName(ctx, v.CFDI) }

// cancellable reports whether the forms of cancellation are offered.
func (v documentView) cancellable() bool { return v.Changes && v.Status == db.CFDIStamped }

// last is the last day on which the SAT takes a cancellation.
func (v documentView) last() time.Time { return fiscal.CancelBefore(v.CFDI) }

func (v documentView) late() bool { return v.Now.After(v.last()) }

// held reports whether documents in force must be cancelled first.
func (v documentView) held() bool {
	return slices.ContainsFunc(v.Related, func(c db.CFDI) bool {
		return fiscal.Relation(v.CFDI, c) == "related_by" && c.Status != db.CFDICancelled && c.Status != db.CFDIStampFailed
	})
}

// relation names how another document belongs to this one.
func (v documentView) relation(ctx context.Context, other db.CFDI) string {
	return component.T(ctx, "cfdi.relation."+fiscal.Relation(v.CFDI, other))
}

// next says what the state of the cancellation means, and what to do; "" where there is none.
func (v documentView) next(ctx context.Context) string {
	at := func(at *time.Time) string {
		if at == nil {
			return ""
		}
		return satDay(ctx, *at)
	}
	nt := func(key string, args ...any) string { return component.T(ctx, "cancellation.next."+key, args...) }
	switch v.CancelState {
	case db.CancelAsked:
		if v.Code != "" {
			return nt("asked.late", "code", v.Code, "message", v.Message)
		}
		return nt("asked")
	case db.CancelInProcess:
		if v.CancelDeadline != nil && v.Now.After(*v.CancelDeadline) {
			return nt("in_process.over", "date", at(v.CancelDeadline))
		}
		return nt("in_process", "date", at(v.CancelDeadline))
	case db.CancelDone:
		return nt("cancelled", "date", at(v.CancelledAt))
	case db.CancelRefused:
		return nt("refused", "code", v.Code, "message", v.Message)
	case "":
		return ""
	}
	return nt(v.CancelState)
}

func cancelTone(state string) component.Tone {
	switch state {
	case db.CancelDone:
		return component.Neutral
	case db.CancelRejected, db.CancelRefused:
		return component.Bad
	case db.CancelInProcess:
		return component.Warning
	}
	return component.Info
}

// satDay is a moment's day where the SAT is.
func satDay(ctx context.Context, at time.Time) string {
	return component.Date(ctx, date.Of(at, fiscal.ZonaCentro()))
}

// attemptLabel names an entry of a document's log; one without a text is shown as it is.
func attemptLabel(ctx context.Context, event string) string {
	if key := "cfdi.event." + event; locale.Has(key) {
		return component.T(ctx, key)
	}
	return event
}

// attemptDetail is what is worth reading of an entry beside its name.
func attemptDetail(ctx context.Context, entry db.CFDIAttempt) string {
	if entry.Event == "cancel_asked" {
		return strings.TrimSpace(component.T(ctx, "cancellation.motive."+entry.Code) + " " + entry.Message)
	}
	return joined(entry.Code, entry.Field, entry.Message)
}

func documentPath(cfdi id.CFDI, parts ...string) string {
	return "/consola/fiscal/" + strings.Join(append([]string{cfdi.String()}, parts...), "/")
}

// readDocument reads what the page of the document in the path shows.
func (c *Console) readDocument(r *http.Request) (documentView, error) {
	ctx := r.Context()
	view := documentView{Now: c.Now(), Changes: access.RequireCapability(ctx, access.ManageBilling) == nil}
	cfdi, err := id.ParseCFDI(r.PathValue("id"))
	if err != nil {
		return view, fault.Missing()
	}
	if view.Trail, err = c.Fiscal.Trail(ctx, cfdi); err != nil {
		return view, err
	}
	if view.Kind == db.CFDIGlobal && access.RequireCapability(ctx, access.ReadBilling) == nil {
		if view.Sales, err = c.Fiscal.SalesIn(ctx, cfdi); err != nil {
			return view, err
		}
	}
	if view.cancellable() && view.Kind == db.CFDIIngreso {
		view.Profiles, err = c.Fiscal.FiscalProfiles(ctx, view.ClientID)
	}
	return view, err
}

func (c *Console) showDocument(w http.ResponseWriter, r *http.Request, status int, view documentView) error {
	return c.show(w, r, status, view.name(r.Context()), documentPage(view))
}

func (c *Console) document(w http.ResponseWriter, r *http.Request) error {
	view, err := c.readDocument(r)
	if err != nil {
		return err
	}
	return c.showDocument(w, r, http.StatusOK, view)
}

// cancelDocument asks for a cancellation with motive 02, 03 or 04; 01 is substituteDocument.
func (c *Console) cancelDocument(w http.ResponseWriter, r *http.Request) error {
	view, err := c.readDocument(r)
	if err != nil {
		return err
	}
	view.Motivo = r.PostFormValue("motivo")
	_, err = c.Fiscal.CancelCFDI(r.Context(), fiscal.CancelInput{CFDI: view.ID, Motivo: view.Motivo})
	if errs, ok := invalid(r.Context(), err); ok {
		view.Errors = errs
		return c.showDocument(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "cancellation.flash.asked")
	return layout.Redirect(w, r, documentPath(view.ID))
}

// substituteDocument asks for a document that takes this one's place.
func (c *Console) substituteDocument(w http.ResponseWriter, r *http.Request) error {
	view, err := c.readDocument(r)
	if err != nil {
		return err
	}
	profile, err := id.ParseFiscalProfile(r.PostFormValue("perfil"))
	if err != nil {
		profile = 0
	}
	row, err := c.Fiscal.SubstituteCFDI(r.Context(), fiscal.SubstituteInput{CFDI: view.ID, Profile: profile})
	if errs, ok := invalid(r.Context(), err); ok {
		view.Wrong = errs
		return c.showDocument(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "cancellation.flash.substitute")
	return layout.Redirect(w, r, documentPath(row.ID))
}

// checkDocument asks the SAT for the document's state.
func (c *Console) checkDocument(w http.ResponseWriter, r *http.Request) error {
	cfdi, err := id.ParseCFDI(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	flash := "cancellation.flash.status"
	_, err = c.Fiscal.CheckStatus(r.Context(), cfdi)
	if fault.Is(err, fault.Unavailable) {
		flash = "cancellation.flash.status_unavailable"
	} else if err != nil {
		return err
	}
	layout.Flash(w, r, flash)
	return layout.Redirect(w, r, documentPath(cfdi))
}

// documentNote is what there is to know, or to do, about a document in a list: why it was refused, what it waits for, and
// until when a receiver can answer.
func documentNote(ctx context.Context, row db.CFDI) string {
	switch {
	case row.Status == db.CFDIStampFailed:
		return refusal(ctx, row.Refusal)
	case row.Waiting() && row.Failure != "":
		return component.T(ctx, "stamping.failure."+row.Failure) + " · " + ft(ctx, "console.attempts", "n", row.Attempts)
	case row.CancelState == db.CancelInProcess && row.CancelDeadline != nil:
		return component.T(ctx, "cancellation.until", "date", satDay(ctx, *row.CancelDeadline))
	case row.CancelState == db.CancelRejected || row.CancelState == db.CancelRefused:
		return component.T(ctx, "cancellation.state."+row.CancelState)
	}
	return ""
}

// refusal says why a document was not stamped: what to correct where that is known, else the PAC's own words.
func refusal(ctx context.Context, r db.Refusal) string {
	if r.Code == db.CodeStampUncertain {
		return ft(ctx, "console.uncertain", "last", r.Message)
	}
	if text, ok := fiscal.FriendlyMessage(r.Code, component.Lang(ctx)); ok {
		r.Message, r.MessageEN = text, text
	}
	return refusalWords(ctx, r)
}

// refusalWords are the SAT's code, or ours where it has none, the field of the document, and what is wrong with it.
func refusalWords(ctx context.Context, r db.Refusal) string {
	code, message := r.Code, r.Message
	if r.SATCode != "" && r.SATCode != r.Code {
		code = "SAT " + r.SATCode
	}
	if r.MessageEN != "" && component.Lang(ctx) == "en" {
		message = r.MessageEN
	}
	return joined(code, r.Field, message)
}

// joined are the words that there are, in one line.
func joined(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " · ")
}

func profileOptions(rows []db.FiscalProfile) []component.Option {
	options := make([]component.Option, len(rows))
	for i, row := range rows {
		options[i] = component.Option{Value: row.ID.String(), Label: row.Rfc + " · " + row.Nombre}
	}
	return options
}

// mailState is what became of a document's mail, and why it was not sent.
func mailState(ctx context.Context, mail db.CFDIMail) string {
	text := component.T(ctx, "cfdi.mail.status."+mail.Status)
	switch mail.Reply {
	case "contact_deleted", "preference_off", "bounced", "unverified":
		text += ". " + t(ctx, "reason."+mail.Reply)
	}
	return text
}
