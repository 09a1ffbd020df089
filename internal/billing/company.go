package billing

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// CompanyInput is what the company says about itself: on its documents, its mails and its pages.
type CompanyInput struct {
	Name           string // as clients know it
	LegalName      string
	TaxID          string
	Email          string // of billing; mails come from it
	Phonenumber    string
	Website        string // without https://
	Address        string
	Signature      string // under mails; may have lines
	PaymentDetails string // how to pay by transfer; may have lines
	CLABE          string // 18 digits, "" for none
	BrandColour    string // #rrggbb
	PDFFooter      string // on every page of documents; "" is name, website and address for mail
	Timezone       string // IANA name: where the company's days begin
	Language       string // of pages for who has chosen none
}

// Limits of a logo.
const (
	MaxLogoBytes = 512 << 10
	MaxLogoSide  = 2000 // pixels
	minLogoSide  = 16
)

// Company returns the settings. Whoever may change them reads them.
func (s *Service) Company(ctx context.Context) (db.Company, error) {
	if err := access.RequireCapability(ctx, access.ManageCompany); err != nil {
		return db.Company{}, err
	}
	return s.Store.Company(ctx)
}

// Brand returns what anybody sees of the company; NotFound before it is set up.
func (s *Service) Brand(ctx context.Context) (db.Brand, error) { return s.Store.Brand(ctx) }

// Logo returns the company's picture, PNG or JPEG; NotFound when there is none.
func (s *Service) Logo(ctx context.Context) ([]byte, error) {
	company, err := s.Store.Company(ctx)
	if err != nil {
		return nil, err
	}
	if company.LogoHash == "" {
		return nil, fault.Missing()
	}
	company, err = s.Store.WithLogo(ctx, company)
	return company.Logo, err
}

// CompanyOf is the form filled with the settings.
func CompanyOf(c db.Company) CompanyInput {
	return CompanyInput{Name: c.Name, LegalName: c.LegalName, TaxID: c.TaxID, Email: c.Email, Phonenumber: c.Phonenumber, Website: c.Website,
		Address: c.Address, Signature: c.Signature, PaymentDetails: c.PaymentDetails, CLABE: c.CLABE, BrandColour: c.BrandColour,
		PDFFooter: c.PDFFooter, Timezone: c.Timezone, Language: c.Language}
}

// UpdateCompany changes the settings as change does with those in force, so that two changes of different
// fields at once both last; documents that were issued keep what they say. Field faults: REQUIRED,
// TOO_LONG, CONTROL_CHARACTERS, EMAIL_MALFORMED, TAX_ID_MALFORMED, CLABE_INVALID, COLOUR_INVALID,
// TIMEZONE_UNKNOWN, LANGUAGE_UNKNOWN, WEBSITE_MALFORMED.
func (s *Service) UpdateCompany(ctx context.Context, change func(in *CompanyInput)) (db.Company, error) {
	if err := access.RequireCapability(ctx, access.ManageCompany); err != nil {
		return db.Company{}, err
	}
	return s.changeCompany(ctx, "company.update", func(_ *db.Store, c *db.Company) (before, after any, err error) {
		in := CompanyOf(*c)
		before = in
		change(&in)
		var checks fault.Checks
		in.check(&checks)
		if err := checks.Err(); err != nil {
			return nil, nil, err
		}
		c.Name, c.LegalName, c.TaxID, c.Email, c.Phonenumber, c.Website = in.Name, in.LegalName, in.TaxID, in.Email, in.Phonenumber, in.Website
		c.Address, c.Signature, c.PaymentDetails, c.CLABE, c.BrandColour = in.Address, in.Signature, in.PaymentDetails, in.CLABE, in.BrandColour
		c.PDFFooter, c.Timezone, c.Language = in.PDFFooter, in.Timezone, in.Language
		return before, in, nil
	})
}

// SetLogo sets the company's picture, or removes it when raw is empty; documents that were issued keep theirs. It is decoded and written anew, so that
// nothing else that the file carries is kept. Field faults on "logo": LOGO_TOO_LARGE, LOGO_INVALID.
func (s *Service) SetLogo(ctx context.Context, raw []byte) (db.Company, error) {
	if err := access.RequireCapability(ctx, access.ManageCompany); err != nil {
		return db.Company{}, err
	}
	var logo []byte
	if len(raw) > 0 {
		var code string
		if logo, code = cleanLogo(raw); code != "" {
			var checks fault.Checks
			checks.Add("logo", code, "kb", MaxLogoBytes>>10, "max", MaxLogoSide)
			return db.Company{}, checks.Err()
		}
	}
	return s.changeCompany(ctx, "company.logo", func(tx *db.Store, c *db.Company) (before, after any, err error) {
		before = map[string]any{"logo": c.LogoHash}
		c.LogoHash, err = tx.AddLogo(ctx, logo)
		return before, map[string]any{"logo": c.LogoHash, "bytes": len(logo)}, err
	})
}

