package fiscal

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// catalogPause is how long a process goes on with the catalogs that it has before it asks whether newer ones came.
const catalogPause = 20 * time.Second

// CatalogSource gives the catalogs in force: the product's own, with those that were imported in their place. They are
// kept in memory, and asked for anew when an import changed them: every process notices within half a minute.
type CatalogSource struct {
	store *db.Store
	log   *slog.Logger

	mu      sync.Mutex
	asked   time.Time
	version int64
	current *Catalogs
}

// NewCatalogSource reads nothing yet. log nil is slog.Default.
func NewCatalogSource(store *db.Store, log *slog.Logger) *CatalogSource {
	if log == nil {
		log = slog.Default()
	}
	return &CatalogSource{store: store, log: log, current: DefaultCatalogs()}
}

// InForce returns the catalogs. While the database does not answer, the last ones stay in force. A nil source has the
// product's own.
func (s *CatalogSource) InForce(ctx context.Context) *Catalogs {
	if s == nil {
		return DefaultCatalogs()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked.IsZero() && time.Since(s.asked) < catalogPause {
		return s.current
	}
	if err := s.refresh(ctx); err != nil {
		s.log.Warn("the catalogs of the SAT could not be read: the last ones stay in force", "error", err)
	}
	return s.current
}

// Refresh asks now whether newer catalogs came.
func (s *CatalogSource) Refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refresh(ctx)
}

func (s *CatalogSource) refresh(ctx context.Context) error {
	s.asked = time.Now() // also after a failure: the database is not asked for every document
	version, err := s.store.SATCatalogVersion(ctx)
	if err != nil || version == s.version {
		return err
	}
	var catalogs []db.SATCatalog
	var keys []db.SATKey
	err = s.store.InTx(ctx, func(tx *db.Store) error { // both of the same import
		if catalogs, err = tx.SATCatalogs(ctx); err != nil {
			return err
		}
		keys, err = tx.SATKeys(ctx)
		return err
	})
	if err != nil {
		return err
	}
	newer := &Catalogs{lists: map[string][]Entry{}, partial: map[string]bool{}}
	for _, c := range catalogs {
		newer.partial[c.Name] = c.Partial
		version = max(version, c.Version)
	}
	for _, k := range keys {
		if len(k.Properties) == 0 {
			k.Properties = nil // of 95,000 postal codes
		}
		newer.lists[k.Catalog] = append(newer.lists[k.Catalog], Entry{Key: k.Key, Text: k.Text, From: k.VigenciaDesde, Until: k.VigenciaHasta, Properties: k.Properties})
	}
	s.current, s.version = DefaultCatalogs().With(newer), version
	return nil
}

// Catalogs returns the SAT's catalogs in force.
func (s *Service) Catalogs(ctx context.Context) *Catalogs { return s.CatalogSource.InForce(ctx) }

// SATKeys returns at most limit (1 to 100) keys that hold today and fit what was typed, of c_ClaveProdServ or
// c_ClaveUnidad. Staff only.
func (s *Service) SATKeys(ctx context.Context, catalog, typed string, limit int) ([]Entry, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	var checks fault.Checks
	if catalog != CatClaveProdServ && catalog != CatClaveUnidad {
		checks.Add("catalog", "VALUE_INVALID")
	}
	if limit < 1 || limit > db.MaxPage {
		checks.Add("first", "PAGE_SIZE", "max", db.MaxPage)
	}
	if len(typed) > 200 {
		checks.Add("search", "TOO_LONG", "max", 200)
	}
	if err := checks.Err(); err != nil {
		return nil, err
	}
	return s.Catalogs(ctx).Search(catalog, typed, s.day(), limit), nil
}
