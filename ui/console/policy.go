package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const (
	previewInvoices = 8   // real invoices that the preview of a policy shows
	maxSteps        = 100 // rows of the form
)

// policyRow is a policy with whom it rules.
type policyRow struct {
	reminder.Policy
	Client string
}

type policiesView struct {
	Rows    []policyRow
	Groups  []db.ClientGroup // that have no policy yet
	Refused string
}

func (c *Console) policies(w http.ResponseWriter, r *http.Request) error {
	return c.showPolicies(w, r, http.StatusOK, "")
}

func (c *Console) showPolicies(w http.ResponseWriter, r *http.Request, status int, refused string) error {
	ctx := r.Context()
	view := policiesView{Refused: refused}
	rows, err := c.Reminder.Policies(ctx)
	if err != nil {
		return err
	}
	groups, err := c.Reminder.ClientGroups(ctx)
	if err != nil {
		return err
	}
	ids := []id.Client{}
	for _, row := range rows {
		if row.ClientID != 0 {
			ids = append(ids, row.ClientID)
		}
	}
	clients, err := c.Account.ClientsByID(ctx, ids)
	if err != nil {
		return err
	}
	clientBy := byKey(clients, func(v db.Client) id.Client { return v.ID })
	ruled := map[id.Group]bool{}
	for _, row := range rows {
		ruled[row.GroupID] = true
		view.Rows = append(view.Rows, policyRow{row, clientBy[row.ClientID].Name})
	}
	for _, group := range groups {
		if !ruled[group.ID] {
			view.Groups = append(view.Groups, group)
		}
	}
	return c.show(w, r, status, rt(ctx, "nav.policies"), policiesPage(view))
}

// scope says whom a policy rules.
func (p policyRow) scope(ctx context.Context) string {
	switch {
	case p.ClientID != 0:
		return rt(ctx, "policy.of_client", "name", p.Client)
	case p.Group != nil:
		return rt(ctx, "policy.of_group", "name", p.Group.Name)
	}
	return rt(ctx, "policy.of_all")
}

func policyURL(client id.Client, group id.Group) string {
	q := url.Values{}
	if client != 0 {
		q.Set("cliente", client.String())
	}
	if group != 0 {
		q.Set("grupo", group.String())
	}
	return withQuery(policyFormPath, q)
}

// clockOf is a time of day as the form and the reader have it: "09:00".
func clockOf(text string) string {
	if len(text) > 5 {
		return text[:5]
	}
	return text
}

// stepForm is a row of the form of a policy.
type stepForm struct {
	Days string
	When string // before, after (the due date), issue (days after issue)
}

type policyForm struct {
	Client       *db.Client // whose policy it is; nil and nil: everybody's
	Group        *db.ClientGroup
	ID           id.Policy // 0: a new one
	Name         string
	SendFrom     string
	SendUntil    string
	CatchUpDays  string
	BusinessDays bool
	AttachPDF    bool
	AttachXML    bool
	Consolidate  bool
	Steps        []stepForm
	Errors       fieldErrors
	Preview      previewView
}

// previewView is what the policy of the form would change.
type previewView struct {
	Invoices []reminder.PolicyPreview
	Wrong    bool // the form has errors, so nothing can be said
}

// count sums up a change over the invoices.
func (v previewView) count(change string) (n int) {
	for _, invoice := range v.Invoices {
		n += invoice.Count(change)
	}
	return n
}

// policyScope finds whose policy the address or the form is about.
func (c *Console) policyScope(r *http.Request) (form policyForm, err error) {
	ctx := r.Context()
	if text := r.FormValue("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return form, err
		}
		form.Client = &client
	} else if text := r.FormValue("grupo"); text != "" {
		groups, err := c.Reminder.ClientGroups(ctx)
		if err != nil {
			return form, err
		}
		for _, group := range groups {
			if group.ID.String() == text {
				form.Group = &group
			}
		}
		if form.Group == nil {
			return form, fault.Missing()
		}
	}
	return form, nil
}

// policyPage is the form of a policy. A client or group without one starts with that which rules it now.
func (c *Console) policyPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.policyScope(r)
	if err != nil {
		return err
	}
	rows, err := c.Reminder.Policies(ctx)
	if err != nil {
		return err
	}
	var from reminder.Policy
	for _, row := range rows { // the least specific first
		own := form.Client != nil && row.ClientID == form.Client.ID || form.Group != nil && row.GroupID == form.Group.ID ||
			form.Client == nil && form.Group == nil && row.ClientID == 0 && row.GroupID == 0
		if own || row.ClientID == 0 && (row.GroupID == 0 || form.Client != nil && row.GroupID == form.Client.GroupID) {
			from = row
		}
		if own {
			form.ID = row.ID
		}
	}
	form.Name = from.Name
	if form.ID == 0 && form.Client != nil {
		form.Name = form.Client.Name
	} else if form.ID == 0 && form.Group != nil {
		form.Name = form.Group.Name
	}
	form.SendFrom, form.SendUntil, form.CatchUpDays = clockOf(from.SendFrom), clockOf(from.SendUntil), strconv.Itoa(from.CatchUpDays)
	form.BusinessDays, form.AttachPDF, form.AttachXML, form.Consolidate = from.BusinessDays, from.AttachPDF, from.AttachXML, from.Consolidate
	for _, step := range sortedSteps(from.Steps) {
		form.Steps = append(form.Steps, stepOf(step))
	}
	if err := c.preview(ctx, &form); err != nil {
		return err
	}
	return c.showPolicy(w, r, http.StatusOK, form)
}

