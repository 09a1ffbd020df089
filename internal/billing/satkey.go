package billing

import (
	"context"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Catalogs of the SAT that lines take keys of.
const (
	claveProdServ = "c_ClaveProdServ"
	claveUnidad   = "c_ClaveUnidad"
)

// checkSATKeys notes keys that do not look like one: eight digits of c_ClaveProdServ, up to three letters and
// digits of c_ClaveUnidad. An empty key leaves it to the fiscal settings.
func checkSATKeys(checks *fault.Checks, at func(field string) string, prodServ, unidad *string) {
	*prodServ, *unidad = strings.TrimSpace(*prodServ), strings.ToUpper(strings.TrimSpace(*unidad))
	if *prodServ != "" && !digits(*prodServ, 8) {
		checks.Add(at("claveProdServ"), "SAT_KEY_MALFORMED")
	}
	if len(*unidad) > 3 || strings.Trim(*unidad, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		checks.Add(at("claveUnidad"), "SAT_KEY_MALFORMED")
	}
}

// satKeys are keys that lines name, as the imported catalogs have them: by catalog and key, with the times they were
// in force. A catalog that was not imported, or in part only, refuses nothing.
type satKeys map[string]map[string][]db.SATKey

// readSATKeys reads the keys of lines in one statement; none where no line names one.
func readSATKeys(ctx context.Context, tx *db.Store, lines []db.InvoiceLine) (satKeys, error) {
	var keys []string
	for _, line := range lines {
		for _, key := range []string{line.ClaveProdServ, line.ClaveUnidad} {
			if key != "" && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // no keys are no keys
	}
	return tx.SATKeysNamed(ctx, []string{claveProdServ, claveUnidad}, keys)
}

// check notes keys that their catalog does not hold on a day: no CFDI can be stamped with them.
func (k satKeys) check(checks *fault.Checks, day date.Date, at func(field string) string, prodServ, unidad string) {
	for _, part := range []struct{ catalog, field, key string }{{claveProdServ, "claveProdServ", prodServ}, {claveUnidad, "claveUnidad", unidad}} {
		catalog, whole := k[part.catalog]
		if !whole || part.key == "" || checks.Has(at(part.field)) {
			continue
		}
		if !slices.ContainsFunc(catalog[part.key], func(row db.SATKey) bool {
			return (row.VigenciaDesde == "" || row.VigenciaDesde <= string(day)) && (row.VigenciaHasta == "" || string(day) <= row.VigenciaHasta)
		}) {
			checks.Add(at(part.field), "SAT_KEY_UNKNOWN", "key", part.key)
		}
	}
}

// checkPricing is check for what is sold from today on.
func (s *Service) checkPricing(ctx context.Context, tx *db.Store, p Pricing) error {
	company, err := tx.Company(ctx)
	if err != nil {
		return err
	}
	keys, err := readSATKeys(ctx, tx, []db.InvoiceLine{{ClaveProdServ: p.ClaveProdServ, ClaveUnidad: p.ClaveUnidad}})
	if err != nil {
		return err
	}
	var checks fault.Checks
	keys.check(&checks, date.Today(s.Now(), company.Timezone), func(field string) string { return field }, p.ClaveProdServ, p.ClaveUnidad)
	return checks.Err()
}
