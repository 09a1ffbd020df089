package internal_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/nubedigitalmx/avisa/"

// rules say which of our packages a package may import, and why the others are out of reach. The
// longest matching prefix counts.
var rules = []struct {
	pkg     string
	may     []string
	because string
}{
	{"cmd/", []string{""}, "wires everything"},
	{"graph/model", []string{"db", "internal/"}, "the door's own shapes"},
	{"graph", []string{"graph/", "db", "internal/"}, "a door translates; doors never talk to each other"},
	{"ui/email", []string{"ui/email", "db", "internal/"}, "mails are rendered without the pages"},
	{"ui", []string{"ui/", "db", "internal/"}, "a door translates; doors never talk to each other"},
	{"jobs", []string{"db", "internal/"}, "a door translates; doors never talk to each other"},
	{"db/dbtest", []string{"db", "internal/"}, "test databases"},
	{"db", vocabulary, "rows and SQL decide nothing, so they need no service"},
	{"internal/account", with(vocabulary, "db", "internal/secret", "internal/sheet"), "people come before what they owe"},
	{"internal/billing", with(vocabulary, "db", "internal/account", "internal/pdf", "internal/sheet"), "what is owed comes before reminding of it"},
	{"internal/reminder", with(vocabulary, "db", "internal/account", "internal/billing"), "reminders and fiscal documents do not know each other"},
	{"internal/fiscal", with(vocabulary, "db", "internal/account", "internal/billing", "internal/pdf", "internal/sheet", "internal/fiscal"), "reminders and fiscal documents do not know each other"},
	{"internal/stripe", with(vocabulary, "internal/billing"), "a gateway of billing's interface"},
	{"internal/access", []string{"internal/fault", "internal/id"}, "vocabulary imports vocabulary alone"},
	{"internal/", vocabulary, "vocabulary and tools import nothing that decides"},
}

var vocabulary = []string{"internal/access", "internal/date", "internal/fault", "internal/id", "internal/locale", "internal/mail", "internal/money"}

func with(list []string, more ...string) []string {
	return append(append([]string{}, list...), more...)
}

// technologies belong to one folder each; the floor of the benchmark is built of them without the product.
var technologies = map[string][]string{
	"github.com/uptrace/bun":      {"db"},
	"github.com/99designs/gqlgen": {"graph"},
	"github.com/vektah/gqlparser": {"graph"},
	"github.com/a-h/templ":        {"ui"},
	"github.com/hibiken/asynq":    {"jobs", "internal/bench"},
	"github.com/jackc/pgx":        {"db", "internal/devstack", "internal/bench"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func within(pkg, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return prefix == "" || pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
}

// Arrows point down, so that no package needs to know who uses it.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			for technology, homes := range technologies {
				if !strings.HasPrefix(imported, technology) {
					continue
				}
				home := false
				for _, h := range homes {
					home = home || within(pkg, h)
				}
				if !home {
					t.Errorf("%s imports %s, which belongs to %v alone", pkg, imported, homes)
				}
			}
			if !strings.HasPrefix(imported, module) {
				continue
			}
			target := strings.TrimPrefix(imported, module)
			for _, rule := range rules {
				if !within(pkg, rule.pkg) {
					continue
				}
				allowed := within(target, pkg) // its own parts
				for _, may := range rule.may {
					allowed = allowed || within(target, may)
				}
				if !allowed {
					t.Errorf("%s imports %s: %s", pkg, target, rule.because)
				}
				break
			}
		}
	}
}

// verbs that decide nothing about a client's data, each with its reason.
var free = map[string]string{
	"account.SignIn":       "whoever signs in is nobody yet",
	"account.Authenticate": "it is what finds out who acts",
	"billing.Today":        "a date is no secret",
	"billing.Brand":        "the company's name and colour are for everybody",
	"billing.Logo":         "the company's logo is for everybody",

	"fiscal.Catalogs": "the catalogs of the SAT are published",

	"billing.ReceiveGatewayEvent": "the gateway's signature says who speaks",
	"billing.OpenPayLink":         "whoever holds the link may see and pay its invoices",
	"billing.StartCheckoutByLink": "whoever holds the link may see and pay its invoices",
	"billing.CheckoutByLink":      "whoever holds the link may see and pay its invoices",
	"billing.Online":              "whether cards are taken is no secret",
	"billing.OpenPDFByLink":       "whoever holds the link may see and pay its invoices",

	"account.ProveFactor":           "the pending token says who signs in",
	"account.BeginPasskeySignIn":    "the pending token says who signs in",
	"account.FinishPasskeySignIn":   "the pending token says who signs in",
	"account.InvitationByToken":     "whoever holds the link may see what it offers",
	"account.AcceptInvitation":      "whoever holds the link was invited",
	"account.RequestPasswordReset":  "anybody may ask; only the address's owner gets the link",
	"account.CompletePasswordReset": "whoever holds the link owns the address",

	"reminder.OpenLink":              "it is what finds out what the link's holder may open",
	"reminder.Preferences":           "whoever holds the link is who gets the mail",
	"reminder.SetReminderPreference": "whoever holds the link is who gets the mail",
	"reminder.VerifyAddress":         "whoever holds the link owns the address",
	"reminder.LinkedPayURL":          "whoever holds the link was sent the invoice",
	"reminder.OpenLinkedPDF":         "whoever holds the link was sent the invoice",
	"reminder.LinkedInvoices":        "whoever holds the link was sent the invoices",
	"reminder.PayLinkedInvoices":     "whoever holds the link was sent the invoices",
	"reminder.LinkedCheckout":        "whoever holds the link was sent the invoices",
}

// Every verb of a service asks internal/access before it touches the store.
func TestVerbsAskFirst(t *testing.T) {
	for _, service := range []string{"account", "billing", "reminder", "fiscal"} {
		files, err := filepath.Glob(filepath.Join(service, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		verbs := map[string]*ast.FuncDecl{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := parser.ParseFile(set, file, source, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && isService(f) {
					verbs[f.Name.Name] = f
				}
			}
		}
		for name, f := range verbs {
			if !f.Name.IsExported() || free[service+"."+name] != "" {
				continue
			}
			asks, touches := order(f, verbs)
			if asks == token.NoPos || touches != token.NoPos && touches < asks {
				t.Errorf("%s.%s touches the store before it asks internal/access", service, name)
			}
		}
	}
}

func isService(f *ast.FuncDecl) bool {
	if f.Recv == nil || len(f.Recv.List) != 1 {
		return false
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	name, ok := star.X.(*ast.Ident)
	return ok && name.Name == "Service"
}

// order finds where a verb first asks (access.X, or a verb or helper of the service that does) and
// where it first touches the store.
func order(f *ast.FuncDecl, verbs map[string]*ast.FuncDecl) (asks, touches token.Pos) {
	receiver := f.Recv.List[0].Names[0].Name
	first := func(at *token.Pos, pos token.Pos) {
		if *at == token.NoPos || pos < *at {
			*at = pos
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		owner, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch {
		case owner.Name == "access" && (strings.HasPrefix(selector.Sel.Name, "Require") || selector.Sel.Name == "Scope" || selector.Sel.Name == "Can"):
			first(&asks, selector.Pos())
		case owner.Name == receiver && selector.Sel.Name == "Store":
			first(&touches, selector.Pos())
		case owner.Name == receiver:
			if called, ok := verbs[selector.Sel.Name]; ok && called != f {
				if inner, _ := order(called, verbs); inner != token.NoPos {
					first(&asks, selector.Pos())
				}
			}
		}
		return true
	})
	return asks, touches
}
