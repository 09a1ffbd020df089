package ui

import (
	"errors"
	"io"
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// maxEvent is the largest event of a gateway, in bytes. Stripe's have a few thousand.
const maxEvent = 256 << 10

// GatewayPath is where the gateway posts its events.
const GatewayPath = "/pagos/stripe"

// gatewayEvent takes an event. Any answer but 2xx makes the gateway send it again later: that is what an
// error of ours asks for, and what a forged event gets nothing from.
func (p pages) gatewayEvent(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return nil
	}
	if err != nil {
		http.Error(w, "incomplete", http.StatusBadRequest)
		return nil //nolint:nilerr // the sender went away
	}
	switch err := p.Billing.ReceiveGatewayEvent(r.Context(), payload, r.Header.Get("Stripe-Signature")); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case fault.Is(err, fault.Forbidden):
		http.Error(w, "signature", http.StatusBadRequest)
	case fault.Is(err, fault.Unavailable):
		http.Error(w, "no gateway", http.StatusNotFound)
	default:
		p.Log.ErrorContext(r.Context(), "gateway event", "error", err)
		http.Error(w, "try again", http.StatusInternalServerError)
	}
	return nil
}

func (p pages) paymentRoutes() []layout.Route {
	return []layout.Route{
		{Method: "POST", Path: GatewayPath, Who: layout.Everybody, Handle: p.gatewayEvent},
		{Method: "GET", Path: "/pagar/{token}", Who: layout.Everybody, Handle: p.payLink},
		{Method: "POST", Path: "/pagar/{token}", Who: layout.Everybody, Handle: p.startByLink},
		{Method: "GET", Path: "/pagar/{token}/pdf", Who: layout.Everybody, Handle: p.pdfByLink},
		{Method: "GET", Path: "/pagar/{token}/{checkout}", Who: layout.Everybody, Handle: p.statusByLink},
	}
}
