// Package sandbox is a Stripe that lives in memory: the three endpoints of Checkout that we call, the
// page on which one pays, and signed webhooks. The demo pays with it, and tests hold the product
// against it over HTTP. No money moves.
package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"
)

// Key is the secret key that the sandbox takes.
const Key = "sk_test_sandbox"

// Config is where the sandbox sends events and people.
type Config struct {
	WebhookURL    string // where events are posted
	WebhookSecret string // signs them
	PageURL       string // where Pages is served, without a slash at the end
	Now           func() time.Time
	Client        *http.Client // posts the events
}

// Server is the sandbox.
type Server struct {
	Config
	mu       sync.Mutex
	sessions map[string]*Session
	answers  map[string]answer // by idempotency key
	serial   int
	run      string // keeps the ids of two sandboxes apart
}

type answer struct {
	params string
	status int
	body   []byte
}

// Session is a payment page.
type Session struct {
	ID            string `json:"id"`
	Object        string `json:"object"`
	Status        string `json:"status"`         // open, complete, expired
	PaymentStatus string `json:"payment_status"` // unpaid, paid
	ClientRef     string `json:"client_reference_id"`
	AmountTotal   int64  `json:"amount_total"`
	Currency      string `json:"currency"`
	PaymentIntent any    `json:"payment_intent"`
	Mode          string `json:"mode"`
	URL           any    `json:"url"`
	SuccessURL    string `json:"success_url"`
	CancelURL     string `json:"cancel_url"`
	ExpiresAt     int64  `json:"expires_at"`
	Locale        string `json:"locale"`

	items []item
}

type item struct {
	name   string
	amount int64
}

// New returns a sandbox without payment pages.
func New(config Config) *Server {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Client == nil {
		config.Client = &http.Client{Timeout: 10 * time.Second}
	}
	return &Server{Config: config, sessions: map[string]*Session{}, answers: map[string]answer{}, run: rand.Text()[:10]}
}

// API is Stripe's API, for programs.
func (s *Server) API() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/checkout/sessions", s.create)
	mux.HandleFunc("GET /v1/checkout/sessions/{id}", s.retrieve)
	mux.HandleFunc("POST /v1/checkout/sessions/{id}/expire", s.expire)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+Key {
			refuse(w, http.StatusUnauthorized, "Invalid API Key provided")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"type": "invalid_request_error", "message": message}})
}

// create opens a page. The same idempotency key returns the first answer, and refuses other parameters
// (https://docs.stripe.com/api/idempotent_requests).
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "malformed form")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, params := r.Header.Get("Idempotency-Key"), r.PostForm.Encode()
	if had, ok := s.answers[key]; ok && key != "" {
		if had.params != params {
			refuse(w, http.StatusBadRequest, "Keys for idempotent requests can only be used with the same parameters they were first used with")
			return
		}
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(had.status)
		_, _ = w.Write(had.body)
		return
	}
	s.serial++
	session := &Session{ID: fmt.Sprintf("cs_test_%s%06d", s.run, s.serial), Object: "checkout.session", Status: "open", PaymentStatus: "unpaid", Mode: r.PostForm.Get("mode"),
		ClientRef: r.PostForm.Get("client_reference_id"), SuccessURL: r.PostForm.Get("success_url"), CancelURL: r.PostForm.Get("cancel_url"),
		ExpiresAt: s.Now().Add(24 * time.Hour).Unix(), Locale: r.PostForm.Get("locale")}
	for i := 0; ; i++ {
		at := func(name string) string { return r.PostForm.Get(fmt.Sprintf("line_items[%d]%s", i, name)) }
		if at("[quantity]") == "" {
			break
		}
		quantity, err1 := strconv.ParseInt(at("[quantity]"), 10, 64)
		amount, err2 := strconv.ParseInt(at("[price_data][unit_amount]"), 10, 64)
		if err1 != nil || err2 != nil || amount < 0 {
			refuse(w, http.StatusBadRequest, "Invalid integer")
			return
		}
		session.Currency = at("[price_data][currency]")
		session.AmountTotal += quantity * amount
		session.items = append(session.items, item{at("[price_data][product_data][name]"), quantity * amount})
	}
	if session.Mode != "payment" || len(session.items) == 0 || session.SuccessURL == "" {
		refuse(w, http.StatusBadRequest, "Missing required param")
		return
	}
	session.URL = s.PageURL + "/" + session.ID
	s.sessions[session.ID] = session
	body, _ := json.Marshal(session)
	s.answers[key] = answer{params, http.StatusOK, body}
	_, _ = w.Write(body)
}

