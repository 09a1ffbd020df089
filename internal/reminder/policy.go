package reminder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Policy is a policy with the steps in force.
type Policy struct {
	db.ReminderPolicy
	Steps []db.ReminderStep
	Group *db.ClientGroup // that it rules; nil for a client's own and the default
}

// StepInput is one step of a policy: calendar days before (negative) or after its anchor.
type StepInput struct {
	Anchor string // db.AnchorIssue or db.AnchorDue
	Days   int
}

// PolicyInput is the policy of a client, of a group, or (neither) of everybody else.
type PolicyInput struct {
	ClientID     id.Client
	GroupID      id.Group
	Name         string
	SendFrom     string // local time of day, "09:00"
	SendUntil    string
	CatchUpDays  int
	BusinessDays bool
	AttachPDF    bool
	AttachXML    bool
	Consolidate  bool
	Steps        []StepInput
}

// Policies lists the policies in force with their steps, the default first. Staff only.
func (s *Service) Policies(ctx context.Context) ([]Policy, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.Policies(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]id.Policy, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	steps, err := s.stepsOf(ctx, ids)
	list := make([]Policy, len(rows))
	for i, row := range rows {
		list[i] = Policy{ReminderPolicy: row, Steps: steps[row.ID]}
	}
	if err != nil {
		return nil, err
	}
	groups, err := s.Store.ClientGroups(ctx)
	for i := range list {
		for g := range groups {
			if groups[g].ID == list[i].GroupID {
				list[i].Group = &groups[g]
			}
		}
	}
	return list, err
}

// groupOf is the group that a policy rules, nil for none.
func groupOf(ctx context.Context, store *db.Store, row db.ReminderPolicy) (*db.ClientGroup, error) {
	if row.GroupID == 0 {
		return nil, nil
	}
	group, err := store.ClientGroup(ctx, row.GroupID)
	return &group, err
}

// stepsOf returns the steps in force of policies.
func (s *Service) stepsOf(ctx context.Context, policies []id.Policy) (map[id.Policy][]db.ReminderStep, error) {
	rows, err := s.Store.Steps(ctx, policies...)
	found := map[id.Policy][]db.ReminderStep{}
	for _, row := range rows {
		found[row.PolicyID] = append(found[row.PolicyID], row)
	}
	return found, err
}

// PolicyOf returns the policy that rules a client. Staff only.
func (s *Service) PolicyOf(ctx context.Context, clientID id.Client) (Policy, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return Policy{}, err
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return Policy{}, err
	}
	row, err := s.Store.PolicyOf(ctx, client)
	if err != nil {
		return Policy{}, err
	}
	policy := Policy{ReminderPolicy: row}
	if policy.Group, err = groupOf(ctx, s.Store, row); err != nil {
		return Policy{}, err
	}
	policy.Steps, err = s.Store.Steps(ctx, row.ID)
	return policy, err
}

// SavePolicy writes a policy. Steps that stay keep their history; removed ones are retired and new
// ones act from today, so that a change never repeats the past. Staff only.
func (s *Service) SavePolicy(ctx context.Context, in PolicyInput) (Policy, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return Policy{}, err
	}
	if err := in.check(); err != nil {
		return Policy{}, err
	}
	var saved Policy
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		// Two people who save at once would both retire and add.
		if err := tx.Lock(ctx, "reminder policy"); err != nil {
			return err
		}
		if err := in.checkScope(ctx, tx); err != nil {
			return err
		}
		row, before, err := in.draft(ctx, tx)
		if err != nil {
			return err
		}
		var old any
		if row.ID != 0 {
			stored, err := tx.Policy(ctx, row.ID)
			if err != nil {
				return err
			}
			old = policyState(stored, before)
		}
		retire, keep, add := in.difference(before)
		if row.ID == 0 {
			row.CreatedAt = s.Now()
			for i := range add {
				add[i].CreatedAt = s.Now()
			}
			err = tx.AddPolicy(ctx, &row, add)
		} else if err = tx.SavePolicy(ctx, &row); err == nil {
			err = tx.ChangeSteps(ctx, row.ID, retire, add, s.Now())
		}
		if err != nil {
			return err
		}
		saved = Policy{ReminderPolicy: row, Steps: append(keep, add...)}
		if saved.Group, err = groupOf(ctx, tx, row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "reminderpolicy.save", Object: row.ID.String(), Before: old, After: policyState(row, saved.Steps)})
	})
	return saved, err
}

// policyState is what the audit log keeps of a policy.
func policyState(row db.ReminderPolicy, steps []db.ReminderStep) map[string]any {
	days := make([]string, 0, len(steps))
	for _, step := range steps {
		days = append(days, fmt.Sprintf("%s%+d", step.Anchor, step.Days))
	}
	slices.Sort(days)
	return map[string]any{"name": row.Name, "sendFrom": row.SendFrom, "sendUntil": row.SendUntil, "catchUpDays": row.CatchUpDays,
		"businessDays": row.BusinessDays, "attachPdf": row.AttachPDF, "attachXml": row.AttachXML, "consolidate": row.Consolidate, "steps": days}
}

// RemovePolicy ends the policy of a client or group; the next one in line rules from now on. The
// default stays. Staff only.
func (s *Service) RemovePolicy(ctx context.Context, policyID id.Policy) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	row, err := s.Store.Policy(ctx, policyID)
	if err != nil {
		return err
	}
	if row.ClientID == 0 && row.GroupID == 0 {
		return fault.New(fault.Conflict, "POLICY_DEFAULT")
	}
	return s.audited(ctx, db.AuditEntry{Client: row.ClientID, Verb: "reminderpolicy.remove", Object: policyID.String(), Before: map[string]any{"name": row.Name}},
		func(tx *db.Store) error { return tx.RetirePolicy(ctx, policyID, s.Now()) })
}

