package fiscal

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Issuer is the company as it issues documents, and what is missing until it can.
type Issuer struct {
	db.FiscalIssuer
	CSD      *db.CSD // nil: none uploaded
	DaysLeft int     // of the CSD
	PAC      bool    // documents can be stamped
	Sandbox  bool    // its stamps have no fiscal validity
}

// Ready reports whether documents can be issued.
func (i Issuer) Ready() bool {
	return i.Rfc != "" && i.CSD != nil && i.CSD.Rfc == i.Rfc && i.DaysLeft >= 0
}

// tester is a PAC whose stamps have no fiscal validity.
type tester interface{ Test() bool }

// Sandbox reports whether the PAC is the embedded one for tests.
func (s *Service) sandbox() bool {
	t, ok := s.PAC.(tester)
	return ok && t.Test()
}

// Issuer returns the company's fiscal settings. Staff only.
func (s *Service) Issuer(ctx context.Context) (Issuer, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return Issuer{}, err
	}
	return s.issuer(ctx, s.Store)
}

func (s *Service) issuer(ctx context.Context, tx *db.Store) (Issuer, error) {
	out := Issuer{PAC: s.PAC != nil, Sandbox: s.sandbox()}
	var err error
	if out.FiscalIssuer, err = tx.FiscalIssuer(ctx); err != nil && !fault.Is(err, fault.NotFound) {
		return out, err
	}
	csd, err := tx.ActiveCSD(ctx)
	switch {
	case fault.Is(err, fault.NotFound):
		return out, nil
	case err != nil:
		return out, err
	}
	out.CSD = &csd
	out.DaysLeft = int(csd.ValidUntil.Sub(s.Now()).Hours() / 24)
	if s.Now().After(csd.ValidUntil) {
		out.DaysLeft = -1
	}
	return out, nil
}

// IssuerInput are the company's fiscal settings. Names of fields are the SAT's.
type IssuerInput struct {
	Rfc, Nombre, RegimenFiscal, LugarExpedicion       string
	SerieIngreso, SerieEgreso, SeriePago, SerieGlobal string // "" is A, NC, P, G
	When                                              string // db.CFDIOnPayment where nothing is said
	Periodicidad                                      string // of global invoices, c_Periodicidad 01 to 05; "" makes none
	CreditAlert                                       int    // fewer stamps left at the PAC are too few; 0 never warns
}

var (
	postalCode = regexp.MustCompile(`^[0-9]{5}$`)
	serie      = regexp.MustCompile(`^[A-Z0-9]{1,10}$`)
)

