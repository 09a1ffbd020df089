package portal

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/ui/auditlog"
)

// Activity shows the owner what happened in the client's account.
func (p *Portal) Activity(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	view, err := auditlog.Log{Account: p.Account, Path: string(at(client.ID, "actividad")), Client: client.ID}.Read(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	return p.show(w, r, http.StatusOK, client, sectionActivity, t(ctx, "activity.title"), auditlog.Page(view, t(ctx, "activity.title"), t(ctx, "activity.detail")))
}

// FailedSignIns shows the owner who tried to get in as one of the client's people and could not.
func (p *Portal) FailedSignIns(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	view, err := auditlog.Log{Account: p.Account, Path: string(at(client.ID, "actividad")), Client: client.ID}.Failed(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	return p.show(w, r, http.StatusOK, client, sectionActivity, t(ctx, "failed.title"), auditlog.FailedPage(view, t(ctx, "activity.title")))
}

// ActivityFile is the same as a CSV file.
func (p *Portal) ActivityFile(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	return auditlog.Log{Account: p.Account, Client: client.ID}.Write(w, r)
}
