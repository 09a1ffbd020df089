package sandbox

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// Record is what the sandbox knows of a document that it stamped.
type Record struct {
	Hash  string // SHA-256 of the cadena original: the same document has the same one
	Key   string // the caller's key (customid)
	UUID  string
	XML   []byte
	Query fiscal.StatusQuery
	// References are the folios fiscales that it relates to or pays, in lower case.
	References []string

	Cancel      fiscal.CancelState
	RequestedAt time.Time
	Estatus     string // EstatusCancelacion
	Acuse       []byte
}

// Store keeps the records. Its methods are safe for concurrent use.
type Store interface {
	// Insert stores a new record, or returns the one that has its Hash or (non-empty) Key.
	Insert(ctx context.Context, r Record) (existing *Record, err error)
	ByHash(ctx context.Context, hash string) (*Record, error)
	ByUUID(ctx context.Context, uuid string) (*Record, error)
	// Referring returns the records whose References contain uuid.
	Referring(ctx context.Context, uuid string) ([]Record, error)
	// Update replaces the cancellation of a record if its Cancel state is still from.
	Update(ctx context.Context, r Record, from fiscal.CancelState) (bool, error)
}

// Memory is a Store that forgets when the process ends.
type Memory struct {
	mu      sync.Mutex
	records []*Record
}

var _ Store = (*Memory)(nil)

func (m *Memory) find(match func(*Record) bool) *Record {
	if i := slices.IndexFunc(m.records, match); i >= 0 {
		r := *m.records[i]
		return &r
	}
	return nil
}

// Insert implements Store.
func (m *Memory) Insert(_ context.Context, r Record) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.find(func(x *Record) bool { return x.Hash == r.Hash }); old != nil {
		return old, nil
	}
	if old := m.find(func(x *Record) bool { return r.Key != "" && x.Key == r.Key }); old != nil {
		return old, nil
	}
	m.records = append(m.records, &r)
	return nil, nil
}

// ByHash implements Store.
func (m *Memory) ByHash(_ context.Context, hash string) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(func(x *Record) bool { return x.Hash == hash }), nil
}

// ByUUID implements Store.
func (m *Memory) ByUUID(_ context.Context, uuid string) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(func(x *Record) bool { return strings.EqualFold(x.UUID, uuid) }), nil
}

// Referring implements Store.
func (m *Memory) Referring(_ context.Context, uuid string) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Record
	for _, x := range m.records {
		if slices.Contains(x.References, strings.ToLower(uuid)) {
			out = append(out, *x)
		}
	}
	return out, nil
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, r Record, from fiscal.CancelState) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, x := range m.records {
		if x.UUID == r.UUID {
			if x.Cancel != from {
				return false, nil
			}
			m.records[i] = &r
			return true, nil
		}
	}
	return false, nil
}

// Len is the number of documents stamped.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records)
}