// SaveIssuer writes the company's fiscal settings. Staff only.
func (s *Service) SaveIssuer(ctx context.Context, in IssuerInput) (db.FiscalIssuer, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.FiscalIssuer{}, err
	}
	row := db.FiscalIssuer{Rfc: NormalizeRfc(in.Rfc), Nombre: NormalizeNombre(in.Nombre), RegimenFiscal: strings.TrimSpace(in.RegimenFiscal),
		LugarExpedicion: strings.TrimSpace(in.LugarExpedicion), When: in.When, AutomaticSince: s.Now(), Periodicidad: in.Periodicidad, CreditAlert: in.CreditAlert,
		SerieIngreso: or(in.SerieIngreso, "A"), SerieEgreso: or(in.SerieEgreso, "NC"), SeriePago: or(in.SeriePago, "P"), SerieGlobal: or(in.SerieGlobal, "G")}
	var checks fault.Checks
	_ = checkRfc(&checks, row.Rfc) // warnings: the CSD must have the same RFC
	if RfcGenerico(row.Rfc) {
		checks.Add("rfc", "FISCAL_RFC_GENERIC")
	}
	checkNombre(&checks, row.Nombre)
	if !postalCode.MatchString(row.LugarExpedicion) {
		checks.Add("lugarExpedicion", "FISCAL_CP")
	} else if !s.Catalogs(ctx).Has(CatCodigoPostal, row.LugarExpedicion, s.day()) {
		checks.Add("lugarExpedicion", "FISCAL_CP_UNKNOWN")
	}
	if !fits(s.Catalogs(ctx).Regimenes(PersonaOf(row.Rfc), s.day()), row.RegimenFiscal) {
		checks.Add("regimenFiscal", "FISCAL_REGIMEN", "sat", "CFDI40141")
	}
	series := map[string]string{}
	for path, value := range map[string]string{"serieIngreso": row.SerieIngreso, "serieEgreso": row.SerieEgreso, "seriePago": row.SeriePago, "serieGlobal": row.SerieGlobal} {
		if !serie.MatchString(value) {
			checks.Add(path, "FISCAL_SERIE")
		}
		series[value] = path
	}
	if len(series) < 4 {
		checks.Add("serieIngreso", "FISCAL_SERIE_REPEATED")
	}
	if row.When == "" {
		row.When = db.CFDIOnPayment
	}
	if !slices.Contains(whens, row.When) {
		checks.Add("when", "VALUE_INVALID")
	}
	switch {
	case row.Periodicidad != "" && !fits(s.Catalogs(ctx).List(CatPeriodicidad, s.day()), row.Periodicidad):
		checks.Add("periodicidad", "VALUE_INVALID")
	case row.Periodicidad == "05" && row.RegimenFiscal != "621":
		checks.Add("periodicidad", "FISCAL_PERIODICIDAD")
	}
	if row.CreditAlert < 0 || row.CreditAlert > 1_000_000 {
		checks.Add("creditAlert", "NUMBER_RANGE", "min", 0, "max", 1_000_000)
	}
	if err := checks.Err(); err != nil {
		return row, err
	}
	return row, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.SaveFiscalIssuer(ctx, &row); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, MissedJob{At: s.Now().UnixMicro()}); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "fiscal.issuer", Object: row.Rfc, After: map[string]any{"rfc": row.Rfc, "nombre": row.Nombre,
			"regimenFiscal": row.RegimenFiscal, "lugarExpedicion": row.LugarExpedicion, "when": row.When, "periodicidad": row.Periodicidad, "creditAlert": row.CreditAlert}})
	})
}

var whens = []string{db.CFDIOnPayment, db.CFDIOnIssue, db.CFDIOnRequest}

func or(value, fallback string) string {
	if value = strings.ToUpper(strings.TrimSpace(value)); value == "" {
		return fallback
	}
	return value
}

// day is today for the validity of catalogs.
func (s *Service) day() string { return s.Now().In(ZonaCentro()).Format("2006-01-02") }

func fits(entries []Entry, key string) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Key == key })
}

// UploadCSDInput are the two files of a CSD and the password of its key.
type UploadCSDInput struct {
	Cer, Key []byte
	Password string
}

// UploadCSD takes the company's CSD into use after every check; its key is kept encrypted. Staff only.
func (s *Service) UploadCSD(ctx context.Context, in UploadCSDInput) (db.CSD, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.CSD{}, err
	}
	var checks fault.Checks
	if len(in.Cer) == 0 {
		checks.Add("cer", "REQUIRED")
	}
	if len(in.Key) == 0 {
		checks.Add("key", "REQUIRED")
	}
	if in.Password == "" {
		checks.Add("password", "REQUIRED")
	}
	if err := checks.Err(); err != nil {
		return db.CSD{}, err
	}
	issuer, err := s.Store.FiscalIssuer(ctx)
	if fault.Is(err, fault.NotFound) {
		return db.CSD{}, fault.New(fault.Conflict, "FISCAL_ISSUER_MISSING")
	}
	if err != nil {
		return db.CSD{}, err
	}
	csd, _, err := OpenCSD(in.Cer, in.Key, in.Password, issuer.Rfc, s.Now())
	if err == nil && len(s.Issuers) > 0 {
		err = csd.CheckIssuer(s.Issuers)
	}
	if vs, ok := asViolations(err); ok {
		return db.CSD{}, refusal(vs)
	}
	if err != nil {
		return db.CSD{}, err
	}
	return s.KeepCSD(ctx, csd)
}

