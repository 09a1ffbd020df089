package account

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// ContactDetails are the fields of a contact; only the email is required.
type ContactDetails struct {
	Firstname   string
	Lastname    string
	Companyname string
	Email       string
	Phonenumber string
	TaxID       string // RFC
	Address1    string
	Address2    string
	City        string
	State       string
	Postcode    string
	Country     string // ISO 3166-1 alpha-2; "" means MX
	Language    string // es-MX or en; "" means es-MX
	Timezone    string // IANA name; "" means the client's
}

// SubAccountInput gives a contact a login of its own, or takes it away.
type SubAccountInput struct {
	Active        bool // "Sub-Cuenta activada"; false takes the access away and keeps the preferences
	Invite        bool // mail an invitation link in the place of a password; for contacts without a login
	Password      string
	PasswordAgain string
	Permissions   []access.Permission
	ExpiresOn     date.Date // last day of access; "" means no end
}

// AddContactInput is the whole form: details, sub-account, permissions and preferences at once.
type AddContactInput struct {
	ClientID   id.Client
	Details    ContactDetails
	SubAccount *SubAccountInput // nil: no login
	Topics     []mail.Topic
}

// UpdateContactInput changes a contact. What is nil stays as it is.
type UpdateContactInput struct {
	ContactID  id.Contact
	Details    *ContactDetails
	SubAccount *SubAccountInput
	Topics     *[]mail.Topic
}

// field is a text field with its limit.
type field struct {
	path  string
	value *string
	max   int
}

// clean trims and normalises the details in place and notes what is wrong with them.
func (d *ContactDetails) clean(checks *fault.Checks) {
	fields := []field{
		{"firstname", &d.Firstname, 100}, {"lastname", &d.Lastname, 100}, {"companyname", &d.Companyname, 200},
		{"email", &d.Email, 254}, {"phonenumber", &d.Phonenumber, 40}, {"taxId", &d.TaxID, 13},
		{"address1", &d.Address1, 200}, {"address2", &d.Address2, 200}, {"city", &d.City, 100},
		{"state", &d.State, 100}, {"postcode", &d.Postcode, 20}, {"country", &d.Country, 2},
		{"language", &d.Language, 10}, {"timezone", &d.Timezone, 60},
	}
	for _, f := range fields {
		text, ok := cleanText(*f.value)
		*f.value = text
		switch {
		case !ok:
			checks.Add(f.path, "CONTROL_CHARACTERS")
		case len([]rune(text)) > f.max:
			checks.Add(f.path, "TOO_LONG", "max", f.max)
		}
	}
	if d.Email == "" {
		checks.Add("email", "REQUIRED")
	} else if !checks.Has("email") {
		checkAddress(checks, d.Email)
	}
	d.TaxID, d.Country = strings.ToUpper(d.TaxID), strings.ToUpper(d.Country)
	if d.Country == "" {
		d.Country = "MX"
	}
	if region, err := language.ParseRegion(d.Country); err != nil || !region.IsCountry() || region.String() != d.Country {
		checks.Add("country", "COUNTRY_UNKNOWN")
	}
	if n := len([]rune(d.TaxID)); d.TaxID != "" && d.Country == "MX" && (n < 12 || n > 13) && !checks.Has("taxId") {
		checks.Add("taxId", "TAX_ID_MALFORMED")
	}
	if d.Language == "" {
		d.Language = locale.Spanish
	}
	if !locale.Valid(d.Language) {
		checks.Add("language", "LANGUAGE_UNKNOWN")
	}
	if d.Timezone != "" {
		if _, err := time.LoadLocation(d.Timezone); err != nil || d.Timezone == "Local" {
			checks.Add("timezone", "TIMEZONE_UNKNOWN")
		}
	}
}

// typedAddress is an address as somebody types it to be found, in the form in which addresses are stored.
func typedAddress(text string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(text)))
}

// checkAddress notes an email address that no mail can go to, or that looks like another one.
func checkAddress(checks *fault.Checks, text string) {
	if _, ok := mail.Address(text); !ok {
		checks.Add("email", "EMAIL_MALFORMED")
	} else if mail.Disguised(strings.TrimSpace(text)) {
		checks.Add("email", "EMAIL_DISGUISED")
	}
}

// cleanText trims, collapses inner white space and normalises to NFC, so that what looks the same is
// the same. Control characters (mail header injection) and invisible direction marks are refused.
func cleanText(text string) (string, bool) {
	text = norm.NFC.String(strings.TrimSpace(text))
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return text, false
		}
	}
	return strings.Join(strings.Fields(text), " "), true
}

// apply writes the details onto a row.
func (d ContactDetails) apply(row *db.Contact) {
	row.Firstname, row.Lastname, row.Companyname, row.Email = d.Firstname, d.Lastname, d.Companyname, d.Email
	row.Phonenumber, row.TaxID, row.Address1, row.Address2 = d.Phonenumber, d.TaxID, d.Address1, d.Address2
	row.City, row.State, row.Postcode, row.Country = d.City, d.State, d.Postcode, d.Country
	row.Language, row.Timezone = d.Language, d.Timezone
}

// DetailsOf is the form filled with a contact.
func DetailsOf(row db.Contact) ContactDetails {
	return ContactDetails{Firstname: row.Firstname, Lastname: row.Lastname, Companyname: row.Companyname, Email: row.Email,
		Phonenumber: row.Phonenumber, TaxID: row.TaxID, Address1: row.Address1, Address2: row.Address2, City: row.City,
		State: row.State, Postcode: row.Postcode, Country: row.Country, Language: row.Language, Timezone: row.Timezone}
}

// cleanPermissions removes repetitions, orders as people know it and notes unknown keys.
func cleanPermissions(checks *fault.Checks, path string, given []access.Permission) []access.Permission {
	for _, p := range given {
		if !p.Valid() {
			checks.Add(path, "PERMISSION_UNKNOWN", "value", clip(string(p)))
		}
	}
	clean := []access.Permission{}
	for _, p := range access.Permissions() {
		if slices.Contains(given, p) {
			clean = append(clean, p)
		}
	}
	return clean
}

// cleanTopics removes repetitions, orders as people know it and notes unknown keys.
func cleanTopics(checks *fault.Checks, given []mail.Topic) []mail.Topic {
	for _, t := range given {
		if !t.Valid() {
			checks.Add("topics", "TOPIC_UNKNOWN", "value", clip(string(t)))
		}
	}
	clean := []mail.Topic{}
	for _, t := range mail.Topics() {
		if slices.Contains(given, t) {
			clean = append(clean, t)
		}
	}
	return clean
}

// clip keeps what people typed short inside a message.
func clip(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
}

func today(now time.Time, zone string) date.Date { return date.Today(now, zone) }
