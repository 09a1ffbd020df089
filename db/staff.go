package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Staff is a person of the company.
type Staff struct {
	bun.BaseModel `bun:"table:staff"`

	ID           id.Staff    `bun:"id,pk,autoincrement"`
	Email        string      `bun:"email"`
	Name         string      `bun:"name"`
	PasswordHash Secret      `bun:"password_hash"`
	Language     string      `bun:"language"`
	Active       bool        `bun:"active"`
	Role         access.Role `bun:"role"`
	CreatedAt    time.Time   `bun:"created_at,nullzero,default:now()"`
}

// Staff returns one person of the company.
func (s *Store) Staff(ctx context.Context, staffID id.Staff) (Staff, error) {
	var p Staff
	err := s.idb.NewSelect().Model(&p).Where("id = ?", staffID).Scan(ctx)
	return p, translate(err)
}

// StaffByEmail finds a person of the company by address, in any case.
func (s *Store) StaffByEmail(ctx context.Context, email string) (Staff, error) {
	var p Staff
	err := s.idb.NewSelect().Model(&p).Where("lower(email) = lower(?)", email).Scan(ctx)
	return p, translate(err)
}

// AddStaff inserts a person of the company and sets the id.
func (s *Store) AddStaff(ctx context.Context, p *Staff) error {
	_, err := s.idb.NewInsert().Model(p).Exec(ctx)
	return translate(err)
}

// StaffList lists all staff by name.
func (s *Store) StaffList(ctx context.Context) ([]Staff, error) {
	rows := []Staff{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("lower(name), id").Scan(ctx)
	return rows, translate(err)
}

// LockStaff returns all staff, locked until the transaction ends: who may be taken away depends on
// who is left.
func (s *Store) LockStaff(ctx context.Context) ([]Staff, error) {
	rows := []Staff{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("id").For("UPDATE").Scan(ctx)
	return rows, translate(err)
}

// UpdateStaff writes name, language, role and whether the person is active.
func (s *Store) UpdateStaff(ctx context.Context, p *Staff) error {
	_, err := s.idb.NewUpdate().Model(p).Column("name", "language", "role", "active").WherePK().Exec(ctx)
	return translate(err)
}
