package fiscal_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// BenchmarkBareRSA is the machine's own rate: what BenchmarkSeal is compared with.
func BenchmarkBareRSA(b *testing.B) {
	_, pkcs8 := fiscaltest.NewCSD(b, "EKU9003173C9", false)
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		b.Fatal(err)
	}
	key := parsed.(*rsa.PrivateKey)
	hash := sha256.Sum256([]byte("||4.0||"))
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeal builds, checks and seals an invoice of two lines.
func BenchmarkSeal(b *testing.B) {
	csd := testCSD(b, "EKU9003173C9")
	for b.Loop() {
		c, err := fiscal.Build(ingresos[0].draft())
		if err != nil {
			b.Fatal(err)
		}
		if vs := fiscal.Validate(c, fiscal.Options{Now: noon}); len(vs) > 0 {
			b.Fatal(vs)
		}
		if _, err := fiscal.Seal(c, csd); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSandboxStamp stamps invoices that are sealed already.
func BenchmarkSandboxStamp(b *testing.B) {
	id, err := sandbox.NewIdentity(noon)
	if err != nil {
		b.Fatal(err)
	}
	pac, err := sandbox.New(sandbox.Config{Identity: id, Now: func() time.Time { return noon }})
	if err != nil {
		b.Fatal(err)
	}
	csd := testCSD(b, "EKU9003173C9")
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		d := ingresos[0].draft()
		d.Folio = fmt.Sprint(i)
		c, err := fiscal.Build(d)
		if err != nil {
			b.Fatal(err)
		}
		sealed, err := fiscal.Seal(c, csd)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := pac.Stamp(context.Background(), sealed, d.Folio); err != nil {
			b.Fatal(err)
		}
	}
}
