package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (c *Console) fiscalTable() []layout.Route {
	if c.Fiscal == nil {
		return nil
	}
	return []layout.Route{
		{Method: "GET", Path: "/consola/fiscal", Who: layout.Staff, Handle: c.fiscalList},
		{Method: "GET", Path: "/consola/fiscal/emisor", Who: layout.Staff, Handle: c.issuerPage},
		{Method: "POST", Path: "/consola/fiscal/emisor", Who: layout.Staff, Handle: c.saveIssuer},
		{Method: "POST", Path: "/consola/fiscal/csd", Who: layout.Staff, Handle: c.uploadCSD, MaxBody: maxCSDForm},
		{Method: "GET", Path: "/consola/fiscal/csd", Who: layout.Staff, Handle: func(w http.ResponseWriter, r *http.Request) error {
			return layout.Redirect(w, r, "/consola/fiscal/emisor")
		}},
		{Method: "POST", Path: "/consola/clientes/{id}/fiscal", Who: layout.Staff, Handle: c.setFiscalWhen},
		{Method: "GET", Path: "/consola/clientes/{id}/fiscal", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/clientes/{id}/fiscal/{profile}", Who: layout.Staff, Handle: c.editFiscalProfile},
		{Method: "POST", Path: "/consola/clientes/{id}/fiscal/{profile}", Who: layout.Staff, Handle: c.saveFiscalProfile},
		{Method: "GET", Path: stampingPath, Who: layout.Staff, Handle: c.stamping},
		{Method: "POST", Path: stampingPath, Who: layout.Staff, Handle: c.retryStamps},
		{Method: "POST", Path: "/consola/fiscal/{id}/timbrar", Who: layout.Staff, Handle: c.retryCFDI},
	}
}

// ft is a text about fiscal documents.
func ft(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "fiscal."+key, args...)
}

// fiscalTabs are what the list can be limited to.
var fiscalTabs = []string{"", "waiting", db.CFDIStampFailed, db.CFDIStamped, db.CFDICancelPending, db.CFDICancelled}

type fiscalListView struct {
	Status string
	Rows   []db.CFDI
	Counts map[string]int
	Issuer fiscal.Issuer
	Urgent fiscal.Urgent
	Months []db.CFDIMonth // whose ZIP is offered
	Next   string
}

func (v fiscalListView) tabs(ctx context.Context) []component.Tab {
	v.Counts["waiting"] = v.Counts[db.CFDIDraft] + v.Counts[db.CFDISealed] + v.Counts[db.CFDIStamping]
	tabs := make([]component.Tab, 0, len(fiscalTabs))
	for _, status := range fiscalTabs {
		q, key := url.Values{}, status
		set(q, "estado", status)
		if key == "" {
			key = "all"
		}
		name := ft(ctx, "console.tab."+key)
		if n := v.Counts[status]; n > 0 {
			name += " (" + strconv.Itoa(n) + ")"
		}
		tabs = append(tabs, tab(name, withQuery("/consola/fiscal", q), status == v.Status))
	}
	return tabs
}

