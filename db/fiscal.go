package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// When fiscal documents are issued.
const (
	CFDIOnPayment = "on_payment" // when the invoice is paid (PUE)
	CFDIOnIssue   = "on_issue"   // with the invoice (PPD), and a receipt per payment
	CFDIOnRequest = "on_request" // when somebody asks
)

// FiscalIssuer is the company as the SAT knows it. Field names are the SAT's.
type FiscalIssuer struct {
	bun.BaseModel `bun:"table:fiscal_issuer"`

	ID              int16     `bun:"id,pk"`
	Rfc             string    `bun:"rfc"`
	Nombre          string    `bun:"nombre"`
	RegimenFiscal   string    `bun:"regimen_fiscal"`
	LugarExpedicion string    `bun:"lugar_expedicion"`
	SerieIngreso    string    `bun:"serie_ingreso"`
	SerieEgreso     string    `bun:"serie_egreso"`
	SeriePago       string    `bun:"serie_pago"`
	SerieGlobal     string    `bun:"serie_global"`
	When            string    `bun:"cfdi_when"`
	Periodicidad    string    `bun:"global_periodicidad"` // of global invoices, c_Periodicidad; "" makes none
	CreditAlert     int       `bun:"credit_alert"`        // fewer stamps left are too few; 0 never warns
	AutomaticSince  time.Time `bun:"automatic_since,nullzero,default:now()"`
	UpdatedAt       time.Time `bun:"updated_at,nullzero,default:now()"`
}

// FiscalIssuer returns the issuer; NotFound before it is set up.
func (s *Store) FiscalIssuer(ctx context.Context) (FiscalIssuer, error) {
	var row FiscalIssuer
	err := s.idb.NewSelect().Model(&row).Where("id = 1").Scan(ctx)
	return row, translate(err)
}

// SaveFiscalIssuer writes the issuer. AutomaticSince is set once, when it is first written.
func (s *Store) SaveFiscalIssuer(ctx context.Context, row *FiscalIssuer) error {
	row.ID = 1
	_, err := s.idb.NewInsert().Model(row).ExcludeColumn("updated_at").On("CONFLICT (id) DO UPDATE").
		Set("rfc = EXCLUDED.rfc, nombre = EXCLUDED.nombre, regimen_fiscal = EXCLUDED.regimen_fiscal, lugar_expedicion = EXCLUDED.lugar_expedicion").
		Set("serie_ingreso = EXCLUDED.serie_ingreso, serie_egreso = EXCLUDED.serie_egreso, serie_pago = EXCLUDED.serie_pago, serie_global = EXCLUDED.serie_global").
		Set("cfdi_when = EXCLUDED.cfdi_when, global_periodicidad = EXCLUDED.global_periodicidad, credit_alert = EXCLUDED.credit_alert, updated_at = now()").Returning("automatic_since").Exec(ctx)
	return translate(err)
}

// CSD is a certificate with its encrypted key.
type CSD struct {
	bun.BaseModel `bun:"table:csd"`

	ID            int64     `bun:"id,pk,autoincrement"`
	Rfc           string    `bun:"rfc"`
	NoCertificado string    `bun:"no_certificado"`
	Cer           []byte    `bun:"cer"`
	Key           []byte    `bun:"key"` // encrypted
	ValidFrom     time.Time `bun:"valid_from"`
	ValidUntil    time.Time `bun:"valid_until"`
	Active        bool      `bun:"active"`
	CreatedAt     time.Time `bun:"created_at,nullzero,default:now()"`
}

// ActiveCSD returns the certificate in use; NotFound before one is uploaded.
func (s *Store) ActiveCSD(ctx context.Context) (CSD, error) {
	var row CSD
	err := s.idb.NewSelect().Model(&row).Where("active").Scan(ctx)
	return row, translate(err)
}

// AddCSD makes the certificate the one in use. The same one uploaded again replaces its key.
func (s *Store) AddCSD(ctx context.Context, row *CSD) error {
	if _, err := s.idb.NewUpdate().Table("csd").Set("active = false").Where("active").Exec(ctx); err != nil {
		return translate(err)
	}
	row.Active = true
	_, err := s.idb.NewInsert().Model(row).On("CONFLICT (no_certificado) DO UPDATE").
		Set("cer = EXCLUDED.cer, key = EXCLUDED.key, active = true").Exec(ctx)
	return translate(err)
}

