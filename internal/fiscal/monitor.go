package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Stamping is how the stamping goes: what waits, what was refused, and what keeps it from going on.
type Stamping struct {
	db.StampingState
	Outage  *db.Outage // nil: the PAC stamps, as far as the attempts say
	Credits *db.StampCredit
	Issuer  Issuer
}

// Low reports whether fewer stamps are left than the company wants to be told of.
func (s Stamping) Low() bool {
	return s.Credits != nil && s.Credits.Credits != nil && *s.Credits.Credits < s.Issuer.CreditAlert
}

// Alerts of the stamping, which staff see on every page.
const (
	AlertOutage     = "outage"      // the PAC does not stamp
	AlertCredit     = "credit"      // few stamps are left
	AlertCSDSoon    = "csd_soon"    // the certificate expires within 60 days
	AlertCSDExpired = "csd_expired" // nothing can be sealed
)

// Alerts says what keeps documents from being stamped, or soon will.
func (s Stamping) Alerts() []string {
	var alerts []string
	if s.Outage != nil {
		alerts = append(alerts, AlertOutage)
	}
	if s.Low() {
		alerts = append(alerts, AlertCredit)
	}
	switch {
	case s.Issuer.CSD == nil:
	case s.Issuer.DaysLeft < 0:
		alerts = append(alerts, AlertCSDExpired)
	case s.Issuer.DaysLeft <= expiryDays[0]:
		alerts = append(alerts, AlertCSDSoon)
	}
	return alerts
}

// patience is how many attempts in a row may fail before the PAC counts as down: a call that was lost is no outage.
// Refused credentials and a clock that is off are one at once, because time does not mend them.
const patience = 2

// Stamping says how the stamping goes. Whether the PAC is down is what the attempts say since a document was last
// stamped, in whatever process they were made. Staff who read billing only.
func (s *Service) Stamping(ctx context.Context) (Stamping, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return Stamping{}, err
	}
	out, err := s.stampingAlerts(ctx)
	if err != nil {
		return out, err
	}
	out.StampingState, err = s.Store.StampingState(ctx)
	return out, err
}

// StampingAlerts is Stamping without the counts, for every page of the console: four statements that read ends of
// indexes, and the documents that fail during an outage. Staff only.
func (s *Service) StampingAlerts(ctx context.Context) (Stamping, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return Stamping{}, err
	}
	return s.stampingAlerts(ctx)
}

func (s *Service) stampingAlerts(ctx context.Context) (Stamping, error) {
	var out Stamping
	var err error
	if out.Issuer, err = s.issuer(ctx, s.Store); err != nil {
		return out, err
	}
	outage, found, err := s.Store.Outage(ctx)
	if err != nil {
		return out, err
	}
	if found && (outage.Failure == string(KindAuth) || outage.Failure == string(KindClock) || outage.Documents >= patience || outage.Attempts >= patience) {
		out.Outage = &outage
	}
	credits, err := s.Store.StampCredit(ctx)
	if fault.Is(err, fault.NotFound) {
		return out, nil
	}
	out.Credits = &credits
	return out, err
}

// Unstamped is a document without a stamp and what is planned for it.
type Unstamped struct {
	db.CFDI
	NextAttempt *time.Time // nil: a worker is at it, or somebody must correct data first
	Cause       string     // why the last attempt failed; "" when there was none, or it is not known
}

