// Package graph is the GraphQL door: it translates requests into verbs of internal/ and their answers
// into GraphQL. It authenticates nobody (the caller puts the actor into the context, see
// access.With) and decides nothing.
package graph

import (
	"embed"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"github.com/nubedigitalmx/avisa/graph/gen"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Config is what the door needs.
type Config struct {
	Account       *account.Service
	Billing       *billing.Service
	Reminder      *reminder.Service
	Fiscal        *fiscal.Service
	ArchivePath   func(client id.Client, month string) string // where the ZIP of a month's fiscal documents is downloaded; nil: its paths are null
	CFDIPath      func(cfdi id.CFDI, format string) string    // where a fiscal document is downloaded; nil: its paths are null
	Introspection bool                                        // whether the schema may be asked for
	PDFPath       func(id.Invoice) string                     // where the PDF of an invoice is downloaded; nil: pdfPath is null
	NotePath      func(id.CreditNote) string                  // where the PDF of a credit note is downloaded; nil: pdfPath is null
	PayPath       func(id.Client, id.Invoice) string          // where a client pays an invoice; nil: payUrl is null
	Log           *slog.Logger                                // internal errors; nil: slog.Default
	Now           func() time.Time                            // nil: time.Now
}

// resolver is the root of all resolvers.
type resolver struct{ Config }

// The directive @defer, which gqlgen knows by itself, is none of ours: an answer comes in one part, and what is put
// off would be missing in it.
func init() { delete(gen.NewExecutableSchema(gen.Config{}).Schema().Directives, "defer") }

// NewHandler returns the GraphQL endpoint: GET for queries, POST of application/json for all. The
// request's context carries the actor with its network address, device and request id.
func NewHandler(config Config) *Endpoint {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	root := &resolver{config}
	schema := gen.NewExecutableSchema(gen.Config{Resolvers: root, Complexity: costs()})
	exec := executor.New(schema)
	checked := newDocuments()
	exec.SetQueryCache(checked)
	exec.SetParserTokenLimit(maxTokens)
	exec.SetDefaultRulesFn(rulesWithoutSuggestions)
	exec.SetErrorPresenter(present)
	exec.SetRecoverFunc(recovered)
	exec.Use(limiter{checked})
	exec.Use(costLimit{schema})
	exec.Use(introspection{config.Introspection})
	exec.AroundRootFields(root.freshLoaders)
	return &Endpoint{resolver: root, exec: exec, schema: schema.Schema()}
}

//go:embed schema/*.graphqls
var schemaFiles embed.FS

// SDL is the schema as text, for documentation and client generators.
func SDL() string {
	names, _ := fs.Glob(schemaFiles, "schema/*.graphqls")
	parts := make([]string, 0, len(names))
	for _, name := range names {
		text, _ := schemaFiles.ReadFile(name)
		parts = append(parts, string(text))
	}
	return strings.Join(parts, "\n")
}

var (
	_ graphql.OperationParameterMutator = limiter{}
	_ graphql.OperationContextMutator   = costLimit{}
	_ graphql.OperationContextMutator   = introspection{}
)
