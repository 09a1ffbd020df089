package id

import (
	"fmt"
	"io"
)

// The prefixes of global ids, by kind.
const (
	ClientPrefix       = "cli"
	ContactPrefix      = "con"
	LoginPrefix        = "log"
	StaffPrefix        = "stf"
	SubAccountPrefix   = "sub"
	SessionPrefix      = "ses"
	InvoicePrefix      = "inv"
	InvoiceLinePrefix  = "lin"
	PaymentPrefix      = "pay"
	PolicyPrefix       = "pol"
	StepPrefix         = "stp"
	DeliveryPrefix     = "del"
	AuditPrefix        = "aud"
	TokenPrefix        = "tok"
	PasskeyPrefix      = "psk"
	FailedSignInPrefix = "fsi"
	LinkPrefix         = "lnk"
	CreditNotePrefix   = "crn"
	RefundPrefix       = "rfd"
	ProductPrefix      = "prd"
	ServicePrefix      = "svc"
	MovementPrefix     = "mov"
	CheckoutPrefix     = "chk"
	GatewayEventPrefix = "gev"
	GroupPrefix        = "grp"
	LateFeePrefix      = "fee"
	TemplatePrefix     = "tpl"
	EmailPrefix        = "eml"
	RunPrefix          = "run"
)

// Client identifies the billable party.
type Client int64

func (v Client) String() string               { return format(ClientPrefix, int64(v)) }
func (v Client) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Client) UnmarshalText(text []byte) error {
	return unmarshal(ClientPrefix, string(text), (*int64)(v))
}
func (v Client) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Client) UnmarshalGQL(text any) error { return unmarshal(ClientPrefix, text, (*int64)(v)) }

// ParseClient reads the global id of the billable party.
func ParseClient(text string) (Client, error) {
	n, err := parse(ClientPrefix, text)
	return Client(n), err
}

// Contact identifies a person or mailbox of a client.
type Contact int64

func (v Contact) String() string               { return format(ContactPrefix, int64(v)) }
func (v Contact) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Contact) UnmarshalText(text []byte) error {
	return unmarshal(ContactPrefix, string(text), (*int64)(v))
}
func (v Contact) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Contact) UnmarshalGQL(text any) error { return unmarshal(ContactPrefix, text, (*int64)(v)) }

// ParseContact reads the global id of a person or mailbox of a client.
func ParseContact(text string) (Contact, error) {
	n, err := parse(ContactPrefix, text)
	return Contact(n), err
}

// Login identifies a person's credentials.
type Login int64

func (v Login) String() string               { return format(LoginPrefix, int64(v)) }
func (v Login) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Login) UnmarshalText(text []byte) error {
	return unmarshal(LoginPrefix, string(text), (*int64)(v))
}
func (v Login) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Login) UnmarshalGQL(text any) error { return unmarshal(LoginPrefix, text, (*int64)(v)) }

// ParseLogin reads the global id of a person's credentials.
func ParseLogin(text string) (Login, error) {
	n, err := parse(LoginPrefix, text)
	return Login(n), err
}

// Staff identifies a person of the company.
type Staff int64

func (v Staff) String() string               { return format(StaffPrefix, int64(v)) }
func (v Staff) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Staff) UnmarshalText(text []byte) error {
	return unmarshal(StaffPrefix, string(text), (*int64)(v))
}
func (v Staff) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Staff) UnmarshalGQL(text any) error { return unmarshal(StaffPrefix, text, (*int64)(v)) }

// ParseStaff reads the global id of a person of the company.
func ParseStaff(text string) (Staff, error) {
	n, err := parse(StaffPrefix, text)
	return Staff(n), err
}

// SubAccount identifies a login's access to one client.
type SubAccount int64

func (v SubAccount) String() string               { return format(SubAccountPrefix, int64(v)) }
func (v SubAccount) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *SubAccount) UnmarshalText(text []byte) error {
	return unmarshal(SubAccountPrefix, string(text), (*int64)(v))
}
func (v SubAccount) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *SubAccount) UnmarshalGQL(text any) error {
	return unmarshal(SubAccountPrefix, text, (*int64)(v))
}

// ParseSubAccount reads the global id of a login's access to one client.
func ParseSubAccount(text string) (SubAccount, error) {
	n, err := parse(SubAccountPrefix, text)
	return SubAccount(n), err
}

