package graph

import (
	"context"
	"strings"
	"time"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/gen"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Limits of one request. They stop what would cost more than a person could want, before it costs
// anything.
const (
	maxBody       = 1 << 20 // bytes
	maxQuery      = 100_000 // bytes of the document
	maxTokens     = 4000    // of the document
	maxDepth      = 15      // fields inside fields
	maxFields     = 1000    // with fragments written out
	maxAliases    = 100     // with fragments written out
	maxDirectives = 50
	maxOperations = 10
	maxMutations  = 10 // of one request
	maxCost       = 20_000
	maxNodes      = db.MaxPage // ids of one nodes(ids)

	introspectionFields = 200 // what __schema counts for, so that it cannot be repeated
	countCost           = 10  // of a totalCount, for each element of the page
	statementCost       = 100 // of a field that runs an SQL statement of its own for each parent
)

// documents keeps parsed documents, which saves their parsing, measuring and validation. Large ones
// are not kept: a thousand of them would fill the memory.
type documents struct{ *lru.LRU[*ast.QueryDocument] }

func newDocuments() documents { return documents{lru.New[*ast.QueryDocument](1000)} }

func (d documents) Add(ctx context.Context, query string, doc *ast.QueryDocument) {
	if len(query) <= 8<<10 {
		d.LRU.Add(ctx, query, doc)
	}
}

// limiter refuses documents that are too large, before they are validated: validation and cost
// estimation write fragments out, which takes exponential time on a hostile document of 1 kB. Each
// fragment is measured once.
type limiter struct{ checked documents }

func (limiter) ExtensionName() string                   { return "Limits" }
func (limiter) Validate(graphql.ExecutableSchema) error { return nil }

func (l limiter) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, ok := l.checked.Get(ctx, params.Query); ok {
		return nil
	}
	if len(params.Query) > maxQuery {
		return tooComplex(ctx, "characters", maxQuery)
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, maxTokens)
	if err != nil {
		if strings.Contains(err.Error(), "token limit") {
			return tooComplex(ctx, "tokens", maxTokens)
		}
		return nil // the executor parses it again and says what is wrong
	}
	if len(doc.Operations) > maxOperations {
		return tooComplex(ctx, "operations", maxOperations)
	}
	m := meter{fragments: doc.Fragments, known: map[string]size{}}
	for _, f := range doc.Fragments { // unused ones too: they are validated all the same
		if err := m.fragment(f.Name).check(ctx); err != nil {
			return err
		}
	}
	for _, op := range doc.Operations {
		measured := m.selection(op.SelectionSet)
		measured.directives += len(op.Directives)
		if err := measured.check(ctx); err != nil {
			return err
		}
		if op.Operation == ast.Mutation && measured.width > maxMutations {
			return tooComplex(ctx, "mutations", maxMutations)
		}
	}
	return nil
}

// size is how large a selection is with its fragments written out.
type size struct{ fields, width, depth, aliases, directives int }

func (s size) check(ctx context.Context) *gqlerror.Error {
	switch {
	case s.depth > maxDepth:
		return tooComplex(ctx, "depth", maxDepth)
	case s.fields > maxFields:
		return tooComplex(ctx, "fields", maxFields)
	case s.aliases > maxAliases:
		return tooComplex(ctx, "aliases", maxAliases)
	case s.directives > maxDirectives:
		return tooComplex(ctx, "directives", maxDirectives)
	}
	return nil
}

// add puts t beside s. Sums stop at a million, far above any limit, so that they cannot overflow.
func (s size) add(t size) size {
	const ceiling = 1_000_000
	return size{min(s.fields+t.fields, ceiling), min(s.width+t.width, ceiling), max(s.depth, t.depth),
		min(s.aliases+t.aliases, ceiling), min(s.directives+t.directives, ceiling)}
}

type meter struct {
	fragments ast.FragmentDefinitionList
	known     map[string]size
}