// Unstamped lists documents without a stamp, the oldest first: db.UnstampedWaiting, db.UnstampedRefused or both ("").
// Staff who read billing only.
func (s *Service) Unstamped(ctx context.Context, which string, page db.Page) (db.List[db.CFDI], []Unstamped, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	if err := checkUnstamped(which); err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	list, err := s.Store.UnstampedCFDIs(ctx, which, page)
	if err != nil {
		return list, nil, err
	}
	keys := make([]string, len(list.Rows))
	for i, row := range list.Rows {
		keys[i] = stampJob(row).Key()
	}
	jobs, err := s.Store.JobsByKey(ctx, keys)
	out := make([]Unstamped, len(list.Rows))
	for i, row := range list.Rows {
		out[i] = Unstamped{CFDI: row, Cause: row.Message}
		if job, planned := jobs[keys[i]]; planned && row.Waiting() && row.LeaseUntil == nil {
			out[i].NextAttempt = &job.DueAt
			if out[i].Cause == "" {
				out[i].Cause = job.LastError
			}
		}
	}
	return list, out, err
}

func checkUnstamped(which string) error {
	var checks fault.Checks
	if which != db.UnstampedAll && which != db.UnstampedWaiting && which != db.UnstampedRefused {
		checks.Add("which", "VALUE_INVALID")
	}
	return checks.Err()
}

// RetryStamp tries a document again now: one that waits with the same bytes, one that was refused built anew from the
// data as they are. Staff who change billing only.
func (s *Service) RetryStamp(ctx context.Context, cfdi id.CFDI) (row db.CFDI, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return row, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, cfdi); err != nil {
			return err
		}
		before := row.Code
		if row.Status == db.CFDIStampFailed && row.Kind == db.CFDIIngreso && row.ReplacesID == 0 {
			invoice, err := tx.Invoice(ctx, row.InvoiceID)
			if err != nil {
				return err
			}
			if _, err := s.mayRequest(ctx, tx, invoice, false); err != nil {
				return err
			}
		}
		n, err := s.retry(ctx, tx, db.UnstampedAll, cfdi)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "FISCAL_RETRY_STATE")
		}
		if row, err = tx.CFDI(ctx, cfdi); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "cfdi.retry", Object: cfdi.String(), Before: map[string]any{"code": before}})
	})
	return row, err
}

// RetryStamps is RetryStamp for every document that waits (db.UnstampedWaiting), was refused (db.UnstampedRefused) or
// both (""), and returns how many. Staff who change billing only.
func (s *Service) RetryStamps(ctx context.Context, which string) (n int, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return 0, err
	}
	if err := checkUnstamped(which); err != nil {
		return 0, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if n, err = s.retry(ctx, tx, which); err != nil || n == 0 {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "cfdi.retry", Object: which, After: map[string]any{"documents": n}})
	})
	return n, err
}

// retry asks for attempts now. The claim of a worker that is at a document holds.
func (s *Service) retry(ctx context.Context, tx *db.Store, which string, only ...id.CFDI) (int, error) {
	var rows []db.CFDI
	if which != db.UnstampedRefused {
		waiting, err := tx.WaitingCFDIs(ctx, s.Now(), only...)
		if err != nil {
			return 0, err
		}
		rows = waiting
	}
	if which != db.UnstampedWaiting {
		again, err := tx.RedraftCFDIs(ctx, only...)
		if err != nil {
			return 0, err
		}
		rows = append(rows, again...)
	}
	jobs := make([]db.Job, len(rows))
	for i, row := range rows {
		jobs[i] = stampJob(row)
	}
	return len(rows), tx.EnqueueNow(ctx, jobs)
}

// CheckCredits asks the PAC how many stamps are left and notes it. One that does not answer changes nothing: what
// stamping says of it counts. Background work only.
func (s *Service) CheckCredits(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	reporter, ok := s.PAC.(CreditReporter)
	if !ok {
		return nil
	}
	issuer, err := s.Store.FiscalIssuer(ctx)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	began := time.Now()
	left, err := reporter.Credits(calling, issuer.Rfc)
	s.called("credits", began, false, err)
	if err != nil {
		s.logger().Warn("the credit of stamps is not known", "error", err)
		return nil
	}
	row := db.StampCredit{CheckedAt: s.Now()}
	if left != Unlimited {
		row.Credits = &left
	}
	return s.Store.SaveStampCredit(ctx, row)
}
