package account

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

const (
	importBatch       = 500 // clients written at once
	maxImportContacts = 500 // of one client
	maxImportErrors   = 100 // shown; the others are counted
)

// ImportRequired and ImportOptional are the columns of a file of clients, in the order in which people are shown them.
var (
	ImportRequired = []string{"reference", "name", "email"}
	ImportOptional = []string{"tax_id", "phonenumber", "address1", "address2", "city", "state", "postcode", "country", "language", "timezone",
		"contact_firstname", "contact_lastname", "contact_email", "contact_phonenumber", "contact_topics", "contact_permissions"}
)

// ImportResult says what an import did.
type ImportResult struct {
	Clients  int
	Contacts int
	Existing int  // clients whose reference is there already: left alone
	Latin1   bool // the file was not UTF-8 and was read as Latin-1
	Errors   int  // all errors, also those beyond the ones that are returned
}

// ImportClients adds the clients of a CSV file with their contacts: the rows of a client follow one another and share its reference,
// and each may name a contact. contact_topics are keys separated by spaces, invoice where it is left out; with
// contact_permissions the contact has access that waits for its invitation. Nobody is invited: InviteOwner and ResendInvitation
// do that, when the clients are to come. Where the company wants addresses confirmed, contacts are mailed the link. The file is read as a stream, in one transaction: with any error nothing is saved, and the
// returned fault names rows and columns (the first hundred). A reference that is there already is left alone, so the same file can be
// sent again. Staff only.
func (s *Service) ImportClients(ctx context.Context, file io.Reader) (ImportResult, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return ImportResult{}, err
	}
	rows, err := sheet.New(file, ImportRequired, ImportOptional)
	if err != nil {
		return ImportResult{}, err
	}
	im := &importer{rows: rows, now: s.Now()}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if im.company, err = tx.Company(ctx); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err := im.run(ctx, tx); err != nil {
			return err
		}
		if err := im.checks.Err(); err != nil {
			return err // undoes everything
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "import.clients", After: map[string]any{"clients": im.result.Clients, "contacts": im.result.Contacts, "existing": im.result.Existing}})
	})
	im.result.Latin1 = rows.Latin1
	if err != nil {
		im.result.Clients, im.result.Contacts, im.result.Existing = 0, 0, 0
	}
	return im.result, err
}

// importer is one import on its way.
type importer struct {
	rows    *sheet.Sheet
	company db.Company
	now     time.Time
	result  ImportResult
	checks  fault.Checks
	batch   []*db.ImportedClient
	last    map[string]string // the first row of the current client, by column
	seen    map[string]bool   // addresses of the current client's contacts
	refs    map[string]int    // references of the current batch, with the row where each begins
}

func (im *importer) fail(column, code string, args ...any) {
	im.result.Errors++
	if im.result.Errors <= maxImportErrors {
		im.checks.Add(sheet.Path(im.rows.Row, column), code, args...)
	}
}

// failAll notes faults of details under the columns of the file.
func (im *importer) failAll(wrong fault.Checks, prefix string) {
	f, ok := fault.As(wrong.Err())
	if !ok {
		return
	}
	for _, field := range f.Fields {
		column := field.Path
		if column == "taxId" {
			column = "tax_id"
		}
		args := []any{}
		for name, value := range field.Args {
			args = append(args, name, value)
		}
		im.fail(prefix+column, field.Code, args...)
	}
}

func (im *importer) run(ctx context.Context, tx *db.Store) error {
	im.refs = map[string]int{}
	for {
		cell, err := im.rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if f, ok := fault.As(err); ok {
			im.result.Errors++
			if im.result.Errors <= maxImportErrors {
				im.checks.Add(f.Fields[0].Path, f.Fields[0].Code)
			}
			continue
		}
		if err != nil {
			return err
		}
		if im.last == nil || im.last["reference"] != cell("reference") {
			if len(im.batch) == importBatch {
				if err := im.flush(ctx, tx); err != nil {
					return err
				}
			}
			im.client(cell)
		}
		im.contact(cell)
	}
	if im.result.Errors == 0 && len(im.batch) == 0 && im.result.Clients == 0 && im.result.Existing == 0 {
		im.rows.Row = 1
		im.fail("", "FILE_EMPTY")
	}
	return im.flush(ctx, tx)
}

