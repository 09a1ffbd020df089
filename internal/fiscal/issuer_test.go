package fiscal_test

import (
	"bytes"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
)

// The CSD that is uploaded, and the key that is never stored in the clear.
func TestUploadCSD(t *testing.T) {
	o := newOffice(t)
	cer, _ := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	for name, c := range map[string]struct {
		in   fiscal.UploadCSDInput
		want string
	}{
		"nothing":        {fiscal.UploadCSDInput{}, "cer"},
		"no certificate": {fiscal.UploadCSDInput{Cer: []byte("x"), Key: []byte("x"), Password: "x"}, "cer"},
		"no key":         {fiscal.UploadCSDInput{Cer: cer, Key: []byte("x"), Password: "x"}, "key"},
	} {
		_, err := o.service.UploadCSD(system(t.Context()), c.in)
		if f, ok := fault.As(err); !ok || len(f.Fields) == 0 || f.Fields[0].Path != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	stored, err := o.store.ActiveCSD(t.Context())
	o.must(err)
	_, pkcs8 := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	if bytes.Contains(stored.Key, pkcs8[30:60]) {
		t.Error("the key is stored in the clear")
	}
	ring, err := fiscal.NewKeyring("k2", map[string][]byte{"k1": bytes.Repeat([]byte{7}, 32), "k2": bytes.Repeat([]byte{9}, 32)})
	o.must(err)
	o.service.Keyring = ring
	if n, err := o.service.RotateKeys(system(t.Context())); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	o.service.Keyring, err = fiscal.NewKeyring("k2", map[string][]byte{"k2": bytes.Repeat([]byte{9}, 32)})
	o.must(err)
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	if row := o.one(invoice); row.Status != db.CFDIStamped {
		t.Error(row.Status, row.Message)
	}
}
