package portal

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// ChangeAccess does what a button beside a contact's access asks for.
func (p *Portal) ChangeAccess(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	ctx, flash := r.Context(), ""
	switch r.PostFormValue("accion") {
	case "reenviar":
		_, err = p.Account.ResendInvitation(ctx, row.ID)
		flash = "portal.flash.invitation_sent"
	case "cancelar":
		_, err = p.Account.CancelInvitation(ctx, row.ID)
		flash = "portal.flash.invitation_cancelled"
	case "suspender":
		_, err = p.Account.SuspendAccess(ctx, row.ID)
		flash = "portal.flash.access_suspended"
	case "reanudar":
		_, err = p.Account.ResumeAccess(ctx, row.ID)
		flash = "portal.flash.access_resumed"
	case "confirmar":
		_, err = p.Account.RequestVerification(ctx, row.ID)
		flash = "reminder.flash.verification"
		if fault.Is(err, fault.Conflict) { // it was confirmed meanwhile
			err, flash = nil, "reminder.flash.verified"
		}
	default:
		err = fault.Missing()
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, flash)
	return layout.Redirect(w, r, string(at(client.ID, "contactos")))
}

// invitationView is an invitation as whoever holds its link sees it.
type invitationView struct {
	account.Invitation
	Token    string
	SignedIn string // address of the login that is signed in here; "" for nobody
	Errors   map[string]string
}

// next is this page, to come back to after signing in.
func (v invitationView) path() string { return "/clientes/invitacion/" + v.Token }

// Invitation is the page of a mailed invitation.
func (p *Portal) Invitation(w http.ResponseWriter, r *http.Request, token string) error {
	return p.showInvitation(w, r, http.StatusOK, token, nil)
}

func (p *Portal) showInvitation(w http.ResponseWriter, r *http.Request, status int, token string, errors map[string]string) error {
	ctx := r.Context()
	actor := access.From(ctx)
	invitation, err := p.Account.InvitationByToken(ctx, token, actor.Address)
	if err != nil {
		return err
	}
	view := invitationView{Invitation: invitation, Token: token, Errors: errors}
	if actor.Kind == access.Login && !actor.Viewing {
		view.SignedIn = actor.Email
	}
	return layout.Write(w, r, status, layout.Page{Title: t(ctx, "invitation.title"), Home: "/clientes", Plain: true}, invitationPage(view))
}

// AcceptInvitation accepts with a new password, or with the login that is signed in.
func (p *Portal) AcceptInvitation(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	actor := access.From(ctx)
	token := r.PostFormValue("token")
	var signed account.SignedIn
	var err error
	if r.PostFormValue("con") == "sesion" {
		signed, err = p.Account.AcceptInvitationSignedIn(ctx, token)
	} else {
		signed, err = p.Account.AcceptInvitation(ctx, account.AcceptInvitationInput{Token: token, Password: r.PostFormValue("password"),
			PasswordAgain: r.PostFormValue("passwordAgain"), Address: actor.Address, Device: actor.Device, DeviceKey: layout.DeviceKey(r)})
	}
	if f, ok := fault.As(err); ok && (f.Kind == fault.Invalid || f.Code == "LOGIN_EXISTS_SIGN_IN" || f.Code == "LOGIN_SERVES_ONE_CLIENT" || f.Code == "LOGIN_HAS_ACCESS") {
		lang, found := component.Lang(ctx), map[string]string{}
		for _, field := range f.Fields {
			found[field.Path] = locale.Error(lang, field.Code, field.Args)
		}
		if len(f.Fields) == 0 {
			found[""] = locale.Error(lang, f.Code, f.Args)
		}
		return p.showInvitation(w, r, http.StatusUnprocessableEntity, token, found)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "portal.flash.invitation_accepted")
	return p.identity().Signed(w, r, signed, "/clientes")
}

// ownershipView is the page about who owns a client, and how its people must sign in.
type ownershipView struct {
	Client   db.Client
	Owner    bool               // the reader decides
	Offer    *account.Handover  // an open offer
	To       string             // whom it was made to, by name
	Contacts []component.Option // whom it can be made to
	Errors   map[string]string
}

// Ownership shows it.
func (p *Portal) Ownership(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	return p.showOwnership(w, r, http.StatusOK, client, nil)
}

func (p *Portal) showOwnership(w http.ResponseWriter, r *http.Request, status int, client db.Client, errors map[string]string) error {
	ctx := r.Context()
	view := ownershipView{Client: client, Owner: access.RequireOwner(ctx, client.ID) == nil, Errors: errors}
	offer, err := p.Account.Handover(ctx, client.ID)
	switch {
	case err == nil:
		view.Offer = &offer
	case !fault.Is(err, fault.NotFound):
		return err
	case !view.Owner:
		return err // nothing here for others
	}
	if view.Owner {
		list, err := p.Account.ContactsInState(ctx, client.ID, db.SubAccountActive, db.Page{First: db.MaxPage})
		if err != nil {
			return err
		}
		for _, contact := range list.Rows {
			view.Contacts = append(view.Contacts, component.Option{Value: contact.ID.String(), Label: contact.Name() + " · " + contact.Email})
			if view.Offer != nil && view.Offer.ContactID == contact.ID {
				view.To = contact.Name()
			}
		}
	}
	return p.show(w, r, status, client, sectionAccount, t(ctx, "ownership.title"), ownershipPage(view))
}

// ChangeOwnership offers, withdraws, declines or accepts.
func (p *Portal) ChangeOwnership(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	ctx, flash := r.Context(), ""
	switch r.PostFormValue("accion") {
	case "ofrecer":
		var contactID id.Contact
		if contactID, err = id.ParseContact(r.PostFormValue("contact")); err != nil {
			return fault.Missing()
		}
		contact, failed := p.Account.Contact(ctx, contactID)
		if failed != nil {
			return failed
		}
		if contact.ClientID != client.ID {
			return fault.Missing()
		}
		_, err = p.Account.OfferHandover(ctx, contactID, r.PostFormValue("password"))
		flash = "portal.flash.handover_offered"
	case "terminar":
		err = p.Account.EndHandover(ctx, client.ID)
		flash = "portal.flash.handover_ended"
	case "aceptar":
		var signed account.SignedIn
		if signed, err = p.Account.AcceptHandover(ctx, client.ID); err == nil {
			p.identity().Rotate(w, r, signed)
		}
		flash = "portal.flash.handover_accepted"
	case "factor":
		_, err = p.Account.SetClientSecondFactor(ctx, client.ID, r.PostFormValue("required") != "")
		flash = "portal.flash.contact_saved"
	default:
		err = fault.Missing()
	}
	if f, ok := fault.As(err); ok && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		found := map[string]string{"": locale.Error(component.Lang(ctx), f.Code, f.Args)}
		for _, field := range f.Fields {
			found = map[string]string{field.Path: locale.Error(component.Lang(ctx), field.Code, field.Args)}
		}
		return p.showOwnership(w, r, http.StatusUnprocessableEntity, client, found)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, flash)
	return layout.Redirect(w, r, string(at(client.ID)))
}