func (s *Server) retrieve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[r.PathValue("id")]
	if session == nil {
		refuse(w, http.StatusNotFound, "No such checkout.session")
		return
	}
	_ = json.NewEncoder(w).Encode(session)
}

func (s *Server) expire(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	session := s.sessions[r.PathValue("id")]
	if session == nil || session.Status != "open" {
		s.mu.Unlock()
		refuse(w, http.StatusBadRequest, "Only Checkout Sessions with a status in [\"open\"] can be expired.")
		return
	}
	session.Status, session.URL = "expired", nil
	_ = json.NewEncoder(w).Encode(session)
	body := *session
	s.mu.Unlock()
	go func() { _ = s.Send(context.WithoutCancel(r.Context()), "checkout.session.expired", body) }()
}

// Session returns a copy of a payment page, and whether there is one.
func (s *Server) Session(id string) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[id]
	if session == nil {
		return Session{}, false
	}
	return *session, true
}

// Finish ends a page as the payer would: "paid", "processing" (a voucher that is paid later) or
// "expired". It returns the page; the event is the caller's to send.
func (s *Server) Finish(id, how string) (session Session, event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.sessions[id]
	if row == nil || row.Status != "open" {
		return Session{}, ""
	}
	row.URL, event = nil, "checkout.session.completed"
	switch how {
	case "paid":
		row.Status, row.PaymentStatus, row.PaymentIntent = "complete", "paid", strings.Replace(id, "cs_", "pi_", 1)
	case "processing":
		row.Status, row.PaymentIntent = "complete", strings.Replace(id, "cs_", "pi_", 1)
	default:
		row.Status, event = "expired", "checkout.session.expired"
	}
	return *row, event
}

// Send posts a signed event about an object. It is an error when the answer is not 2xx, which Stripe
// would repeat for three days.
func (s *Server) Send(ctx context.Context, kind string, object any) error {
	s.mu.Lock()
	s.serial++
	id := fmt.Sprintf("evt_%s%06d", s.run, s.serial)
	s.mu.Unlock()
	return s.Post(ctx, s.Event(id, kind, object))
}

// Event is the body of an event.
func (s *Server) Event(id, kind string, object any) []byte {
	body, _ := json.Marshal(map[string]any{"id": id, "object": "event", "api_version": "2025-01-27.acacia", "created": s.Now().Unix(), "livemode": false,
		"pending_webhooks": 1, "type": kind, "data": map[string]any{"object": object}})
	return body
}

// Post posts the body of an event with its signature.
func (s *Server) Post(ctx context.Context, body []byte) error {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: s.WebhookSecret, Timestamp: time.Now()})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Stripe-Signature", signed.Header)
	response, err := s.Client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answers %s", response.Status)
	}
	return nil
}

// Refund is the object of a refund of the payment of a page.
func Refund(id string, session Session, amount int64, status string) map[string]any {
	return map[string]any{"id": id, "object": "refund", "amount": amount, "currency": session.Currency, "payment_intent": session.PaymentIntent,
		"charge": strings.Replace(session.ID, "cs_", "ch_", 1), "status": status}
}

// Dispute is the object of a dispute of the payment of a page.
func Dispute(id string, session Session, status string) map[string]any {
	return map[string]any{"id": id, "object": "dispute", "amount": session.AmountTotal, "currency": session.Currency, "payment_intent": session.PaymentIntent,
		"charge": strings.Replace(session.ID, "cs_", "ch_", 1), "status": status, "reason": "fraudulent"}
}

// back is where the payer is sent after the page.
func back(session Session, how string) string {
	if how == "expired" {
		return session.CancelURL
	}
	return session.SuccessURL
}

// Pages is where people pay. Every page says that it is a demonstration.
func (s *Server) Pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{id}", func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.Session(r.PathValue("id"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action "+origin(session.SuccessURL)+" 'self'; frame-ancestors 'none'")
		_ = page.Execute(w, view(session))
	})
	mux.HandleFunc("POST /{id}", func(w http.ResponseWriter, r *http.Request) {
		how := r.PostFormValue("como")
		session, event := s.Finish(r.PathValue("id"), how)
		if event == "" {
			if session, ok := s.Session(r.PathValue("id")); ok {
				http.Redirect(w, r, session.CancelURL, http.StatusSeeOther)
				return
			}
			http.NotFound(w, r)
			return
		}
		// As at Stripe the payer is led on at once, and the event is on its way.
		go func() { _ = s.Send(context.WithoutCancel(r.Context()), event, session) }()
		http.Redirect(w, r, back(session, how), http.StatusSeeOther)
	})
	return mux
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "'self'"
	}
	return u.Scheme + "://" + u.Host
}