func (c *Console) fiscalList(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := fiscalListView{Status: q.Get("estado")}
	list, counts, err := c.Fiscal.All(ctx, view.Status, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	view.Rows, view.Counts = list.Rows, counts
	if view.Issuer, err = c.Fiscal.Issuer(ctx); err != nil {
		return err
	}
	if access.RequireCapability(ctx, access.ReadBilling) == nil {
		if view.Urgent, err = c.Fiscal.Urgent(ctx); err != nil {
			return err
		}
		if view.Months, err = c.Fiscal.FolderMonths(ctx, 0); err != nil {
			return err
		}
		view.Months = view.Months[:min(len(view.Months), 12)]
	}
	if next := list.Next(); next != "" {
		query := url.Values{"despues": {next}}
		set(query, "estado", view.Status)
		view.Next = withQuery("/consola/fiscal", query)
	}
	return c.show(w, r, http.StatusOK, ft(ctx, "console.title"), fiscalListPage(view))
}

// clientFiscal is the part of a client's page about its fiscal documents.
type clientFiscal struct {
	Profiles []db.FiscalProfile
	When     fiscal.When
}

func (c *Console) clientFiscal(ctx context.Context, client id.Client) (*clientFiscal, error) {
	if c.Fiscal == nil {
		return nil, nil
	}
	var out clientFiscal
	var err error
	if out.Profiles, err = c.Fiscal.FiscalProfiles(ctx, client); err != nil {
		return nil, err
	}
	out.When, err = c.Fiscal.When(ctx, client)
	return &out, err
}

func (f clientFiscal) whens(ctx context.Context) []component.Option {
	options := []component.Option{{Label: ft(ctx, "console.when.company", "rule", ft(ctx, "console.when."+f.When.Company))}}
	for _, when := range []string{db.CFDIOnPayment, db.CFDIOnIssue, db.CFDIOnRequest} {
		options = append(options, component.Option{Value: when, Label: ft(ctx, "console.when."+when)})
	}
	return options
}

// setFiscalWhen sets when a client's documents are issued.
func (c *Console) setFiscalWhen(w http.ResponseWriter, r *http.Request) error {
	client, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.Fiscal.SetWhen(r.Context(), client.ID, r.PostFormValue("when")); err != nil {
		return err
	}
	layout.Flash(w, r, "fiscal.flash.when")
	return layout.Redirect(w, r, clientPath(client.ID))
}

type issuerView struct {
	Cat    *fiscal.Catalogs
	Issuer fiscal.Issuer
	In     fiscal.IssuerInput
	Errors fieldErrors // of the issuer's form
	CSD    fieldErrors // of the certificate's form
}

func (c *Console) issuerPage(w http.ResponseWriter, r *http.Request) error {
	return c.showIssuer(w, r, http.StatusOK, nil, nil, nil)
}

func (c *Console) showIssuer(w http.ResponseWriter, r *http.Request, status int, in *fiscal.IssuerInput, errs, csd fieldErrors) error {
	ctx := r.Context()
	issuer, err := c.Fiscal.Issuer(ctx)
	if err != nil {
		return err
	}
	view := issuerView{Cat: c.Fiscal.Catalogs(ctx), Issuer: issuer, Errors: errs, CSD: csd, In: fiscal.IssuerInput{Rfc: issuer.Rfc, Nombre: issuer.Nombre, RegimenFiscal: issuer.RegimenFiscal,
		LugarExpedicion: issuer.LugarExpedicion, SerieIngreso: issuer.SerieIngreso, SerieEgreso: issuer.SerieEgreso, SeriePago: issuer.SeriePago,
		SerieGlobal: issuer.SerieGlobal, When: issuer.When, Periodicidad: issuer.Periodicidad, CreditAlert: issuer.CreditAlert}}
	if view.In.SerieIngreso == "" {
		view.In.Periodicidad, view.In.CreditAlert = "04", 100
		view.In.SerieIngreso, view.In.SerieEgreso, view.In.SeriePago, view.In.SerieGlobal = "A", "NC", "P", "G"
	}
	if in != nil {
		view.In = *in
	}
	return c.show(w, r, status, ft(ctx, "console.settings"), issuerPage(view))
}

func (c *Console) saveIssuer(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	in := fiscal.IssuerInput{Rfc: r.PostFormValue("rfc"), Nombre: r.PostFormValue("nombre"), RegimenFiscal: r.PostFormValue("regimenFiscal"),
		LugarExpedicion: r.PostFormValue("lugarExpedicion"), SerieIngreso: r.PostFormValue("serieIngreso"), SerieEgreso: r.PostFormValue("serieEgreso"),
		SeriePago: r.PostFormValue("seriePago"), SerieGlobal: r.PostFormValue("serieGlobal"), When: r.PostFormValue("when"),
		Periodicidad: r.PostFormValue("periodicidad")}
	if text := strings.TrimSpace(r.PostFormValue("creditAlert")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			n = -1 // refused as a number out of range
		}
		in.CreditAlert = n
	}
	_, err := c.Fiscal.SaveIssuer(ctx, in)
	if errs, ok := invalid(ctx, err); ok {
		return c.showIssuer(w, r, http.StatusUnprocessableEntity, &in, errs, nil)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "fiscal.flash.issuer")
	return layout.Redirect(w, r, "/consola/fiscal/emisor")
}

