package db

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Kinds of fiscal documents.
const (
	CFDIIngreso = "ingreso"
	CFDIEgreso  = "egreso"
	CFDIPago    = "pago"
	CFDIGlobal  = "global"
)

// States of a fiscal document.
const (
	CFDIDraft         = "draft"        // asked for
	CFDISealed        = "sealed"       // waits for the PAC, which has not answered yet or was down
	CFDIStamping      = "stamping"     // the PAC was called: the outcome is not known until it answers
	CFDIStamped       = "stamped"      // valid
	CFDIStampFailed   = "stamp_failed" // refused: somebody must correct data and ask again
	CFDICancelPending = "cancel_pending"
	CFDICancelled     = "cancelled"
)

// CFDI is our record of a fiscal document.
type CFDI struct {
	bun.BaseModel `bun:"table:cfdi"`

	ID             id.CFDI          `bun:"id,pk,autoincrement"`
	Kind           string           `bun:"kind"`
	ClientID       id.Client        `bun:"client_id,nullzero"`  // 0: of a global invoice
	InvoiceID      id.Invoice       `bun:"invoice_id,nullzero"` // of a receipt: the first of its invoices
	PaymentID      id.Payment       `bun:"payment_id,nullzero"`
	CreditNoteID   id.CreditNote    `bun:"credit_note_id,nullzero"`
	RelatedID      id.CFDI          `bun:"related_id,nullzero"`
	ReplacesID     id.CFDI          `bun:"replaces_id,nullzero"` // the document that this one substitutes
	ProfileID      id.FiscalProfile `bun:"profile_id,nullzero"`
	PeriodStart    date.Date        `bun:"period_start,nullzero"` // of a global invoice
	Periodicidad   string           `bun:"periodicidad"`          // of a global invoice, c_Periodicidad
	MetodoPago     string           `bun:"metodo_pago"`
	Status         string           `bun:"status"`
	RfcEmisor      string           `bun:"rfc_emisor"`
	Serie          string           `bun:"serie"`
	Folio          int64            `bun:"folio,nullzero"`
	RfcReceptor    string           `bun:"rfc_receptor"`
	NombreReceptor string           `bun:"nombre_receptor"`
	Total          string           `bun:"total"` // as written in the document
	Moneda         string           `bun:"moneda"`
	Fecha          time.Time        `bun:"fecha,nullzero"`
	Build          int              `bun:"build"`
	Sealed         []byte           `bun:"sealed,nullzero"`
	UUID           string           `bun:"uuid,nullzero"`
	XML            []byte           `bun:"xml,nullzero"`
	XMLSHA256      []byte           `bun:"xml_sha256,nullzero"`
	StampedAt      *time.Time       `bun:"stamped_at"`
	LeaseUntil     *time.Time       `bun:"lease_until"`
	Attempts       int              `bun:"attempts"`
	Refusal
	Failure           string        `bun:"failure"`       // kind of what the last attempt to stamp failed with
	FailingSince      *time.Time    `bun:"failing_since"` // its first attempt that failed, of those without an answer since
	FailedAt          *time.Time    `bun:"failed_at"`     // its last one
	Log               []CFDIAttempt `bun:"log,type:jsonb"`
	CancelMotivo      string        `bun:"cancel_motivo"`
	CancelSustitucion string        `bun:"cancel_sustitucion"`
	CancelRequestedAt *time.Time    `bun:"cancel_requested_at"`
	CancelledAt       *time.Time    `bun:"cancelled_at"`
	CancelState       string        `bun:"cancel_state"`
	CancelRound       int           `bun:"cancel_round"` // how often it was asked for
	CancelAttempts    int           `bun:"cancel_attempts"`
	CancelDeadline    *time.Time    `bun:"cancel_deadline"` // until when the receiver can answer
	SATStatus
	Acuse     []byte    `bun:"acuse,nullzero"`
	HasAcuse  bool      `bun:"has_acuse,scanonly"` // in lists, which leave the files out
	CreatedAt time.Time `bun:"created_at,nullzero,default:now()"`
	UpdatedAt time.Time `bun:"updated_at,nullzero,default:now()"`
}

// Refusal is what the last attempt failed with; empty when nothing failed.
type Refusal struct {
	Code      string `bun:"code"`       // the SAT's, the PAC's or ours
	Message   string `bun:"message"`    // the PAC's own words, or ours in Spanish
	MessageEN string `bun:"message_en"` // ours in English; "" for the PAC's
	Field     string `bun:"field"`      // of the document, as the SAT names it: Receptor@UsoCFDI; "" where it is not known
	SATCode   string `bun:"sat_code"`   // what the SAT gives for it; "" where there is none
}

