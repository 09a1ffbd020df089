package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const sectionFolder = "folder"

func (p *Portal) folderRoutes() []layout.Route {
	if p.Fiscal == nil {
		return nil
	}
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/fiscal/documentos", Who: layout.Logins, Handle: p.Folder},
		{Method: "GET", Path: "/clientes/{client}/fiscal/documentos/{cfdi}", Who: layout.Logins, Handle: p.FolderDocument},
	}
}

// folderView is the fiscal folder: what was stamped, by month.
type folderView struct {
	Client db.Client
	Filter fiscal.FolderFilter
	Months []db.CFDIMonth
	Rows   []db.CFDI
	Next   templ.SafeURL
}

// fot is a text of the fiscal folder.
func fot(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "folder."+key, args...)
}

// Folder lists the client's stamped documents.
func (p *Portal) Folder(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	ctx, query := r.Context(), r.URL.Query()
	view := folderView{Client: client, Filter: fiscal.FolderFilter{Client: client.ID, Month: query.Get("mes"), Kind: query.Get("tipo"), Status: query.Get("estado")}}
	if view.Months, err = p.Fiscal.FolderMonths(ctx, client.ID); err != nil {
		return err
	}
	list, err := p.Fiscal.Folder(ctx, view.Filter, db.Page{First: 25, After: query.Get("despues")})
	if fault.Is(err, fault.Invalid) { // an address typed by hand
		return layout.Redirect(w, r, string(at(client.ID, "fiscal", "documentos")))
	}
	if err != nil {
		return err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		query.Set("despues", next)
		view.Next = at(client.ID, "fiscal", "documentos") + templ.SafeURL("?"+query.Encode())
	}
	return p.show(w, r, http.StatusOK, client, sectionFolder, fot(ctx, "title"), folderPage(view))
}

// FolderDocument shows one document: its files, what it relates to and who downloaded it.
func (p *Portal) FolderDocument(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	cfdi, err := id.ParseCFDI(r.PathValue("cfdi"))
	if err != nil {
		return fault.Missing()
	}
	trail, err := p.Fiscal.Trail(r.Context(), cfdi)
	if err != nil {
		return err
	}
	if trail.ClientID != client.ID || !trail.Stamped() {
		return fault.Missing()
	}
	return p.show(w, r, http.StatusOK, client, sectionFolder, folderName(r.Context(), trail.CFDI), folderDocumentPage(client, trail))
}

func (v folderView) filtered() bool {
	return v.Filter.Month != "" || v.Filter.Kind != "" || v.Filter.Status != ""
}

func (v folderView) months(ctx context.Context) []component.Option {
	options := []component.Option{{Label: fot(ctx, "month.all")}}
	for _, m := range v.Months {
		options = append(options, component.Option{Value: m.Month, Label: upperFirst(component.Month(ctx, m.Month)) + " (" + strconv.Itoa(m.Count) + ")"})
	}
	return options
}

func (v folderView) kinds(ctx context.Context) []component.Option {
	options := []component.Option{{Label: fot(ctx, "kind.all")}}
	for _, kind := range []string{db.CFDIIngreso, db.CFDIEgreso, db.CFDIPago, db.CFDIAnticipo} {
		options = append(options, component.Option{Value: kind, Label: ft(ctx, "kind."+kind)})
	}
	return options
}

func (v folderView) states(ctx context.Context) []component.Option {
	options := []component.Option{{Label: fot(ctx, "state.all")}}
	for _, status := range []string{db.CFDIStamped, db.CFDICancelPending, db.CFDICancelled} {
		options = append(options, component.Option{Value: status, Label: fot(ctx, "state."+status)})
	}
	return options
}

// zip is the month whose archive is offered: the one chosen, or the newest.
func (v folderView) zip() string {
	if v.Filter.Month == "" && len(v.Months) > 0 {
		return v.Months[0].Month
	}
	return v.Filter.Month
}

func archiveURL(client id.Client, month string) templ.SafeURL {
	return templ.SafeURL("/descargas/fiscal/" + client.String() + "/" + url.PathEscape(month) + ".zip")
}

func folderURL(row db.CFDI) templ.SafeURL {
	return at(row.ClientID, "fiscal", "documentos", row.ID.String())
}

// folderName is a document's kind, series and folio.
func folderName(ctx context.Context, row db.CFDI) string {
	return strings.TrimSpace(ft(ctx, "kind."+row.Kind) + " " + documentName(row))
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
