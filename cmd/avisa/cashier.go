package main

import (
	"crypto/rand"
	"net"
	"net/http"
	"time"

	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
	"github.com/nubedigitalmx/avisa/ui"
)

// cashierPath is where the demo's payment pages are.
const cashierPath = "/pasarela-de-demostracion"

// startCashier gives the demo a Stripe of its own, in memory, unless keys of a real account are set.
// Programs reach it at a private port, people at cashierPath; everything between is what runs with
// the real one. Its pages do not outlive the process.
func startCashier(c *config) (*sandbox.Server, func(), error) {
	if c.StripeKey != "" {
		return nil, func() {}, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	c.StripeKey, c.StripeWebhook, c.StripeURL = sandbox.Key, "whsec_"+rand.Text(), "http://"+listener.Addr().String()
	cashier := sandbox.New(sandbox.Config{WebhookURL: c.BaseURL + ui.GatewayPath, WebhookSecret: c.StripeWebhook, PageURL: c.BaseURL + cashierPath})
	server := &http.Server{Handler: cashier.API(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return cashier, func() { _ = server.Close() }, nil
}
