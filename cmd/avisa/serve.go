package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/jobs"
)

func runServe(ctx context.Context, c config, log *slog.Logger, _ []string) error {
	if err := c.need("DATABASE_URL", "REDIS_URL", "BLOB_URL", "AVISA_BASE_URL", "AVISA_SECRET"); err != nil {
		return err
	}
	a, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.migrated(ctx); err != nil {
		return err
	}
	listener, err := listen("AVISA_ADDR", c.Addr)
	if err != nil {
		return err
	}
	return a.besideMetrics(ctx, func(ctx context.Context) error {
		log.Info("serving", "address", listener.Addr().String(), "base", c.BaseURL)
		return serve(ctx, listener, a.web(), log)
	})
}

// listen opens the port of a setting, with a clear word when somebody else has it.
func listen(setting, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program: stop it, or choose another port with %s=:8081", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return listener, nil
}

// serve answers requests until the context ends, then lets the running ones finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

func runWork(ctx context.Context, c config, log *slog.Logger, _ []string) error {
	if err := c.need("DATABASE_URL", "REDIS_URL", "SMTP_URL", "BLOB_URL", "AVISA_BASE_URL", "AVISA_SECRET"); err != nil {
		return err
	}
	a, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.migrated(ctx); err != nil {
		return err
	}
	jobs.TuneMemory()
	return a.besideMetrics(ctx, func(ctx context.Context) error {
		log.Info("working", "concurrency", c.Concurrency)
		return a.worker().Run(ctx)
	})
}

func runMigrate(ctx context.Context, c config, log *slog.Logger, _ []string) error {
	if err := c.need("DATABASE_URL"); err != nil {
		return err
	}
	store, err := db.Open(ctx, c.DatabaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	names, err := store.Migrate(ctx)
	log.Info("schema is up to date", "migrations", names)
	return err
}

func runSchema(context.Context, config, *slog.Logger, []string) error {
	fmt.Print(graph.SDL())
	return nil
}
