package reminder

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// The language of templates: text with {{values}} and {{#if value}}...{{/if}}, nothing else. It
// cannot loop, call or reach anything but the values below, so staff may edit it.

// mergeValues are the values that a template may use.
var mergeValues = map[string]func(Reminder) string{
	"client.name":          func(r Reminder) string { return r.Client },
	"contact.name":         func(r Reminder) string { return r.Name },
	"contact.email":        func(r Reminder) string { return r.To },
	"invoice.number":       func(r Reminder) string { return r.Number },
	"invoice.issue_date":   func(r Reminder) string { return r.IssueDate.Format(r.Language) },
	"invoice.due_date":     func(r Reminder) string { return r.DueDate.Format(r.Language) },
	"invoice.days_left":    func(r Reminder) string { return strconv.Itoa(max(r.DaysLeft, 0)) },
	"invoice.days_late":    func(r Reminder) string { return strconv.Itoa(max(-r.DaysLeft, 0)) },
	"invoice.total":        func(r Reminder) string { return money.Format(r.Total, r.Currency, r.Language) },
	"invoice.balance":      func(r Reminder) string { return money.Format(r.Balance, r.Currency, r.Language) },
	"invoice.currency":     func(r Reminder) string { return string(r.Currency) },
	"invoice.lines":        lines,
	"invoice.link":         func(r Reminder) string { return r.Link },
	"invoice.payment_link": func(r Reminder) string { return r.PaymentLink },
	"company.name":         func(r Reminder) string { return r.Company.Name },
	"company.email":        func(r Reminder) string { return r.Company.Email },
	"company.phonenumber":  func(r Reminder) string { return r.Company.Phonenumber },
	"company.payment":      func(r Reminder) string { return r.Company.PaymentDetails },
	"signature":            func(r Reminder) string { return cmp.Or(strings.TrimSpace(r.Company.Signature), r.Company.Name) },
}

// lines are what the invoice, or each of those of the mail, bills: one a line, with what it costs before taxes and
// after its discount.
func lines(r Reminder) string {
	var list strings.Builder
	for _, part := range slices.Concat(r.Invoices, []Reminder{r}) {
		for _, l := range part.Lines {
			name := strings.Join(strings.Fields(l.Description), " ")
			if l.Quantity != money.Int(1) {
				name = l.Quantity.String() + " × " + name
			}
			if len(r.Invoices) > 0 {
				name = part.Number + " · " + name
			}
			list.WriteString("– " + name + ": " + money.Format(l.Amount-l.Discount, r.Currency, r.Language) + "\n")
		}
	}
	return list.String()
}

// usesLines reports whether a template shows what is billed.
func usesLines(t db.MailTemplate) bool {
	return strings.Contains(t.Subject+t.Body, "invoice.lines")
}

// MergeValues lists the values that a template may use, in order.
func MergeValues() []string { return slices.Sorted(maps.Keys(mergeValues)) }

// MergeValues lists the values that a template may use, in order. Staff only.
func (s *Service) MergeValues(ctx context.Context) ([]string, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return MergeValues(), nil
}

// StartingTemplate is the text that a template for a step starts from: it says what the built-in mail
// of the step says.
func StartingTemplate(anchor string, days int, language string) TemplateInput {
	tone := "upcoming"
	switch {
	case anchor == db.AnchorIssue:
		tone = "issued"
	case days == 0:
		tone = "today"
	case days > 0:
		tone = "overdue"
	}
	return TemplateInput{Anchor: anchor, Days: days, Language: language, Subject: locale.T(language, "reminder.start."+tone+".subject"),
		Body: locale.T(language, "reminder.start."+tone+".body")}
}

// node is a piece of a template: text, a value, or a condition with its pieces.
type node struct {
	text  string
	value string
	then  []node
}

// parseTemplate reads a template and notes in checks what is wrong, with line and column from 1.
func parseTemplate(text, path string, checks *fault.Checks) []node {
	type open struct {
		nodes []node
		value string
		at    int
	}
	stack := []open{{}}
	wrong := func(at int, code, name string) {
		before := text[:at]
		line := strings.Count(before, "\n") + 1
		column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
		checks.Add(path, code, "line", line, "column", column, "name", name)
	}
	add := func(n node) { stack[len(stack)-1].nodes = append(stack[len(stack)-1].nodes, n) }
	for at := 0; at < len(text); {
		start := strings.Index(text[at:], "{{")
		if start < 0 {
			add(node{text: text[at:]})
			break
		}
		start += at
		add(node{text: text[at:start]})
		length := strings.Index(text[start:], "}}")
		if length < 0 {
			wrong(start, "TEMPLATE_SYNTAX", "{{")
			break
		}
		at = start + length + 2
		name := strings.TrimSpace(text[start+2 : at-2])
		condition, isIf := strings.CutPrefix(name, "#if ")
		switch {
		case name == "/if" && len(stack) > 1:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			add(node{value: top.value, then: top.nodes})
			continue
		case name == "/if":
			wrong(start, "TEMPLATE_SYNTAX", "{{/if}}")
			continue
		case isIf:
			name = strings.TrimSpace(condition)
			stack = append(stack, open{value: name, at: start})
		default:
			add(node{value: name})
		}
		if mergeValues[name] == nil {
			wrong(start, "TEMPLATE_UNKNOWN_VALUE", name)
		}
	}
	for _, o := range stack[1:] {
		wrong(o.at, "TEMPLATE_SYNTAX", "{{#if "+o.value+"}}")
	}
	return stack[0].nodes
}