func (m meter) selection(set ast.SelectionSet) size {
	var total size
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			child := m.selection(s.SelectionSet)
			child.fields, child.depth, child.width = child.fields+1, child.depth+1, 1
			child.directives += len(s.Directives)
			if s.Alias != s.Name {
				child.aliases++
			}
			if s.Name == "__schema" || s.Name == "__type" {
				child.fields += introspectionFields
			}
			total = total.add(child)
		case *ast.InlineFragment:
			total = total.add(m.selection(s.SelectionSet)).add(size{directives: len(s.Directives)})
		case *ast.FragmentSpread:
			total = total.add(m.fragment(s.Name)).add(size{directives: len(s.Directives)})
		}
	}
	return total
}

func (m meter) fragment(name string) size {
	if known, ok := m.known[name]; ok {
		return known
	}
	m.known[name] = size{} // inside itself; validation refuses the cycle
	if f := m.fragments.ForName(name); f != nil {
		m.known[name] = m.selection(f.SelectionSet)
	}
	return m.known[name]
}

// costLimit refuses operations that would read too much: a list costs as much as all elements asked
// for.
type costLimit struct{ schema graphql.ExecutableSchema }

func (costLimit) ExtensionName() string                   { return "Cost" }
func (costLimit) Validate(graphql.ExecutableSchema) error { return nil }

func (c costLimit) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if cost := complexity.Calculate(ctx, c.schema, op.Operation, op.Variables); cost > maxCost {
		err := tooComplex(ctx, "cost", maxCost)
		err.Extensions["cost"] = cost
		return err
	}
	return nil
}

