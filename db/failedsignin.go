package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// networksPerHour of one account have a row of their own; all others share one.
const networksPerHour = 50

// failedSignInsKept is how long they are kept.
const failedSignInsKept = 90 * 24 * time.Hour

// FailedSignIn counts wrong passwords and codes of one account from one network within an hour.
type FailedSignIn struct {
	bun.BaseModel `bun:"table:failed_sign_in"`

	ID       id.FailedSignIn `bun:"id,pk,autoincrement"`
	LoginID  id.Login        `bun:"login_id,nullzero"` // neither: addresses that nobody signs in with
	StaffID  id.Staff        `bun:"staff_id,nullzero"`
	Hour     time.Time       `bun:"hour"`
	Network  string          `bun:"network"`  // an IPv4 address or an IPv6 /64; "" for all others of the hour
	Attempts int             `bun:"attempts"` // wrong passwords and wrong codes
	Codes    int             `bun:"codes"`    // of them, wrong codes after the right password
	Device   string          `bun:"device"`   // user agent of the last one
	LastAt   time.Time       `bun:"last_at"`

	Email string `bun:"email,scanonly"` // what the account signs in with now; "" for none
}

// NoteFailedSignIn counts a wrong password, or a wrong code, of each of the persons. A Person of zeros stands
// for an address that nobody has: it takes the same statements and the same time. It does not wait for
// the disk, which would take longer for a row than for none.
func (s *Store) NoteFailedSignIn(ctx context.Context, persons []Person, row FailedSignIn) error {
	return s.InTx(ctx, func(tx *Store) error {
		if _, err := tx.idb.ExecContext(ctx, "SET LOCAL synchronous_commit TO off"); err != nil {
			return translate(err)
		}
		for _, person := range persons {
			row.LoginID, row.StaffID = person.Login, person.Staff
			if err := tx.noteFailedSignIn(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) noteFailedSignIn(ctx context.Context, row FailedSignIn) error {
	whose := bun.SafeQuery("login_id IS NULL AND staff_id IS NULL")
	switch {
	case row.LoginID != 0:
		whose = bun.SafeQuery("login_id = ? AND staff_id IS NULL", row.LoginID)
	case row.StaffID != 0:
		whose = bun.SafeQuery("login_id IS NULL AND staff_id = ?", row.StaffID)
	}
	_, err := s.idb.NewRaw(`INSERT INTO failed_sign_in AS f (login_id, staff_id, hour, network, attempts, codes, device, last_at)
		SELECT nullif(?0, 0), nullif(?1, 0), ?2, CASE WHEN (SELECT count(*) FROM failed_sign_in WHERE ?3 AND hour = ?2 AND network NOT IN (?4, '')) >= ?5 THEN '' ELSE ?4 END,
			?6, ?7, ?8, ?9
		ON CONFLICT (login_id, staff_id, hour, network) DO UPDATE SET attempts = f.attempts + EXCLUDED.attempts, codes = f.codes + EXCLUDED.codes,
			device = EXCLUDED.device, last_at = EXCLUDED.last_at`,
		int64(row.LoginID), int64(row.StaffID), row.Hour, whose, row.Network, networksPerHour, row.Attempts, row.Codes, row.Device, row.LastAt).Exec(ctx)
	return translate(err)
}

// FailedSignInFilter limits a list of failed sign-ins. Zero values do not limit.
type FailedSignInFilter struct {
	Reach  access.Reach // of the clients that the accounts reach
	Person Person
}

// FailedSignIns lists failed sign-ins, the newest first.
func (s *Store) FailedSignIns(ctx context.Context, filter FailedSignInFilter, page Page) (List[FailedSignIn], error) {
	rows := []FailedSignIn{}
	q := s.idb.NewSelect().Model(&rows).ColumnExpr("failed_sign_in.*").ColumnExpr("coalesce(l.email, p.email, '') AS email").
		Join("LEFT JOIN login AS l ON l.id = failed_sign_in.login_id").Join("LEFT JOIN staff AS p ON p.id = failed_sign_in.staff_id")
	if !filter.Reach.All {
		q = q.Where("failed_sign_in.login_id IN (SELECT a.login_id FROM sub_account AS a WHERE a.client_id IN (?))", bun.List(orNone(filter.Reach.Clients)))
	}
	if filter.Person.Login != 0 {
		q = q.Where("failed_sign_in.login_id = ?", filter.Person.Login)
	}
	if filter.Person.Staff != 0 {
		q = q.Where("failed_sign_in.staff_id = ?", filter.Person.Staff)
	}
	return readPage(ctx, s, q, &rows, page, order[FailedSignIn]{by: []key{{"failed_sign_in.id", "bigint"}}, descending: true, of: func(r FailedSignIn) []any { return []any{int64(r.ID)} }})
}

// MostLoginsOfAnAddress is how many logins share one address at most, at least 1: as many passwords are
// compared for every address, so that the time does not tell how many an address has.
func (s *Store) MostLoginsOfAnAddress(ctx context.Context) (int, error) {
	most := 1
	err := s.idb.NewRaw(`SELECT greatest(1, least(?, (SELECT max(n) FROM (SELECT count(*) AS n FROM login GROUP BY lower(email)) AS counts)))`,
		loginsPerAddress).Scan(ctx, &most)
	return most, translate(err)
}
