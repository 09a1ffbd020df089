package account

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// maxPasskeys of a person: each is sent with every sign-in.
const maxPasskeys = 10

// NewPasskeys prepares passkeys (Web Authentication Level 3) for the address at which people reach the
// installation. The host of baseURL is the relying party: passkeys of another host are worth nothing here.
func NewPasskeys(baseURL, name string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("passkeys need the address at which people reach the installation")
	}
	return webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + u.Host}})
}

// holder shows a person to the webauthn library.
type holder struct {
	person   db.Person
	email    string
	passkeys []db.Passkey
}

// WebAuthnID is the user handle: no personal data (Web Authentication Level 3, section 14.6.1).
func (h holder) WebAuthnID() []byte {
	kind := byte('l')
	key := uint64(h.person.Login)
	if h.person.Staff != 0 {
		kind, key = 's', uint64(h.person.Staff)
	}
	return binary.BigEndian.AppendUint64([]byte{kind}, key)
}
func (h holder) WebAuthnName() string        { return h.email }
func (h holder) WebAuthnDisplayName() string { return h.email }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, 0, len(h.passkeys))
	for _, p := range h.passkeys {
		var c webauthn.Credential
		if json.Unmarshal(p.Credential, &c) == nil {
			list = append(list, c)
		}
	}
	return list
}

func (s *Service) holder(ctx context.Context, person db.Person) (holder, error) {
	email, err := s.emailOf(ctx, person)
	if err != nil {
		return holder{}, err
	}
	passkeys, err := s.Store.Passkeys(ctx, person)
	return holder{person, email, passkeys}, err
}

// PasskeyChallenge is what the browser is asked.
type PasskeyChallenge struct {
	Ceremony string          // token for the answer; "" at sign-in, where the pending token serves
	Options  json.RawMessage // for navigator.credentials.create or get, {"publicKey": ...}
}

// BeginPasskey asks the browser for a new passkey of the person who is signed in.
func (s *Service) BeginPasskey(ctx context.Context, password string) (PasskeyChallenge, error) {
	person, err := s.mayChangeFactors(ctx, password)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	if s.Passkeys == nil {
		return PasskeyChallenge{}, fault.New(fault.Unavailable, string(fault.Unavailable))
	}
	h, err := s.holder(ctx, person)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	if len(h.passkeys) >= maxPasskeys {
		return PasskeyChallenge{}, fault.New(fault.Conflict, "TOO_MANY_PASSKEYS").With("max", maxPasskeys)
	}
	exclude := []protocol.CredentialDescriptor{}
	for _, c := range h.WebAuthnCredentials() {
		exclude = append(exclude, c.Descriptor())
	}
	options, session, err := s.Passkeys.BeginRegistration(h, webauthn.WithExclusions(exclude),
		webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementPreferred))
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return s.challenge(ctx, person, options, session)
}

// challenge stores what the answer will be held against.
func (s *Service) challenge(ctx context.Context, person db.Person, options, session any) (PasskeyChallenge, error) {
	data, err := json.Marshal(session)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	text, err := json.Marshal(options)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	token := secret.Random()
	return PasskeyChallenge{Ceremony: token, Options: text}, s.Store.AddCeremony(ctx, &db.Ceremony{Purpose: db.CeremonyPasskey, TokenHash: hashToken(token),
		LoginID: person.Login, StaffID: person.Staff, Data: data, ExpiresAt: s.Now().Add(pendingMinutes * time.Minute)})
}

// AddPasskeyInput is the browser's answer to BeginPasskey.
type AddPasskeyInput struct {
	Ceremony string
	Name     string          // as the person calls it
	Response json.RawMessage // the PublicKeyCredential as JSON
}

// AddPasskey keeps a new passkey. It ends the person's other sessions and rotates this one, which counts
// as proved.
func (s *Service) AddPasskey(ctx context.Context, in AddPasskeyInput) (FactorAdded, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return FactorAdded{}, err
	}
	name, err := passkeyName(in.Name)
	if err != nil {
		return FactorAdded{}, err
	}
	person := personOf(ctx)
	row, err := s.Store.TryCeremony(ctx, db.CeremonyPasskey, hashToken(in.Ceremony), s.Now(), 1)
	if err == nil && row.Person() != person || fault.Is(err, fault.NotFound) {
		return FactorAdded{}, passkeyRefused(nil)
	}
	if err != nil {
		return FactorAdded{}, err
	}
	h, err := s.holder(ctx, person)
	if err != nil {
		return FactorAdded{}, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(row.Data, &session); err != nil {
		return FactorAdded{}, err
	}
	response, err := protocol.ParseCredentialCreationResponseBytes(in.Response)
	if err != nil {
		return FactorAdded{}, passkeyRefused(err)
	}
	credential, err := s.Passkeys.CreateCredential(h, session, response)
	if err != nil {
		return FactorAdded{}, passkeyRefused(err)
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return FactorAdded{}, err
	}
	var added FactorAdded
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		passkey := db.Passkey{LoginID: person.Login, StaffID: person.Staff, CredentialID: credential.ID, Name: name, Credential: data, CreatedAt: s.Now()}
		if err := tx.AddPasskey(ctx, &passkey); err != nil {
			return err
		}
		added, err = s.factorAdded(ctx, tx, person, "passkey.add", map[string]any{"name": name, "passkey": passkey.ID})
		return err
	})
	if db.Violates(err, "passkey_credential_id_key") {
		return FactorAdded{}, passkeyRefused(err)
	}
	return added, err
}

