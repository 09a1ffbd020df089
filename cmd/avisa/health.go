package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// health answers whether the process lives and whether it can work.
func (a *app) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", a.ready)
}

// ready says whether this process can work: PostgreSQL and Redis answer, and the schema is at least this version's.
// The cause is in the log alone.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := errors.Join(a.migrated(ctx), a.redis.Ping(ctx).Err()); err != nil {
		a.log.Warn("not ready", "error", err)
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// migrated returns an error when the database lacks migrations of this version, or does not answer.
func (a *app) migrated(ctx context.Context) error {
	pending, err := a.store.PendingMigrations(ctx)
	if err == nil && pending > 0 {
		return fmt.Errorf("the database lacks %d migrations of this version: run `avisa migrate` first", pending)
	}
	return err
}

// besideMetrics runs a process and, where AVISA_METRICS_ADDR says so, serves its figures and health there until it
// ends. An address of its own keeps them off the one that the world reaches, and workers have no other.
func (a *app) besideMetrics(ctx context.Context, run func(context.Context) error) error {
	if a.config.MetricsAddr == "" {
		return run(ctx)
	}
	listener, err := listen("AVISA_METRICS_ADDR", a.config.MetricsAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	a.health(mux)
	mux.Handle("GET /metrics", a.meters.handler(a.store, a.redis))
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		err := serve(ctx, listener, mux, a.log)
		end(err) // figures that nobody can read are no reason to go on unseen
		done <- err
	}()
	err = run(ctx)
	end(err)
	return errors.Join(err, <-done)
}