// KeepCSD takes an opened CSD into use; its key is kept encrypted. Staff only.
func (s *Service) KeepCSD(ctx context.Context, csd *CSD) (db.CSD, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.CSD{}, err
	}
	if s.Keyring == nil {
		return db.CSD{}, fault.New(fault.Conflict, "FISCAL_SECRET_MISSING")
	}
	pkcs8, err := csd.PrivateKey()
	if err != nil {
		return db.CSD{}, err
	}
	defer clear(pkcs8)
	row := db.CSD{Rfc: csd.Rfc, NoCertificado: csd.NoCertificado, Cer: csd.X509.Raw, ValidFrom: csd.X509.NotBefore, ValidUntil: csd.X509.NotAfter}
	if row.Key, err = s.Keyring.Encrypt(pkcs8, csdContext(row)); err != nil {
		return db.CSD{}, err
	}
	return row, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddCSD(ctx, &row); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, MissedJob{At: s.Now().UnixMicro()}); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "fiscal.csd", Object: row.NoCertificado})
	})
}

// csdContext binds an encrypted key to its certificate.
func csdContext(row db.CSD) string { return "csd " + row.Rfc + " " + row.NoCertificado }

func (s *Service) openStoredCSD(row db.CSD) (*CSD, error) {
	if s.Keyring == nil {
		return nil, fault.New(fault.Unavailable, "FISCAL_SECRET_MISSING")
	}
	pkcs8, err := s.Keyring.Decrypt(row.Key, csdContext(row))
	if err != nil {
		return nil, err
	}
	defer clear(pkcs8)
	return RestoreCSD(row.Cer, pkcs8)
}

// RotateKeys encrypts the stored keys anew with the ring's current key and returns how many changed.
// Background work and commands only.
func (s *Service) RotateKeys(ctx context.Context) (int, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return 0, err
	}
	if s.Keyring == nil {
		return 0, fault.New(fault.Conflict, "FISCAL_SECRET_MISSING")
	}
	rows, err := s.Store.CSDs(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, row := range rows {
		key, changed, err := s.Keyring.Rotate(row.Key, csdContext(row))
		if err != nil {
			return n, err
		}
		if !changed {
			continue
		}
		if err := s.Store.SetCSDKey(ctx, row, key); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// When is when documents of a client are issued: its own rule, "" where the company's counts, and the company's.
type When struct{ Client, Company string }

// Rule is the rule that counts.
func (w When) Rule() string { return cmp.Or(w.Client, w.Company) }

// When returns when documents of a client are issued. Permission invoices or profile.
func (s *Service) When(ctx context.Context, client id.Client) (When, error) {
	if err := s.requireProfile(ctx, client); err != nil {
		return When{}, err
	}
	return s.when(ctx, s.Store, client)
}

func (s *Service) when(ctx context.Context, tx *db.Store, client id.Client) (When, error) {
	issuer, err := tx.FiscalIssuer(ctx)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return When{}, err
	}
	own, err := tx.CFDIWhen(ctx, client)
	return When{Client: own, Company: cmp.Or(issuer.When, db.CFDIOnPayment)}, err
}

// SetWhen sets when documents of a client are issued; "" goes back to the company's rule. The client itself (permission
// invoices) chooses between payment and request; with the invoice (PPD) is the company's decision, because the income
// counts from then on, and only staff sets or ends it.
func (s *Service) SetWhen(ctx context.Context, client id.Client, when string) error {
	if err := access.RequireChange(ctx, access.Invoices, client, access.ManageBilling); err != nil {
		return err
	}
	if when != "" && !slices.Contains(whens, when) {
		var checks fault.Checks
		checks.Add("when", "VALUE_INVALID")
		return checks.Err()
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		before, err := s.when(ctx, tx, client)
		if err != nil {
			return err
		}
		if access.From(ctx).Kind == access.Login && (when == db.CFDIOnIssue || before.Rule() == db.CFDIOnIssue) {
			return fault.New(fault.Conflict, "FISCAL_WHEN_STAFF")
		}
		if err := tx.SetCFDIWhen(ctx, client, when); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: client, Verb: "fiscal.when", Object: client.String(), Before: map[string]any{"when": before.Client}, After: map[string]any{"when": when}})
	})
}