// SATStatus is what the SAT last said of a document, in its own words.
type SATStatus struct {
	Estado             string     `bun:"sat_estado"`
	EsCancelable       string     `bun:"sat_es_cancelable"`
	EstatusCancelacion string     `bun:"sat_estatus_cancelacion"`
	CheckedAt          *time.Time `bun:"sat_checked_at"`
}

// States of a cancellation. It begins with asked; rejected and refused leave the document in force.
const (
	CancelAsked     = "asked"      // stored, and on its way to the PAC
	CancelRequested = "requested"  // taken by the PAC; the SAT does not show it yet
	CancelInProcess = "in_process" // waits for the receiver
	CancelDone      = "cancelled"
	CancelRejected  = "rejected" // by the receiver
	CancelRefused   = "refused"  // by the SAT or the PAC: Code and Message say why
)

// CFDIAttempt is an entry of a document's log.
type CFDIAttempt struct {
	At      time.Time `json:"at"`
	Event   string    `json:"event"` // sealed, asked, refused_here, stamped, repeated, rejected, auth, unavailable, unknown, clock, cancelled
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	Field   string    `json:"field,omitempty"` // of the document
	Millis  int64     `json:"millis,omitempty"`
}

// Stamped reports whether the document has a stamp, cancelled or not.
func (c CFDI) Stamped() bool { return c.UUID != "" }

// Acused reports whether there is an acuse of the document's cancellation.
func (c CFDI) Acused() bool { return c.HasAcuse || len(c.Acuse) > 0 }

// Waiting reports whether the document is on its way.
func (c CFDI) Waiting() bool {
	return c.Status == CFDIDraft || c.Status == CFDISealed || c.Status == CFDIStamping
}

// withoutFiles are the columns of a list: documents can be large.
var withoutFiles = []string{"sealed", "xml", "acuse"}

// AddCFDI inserts a document and sets its id. The key cfdi_invoice_once or cfdi_credit_note_once is
// violated when there is one in force.
func (s *Store) AddCFDI(ctx context.Context, row *CFDI) error {
	if row.Log == nil {
		row.Log = []CFDIAttempt{}
	}
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// CFDI returns one document with its files.
func (s *Store) CFDI(ctx context.Context, cfdi id.CFDI) (CFDI, error) {
	var row CFDI
	err := s.idb.NewSelect().Model(&row).Where("id = ?", cfdi).Scan(ctx)
	return row, translate(err)
}

// LockCFDI returns one document, locked until the transaction ends.
func (s *Store) LockCFDI(ctx context.Context, cfdi id.CFDI) (CFDI, error) {
	var row CFDI
	err := s.idb.NewSelect().Model(&row).Where("id = ?", cfdi).For("UPDATE").Scan(ctx)
	return row, translate(err)
}

// SaveCFDI writes everything that may change. A stamped XML is never written over.
func (s *Store) SaveCFDI(ctx context.Context, row *CFDI) error {
	row.UpdatedAt = time.Now()
	result, err := s.idb.NewUpdate().Model(row).ExcludeColumn("kind", "client_id", "invoice_id", "payment_id", "credit_note_id", "period_start", "periodicidad", "created_at").
		WherePK().Where("xml IS NULL OR xml = ?", row.XML).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errors.New("a stamped XML is never written over"))
	}
	return nil
}

// CFDIsOf returns the documents of invoices without their files, in the order in which they were asked for.
// A receipt of several invoices is there once for each of them, with its InvoiceID.
func (s *Store) CFDIsOf(ctx context.Context, invoices ...id.Invoice) ([]CFDI, error) {
	rows := []CFDI{}
	if len(invoices) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).ExcludeColumn(append([]string{"invoice_id"}, withoutFiles...)...).ColumnExpr("about.invoice_id, acuse IS NOT NULL AS has_acuse").
		Join(`JOIN (SELECT id, invoice_id FROM cfdi WHERE invoice_id IN (?0) UNION
			SELECT cfdi_id, invoice_id FROM cfdi_coverage WHERE kind = 'pago' AND invoice_id IN (?0)) AS about ON about.id = cfdi.id`, bun.List(invoices)).
		OrderExpr("cfdi.id, about.invoice_id").Scan(ctx)
	return rows, translate(err)
}

