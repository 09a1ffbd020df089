package main

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// meters count what this process does. Names of metrics follow https://prometheus.io/docs/practices/naming/.
// No label holds what a visitor chooses: their number is fixed.
type meters struct {
	http *prometheus.HistogramVec
	mail *prometheus.HistogramVec
	pac  *prometheus.HistogramVec
}

func newMeters() *meters {
	return &meters{
		http: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "avisa_http_request_duration_seconds", Help: "Requests answered, by area, method and class of status.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"area", "method", "status"}),
		mail: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "avisa_mail_duration_seconds",
			Help:    "Mails handed to the mail server, by result: sent, deferred (4yz), refused (5yz), failed (no answer).",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"result"}),
		pac: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "avisa_pac_call_duration_seconds",
			Help:    "Calls to the PAC (stamp, cancel, credits) and for the SAT's status, by result: ok, repeated (307), rejected, auth, unavailable, unknown (the answer was lost).",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"provider", "operation", "result"}),
	}
}

// calls measures every call to a provider.
func (m *meters) calls(provider string) func(fiscal.Call) {
	return func(call fiscal.Call) {
		m.pac.WithLabelValues(provider, call.Operation, call.Result).Observe(call.Took.Seconds())
	}
}

// areas of the site, by the first part of the path.
var areas = map[string]string{"clientes": "portal", "consola": "console", "graphql": "graphql", "descargas": "download", "correo": "maillink", "pagar": "pay",
	"pagos": "gateway", "webhooks": "webhook", "static": "asset", "marca": "asset", "healthz": "health", "readyz": "health"}

// requests measures every request of a handler.
func (m *meters) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		area, method := areas[first], r.Method
		if area == "" {
			area = "other"
		}
		switch method {
		case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions:
		default: // callers may make up their own
			method = "other"
		}
		defer func() {
			m.http.WithLabelValues(area, method, strconv.Itoa(answer.status/100)+"xx").Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(answer, r)
	})
}

// statusWriter remembers the status of an answer. Unwrap lets http.ResponseController reach what is under it.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, status >= 200
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// meteredMailer counts what a sender sends.
type meteredMailer struct {
	mail.Sender
	meter *prometheus.HistogramVec
}

func (m *meters) mails(sender mail.Sender) mail.Sender { return meteredMailer{sender, m.mail} }

// Send implements mail.Sender.
func (m meteredMailer) Send(ctx context.Context, message mail.Message) (mail.Receipt, error) {
	began := time.Now()
	receipt, err := m.Sender.Send(ctx, message)
	result := "sent"
	if refusal, ok := errors.AsType[*mail.Refusal](err); ok && refusal.Permanent {
		result = "refused"
	} else if ok {
		result = "deferred"
	} else if err != nil {
		result = "failed"
	}
	m.meter.WithLabelValues(result).Observe(time.Since(began).Seconds())
	return receipt, err
}

// handler answers with the figures of this process and those of the installation.
func (m *meters) handler(store *db.Store, queue redis.UniversalClient) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.http, m.mail, m.pac, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&installation{store: store, redis: queue}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "avisa_build_info", Help: "1; the label tells the version.",
			ConstLabels: prometheus.Labels{"version": version()}}, func() float64 { return 1 }))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// version is what the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// installation reads the figures of the database when they are asked for, at most every ten seconds. Every process
// tells the same: rules take the max of them.
type installation struct {
	store *db.Store
	redis redis.UniversalClient

	mu   sync.Mutex
	at   time.Time
	last []prometheus.Metric
}

// figure is one metric of the installation with its labels.
func figure(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("avisa_"+name, help, labels, nil)
}

