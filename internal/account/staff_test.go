package account_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

func TestStaffRoles(t *testing.T) {
	w := newWorld(t)
	admin := w.staff(access.Admin)
	support := w.staff(access.Support)
	supportID := access.From(support).Staff
	adminID := access.From(admin).Staff
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"support adds staff":     {second(w.AddStaff(support, account.AddStaffInput{Name: "X", Email: "x@empresa.example", Password: password, Role: access.Admin})), "CAPABILITY_REQUIRED"},
		"support raises itself":  {second(w.UpdateStaff(support, account.UpdateStaffInput{StaffID: supportID, Name: new("X"), Role: new(access.Admin), Active: new(true)})), "CAPABILITY_REQUIRED"},
		"admin lowers itself":    {second(w.UpdateStaff(admin, account.UpdateStaffInput{StaffID: adminID, Name: new("X"), Role: new(access.ReadOnly), Active: new(true)})), "SELF_PROTECTED"},
		"the last admin goes":    {second(w.UpdateStaff(w.system(), account.UpdateStaffInput{StaffID: adminID, Name: new("X"), Role: new(access.Admin), Active: new(false)})), "LAST_ADMIN"},
		"the last admin lowered": {second(w.UpdateStaff(w.system(), account.UpdateStaffInput{StaffID: adminID, Name: new("X"), Role: new(access.Billing), Active: new(true)})), "LAST_ADMIN"},
		"unknown role":           {second(w.UpdateStaff(admin, account.UpdateStaffInput{StaffID: supportID, Name: new("X"), Role: new(access.Role("root")), Active: new(true)})), "role:VALUE_INVALID"},
		"unknown person":         {second(w.UpdateStaff(admin, account.UpdateStaffInput{StaffID: 999, Name: new("X"), Role: new(access.Billing), Active: new(true)})), "NOT_FOUND"},
		"taken email":            {second(w.AddStaff(admin, account.AddStaffInput{Name: "X", Email: "SUPPORT@empresa.example", Password: password})), "email:EMAIL_TAKEN"},
		"header injection":       {second(w.AddStaff(admin, account.AddStaffInput{Name: "X\nBcc: y@z.example", Email: "x@empresa.example", Password: password})), "name:CONTROL_CHARACTERS"},
	} {
		if codes(c.err) != c.want {
			t.Errorf("%s: %q, want %q", name, codes(c.err), c.want)
		}
	}
	signed, err := w.SignIn(t.Context(), account.SignInInput{Email: "support@empresa.example", Password: password, Staff: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateStaff(admin, account.UpdateStaffInput{StaffID: supportID, Name: new("Soporte"), Role: new(access.Billing), Active: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.ended("after a change of role", signed.Token)
	if signed, err = w.SignIn(t.Context(), account.SignInInput{Email: "support@empresa.example", Password: password, Staff: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateStaff(admin, account.UpdateStaffInput{StaffID: supportID, Name: new("Soporte"), Role: new(access.Billing), Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	w.ended("who left", signed.Token)
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "support@empresa.example", Password: password, Staff: true}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatal(codes(err))
	}
}

// What each role may do with the account's verbs: one line for each verb that changes something.
func TestRolesAndVerbs(t *testing.T) {
	w := newWorld(t)
	contact := w.add("conta@uno.example", access.Invoices)
	may := map[access.Role]string{access.Admin: "clients staff view audit", access.Billing: "audit", access.Support: "clients view audit", access.ReadOnly: "audit"}
	for _, role := range access.Roles() {
		ctx := w.staff(role)
		for _, c := range []struct {
			needs string
			err   error
		}{
			{"clients", second(w.SetEmailPreferences(ctx, contact.ID, []mail.Topic{mail.Invoice}))},
			{"clients", second(w.AddContact(ctx, w.input(string(role)+"@nueva.example", access.Invoices)))},
			{"clients", second(w.SetClientEmailPreferences(ctx, w.client.ID, mail.Topics()))},
			{"staff", second(w.Tokens(ctx))},
			{"staff", second(w.Staff(ctx))},
			{"view", second(w.ViewAs(ctx, w.client.ID))},
			{"audit", second(w.Audit(ctx, account.AuditQuery{}, dbPage))},
		} {
			if allowed := c.err == nil; allowed != strings.Contains(may[role], c.needs) {
				t.Errorf("%s, %s: %v", role, c.needs, c.err)
			}
		}
		if _, err := w.Contact(ctx, contact.ID); err != nil {
			t.Errorf("%s reads: %v", role, err)
		}
	}
}

func TestAPITokens(t *testing.T) {
	w := newWorld(t)
	admin := w.staff(access.Admin)
	for name, c := range map[string]struct {
		in   account.AddTokenInput
		want string
	}{
		"no name":       {account.AddTokenInput{Scopes: []access.Capability{access.CheckAccess}, Days: 30}, "name:REQUIRED"},
		"no scope":      {account.AddTokenInput{Name: "Tickets", Days: 30}, "scopes:REQUIRED"},
		"unknown scope": {account.AddTokenInput{Name: "Tickets", Scopes: []access.Capability{"root"}, Days: 30}, "scopes:SCOPE_UNKNOWN"},
		"people":        {account.AddTokenInput{Name: "Tickets", Scopes: []access.Capability{access.ManageStaff}, Days: 30}, "scopes:SCOPE_UNKNOWN"},
		"for ever":      {account.AddTokenInput{Name: "Tickets", Scopes: []access.Capability{access.CheckAccess}, Days: 10_000}, "days:TOKEN_DAYS"},
	} {
		if _, _, err := w.AddToken(admin, c.in); codes(err) != c.want {
			t.Errorf("%s: %q, want %q", name, codes(err), c.want)
		}
	}
	row, text, err := w.AddToken(admin, account.AddTokenInput{Name: "Tickets", Scopes: []access.Capability{access.CheckAccess}, Days: 30})
	if err != nil || !strings.HasPrefix(text, "avt_") || bytes.Contains(row.TokenHash, []byte(text)) {
		t.Fatal(text, err)
	}
	ctx := w.token(text)
	if _, err := w.AccessOf(ctx, account.AccessQuery{Client: w.client.ID, Email: "dueno@uno.example"}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"clients":  second(w.Clients(ctx, account.ClientQuery{}, dbPage)),
		"client":   second(w.Client(ctx, w.client.ID)),
		"contacts": second(w.Contacts(ctx, w.client.ID, dbPage)),
		"audit":    second(w.Audit(ctx, account.AuditQuery{}, dbPage)),
		"add":      second(w.AddContact(ctx, w.input("nueva@uno.example", access.Invoices))),
		"staff":    second(w.AddStaff(ctx, account.AddStaffInput{Name: "X", Email: "x@y.example", Password: password})),
		"tokens":   second(w.Tokens(ctx)),
		"view":     second(w.ViewAs(ctx, w.client.ID)),
		"two-step": w.SetStaffSecondFactor(ctx, false),
		"a token":  func() error { _, _, err := w.AddToken(ctx, account.AddTokenInput{}); return err }(),
	} {
		if codes(err) != "CAPABILITY_REQUIRED" {
			t.Errorf("%s: %q", name, codes(err))
		}
	}
	for name, err := range map[string]error{"password": second(w.ChangePassword(ctx, account.ChangePasswordInput{})), "totp": second(w.BeginTOTP(ctx, password)), "sessions": second(w.Sessions(ctx))} {
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := w.Tokens(admin)
	if err != nil || len(list) != 1 || list[0].LastUsedAt == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	w.clock = w.clock.AddDate(0, 0, 31)
	w.ended("expired", text)
	w.clock = w.clock.AddDate(0, 0, -31)
	w.token(text)
	// The person behind it leaves, and comes back.
	if _, err := w.UpdateStaff(w.system(), account.UpdateStaffInput{StaffID: row.StaffID, Name: new("X"), Role: new(access.Admin), Active: new(false)}); codes(err) != "LAST_ADMIN" {
		t.Fatal(codes(err))
	}
	second, err := w.AddStaff(w.system(), account.AddStaffInput{Name: "Otra", Email: "otra@empresa.example", Password: password, Role: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	_ = second
	if _, err := w.UpdateStaff(w.system(), account.UpdateStaffInput{StaffID: row.StaffID, Name: new("X"), Role: new(access.Admin), Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	w.ended("the person left", text)
	if _, err := w.UpdateStaff(w.system(), account.UpdateStaffInput{StaffID: row.StaffID, Name: new("X"), Role: new(access.Admin), Active: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.token(text)
	if _, err := w.RevokeToken(w.system(), row.ID); err != nil {
		t.Fatal(err)
	}
	w.ended("revoked", text)
	if _, err := w.RevokeToken(w.system(), row.ID); !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	var guess error
	for range 31 {
		_, guess = w.Authenticate(t.Context(), "avt_"+strings.Repeat("x", 43))
	}
	if !fault.Is(guess, fault.RateLimited) {
		t.Fatalf("guessing: %v", guess)
	}
}

func TestAccessOf(t *testing.T) {
	w := newWorld(t)
	contact := w.add("conta@uno.example", access.Invoices, access.Emails)
	expired := w.add("vencida@uno.example", access.Invoices)
	if _, err := w.SetSubAccount(w.as("dueno@uno.example", password), expired.ID, account.SubAccountInput{Active: true, Permissions: []access.Permission{access.Invoices}, ExpiresOn: "2099-01-01"}); err != nil {
		t.Fatal(err)
	}
	w.invite(w.as("dueno@uno.example", password), w.client, "invitada@uno.example", access.Invoices)
	login := access.From(w.as("conta@uno.example", password)).Login
	for name, c := range map[string]struct {
		query account.AccessQuery
		want  []access.Permission
	}{
		"owner":          {account.AccessQuery{Client: w.client.ID, Email: "DUENO@uno.example"}, access.Permissions()},
		"by email":       {account.AccessQuery{Client: w.client.ID, Email: "conta@uno.example"}, []access.Permission{access.Invoices, access.Emails}},
		"by login":       {account.AccessQuery{Client: w.client.ID, Login: login}, []access.Permission{access.Invoices, access.Emails}},
		"another client": {account.AccessQuery{Client: w.other.ID, Login: login}, nil},
		"invited":        {account.AccessQuery{Client: w.client.ID, Email: "invitada@uno.example"}, nil},
		"nobody":         {account.AccessQuery{Client: w.client.ID, Email: "nadie@uno.example"}, nil},
		"no such client": {account.AccessQuery{Client: 9999, Email: "conta@uno.example"}, nil},
	} {
		answers, err := w.AccessOf(w.system(), c.query)
		if err != nil || len(answers) != 13 {
			t.Errorf("%s: %v, %v", name, answers, err)
		}
		held := []access.Permission{}
		for _, a := range answers {
			if a.Allowed {
				held = append(held, a.Permission)
			}
		}
		if !slices.Equal(held, c.want) && len(held)+len(c.want) > 0 {
			t.Errorf("%s: %v, want %v", name, held, c.want)
		}
	}
	for query, want := range map[account.AccessQuery]string{{Client: w.client.ID}: "login:REQUIRED", {Client: w.client.ID, Login: login, Email: "a@b.example"}: "login:VALUE_INVALID"} {
		if _, err := w.AccessOf(w.system(), query); codes(err) != want {
			t.Errorf("%q, want %q", codes(err), want)
		}
	}
	if _, err := w.AccessOf(w.as("dueno@uno.example", password), account.AccessQuery{Client: w.client.ID, Login: login}); codes(err) != "STAFF_ONLY" {
		t.Error(codes(err))
	}
	if _, err := w.SuspendAccess(w.system(), contact.ID); err != nil {
		t.Fatal(err)
	}
	w.clock = time.Date(2099, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, email := range []string{"conta@uno.example", "vencida@uno.example"} {
		answers, err := w.AccessOf(w.system(), account.AccessQuery{Client: w.client.ID, Email: email})
		if err != nil || slices.ContainsFunc(answers, func(a account.AccessAnswer) bool { return a.Allowed }) {
			t.Errorf("%s still may: %v, %v", email, answers, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	topics, permissions := account.BillingPreset()
	for _, c := range []struct {
		topics      []mail.Topic
		access      bool
		permissions []access.Permission
		want        []string
	}{
		{nil, false, nil, nil},
		{nil, false, permissions, nil},
		{topics, false, nil, []string{account.MailWithoutInvoices}},
		{topics, false, permissions, []string{account.MailWithoutInvoices}},
		{topics, true, []access.Permission{access.Emails}, []string{account.MailWithoutInvoices}},
		{nil, true, permissions, []string{account.InvoicesWithoutMail}},
		{[]mail.Topic{mail.General}, true, access.Permissions(), []string{account.InvoicesWithoutMail}},
		{topics, true, permissions, nil},
	} {
		if got := account.Warnings(c.topics, c.access, c.permissions); !slices.Equal(got, c.want) {
			t.Errorf("%v %t %v: %v, want %v", c.topics, c.access, c.permissions, got, c.want)
		}
	}
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	contact := w.add("conta@uno.example", access.Invoices)
	owner := w.as("dueno@uno.example", password)
	actor := access.From(owner)
	actor.Address, actor.Device, actor.Request = "192.0.2.1", "Firefox", "req-1"
	ctx := access.With(t.Context(), actor)
	if _, err := w.UpdateContact(ctx, account.UpdateContactInput{ContactID: contact.ID, Details: &account.ContactDetails{Firstname: "=HYPERLINK(\"http://x.example\")", Email: "conta@uno.example"}}); err != nil {
		t.Fatal(err)
	}
	list, err := w.Audit(owner, account.AuditQuery{Client: w.client.ID, Verb: "contact.update"}, dbPage)
	if err != nil || len(list.Rows) != 1 {
		t.Fatalf("%+v, %v", list.Rows, err)
	}
	row := list.Rows[0]
	if row.LoginID != actor.Login || row.Address != "192.0.2.1" || row.Device != "Firefox" || row.Request != "req-1" || row.Object != contact.ID.String() ||
		string(row.Before) != `{"Firstname": "Ana"}` || !strings.Contains(string(row.After), "HYPERLINK") {
		t.Fatalf("%+v %s %s", row, row.Before, row.After)
	}
	// A refused change leaves nothing.
	before := len(w.verbs(0))
	if _, err := w.UpdateContact(ctx, account.UpdateContactInput{ContactID: contact.ID, Details: &account.ContactDetails{Email: "no"}}); err == nil {
		t.Fatal("taken")
	}
	if after := len(w.verbs(0)); after != before {
		t.Fatalf("a refused change wrote %d entries", after-before)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"another owner": {second(w.Audit(w.as("dueno@dos.example", password), account.AuditQuery{Client: w.client.ID}, dbPage)), "NOT_FOUND"},
		"everything":    {second(w.Audit(owner, account.AuditQuery{}, dbPage)), "STAFF_ONLY"},
		"no owner":      {second(w.Audit(w.as("conta@uno.example", password), account.AuditQuery{Client: w.client.ID}, dbPage)), "OWNER_ONLY"},
		"anonymous":     {second(w.Audit(t.Context(), account.AuditQuery{Client: w.client.ID}, dbPage)), "UNAUTHENTICATED"},
	} {
		if codes(c.err) != c.want {
			t.Errorf("%s: %q, want %q", name, codes(c.err), c.want)
		}
	}
	// Pages and filters.
	seen := 0
	for page := (db.Page{First: 2}); ; {
		list, err := w.Audit(owner, account.AuditQuery{Client: w.client.ID}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.Rows {
			if r.ClientID != w.client.ID {
				t.Fatalf("another client's entry: %+v", r)
			}
		}
		seen += len(list.Rows)
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if all := len(w.verbs(w.client.ID)); seen != all {
		t.Errorf("pages hold %d of %d", seen, all)
	}
	if list, err := w.Audit(w.system(), account.AuditQuery{Login: actor.Login, Verb: "contact."}, dbPage); err != nil || len(list.Rows) != 2 {
		t.Errorf("by login and noun: %d, %v", len(list.Rows), err)
	}
	if list, err := w.Audit(w.system(), account.AuditQuery{From: time.Now().Add(time.Hour)}, dbPage); err != nil || len(list.Rows) != 0 {
		t.Errorf("of the future: %d, %v", len(list.Rows), err)
	}
	var out bytes.Buffer
	if err := w.ExportAudit(owner, account.AuditQuery{Client: w.client.ID}, &out); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(records) != seen+1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, record := range records {
		for _, cell := range record {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}

// Text that people choose reaches the export as its own cell when it is a name; there it must be inert.
func TestExportIsInert(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"=1+1", "+1", "-1", "@SUM(A1)"} {
		actor := access.SystemActor()
		actor.Name, actor.Device = name, name
		if _, err := w.SetClientSecondFactor(access.With(t.Context(), actor), w.client.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := w.ExportAudit(w.system(), account.AuditQuery{Verb: "client.second-factor"}, &out); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(records) != 5 {
		t.Fatalf("%d, %v", len(records), err)
	}
	for _, record := range records[1:] {
		if record[4][0] != '\'' || record[9][0] != '\'' {
			t.Errorf("%q %q", record[4], record[9])
		}
	}
}
