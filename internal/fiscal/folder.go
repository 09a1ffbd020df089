package fiscal

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Trail is all that is known of a document: what it relates to, who downloaded it and whom it was mailed to.
type Trail struct {
	db.CFDI
	Related   []db.CFDI         // by id; RelatedID and ReplacesID say how
	Downloads []db.CFDIDownload // the newest 100 first; Who is "" for staff when a login asks
	Mails     []db.CFDIMail     // staff only
}

// Relation says how another document of its trail belongs to a document: "replaced_by", "replaces", "related_by" (it
// relates to the document) or "relates".
func Relation(row, other db.CFDI) string {
	switch {
	case other.ReplacesID == row.ID:
		return "replaced_by"
	case row.ReplacesID == other.ID:
		return "replaces"
	case other.RelatedID == row.ID, other.Kind == db.CFDIPago && row.Kind == db.CFDIIngreso, row.Kind == db.CFDIAnticipo:
		return "related_by"
	}
	return "relates"
}

// Trail returns one document with its files and all that is known of it. Permission invoices.
func (s *Service) Trail(ctx context.Context, cfdi id.CFDI) (Trail, error) {
	row, err := s.Document(ctx, cfdi)
	if err != nil {
		return Trail{}, err
	}
	trail := Trail{CFDI: row}
	around, err := s.Store.CFDIsAround(ctx, row.ID)
	if err != nil {
		return trail, err
	}
	downloads, err := s.Downloads(ctx, row.ID)
	if err != nil {
		return trail, err
	}
	trail.Related, trail.Downloads = around[row.ID], downloads[row.ID]
	if access.From(ctx).Kind != access.Login {
		trail.Mails, err = s.Store.CFDIMails(ctx, row.ID)
	}
	return trail, err
}

// Around returns, by document, the stamped documents that belong to it and that the actor may see; [Relation] says how.
func (s *Service) Around(ctx context.Context, documents ...id.CFDI) (map[id.CFDI][]db.CFDI, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	found, err := s.Store.CFDIsAround(ctx, documents...)
	for about, rows := range found {
		found[about] = slices.DeleteFunc(rows, func(c db.CFDI) bool { return !c.Stamped() || !access.Can(ctx, access.Invoices, c.ClientID) })
	}
	return found, err
}

// Downloads returns the download logs of documents that the actor may see, the newest 100 of each first. Who is "" for
// staff when a login asks.
func (s *Service) Downloads(ctx context.Context, documents ...id.CFDI) (map[id.CFDI][]db.CFDIDownload, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	found, err := s.Store.CFDIDownloads(ctx, documents...)
	login := access.From(ctx).Kind == access.Login
	for about, rows := range found {
		if !access.Can(ctx, access.Invoices, rows[0].Client) {
			delete(found, about)
			continue
		}
		for i := range rows {
			if login && rows[i].StaffID != 0 {
				rows[i].Who, rows[i].Address = "", ""
			}
		}
	}
	return found, err
}

// FolderFilter limits the folder. Zero values do not limit.
type FolderFilter struct {
	Client id.Client // 0: of every client, staff only
	Month  string    // 2006-01, of Fecha where the issuer is
	Kind   string    // db.CFDIIngreso...
	Status string    // db.CFDIStamped, db.CFDICancelPending, db.CFDICancelled
}

// requireFolder lets in who may see a client's invoices; staff for those of every client.
func (s *Service) requireFolder(ctx context.Context, client id.Client) error {
	if client == 0 {
		return access.RequireCapability(ctx, access.ReadBilling)
	}
	return access.Require(ctx, access.Invoices, client)
}

// Folder lists the stamped documents of a client, the newest first. Permission invoices; staff alone for those of every
// client.
func (s *Service) Folder(ctx context.Context, in FolderFilter, page db.Page) (db.List[db.CFDI], error) {
	if err := s.requireFolder(ctx, in.Client); err != nil {
		return db.List[db.CFDI]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.CFDI]{}, err
	}
	filter, err := s.folder(ctx, in)
	if err != nil {
		return db.List[db.CFDI]{}, err
	}
	return s.Store.StampedCFDIs(ctx, filter, page)
}

// FolderMonths are the months with stamped documents of a client, the newest first. Permission invoices; staff alone
// for those of every client.
func (s *Service) FolderMonths(ctx context.Context, client id.Client) ([]db.CFDIMonth, error) {
	if err := s.requireFolder(ctx, client); err != nil {
		return nil, err
	}
	zone, err := s.zone(ctx)
	if err != nil {
		return nil, err
	}
	return s.Store.CFDIMonths(ctx, client, zone.String())
}

// zone is the issuer's, in which Fecha is written.
func (s *Service) zone(ctx context.Context) (*time.Location, error) {
	issuer, err := s.Store.FiscalIssuer(ctx)
	if fault.Is(err, fault.NotFound) {
		return ZonaCentro(), nil
	}
	return ZonaHoraria(issuer.LugarExpedicion), err
}

func (s *Service) folder(ctx context.Context, in FolderFilter) (db.CFDIFilter, error) {
	filter := db.CFDIFilter{Client: in.Client, Kind: in.Kind, Status: in.Status}
	var checks fault.Checks
	if in.Kind != "" && !slices.Contains([]string{db.CFDIIngreso, db.CFDIEgreso, db.CFDIPago, db.CFDIGlobal, db.CFDIAnticipo}, in.Kind) {
		checks.Add("kind", "VALUE_INVALID")
	}
	if in.Status != "" && !slices.Contains([]string{db.CFDIStamped, db.CFDICancelPending, db.CFDICancelled}, in.Status) {
		checks.Add("status", "VALUE_INVALID")
	}
	if in.Month != "" {
		zone, err := s.zone(ctx)
		if err != nil {
			return filter, err
		}
		if filter.From, err = time.ParseInLocation("2006-01", in.Month, zone); err != nil {
			checks.Add("month", "VALUE_INVALID")
		}
		filter.To = filter.From.AddDate(0, 1, 0)
	}
	return filter, checks.Err()
}
