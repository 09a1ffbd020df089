// Package swsapien stamps with SW sapien (Luna Soft), over its REST API.
package swsapien

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/pac"
)

// Addresses of the service.
const (
	ProductionURL    = "https://services.sw.com.mx"
	ProductionAPIURL = "https://api.sw.com.mx"
	TestURL          = "https://services.test.sw.com.mx"
	TestAPIURL       = "https://api.test.sw.com.mx"
)

// tokenLife is how long a token of authenticate is used; the service keeps it for two hours.
const tokenLife = 110 * time.Minute

// Config of a client: a Token of the panel, or User and Password.
type Config struct {
	URL, APIURL    string
	Token          string
	User, Password string
	Timeout        time.Duration
	Now            func() time.Time // nil is time.Now
}

// Client is a PAC account at SW sapien.
type Client struct {
	c        Config
	services *pac.Client
	api      *pac.Client

	mu      sync.Mutex
	token   string
	expires time.Time
}

var (
	_ fiscal.Stamper        = (*Client)(nil)
	_ fiscal.Canceller      = (*Client)(nil)
	_ fiscal.CreditReporter = (*Client)(nil)
)

// New returns a client. Nothing is called yet.
func New(c Config) (*Client, error) {
	if c.Token == "" && (c.User == "" || c.Password == "") {
		return nil, errors.New("swsapien: credentials_missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	services, err := pac.NewClient(c.URL, c.Timeout, c.Token, c.Password)
	if err != nil {
		return nil, err
	}
	api, err := pac.NewClient(c.APIURL, c.Timeout, c.Token, c.Password)
	if err != nil {
		return nil, err
	}
	return &Client{c: c, services: services, api: api}, nil
}

// answer is the envelope of every answer.
type answer[T any] struct {
	Status        string `json:"status"`
	Message       string `json:"message"`
	MessageDetail string `json:"messageDetail"`
	Data          *T     `json:"data"`
}

type stampData struct {
	UUID string `json:"uuid"`
	CFDI string `json:"cfdi"`
}

// bearer returns a token, asking for one when there is none or it is old.
func (c *Client) bearer(ctx context.Context) (string, error) {
	if c.c.Token != "" {
		return c.c.Token, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.c.Now().Before(c.expires) {
		return c.token, nil
	}
	header := http.Header{"User": {c.c.User}, "Password": {c.c.Password}}
	r, err := c.services.Do(ctx, http.MethodPost, "/security/authenticate", header, nil)
	if err != nil {
		// no document was on its way: nothing is unknown
		var e *fiscal.PACError
		if errors.As(err, &e) {
			e.Kind = fiscal.KindUnavailable
		}
		return "", err
	}
	var a answer[struct {
		Token string `json:"token"`
	}]
	switch {
	case r.Status == http.StatusOK && json.Unmarshal(r.Body, &a) == nil && a.Status == "success" && a.Data != nil && a.Data.Token != "":
		c.token, c.expires = a.Data.Token, c.c.Now().Add(tokenLife)
		return c.token, nil
	case r.Status >= 500: // no document was on its way: nothing is unknown
		return "", &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: fmt.Sprintf("http_%d", r.Status), Message: http.StatusText(r.Status)}
	}
	return "", &fiscal.PACError{Kind: fiscal.KindAuth, Code: fmt.Sprintf("http_%d", r.Status), Message: "user or password refused"}
}

func (c *Client) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}

// call makes an authorized call; a token that the service no longer takes is renewed once.
func (c *Client) call(ctx context.Context, client *pac.Client, method, path string, header http.Header, body []byte) (*pac.Response, error) {
	for attempt := 0; ; attempt++ {
		token, err := c.bearer(ctx)
		if err != nil {
			return nil, err
		}
		h := header.Clone()
		if h == nil {
			h = http.Header{}
		}
		h.Set("Authorization", "Bearer "+token)
		r, err := client.Do(ctx, method, path, h, body)
		if err != nil {
			return nil, err
		}
		if r.Status == http.StatusUnauthorized && c.c.Token == "" && attempt == 0 {
			c.forget(token)
			continue
		}
		return r, nil
	}
}

// Stamp implements fiscal.Stamper. key is sent as customid.
func (c *Client) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	if len(key) > 100 {
		return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "customid_too_long"}
	}
	body, contentType := xmlPart(sealed)
	header := http.Header{"Content-Type": {contentType}}
	path := "/cfdi33/stamp/v4"
	if key != "" {
		header["customid"] = []string{key} // the service reads it in lower case
		path = "/v4/cfdi33/stamp/v4"
	}
	r, err := c.call(ctx, c.services, http.MethodPost, path, header, body)
	if err != nil {
		return nil, err
	}
	var a answer[stampData]
	if r.Status != http.StatusOK && r.Status != http.StatusBadRequest {
		return nil, c.services.HTTPError(r)
	}
	if err := json.Unmarshal(r.Body, &a); err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	if r.Status == http.StatusOK && a.Status == "success" && a.Data != nil {
		return c.result(ctx, sealed, a.Data)
	}
	if a.Status != "error" || a.Message == "" { // not a refusal, whatever it is: a refused document would be built anew
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	code := codeOf(a.Message)
	switch code {
	case "307":
		if a.Data != nil && (a.Data.CFDI != "" || a.Data.UUID != "") {
			return repeated(c.result(ctx, sealed, a.Data))
		}
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: code, Message: c.services.Redact(a.Message)}
	case "CFDI3307":
		// the key was used before: by these bytes, whose stamp we then fetch, or by others
		if a.Data != nil && a.Data.UUID != "" {
			result, err := repeated(c.result(ctx, sealed, a.Data))
			if err == nil || errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "duplicate_not_recovered"}) {
				return result, err
			}
		}
		uuid := ""
		if a.Data != nil {
			uuid = a.Data.UUID
		}
		return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: code, Message: c.services.Redact(a.Message), Detail: uuid}
	}
	return nil, &fiscal.PACError{Kind: kindOf(code), Code: code, Message: c.services.Redact(a.Message), Detail: c.services.Redact(a.MessageDetail)}
}