// passkeyName is what a person calls a passkey.
func passkeyName(text string) (string, error) {
	name, ok := cleanText(text)
	var checks fault.Checks
	switch {
	case !ok:
		checks.Add("name", "CONTROL_CHARACTERS")
	case name == "":
		checks.Add("name", "REQUIRED")
	case len([]rune(name)) > 60:
		checks.Add("name", "TOO_LONG", "max", 60)
	}
	return name, checks.Err()
}

// RenamePasskey gives one of the person's passkeys another name.
func (s *Service) RenamePasskey(ctx context.Context, passkeyID id.Passkey, name string) (db.Passkey, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return db.Passkey{}, err
	}
	name, err := passkeyName(name)
	if err != nil {
		return db.Passkey{}, err
	}
	var row db.Passkey
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.RenamePasskey(ctx, personOf(ctx), passkeyID, name); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "passkey.rename", Object: passkeyID.String(), After: map[string]any{"name": name}})
	})
	return row, err
}

func passkeyRefused(cause error) error {
	return fault.New(fault.Conflict, "PASSKEY_REFUSED").Because(cause)
}

// RemovePasskey takes a passkey away, unless it is the last factor where one is required.
func (s *Service) RemovePasskey(ctx context.Context, passkeyID id.Passkey, password string) (SignedIn, error) {
	person, err := s.mayChangeFactors(ctx, password)
	if err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.RemovePasskey(ctx, person, passkeyID); err != nil {
			return err
		}
		if err := s.mayLoseFactor(ctx, tx, person); err != nil {
			return err
		}
		if signed, err = s.rotate(ctx, tx, nil); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "passkey.remove", Object: passkeyID.String()})
	})
	return signed, err
}

// BeginPasskeySignIn asks the browser for one of the person's passkeys, as the second step of a sign-in.
func (s *Service) BeginPasskeySignIn(ctx context.Context, pending string) (PasskeyChallenge, error) {
	row, err := s.pending(ctx, pending)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	h, err := s.holder(ctx, row.Person())
	if err != nil {
		return PasskeyChallenge{}, err
	}
	if len(h.passkeys) == 0 || s.Passkeys == nil {
		return PasskeyChallenge{}, passkeyRefused(nil)
	}
	options, session, err := s.Passkeys.BeginLogin(h)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	data, err := json.Marshal(session)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	text, err := json.Marshal(options)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return PasskeyChallenge{Options: text}, s.Store.SetCeremonyData(ctx, row.ID, data)
}

// FinishPasskeySignIn answers the second step with the browser's answer to BeginPasskeySignIn. A counter
// that went back means a copied authenticator, and is refused.
func (s *Service) FinishPasskeySignIn(ctx context.Context, pending string, response json.RawMessage, deviceKey string) (SignedIn, error) {
	row, err := s.pending(ctx, pending)
	if err != nil {
		return SignedIn{}, err
	}
	h, err := s.holder(ctx, row.Person())
	if err != nil {
		return SignedIn{}, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(row.Data, &session); err != nil || session.Challenge == "" || s.Passkeys == nil {
		return SignedIn{}, passkeyRefused(err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return SignedIn{}, passkeyRefused(err)
	}
	credential, err := s.Passkeys.ValidateLogin(h, session, parsed)
	if err != nil {
		return SignedIn{}, passkeyRefused(err)
	}
	if credential.Authenticator.CloneWarning {
		return SignedIn{}, passkeyRefused(fmt.Errorf("signature counter went back"))
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return SignedIn{}, err
	}
	return s.finish(ctx, row, deviceKey, func(tx *db.Store) error {
		for _, p := range h.passkeys {
			if string(p.CredentialID) == string(credential.ID) {
				return tx.UsePasskey(ctx, p.ID, data, s.Now())
			}
		}
		return passkeyRefused(nil)
	})
}