// clockText reads "09:00" (or "09:00:00") as minutes.
func clockText(text string) (string, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.Format("15:04:05"), true
		}
	}
	return text, false
}

// check notes what is wrong with the input itself and brings it into form.
func (in *PolicyInput) check() error {
	var checks fault.Checks
	in.Name = strings.TrimSpace(in.Name)
	if in.Name == "" {
		checks.Add("name", "REQUIRED")
	}
	if len([]rune(in.Name)) > 100 {
		checks.Add("name", "TOO_LONG", "max", 100)
	}
	var from, until bool
	if in.SendFrom, from = clockText(in.SendFrom); !from {
		checks.Add("sendFrom", "TIME_INVALID")
	}
	if in.SendUntil, until = clockText(in.SendUntil); !until {
		checks.Add("sendUntil", "TIME_INVALID")
	}
	if from && until && in.SendFrom >= in.SendUntil {
		checks.Add("sendUntil", "TIME_ORDER")
	}
	if in.CatchUpDays < 0 || in.CatchUpDays > 60 {
		checks.Add("catchUpDays", "NUMBER_RANGE", "min", 0, "max", 60)
	}
	if in.ClientID != 0 && in.GroupID != 0 {
		checks.Add("groupId", "VALUE_INVALID")
	}
	seen := map[StepInput]bool{}
	for i, step := range in.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		switch {
		case step.Anchor != db.AnchorIssue && step.Anchor != db.AnchorDue:
			checks.Add(path+".anchor", "VALUE_INVALID")
		case step.Anchor == db.AnchorIssue && step.Days < 0:
			checks.Add(path+".days", "STEP_BEFORE_ISSUE")
		case step.Days < -365 || step.Days > 730:
			checks.Add(path+".days", "NUMBER_RANGE", "min", -365, "max", 730)
		case seen[step]:
			checks.Add(path+".days", "STEP_REPEATED")
		}
		seen[step] = true
	}
	return checks.Err()
}

func (in *PolicyInput) checkScope(ctx context.Context, store *db.Store) error {
	if in.ClientID != 0 {
		if _, err := store.Client(ctx, in.ClientID); err != nil {
			return err
		}
	}
	if in.GroupID != 0 {
		if _, err := store.ClientGroup(ctx, in.GroupID); err != nil {
			return err
		}
	}
	return nil
}

// draft is the policy as it would be saved and its steps until now.
func (in *PolicyInput) draft(ctx context.Context, store *db.Store) (row db.ReminderPolicy, before []db.ReminderStep, err error) {
	row, err = store.PolicyFor(ctx, in.ClientID, in.GroupID)
	if err == nil {
		before, err = store.Steps(ctx, row.ID)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return row, nil, err
	}
	row.ClientID, row.GroupID, row.Name, row.SendFrom, row.SendUntil, row.CatchUpDays = in.ClientID, in.GroupID, in.Name, in.SendFrom, in.SendUntil, in.CatchUpDays
	row.BusinessDays, row.AttachPDF, row.AttachXML, row.Consolidate = in.BusinessDays, in.AttachPDF, in.AttachXML, in.Consolidate
	return row, before, nil
}

// difference says which steps go, stay and come.
func (in *PolicyInput) difference(before []db.ReminderStep) (retire []id.Step, keep, add []db.ReminderStep) {
	have := map[StepInput]bool{}
	for _, step := range before {
		key := StepInput{step.Anchor, step.Days}
		have[key] = true
		if slices.Contains(in.Steps, key) {
			keep = append(keep, step)
		} else {
			retire = append(retire, step.ID)
		}
	}
	for _, step := range in.Steps {
		if !have[step] {
			add = append(add, db.ReminderStep{Anchor: step.Anchor, Days: step.Days})
		}
	}
	return retire, keep, add
}

// ClientGroups lists the groups of clients. Staff only.
func (s *Service) ClientGroups(ctx context.Context) ([]db.ClientGroup, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return s.Store.ClientGroups(ctx)
}

// AddClientGroup adds a group of clients. Staff only.
func (s *Service) AddClientGroup(ctx context.Context, name string) (db.ClientGroup, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.ClientGroup{}, err
	}
	var checks fault.Checks
	row := db.ClientGroup{Name: strings.TrimSpace(name)}
	if row.Name == "" {
		checks.Add("name", "REQUIRED")
	}
	if len([]rune(row.Name)) > 100 {
		checks.Add("name", "TOO_LONG", "max", 100)
	}
	if err := checks.Err(); err != nil {
		return db.ClientGroup{}, err
	}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddClientGroup(ctx, &row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "clientgroup.create", Object: row.ID.String(), After: map[string]any{"name": row.Name}})
	})
	if db.Violates(err, "client_group_name") {
		checks.Add("name", "NAME_TAKEN")
		return db.ClientGroup{}, checks.Err()
	}
	return row, err
}

// SetClientGroup puts a client into a group; 0 takes it out. The group's policy rules from now on.
// Staff only.
func (s *Service) SetClientGroup(ctx context.Context, clientID id.Client, groupID id.Group) error {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return err
	}
	in := PolicyInput{ClientID: clientID, GroupID: groupID}
	if err := in.checkScope(ctx, s.Store); err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Client: clientID, Verb: "client.group", Object: clientID.String(),
		Before: map[string]any{"group": groupText(client.GroupID)}, After: map[string]any{"group": groupText(groupID)}},
		func(tx *db.Store) error { return tx.SetClientGroup(ctx, clientID, groupID) })
}

// groupText is a group's global id, "" for none.
func groupText(groupID id.Group) string {
	if groupID == 0 {
		return ""
	}
	return groupID.String()
}
