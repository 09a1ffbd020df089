package console

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// templateRow is a step with the texts of its mail, one for each language.
type templateRow struct {
	Step  db.ReminderStep
	Texts []templateText
}

type templateText struct {
	Language string
	InForce  *db.MailTemplate // nil: the built-in text
}

// templates lists the steps of all policies and which of their mails have a text of the company's own.
func (c *Console) templates(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	policies, err := c.Reminder.Policies(ctx)
	if err != nil {
		return err
	}
	inForce, err := c.Reminder.TemplatesInForce(ctx)
	if err != nil {
		return err
	}
	type place struct {
		anchor string
		days   int
	}
	steps := map[place]bool{}
	list := []db.ReminderStep{}
	add := func(anchor string, days int) {
		if at := (place{anchor, days}); !steps[at] {
			steps[at] = true
			list = append(list, db.ReminderStep{Anchor: anchor, Days: days})
		}
	}
	for _, policy := range policies {
		for _, step := range policy.Steps {
			add(step.Anchor, step.Days)
		}
	}
	own := map[string]*db.MailTemplate{}
	for i, text := range inForce {
		if text.Body != "" {
			add(text.Anchor, text.Days)
			own[templateURL(text.Anchor, text.Days, text.Language)] = &inForce[i]
		}
	}
	rows := []templateRow{}
	for _, step := range sortedSteps(list) {
		row := templateRow{Step: step}
		for _, lang := range locale.Languages() {
			row.Texts = append(row.Texts, templateText{lang, own[templateURL(step.Anchor, step.Days, lang)]})
		}
		rows = append(rows, row)
	}
	return c.show(w, r, http.StatusOK, rt(ctx, "nav.templates"), templatesPage(rows))
}

func templateURL(anchor string, days int, language string) string {
	return templateFormPath + "?" + url.Values{"ancla": {anchor}, "dias": {strconv.Itoa(days)}, "idioma": {language}}.Encode()
}

// templateForm is the editor of the text of one mail.
type templateForm struct {
	reminder.TemplateInput
	Invoice  string // whose data the preview shows
	Invoices []db.Invoice
	Versions []db.MailTemplate
	Wrong    []string // all that is wrong with the body, line by line
	Errors   fieldErrors
	Refused  string
	Preview  *mail.Message // nil: there is none
}

// own reports whether a text of the company's own holds.
func (f templateForm) own() bool { return len(f.Versions) > 0 && f.Versions[0].Body != "" }

func (f templateForm) step() db.ReminderStep {
	return db.ReminderStep{Anchor: f.Anchor, Days: f.Days}
}

func (f templateForm) url() string { return templateURL(f.Anchor, f.Days, f.Language) }

// at is the address of something that is done with the text.
func (f templateForm) at(verb string) string {
	return strings.Replace(f.url(), templateFormPath, templatesPath+"/"+verb, 1)
}

// templateOf reads which mail the address is about, with its versions and the invoices that the preview
// can show; ok is false where the address names none.
func (c *Console) templateOf(r *http.Request) (form templateForm, ok bool, err error) {
	ctx, q := r.Context(), r.URL.Query()
	days, malformed := strconv.Atoi(q.Get("dias"))
	form.TemplateInput = reminder.TemplateInput{Anchor: q.Get("ancla"), Days: days, Language: q.Get("idioma")}
	if malformed != nil || form.Anchor != db.AnchorDue && form.Anchor != db.AnchorIssue || !locale.Valid(form.Language) {
		return form, false, nil //nolint:nilerr // an address that names no mail is no failure
	}
	if form.Versions, err = c.Reminder.Templates(ctx, form.Anchor, form.Days, form.Language); err != nil {
		return form, false, err
	}
	list, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Status: "open"}, db.Page{First: 20})
	if err != nil {
		return form, false, err
	}
	form.Invoices = list.Rows
	form.Invoice = r.FormValue("factura")
	if form.Invoice == "" && len(list.Rows) > 0 {
		form.Invoice = list.Rows[0].ID.String()
	}
	if r.Method == http.MethodPost {
		form.Subject, form.Body = r.PostFormValue("subject"), strings.ReplaceAll(r.PostFormValue("body"), "\r\n", "\n")
		return form, true, nil
	}
	start := reminder.StartingTemplate(form.Anchor, form.Days, form.Language)
	form.Subject, form.Body = start.Subject, start.Body
	if form.own() {
		form.Subject, form.Body = form.Versions[0].Subject, form.Versions[0].Body
	}
	return form, true, nil
}

// render writes the mail of the form with the data of its invoice. What is wrong is noted in the form.
func (c *Console) render(ctx context.Context, form *templateForm) error {
	invoiceID, err := id.ParseInvoice(form.Invoice)
	if err != nil {
		return nil //nolint:nilerr // there is no invoice to show it with
	}
	message, err := c.Reminder.PreviewTemplate(ctx, form.TemplateInput, invoiceID)
	if err == nil {
		form.Preview = &message
	}
	return form.note(ctx, err)
}