// refusals are the codes by which the service says that it does not stamp a document as it is: of the SAT's matrices, of
// the checks of every PAC (Anexo 20: 301 to 308, 401 to 403), and its own of the document's structure.
var refusals = regexp.MustCompile(`^(CFDI[0-9]{5}|CRP[0-9]{5}|30[1-68]|40[1-3]|CO100[1-5]|CC[0-9]{4})$`)

// kindOf is what to do about an error of the stamping. What is no refusal of the document, such as an uncontrolled error
// (CO1000) or a message without a code, may have come after the stamp: the same bytes are sent again.
func kindOf(code string) fiscal.ErrorKind {
	switch {
	case refusals.MatchString(code):
		return fiscal.KindRejected
	case strings.HasPrefix(code, "AU"):
		return fiscal.KindAuth
	}
	return fiscal.KindUnknown
}

func repeated(r *fiscal.StampResult, err error) (*fiscal.StampResult, error) {
	if r != nil {
		r.Repeated = true
	}
	return r, err
}

// result checks a stamp; one that came without its document is fetched first.
func (c *Client) result(ctx context.Context, sealed []byte, d *stampData) (*fiscal.StampResult, error) {
	if d.CFDI == "" {
		xml, err := c.fetch(ctx, d.UUID)
		if err != nil {
			return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "duplicate_not_recovered", Message: "stamped before; the document could not be fetched", Detail: d.UUID}
		}
		d.CFDI = xml
	}
	return fiscal.CheckStamped(sealed, []byte(d.CFDI))
}

// fetch reads a stamped document from the service's storage. Its answer has the document itself or
// an address of it, which must be on a host of the service.
func (c *Client) fetch(ctx context.Context, uuid string) (string, error) {
	r, err := c.call(ctx, c.api, http.MethodGet, "/datawarehouse/v1/live/"+url.PathEscape(uuid), nil, nil)
	if err != nil {
		return "", err
	}
	var a answer[struct {
		CFDI    string `json:"cfdi"`
		Records []struct {
			CFDI   string `json:"cfdi"`
			URLXML string `json:"urlXml"`
		} `json:"records"`
	}]
	if r.Status != http.StatusOK || json.Unmarshal(r.Body, &a) != nil || a.Data == nil {
		return "", c.api.HTTPError(r)
	}
	if a.Data.CFDI != "" {
		return a.Data.CFDI, nil
	}
	for _, record := range a.Data.Records {
		if record.CFDI != "" {
			return record.CFDI, nil
		}
		for _, host := range []struct {
			base   string
			client *pac.Client
		}{{c.c.APIURL, c.api}, {c.c.URL, c.services}} {
			if path, ok := strings.CutPrefix(record.URLXML, strings.TrimRight(host.base, "/")+"/"); ok {
				r, err := c.call(ctx, host.client, http.MethodGet, path, nil, nil)
				if err == nil && r.Status == http.StatusOK {
					return string(r.Body), nil
				}
			}
		}
	}
	return "", errors.New("swsapien: document not in storage")
}