// fillTemplate writes the nodes with the reminder's values.
func fillTemplate(nodes []node, r Reminder, out *strings.Builder) {
	for _, n := range nodes {
		switch {
		case n.value == "":
			out.WriteString(n.text)
		case n.then != nil:
			if value := mergeValues[n.value](r); value != "" && value != "0" { // no days are none
				fillTemplate(n.then, r, out)
			}
		default:
			out.WriteString(cmp.Or(strings.TrimSpace(mergeValues[n.value](r)), blank))
		}
	}
}

// blank stands for a value that there is none of, until withoutBlanks takes it away with its line. No text has it.
const blank = "\x00"

// withoutBlanks leaves out the lines that a value is missing in: a mail says nothing rather than half a sentence.
// Staff learn of it when they save a template (see checkBlanks); this is for what became empty since.
func withoutBlanks(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, blank) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// checkBlanks notes the values that the company has not filled in, where no {{#if}} asks for them.
func checkBlanks(nodes []node, company db.Company, path string, checks *fault.Checks) {
	for _, n := range nodes {
		empty := strings.HasPrefix(n.value, "company.") && strings.TrimSpace(mergeValues[n.value](Reminder{Company: company})) == ""
		switch {
		case n.then != nil && !empty:
			checkBlanks(n.then, company, path, checks)
		case n.then == nil && empty:
			checks.Add(path, "TEMPLATE_EMPTY_VALUE", "name", n.value)
		}
	}
}

// fill writes a template with the reminder's values. It is text: whoever shows it escapes all of it, so
// that no value and no template can bring markup in.
func fill(t db.MailTemplate, r Reminder) (Words, error) {
	var checks fault.Checks
	subject, body := parseTemplate(t.Subject, "subject", &checks), parseTemplate(t.Body, "body", &checks)
	if err := checks.Err(); err != nil {
		return Words{}, err
	}
	var out strings.Builder
	fillTemplate(subject, r, &out)
	words := Words{Subject: strings.Join(strings.Fields(strings.ReplaceAll(out.String(), blank, "")), " ")}
	out.Reset()
	fillTemplate(body, r, &out)
	words.Body = withoutBlanks(strings.ReplaceAll(out.String(), "\r\n", "\n"))
	return words, nil
}

// TemplateInput is the text of a step's mail in a language.
type TemplateInput struct {
	Anchor   string
	Days     int
	Language string
	Subject  string
	Body     string // paragraphs are parted by an empty line
}

// checkPlace notes what is wrong with the step and the language.
func (in TemplateInput) checkPlace(checks *fault.Checks) {
	if in.Anchor != db.AnchorIssue && in.Anchor != db.AnchorDue {
		checks.Add("anchor", "VALUE_INVALID")
	}
	if in.Days < -365 || in.Days > 730 {
		checks.Add("days", "NUMBER_RANGE", "min", -365, "max", 730)
	}
	if !locale.Valid(in.Language) {
		checks.Add("language", "LANGUAGE_UNKNOWN")
	}
}

func (in TemplateInput) check() error {
	var checks fault.Checks
	in.checkPlace(&checks)
	if strings.TrimSpace(in.Subject) == "" {
		checks.Add("subject", "REQUIRED")
	}
	if strings.TrimSpace(in.Body) == "" {
		checks.Add("body", "REQUIRED")
	}
	if len([]rune(in.Subject)) > 200 {
		checks.Add("subject", "TOO_LONG", "max", 200)
	}
	if len([]rune(in.Body)) > 20_000 {
		checks.Add("body", "TOO_LONG", "max", 20_000)
	}
	parseTemplate(in.Subject, "subject", &checks)
	parseTemplate(in.Body, "body", &checks)
	return checks.Err()
}

