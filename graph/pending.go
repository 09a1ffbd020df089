package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func fiscalPending(found fiscal.Pending, err error) (*model.FiscalPending, error) {
	if err != nil {
		return nil, err
	}
	out := &model.FiscalPending{Receipts: []*model.ReceiptDue{}, Sales: []*model.SaleWaiting{}, Changed: []*model.SaleChanged{}, OnAccount: []*model.PaymentOnAccount{},
		Elsewhere: pointers(found.Elsewhere)}
	for _, row := range found.Receipts {
		due := &model.ReceiptDue{InvoiceID: row.InvoiceID.String(), Number: row.Number, ClientName: row.ClientName, ReceivedOn: row.ReceivedOn,
			Amount: &model.Money{Minor: row.Amount, Currency: row.Currency}, Due: row.Due.UTC(), Overdue: row.Overdue(found.Now), Code: row.Code}
		if row.PaymentID != 0 {
			due.PaymentID = idText(row.PaymentID)
		}
		if row.CFDIID != 0 {
			due.FiscalDocumentID = idText(row.CFDIID)
		}
		out.Receipts = append(out.Receipts, due)
	}
	for _, row := range found.Sales {
		out.Sales = append(out.Sales, &model.SaleWaiting{InvoiceID: row.ID.String(), Number: row.Number, Total: &model.Money{Minor: row.Total, Currency: row.Currency}, Until: row.Until.UTC()})
	}
	for _, row := range found.Changed {
		out.Changed = append(out.Changed, &model.SaleChanged{InvoiceID: row.InvoiceID.String(), Number: row.Number, ClientName: row.ClientName,
			Total: &model.Money{Minor: row.Total, Currency: row.Currency}, FiscalDocumentID: row.CFDIID.String()})
	}
	for _, row := range found.OnAccount {
		out.OnAccount = append(out.OnAccount, &model.PaymentOnAccount{PaymentID: row.PaymentID.String(), ClientID: row.ClientID.String(), ClientName: row.ClientName,
			ReceivedOn: row.ReceivedOn, Amount: &model.Money{Minor: row.Amount, Currency: row.Currency}})
	}
	return out, nil
}

// idText is an id as a nullable one.
func idText(key interface{ String() string }) *string {
	out := key.String()
	return &out
}

func (r *resolver) requestAnticipo(ctx context.Context, in model.RequestAnticipoInput) (*db.CFDI, error) {
	payment, err := parsed(in.PaymentID, ids.ParsePayment)
	if err != nil {
		return nil, err
	}
	profile, err := optional(in.FiscalProfileID, ids.ParseFiscalProfile)
	if err != nil {
		return nil, err
	}
	return document(r.Fiscal.RequestAnticipo(ctx, fiscal.AnticipoInput{PaymentID: payment, ProfileID: profile, Treatment: fiscal.IVA(in.Treatment)}))
}

func (r *resolver) redoGlobalDocument(ctx context.Context, in model.RedoGlobalDocumentInput) (*db.CFDI, error) {
	cfdi, err := parsed(in.FiscalDocumentID, ids.ParseCFDI)
	if err != nil {
		return nil, err
	}
	return document(r.Fiscal.RedoGlobal(ctx, fiscal.SubstituteInput{CFDI: cfdi}))
}
