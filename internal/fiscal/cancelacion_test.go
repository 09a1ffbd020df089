package fiscal_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// canonical runs xmllint's C14N 1.0 over a document.
func canonical(t *testing.T, doc string) []byte {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed")
	}
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("xmllint", "--nonet", "--c14n", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out, []byte("\n"))
}

// TestSignCancelacion checks the XML signature as a verifier does: the digest of the document
// without its Signature and the signature of SignedInfo, both canonicalised by xmllint.
func TestSignCancelacion(t *testing.T) {
	csd := testCSD(t, "H&E951128469")
	for _, r := range []fiscal.CancelRequest{
		{RfcEmisor: "H&E951128469", UUID: strings.ToLower(uuidA), Motivo: "02", Fecha: noon, CSD: csd},
		{RfcEmisor: "OÑO120726RX3", UUID: uuidA, Motivo: "01", FolioSustitucion: uuidB, Fecha: noon, CSD: csd},
	} {
		signed, err := fiscal.SignCancelacion(r)
		if err != nil {
			t.Fatal(err)
		}
		doc := string(signed)
		signature := regexp.MustCompile(`(?s)<Signature .*</Signature>`).FindString(doc)
		digest := sha1.Sum(canonical(t, strings.Replace(doc, signature, "", 1)))
		if got := between(doc, "<DigestValue>", "</DigestValue>"); got != base64.StdEncoding.EncodeToString(digest[:]) {
			t.Errorf("digest %s of %s", got, doc)
		}
		info := "<SignedInfo" + between(signature, "<SignedInfo", "</SignedInfo>") + "</SignedInfo>"
		info = strings.Replace(info, "<SignedInfo>", `<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">`, 1)
		hash := sha1.Sum(canonical(t, info))
		raw, err := base64.StdEncoding.DecodeString(between(signature, "<SignatureValue>", "</SignatureValue>"))
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(csd.X509.PublicKey.(*rsa.PublicKey), crypto.SHA1, hash[:], raw); err != nil {
			t.Error(err)
		}
		n, err := fiscal.ParseNode(signed)
		if err != nil {
			t.Fatal(err)
		}
		folio := n.Children[0].Children[0]
		if rfc, _ := n.Attr("RfcEmisor"); rfc != r.RfcEmisor {
			t.Error(rfc)
		}
		if uuid, _ := folio.Attr("UUID"); uuid != uuidA {
			t.Error(uuid)
		}
		if _, has := folio.Attr("FolioSustitucion"); has != (r.FolioSustitucion != "") {
			t.Error("FolioSustitucion")
		}
	}
	if _, err := fiscal.SignCancelacion(fiscal.CancelRequest{}); err == nil {
		t.Error("signed without CSD")
	}
}

func between(s, from, to string) string {
	_, rest, _ := strings.Cut(s, from)
	inner, _, _ := strings.Cut(rest, to)
	return inner
}
