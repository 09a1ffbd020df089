package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func fiscalCancellation(row *db.CFDI) *model.FiscalCancellation {
	if row.CancelState == "" || row.CancelRequestedAt == nil {
		return nil
	}
	out := &model.FiscalCancellation{State: row.CancelState, Motivo: row.CancelMotivo, RequestedAt: *row.CancelRequestedAt}
	if row.CancelSustitucion != "" {
		out.FolioSustitucion = &row.CancelSustitucion
	}
	if row.CancelState == db.CancelInProcess {
		out.Deadline = row.CancelDeadline
	}
	return out
}

func (r *resolver) cancelFiscalDocument(ctx context.Context, in model.CancelFiscalDocumentInput) (*db.CFDI, error) {
	cfdi, err := parsed(in.FiscalDocumentID, ids.ParseCFDI)
	if err != nil {
		return nil, err
	}
	sustituye, err := optional(in.SustituyeID, ids.ParseCFDI)
	if err != nil {
		return nil, err
	}
	return document(r.Fiscal.CancelCFDI(ctx, fiscal.CancelInput{CFDI: cfdi, Motivo: in.Motivo, Sustituye: sustituye}))
}

func (r *resolver) substituteFiscalDocument(ctx context.Context, in model.SubstituteFiscalDocumentInput) (*db.CFDI, error) {
	cfdi, err := parsed(in.FiscalDocumentID, ids.ParseCFDI)
	if err != nil {
		return nil, err
	}
	profile, err := optional(in.FiscalProfileID, ids.ParseFiscalProfile)
	if err != nil {
		return nil, err
	}
	return document(r.Fiscal.SubstituteCFDI(ctx, fiscal.SubstituteInput{CFDI: cfdi, Profile: profile}))
}

func (r *resolver) checkFiscalDocument(ctx context.Context, in model.CheckFiscalDocumentInput) (*db.CFDI, error) {
	cfdi, err := parsed(in.FiscalDocumentID, ids.ParseCFDI)
	if err != nil {
		return nil, err
	}
	return document(r.Fiscal.CheckStatus(ctx, cfdi))
}

func document(row db.CFDI, err error) (*db.CFDI, error) {
	if err != nil {
		return nil, err
	}
	return &row, nil
}
