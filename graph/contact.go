package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func (r *resolver) addContact(ctx context.Context, in model.AddContactInput) (*db.Contact, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	return pointer(r.Account.AddContact(ctx, account.AddContactInput{
		ClientID: client, Details: *in.Details, SubAccount: in.SubAccount, Topics: in.Topics}))
}

func (r *resolver) updateContact(ctx context.Context, in model.UpdateContactInput) (*db.Contact, error) {
	contact, err := parsed(in.ContactID, ids.ParseContact)
	if err != nil {
		return nil, err
	}
	change := account.UpdateContactInput{ContactID: contact, SubAccount: in.SubAccount}
	if in.Topics != nil {
		change.Topics = &in.Topics
	}
	if in.Details != nil {
		row, err := r.Account.Contact(ctx, contact)
		if err != nil {
			return nil, err
		}
		details := account.DetailsOf(row)
		in.Details.Apply(&details)
		change.Details = &details
	}
	return pointer(r.Account.UpdateContact(ctx, change))
}

func (r *resolver) deleteContact(ctx context.Context, in model.DeleteContactInput) error {
	contact, err := parsed(in.ContactID, ids.ParseContact)
	if err != nil {
		return err
	}
	return r.Account.DeleteContact(ctx, contact)
}

func (r *resolver) setSubAccount(ctx context.Context, in model.SetSubAccountInput) (*db.Contact, error) {
	contact, err := parsed(in.ContactID, ids.ParseContact)
	if err != nil {
		return nil, err
	}
	return pointer(r.Account.SetSubAccount(ctx, contact, *in.SubAccount))
}

// setEmailPreferences serves a contact or the client's own address; idField names the one that was
// asked for.
func (r *resolver) setEmailPreferences(ctx context.Context, in model.SetEmailPreferencesInput) (contact *db.Contact, client *db.Client, idField string, err error) {
	if (in.ContactID == nil) == (in.ClientID == nil) {
		return nil, nil, "", oneOf("contactId")
	}
	if in.ClientID != nil {
		key, err := parsed(*in.ClientID, ids.ParseClient)
		if err == nil {
			client, err = pointer(r.Account.SetClientEmailPreferences(ctx, key, in.Topics))
		}
		return nil, client, "clientId", err
	}
	key, err := parsed(*in.ContactID, ids.ParseContact)
	if err == nil {
		contact, err = pointer(r.Account.SetEmailPreferences(ctx, key, in.Topics))
	}
	return contact, nil, "contactId", err
}

// oneOf refuses an input that names none of two things, or both.
func oneOf(path string) error {
	var checks fault.Checks
	checks.Add(path, "ONE_OF")
	return checks.Err()
}

// deref is an optional value; its zero when it was left out.
func deref[T any](value *T) T {
	if value == nil {
		var none T
		return none
	}
	return *value
}
