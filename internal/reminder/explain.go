package reminder

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What a plan entry says of a reminder that is not in the ledger.
const (
	WouldSend = "would_send" // goes out at SendAt if nothing changes
	WontSend  = "wont_send"  // Reason says why; of a row of the ledger that waits: what the last look will find
)

// PlanEntry says what became or becomes of one step of an invoice for one recipient.
type PlanEntry struct {
	Step       db.ReminderStep
	DeliveryID id.Delivery // 0: not in the ledger
	ContactID  id.Contact  // 0: the client's own address
	Recipient  string      // address
	Name       string
	Language   string
	SendAt     time.Time // when it went or would go out
	Status     string    // a state of the ledger, WouldSend or WontSend
	// Reason: superseded, missed, paused, bounced, unverified, paid, cancelled, written_off,
	// preference_off, contact_deleted (also in the ledger); covered_by_contact, before_contact_existed,
	// before_step_existed, before_invoice_existed, already_reminded; of a mail that waits paused, window,
	// companions_wait, domain_waits, retry; of one that failed or came back render, refused, gave_up,
	// hard, soft; of one that was taken back by_staff.
	Reason string

	due bool // the planner would add this row now
}

// ReminderPlan says for an invoice who gets which step when and in which language, who does not and
// why, in the past and in the future. It repeats the planner's rules for one invoice; a property test
// holds the two together. Staff and the client's owner: it names everybody who is written to.
func (s *Service) ReminderPlan(ctx context.Context, invoiceID id.Invoice) ([]PlanEntry, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	invoice, err := s.Store.Invoice(ctx, invoiceID)
	if err != nil {
		return nil, err
	}
	if err := access.RequireOwner(ctx, invoice.ClientID); err != nil {
		return nil, err
	}
	plans, err := s.ReminderPlans(ctx, invoice.ID)
	return plans[invoice.ID], err
}

// ReminderPlans is ReminderPlan for many invoices, with the same number of statements for any number of
// them. Those whose plan the actor may not see are left out.
func (s *Service) ReminderPlans(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice][]PlanEntry, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.InvoicesByID(ctx, invoices)
	if err != nil {
		return nil, err
	}
	found := map[id.Invoice][]PlanEntry{}
	rows = slices.DeleteFunc(rows, func(row db.Invoice) bool { return access.RequireOwner(ctx, row.ClientID) != nil })
	if len(rows) == 0 {
		return found, nil
	}
	list, err := s.facts(ctx, rows)
	if err != nil {
		return nil, err
	}
	ruling, err := s.ruling(ctx, list)
	if err != nil {
		return nil, err
	}
	for i, f := range list {
		found[f.invoice.ID] = f.explain(ruling[i].ReminderPolicy, ruling[i].Steps)
	}
	return found, nil
}

// planInvoices is how many open invoices ClientPlan looks at.
const planInvoices = 50

// InvoicePlan is the reminder plan of one invoice.
type InvoicePlan struct {
	Invoice db.Invoice
	Entries []PlanEntry
}

// ClientPlan is the reminder plan of each open invoice of a client, the newest 50, with the same number
// of statements for any number of them. Staff and the client's owner.
func (s *Service) ClientPlan(ctx context.Context, clientID id.Client) ([]InvoicePlan, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	if err := access.RequireOwner(ctx, clientID); err != nil {
		return nil, err
	}
	rows, err := s.Store.OpenInvoicesUnder(ctx, clientID, 0, planInvoices)
	if err != nil || len(rows) == 0 {
		return []InvoicePlan{}, err
	}
	list, err := s.facts(ctx, rows)
	if err != nil {
		return nil, err
	}
	ruling, err := s.ruling(ctx, list)
	if err != nil {
		return nil, err
	}
	plans := make([]InvoicePlan, len(list))
	for i, f := range list {
		plans[i] = InvoicePlan{f.invoice, f.explain(ruling[i].ReminderPolicy, ruling[i].Steps)}
	}
	return plans, nil
}

// facts is all that decides about the reminders of one invoice but its policy.
type facts struct {
	now      time.Time
	gap      int // see db.Store.PlanGap
	invoice  db.Invoice
	client   db.Client
	company  db.Company
	contacts []db.Contact // deleted ones too
	ledger   []db.Delivery
	old      map[id.Step]db.ReminderStep     // steps that the ledger speaks of
	policies map[id.Policy]db.ReminderPolicy // of the steps of rows that wait
	calendar calendar
}

