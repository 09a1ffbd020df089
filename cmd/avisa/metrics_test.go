package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// get returns status and body of a page; 0 while nobody listens.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// figures reads the metrics of an address, by name with labels.
func figures(t *testing.T, address string) map[string]float64 {
	t.Helper()
	status, body := get(t, "http://"+address+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	found := map[string]float64{}
	for _, line := range strings.Split(body, "\n") {
		if name, value, ok := strings.Cut(line, "} "); ok && !strings.HasPrefix(line, "#") {
			found[name+"}"], _ = strconv.ParseFloat(value, 64)
		} else if name, value, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			found[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return found
}

// What an operator watches is true: the figures of a worker and of a web server, on an address that is not the
// public one, before and after the mails have gone out; and readiness asks for the schema of this version.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dsn := dbtest.URL(t)
	o := outsideOf(t, dsn)
	o.planMany(t, 60)
	now := time.Now()
	dbtest.Exec(t, dsn, `UPDATE delivery SET due_at = now() - interval '20 minutes', send_at = now() - interval '20 minutes'`,
		`INSERT INTO outbox (kind, payload, due_at, created_at, last_error) VALUES ('test.unknown', '{}', now() + interval '1 hour', now() - interval '5 minutes', 'no')`)

	web, public := freePort(t), freePort(t)
	program(t, append(o.env, "AVISA_ADDR="+public, "AVISA_METRICS_ADDR="+web), "serve")
	eventually(t, "the web server is ready", 20*time.Second, func() bool { status, _ := get(t, "http://"+public+"/readyz"); return status == http.StatusOK })
	before := figures(t, web)
	for name, want := range map[string]float64{
		`avisa_up{part="postgresql"}`: 1, `avisa_up{part="redis"}`: 1,
		`avisa_reminders{state="waiting"}`: float64(o.planned), `avisa_reminders{state="sending"}`: 0, `avisa_reminders{state="failed"}`: 0,
		`avisa_jobs{state="waiting"}`: 1, `avisa_jobs{state="failing"}`: 1, `avisa_documents{state="stamp_failed"}`: 0, "avisa_bounced_addresses": 0,
	} {
		if got, ok := before[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]time.Duration{"avisa_reminder_oldest_wait_seconds": 20 * time.Minute, "avisa_job_oldest_wait_seconds": 5 * time.Minute} {
		if got := time.Duration(before[name] * float64(time.Second)); got < want || got > want+time.Since(now)+time.Second {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, tells := before["avisa_stamps_left"]; tells {
		t.Error("stamps are counted though no provider was asked")
	}

	// The public address tells nothing of it, and answers are counted by area.
	if status, body := get(t, "http://"+public+"/metrics"); status != http.StatusNotFound || strings.Contains(body, "avisa_reminders") {
		t.Errorf("the public address shows the metrics: %d", status)
	}
	get(t, "http://"+public+"/clientes/entrar")
	for _, name := range []string{`area="portal",method="GET",status="2xx"`, `area="other",method="GET",status="4xx"`} {
		if got := figures(t, web)["avisa_http_request_duration_seconds_count{"+name+"}"]; got != 1 {
			t.Errorf("%s: %v requests, want 1", name, got)
		}
	}

	// A worker has no other address; what it sends is counted by result.
	o.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		if strings.HasPrefix(to, "conta@") {
			return &devstack.SMTPFailure{Code: 550, Message: "5.1.1 no such user"}
		}
		return nil
	})
	work := freePort(t)
	program(t, append(o.env, "AVISA_METRICS_ADDR="+work), "work")
	eventually(t, "the mails are sent", time.Minute, func() bool {
		counts, err := o.store.DeliveryCounts(t.Context(), now.AddDate(-1, 0, 0))
		open := 0
		for _, c := range counts {
			if c.Status != db.DeliverySent && c.Status != db.DeliveryFailed {
				open++
			}
		}
		return err == nil && open == 0
	})
	after := figures(t, work)
	sent, refused := after[`avisa_mail_duration_seconds_count{result="sent"}`], after[`avisa_mail_duration_seconds_count{result="refused"}`]
	if refused != float64(o.planned/3) || after[`avisa_reminders_last_day{state="sent"}`] > sent || sent < float64(o.planned-o.planned/3) {
		t.Errorf("of %d mails %v sent, %v refused; the ledger says %v", o.planned, sent, refused, after[`avisa_reminders_last_day{state="sent"}`])
	}
	for _, page := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, "http://"+work+page); status != http.StatusOK {
			t.Errorf("%s of the worker: %d %s", page, status, body)
		}
	}

	// A database of before this version is not one to work on.
	dbtest.Exec(t, dsn, "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)")
	for _, address := range []string{public, web, work} {
		if status, body := get(t, "http://"+address+"/readyz"); status != http.StatusServiceUnavailable || strings.Contains(body, "migrat") {
			t.Errorf("ready with the schema of an earlier version: %d %s", status, body)
		}
		if status, _ := get(t, "http://"+address+"/healthz"); status != http.StatusOK {
			t.Errorf("not alive: %d", status)
		}
	}
	// A newer version's migration is no obstacle: old processes work while they are replaced.
	dbtest.Exec(t, dsn, "DELETE FROM migration", "INSERT INTO migration (name, group_id) SELECT '20990101000000', 99")
	if pending, err := o.store.PendingMigrations(t.Context()); err != nil || pending == 0 {
		t.Errorf("%d pending, %v: migrations of others count as ours", pending, err)
	}
}

// Whatever visitors make up, the number of series stays.
func TestMetricLabels(t *testing.T) {
	t.Parallel()
	m := newMeters()
	handler := m.requests(http.NotFoundHandler())
	for i := range 100 {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), fmt.Sprintf("M%d", i), fmt.Sprintf("/p%d/x", i), nil))
	}
	series := make(chan prometheus.Metric, 200)
	m.http.Collect(series)
	if len(series) != 1 {
		t.Errorf("%d series of 100 invented requests", len(series))
	}
}