// costs are the costs of lists; anything else costs 1 and what is inside it.
func costs() gen.ComplexityRoot {
	var c gen.ComplexityRoot
	page := func(child int, first, last *int) int {
		size := db.Page{First: deref(first), Last: deref(last)}.Size()
		return 10 + min(max(size, 1), db.MaxPage)*child
	}
	perParent := func(child int, first, last *int) int { return statementCost + page(child, first, last) }
	c.Query.Clients = func(child int, _, _, _ *string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.Invoices = func(child int, _, _, _ *string, _ *model.InvoiceLimits, _ string, _ bool, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.Deliveries = func(child int, _ *string, _ *string, _ []string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.FailedSignIns = func(child int, _ *string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.Audit = func(child int, _, _, _, _ *string, _, _ *time.Time, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.Payments = func(child int, _, _ *string, _, _ *date.Date, _, _ *money.Decimal, _ *bool, _ *string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.Products = func(child int, first *int, _ *string, last *int, _ *string) int { return page(child, first, last) }
	c.Query.Services = func(child int, _ *string, _ *string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.UpcomingRenewals = func(child int, _ date.Date, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.GatewayEvents = func(child int, _ bool, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.Query.BankMovements = func(child int, _ *string, first *int, _ *string, last *int, _ *string) int {
		return page(child, first, last)
	}
	c.LedgerCheck.Gaps = func(child int) int { return 100 * child }
	c.Query.PaidPerMonth = func(child int, _, _ date.Date) int { return statementCost + 12*child }
	c.Query.Aging = func(child int, _ *string) int { return statementCost + 3*child }
	c.Payment.Allocations = func(child int) int { return 3 * child }
	c.Query.Nodes = func(child int, ids []string) int { return min(len(ids), maxNodes+1) * (10 + child) }
	c.Query.Node = func(child int, _ string) int { return 10 + child }
	c.Query.Permissions = func(child int) int { return 13 * child }
	c.Query.Topics = func(child int) int { return 6 * child }
	c.Viewer.Clients = func(child int) int { return 10 + 10*child }
	c.Client.Owes = func(child int) int { return statementCost + 3*child }
	c.Client.Contacts = func(child int, _ *string, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Client.Invoices = func(child int, _, _ *string, _ *model.InvoiceLimits, _ string, _ bool, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Client.FiscalDocuments = func(child int, _, _, _ *string, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Client.FiscalMonths = func(child int) int { return statementCost + 12*child }
	c.FiscalDocument.Related = func(child int) int { return 3 * child }
	c.FiscalDocument.Downloads = func(child int) int { return 5 * child }
	c.Query.FiscalPending = func(child int) int { return 6*statementCost + 100*child }
	c.Client.CreditBalances = func(child int) int { return statementCost + 3*child }
	c.Client.Statement = func(child int, _ money.Currency, _, _ *date.Date) int { return 5*statementCost + 50*child }
	c.Invoice.Downloads = func(child int) int { return 5 * child }
	c.Query.ExchangeRates = func(child int, _ money.Currency) int { return 10 + 20*child }
	c.Invoice.CreditNotes = func(child int) int { return 2 * child }
	c.Invoice.Payments = func(child int) int { return 3 * child }
	c.Client.Deliveries = func(child int, _ []string, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Client.Emails = func(child int, _ *string, _ bool, _, _ []string, _, _ *time.Time, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Email.Content = func(child int) int { return 20 + child } // tens of kilobytes
	c.Invoice.Deliveries = func(child int, _ []string, first *int, _ *string, last *int, _ *string) int {
		return perParent(child, first, last)
	}
	c.Invoice.ReminderPlan = func(child int) int { return 5*statementCost + 30*child } // several statements for each invoice
	c.Invoice.LateFees = func(child int) int { return 2*statementCost + 3*child }      // for each invoice
	c.Query.PreviewReminderPolicy = func(child int, _ model.SaveReminderPolicyInput, invoices int) int {
		return 10*statementCost + min(max(invoices, 1), 20)*child
	}
	c.ReminderPolicyPreview.Entries = func(child int) int { return 20 * child }
	c.Query.ReminderPolicies = func(child int) int { return 10 + 20*child }
	c.Query.BouncedAddresses = func(child int, _ *string) int { return 10 + 50*child }
	c.Query.MailTemplates = func(child int) int { return 10 + 20*child }
	c.Query.ReminderRuns = func(child int) int { return 10 + 50*child }
	c.Query.MailTemplateVersions = func(child int, _ string, _ int, _ string) int { return 10 + 50*child }
	c.ReminderDashboard.Outlook = func(child int) int { return 15 * child }
	c.ReminderDashboard.Days = func(child int) int { return 30 * child }
	c.Invoice.Lines = func(child int) int { return 10 * child }
	c.Delivery.History = func(child int) int { return 5 * child }
	// A count reads as much of a list as it counts, and the list counts it once for each element asked for.
	counted := func(int) int { return countCost }
	c.AuditConnection.TotalCount, c.BankMovementConnection.TotalCount, c.ClientConnection.TotalCount = counted, counted, counted
	c.ContactConnection.TotalCount, c.DeliveryConnection.TotalCount, c.EmailConnection.TotalCount = counted, counted, counted
	c.FailedSignInConnection.TotalCount, c.FiscalDocumentConnection.TotalCount, c.GatewayEventConnection.TotalCount = counted, counted, counted
	c.InvoiceConnection.TotalCount, c.PaymentConnection.TotalCount, c.ProductConnection.TotalCount = counted, counted, counted
	c.ServiceConnection.TotalCount, c.UnstampedDocumentConnection.TotalCount = counted, counted
	return c
}

// introspection lets clients ask for the schema, where that is allowed.
type introspection struct{ allowed bool }

func (introspection) ExtensionName() string                   { return "Introspection" }
func (introspection) Validate(graphql.ExecutableSchema) error { return nil }

func (i introspection) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = !i.allowed
	return nil
}

// rulesWithoutSuggestions are the standard's validation rules. Their "did you mean" would tell the
// schema where introspection is off.
func rulesWithoutSuggestions() *rules.Rules {
	r := rules.NewDefaultRules()
	r.ReplaceRule(rules.FieldsOnCorrectTypeRule.Name, rules.FieldsOnCorrectTypeRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.ScalarLeafsRule.Name, rules.ScalarLeafsRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	return r
}