// facts loads what decides about the reminders of invoices, with the same number of statements for any
// number of them.
func (s *Service) facts(ctx context.Context, invoices []db.Invoice) ([]facts, error) {
	now := s.Now()
	gap, err := s.Store.PlanGap(ctx, now)
	if err != nil {
		return nil, err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return nil, err
	}
	clientIDs, invoiceIDs := make([]id.Client, len(invoices)), make([]id.Invoice, len(invoices))
	for i, row := range invoices {
		clientIDs[i], invoiceIDs[i] = row.ClientID, row.ID
	}
	clientRows, err := s.Store.ClientsByID(ctx, clientIDs)
	if err != nil {
		return nil, err
	}
	clients := map[id.Client]db.Client{}
	for _, row := range clientRows {
		clients[row.ID] = row
	}
	contactRows, err := s.Store.AllContacts(ctx, clientIDs...)
	if err != nil {
		return nil, err
	}
	contacts := map[id.Client][]db.Contact{}
	for _, row := range contactRows {
		contacts[row.ClientID] = append(contacts[row.ClientID], row)
	}
	deliveries, err := s.Store.InvoiceDeliveries(ctx, invoiceIDs...)
	if err != nil {
		return nil, err
	}
	ledger, stepIDs := map[id.Invoice][]db.Delivery{}, []id.Step{}
	for _, row := range deliveries {
		ledger[row.InvoiceID] = append(ledger[row.InvoiceID], row)
		stepIDs = append(stepIDs, row.StepID)
	}
	steps, err := s.Store.StepsByID(ctx, stepIDs)
	if err != nil {
		return nil, err
	}
	old := map[id.Step]db.ReminderStep{}
	for _, step := range steps {
		old[step.ID] = step
	}
	waiting := []id.Policy{}
	for _, row := range deliveries {
		if waits(row) {
			waiting = append(waiting, old[row.StepID].PolicyID)
		}
	}
	policies, err := s.Store.PoliciesByID(ctx, waiting)
	if err != nil {
		return nil, err
	}
	from := date.Today(now, company.Timezone)
	for _, row := range invoices {
		from = min(from, row.IssueDate)
	}
	calendar, err := s.calendar(ctx, from.AddDays(-401))
	if err != nil {
		return nil, err
	}
	list := make([]facts, len(invoices))
	for i, row := range invoices {
		list[i] = facts{now: now, gap: gap, invoice: row, client: clients[row.ClientID], company: company, contacts: contacts[row.ClientID],
			ledger: ledger[row.ID], old: old, policies: policies, calendar: calendar}
	}
	return list, nil
}

// ruling finds for each of the facts the policy that rules its client now.
func (s *Service) ruling(ctx context.Context, list []facts) ([]Policy, error) {
	clients := make([]db.Client, len(list))
	for i, f := range list {
		clients[i] = f.client
	}
	rows, err := s.Store.PoliciesOver(ctx, clients)
	if err != nil {
		return nil, err
	}
	found := make([]Policy, len(list))
	ids := []id.Policy{}
	for i, f := range list {
		for _, row := range rows { // the default first, a group's, a client's own last
			if row.ClientID == 0 && row.GroupID == 0 || row.ClientID == f.client.ID || row.ClientID == 0 && row.GroupID == f.client.GroupID {
				found[i].ReminderPolicy = row
			}
		}
		ids = append(ids, found[i].ID)
	}
	steps, err := s.stepsOf(ctx, ids)
	for i := range found {
		found[i].Steps = steps[found[i].ID]
	}
	return found, err
}

// placed is a step of the policy with the days it falls on.
type placed struct {
	step            db.ReminderStep
	raw, base, acts date.Date
	newest          bool // of the steps that act together
}

