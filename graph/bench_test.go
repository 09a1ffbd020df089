package graph_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/access"
)

// BenchmarkClientPage is what a client area asks for most: a client with contacts and invoices.
func BenchmarkClientPage(b *testing.B) {
	w := newWorld(b)
	for i := range 20 {
		w.contact("", 1, fmt.Sprint("Contacto ", i), fmt.Sprintf("c%d@laespiga.example", i), access.Invoices)
		w.invoice(1, "2026-04-02", "2026-05-02", "10")
	}
	for name, query := range map[string]string{
		"viewer": `{ viewer { kind } }`,
		"page":   `{ client(id: "cli_1") { name contacts { nodes { id name email topics } } invoices(first: 20) { nodes { id number status dueDate balance { amount currency } } } } }`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rec := w.post("staff", query, nil); rec.Code != http.StatusOK {
					b.Fatal(rec.Body)
				}
			}
		})
	}
}
