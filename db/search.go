package db

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// MaxSummed is how many documents a search may find to be summed up. The sums of a list without words come from
// indexes alone, whatever their number.
const MaxSummed = 10_000

// searchedClients is how many clients a word may name to be looked up one by one.
const searchedClients = 1000

// search limits a list to rows whose own text, or whose client's name, address or RFC has the words. The clients are
// looked up first: their ids and the text are then conditions that indexes answer together, which a join or subquery
// would not be. A word that very many clients have is common among rows, so that a page of them is soon found.
func (s *Store) search(ctx context.Context, q *bun.SelectQuery, text, client, words string) (*bun.SelectQuery, error) {
	words = strings.TrimSpace(words)
	if words == "" {
		return q, nil
	}
	like := "%" + escapeLike(strings.ToLower(words)) + "%"
	clients := []id.Client{}
	err := s.idb.NewRaw("SELECT id FROM client WHERE lower(name || ' ' || email || ' ' || tax_id) LIKE ? LIMIT ?", like, searchedClients+1).Scan(ctx, &clients)
	switch {
	case err != nil:
		return nil, translate(err)
	case len(clients) == 0:
		return q.Where(text+" LIKE ?", like), nil
	case len(clients) <= searchedClients:
		return q.Where("("+text+" LIKE ? OR "+client+" IN (?))", like, bun.List(clients)), nil
	}
	return q.Where("("+text+" LIKE ?0 OR "+client+" IN (SELECT id FROM client WHERE lower(name || ' ' || email || ' ' || tax_id) LIKE ?0))", like), nil
}