// client begins the client of a row.
func (im *importer) client(cell func(string) string) {
	im.last, im.seen = map[string]string{"reference": cell("reference")}, map[string]bool{}
	details := ClientDetails{Name: cell("name"), Email: cell("email"), Phonenumber: cell("phonenumber"), TaxID: cell("tax_id"), Address1: cell("address1"),
		Address2: cell("address2"), City: cell("city"), State: cell("state"), Postcode: cell("postcode"), Country: cell("country"),
		Language: cell("language"), Timezone: cell("timezone")}
	var wrong fault.Checks
	details.clean(&wrong)
	im.failAll(wrong, "")
	var named fault.Checks
	reference := cleanReference(&named, cell("reference"))
	switch {
	case reference == "":
		im.fail("reference", "REQUIRED")
	case named.Err() != nil:
		im.fail("reference", "TOO_LONG", "max", 100)
	case im.refs[reference] != 0:
		im.fail("reference", "REFERENCE_SPLIT")
	}
	im.refs[reference] = im.rows.Row
	one := &db.ImportedClient{Client: db.Client{ExternalRef: reference, Topics: mail.Topics()}, Owner: db.SubAccount{Owner: true, Permissions: access.Permissions(), Status: db.SubAccountInvited}}
	details.apply(&one.Client)
	im.batch = append(im.batch, one)
}

// contact adds the contact of a row, if it names one, to the current client.
func (im *importer) contact(cell func(string) string) {
	if cell("contact_email") == "" {
		if cell("contact_firstname")+cell("contact_lastname")+cell("contact_phonenumber")+cell("contact_topics")+cell("contact_permissions") != "" {
			im.fail("contact_email", "REQUIRED")
		}
		return
	}
	client := im.batch[len(im.batch)-1]
	details := ContactDetails{Firstname: cell("contact_firstname"), Lastname: cell("contact_lastname"), Email: cell("contact_email"), Phonenumber: cell("contact_phonenumber"),
		Country: client.Client.Country, Language: client.Client.Language, Timezone: client.Client.Timezone}
	var wrong fault.Checks
	details.clean(&wrong)
	im.failAll(wrong, "contact_")
	switch key := strings.ToLower(details.Email); {
	case im.seen[key]:
		im.fail("contact_email", "EMAIL_TAKEN")
	case len(client.Contacts) == maxImportContacts:
		im.fail("contact_email", "TOO_MANY", "max", maxImportContacts)
	default:
		im.seen[key] = true
	}
	topics := []mail.Topic{mail.Invoice}
	if text := cell("contact_topics"); text != "" {
		topics = topics[:0]
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			topics = append(topics, mail.Topic(word))
		}
	}
	var permissions []access.Permission
	for word := range strings.FieldsSeq(strings.ToLower(cell("contact_permissions"))) {
		permissions = append(permissions, access.Permission(word))
	}
	var unknown fault.Checks
	topics = cleanTopics(&unknown, topics)
	if permissions != nil {
		permissions = cleanPermissions(&unknown, "permissions", permissions)
	}
	im.failAll(unknown, "contact_")
	row := db.Contact{Topics: topics}
	details.apply(&row)
	client.Contacts, client.Permissions = append(client.Contacts, row), append(client.Permissions, permissions)
}

// flush writes the clients read so far. After an error it only forgets them, because everything will be undone.
func (im *importer) flush(ctx context.Context, tx *db.Store) error {
	batch, begins := im.batch, im.refs
	im.batch, im.refs, im.last = nil, map[string]int{}, nil
	if len(batch) == 0 || im.result.Errors > 0 {
		return nil
	}
	if err := tx.AddClients(ctx, batch); err != nil {
		return err
	}
	known := []string{}
	for _, one := range batch {
		if one.Client.ID == 0 {
			known = append(known, one.Client.ExternalRef)
		}
	}
	split, err := tx.ClientsAddedHere(ctx, known)
	if err != nil {
		return err
	}
	for _, reference := range split { // of a batch before: its client was made without these contacts
		im.result.Errors++
		if im.result.Errors <= maxImportErrors {
			im.checks.Add(sheet.Path(begins[reference], "reference"), "REFERENCE_SPLIT")
		}
	}
	jobs := []db.Job{}
	for _, one := range batch {
		if one.Client.ID == 0 {
			im.result.Existing++
			continue
		}
		im.result.Clients++
		im.result.Contacts += len(one.Contacts)
		jobs = append(jobs, verifications(im.company, im.now, one.Contacts...)...)
	}
	return tx.EnqueueAll(ctx, jobs)
}
