package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/consulta"
	"github.com/nubedigitalmx/avisa/internal/fiscal/finkok"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/fiscal/swsapien"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/email"
)

// fiscalConfig is who stamps and what encrypts the CSD's key.
type fiscalConfig struct {
	PAC         string // PAC: sandbox, swsapien, finkok; "": documents wait
	URL, APIURL string // PAC_URL, PAC_API_URL
	Token       string // PAC_TOKEN
	User        string // PAC_USER
	Password    string // PAC_PASSWORD
	Current     string // the first id of AVISA_CSD_KEYS
	Keys        map[string][]byte
	Issuers     []*x509.Certificate // AVISA_SAT_CA_FILE; nil: the issuer of a CSD is not checked
}

func readFiscalConfig(env string) (fiscalConfig, error) {
	c := fiscalConfig{PAC: os.Getenv("PAC"), URL: os.Getenv("PAC_URL"), APIURL: os.Getenv("PAC_API_URL"), Token: os.Getenv("PAC_TOKEN"),
		User: os.Getenv("PAC_USER"), Password: os.Getenv("PAC_PASSWORD")}
	var wrong []error
	switch c.PAC {
	case "", "swsapien", "finkok":
	case "sandbox":
		if env == production {
			wrong = append(wrong, errors.New("PAC=sandbox is for tests: its stamps have no fiscal validity, and production refuses it"))
		}
	default:
		wrong = append(wrong, fmt.Errorf("PAC is %q: sandbox, swsapien or finkok", c.PAC))
	}
	text := os.Getenv("AVISA_CSD_KEYS")
	if path := os.Getenv("AVISA_CSD_KEYS_FILE"); path != "" {
		raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			wrong = append(wrong, errors.New("AVISA_CSD_KEYS_FILE cannot be read"))
		}
		text = string(raw)
	}
	var err error
	if c.Current, c.Keys, err = readSecret(text); err != nil {
		wrong = append(wrong, err)
	}
	if path := os.Getenv("AVISA_SAT_CA_FILE"); path != "" {
		raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err == nil {
			c.Issuers, err = fiscal.ParseIssuers(raw)
		}
		if err != nil || len(c.Issuers) == 0 {
			wrong = append(wrong, errors.New("AVISA_SAT_CA_FILE must be certificates: one as DER, or several as PEM"))
		}
	}
	return c, errors.Join(wrong...)
}

// readSecret reads "id:base64 of 32 bytes", the current key first and older ones after it, separated by
// commas or line breaks. Errors do not repeat it.
func readSecret(text string) (current string, keys map[string][]byte, err error) {
	keys = map[string][]byte{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' }) {
		keyID, encoded, ok := strings.Cut(part, ":")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || keyID == "" || err != nil || len(raw) != 32 || keys[keyID] != nil {
			return "", nil, errors.New(`AVISA_CSD_KEYS must be "id:key" with a key of 32 bytes in base64 (openssl rand -base64 32), several separated by commas, the current one first`)
		}
		if current == "" {
			current = keyID
		}
		keys[keyID] = raw
	}
	return current, keys, nil
}

// openFiscal makes the service of fiscal documents. The sandbox is opened when it is first asked, because
// its identity is in the database, which may not be migrated yet.
func (a *app) openFiscal(links email.Links, mailer mail.Sender) (*fiscal.Service, error) {
	c := a.config.Fiscal
	s := &fiscal.Service{Store: a.store, Now: time.Now, Clock: a.store.Clock, Issuers: c.Issuers, Called: a.meters.calls(c.PAC), Log: a.log, Mailer: mailer, CatalogSource: fiscal.NewCatalogSource(a.store, a.log), Render: func(ctx context.Context, l fiscal.Letter) (mail.Message, error) {
		return email.FiscalDocument(ctx, l, links)
	}, RenderNotice: func(ctx context.Context, n account.Notice) (mail.Message, error) { return email.Notice(ctx, n, links) }}
	var err error
	if c.Current != "" {
		if s.Keyring, err = fiscal.NewKeyring(c.Current, c.Keys); err != nil {
			return nil, err
		}
	}
	if c.PAC == "swsapien" || c.PAC == "finkok" {
		if s.SAT, err = consulta.New(or("SAT_QUERY_URL", consulta.URL), 0); err != nil {
			return nil, fmt.Errorf("SAT_QUERY_URL: %w", err)
		}
	}
	switch c.PAC {
	case "sandbox":
		s.PAC = &lazySandbox{store: a.store, production: a.config.Env == production}
	case "swsapien":
		pac, err := swsapien.New(swsapien.Config{URL: or("PAC_URL", "https://services.sw.com.mx"), APIURL: or("PAC_API_URL", "https://api.sw.com.mx"),
			Token: c.Token, User: c.User, Password: c.Password})
		if err != nil {
			return nil, fmt.Errorf("PAC_TOKEN, or PAC_USER and PAC_PASSWORD: %w", err)
		}
		s.PAC = pac
	case "finkok":
		pac, err := finkok.New(finkok.Config{URL: or("PAC_URL", "https://facturacion.finkok.com"), Username: c.User, Password: c.Password})
		if err != nil {
			return nil, fmt.Errorf("PAC_USER and PAC_PASSWORD: %w", err)
		}
		s.PAC = pac
	}
	return s, nil
}