const (
	maxCSD     = 64 << 10 // more than any .cer or .key has; of a larger file the beginning is read, and refused at its field
	maxCSDForm = 32 << 20 // of what is taken in to say so
)

func (c *Console) uploadCSD(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	in := fiscal.UploadCSDInput{}
	var err error
	if in.Cer, err = upload(r, "cer", maxCSD); err != nil {
		return err
	}
	if in.Key, err = upload(r, "key", maxCSD); err != nil {
		return err
	}
	in.Password = r.PostFormValue("password")
	_, err = c.Fiscal.UploadCSD(ctx, in)
	if errs, ok := invalid(ctx, err); ok {
		return c.showIssuer(w, r, http.StatusUnprocessableEntity, nil, nil, errs)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "fiscal.flash.csd")
	return layout.Redirect(w, r, "/consola/fiscal/emisor")
}

// upload reads a small file of a form, at most so many bytes; nothing when none was chosen.
func upload(r *http.Request, name string, limit int64) ([]byte, error) {
	file, _, err := r.FormFile(name)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, limit))
}

// creditAlert is the number as it was typed; nothing where it was none.
func (v issuerView) creditAlert() string {
	if v.In.CreditAlert < 0 {
		return ""
	}
	return strconv.Itoa(v.In.CreditAlert)
}

func (v issuerView) field(ctx context.Context, name, label, value string) component.Field {
	return component.Field{Name: name, Label: ft(ctx, label), Value: value, Error: v.Errors[name], Required: true}
}

func (v issuerView) regimes(ctx context.Context) []component.Option {
	options := []component.Option{{Label: ft(ctx, "field.choose")}}
	for _, e := range v.Cat.List(fiscal.CatRegimenFiscal, "") {
		options = append(options, component.Option{Value: e.Key, Label: e.Key + " - " + e.Text})
	}
	return options
}

func (v issuerView) whens(ctx context.Context) []component.Option {
	var options []component.Option
	for _, when := range []string{db.CFDIOnPayment, db.CFDIOnIssue, db.CFDIOnRequest} {
		options = append(options, component.Option{Value: when, Label: ft(ctx, "console.when."+when)})
	}
	return options
}

// periods are how often paid sales that nobody asked a document for are summed up.
func (v issuerView) periods(ctx context.Context) []component.Option {
	options := []component.Option{}
	for _, e := range v.Cat.List(fiscal.CatPeriodicidad, "") {
		if e.Key != "05" || v.In.RegimenFiscal == "621" {
			options = append(options, component.Option{Value: e.Key, Label: e.Key + " - " + e.Text})
		}
	}
	return append(options, component.Option{Label: ft(ctx, "console.global.none")})
}

func fiscalTone(status string) component.Tone {
	switch status {
	case db.CFDIStamped:
		return component.Good
	case db.CFDIStampFailed:
		return component.Bad
	case db.CFDICancelPending:
		return component.Warning
	case db.CFDICancelled:
		return component.Neutral
	}
	return component.Info
}

func cfdiPath(row db.CFDI, format string) string {
	return "/descargas/cfdi/" + row.ID.String() + "." + format
}

func documentName(ctx context.Context, row db.CFDI) string {
	name := ft(ctx, "kind."+row.Kind)
	if row.Folio != 0 {
		name += " " + row.Serie + " " + strconv.FormatInt(row.Folio, 10)
	}
	return name
}

func csdUntil(ctx context.Context, issuer fiscal.Issuer) string {
	return component.Date(ctx, date.Of(issuer.CSD.ValidUntil, fiscal.ZonaCentro()))
}
