package console

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// settlement is what the page of an invoice says about its money beside its payments.
type settlement struct {
	CreditNotes []db.CreditNote
	LateFees    []db.Invoice
	Origin      *db.Invoice // of a late fee: the invoice that was late
	Credit      money.Minor // of the client, in the invoice's currency
	Applied     money.Minor // of the client's credit to the invoice
	Close       closeForm
	Apply       creditForm
	Release     creditForm
}

// closeForm is the form that cancels an invoice or writes it off, as it was sent.
type closeForm struct {
	How    string // "cancelar" or "incobrable"
	Reason string
	Errors fieldErrors
}

// creditForm is a form that moves the client's credit to an invoice or back, as it was sent.
type creditForm struct {
	Amount     string
	RequestKey string
	Errors     fieldErrors
}

// invoiceForms are forms of an invoice's page that were sent with errors; nil where none was.
type invoiceForms struct {
	payment *paymentForm
	pause   *pauseForm
	close   *closeForm
	credit  *creditForm
	release *creditForm
}

func (c *Console) settlement(ctx context.Context, row db.Invoice, forms invoiceForms) (settlement, error) {
	var out settlement
	var err error
	if out.CreditNotes, err = c.Billing.CreditNotes(ctx, row.ID); err != nil {
		return out, err
	}
	fees, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Origin: row.ID}, db.Page{First: db.MaxPage})
	if err != nil {
		return out, err
	}
	out.LateFees = fees.Rows
	if row.OriginID != 0 {
		origin, err := c.Billing.Invoice(ctx, row.OriginID)
		if err != nil {
			return out, err
		}
		out.Origin = &origin
	}
	credits, err := c.Billing.Credits(ctx, row.ClientID)
	if err != nil {
		return out, err
	}
	for _, credit := range credits {
		if credit.Currency == row.Currency {
			out.Credit = credit.Amount
		}
	}
	out.Apply = creditForm{Amount: money.FormatPlain(min(out.Credit, row.Balance), row.Currency), RequestKey: rand.Text()}
	if forms.credit != nil {
		out.Apply = *forms.credit
	}
	if out.Applied, err = c.Billing.AppliedCredit(ctx, row.ID); err != nil {
		return out, err
	}
	out.Release = creditForm{Amount: money.FormatPlain(out.Applied, row.Currency), RequestKey: rand.Text()}
	if forms.release != nil {
		out.Release = *forms.release
	}
	if forms.close != nil {
		out.Close = *forms.close
	}
	return out, nil
}

