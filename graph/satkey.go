package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// satCatalogs are the SAT's names of the catalogs.
var satCatalogs = map[string]string{"clave_prod_serv": fiscal.CatClaveProdServ, "clave_unidad": fiscal.CatClaveUnidad}

func (r *resolver) satKeys(ctx context.Context, catalog, search string, first int) ([]*model.SatKey, error) {
	found, err := r.Fiscal.SATKeys(ctx, satCatalogs[catalog], search, first)
	if err != nil {
		return nil, err
	}
	keys := make([]*model.SatKey, len(found))
	for i, e := range found {
		keys[i] = &model.SatKey{Key: e.Key, Text: e.Text, ValidFrom: someDay(e.From), ValidUntil: someDay(e.Until)}
	}
	return keys, nil
}

func someDay(day string) *date.Date {
	if day == "" {
		return nil
	}
	d := date.Date(day)
	return &d
}
