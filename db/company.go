package db

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// Company is the one company that runs this installation: the issuer of its invoices.
type Company struct {
	bun.BaseModel `bun:"table:company"`

	ID             int16      `bun:"id,pk" json:"-"`
	Name           string     `bun:"name" json:"name"`
	LegalName      string     `bun:"legal_name" json:"legalName"`
	TaxID          string     `bun:"tax_id" json:"taxId"`
	Email          string     `bun:"email" json:"email"`
	Phonenumber    string     `bun:"phonenumber" json:"phonenumber"`
	Website        string     `bun:"website" json:"website"`
	Address        string     `bun:"address" json:"address"`
	Signature      string     `bun:"signature" json:"-"`
	PaymentDetails string     `bun:"payment_details" json:"paymentDetails"`
	CLABE          string     `bun:"clabe" json:"clabe"` // account for transfers, 18 digits; "" for none
	BrandColour    string     `bun:"brand_colour" json:"brandColour"`
	LogoHash       string     `bun:"logo_hash" json:"logoHash,omitempty"` // of the picture, "" for none: see [Store.WithLogo]
	Logo           []byte     `bun:"-" json:"-"`
	PDFFooter      string     `bun:"pdf_footer" json:"pdfFooter"`
	Timezone       string     `bun:"timezone" json:"timezone"`
	Language       string     `bun:"language,nullzero,default:'es-MX'" json:"-"` // of pages for who has chosen none
	StaffFactor    bool       `bun:"staff_second_factor" json:"-"`               // staff must prove a second factor
	VerifyContacts bool       `bun:"verify_contacts" json:"-"`                   // new contacts are mailed once they confirmed their address
	VerifySince    *time.Time `bun:"verify_since" json:"-"`                      // addresses given before need no confirmation
	UpdatedAt      time.Time  `bun:"updated_at" json:"-"`
}

// HasLogo reports whether there is a picture.
func (c Company) HasLogo() bool { return c.LogoHash != "" }

// Company returns the company; NotFound before it is set up.
func (s *Store) Company(ctx context.Context) (Company, error) {
	var c Company
	err := s.idb.NewSelect().Model(&c).Where("id = 1").Scan(ctx)
	return c, translate(err)
}

// LockCompany returns the company and keeps others from changing it until the transaction ends.
func (s *Store) LockCompany(ctx context.Context) (Company, error) {
	var c Company
	err := s.idb.NewSelect().Model(&c).Where("id = 1").For("UPDATE").Scan(ctx)
	return c, translate(err)
}

// Brand is what anybody sees of the company.
type Brand struct {
	Name     string `bun:"name"`
	Email    string `bun:"email"`
	Website  string `bun:"website"`
	Colour   string `bun:"brand_colour"`
	Language string `bun:"language"`
	HasLogo  bool   `bun:"has_logo"`
	Version  int64  `bun:"version"` // changes with every change of the company
}

// Brand returns what anybody sees of the company; NotFound before it is set up.
func (s *Store) Brand(ctx context.Context) (Brand, error) {
	var b Brand
	err := s.idb.NewRaw("SELECT name, email, website, brand_colour, language, logo_hash <> '' AS has_logo, "+
		"(extract(epoch FROM updated_at) * 1000)::bigint AS version FROM company WHERE id = 1").Scan(ctx, &b)
	return b, translate(err)
}

// SaveCompany writes the company's settings.
func (s *Store) SaveCompany(ctx context.Context, c *Company) error {
	c.ID = 1
	_, err := s.idb.NewInsert().Model(c).ExcludeColumn("updated_at", "verify_contacts", "verify_since").On("CONFLICT (id) DO UPDATE").
		Set("name = EXCLUDED.name, legal_name = EXCLUDED.legal_name, tax_id = EXCLUDED.tax_id, email = EXCLUDED.email").
		Set("phonenumber = EXCLUDED.phonenumber, website = EXCLUDED.website, address = EXCLUDED.address").
		Set("signature = EXCLUDED.signature, payment_details = EXCLUDED.payment_details, clabe = EXCLUDED.clabe").
		Set("brand_colour = EXCLUDED.brand_colour, logo_hash = EXCLUDED.logo_hash, timezone = EXCLUDED.timezone").
		Set("pdf_footer = EXCLUDED.pdf_footer, language = EXCLUDED.language, updated_at = now()").
		Exec(ctx)
	return translate(err)
}

// SetStaffSecondFactor says whether staff must prove a second factor.
func (s *Store) SetStaffSecondFactor(ctx context.Context, required bool) error {
	return affected(s.idb.NewUpdate().Table("company").Set("staff_second_factor = ?", required).Set("updated_at = now()").Where("id = 1").Exec(ctx))
}

// StaffSecondFactor reports whether staff must prove a second factor; false before the company is set up.
func (s *Store) StaffSecondFactor(ctx context.Context) (bool, error) {
	var required bool
	err := s.idb.NewRaw("SELECT coalesce((SELECT staff_second_factor FROM company WHERE id = 1), false)").Scan(ctx, &required)
	return required, translate(err)
}

// Unverified reports whether the contact must confirm its address before it is reminded: the company wants
// it of addresses that were given or changed since then.
func (c Company) Unverified(k Contact) bool {
	given := k.CreatedAt
	if k.AddressChangedAt != nil {
		given = *k.AddressChangedAt
	}
	return c.VerifyContacts && c.VerifySince != nil && !given.Before(*c.VerifySince) && !strings.EqualFold(k.VerifiedEmail, k.Email)
}

// unverified is [Company.Unverified] of the contact k in SQL.
const unverified = "company.verify_contacts AND coalesce(k.address_changed_at, k.created_at) >= company.verify_since AND lower(k.verified_email) <> lower(k.email)"
