package fiscal

import (
	"context"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ProfileInput is whom documents are issued to. Names of fields are the SAT's.
type ProfileInput struct {
	ID                      id.FiscalProfile // 0: a new one
	ClientID                id.Client        // of a new one
	Rfc                     string
	Nombre                  string
	DomicilioFiscalReceptor string
	RegimenFiscalReceptor   string
	UsoCFDI                 string
	ResidenciaFiscal        string // ISO 3166-1 alpha-3, with the generic RFC of foreigners
	Default                 bool   // the first profile of a client always is
	// Contacts are those of the client that its documents are mailed to; nil leaves them as they are, and none means
	// every contact with the invoice preference.
	Contacts []id.Contact
}

// FiscalProfiles returns the profiles of a client, the default one first. Permission invoices or profile.
func (s *Service) FiscalProfiles(ctx context.Context, client id.Client) ([]db.FiscalProfile, error) {
	if err := s.requireProfile(ctx, client); err != nil {
		return nil, err
	}
	return s.Store.FiscalProfiles(ctx, client)
}

// FiscalProfile returns one profile. Permission invoices or profile.
func (s *Service) FiscalProfile(ctx context.Context, profile id.FiscalProfile) (db.FiscalProfile, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.FiscalProfile{}, err
	}
	row, err := s.Store.FiscalProfile(ctx, profile)
	if err == nil {
		err = s.requireProfile(ctx, row.ClientID)
	}
	if err != nil {
		return db.FiscalProfile{}, err
	}
	return row, nil
}

// ProfileContacts returns the contacts that the documents of profiles are mailed to, of clients whose profiles the actor
// may see; none means every contact with the invoice preference.
func (s *Service) ProfileContacts(ctx context.Context, profiles ...id.FiscalProfile) (map[id.FiscalProfile][]id.Contact, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.FiscalProfilesByID(ctx, profiles...)
	if err != nil {
		return nil, err
	}
	var seen []id.FiscalProfile
	for _, row := range rows {
		if s.requireProfile(ctx, row.ClientID) == nil {
			seen = append(seen, row.ID)
		}
	}
	return s.Store.ProfileContacts(ctx, seen...)
}

// requireProfile lets in who may see invoices, whose data these are, and who keeps the client's details.
func (s *Service) requireProfile(ctx context.Context, client id.Client) error {
	if access.Can(ctx, access.Profile, client) {
		return nil
	}
	return access.Require(ctx, access.Invoices, client)
}

// SaveFiscalProfile adds or changes a profile after the checks that the SAT's tables allow. The
// warnings (check digit, company suffix) are for the person to look at: the profile is saved.
// Permission invoices or profile. Documents to the profile that were refused are built anew from the corrected data and
// sent again, in the same transaction.
func (s *Service) SaveFiscalProfile(ctx context.Context, in ProfileInput) (db.FiscalProfile, Violations, error) {
	row := db.FiscalProfile{ClientID: in.ClientID}
	if in.ID != 0 {
		if err := access.RequireSignedIn(ctx); err != nil {
			return row, nil, err
		}
		var err error
		if row, err = s.Store.FiscalProfile(ctx, in.ID); err != nil {
			return row, nil, err
		}
		if row.DeletedAt != nil {
			return row, nil, fault.Missing()
		}
	}
	if err := s.requireProfile(ctx, row.ClientID); err != nil {
		return row, nil, err
	}
	// Who sees as the client, or may only read, changes nothing.
	permission := access.Profile
	if access.Can(ctx, access.Invoices, row.ClientID) {
		permission = access.Invoices
	}
	if err := access.RequireChange(ctx, permission, row.ClientID, access.ManageBilling); err != nil {
		return row, nil, err
	}
	var checks fault.Checks
	warnings := s.fill(&row, in, s.Catalogs(ctx), &checks)
	if err := checks.Err(); err != nil {
		return row, warnings, err
	}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		// Locked, so that two first profiles do not both become the default.
		if _, err := tx.LockClient(ctx, row.ClientID); err != nil {
			return err
		}
		others, err := tx.FiscalProfiles(ctx, row.ClientID)
		if err != nil {
			return err
		}
		row.Default = row.Default || in.Default || len(others) == 0
		if err := tx.SaveFiscalProfile(ctx, &row); err != nil {
			return err
		}
		if in.Contacts != nil {
			for _, contact := range in.Contacts {
				found, err := tx.Contact(ctx, contact)
				if err != nil {
					return err
				}
				if found.ClientID != row.ClientID || found.DeletedAt != nil {
					return fault.Missing()
				}
			}
			if err := tx.SetProfileContacts(ctx, row.ID, in.Contacts); err != nil {
				return err
			}
		}
		refused, err := tx.CFDIsRefusedOf(ctx, row.ID)
		if err != nil {
			return err
		}
		if len(refused) > 0 {
			if _, err := s.retry(ctx, tx, db.UnstampedRefused, refused...); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "fiscal_profile.save", Object: row.ID.String(), After: map[string]any{"rfc": row.Rfc,
			"nombre": row.Nombre, "domicilioFiscalReceptor": row.DomicilioFiscalReceptor, "regimenFiscalReceptor": row.RegimenFiscalReceptor, "usoCFDI": row.UsoCFDI,
			"contacts": in.Contacts}})
	})
	return row, warnings, err
}

