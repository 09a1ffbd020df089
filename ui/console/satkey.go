package console

import (
	"context"
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// satKeysPath is where fields for keys of the SAT look them up.
const satKeysPath = "/consola/fiscal/claves"

// satKeySource is what a field of a catalog asks.
func satKeySource(catalog string) string { return satKeysPath + "?catalogo=" + catalog }

// satCatalogs are the catalogs of fields for keys, by the field's name.
var satCatalogs = map[string]string{"claveProdServ": fiscal.CatClaveProdServ, "claveUnidad": fiscal.CatClaveUnidad}

// satKeysShown is how many keys a field offers.
const satKeysShown = 12

// satKeys are the options of a field: keys of the SAT that fit what is typed.
func (c *Console) satKeys(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	keys, err := c.Fiscal.SATKeys(r.Context(), q.Get("catalogo"), q.Get("q"), satKeysShown)
	if _, refused := invalid(r.Context(), err); refused {
		keys, err = []fiscal.Entry{}, nil
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, max-age=60")
	return satKeyOptions(keys).Render(r.Context(), w)
}

func (c *Console) satKeyRoutes() []layout.Route {
	if c.Fiscal == nil {
		return nil
	}
	return []layout.Route{{Method: "GET", Path: satKeysPath, Who: layout.Staff, Handle: c.satKeys}}
}

// foundKeys says how many keys are offered.
func foundKeys(ctx context.Context, n int) string {
	key := "satkey.found"
	return component.T(ctx, oneOr(key, int64(n)), "n", n)
}