// explain lists the ledger and what is not in it, in the order of time.
func (f facts) explain(policy db.ReminderPolicy, steps []db.ReminderStep) []PlanEntry {
	type key struct {
		step    id.Step
		contact id.Contact
	}
	known := map[key]bool{}
	for _, row := range f.ledger {
		known[key{row.StepID, row.ContactID}] = true
	}
	recipients := []id.Contact{0}
	for _, c := range f.contacts {
		if c.DeletedAt == nil {
			recipients = append(recipients, c.ID)
		}
	}
	entries, again := []PlanEntry{}, map[key]bool{}
	for _, p := range f.place(policy, steps) {
		for _, contactID := range recipients {
			k := key{p.step.ID, contactID}
			if e := f.judge(policy, p, contactID); !known[k] || f.replanned(k.step, k.contact, e) {
				entries, again[k] = append(entries, e), true
			}
		}
	}
	for _, row := range f.ledger {
		if again[key{row.StepID, row.ContactID}] {
			continue
		}
		e := f.recipient(row.ContactID)
		e.Step, e.DeliveryID, e.SendAt, e.Status, e.Reason = f.old[row.StepID], row.ID, row.SendAt, row.Status, row.Reason
		if row.SentAt != nil {
			e.SendAt = *row.SentAt
		}
		if waits(row) { // goes to the address of then
			e = f.foresee(row, e)
		} else {
			e.Recipient, e.Language = row.Email, row.Language
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b PlanEntry) int { return a.SendAt.Compare(b.SendAt) })
	return entries
}

func (f facts) today() date.Date { return date.Today(f.now, f.client.Timezone) }

func (f facts) on(t time.Time) date.Date { return date.Today(t, f.client.Timezone) }

