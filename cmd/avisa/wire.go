package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // BLOB_URL=file://...

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/limit"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/internal/stripe"
	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
	"github.com/nubedigitalmx/avisa/jobs"
	"github.com/nubedigitalmx/avisa/ui"
	"github.com/nubedigitalmx/avisa/ui/email"
)

// app is the product wired together. Each part is opened by the command that needs it.
type app struct {
	config config
	log    *slog.Logger
	store  *db.Store
	redis  redis.UniversalClient
	files  *blob.Bucket
	smtp   *mail.SMTP
	meters *meters

	bounces *mail.IMAP // nil: bounces come by webhook, or not at all

	account  *account.Service
	billing  *billing.Service
	reminder *reminder.Service
	fiscal   *fiscal.Service
	mailbox  *devstack.Mailbox // the demo's mail server, nil elsewhere
	cashier  *sandbox.Server   // the demo's card payments, nil elsewhere
}

// open connects to what the settings name. SMTP is needed only where mail is sent.
func open(ctx context.Context, c config, log *slog.Logger) (_ *app, err error) {
	a := &app{config: c, log: log, meters: newMeters()}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	secrets, err := c.secrets()
	if err != nil {
		return nil, err
	}
	passkeys, err := account.NewPasskeys(c.BaseURL, "Avisa")
	if err != nil {
		return nil, err
	}
	if a.store, err = db.Open(ctx, c.DatabaseURL, max(20, 2*c.Concurrency), db.WithRole(c.role)); err != nil {
		return nil, err
	}
	if a.redis, err = jobs.Connect(ctx, c.RedisURL); err != nil {
		return nil, err
	}
	if a.files, err = blob.OpenBucket(ctx, c.BlobURL); err != nil {
		return nil, fmt.Errorf("BLOB_URL: %w", err)
	}
	if c.SMTPURL != "" {
		if a.smtp, err = mail.NewSMTP(c.SMTPURL, c.Lease/2, c.Concurrency); err != nil {
			return nil, err
		}
	}
	if c.BounceURL != "" {
		if a.bounces, err = mail.NewIMAP(c.BounceURL, 2*time.Minute); err != nil {
			return nil, err
		}
	}
	var mailer mail.Sender // nil where no mail server is set: pages say so instead of sending
	if a.smtp != nil {
		mailer = a.meters.mails(a.smtp)
	}
	host, _ := os.Hostname()
	links := email.Links{BaseURL: c.BaseURL}
	a.account = &account.Service{Store: a.store, Now: time.Now, Limiter: limit.New(a.redis), Secrets: secrets, Passkeys: passkeys, Mailer: mailer,
		Mail: func(ctx context.Context, n account.Notice) (mail.Message, error) { return email.Notice(ctx, n, links) }}
	payLinks := [][]byte{}
	for _, token := range secrets.Tokens("pay links") {
		payLinks = append(payLinks, []byte(token))
	}
	a.billing = &billing.Service{Store: a.store, Now: time.Now, Files: a.files, BaseURL: c.BaseURL, Secret: payLinks[0], EarlierSecrets: payLinks[1:]}
	if c.StripeKey != "" {
		if a.billing.Gateway, err = stripe.New(stripe.Config{Key: c.StripeKey, WebhookSecret: c.StripeWebhook, URL: c.StripeURL}); err != nil {
			return nil, err
		}
	}
	a.reminder = &reminder.Service{Store: a.store, Billing: a.billing, Now: time.Now, Mailer: mailer, Lease: c.Lease,
		Gate:    reminder.Gate{PerSecond: c.MailRate, DomainPerSecond: c.DomainRate},
		LinkURL: func(kind, token string) string { return c.BaseURL + ui.MailLinkPath(kind, token) },
		Worker:  fmt.Sprintf("%s/%d", host, os.Getpid()),
		Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
			return email.Reminder(ctx, r, links)
		},
		RenderNotice: a.account.Mail,
	}
	if a.fiscal, err = a.openFiscal(links, mailer); err != nil {
		return nil, err
	}
	return a, nil
}

// close ends all connections.
func (a *app) close() {
	if a.smtp != nil {
		a.smtp.Close()
	}
	if a.files != nil {
		_ = a.files.Close()
	}
	if a.redis != nil {
		_ = a.redis.Close()
	}
	if a.store != nil {
		_ = a.store.Close()
	}
}

// web is the HTTP handler: pages, GraphQL and health.
func (a *app) web() http.Handler {
	api := graph.NewHandler(graph.Config{Account: a.account, Billing: a.billing, Reminder: a.reminder, Fiscal: a.fiscal,
		Introspection: a.config.Introspection, PDFPath: ui.PDFPath, NotePath: ui.CreditNotePath, PayPath: ui.PayPath, CFDIPath: ui.CFDIPath, ArchivePath: ui.FiscalArchivePath, Log: a.log, Now: time.Now})
	pages := ui.Config{Account: a.account, Billing: a.billing, Reminder: a.reminder, Fiscal: a.fiscal, GraphQL: api, RefuseAPI: api.Refuse, BaseURL: a.config.BaseURL,
		Outbox: a.billing.PendingWork, Downloads: a.billing.Downloads, Log: a.log, Now: time.Now, TrustedProxies: a.config.TrustedProxies, APIOrigins: a.config.APIOrigins}
	if a.mailbox != nil {
		pages.Mailbox = a.mailbox
	}
	mux := http.NewServeMux()
	a.health(mux)
	if a.cashier != nil {
		mux.Handle(cashierPath+"/", http.StripPrefix(cashierPath, a.cashier.Pages()))
	}
	mux.Handle("/", ui.New(pages))
	return a.meters.requests(mux)
}

// worker is the background part.
func (a *app) worker() *jobs.Worker {
	var bounces reminder.Mailbox
	if a.bounces != nil {
		bounces = a.bounces
	}
	return jobs.New(jobs.Config{Bounces: bounces, Store: a.store, Redis: a.redis, Account: a.account, Reminder: a.reminder, Billing: a.billing, Fiscal: a.fiscal,
		KeepEmails: a.config.KeepEmails, Concurrency: a.config.Concurrency, Log: a.log, Now: time.Now})
}

// folderURL is the BLOB_URL of a folder, which is made when it is missing.
func folderURL(dir string) (string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return "file://" + filepath.ToSlash(path) + "?create_dir=true&no_tmp_dir=true", nil
}
