package fiscal

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Service is the activity's verbs: what makes fiscal documents of invoices. The rules of the documents
// themselves are the functions of this package. Each verb asks internal/access first.
type Service struct {
	Store *db.Store
	Now   func() time.Time
	// CatalogSource has the catalogs in force; nil: the product's own.
	CatalogSource *CatalogSource
	Keyring       *Keyring // nil: no CSD can be uploaded or used
	// Issuers are the SAT's certification authorities, of which a CSD must be; nil: that is left to the PAC.
	Issuers []*x509.Certificate
	PAC     Stamper // nil: documents wait
	// SAT answers for the state of documents; nil: the PAC does, where it can.
	SAT StatusChecker
	// Clock is the database's, which Now is held against before a document is sent; nil: it is not asked.
	Clock func(ctx context.Context) (time.Time, error)
	// Called is told of every call to the PAC and to the SAT's query service when it has ended; nil: nobody is.
	Called func(call Call)
	// Timeout of one call to the PAC; 0 is a minute. A call that takes longer counts as lost, and the
	// same bytes are sent again.
	Timeout time.Duration
	Mailer  mail.Sender // nil: documents are not mailed
	Render  func(ctx context.Context, l Letter) (mail.Message, error)
	// RenderNotice writes mails to staff; nil: none are sent.
	RenderNotice func(ctx context.Context, n account.Notice) (mail.Message, error)
	Printer      func(row db.CFDI, company db.Company, lang string) ([]byte, error) // nil: Print with the catalogs in force
	Log          *slog.Logger                                                       // nil: slog.Default
}

// Call is a call to the PAC or, for a status, to whoever answers for the SAT.
type Call struct {
	Operation string // stamp, cancel, status, credits
	Result    string // ok, repeated (307), or the ErrorKind
	Took      time.Duration
}

// called tells of a call that began at a moment.
func (s *Service) called(operation string, began time.Time, repeated bool, err error) {
	if s.Called == nil {
		return
	}
	call := Call{Operation: operation, Result: "ok", Took: time.Since(began)}
	if repeated {
		call.Result = "repeated"
	}
	if err != nil {
		call.Result = string(KindOf(err))
	}
	s.Called(call)
}

func (s *Service) timeout() time.Duration {
	if s.Timeout == 0 {
		return time.Minute
	}
	return s.Timeout
}

func (s *Service) logger() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// refusal turns what is wrong by the SAT's rules into a fault. A violation speaks both languages itself, and names the
// SAT's code.
func refusal(vs Violations) error {
	var checks fault.Checks
	for _, v := range vs.Refusals() {
		if v.SAT != "" {
			v.ES, v.EN = v.ES+" (código "+v.SAT+" del SAT)", v.EN+" (SAT "+v.SAT+")"
		}
		checks.Add(v.Path, "FISCAL_RULE", "message", &v)
	}
	return checks.Err()
}

// asViolations is the list behind an error of this package.
func asViolations(err error) (Violations, bool) {
	switch e := err.(type) { //nolint:errorlint // this package returns them unwrapped
	case *Violation:
		return Violations{*e}, true
	case Violations:
		return e, true
	}
	return nil, false
}

// StampJob sends a sealed document to the PAC.
type StampJob struct {
	CFDI    id.CFDI `json:"cfdi"`
	Build   int     `json:"build"`   // of the record when it was asked for
	Attempt int     `json:"attempt"` // from 0
}

// Kind names the job.
func (StampJob) Kind() string { return "fiscal:stamp" }

// Key makes one job of any number of requests for the same attempt.
func (j StampJob) Key() string {
	return fmt.Sprintf("%s:%s:%d:%d", j.Kind(), j.CFDI, j.Build, j.Attempt)
}

// MailJob mails one recipient about a document.
type MailJob struct {
	CFDI    id.CFDI    `json:"cfdi"`
	Contact id.Contact `json:"contact,omitempty"` // 0: the client's own address
	Event   string     `json:"event,omitempty"`   // "": db.MailStamped
	Round   int        `json:"round,omitempty"`   // of a cancellation
}

// Kind names the job.
func (MailJob) Kind() string { return "fiscal:mail" }

// Key makes one job per document, recipient and event.
func (j MailJob) Key() string {
	key := fmt.Sprintf("%s:%s:%s", j.Kind(), j.CFDI, j.Contact)
	if j.Event != "" {
		key += fmt.Sprintf(":%s:%d", j.Event, j.Round)
	}
	return key
}