// UUIDTaken reports whether a document other than one has the UUID.
func (s *Store) UUIDTaken(ctx context.Context, uuid string, other id.CFDI) (bool, error) {
	taken, err := s.idb.NewSelect().Model((*CFDI)(nil)).Where("upper(uuid) = upper(?)", uuid).Where("id <> ?", other).Exists(ctx)
	return taken, translate(err)
}

// CFDIs lists documents without their files, the newest first; status "" is all, "waiting" all on their way.
func (s *Store) CFDIs(ctx context.Context, status string, page Page) (List[CFDI], error) {
	rows := []CFDI{}
	q := s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse")
	switch status {
	case "":
	case "waiting":
		q = q.Where("status IN ('draft', 'sealed', 'stamping')")
	default:
		q = q.Where("status = ?", status)
	}
	return readPage(ctx, s, q, &rows, page, order[CFDI]{by: []key{{"id", "bigint"}}, descending: true, of: func(c CFDI) []any { return []any{int64(c.ID)} }})
}

// CFDIsRelatedTo returns the documents that relate to one or replace it, without their files.
func (s *Store) CFDIsRelatedTo(ctx context.Context, cfdi id.CFDI) ([]CFDI, error) {
	rows := []CFDI{}
	err := s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse").
		Where("related_id = ?0 OR replaces_id = ?0 OR id IN (SELECT cfdi_id FROM cfdi_coverage WHERE related_id = ?0) OR id IN (?1)", cfdi, s.applying(cfdi)).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// CFDIsAround returns, by document, those that it relates to, replaces, or is related to or replaced by, without their
// files.
func (s *Store) CFDIsAround(ctx context.Context, documents ...id.CFDI) (map[id.CFDI][]CFDI, error) {
	found := map[id.CFDI][]CFDI{}
	if len(documents) == 0 {
		return found, nil
	}
	var links []struct {
		About id.CFDI `bun:"about"`
		Other id.CFDI `bun:"other"`
	}
	err := s.idb.NewRaw(`SELECT replaces_id AS about, id AS other FROM cfdi WHERE replaces_id IN (?0) UNION
		SELECT related_id, id FROM cfdi WHERE related_id IN (?0) UNION
		SELECT id, replaces_id FROM cfdi WHERE id IN (?0) AND replaces_id IS NOT NULL UNION
		SELECT id, related_id FROM cfdi WHERE id IN (?0) AND related_id IS NOT NULL UNION
		SELECT related_id, cfdi_id FROM cfdi_coverage WHERE related_id IN (?0) UNION
		SELECT cfdi_id, related_id FROM cfdi_coverage WHERE cfdi_id IN (?0) AND related_id IS NOT NULL UNION
		SELECT a.anticipo_id, c.id FROM anticipo_application AS a JOIN cfdi AS c ON c.id = a.egreso_id OR c.invoice_id = a.invoice_id AND c.kind = 'ingreso'
			WHERE a.anticipo_id IN (?0) UNION
		SELECT egreso_id, anticipo_id FROM anticipo_application WHERE egreso_id IN (?0) UNION
		SELECT c.id, a.anticipo_id FROM cfdi AS c JOIN anticipo_application AS a ON a.invoice_id = c.invoice_id WHERE c.id IN (?0) AND c.kind = 'ingreso'
		ORDER BY 1, 2`, bun.List(documents)).Scan(ctx, &links)
	if err != nil || len(links) == 0 {
		return found, translate(err)
	}
	ids := make([]id.CFDI, len(links))
	for i, link := range links {
		ids[i] = link.Other
	}
	rows := []CFDI{}
	err = s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse").Where("id IN (?)", bun.List(ids)).Scan(ctx)
	byID := make(map[id.CFDI]CFDI, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	for _, link := range links {
		found[link.About] = append(found[link.About], byID[link.Other])
	}
	return found, translate(err)
}

// CancellationsToFollow returns at most limit documents after an id whose cancellation the SAT knows and has
// not settled, without their files.
func (s *Store) CancellationsToFollow(ctx context.Context, after id.CFDI, limit int) ([]CFDI, error) {
	rows := []CFDI{}
	err := s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse").Where("status = ?", CFDICancelPending).
		Where("cancel_state IN (?, ?)", CancelRequested, CancelInProcess).Where("id > ?", after).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return rows, translate(err)
}

// CFDICounts is how many documents are in each state.
func (s *Store) CFDICounts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Status string `bun:"status"`
		N      int    `bun:"n"`
	}
	err := s.idb.NewRaw("SELECT status, count(*) AS n FROM cfdi GROUP BY status").Scan(ctx, &rows)
	counts := map[string]int{}
	for _, row := range rows {
		counts[row.Status] = row.N
	}
	return counts, translate(err)
}