// sortedSteps puts steps in the order in which they usually act.
func sortedSteps(steps []db.ReminderStep) []db.ReminderStep {
	return slices.SortedFunc(slices.Values(steps), func(a, b db.ReminderStep) int {
		if c := strings.Compare(b.Anchor, a.Anchor); c != 0 { // issue before due
			return c
		}
		return a.Days - b.Days
	})
}

func stepOf(step db.ReminderStep) stepForm {
	switch {
	case step.Anchor == db.AnchorIssue:
		return stepForm{strconv.Itoa(step.Days), "issue"}
	case step.Days < 0:
		return stepForm{strconv.Itoa(-step.Days), "before"}
	}
	return stepForm{strconv.Itoa(step.Days), "after"}
}

func (c *Console) showPolicy(w http.ResponseWriter, r *http.Request, status int, form policyForm) error {
	return c.show(w, r, status, form.title(r.Context()), policyFormPage(form))
}

func (f policyForm) title(ctx context.Context) string {
	switch {
	case f.Client != nil:
		return rt(ctx, "policy.of_client", "name", f.Client.Name)
	case f.Group != nil:
		return rt(ctx, "policy.of_group", "name", f.Group.Name)
	}
	return rt(ctx, "policy.of_all")
}

// url is the address of the form.
func (f policyForm) url() string {
	switch {
	case f.Client != nil:
		return policyURL(f.Client.ID, 0)
	case f.Group != nil:
		return policyURL(0, f.Group.ID)
	}
	return policyFormPath
}

// readPolicy reads the form; rows without days that were not being added are left out.
func (c *Console) readPolicy(r *http.Request) (policyForm, error) {
	form, err := c.policyScope(r)
	if err != nil {
		return form, err
	}
	form.ID, _ = id.ParsePolicy(r.PostFormValue("politica")) // only tells whether there is something to remove
	form.Name, form.SendFrom, form.SendUntil = r.PostFormValue("name"), r.PostFormValue("sendFrom"), r.PostFormValue("sendUntil")
	form.CatchUpDays = strings.TrimSpace(r.PostFormValue("catchUpDays"))
	form.BusinessDays, form.AttachPDF = r.PostFormValue("businessDays") != "", r.PostFormValue("attachPdf") != ""
	form.AttachXML, form.Consolidate = r.PostFormValue("attachXml") != "", r.PostFormValue("consolidate") != ""
	days, whens := r.PostForm["days"], r.PostForm["when"]
	for i := range min(len(days), len(whens), maxSteps) {
		form.Steps = append(form.Steps, stepForm{strings.TrimSpace(days[i]), whens[i]})
	}
	return form, nil
}

// input is the verb's input. Empty rows are dropped from the form, so that its rows are the steps.
func (f *policyForm) input() (reminder.PolicyInput, error) {
	f.Steps = slices.DeleteFunc(f.Steps, func(s stepForm) bool { return s.Days == "" })
	in := reminder.PolicyInput{Name: f.Name, SendFrom: f.SendFrom, SendUntil: f.SendUntil, BusinessDays: f.BusinessDays, AttachPDF: f.AttachPDF,
		AttachXML: f.AttachXML, Consolidate: f.Consolidate}
	if f.Client != nil {
		in.ClientID = f.Client.ID
	}
	if f.Group != nil {
		in.GroupID = f.Group.ID
	}
	var checks fault.Checks
	var err error
	if in.CatchUpDays, err = strconv.Atoi(f.CatchUpDays); err != nil {
		checks.Add("catchUpDays", "NUMBER_MALFORMED")
	}
	for i, row := range f.Steps {
		days, err := strconv.Atoi(row.Days)
		if err != nil || days < 0 {
			checks.Add(fmt.Sprintf("steps[%d].days", i), "NUMBER_MALFORMED")
		}
		step := reminder.StepInput{Anchor: db.AnchorDue, Days: days}
		switch row.When {
		case "before":
			step.Days = -days
		case "issue":
			step.Anchor = db.AnchorIssue
		}
		in.Steps = append(in.Steps, step)
	}
	return in, checks.Err()
}

// preview asks what the policy of the form would change. What is wrong with the form is noted in it.
func (c *Console) preview(ctx context.Context, form *policyForm) error {
	in, err := form.input()
	if err == nil {
		form.Preview.Invoices, err = c.Reminder.PreviewPolicy(ctx, in, previewInvoices)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors, form.Preview.Wrong = errs, true
		return nil
	}
	return err
}

