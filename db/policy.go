package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ClientGroup is a group of clients that share a reminder policy.
type ClientGroup struct {
	bun.BaseModel `bun:"table:client_group"`

	ID        id.Group  `bun:"id,pk,autoincrement"`
	Name      string    `bun:"name"`
	CreatedAt time.Time `bun:"created_at,nullzero,default:now()"`
}

// ClientGroups lists the groups by name.
func (s *Store) ClientGroups(ctx context.Context) ([]ClientGroup, error) {
	rows := []ClientGroup{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("lower(name)").Scan(ctx)
	return rows, translate(err)
}

// ClientGroup returns one group.
func (s *Store) ClientGroup(ctx context.Context, groupID id.Group) (ClientGroup, error) {
	var row ClientGroup
	err := s.idb.NewSelect().Model(&row).Where("id = ?", groupID).Scan(ctx)
	return row, translate(err)
}

// AddClientGroup inserts a group and sets its id. The key client_group_name keeps names unique.
func (s *Store) AddClientGroup(ctx context.Context, row *ClientGroup) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// SetClientGroup puts a client into a group; 0 takes it out of any.
func (s *Store) SetClientGroup(ctx context.Context, clientID id.Client, groupID id.Group) error {
	_, err := s.idb.NewUpdate().Table("client").Set("group_id = ?", bun.NullZero(groupID)).Where("id = ?", clientID).Exec(ctx)
	return translate(err)
}

// Policies lists all policies, the default first.
func (s *Store) Policies(ctx context.Context) ([]ReminderPolicy, error) {
	rows := []ReminderPolicy{}
	err := s.idb.NewSelect().Model(&rows).Where("retired_at IS NULL").OrderExpr("client_id NULLS FIRST, group_id NULLS FIRST, id").Scan(ctx)
	return rows, translate(err)
}

// PoliciesOver lists the policies that may rule clients, the least specific first: the default, their
// groups' and their own.
func (s *Store) PoliciesOver(ctx context.Context, clients []Client) ([]ReminderPolicy, error) {
	ids, groups := []id.Client{0}, []id.Group{0}
	for _, c := range clients {
		ids, groups = append(ids, c.ID), append(groups, c.GroupID)
	}
	rows := []ReminderPolicy{}
	err := s.idb.NewSelect().Model(&rows).Where("retired_at IS NULL").
		Where("client_id IN (?) OR client_id IS NULL AND (group_id IS NULL OR group_id IN (?))", bun.List(ids), bun.List(groups)).
		OrderExpr("client_id NULLS FIRST, group_id NULLS FIRST, id").Scan(ctx)
	return rows, translate(err)
}

// Policy returns one policy.
func (s *Store) Policy(ctx context.Context, policyID id.Policy) (ReminderPolicy, error) {
	var row ReminderPolicy
	err := s.idb.NewSelect().Model(&row).Where("id = ?", policyID).Scan(ctx)
	return row, translate(err)
}

// PoliciesByID returns policies, retired ones too.
func (s *Store) PoliciesByID(ctx context.Context, ids []id.Policy) (map[id.Policy]ReminderPolicy, error) {
	found := map[id.Policy]ReminderPolicy{}
	if len(ids) == 0 {
		return found, nil
	}
	rows := []ReminderPolicy{}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	for _, row := range rows {
		found[row.ID] = row
	}
	return found, translate(err)
}

// PolicyFor returns the policy of exactly that client, that group, or (both 0) the default.
func (s *Store) PolicyFor(ctx context.Context, clientID id.Client, groupID id.Group) (ReminderPolicy, error) {
	var row ReminderPolicy
	err := s.idb.NewSelect().Model(&row).Where("client_id IS NOT DISTINCT FROM ?::bigint", bun.NullZero(clientID)).
		Where("group_id IS NOT DISTINCT FROM ?::bigint", bun.NullZero(groupID)).Where("retired_at IS NULL").Scan(ctx)
	return row, translate(err)
}

// PolicyOf returns the policy that rules a client: its own, its group's or the default.
func (s *Store) PolicyOf(ctx context.Context, c Client) (ReminderPolicy, error) {
	row, err := s.PolicyFor(ctx, c.ID, 0)
	if fault.Is(err, fault.NotFound) && c.GroupID != 0 {
		row, err = s.PolicyFor(ctx, 0, c.GroupID)
	}
	if fault.Is(err, fault.NotFound) {
		row, err = s.DefaultPolicy(ctx)
	}
	return row, err
}

// RetirePolicy ends the policy of a client or group; the next one in line rules from then on.
func (s *Store) RetirePolicy(ctx context.Context, policyID id.Policy, now time.Time) error {
	_, err := s.idb.NewRaw(`WITH steps AS (UPDATE reminder_step SET retired_at = ?1 WHERE policy_id = ?0 AND retired_at IS NULL)
		UPDATE reminder_policy SET retired_at = ?1 WHERE id = ?0`, policyID, now).Exec(ctx)
	return translate(err)
}

// Steps returns the steps of policies that are in force.
func (s *Store) Steps(ctx context.Context, policies ...id.Policy) ([]ReminderStep, error) {
	rows := []ReminderStep{}
	err := s.idb.NewSelect().Model(&rows).Where("policy_id IN (?)", bun.List(append([]id.Policy{0}, policies...))).Where("retired_at IS NULL").
		OrderExpr("anchor DESC, days").Scan(ctx)
	return rows, translate(err)
}

// SavePolicy writes a policy's settings, not its steps.
func (s *Store) SavePolicy(ctx context.Context, row *ReminderPolicy) error {
	_, err := s.idb.NewUpdate().Model(row).Column("name", "send_from", "send_until", "catch_up_days", "business_days", "attach_pdf", "attach_xml", "consolidate").
		WherePK().Exec(ctx)
	return translate(err)
}

// ChangeSteps retires steps and adds others, at the moment.
func (s *Store) ChangeSteps(ctx context.Context, policyID id.Policy, retire []id.Step, add []ReminderStep, now time.Time) error {
	if len(retire) > 0 {
		if _, err := s.idb.NewUpdate().Table("reminder_step").Set("retired_at = ?", now).Where("policy_id = ?", policyID).
			Where("id IN (?)", bun.List(retire)).Exec(ctx); err != nil {
			return translate(err)
		}
	}
	if len(add) == 0 {
		return nil
	}
	for i := range add {
		add[i].PolicyID, add[i].CreatedAt = policyID, now
	}
	_, err := s.idb.NewInsert().Model(&add).Exec(ctx)
	return translate(err)
}

// InvoiceDeliveries returns the whole ledger of invoices.
func (s *Store) InvoiceDeliveries(ctx context.Context, invoices ...id.Invoice) ([]Delivery, error) {
	rows := []Delivery{}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id IN (?)", bun.List(append([]id.Invoice{0}, invoices...))).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// AllContacts returns the contacts of clients, deleted ones too.
func (s *Store) AllContacts(ctx context.Context, clients ...id.Client) ([]Contact, error) {
	rows := []Contact{}
	err := s.idb.NewSelect().Model(&rows).Where("client_id IN (?)", bun.List(append([]id.Client{0}, clients...))).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// OpenInvoicesUnder returns open invoices, the newest first, that a policy for the client, the group
// or (both 0) everybody would rule: those of clients without a more specific one.
func (s *Store) OpenInvoicesUnder(ctx context.Context, clientID id.Client, groupID id.Group, limit int) ([]Invoice, error) {
	rows := []Invoice{}
	q := s.idb.NewSelect().Model(&rows).Where("invoice.status IN ('issued', 'partly_paid')").Where("invoice.balance > 0").OrderExpr("invoice.id DESC").Limit(int64(limit))
	switch {
	case clientID != 0:
		q = q.Where("invoice.client_id = ?", clientID)
	case groupID != 0:
		q = q.Where("invoice.client_id IN (SELECT id FROM client WHERE group_id = ?)", groupID).Where("NOT EXISTS (SELECT FROM reminder_policy AS own WHERE own.client_id = invoice.client_id AND own.retired_at IS NULL)")
	default:
		q = q.Where(`NOT EXISTS (SELECT FROM reminder_policy AS own JOIN client AS c ON own.client_id = c.id OR own.group_id = c.group_id
			WHERE c.id = invoice.client_id AND own.retired_at IS NULL)`)
	}
	err := q.Scan(ctx)
	return rows, translate(err)
}