func (c *Console) previewInvoice(w http.ResponseWriter, r *http.Request) error {
	row, err := c.invoice(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	file, err := c.Billing.PreviewPDF(r.Context(), row.ID)
	if err != nil {
		return err
	}
	return showPDF(w, file)
}

func (c *Console) creditNotePDF(w http.ResponseWriter, r *http.Request) error {
	key, err := id.ParseCreditNote(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	file, err := c.Billing.OpenCreditNotePDF(r.Context(), key)
	if err != nil {
		return err
	}
	return showPDF(w, file)
}

func (c *Console) issueDraft(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	_, err = c.Billing.IssueDraft(ctx, billing.IssueDraftInput{InvoiceID: row.ID})
	if f, ok := fault.As(err); ok && f.Kind == fault.Invalid {
		return layout.Redirect(w, r, invoicePath(row.ID)+"/editar") // its form says what is wrong when it is sent
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.issued")
	return layout.Redirect(w, r, invoicePath(row.ID))
}

func (c *Console) deleteDraft(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.Billing.DeleteDraft(ctx, row.ID); err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.deleted")
	return layout.Redirect(w, r, "/consola/facturas")
}

func (c *Console) cancelInvoice(w http.ResponseWriter, r *http.Request) error {
	return c.closeInvoice(w, r, "cancelar", c.Billing.CancelInvoice)
}

func (c *Console) writeOffInvoice(w http.ResponseWriter, r *http.Request) error {
	return c.closeInvoice(w, r, "incobrable", c.Billing.WriteOffInvoice)
}

// revokeLinks makes the personal links to an invoice void that were sent until now.
func (c *Console) revokeLinks(w http.ResponseWriter, r *http.Request) error {
	row, err := c.invoice(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := c.Billing.RevokePayLinks(r.Context(), row.ID); err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.links")
	return layout.Redirect(w, r, invoicePath(row.ID))
}

func (c *Console) closeInvoice(w http.ResponseWriter, r *http.Request, how string, verb func(context.Context, billing.CloseInput) (db.Invoice, error)) error {
	ctx := r.Context()
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := closeForm{How: how, Reason: r.PostFormValue("reason")}
	_, err = verb(ctx, billing.CloseInput{InvoiceID: row.ID, Reason: form.Reason})
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showInvoice(w, r, http.StatusUnprocessableEntity, row, invoiceForms{close: &form})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash."+how)
	return layout.Redirect(w, r, invoicePath(row.ID))
}

// moveCredit pays an invoice from the client's credit, or gives the credit back.
func (c *Console) moveCredit(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := creditForm{Amount: r.PostFormValue("amount"), RequestKey: r.PostFormValue("requestKey")}
	in := billing.CreditInput{InvoiceID: row.ID, RequestKey: form.RequestKey}
	verb, forms, done := c.Billing.ApplyCredit, invoiceForms{credit: &form}, "billing.flash.credit"
	if r.PostFormValue("accion") == "liberar" {
		verb, forms, done = c.Billing.ReleaseCredit, invoiceForms{release: &form}, "billing.flash.released"
	}
	if in.Amount, err = money.ParseMinor(form.Amount, row.Currency); err != nil {
		var checks fault.Checks
		checks.Add("amount", amountCode(err))
		err = checks.Err()
	} else {
		_, err = verb(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showInvoice(w, r, http.StatusUnprocessableEntity, row, forms)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, done)
	return layout.Redirect(w, r, invoicePath(row.ID))
}

// noteForm begins the form of a credit note with the invoice's own lines.
func (c *Console) noteForm(r *http.Request) (*invoiceForm, error) {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return nil, err
	}
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return &invoiceForm{Client: row.ClientSnapshot, Invoice: row, Credit: true, Currency: string(row.Currency)}, nil
}

func (c *Console) newCreditNote(w http.ResponseWriter, r *http.Request) error {
	form, err := c.noteForm(r)
	if err != nil {
		return err
	}
	lines, err := c.Billing.Lines(r.Context(), form.Invoice.ID)
	if err != nil {
		return err
	}
	form.RequestKey = rand.Text()
	for _, line := range billing.InputOf(form.Invoice, lines[form.Invoice.ID]).Lines {
		form.Lines = append(form.Lines, lineOf(line, form.Invoice.Currency))
	}
	return c.showForm(w, r, http.StatusOK, form)
}

func (c *Console) issueCreditNote(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.noteForm(r)
	if err != nil {
		return err
	}
	form.read(r)
	form.Currency = string(form.Invoice.Currency)
	changed, err := c.changeRows(r, form)
	if err != nil {
		return err
	}
	if changed {
		return c.showForm(w, r, http.StatusOK, form)
	}
	var checks fault.Checks
	in := billing.CreditNoteInput{InvoiceID: form.Invoice.ID, Reason: form.Reason, Return: form.Relation == relationReturn, RequestKey: form.RequestKey}
	var rows []int
	in.Lines, rows = form.lines(&checks)
	if len(in.Lines) == 0 {
		checks.Add("lines", "DOCUMENT_EMPTY") // to the verb, none would mean all of them
	}
	err = checks.Err()
	if err == nil {
		_, err = c.Billing.IssueCreditNote(ctx, in)
	}
	if e, ok := fault.As(err); ok && e.Kind == fault.Invalid {
		err = inRows(e, rows)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		form.addLines(1)
		return c.showForm(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.noted")
	return layout.Redirect(w, r, invoicePath(form.Invoice.ID))
}

// closeReason is the field of a closing form; only the one that was sent keeps what was typed.
func closeReason(ctx context.Context, v invoiceView, how string) component.Field {
	field := component.Field{Name: "reason", Key: how, Label: bt(ctx, "reason"), Required: true, Maxlength: "500"}
	if v.Close.How == how {
		field.Value, field.Error = v.Close.Reason, v.Close.Errors["reason"]
	}
	return field
}