// policyPreview answers what the form would change: for htmx that part alone.
func (c *Console) policyPreview(w http.ResponseWriter, r *http.Request) error {
	form, err := c.readPolicy(r)
	if err != nil {
		return err
	}
	if err := c.preview(r.Context(), &form); err != nil {
		return err
	}
	if layout.Partial(r) {
		return layout.WriteFragment(w, r, http.StatusOK, policyChanges(form.Preview))
	}
	status := http.StatusOK
	if form.Errors != nil {
		status = http.StatusUnprocessableEntity
	}
	return c.showPolicy(w, r, status, form)
}

// savePolicy saves the form, or adds or removes a row of it.
func (c *Console) savePolicy(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.readPolicy(r)
	if err != nil {
		return err
	}
	remove, err := strconv.Atoi(r.PostFormValue("quitar"))
	if changed := r.PostFormValue("agregar") != "" || r.PostFormValue("quitar") != ""; changed {
		if err == nil && remove >= 0 && remove < len(form.Steps) {
			form.Steps = slices.Delete(form.Steps, remove, remove+1)
		}
		shown := form // the preview leaves the new row out
		shown.Steps = slices.Clone(form.Steps)
		if err := c.preview(ctx, &shown); err != nil {
			return err
		}
		if r.PostFormValue("agregar") != "" && len(form.Steps) < maxSteps {
			form.Steps = append(form.Steps, stepForm{When: "after"})
		}
		form.Preview = shown.Preview
		return c.showPolicy(w, r, http.StatusOK, form)
	}
	in, err := form.input()
	if err == nil {
		_, err = c.Reminder.SavePolicy(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors, form.Preview.Wrong = errs, true
		return c.showPolicy(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.policy")
	if form.Client != nil {
		return layout.Redirect(w, r, clientPath(form.Client.ID))
	}
	return layout.Redirect(w, r, policiesPath)
}

// removePolicy ends the policy of a client or group.
func (c *Console) removePolicy(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	policyID, err := formID(r, "politica", id.ParsePolicy)
	if err == nil {
		err = c.Reminder.RemovePolicy(ctx, policyID)
	}
	if errs, ok := invalid(ctx, err); ok {
		return c.showPolicies(w, r, http.StatusUnprocessableEntity, errs.summary(ctx))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.policy_removed")
	return layout.Redirect(w, r, policiesPath)
}

// whens are the choices of a row: what its days count from.
func whens(ctx context.Context) []component.Option {
	return []component.Option{{Value: "issue", Label: rt(ctx, "step.when.issue")}, {Value: "before", Label: rt(ctx, "step.when.before")}, {Value: "after", Label: rt(ctx, "step.when.after")}}
}

func changeTone(change string) component.Tone {
	switch change {
	case reminder.ChangeAdded:
		return component.Good
	case reminder.ChangeRemoved:
		return component.Bad
	case reminder.ChangeMoved:
		return component.Warning
	}
	return component.Neutral
}

// stepError is what is wrong with a row.
func (f policyForm) stepError(row int) string {
	if text := f.Errors[fmt.Sprintf("steps[%d].days", row)]; text != "" {
		return text
	}
	return f.Errors[fmt.Sprintf("steps[%d].anchor", row)]
}

// scopeQuery is the part of the address that says whose policy it is.
func scopeQuery(f policyForm) string { return strings.TrimPrefix(f.url(), policyFormPath) }

// windowText says in one line when a policy sends.
func windowText(ctx context.Context, p policyRow) string {
	parts := []string{rt(ctx, "policy.window", "from", clockOf(p.SendFrom), "until", clockOf(p.SendUntil))}
	if p.BusinessDays {
		parts = append(parts, rt(ctx, "policy.window.business"))
	}
	if p.AttachPDF {
		parts = append(parts, rt(ctx, "policy.window.attach"))
	}
	return strings.Join(parts, " · ")
}

// policyVerb is what the reader can do with a policy.
func policyVerb(ctx context.Context) string {
	if mayRemind(ctx) {
		return rt(ctx, "policy.edit")
	}
	return rt(ctx, "policy.see")
}

// mails puts entries together that differ in nothing but the recipient.
func mails(entries []reminder.PolicyChange) [][]reminder.PolicyChange {
	list := [][]reminder.PolicyChange{}
	for _, e := range entries {
		at := slices.IndexFunc(list, func(l []reminder.PolicyChange) bool {
			return l[0].Step.Anchor == e.Step.Anchor && l[0].Step.Days == e.Step.Days && l[0].Change == e.Change && l[0].SendAt.Equal(e.SendAt)
		})
		if at < 0 {
			list = append(list, nil)
			at = len(list) - 1
		}
		list[at] = append(list[at], e)
	}
	return list
}

func recipients(together []reminder.PolicyChange) string {
	addresses := make([]string, len(together))
	for i, e := range together {
		addresses[i] = e.Recipient
	}
	return strings.Join(addresses, ", ")
}