// Session identifies one signed-in device.
type Session int64

func (v Session) String() string               { return format(SessionPrefix, int64(v)) }
func (v Session) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Session) UnmarshalText(text []byte) error {
	return unmarshal(SessionPrefix, string(text), (*int64)(v))
}
func (v Session) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Session) UnmarshalGQL(text any) error { return unmarshal(SessionPrefix, text, (*int64)(v)) }

// ParseSession reads the global id of one signed-in device.
func ParseSession(text string) (Session, error) {
	n, err := parse(SessionPrefix, text)
	return Session(n), err
}

// Policy identifies a reminder policy.
type Policy int64

func (v Policy) String() string               { return format(PolicyPrefix, int64(v)) }
func (v Policy) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Policy) UnmarshalText(text []byte) error {
	return unmarshal(PolicyPrefix, string(text), (*int64)(v))
}
func (v Policy) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Policy) UnmarshalGQL(text any) error { return unmarshal(PolicyPrefix, text, (*int64)(v)) }

// ParsePolicy reads the global id of a reminder policy.
func ParsePolicy(text string) (Policy, error) {
	n, err := parse(PolicyPrefix, text)
	return Policy(n), err
}

// Step identifies one entry of a reminder policy.
type Step int64

func (v Step) String() string               { return format(StepPrefix, int64(v)) }
func (v Step) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Step) UnmarshalText(text []byte) error {
	return unmarshal(StepPrefix, string(text), (*int64)(v))
}
func (v Step) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Step) UnmarshalGQL(text any) error { return unmarshal(StepPrefix, text, (*int64)(v)) }

// ParseStep reads the global id of one entry of a reminder policy.
func ParseStep(text string) (Step, error) {
	n, err := parse(StepPrefix, text)
	return Step(n), err
}

// Delivery identifies one mail of one step of one invoice to one recipient.
type Delivery int64

func (v Delivery) String() string               { return format(DeliveryPrefix, int64(v)) }
func (v Delivery) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Delivery) UnmarshalText(text []byte) error {
	return unmarshal(DeliveryPrefix, string(text), (*int64)(v))
}
func (v Delivery) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Delivery) UnmarshalGQL(text any) error { return unmarshal(DeliveryPrefix, text, (*int64)(v)) }

// ParseDelivery reads the global id of one mail of one step of one invoice to one recipient.
func ParseDelivery(text string) (Delivery, error) {
	n, err := parse(DeliveryPrefix, text)
	return Delivery(n), err
}

// Audit identifies one entry of the audit log.
type Audit int64

func (v Audit) String() string               { return format(AuditPrefix, int64(v)) }
func (v Audit) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Audit) UnmarshalText(text []byte) error {
	return unmarshal(AuditPrefix, string(text), (*int64)(v))
}
func (v Audit) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Audit) UnmarshalGQL(text any) error { return unmarshal(AuditPrefix, text, (*int64)(v)) }

// ParseAudit reads the global id of one entry of the audit log.
func ParseAudit(text string) (Audit, error) {
	n, err := parse(AuditPrefix, text)
	return Audit(n), err
}

// Token identifies an API token.
type Token int64

func (v Token) String() string               { return format(TokenPrefix, int64(v)) }
func (v Token) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Token) UnmarshalText(text []byte) error {
	return unmarshal(TokenPrefix, string(text), (*int64)(v))
}
func (v Token) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Token) UnmarshalGQL(text any) error { return unmarshal(TokenPrefix, text, (*int64)(v)) }

// ParseToken reads the global id of an API token.
func ParseToken(text string) (Token, error) {
	n, err := parse(TokenPrefix, text)
	return Token(n), err
}

// FailedSignIn identifies a count of failed sign-ins.
type FailedSignIn int64

func (v FailedSignIn) String() string               { return format(FailedSignInPrefix, int64(v)) }
func (v FailedSignIn) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *FailedSignIn) UnmarshalText(text []byte) error {
	return unmarshal(FailedSignInPrefix, string(text), (*int64)(v))
}
func (v FailedSignIn) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *FailedSignIn) UnmarshalGQL(text any) error {
	return unmarshal(FailedSignInPrefix, text, (*int64)(v))
}

// ParseFailedSignIn reads the global id of a count of failed sign-ins.
func ParseFailedSignIn(text string) (FailedSignIn, error) {
	n, err := parse(FailedSignInPrefix, text)
	return FailedSignIn(n), err
}