// place finds the days of the steps and which of those that act together is the newest.
func (f facts) place(policy db.ReminderPolicy, steps []db.ReminderStep) []placed {
	today := f.today()
	list := []placed{}
	for _, step := range steps {
		p := placed{step: step, raw: f.invoice.DueDate}
		if step.Anchor == db.AnchorIssue {
			p.raw = max(f.invoice.IssueDate, f.on(f.invoice.CreatedAt))
		}
		p.raw = p.raw.AddDays(step.Days)
		p.base = p.raw
		if policy.BusinessDays {
			p.base = f.calendar.business(p.raw)
		}
		p.acts = f.calendar.acts(p.base, policy, f.client.Pause, f.invoice.Pause)
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b placed) int {
		for _, c := range []int{strings.Compare(string(b.acts), string(a.acts)), strings.Compare(string(b.base), string(a.base)),
			strings.Compare(string(b.raw), string(a.raw)), strings.Compare(a.step.Anchor, b.step.Anchor), b.step.Days - a.step.Days} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	taken := map[date.Date]bool{}
	for i, p := range list {
		together := max(p.acts, today) // what is late acts with what is due today
		if f.tooEarly(p) != "" || p.acts < f.windowStart(policy) {
			continue
		}
		list[i].newest = !taken[together]
		taken[together] = true
	}
	return list
}

// windowStart is the earliest day that the planner looks at.
func (f facts) windowStart(policy db.ReminderPolicy) date.Date {
	return f.today().AddDays(-policy.CatchUpDays - f.gap)
}

// tooEarly is the reason why a step never acts on the invoice.
func (f facts) tooEarly(p placed) string {
	switch {
	case p.base < f.on(f.invoice.CreatedAt):
		return "before_invoice_existed"
	case p.base < f.on(p.step.CreatedAt):
		return "before_step_existed"
	}
	return ""
}

// judge says what becomes of a step for a recipient that has no row for it.
func (f facts) judge(policy db.ReminderPolicy, p placed, contactID id.Contact) PlanEntry {
	e := f.recipient(contactID)
	e.Step, e.Status = p.step, WontSend
	e.SendAt = moment(p.acts, policy.SendFrom, f.client.Timezone)
	today := f.today()
	late := p.acts <= today
	skipUntil := date.Date("")
	for _, pause := range []db.Pause{f.client.Pause, f.invoice.Pause} {
		if !pause.Shifts() {
			skipUntil = max(skipUntil, pause.PausedUntil)
		}
	}
	held := late && (f.client.Shifts() && f.client.Paused(today) || f.invoice.Shifts() && f.invoice.Paused(today))
	if !f.invoice.Open() {
		e.Reason = f.invoice.Status
		if f.invoice.Balance <= 0 {
			e.Reason = db.InvoicePaid
		}
		return e
	}
	if e.Reason = f.tooEarly(p); e.Reason != "" {
		return e
	}
	if e.Reason = f.unwanted(p, contactID); e.Reason != "" {
		return e
	}
	if p.acts < f.windowStart(policy) || held {
		e.Reason = "missed"
		return e
	}
	e.due = p.acts < today || p.acts == today && clock(f.now, f.client.Timezone) >= policy.SendFrom
	if e.due {
		e.SendAt = f.calendar.sends(f.now, f.client.Timezone, policy)
	}
	switch {
	case !p.newest:
		e.Reason = "superseded"
	case late && p.acts < today.AddDays(-policy.CatchUpDays):
		e.Reason = "missed"
	case skipUntil > max(p.acts, today):
		e.Reason = "paused"
	default:
		if e.Reason = f.unusable(contactID); e.Reason == "" {
			e.Status = WouldSend
		}
	}
	if f.repeats(p, contactID, e) {
		e.Status, e.Reason, e.due = WontSend, "already_reminded", false
	}
	return e
}

// planned is when the planner looks at an entry: from now on, at the latest when its mail goes out.
func (f facts) planned(e PlanEntry) time.Time {
	if e.due {
		return f.now
	}
	return e.SendAt
}

// repeats reports whether the recipient was sent already, or the ledger says why not, the step of another
// policy or a former one that is the same.
func (f facts) repeats(p placed, contactID id.Contact, e PlanEntry) bool {
	return slices.ContainsFunc(f.ledger, func(d db.Delivery) bool {
		step := f.old[d.StepID]
		return d.ContactID == contactID && d.StepID != p.step.ID && step.Anchor == p.step.Anchor && step.Days == p.step.Days && !ahead(d, f.planned(e)) && !reached(d, e)
	})
}

// ahead reports whether a clock that was ahead of the one by which its step is planned wrote a row, or gave
// it up.
func ahead(d db.Delivery, planned time.Time) bool {
	return d.Attempts == 0 && (d.Status == db.DeliveryPlanned || d.Status == db.DeliverySkipped) && d.CreatedAt.After(planned.Add(db.PlanSkew)) ||
		d.Attempts > 0 && d.Status == db.DeliverySkipped && d.Reason == "missed"
}

// replanned reports whether the planner puts the row of a step and recipient right, see db.Store.Plan.
func (f facts) replanned(stepID id.Step, contactID id.Contact, e PlanEntry) bool {
	return (e.due || e.Status == WouldSend) && slices.ContainsFunc(f.ledger, func(d db.Delivery) bool {
		return d.StepID == stepID && d.ContactID == contactID && (ahead(d, f.planned(e)) && (d.Attempts == 0 || e.Reason != "missed") || reached(d, e))
	})
}

// reached reports whether a row was kept back because of an address that mail may go to by now.
func reached(d db.Delivery, e PlanEntry) bool {
	return e.Status == WouldSend && d.Status == db.DeliverySkipped && (d.Reason == "bounced" || d.Reason == "unverified")
}

// recipient fills in whom an entry speaks of.
func (f facts) recipient(contactID id.Contact) PlanEntry {
	if c := f.contact(contactID); c != nil {
		return PlanEntry{ContactID: c.ID, Recipient: c.Email, Name: c.Name(), Language: c.Language}
	}
	return PlanEntry{ContactID: contactID, Recipient: f.client.Email, Name: f.client.Name, Language: f.client.Language}
}

func (f facts) contact(contactID id.Contact) *db.Contact {
	for i := range f.contacts {
		if f.contacts[i].ID == contactID {
			return &f.contacts[i]
		}
	}
	return nil
}

// unwanted is the reason why no row is ever made of the step for the recipient.
func (f facts) unwanted(p placed, contactID id.Contact) string {
	if c := f.contact(contactID); c != nil {
		switch {
		case !slices.Contains(c.Topics, mail.Invoice):
			return "preference_off"
		case p.base < f.on(c.CreatedAt):
			return "before_contact_existed"
		}
		return ""
	}
	if !slices.Contains(f.client.Topics, mail.Invoice) {
		return "preference_off"
	}
	for _, c := range f.contacts {
		if c.DeletedAt == nil && strings.EqualFold(c.Email, f.client.Email) && slices.Contains(c.Topics, mail.Invoice) && p.base >= f.on(c.CreatedAt) {
			return "covered_by_contact"
		}
	}
	return ""
}

// unusable is the reason why mail to the recipient's address would not arrive.
func (f facts) unusable(contactID id.Contact) string {
	c := f.contact(contactID)
	if c == nil {
		if f.client.Bounces(f.client.Email) {
			return "bounced"
		}
		return ""
	}
	switch {
	case c.Bounces(c.Email):
		return "bounced"
	case f.company.Unverified(*c):
		return "unverified"
	}
	return ""
}