// lazySandbox is the embedded test PAC whose identity and stamps are in the database.
type lazySandbox struct {
	store      *db.Store
	production bool
	now        func() time.Time // nil: time.Now
	down       bool             // it answers nothing
}

func (l *lazySandbox) open(ctx context.Context) (*sandbox.Sandbox, error) {
	if l.production {
		return nil, sandbox.ErrProduction
	}
	identity, err := sandbox.StoredIdentity(ctx, l.store, func() (*sandbox.Identity, error) { return sandbox.NewIdentity(time.Now()) })
	if err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "sandbox", Message: err.Error()}
	}
	c := sandbox.Config{Identity: identity, Store: sandbox.Postgres{Store: l.store}, Now: l.now, Decisions: sandbox.Receivers, Taxpayers: sandbox.Taxpayers}
	if l.down {
		c.Fault = func([]byte) sandbox.Fault { return sandbox.Unavailable }
	}
	return sandbox.New(c)
}

// Test tells that the stamps have no fiscal validity.
func (l *lazySandbox) Test() bool { return true }

// Stamp implements fiscal.Stamper.
func (l *lazySandbox) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Stamp(ctx, sealed, key)
}

// Cancel implements fiscal.Canceller.
func (l *lazySandbox) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Cancel(ctx, r)
}

// Status implements fiscal.StatusChecker.
func (l *lazySandbox) Status(ctx context.Context, q fiscal.StatusQuery) (*fiscal.Status, error) {
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Status(ctx, q)
}

// Credits implements fiscal.CreditReporter.
func (l *lazySandbox) Credits(ctx context.Context, rfc string) (int, error) {
	s, err := l.open(ctx)
	if err != nil {
		return 0, err
	}
	return s.Credits(ctx, rfc)
}

// demoSecret gives the demo a key of its own, kept beside its other data.
func demoSecret(c *config) error {
	if c.Fiscal.PAC == "" {
		c.Fiscal.PAC = "sandbox"
	}
	if c.Fiscal.Current != "" {
		return nil
	}
	if _, err := keptSecret(c.DataDir); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(c.DataDir, "secret"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	c.Fiscal.Current, c.Fiscal.Keys = "demo", map[string][]byte{"demo": sum[:]}
	return nil
}

// The demo's issuer: the SAT's public test taxpayer, whose documents are tests everywhere.
const demoIssuer = "EKU9003173C9"

// seedFiscal sets the issuer up, with a certificate made here, and the fiscal data of the demo's client.
// What is there already stays.
func (a *app) seedFiscal(ctx context.Context, client db.Client) error {
	ctx = access.With(ctx, access.SystemActor())
	if a.fiscal.Keyring == nil {
		return nil
	}
	if _, err := a.store.FiscalIssuer(ctx); err == nil || !fault.Is(err, fault.NotFound) {
		return err
	}
	then := *a.fiscal // documents are automatic since last month, so that its sales are in a global invoice
	then.Now = func() time.Time { return lastMonth(a.fiscal.Now()).AddDate(0, 0, -1) }
	if _, err := then.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: demoIssuer, Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501", Periodicidad: "04", CreditAlert: 100}); err != nil {
		return err
	}
	csd, err := testCSD(demoIssuer)
	if err != nil {
		return err
	}
	if _, err := a.fiscal.KeepCSD(ctx, csd); err != nil {
		return err
	}
	_, _, err = a.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA",
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	return err
}

// testCSD makes a certificate of the form of the SAT's, signed by itself: only the sandbox takes it.
func testCSD(rfc string) (*fiscal.CSD, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(fmt.Appendf(nil, "30001000009%09d", n)),
		Subject: pkix.Name{CommonName: "CERTIFICADO DE DEMOSTRACION SIN VALIDEZ", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: rfc + " / VADA800927DJ3"}}},
		NotBefore: now.AddDate(0, -2, 0), NotAfter: now.AddDate(4, -2, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	cer, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return fiscal.RestoreCSD(cer, pkcs8)
}

func runRotate(ctx context.Context, c config, log *slog.Logger, _ []string) error {
	if err := c.need("DATABASE_URL", "REDIS_URL", "BLOB_URL", "AVISA_BASE_URL", "AVISA_SECRET"); err != nil {
		return err
	}
	a, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.close()
	ctx = access.With(ctx, access.SystemActor())
	if a.fiscal.Keyring != nil {
		n, err := a.fiscal.RotateKeys(ctx)
		log.Info("keys of certificates encrypted anew", "keys", n)
		if err != nil {
			return err
		}
	}
	done, err := a.account.RotateSecrets(ctx)
	log.Info("second factors encrypted anew", "authenticatorApps", done.Resealed, "peopleWithRecoveryCodesOfAnEarlierSecret", done.RecoveryCodes)
	return err
}