// checkTemplate is check, also against what the company has filled in.
func (s *Service) checkTemplate(ctx context.Context, in TemplateInput) error {
	if err := in.check(); err != nil {
		return err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	var checks, read fault.Checks
	checkBlanks(parseTemplate(in.Subject, "subject", &read), company, "subject", &checks)
	checkBlanks(parseTemplate(in.Body, "body", &read), company, "body", &checks)
	return checks.Err()
}

func (in TemplateInput) row() db.MailTemplate {
	return db.MailTemplate{Anchor: in.Anchor, Days: in.Days, Language: in.Language, Subject: in.Subject, Body: in.Body}
}

// SaveTemplate stores a new version, which holds from now on. A value that does not exist is an error
// with its place, and one that the company has not filled in is an error outside of {{#if}}: never a blank in a
// mail. A line whose value becomes empty later is left out of the mail. Staff only.
func (s *Service) SaveTemplate(ctx context.Context, in TemplateInput) (db.MailTemplate, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return db.MailTemplate{}, err
	}
	if err := s.checkTemplate(ctx, in); err != nil {
		return db.MailTemplate{}, err
	}
	row := in.row()
	row.Author = access.From(ctx).Name
	return row, s.addTemplate(ctx, "mailtemplate.save", &row)
}

// ResetTemplate goes back to the built-in text; the versions stay. Staff only.
func (s *Service) ResetTemplate(ctx context.Context, anchor string, days int, language string) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	var checks fault.Checks
	TemplateInput{Anchor: anchor, Days: days, Language: language}.checkPlace(&checks)
	if err := checks.Err(); err != nil {
		return err
	}
	return s.addTemplate(ctx, "mailtemplate.reset", &db.MailTemplate{Anchor: anchor, Days: days, Language: language, Author: access.From(ctx).Name})
}

// RestoreTemplate makes an earlier version hold again, as a new version. Staff only.
func (s *Service) RestoreTemplate(ctx context.Context, templateID id.Template) (db.MailTemplate, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return db.MailTemplate{}, err
	}
	old, err := s.Store.Template(ctx, templateID)
	if err != nil {
		return db.MailTemplate{}, err
	}
	row := db.MailTemplate{Anchor: old.Anchor, Days: old.Days, Language: old.Language, Subject: old.Subject, Body: old.Body, Author: access.From(ctx).Name}
	return row, s.addTemplate(ctx, "mailtemplate.restore", &row)
}

// Template returns one version. Staff only.
func (s *Service) Template(ctx context.Context, templateID id.Template) (db.MailTemplate, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return db.MailTemplate{}, err
	}
	return s.Store.Template(ctx, templateID)
}

// TemplatesInForce lists the newest version for every step and language that has one; an empty body
// means that the built-in text holds. Staff only.
func (s *Service) TemplatesInForce(ctx context.Context) ([]db.MailTemplate, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return s.Store.TemplatesInForce(ctx)
}

// addTemplate stores a version. The texts stay in the table of versions, the audit log names it.
func (s *Service) addTemplate(ctx context.Context, verb string, row *db.MailTemplate) error {
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddTemplate(ctx, row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: verb, Object: row.ID.String(),
			After: map[string]any{"anchor": row.Anchor, "days": row.Days, "language": row.Language, "subject": row.Subject}})
	})
}

// Templates lists the versions for a step in a language, the newest first. Staff only.
func (s *Service) Templates(ctx context.Context, anchor string, days int, language string) ([]db.MailTemplate, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return s.Store.Templates(ctx, anchor, days, language)
}

// PreviewTemplate writes the mail of an invoice to the client's own address as it goes out on the day of the
// step, without storing or sending anything; its personal links open nothing. Staff only.
func (s *Service) PreviewTemplate(ctx context.Context, in TemplateInput, invoiceID id.Invoice) (mail.Message, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return mail.Message{}, err
	}
	if err := s.checkTemplate(ctx, in); err != nil {
		return mail.Message{}, err
	}
	row, err := s.sending(ctx, invoiceID, 0, db.ReminderStep{Anchor: in.Anchor, Days: in.Days})
	if err != nil {
		return mail.Message{}, err
	}
	row.Recipient.Language = in.Language
	day := row.DueDate
	if in.Anchor == db.AnchorIssue {
		day = row.IssueDate
	}
	return s.draft(ctx, []db.Sending{row}, []db.MailTemplate{in.row()}, moment(day.AddDays(in.Days), "12:00", row.ClientTimezone))
}

// SendTestMail sends the preview to the member of staff who asks for it. Staff only.
func (s *Service) SendTestMail(ctx context.Context, in TemplateInput, invoiceID id.Invoice) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	message, err := s.PreviewTemplate(ctx, in, invoiceID)
	if err != nil {
		return err
	}
	return s.toMe(ctx, message)
}