// CFDIDownload is an entry of the download log.
type CFDIDownload struct {
	bun.BaseModel `bun:"table:cfdi_download"`

	ID      int64     `bun:"id,pk,autoincrement"`
	CFDIID  id.CFDI   `bun:"cfdi_id"`
	Format  string    `bun:"format"` // xml, pdf, acuse
	LoginID id.Login  `bun:"login_id,nullzero"`
	StaffID id.Staff  `bun:"staff_id,nullzero"`
	Address string    `bun:"address"`
	At      time.Time `bun:"at,nullzero,default:now()"`
	Client  id.Client `bun:"client_id,scanonly"` // of the document
	Who     string    `bun:"who,scanonly"`       // address of the login, or name of the member of staff
}

// LogCFDIDownload writes an entry of the download log.
func (s *Store) LogCFDIDownload(ctx context.Context, row *CFDIDownload) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// CFDIDownloads returns the download logs of documents, the newest 100 of each first.
func (s *Store) CFDIDownloads(ctx context.Context, documents ...id.CFDI) (map[id.CFDI][]CFDIDownload, error) {
	found := map[id.CFDI][]CFDIDownload{}
	if len(documents) == 0 {
		return found, nil
	}
	rows := []CFDIDownload{}
	err := s.idb.NewRaw(`SELECT d.*, coalesce(login.email, staff.name, '') AS who, cfdi.client_id
		FROM unnest(ARRAY[?]::bigint[]) AS about (id) JOIN cfdi ON cfdi.id = about.id
		JOIN LATERAL (SELECT * FROM cfdi_download WHERE cfdi_id = about.id ORDER BY id DESC LIMIT 100) AS d ON true
		LEFT JOIN login ON login.id = d.login_id LEFT JOIN staff ON staff.id = d.staff_id ORDER BY d.cfdi_id, d.id DESC`, bun.List(documents)).Scan(ctx, &rows)
	for _, row := range rows {
		found[row.CFDIID] = append(found[row.CFDIID], row)
	}
	return found, translate(err)
}

// What a document is mailed for.
const (
	MailStamped         = "stamped"
	MailPDF             = "pdf"              // the PDF that could not be drawn when it was stamped
	MailCancelRequested = "cancel_requested" // the receiver is asked for the cancellation
	MailCancelled       = "cancelled"
)

// CFDIMail is who a document was mailed to, and what became of it.
type CFDIMail struct {
	bun.BaseModel `bun:"table:cfdi_mail"`

	ID        int64      `bun:"id,pk,autoincrement"`
	CFDIID    id.CFDI    `bun:"cfdi_id"`
	ContactID id.Contact `bun:"contact_id,nullzero"` // 0: the client's own address
	Email     string     `bun:"email"`
	Event     string     `bun:"event"`
	Round     int        `bun:"round"`
	MessageID string     `bun:"message_id"`
	Status    string     `bun:"status"` // sent, failed, skipped
	WithPDF   bool       `bun:"with_pdf"`
	Reply     string     `bun:"reply"`
	At        time.Time  `bun:"at,nullzero,default:now()"`
}

// AddCFDIMail notes what became of a mail; a recipient's first note stays.
func (s *Store) AddCFDIMail(ctx context.Context, row *CFDIMail) error {
	_, err := s.idb.NewInsert().Model(row).On("CONFLICT ON CONSTRAINT cfdi_mail_once DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}

// CFDIMails returns the mails of a document.
func (s *Store) CFDIMails(ctx context.Context, cfdi id.CFDI) ([]CFDIMail, error) {
	rows := []CFDIMail{}
	err := s.idb.NewSelect().Model(&rows).Where("cfdi_id = ?", cfdi).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// EnqueueAt is Enqueue for work that must not be done before a moment.
func (s *Store) EnqueueAt(ctx context.Context, job Job, at time.Time) error {
	payload, err := json.Marshal(job)
	if err != nil {
		return err
	}
	row := OutboxRow{Kind: job.Kind(), Payload: payload, UniqueKey: job.Key(), DueAt: at}
	_, err = s.idb.NewInsert().Model(&row).On("CONFLICT (unique_key) DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}
