package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// lateFeeForm is the form of a rule as it was sent.
type lateFeeForm struct {
	Replaces  id.LateFee // 0: a new rule
	Name      string
	Kind      string
	TLD       string
	Currency  string
	Percent   string
	Fixed     string
	Minimum   string
	GraceDays string
	Treatment string
	Errors    fieldErrors
}

type lateFeesView struct {
	Rules []db.LateFeeRule
	Form  lateFeeForm
}

func mayBill(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ManageBilling) == nil
}

// lateFees lists the rules in force beside the form of a new one, or of the one to change.
func (c *Console) lateFees(w http.ResponseWriter, r *http.Request) error {
	rules, err := c.Reminder.LateFeeRules(r.Context())
	if err != nil {
		return err
	}
	form := lateFeeForm{Currency: string(money.MXN), GraceDays: "5", Treatment: string(billing.IVA16)}
	for _, rule := range rules {
		if rule.ID.String() == r.URL.Query().Get("regla") {
			form = lateFeeFormOf(rule)
		}
	}
	return c.showLateFees(w, r, http.StatusOK, form)
}

func lateFeeFormOf(rule db.LateFeeRule) lateFeeForm {
	form := lateFeeForm{Replaces: rule.ID, Name: rule.Name, Kind: rule.Kind, TLD: rule.TLD, Currency: string(rule.Currency), GraceDays: strconv.Itoa(rule.GraceDays), Treatment: rule.Treatment}
	if rule.Percent.Sign() > 0 {
		form.Percent = rule.Percent.String()
	}
	if rule.Fixed > 0 {
		form.Fixed = money.FormatPlain(rule.Fixed, rule.Currency)
	}
	if rule.Minimum > 0 {
		form.Minimum = money.FormatPlain(rule.Minimum, rule.Currency)
	}
	return form
}

func (c *Console) showLateFees(w http.ResponseWriter, r *http.Request, status int, form lateFeeForm) error {
	ctx := r.Context()
	rules, err := c.Reminder.LateFeeRules(ctx)
	if err != nil {
		return err
	}
	return c.show(w, r, status, rt(ctx, "nav.fees"), lateFeesPage(lateFeesView{rules, form}))
}

// input reads the form into the verb's input. Empty amounts are none.
func (f lateFeeForm) input() (reminder.LateFeeRuleInput, error) {
	in := reminder.LateFeeRuleInput{Replaces: f.Replaces, Name: f.Name, Kind: f.Kind, TLD: f.TLD, Currency: money.Currency(f.Currency), Treatment: billing.TaxTreatment(f.Treatment)}
	var checks fault.Checks
	var err error
	if f.Percent != "" {
		if in.Percent, err = money.Parse(strings.TrimSuffix(strings.TrimSpace(f.Percent), "%")); err != nil {
			checks.Add("percent", "NUMBER_MALFORMED")
		}
	}
	for _, field := range []struct {
		path, text string
		to         *money.Minor
	}{{"fixed", f.Fixed, &in.Fixed}, {"minimum", f.Minimum, &in.Minimum}} {
		if field.text == "" {
			continue
		}
		if *field.to, err = money.ParseMinor(field.text, in.Currency); err != nil {
			checks.Add(field.path, amountCode(err))
		}
	}
	if in.GraceDays, err = strconv.Atoi(f.GraceDays); err != nil {
		checks.Add("graceDays", "NUMBER_MALFORMED")
	}
	return in, checks.Err()
}

func (c *Console) saveLateFee(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form := lateFeeForm{Name: r.PostFormValue("name"), Kind: r.PostFormValue("kind"), TLD: r.PostFormValue("tld"), Currency: r.PostFormValue("currency"),
		Percent: strings.TrimSpace(r.PostFormValue("percent")), Fixed: strings.TrimSpace(r.PostFormValue("fixed")), Minimum: strings.TrimSpace(r.PostFormValue("minimum")),
		GraceDays: strings.TrimSpace(r.PostFormValue("graceDays")), Treatment: r.PostFormValue("treatment")}
	form.Replaces, _ = id.ParseLateFee(r.PostFormValue("regla")) // none: a new rule
	in, err := form.input()
	if err == nil {
		_, err = c.Reminder.SaveLateFeeRule(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showLateFees(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.fee")
	return layout.Redirect(w, r, lateFeesPath)
}

func (c *Console) removeLateFee(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	ruleID, err := formID(r, "regla", id.ParseLateFee)
	if err == nil {
		err = c.Reminder.RemoveLateFeeRule(ctx, ruleID)
	}
	if errs, ok := invalid(ctx, err); ok {
		return c.showLateFees(w, r, http.StatusUnprocessableEntity, lateFeeForm{Currency: string(money.MXN), Errors: errs})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.fee_removed")
	return layout.Redirect(w, r, lateFeesPath)
}

// setLateFeeExempt exempts a client from late fees, or no longer.
func (c *Console) setLateFeeExempt(w http.ResponseWriter, r *http.Request) error {
	client, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.Reminder.SetLateFeeExempt(r.Context(), client.ID, r.PostFormValue("exempt") != ""); err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(client.ID))
}

// feeText says in one line what a rule charges: "3 % de cada dominio .mx, al menos $50.00 MXN".
func feeText(ctx context.Context, rule db.LateFeeRule) string {
	amount := component.Money(ctx, rule.Fixed, rule.Currency)
	if rule.Percent.Sign() > 0 {
		amount = rt(ctx, "fee.percent_of", "percent", rule.Percent.String())
	}
	if rule.Minimum > 0 {
		amount += ", " + rt(ctx, "fee.at_least", "amount", component.Money(ctx, rule.Minimum, rule.Currency))
	}
	return amount
}

// feeScope says what a rule is charged on.
func feeScope(ctx context.Context, rule db.LateFeeRule) string {
	switch {
	case rule.TLD != "":
		return rt(ctx, "fee.of_tld", "tld", rule.TLD)
	case rule.Kind != "":
		return bt(ctx, "kind."+rule.Kind)
	}
	return rt(ctx, "fee.of_all")
}

func feeTitle(ctx context.Context, f lateFeeForm) string {
	if f.Replaces != 0 {
		return rt(ctx, "fee.change")
	}
	return rt(ctx, "fee.add")
}
