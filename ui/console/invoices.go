package console

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// download is an entry of the download log with who it was.
type download struct {
	db.InvoiceDownload
	Who string
}

type invoiceView struct {
	Invoice  db.Invoice
	Today    date.Date
	Lines    []db.InvoiceLine
	Payments []db.Payment
	Plan     []reminder.PlanEntry // who gets what and when, the past too
	Fees     []db.LateFee         // that it will bear if it stays unpaid
	settlement
	Downloads []download
	Logged    bool // there is a download log to show
	Payment   paymentForm
	Pause     pauseForm
	Run       *db.Run
}

// hasForms reports whether the page offers payment and pause: while something is owed, and when a
// form that was sent has something wrong.
func (v invoiceView) hasForms(ctx context.Context) bool {
	return v.Invoice.Open() || v.Payment.Errors != nil || v.Pause.Errors != nil || bills(ctx) && v.Invoice.CloseReason == ""
}

// paymentForm is the payment form as it was sent.
type paymentForm struct {
	Amount     string
	Method     string
	Reference  string
	ReceivedOn string
	Excess     bool // what exceeds the balance becomes credit
	RequestKey string
	Errors     fieldErrors
}

func methodOptions(ctx context.Context) []component.Option {
	var options []component.Option
	for _, method := range []string{"transfer", "cash", "card", "cheque"} {
		options = append(options, component.Option{Value: method, Label: t(ctx, "method."+method)})
	}
	return options
}

func currencyOptions() []component.Option {
	var options []component.Option
	for _, currency := range money.Currencies() {
		options = append(options, component.Option{Value: string(currency), Label: string(currency)})
	}
	return options
}

// unitPrice is a price with its currency, as the language writes it.
func unitPrice(ctx context.Context, p money.Decimal, currency money.Currency) string {
	if m, err := p.Minor(currency); err == nil && p.Decimals() <= currency.Decimals() {
		return component.Money(ctx, m, currency)
	}
	return p.String() + " " + string(currency) // a fraction of a cent
}

// price shows cents, and more decimals only where the price has them.
func price(p money.Decimal, currency money.Currency) string {
	if p.Decimals() <= currency.Decimals() {
		if m, err := p.Minor(currency); err == nil {
			return money.FormatNumber(m, currency)
		}
	}
	return p.String()
}

func (c *Console) invoicePage(w http.ResponseWriter, r *http.Request) error {
	row, err := c.invoice(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.showInvoice(w, r, http.StatusOK, row, invoiceForms{})
}

// showInvoice shows the page of an invoice; a form that was sent with errors takes the place of the
// empty one.
func (c *Console) showInvoice(w http.ResponseWriter, r *http.Request, status int, row db.Invoice, forms invoiceForms) error {
	ctx := r.Context()
	view := invoiceView{Invoice: row, Today: date.Today(c.Now(), row.ClientSnapshot.Timezone), Run: runResult(r), Logged: c.Downloads != nil}
	lines, err := c.Billing.Lines(ctx, row.ID)
	if err != nil {
		return err
	}
	view.Lines = lines[row.ID]
	if view.Payments, err = c.Billing.Payments(ctx, row.ID); err != nil {
		return err
	}
	if view.Plan, err = c.Reminder.ReminderPlan(ctx, row.ID); err != nil {
		return err
	}
	fees, err := c.Reminder.ComingLateFees(ctx, row.ID)
	if err != nil {
		return err
	}
	view.Fees = fees[row.ID]
	if view.settlement, err = c.settlement(ctx, row, forms); err != nil {
		return err
	}
	if view.Downloads, err = c.downloads(ctx, row); err != nil {
		return err
	}
	view.Payment = paymentForm{Amount: money.FormatPlain(row.Balance, row.Currency), Method: "transfer", ReceivedOn: string(view.Today), RequestKey: rand.Text()}
	if forms.payment != nil {
		view.Payment = *forms.payment
	}
	view.Pause = pauseForm{Until: string(row.PausedUntil), Mode: row.PauseMode, Reason: row.PauseReason}
	if forms.pause != nil {
		view.Pause = *forms.pause
	}
	view.Pause.Action, view.Pause.Paused, view.Pause.Today = invoicePath(row.ID)+"/pausa", row.PausedUntil, view.Today
	return c.show(w, r, status, invoiceName(ctx, row), invoicePageView(view))
}

// downloads is the download log of an invoice with the people behind it.
func (c *Console) downloads(ctx context.Context, row db.Invoice) ([]download, error) {
	if c.Downloads == nil {
		return nil, nil
	}
	log, err := c.Downloads(ctx, row.ID)
	if err != nil || len(log) == 0 {
		return nil, err
	}
	contacts, err := c.Account.Contacts(ctx, row.ClientID, db.Page{First: db.MaxPage})
	if err != nil {
		return nil, err
	}
	subAccounts, err := c.Account.AccessByContact(ctx, contactIDs(contacts.Rows))
	if err != nil {
		return nil, err
	}
	emails := map[id.Login]string{}
	for _, a := range subAccounts {
		emails[a.LoginID] = a.LoginEmail
	}
	entries := make([]download, 0, len(log))
	for _, entry := range log {
		who := t(ctx, "download.staff")
		switch {
		case entry.StaffID == 0 && entry.LoginID == 0:
			who = t(ctx, "download.link")
		case entry.LoginID != 0:
			if who = emails[entry.LoginID]; who == "" {
				who = t(ctx, "download.login", "id", entry.LoginID)
			}
		}
		entries = append(entries, download{entry, who})
	}
	return entries, nil
}

func (c *Console) recordPayment(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := paymentForm{Amount: r.PostFormValue("amount"), Method: r.PostFormValue("method"), Reference: r.PostFormValue("reference"),
		ReceivedOn: r.PostFormValue("receivedOn"), Excess: r.PostFormValue("excess") != "", RequestKey: r.PostFormValue("requestKey")}
	in, err := form.input(row)
	if err == nil {
		_, err = c.Billing.RecordPayment(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showInvoice(w, r, http.StatusUnprocessableEntity, row, invoiceForms{payment: &form})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.paid")
	return layout.Redirect(w, r, invoicePath(row.ID))
}

// input reads the form into the verb's input.
func (f paymentForm) input(row db.Invoice) (billing.PaymentInput, error) {
	in := billing.PaymentInput{InvoiceID: row.ID, Method: f.Method, Reference: f.Reference, ExcessToCredit: f.Excess, RequestKey: f.RequestKey}
	var checks fault.Checks
	var err error
	if in.Amount, err = money.ParseMinor(f.Amount, row.Currency); err != nil {
		checks.Add("amount", amountCode(err))
	}
	if f.ReceivedOn != "" {
		if in.ReceivedOn, err = date.Parse(f.ReceivedOn); err != nil {
			checks.Add("receivedOn", "DATE_MALFORMED")
		}
	}
	return in, checks.Err()
}

func (c *Console) pauseInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	in, err := readPause(r)
	if err == nil {
		in.InvoiceID = row.ID
		_, _, err = c.Reminder.SetReminderPause(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form := pauseForm{Until: r.PostFormValue("until"), Mode: r.PostFormValue("mode"), Reason: r.PostFormValue("reason"), Errors: errs}
		return c.showInvoice(w, r, http.StatusUnprocessableEntity, row, invoiceForms{pause: &form})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.pause")
	return layout.Redirect(w, r, invoicePath(row.ID))
}