// note keeps what a person can correct, and returns any other error.
func (f *templateForm) note(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	errs, ok := invalid(ctx, err)
	if !ok {
		return err
	}
	f.Errors = errs
	if e, ok := fault.As(err); ok {
		for _, field := range e.Fields {
			if field.Path == "body" {
				f.Wrong = append(f.Wrong, locale.Error(component.Lang(ctx), field.Code, field.Args))
			}
		}
	}
	f.Errors["body"] = strings.Join(f.Wrong, " ")
	if len(f.Wrong) == 0 {
		delete(f.Errors, "body")
	}
	return nil
}

func (c *Console) templatePage(w http.ResponseWriter, r *http.Request) error {
	form, ok, err := c.templateOf(r)
	if err != nil {
		return err
	}
	if !ok {
		return layout.Redirect(w, r, templatesPath)
	}
	if err := c.render(r.Context(), &form); err != nil {
		return err
	}
	return c.showTemplate(w, r, http.StatusOK, form)
}

func (c *Console) showTemplate(w http.ResponseWriter, r *http.Request, status int, form templateForm) error {
	return c.show(w, r, status, stepLabel(r.Context(), form.step()), templatePageView(form))
}

// edited answers a form of the editor: what could not be done is shown in it.
func (c *Console) edited(w http.ResponseWriter, r *http.Request, done string, verb func(context.Context, templateForm) error) error {
	form, ok, err := c.templateOf(r)
	if err != nil {
		return err
	}
	if !ok {
		return layout.Redirect(w, r, templatesPath)
	}
	err = verb(r.Context(), form)
	if err == nil {
		layout.Flash(w, r, done)
		return layout.Redirect(w, r, form.url())
	}
	if err := form.note(r.Context(), err); err != nil {
		return err
	}
	form.Refused = form.Errors.summary(r.Context())
	return c.showTemplate(w, r, http.StatusUnprocessableEntity, form)
}

func (c *Console) saveTemplate(w http.ResponseWriter, r *http.Request) error {
	return c.edited(w, r, "reminder.flash.template", func(ctx context.Context, form templateForm) error {
		_, err := c.Reminder.SaveTemplate(ctx, form.TemplateInput)
		return err
	})
}

// resetTemplate goes back to the built-in text.
func (c *Console) resetTemplate(w http.ResponseWriter, r *http.Request) error {
	return c.edited(w, r, "reminder.flash.template_reset", func(ctx context.Context, form templateForm) error {
		return c.Reminder.ResetTemplate(ctx, form.Anchor, form.Days, form.Language)
	})
}

// restoreTemplate makes an earlier version hold again.
func (c *Console) restoreTemplate(w http.ResponseWriter, r *http.Request) error {
	return c.edited(w, r, "reminder.flash.template", func(ctx context.Context, _ templateForm) error {
		version, err := formID(r, "version", id.ParseTemplate)
		if err == nil {
			_, err = c.Reminder.RestoreTemplate(ctx, version)
		}
		return err
	})
}

// testTemplate sends the mail of the form to the reader.
func (c *Console) testTemplate(w http.ResponseWriter, r *http.Request) error {
	form, ok, err := c.templateOf(r)
	if err != nil {
		return err
	}
	if !ok {
		return layout.Redirect(w, r, templatesPath)
	}
	invoiceID, err := id.ParseInvoice(form.Invoice)
	if err != nil {
		var checks fault.Checks
		checks.Add("factura", "REQUIRED")
		err = checks.Err()
	} else {
		err = c.Reminder.SendTestMail(r.Context(), form.TemplateInput, invoiceID)
	}
	status := http.StatusOK
	if err != nil {
		status = http.StatusUnprocessableEntity
		if err := form.note(r.Context(), err); err != nil {
			return err
		}
		form.Refused = form.Errors.summary(r.Context())
	} else {
		// What was typed is not saved yet, so the form comes back as it is.
		layout.Flash(w, r, "reminder.flash.to_me")
		if err := c.render(r.Context(), &form); err != nil {
			return err
		}
	}
	return c.showTemplate(w, r, status, form)
}

// templatePreview answers the mail of the form: for htmx that part alone.
func (c *Console) templatePreview(w http.ResponseWriter, r *http.Request) error {
	form, ok, err := c.templateOf(r)
	if err != nil {
		return err
	}
	if !ok {
		return layout.Redirect(w, r, templatesPath)
	}
	if err := c.render(r.Context(), &form); err != nil {
		return err
	}
	if layout.Partial(r) {
		return layout.WriteFragment(w, r, http.StatusOK, mailPreview(form))
	}
	return c.showTemplate(w, r, http.StatusOK, form)
}

// templateMail is the mail of the form as it looks: a document for the frame of the preview.
func (c *Console) templateMail(w http.ResponseWriter, r *http.Request) error {
	form, ok, err := c.templateOf(r)
	if err != nil {
		return err
	}
	if !ok {
		return layout.Redirect(w, r, templatesPath)
	}
	if err := c.render(r.Context(), &form); err != nil {
		return err
	}
	if form.Preview == nil {
		return layout.WriteMail(w, "<p>"+html.EscapeString(rt(r.Context(), "preview.wrong"))+"</p>")
	}
	return layout.WriteMail(w, form.Preview.HTML)
}

// invoiceOptions are the invoices whose data the preview can show.
func (f templateForm) invoiceOptions() []component.Option {
	options := []component.Option{}
	for _, row := range f.Invoices {
		options = append(options, component.Option{Value: row.ID.String(), Label: row.Number + " · " + row.ClientSnapshot.Name})
	}
	return options
}
