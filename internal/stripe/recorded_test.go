package stripe_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
	"github.com/stripe/stripe-mock/spec"

	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
)

// recording is what Stripe recorded of its own API and ships with its mock server: a whole object of every kind, with
// all of its fields. Tests change the few values that they are about, so that the rest is as Stripe sends it.
type recording struct{ *spec.Fixtures }

func load(t *testing.T) recording {
	t.Helper()
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	return recording{fixtures}
}

// object is a recorded object with other values; a field that Stripe does not send is a mistake of the test.
func (r recording) object(t *testing.T, resource string, values map[string]any) map[string]any {
	t.Helper()
	found, ok := r.Resources[spec.ResourceID(resource)].(map[string]any)
	if !ok {
		t.Fatalf("no %s is recorded", resource)
	}
	object := maps.Clone(found)
	for name, value := range values {
		if _, ok := object[name]; !ok {
			t.Errorf("a %s has no %s", resource, name)
		}
		object[name] = value
	}
	return object
}

// event is a recorded event about a recorded object.
func (r recording) event(t *testing.T, name, kind, resource string, values map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(r.object(t, "event", map[string]any{"id": name, "type": kind, "data": map[string]any{"object": r.object(t, resource, values)}}))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// session is an event about the page of a checkout of 116.00 pesos.
func (r recording) session(t *testing.T, kind, reference, status string) []byte {
	t.Helper()
	return r.event(t, "evt_1", kind, "checkout.session", map[string]any{"id": "cs_test_1", "client_reference_id": reference, "amount_total": 11600, "currency": "mxn",
		"mode": "payment", "payment_intent": "pi_1", "payment_status": status, "status": "complete"})
}

// What the demo's stand-in sends has no field that Stripe's objects do not have, and none of another type.
func TestSandboxSpeaksAsStripe(t *testing.T) {
	recorded := load(t)
	session := sandbox.Session{ID: "cs_1", Object: "checkout.session", Currency: "mxn", PaymentIntent: map[string]any{"id": "pi_1"}, AmountTotal: 500}
	for resource, object := range map[string]any{"checkout.session": session, "refund": sandbox.Refund("re_1", session, 500, "succeeded"), "dispute": sandbox.Dispute("dp_1", session, "lost"),
		"event": json.RawMessage(sandbox.New(sandbox.Config{}).Event("evt_1", "refund.created", map[string]any{}))} {
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var ours map[string]any
		if err := json.Unmarshal(raw, &ours); err != nil {
			t.Fatal(err)
		}
		theirs := recorded.object(t, resource, nil)
		for name, value := range ours {
			want, ok := theirs[name]
			if !ok {
				t.Errorf("%s.%s is not Stripe's", resource, name)
			} else if expanded := name == "payment_intent" || name == "charge"; want != nil && value != nil && !expanded && reflect.TypeOf(want) != reflect.TypeOf(value) {
				t.Errorf("%s.%s is %T, Stripe's %T", resource, name, value, want)
			}
		}
	}
}