// CSDs returns all certificates, for the rotation of the key that encrypts them.
func (s *Store) CSDs(ctx context.Context) ([]CSD, error) {
	rows := []CSD{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// SetCSDKey replaces the encrypted key of a certificate, if it is still the old one.
func (s *Store) SetCSDKey(ctx context.Context, row CSD, key []byte) error {
	_, err := s.idb.NewUpdate().Table("csd").Set("key = ?", key).Where("id = ?", row.ID).Where("key = ?", row.Key).Exec(ctx)
	return translate(err)
}

// FiscalProfile is whom a client's documents are issued to. Field names are the SAT's.
type FiscalProfile struct {
	bun.BaseModel `bun:"table:fiscal_profile"`

	ID                      id.FiscalProfile `bun:"id,pk,autoincrement"`
	ClientID                id.Client        `bun:"client_id"`
	Rfc                     string           `bun:"rfc"`
	Nombre                  string           `bun:"nombre"`
	DomicilioFiscalReceptor string           `bun:"domicilio_fiscal_receptor"`
	RegimenFiscalReceptor   string           `bun:"regimen_fiscal_receptor"`
	UsoCFDI                 string           `bun:"uso_cfdi"`
	ResidenciaFiscal        string           `bun:"residencia_fiscal"` // ISO 3166-1 alpha-3, of foreigners
	Default                 bool             `bun:"is_default"`
	CreatedAt               time.Time        `bun:"created_at,nullzero,default:now()"`
	UpdatedAt               time.Time        `bun:"updated_at,nullzero,default:now()"`
	DeletedAt               *time.Time       `bun:"deleted_at"`
}

// FiscalProfiles returns the profiles of a client, the default one first.
func (s *Store) FiscalProfiles(ctx context.Context, client id.Client) ([]FiscalProfile, error) {
	rows := []FiscalProfile{}
	err := s.idb.NewSelect().Model(&rows).Where("client_id = ?", client).Where("deleted_at IS NULL").OrderExpr("is_default DESC, id").Scan(ctx)
	return rows, translate(err)
}

// FiscalProfile returns one profile, closed or not.
func (s *Store) FiscalProfile(ctx context.Context, profile id.FiscalProfile) (FiscalProfile, error) {
	var row FiscalProfile
	err := s.idb.NewSelect().Model(&row).Where("id = ?", profile).Scan(ctx)
	return row, translate(err)
}

// FiscalProfilesByID returns profiles, closed or not, in any order.
func (s *Store) FiscalProfilesByID(ctx context.Context, profiles ...id.FiscalProfile) ([]FiscalProfile, error) {
	rows := []FiscalProfile{}
	if len(profiles) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(profiles)).Scan(ctx)
	return rows, translate(err)
}

// SaveFiscalProfile inserts a profile, or changes it when it has an id. A default one takes over from
// the earlier default.
func (s *Store) SaveFiscalProfile(ctx context.Context, row *FiscalProfile) error {
	if row.Default {
		if _, err := s.idb.NewUpdate().Table("fiscal_profile").Set("is_default = false").
			Where("client_id = ?", row.ClientID).Where("is_default").Where("id <> ?", row.ID).Exec(ctx); err != nil {
			return translate(err)
		}
	}
	if row.ID == 0 {
		_, err := s.idb.NewInsert().Model(row).Exec(ctx)
		return translate(err)
	}
	row.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(row).ExcludeColumn("client_id", "created_at").WherePK().Exec(ctx)
	return translate(err)
}

type profileContact struct {
	bun.BaseModel `bun:"table:fiscal_profile_contact"`

	ProfileID id.FiscalProfile `bun:"profile_id,pk"`
	ContactID id.Contact       `bun:"contact_id,pk"`
}

// ProfileContacts returns the contacts that are there still and that the documents of profiles are mailed to.
func (s *Store) ProfileContacts(ctx context.Context, profiles ...id.FiscalProfile) (map[id.FiscalProfile][]id.Contact, error) {
	found := map[id.FiscalProfile][]id.Contact{}
	if len(profiles) == 0 {
		return found, nil
	}
	var rows []profileContact
	err := s.idb.NewRaw(`SELECT own.profile_id, own.contact_id FROM fiscal_profile_contact AS own JOIN contact ON contact.id = own.contact_id AND contact.deleted_at IS NULL
		WHERE own.profile_id IN (?) ORDER BY 1, 2`, bun.List(profiles)).Scan(ctx, &rows)
	for _, row := range rows {
		found[row.ProfileID] = append(found[row.ProfileID], row.ContactID)
	}
	return found, translate(err)
}

// SetProfileContacts replaces the contacts of a profile.
func (s *Store) SetProfileContacts(ctx context.Context, profile id.FiscalProfile, contacts []id.Contact) error {
	if _, err := s.idb.NewDelete().Table("fiscal_profile_contact").Where("profile_id = ?", profile).Exec(ctx); err != nil || len(contacts) == 0 {
		return translate(err)
	}
	rows := make([]profileContact, len(contacts))
	for i, contact := range contacts {
		rows[i] = profileContact{ProfileID: profile, ContactID: contact}
	}
	_, err := s.idb.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx)
	return translate(err)
}

// CFDIWhen is when documents of the client are issued; "" where the company's rule counts.
func (s *Store) CFDIWhen(ctx context.Context, client id.Client) (string, error) {
	var when []string
	err := s.idb.NewSelect().Table("fiscal_preference").Column("cfdi_when").Where("client_id = ?", client).Scan(ctx, &when)
	if err != nil || len(when) == 0 {
		return "", translate(err)
	}
	return when[0], nil
}

// SetCFDIWhen sets when documents of the client are issued; "" goes back to the company's rule.
func (s *Store) SetCFDIWhen(ctx context.Context, client id.Client, when string) error {
	var err error
	if when == "" {
		_, err = s.idb.NewDelete().Table("fiscal_preference").Where("client_id = ?", client).Exec(ctx)
	} else {
		_, err = s.idb.NewRaw("INSERT INTO fiscal_preference (client_id, cfdi_when) VALUES (?, ?) ON CONFLICT (client_id) DO UPDATE SET cfdi_when = EXCLUDED.cfdi_when",
			client, when).Exec(ctx)
	}
	return translate(err)
}