var codePattern = regexp.MustCompile(`^\s*([A-Z]{0,6}[0-9]{3,6})\b`)

// codeOf is the SAT's or the service's code at the start of a message.
func codeOf(message string) string {
	if m := codePattern.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return "pac_refused"
}

// xmlPart is a multipart body with one file called xml.
func xmlPart(xml []byte) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="xml"; filename="xml"`}, "Content-Type": {"text/xml"}})
	_, _ = part.Write(xml) // to memory: cannot fail
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// Cancel implements fiscal.Canceller: with the request signed here when r has a CSD, otherwise
// with the CSD that the account keeps.
func (c *Client) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	path := "/cfdi33/cancel/" + url.PathEscape(r.RfcEmisor) + "/" + r.UUID + "/" + r.Motivo
	if r.FolioSustitucion != "" {
		path += "/" + r.FolioSustitucion
	}
	var header http.Header
	var body []byte
	if r.CSD != nil {
		signed, err := fiscal.SignCancelacion(r)
		if err != nil {
			return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "301", Message: err.Error()}
		}
		var contentType string
		body, contentType = xmlPart(signed)
		header = http.Header{"Content-Type": {contentType}}
		path = "/cfdi33/cancel/xml"
	}
	resp, err := c.call(ctx, c.services, http.MethodPost, path, header, body)
	if err != nil {
		return nil, err
	}
	var a answer[struct {
		Acuse string            `json:"acuse"`
		UUID  map[string]string `json:"uuid"`
	}]
	if resp.Status != http.StatusOK && resp.Status != http.StatusBadRequest {
		return nil, c.services.HTTPError(resp)
	}
	if err := json.Unmarshal(resp.Body, &a); err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	if a.Status == "success" && a.Data != nil {
		for uuid, code := range a.Data.UUID {
			if strings.EqualFold(uuid, r.UUID) {
				if code == fiscal.CodigoCancelada || code == fiscal.CodigoYaCancelada {
					return &fiscal.CancelResult{Code: code, Acuse: []byte(a.Data.Acuse)}, nil
				}
				return nil, refusal(code, "")
			}
		}
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	if a.Status != "error" || a.Message == "" {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	return nil, refusal(codeOf(a.Message), c.services.Redact(a.Message))
}

// refusal is a cancellation that was not taken: 708 means that the SAT is not there. What says no reason may have been
// taken: it is asked again, which the SAT answers with 202.
func refusal(code, message string) error {
	kind := fiscal.KindRejected
	switch {
	case code == fiscal.CodigoSinServicioDelSAT || strings.HasSuffix(code, "708"):
		kind = fiscal.KindUnavailable
	case code == "pac_refused" || code == "CO1000":
		kind = fiscal.KindUnknown
	case strings.HasPrefix(code, "AU"):
		kind = fiscal.KindAuth
	}
	return &fiscal.PACError{Kind: kind, Code: code, Message: message}
}

// Credits implements fiscal.CreditReporter: the balance of the account, which all its issuers share.
func (c *Client) Credits(ctx context.Context, _ string) (int, error) {
	r, err := c.call(ctx, c.services, http.MethodGet, "/account/balance", nil, nil)
	if err != nil {
		return 0, err
	}
	var a answer[struct {
		SaldoTimbres *int `json:"saldoTimbres"`
	}]
	if r.Status != http.StatusOK {
		return 0, c.services.HTTPError(r)
	}
	if json.Unmarshal(r.Body, &a) != nil || a.Data == nil || a.Data.SaldoTimbres == nil {
		return 0, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "answer_malformed"}
	}
	return *a.Data.SaldoTimbres, nil
}