// Passkey identifies a passkey.
type Passkey int64

func (v Passkey) String() string               { return format(PasskeyPrefix, int64(v)) }
func (v Passkey) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Passkey) UnmarshalText(text []byte) error {
	return unmarshal(PasskeyPrefix, string(text), (*int64)(v))
}
func (v Passkey) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Passkey) UnmarshalGQL(text any) error { return unmarshal(PasskeyPrefix, text, (*int64)(v)) }

// ParsePasskey reads the global id of a passkey.
func ParsePasskey(text string) (Passkey, error) {
	n, err := parse(PasskeyPrefix, text)
	return Passkey(n), err
}

// Link identifies a single-use link in a mail.
type Link int64

func (v Link) String() string               { return format(LinkPrefix, int64(v)) }
func (v Link) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Link) UnmarshalText(text []byte) error {
	return unmarshal(LinkPrefix, string(text), (*int64)(v))
}
func (v Link) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Link) UnmarshalGQL(text any) error { return unmarshal(LinkPrefix, text, (*int64)(v)) }

// ParseLink reads the global id of a single-use link in a mail.
func ParseLink(text string) (Link, error) {
	n, err := parse(LinkPrefix, text)
	return Link(n), err
}

// Group identifies a group of clients.
type Group int64

func (v Group) String() string               { return format(GroupPrefix, int64(v)) }
func (v Group) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Group) UnmarshalText(text []byte) error {
	return unmarshal(GroupPrefix, string(text), (*int64)(v))
}
func (v Group) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Group) UnmarshalGQL(text any) error { return unmarshal(GroupPrefix, text, (*int64)(v)) }

// ParseGroup reads the global id of a group of clients.
func ParseGroup(text string) (Group, error) {
	n, err := parse(GroupPrefix, text)
	return Group(n), err
}

// LateFee identifies a rule for late fees.
type LateFee int64

func (v LateFee) String() string               { return format(LateFeePrefix, int64(v)) }
func (v LateFee) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *LateFee) UnmarshalText(text []byte) error {
	return unmarshal(LateFeePrefix, string(text), (*int64)(v))
}
func (v LateFee) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *LateFee) UnmarshalGQL(text any) error { return unmarshal(LateFeePrefix, text, (*int64)(v)) }

// ParseLateFee reads the global id of a rule for late fees.
func ParseLateFee(text string) (LateFee, error) {
	n, err := parse(LateFeePrefix, text)
	return LateFee(n), err
}

// Template identifies a stored version of a mail template.
type Template int64

func (v Template) String() string               { return format(TemplatePrefix, int64(v)) }
func (v Template) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Template) UnmarshalText(text []byte) error {
	return unmarshal(TemplatePrefix, string(text), (*int64)(v))
}
func (v Template) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Template) UnmarshalGQL(text any) error { return unmarshal(TemplatePrefix, text, (*int64)(v)) }

// ParseTemplate reads the global id of a stored version of a mail template.
func ParseTemplate(text string) (Template, error) {
	n, err := parse(TemplatePrefix, text)
	return Template(n), err
}

// Email identifies a mail that a client was sent.
type Email int64

func (v Email) String() string               { return format(EmailPrefix, int64(v)) }
func (v Email) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Email) UnmarshalText(text []byte) error {
	return unmarshal(EmailPrefix, string(text), (*int64)(v))
}
func (v Email) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Email) UnmarshalGQL(text any) error { return unmarshal(EmailPrefix, text, (*int64)(v)) }

// ParseEmail reads the global id of a mail that a client was sent.
func ParseEmail(text string) (Email, error) {
	n, err := parse(EmailPrefix, text)
	return Email(n), err
}

// Run identifies a run of reminders that somebody asked for.
type Run int64

func (v Run) String() string               { return format(RunPrefix, int64(v)) }
func (v Run) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *Run) UnmarshalText(text []byte) error {
	return unmarshal(RunPrefix, string(text), (*int64)(v))
}
func (v Run) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *Run) UnmarshalGQL(text any) error { return unmarshal(RunPrefix, text, (*int64)(v)) }

// ParseRun reads the global id of a run of reminders that somebody asked for.
func ParseRun(text string) (Run, error) {
	n, err := parse(RunPrefix, text)
	return Run(n), err
}
