package reminder

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// What a policy that is about to be saved would change about a mail that has not gone out.
const (
	ChangeNone    = ""        // it goes out, or does not, as before
	ChangeAdded   = "added"   // it goes out and would not have
	ChangeRemoved = "removed" // it no longer goes out
	ChangeMoved   = "moved"   // it goes out at another time
)

// PolicyChange is a mail that goes out under the policy in force, or would under the new one.
type PolicyChange struct {
	PlanEntry
	Change string
	Was    time.Time // with ChangeMoved: when it goes out under the policy in force
}

// PolicyPreview is what a policy would do with one invoice.
type PolicyPreview struct {
	Invoice db.Invoice
	Client  db.Client
	Entries []PolicyChange // mails to come, in the order of time; what is in the ledger stays as it is
}

// Count returns how many of the mails have the change.
func (p PolicyPreview) Count(change string) int {
	n := 0
	for _, e := range p.Entries {
		if e.Change == change {
			n++
		}
	}
	return n
}

// PreviewPolicy shows what the policy would change for real open invoices that it would rule, the
// newest first, at most 20: which mails would go out besides those of the policy that rules them now,
// which would not, and which at another time. Nothing is written. Staff only.
func (s *Service) PreviewPolicy(ctx context.Context, in PolicyInput, invoices int) ([]PolicyPreview, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := in.checkScope(ctx, s.Store); err != nil {
		return nil, err
	}
	policy, before, err := in.draft(ctx, s.Store)
	if err != nil {
		return nil, err
	}
	_, steps, add := in.difference(before)
	for i := range add {
		add[i].ID, add[i].PolicyID, add[i].CreatedAt = id.Step(-1-i), policy.ID, s.Now()
	}
	steps = slices.Concat(steps, add)
	rows, err := s.Store.OpenInvoicesUnder(ctx, in.ClientID, in.GroupID, min(max(invoices, 1), 20))
	if err != nil || len(rows) == 0 {
		return []PolicyPreview{}, err
	}
	list, err := s.facts(ctx, rows)
	if err != nil {
		return nil, err
	}
	ruling, err := s.ruling(ctx, list)
	if err != nil {
		return nil, err
	}
	previews := make([]PolicyPreview, len(list))
	for i, f := range list {
		previews[i] = PolicyPreview{f.invoice, f.client, changes(f.explain(ruling[i].ReminderPolicy, ruling[i].Steps), f.explain(policy, steps))}
	}
	return previews, nil
}

// changes compares the mails to come of two plans.
func changes(before, after []PlanEntry) []PolicyChange {
	type key struct {
		anchor  string
		days    int
		contact id.Contact
	}
	keyOf := func(e PlanEntry) key { return key{e.Step.Anchor, e.Step.Days, e.ContactID} }
	goes := map[key]PlanEntry{}
	for _, e := range before {
		if e.Status == WouldSend {
			goes[keyOf(e)] = e
		}
	}
	list := []PolicyChange{}
	for _, e := range after {
		if e.Status != WouldSend {
			continue
		}
		c := PolicyChange{PlanEntry: e, Change: ChangeAdded}
		if was, ok := goes[keyOf(e)]; ok {
			delete(goes, keyOf(e))
			c.Change = ChangeNone
			if !was.SendAt.Equal(e.SendAt) {
				c.Change, c.Was = ChangeMoved, was.SendAt
			}
		}
		list = append(list, c)
	}
	for _, e := range goes {
		list = append(list, PolicyChange{PlanEntry: e, Change: ChangeRemoved})
	}
	slices.SortFunc(list, func(a, b PolicyChange) int {
		if c := a.SendAt.Compare(b.SendAt); c != 0 {
			return c
		}
		return int(a.ContactID - b.ContactID)
	})
	return list
}