// fill takes the input over and notes what is wrong with it.
func (s *Service) fill(row *db.FiscalProfile, in ProfileInput, cat *Catalogs, checks *fault.Checks) Violations {
	row.Rfc, row.Nombre = NormalizeRfc(in.Rfc), NormalizeNombre(in.Nombre)
	row.DomicilioFiscalReceptor, row.ResidenciaFiscal = strings.TrimSpace(in.DomicilioFiscalReceptor), ""
	row.RegimenFiscalReceptor, row.UsoCFDI = strings.TrimSpace(in.RegimenFiscalReceptor), strings.TrimSpace(in.UsoCFDI)
	warnings := checkRfc(checks, row.Rfc)
	checkNombre(checks, row.Nombre)
	if RfcGenerico(row.Rfc) { // the SAT fixes the rest; the postal code is that of the place of issue
		row.RegimenFiscalReceptor, row.UsoCFDI, row.DomicilioFiscalReceptor = "616", "S01", ""
		if row.Rfc == RfcGenericoExtranjero {
			row.ResidenciaFiscal = strings.ToUpper(strings.TrimSpace(in.ResidenciaFiscal))
			if !cat.Has(CatPais, row.ResidenciaFiscal, s.day()) || row.ResidenciaFiscal == "MEX" {
				checks.Add("residenciaFiscal", "FISCAL_RESIDENCIA")
			}
		}
		if row.Nombre == NombrePublicoEnGeneral {
			checks.Add("nombre", "FISCAL_NOMBRE_GENERIC")
		}
		return warnings
	}
	if short, differs := SuggestNombre(row.Nombre); differs {
		v := refuse("nombre_with_suffix", "", "nombre", "El nombre lleva el tipo de sociedad. En la Constancia de Situación Fiscal casi siempre aparece sin él: «%s».",
			"The name carries the type of company. The Constancia de Situación Fiscal almost always shows it without: %q.", short)
		v.Warning = true
		warnings = append(warnings, *v)
	}
	if !postalCode.MatchString(row.DomicilioFiscalReceptor) {
		checks.Add("domicilioFiscalReceptor", "FISCAL_CP")
	} else if !cat.Has(CatCodigoPostal, row.DomicilioFiscalReceptor, s.day()) {
		checks.Add("domicilioFiscalReceptor", "FISCAL_CP_UNKNOWN")
	}
	persona := PersonaOf(row.Rfc)
	if !fits(cat.Regimenes(persona, s.day()), row.RegimenFiscalReceptor) {
		checks.Add("regimenFiscalReceptor", "FISCAL_REGIMEN", "sat", "CFDI40158")
	} else if !fits(cat.Usos(persona, row.RegimenFiscalReceptor, s.day()), row.UsoCFDI) {
		checks.Add("usoCfdi", "FISCAL_USO", "sat", "CFDI40161")
	}
	return warnings
}

// checkRfc notes an impossible RFC; the warnings come back.
func checkRfc(checks *fault.Checks, rfc string) Violations {
	vs := CheckRfc(rfc, "rfc")
	if vs.Has("rfc_invalid") {
		checks.Add("rfc", "FISCAL_RFC")
	} else if vs.Has("rfc_date_invalid") {
		checks.Add("rfc", "FISCAL_RFC_DATE")
	}
	var warnings Violations
	for _, v := range vs {
		if v.Warning {
			warnings = append(warnings, v)
		}
	}
	return warnings
}

func checkNombre(checks *fault.Checks, nombre string) {
	switch n := len([]rune(nombre)); {
	case n == 0:
		checks.Add("nombre", "REQUIRED")
	case n > 254:
		checks.Add("nombre", "TOO_LONG", "max", 254)
	case strings.ContainsAny(nombre, "|\x00") || strings.ContainsFunc(nombre, func(r rune) bool { return r < ' ' || r == 0xFFFD }):
		checks.Add("nombre", "FISCAL_CHARACTER", "sat", "301")
	}
}

// Receptor is the receiver of a document for a profile.
func receptor(p db.FiscalProfile, lugar string) Receptor {
	r := Receptor{Rfc: p.Rfc, Nombre: p.Nombre, DomicilioFiscalReceptor: p.DomicilioFiscalReceptor, RegimenFiscalReceptor: p.RegimenFiscalReceptor,
		UsoCFDI: p.UsoCFDI, ResidenciaFiscal: p.ResidenciaFiscal}
	if RfcGenerico(p.Rfc) {
		r.DomicilioFiscalReceptor = lugar
	}
	return r
}
