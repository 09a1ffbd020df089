package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func (r *resolver) fiscalFolder(ctx context.Context, filter fiscal.FolderFilter, first *int, after *string, last *int, before *string) (*model.FiscalDocumentConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	list, err := r.Fiscal.Folder(ctx, filter, page)
	if err != nil {
		return nil, err
	}
	key := func(row *db.CFDI) ids.CFDI { return row.ID }
	ahead(ctx, load(ctx).around, list.Rows, key, "related")
	ahead(ctx, load(ctx).downloads, list.Rows, key, "downloads")
	return &model.FiscalDocumentConnection{Connection: connection(list, func(row *db.CFDI) *db.CFDI { return row },
		func(cursor string, node *db.CFDI) *model.FiscalDocumentEdge {
			return &model.FiscalDocumentEdge{Cursor: cursor, Node: node}
		})}, nil
}

func (r *resolver) fiscalMonths(ctx context.Context, client ids.Client) ([]*model.FiscalMonth, error) {
	rows, err := r.Fiscal.FolderMonths(ctx, client)
	if err != nil {
		return nil, err
	}
	out := make([]*model.FiscalMonth, len(rows))
	for i, row := range rows {
		out[i] = &model.FiscalMonth{Month: row.Month, Count: row.Count}
		if r.ArchivePath != nil {
			path := r.ArchivePath(client, row.Month)
			out[i].ZipPath = &path
		}
	}
	return out, nil
}

func fiscalRelations(row *db.CFDI, others []db.CFDI) []*model.FiscalRelation {
	out := make([]*model.FiscalRelation, len(others))
	for i := range others {
		out[i] = &model.FiscalRelation{Kind: fiscal.Relation(*row, others[i]), Document: &others[i]}
	}
	return out
}

func fiscalDownloads(rows []db.CFDIDownload) []*model.FiscalDownload {
	out := make([]*model.FiscalDownload, len(rows))
	for i, row := range rows {
		out[i] = &model.FiscalDownload{Format: row.Format, At: row.At.UTC()}
		if row.Who != "" {
			out[i].Who = &row.Who
		}
	}
	return out
}

// value is an argument that may be left out.
func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
