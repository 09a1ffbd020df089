package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// pricing reads the price of a product or a service.
func pricing(in model.PricingInput) billing.Pricing {
	return billing.Pricing{Kind: in.Kind, TLD: deref(in.Tld), Cycle: billing.Cycle(in.Cycle), Price: in.Price, Currency: in.Currency,
		Treatment: billing.TaxTreatment(in.Treatment), PriceIncludesTax: in.PriceIncludesTax, ClaveProdServ: deref(in.ClaveProdServ), ClaveUnidad: deref(in.ClaveUnidad)}
}

// pricingFields lie inside `pricing` of an input.
var pricingFields = map[string]bool{"kind": true, "tld": true, "cycle": true, "price": true, "currency": true, "treatment": true, "claveProdServ": true, "claveUnidad": true}

// pricingPath is splitPath for the inputs that hold a price in an object of their own.
func pricingPath(path string) []string {
	if pricingFields[path] {
		return []string{"pricing", path}
	}
	return splitPath(path)
}

func (r *resolver) saveProduct(ctx context.Context, in model.SaveProductInput) (db.Product, error) {
	key, err := optional(in.ProductID, id.ParseProduct)
	if err != nil {
		return db.Product{}, err
	}
	return r.Billing.SaveProduct(ctx, billing.ProductInput{ProductID: key, Name: in.Name, Pricing: pricing(*in.Pricing), Active: in.Active})
}

func (r *resolver) addService(ctx context.Context, in model.AddServiceInput) (db.Service, error) {
	client, err := parsed(in.ClientID, id.ParseClient)
	if err != nil {
		return db.Service{}, err
	}
	product, err := optional(in.ProductID, id.ParseProduct)
	if err != nil {
		return db.Service{}, err
	}
	service := billing.ServiceInput{ClientID: client, ProductID: product, Description: deref(in.Description), Quantity: in.Quantity, StartsOn: in.StartsOn,
		EndsOn: day(in.EndsOn), DaysBefore: &in.DaysBefore, RequestKey: in.RequestKey}
	if in.Pricing != nil {
		service.Pricing = pricing(*in.Pricing)
	}
	if in.AnchorDay != nil {
		service.AnchorDay = *in.AnchorDay
	}
	return r.Billing.AddService(ctx, service)
}

func (r *resolver) changeService(ctx context.Context, in model.ChangeServiceInput) (billing.Change, error) {
	key, err := parsed(in.ServiceID, id.ParseService)
	if err != nil {
		return billing.Change{}, err
	}
	change := billing.ChangeInput{ServiceID: key, On: day(in.On), Description: deref(in.Description), Price: in.Price, RequestKey: in.RequestKey}
	if in.Quantity != nil {
		change.Quantity = *in.Quantity
	}
	return r.Billing.ChangeService(ctx, change)
}

func (r *resolver) setServiceStatus(ctx context.Context, in model.SetServiceStatusInput) (db.Service, error) {
	key, err := parsed(in.ServiceID, id.ParseService)
	if err != nil {
		return db.Service{}, err
	}
	return r.Billing.SetServiceState(ctx, billing.ServiceStateInput{ServiceID: key, Status: in.Status, EndsOn: day(in.EndsOn)})
}

func servicePayload(ctx context.Context, row db.Service, err error, idField string, paths func(string) []string) (*model.ServicePayload, error) {
	payload := &model.ServicePayload{}
	if err == nil {
		payload.Service = &row
	}
	payload.UserErrors, err = userErrors(ctx, err, idField, paths)
	return payload, err
}

func productPage(list db.List[db.Product], err error) (*model.ProductConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.ProductConnection{Connection: connection(list, func(row *db.Product) *db.Product { return row },
		func(cursor string, node *db.Product) *model.ProductEdge {
			return &model.ProductEdge{Cursor: cursor, Node: node}
		})}, nil
}

func servicePage(ctx context.Context, list db.List[db.Service], err error) (*model.ServiceConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Service) id.Client { return row.ClientID }, "client")
	return &model.ServiceConnection{Connection: connection(list, func(row *db.Service) *db.Service { return row },
		func(cursor string, node *db.Service) *model.ServiceEdge {
			return &model.ServiceEdge{Cursor: cursor, Node: node}
		})}, nil
}