// changeCompany changes the settings in a transaction, with what the audit log keeps of it.
func (s *Service) changeCompany(ctx context.Context, verb string, change func(tx *db.Store, c *db.Company) (before, after any, err error)) (db.Company, error) {
	var row db.Company
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockCompany(ctx); err != nil {
			return err
		}
		before, after, err := change(tx, &row)
		if err != nil {
			return err
		}
		if err := tx.SaveCompany(ctx, &row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: verb, Before: before, After: after})
	})
	return row, err
}

// check normalises the input and notes what is wrong.
func (in *CompanyInput) check(checks *fault.Checks) {
	for _, f := range []struct {
		path     string
		value    *string
		max      int
		required bool
		lines    bool
	}{
		{"name", &in.Name, 100, true, false}, {"legalName", &in.LegalName, 254, false, false}, {"taxId", &in.TaxID, 20, false, false},
		{"email", &in.Email, 254, true, false}, {"phonenumber", &in.Phonenumber, 30, false, false}, {"website", &in.Website, 100, false, false},
		{"address", &in.Address, 300, false, false}, {"signature", &in.Signature, 500, false, true},
		{"paymentDetails", &in.PaymentDetails, 1000, false, true}, {"pdfFooter", &in.PDFFooter, 200, false, false},
		{"clabe", &in.CLABE, 30, false, false}, {"brandColour", &in.BrandColour, 7, true, false},
	} {
		*f.value = norm.NFC.String(strings.ReplaceAll(*f.value, "\r\n", "\n"))
		checkText(checks, f.path, f.value, f.required, f.max)
		if !f.lines && strings.ContainsAny(*f.value, "\n\t") && !checks.Has(f.path) {
			checks.Add(f.path, "CONTROL_CHARACTERS")
		}
	}
	if _, ok := mail.Address(in.Email); in.Email != "" && !ok && !checks.Has("email") {
		checks.Add("email", "EMAIL_MALFORMED")
	}
	in.TaxID, in.BrandColour = strings.ToUpper(in.TaxID), strings.ToLower(in.BrandColour)
	if n := len([]rune(in.TaxID)); n != 0 && n != 12 && n != 13 && !checks.Has("taxId") {
		checks.Add("taxId", "TAX_ID_MALFORMED")
	}
	in.CLABE = strings.ReplaceAll(in.CLABE, " ", "")
	if in.CLABE != "" && !ValidCLABE(in.CLABE) && !checks.Has("clabe") {
		checks.Add("clabe", "CLABE_INVALID")
	}
	if in.BrandColour != "" && !isColour(in.BrandColour) && !checks.Has("brandColour") {
		checks.Add("brandColour", "COLOUR_INVALID")
	}
	in.Website = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(in.Website, "https://"), "http://"), "/")
	if strings.ContainsAny(in.Website, " <>\"'@:\\") && !checks.Has("website") {
		checks.Add("website", "WEBSITE_MALFORMED")
	}
	if _, err := time.LoadLocation(in.Timezone); err != nil || in.Timezone == "" || in.Timezone == "Local" {
		checks.Add("timezone", "TIMEZONE_UNKNOWN")
	}
	if !locale.Valid(in.Language) {
		checks.Add("language", "LANGUAGE_UNKNOWN")
	}
}

func isColour(text string) bool {
	return len(text) == 7 && text[0] == '#' && strings.Trim(text[1:], "0123456789abcdef") == ""
}

// cleanLogo decodes a PNG or JPEG picture within the limits and encodes it again; code says what is wrong.
func cleanLogo(raw []byte) (clean []byte, code string) {
	if len(raw) > MaxLogoBytes {
		return nil, "LOGO_TOO_LARGE"
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(raw)) // the formats that this file imports
	if err != nil || format != "png" && format != "jpeg" || min(config.Width, config.Height) < minLogoSide || max(config.Width, config.Height) > MaxLogoSide {
		return nil, "LOGO_INVALID"
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, "LOGO_INVALID"
	}
	var out bytes.Buffer
	if format == "png" {
		err = png.Encode(&out, picture)
	} else {
		err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: 92})
	}
	if err != nil {
		return nil, "LOGO_INVALID"
	}
	return out.Bytes(), ""
}