var (
	figureUp             = figure("up", "1 if the part answers: postgresql, redis.", "part")
	figureReminders      = figure("reminders", "Reminders by state: waiting (due, not sent), later, sending, failed (not tried again).", "state")
	figureReminderOldest = figure("reminder_oldest_wait_seconds", "How long the reminder that waits longest has been due; 0 if none waits.")
	figureRemindersDay   = figure("reminders_last_day", "Reminders that left in the last 24 hours, by what became of them: sent, bounced.", "state")
	figureBounced        = figure("bounced_addresses", "Addresses that get no mail until somebody looks at them.")
	figurePlanned        = figure("planner_last_run_timestamp_seconds", "When the planner last ran over all clients.")
	figureSent           = figure("reminder_last_sent_timestamp_seconds", "When a reminder was last sent.")
	figureJobs           = figure("jobs", "Background work by state: waiting, failing (of those: whose last attempt failed).", "state")
	figureJobOldest      = figure("job_oldest_wait_seconds", "Age of the oldest background work; 0 if there is none.")
	figureDocuments      = figure("documents", "Fiscal documents without a stamp by state: draft, sealed, stamping, stamp_failed.", "state")
	figureDocumentOldest = figure("document_oldest_wait_seconds", "How long the document that waits longest for its stamp has waited; 0 if none does.")
	figureStamped        = figure("documents_stamped_last_day", "Fiscal documents stamped in the last 24 hours.")
	figureCSD            = figure("csd_expires_timestamp_seconds", "When the certificate (CSD) in use expires; absent without one.")
	figureStampsLeft     = figure("stamps_left", "Stamps left at the PAC, as it said last; absent without a limit.")
)

// Describe implements prometheus.Collector.
func (i *installation) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{figureUp, figureReminders, figureReminderOldest, figureRemindersDay, figureBounced, figurePlanned, figureSent, figureJobs,
		figureJobOldest, figureDocuments, figureDocumentOldest, figureStamped, figureCSD, figureStampsLeft} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (i *installation) Collect(out chan<- prometheus.Metric) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := time.Now(); i.last == nil || now.Sub(i.at) >= 10*time.Second {
		i.at, i.last = now, i.read(now)
	}
	for _, metric := range i.last {
		out <- metric
	}
}

func (i *installation) read(now time.Time) (list []prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		list = append(list, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...))
	}
	moment := func(desc *prometheus.Desc, at *time.Time) {
		if at != nil {
			gauge(desc, float64(at.Unix()))
		}
	}
	since := func(at *time.Time) float64 {
		if at == nil {
			return 0
		}
		return max(0, now.Sub(*at).Seconds())
	}
	answers := func(part string, err error) {
		up := 1.0
		if err != nil {
			up = 0
		}
		gauge(figureUp, up, part)
	}
	answers("redis", i.redis.Ping(ctx).Err())
	m, err := i.store.Measures(ctx, now)
	answers("postgresql", err)
	if err != nil {
		return list // what is not known is not told
	}
	gauge(figureReminders, float64(m.Queue.Waiting), "waiting")
	gauge(figureReminders, float64(m.Queue.Later), "later")
	gauge(figureReminders, float64(m.Queue.Sending), "sending")
	gauge(figureReminders, float64(m.Failed), "failed")
	gauge(figureReminderOldest, since(m.Queue.Oldest))
	for _, state := range []string{db.DeliverySent, db.DeliveryBounced} {
		gauge(figureRemindersDay, float64(m.LastDay[state]), state)
	}
	gauge(figureBounced, float64(m.Bounced))
	moment(figurePlanned, m.Queue.LastRun)
	moment(figureSent, m.Queue.LastSent)
	gauge(figureJobs, float64(m.Outbox.Waiting), "waiting")
	gauge(figureJobs, float64(m.Outbox.Failing), "failing")
	gauge(figureJobOldest, since(m.Outbox.Oldest))
	for _, state := range []string{db.CFDIDraft, db.CFDISealed, db.CFDIStamping, db.CFDIStampFailed} {
		gauge(figureDocuments, float64(m.Unstamped[state]), state)
	}
	gauge(figureDocumentOldest, since(m.Stamping.Oldest))
	gauge(figureStamped, float64(m.StampedToday))
	moment(figureCSD, m.CSDUntil)
	if m.StampsLeft != nil {
		gauge(figureStampsLeft, float64(*m.StampsLeft))
	}
	return list
}
