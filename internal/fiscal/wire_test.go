package fiscal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/finkok"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/fiscal/swsapien"
)

// wire is what lies between the service and a PAC. It fails as told, for the calls to a path.
type wire struct {
	*httptest.Server
	to string

	mu    sync.Mutex
	path  string // what the calls that fail have in theirs; "" is none
	fails string
	done  int // calls that failed
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{to: to}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *wire) tell(path, fails string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path, w.fails = path, fails
}

func (w *wire) failed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

func (w *wire) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	fails := ""
	if w.path != "" && strings.Contains(r.URL.Path, w.path) {
		fails = w.fails
		w.done++
	}
	w.mu.Unlock()
	switch fails {
	case "closed before":
		panic(http.ErrAbortHandler)
	case "401", "500", "503":
		var status int
		_, _ = fmt.Sscan(fails, &status)
		http.Error(rw, "no", status)
		return
	}
	body, _ := io.ReadAll(r.Body)
	// the PAC goes on with what it got, whatever becomes of its caller
	out, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, w.to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	out.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(resp.Body)
	switch fails {
	case "closed after":
		panic(http.ErrAbortHandler)
	case "no answer":
		<-r.Context().Done()
		return
	case "408 after", "500 after", "502 after", "503 after", "504 after":
		var status int
		_, _ = fmt.Sscan(fails, &status)
		http.Error(rw, "<html><h1>Gateway</h1></html>", status)
		return
	case "fault after":
		_, _ = io.WriteString(rw, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring></s:Fault></s:Body></s:Envelope>`)
		return
	case "another answer":
		_, _ = io.WriteString(rw, "<html>mantenimiento</html>")
		return
	case "half an answer":
		rw.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		rw.WriteHeader(resp.StatusCode)
		_, _ = rw.Write(answer[:len(answer)/2])
		panic(http.ErrAbortHandler)
	}
	for name, values := range resp.Header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(resp.StatusCode)
	_, _ = rw.Write(answer)
}

// provider is a real client of a PAC that is a stub, over a wire that fails.
type provider struct {
	fiscal.Stamper
	wire      *wire
	stamping  string // in the path of what stamps
	cancelled func() int
}

var providers = map[string]func(t *testing.T, o *office) provider{
	"swsapien": func(t *testing.T, o *office) provider { return overSW(t, o, func(*fiscaltest.SWSapien) {}) },
	"swsapien, 307 without document": func(t *testing.T, o *office) provider {
		return overSW(t, o, func(s *fiscaltest.SWSapien) { s.Empty307 = true })
	},
	"swsapien, key used before": func(t *testing.T, o *office) provider {
		return overSW(t, o, func(s *fiscaltest.SWSapien) { s.CustomID = true })
	},
	"finkok":       func(t *testing.T, o *office) provider { return overFinkok(t, o, 0) },
	"finkok, late": func(t *testing.T, o *office) provider { return overFinkok(t, o, 3) },
}

func overSW(t *testing.T, o *office, set func(*fiscaltest.SWSapien)) provider {
	t.Helper()
	stub := fiscaltest.NewSWSapien(t, o.pac)
	set(stub)
	wire := newWire(t, stub.URL)
	client, err := swsapien.New(swsapien.Config{URL: wire.URL, APIURL: wire.URL, User: fiscaltest.SWUser, Password: fiscaltest.SWPassword, Timeout: 10 * time.Second})
	o.must(err)
	return provider{client, wire, "/stamp/", func() int { stub.Mu.Lock(); defer stub.Mu.Unlock(); return stub.Cancelled }}
}

func overFinkok(t *testing.T, o *office, late int) provider {
	t.Helper()
	stub := fiscaltest.NewFinkok(t, o.pac)
	stub.Late = late
	wire := newWire(t, stub.URL)
	client, err := finkok.New(finkok.Config{URL: wire.URL, Username: fiscaltest.FinkokUser, Password: fiscaltest.FinkokPassword, Timeout: 10 * time.Second,
		Sleep: func(context.Context, time.Duration) error { return nil }})
	o.must(err)
	return provider{client, wire, "/soap/stamp", func() int { stub.Mu.Lock(); defer stub.Mu.Unlock(); return stub.Cancelled }}
}

// failures are what may happen to a call, and whether the PAC did what it was asked nevertheless.
var failures = map[string]bool{"closed before": false, "401": false, "500": false, "503": false,
	"closed after": true, "no answer": true, "408 after": true, "500 after": true, "502 after": true, "503 after": true, "504 after": true, "fault after": true, "another answer": true, "half an answer": true, "killed before": false, "killed after": true}

// TestStampOnceOverTheWire: whatever happens to the calls to a PAC, it stamps a document once, and that stamp is kept.
func TestStampOnceOverTheWire(t *testing.T) {
	for with, connect := range providers {
		for fails, reached := range failures {
			if testing.Short() && strings.Contains(with, ",") && !reached {
				continue
			}
			t.Run(with+"/"+fails, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				p := connect(t, o)
				row := prepared[db.CFDIIngreso](o)
				o.service.SAT = o.pac
				switch fails {
				case "killed before", "killed after":
					o.service.PAC = &crashing{Stamper: p.Stamper, before: fails == "killed before", after: fails == "killed after"}
					if killed, err := o.attempt(row); !killed {
						t.Fatal("not killed", err)
					}
				default:
					o.service.PAC, o.service.Timeout = p.Stamper, 5*time.Second
					if fails == "no answer" {
						o.service.Timeout = 500 * time.Millisecond
					}
					p.wire.tell(p.stamping, fails)
					for range 3 {
						if _, err := o.attempt(row); err != nil {
							t.Fatal(err)
						}
					}
					if p.wire.failed() < 3 {
						t.Fatalf("%d calls failed", p.wire.failed())
					}
				}
				before := o.read(row)
				if stamps := o.stamps(); before.UUID != "" || before.Status == db.CFDIStampFailed || (stamps == 1) != reached {
					t.Fatalf("%s %s, %d stamps", before.Status, before.Code, stamps)
				}
				p.wire.tell("", "")
				o.service.PAC, o.service.Timeout = p.Stamper, 10*time.Second
				o.clock = o.clock.Add(time.Hour) // the lease ends
				var group sync.WaitGroup
				for range 4 {
					group.Go(func() {
						if _, err := o.attempt(row); err != nil && !fault.Is(err, fault.Unavailable) {
							t.Error(err)
						}
					})
				}
				group.Wait()
				got := o.read(row)
				if got.Status != db.CFDIStamped || o.stamps() != 1 || got.Folio != 1 || got.Build != 1 || !bytes.Equal(before.Sealed, got.Sealed) {
					t.Errorf("%s %s %s, %d stamps, folio %d, build %d", got.Status, got.Code, got.Message, o.stamps(), got.Folio, got.Build)
				}
				if last := got.Log[len(got.Log)-1].Event; (last == "repeated") != reached {
					t.Errorf("the last event is %s", last)
				}
				doc, err := fiscal.Parse(got.XML)
				o.must(err)
				o.must(doc.VerifyTimbre(o.pac.Identity().Certificado))
			})
		}
	}
}

// TestStampOnceMuchLater: an answer behind which a stamp was made keeps the bytes, also when they are too old for a stamp by
// then, or are refused for something else: nothing is built anew before a person has looked.
func TestStampOnceMuchLater(t *testing.T) {
	for with, connect := range providers {
		for fails, reached := range failures {
			if !reached || strings.HasPrefix(fails, "killed") || testing.Short() && strings.Contains(with, ",") {
				continue
			}
			for name, then := range map[string]func(o *office, pac fiscal.Stamper) fiscal.Stamper{
				"too old":             func(_ *office, pac fiscal.Stamper) fiscal.Stamper { return pac },
				"too old, so it says": func(o *office, _ fiscal.Stamper) fiscal.Stamper { return windowFirst{o.pac} },
				"refused":             func(*office, fiscal.Stamper) fiscal.Stamper { return refusingWith("CFDI40145") },
			} {
				t.Run(with+"/"+fails+"/"+name, func(t *testing.T) {
					t.Parallel()
					o := newOffice(t)
					p := connect(t, o)
					row := prepared[db.CFDIIngreso](o)
					o.service.SAT, o.service.PAC, o.service.Timeout = o.pac, p.Stamper, 5*time.Second
					if fails == "no answer" {
						o.service.Timeout = 500 * time.Millisecond
					}
					p.wire.tell(p.stamping, fails)
					_, err := o.attempt(row)
					o.must(err)
					p.wire.tell("", "")
					o.service.PAC, o.service.Timeout = then(o, p.Stamper), 10*time.Second
					o.clock = o.clock.Add(73 * time.Hour)
					for range 2 {
						_, err := o.attempt(row)
						o.must(err)
					}
					if _, err := o.service.RetryStamps(system(t.Context()), ""); err != nil {
						t.Fatal(err)
					}
					o.service.PAC = p.Stamper
					o.clock = o.clock.Add(time.Hour)
					_, err = o.attempt(row)
					o.must(err)
					got := o.read(row)
					if stamped := got.Status == db.CFDIStamped; o.stamps() != 1 || got.Build != 1 || stamped != (name == "too old") || !stamped && got.Code != db.CodeStampUncertain {
						t.Errorf("%s %s %s, %d stamps, build %d: %s", got.Status, got.Code, got.Message, o.stamps(), got.Build, events(got))
					}
				})
			}
		}
	}
}

// dying is a PAC whose caller dies before or after it asked for a cancellation.
type dying struct {
	fiscal.Stamper
	before, after bool
}

func (d *dying) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	if d.before {
		panic(errKilled)
	}
	result, err := d.Stamper.(fiscal.Canceller).Cancel(ctx, r)
	if d.after {
		panic(errKilled)
	}
	return result, err
}

// TestCancelOnceOverTheWire: whatever happens to the calls to a PAC, it takes a cancellation once, and its acuse is kept.
func TestCancelOnceOverTheWire(t *testing.T) {
	for with, connect := range providers {
		if strings.Contains(with, ",") { // they differ in how they stamp
			continue
		}
		for fails, reached := range failures {
			t.Run(with+"/"+fails, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				p := connect(t, o)
				row := o.old()
				o.answers["URE180429TM6"] = sandbox.Accepts
				o.service.SAT = o.pac
				o.cancel(row, "02")
				send := func() (killed bool) {
					defer func() { killed = recover() != nil }()
					o.must(o.service.SendCancellation(system(t.Context()), fiscal.CancelJob{CFDI: row.ID, Round: 1}))
					return false
				}
				if strings.HasPrefix(fails, "killed") {
					o.service.PAC = &dying{Stamper: p.Stamper, before: fails == "killed before", after: fails == "killed after"}
					if !send() {
						t.Fatal("not killed")
					}
				} else {
					o.service.PAC = p.Stamper
					if fails == "no answer" {
						o.service.Timeout = 500 * time.Millisecond
					}
					p.wire.tell("cancel", fails)
					for range 3 {
						send()
						o.clock = o.clock.Add(time.Hour)
					}
					if p.wire.failed() < 3 {
						t.Fatalf("%d calls failed", p.wire.failed())
					}
				}
				if got := o.read(row); got.Status != db.CFDICancelPending || got.CancelState != db.CancelAsked || (p.cancelled() == 1) != reached {
					t.Fatalf("%s %s, taken %d times: %s", got.Status, got.CancelState, p.cancelled(), events(got))
				}
				p.wire.tell("", "")
				o.service.PAC, o.service.Timeout = p.Stamper, 10*time.Second
				o.clock = o.clock.Add(time.Hour) // the lease ends
				send()
				send()
				o.must(o.service.PollCancellations(system(t.Context())))
				got := o.read(row)
				if got.Status != db.CFDICancelled || p.cancelled() != 1 || !bytes.Contains(got.Acuse, []byte(got.UUID)) {
					t.Errorf("%s, taken %d times, acuse of %d bytes: %s", got.Status, p.cancelled(), len(got.Acuse), events(got))
				}
			})
		}
	}
}
