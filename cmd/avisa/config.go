package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Environments. Production is the default, so that nothing made for tests runs by accident.
const (
	production  = "production"
	development = "development"
	demo        = "demo"
)

// config is everything that can be set from outside, by environment variables alone.
type config struct {
	Env            string         // AVISA_ENV
	Addr           string         // AVISA_ADDR: where the web server listens
	MetricsAddr    string         // AVISA_METRICS_ADDR: where figures for Prometheus are served, "" for nowhere
	BaseURL        string         // AVISA_BASE_URL: how people reach it, without a slash at the end; "" in production if it is not set
	DatabaseURL    string         // DATABASE_URL
	RedisURL       string         // REDIS_URL
	SMTPURL        string         // SMTP_URL
	BounceURL      string         // BOUNCE_IMAP_URL: the mailbox that bounces return to, "" for none
	BlobURL        string         // BLOB_URL: gocloud.dev/blob, a folder or S3
	DataDir        string         // AVISA_DATA: private servers and files of the demo
	TrustedProxies []netip.Prefix // AVISA_TRUSTED_PROXIES: whose X-Forwarded-For is believed
	APIOrigins     []string       // AVISA_API_ORIGINS: whose pages may use the API from a browser
	Concurrency    int            // AVISA_CONCURRENCY: tasks that a worker does at once
	MailRate       float64        // AVISA_MAIL_RATE: mails a second of this process, 0 for no limit
	DomainRate     float64        // AVISA_MAIL_DOMAIN_RATE: and to one domain
	KeepEmails     int            // AVISA_KEEP_EMAILS: days that the content of sent mails is kept
	Lease          time.Duration  // AVISA_LEASE: after which a sending worker counts as lost
	Introspection  bool           // AVISA_INTROSPECTION
	Secret         string         // AVISA_SECRET: seals second factors, derives the links of mails
	OldSecret      string         // AVISA_SECRET_PREVIOUS: was AVISA_SECRET before
	StripeKey      string         // STRIPE_SECRET_KEY: card payments; "" for none
	StripeWebhook  string         // STRIPE_WEBHOOK_SECRET: signs the events
	StripeURL      string         // STRIPE_API_URL: "" is Stripe's own
	role           string         // what the process may do at most in the database: see db.WithRole
	Fiscal         fiscalConfig
}

func readConfig(env string) (config, error) {
	c := config{
		Env:         or("AVISA_ENV", env),
		Addr:        or("AVISA_ADDR", ":8080"),
		MetricsAddr: os.Getenv("AVISA_METRICS_ADDR"),
		DatabaseURL: os.Getenv("DATABASE_URL"),
		RedisURL:    os.Getenv("REDIS_URL"),
		SMTPURL:     os.Getenv("SMTP_URL"),
		BlobURL:     os.Getenv("BLOB_URL"),
		BounceURL:   os.Getenv("BOUNCE_IMAP_URL"),
		Secret:      os.Getenv("AVISA_SECRET"),
		OldSecret:   os.Getenv("AVISA_SECRET_PREVIOUS"),
		StripeKey:   os.Getenv("STRIPE_SECRET_KEY"), StripeWebhook: os.Getenv("STRIPE_WEBHOOK_SECRET"), StripeURL: os.Getenv("STRIPE_API_URL"),
		DataDir:     or("AVISA_DATA", ".avisa"),
		Concurrency: 10,
		KeepEmails:  180,
		Lease:       time.Minute,
	}
	var wrong []error
	switch c.Env {
	case production, development, demo:
	default:
		wrong = append(wrong, fmt.Errorf("AVISA_ENV is %q: production, development or demo", c.Env))
	}
	c.BaseURL = strings.TrimSuffix(os.Getenv("AVISA_BASE_URL"), "/")
	if c.BaseURL == "" && c.Env != production { // there only a person knows it: commands that need it say so
		_, port, _ := strings.Cut(c.Addr, ":")
		c.BaseURL = "http://localhost:" + port
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL == "" {
	} else if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		wrong = append(wrong, errors.New("AVISA_BASE_URL must be an address such as https://billing.example"))
	} else if c.Env == production && u.Scheme != "https" {
		wrong = append(wrong, errors.New("AVISA_BASE_URL must begin with https:// in production: browsers keep sessions of secure pages only"))
	}
	for part := range strings.SplitSeq(os.Getenv("AVISA_TRUSTED_PROXIES"), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("AVISA_TRUSTED_PROXIES: %q is no network such as 10.0.0.0/8", part))
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix)
	}
	for part := range strings.SplitSeq(os.Getenv("AVISA_API_ORIGINS"), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		// As browsers write it: anything else would never be equal. A * would let every page in.
		u, err := url.Parse(part)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || part != strings.ToLower(u.Scheme+"://"+u.Host) || strings.Contains(part, "*") {
			wrong = append(wrong, fmt.Errorf("AVISA_API_ORIGINS: %q is no origin such as https://app.example: scheme and host, in small letters, without a path or a star", part))
			continue
		}
		c.APIOrigins = append(c.APIOrigins, part)
	}
	if text := os.Getenv("AVISA_CONCURRENCY"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			wrong = append(wrong, errors.New("AVISA_CONCURRENCY must be a number from 1 to 1000"))
		}
		c.Concurrency = n
	}
	if text := os.Getenv("AVISA_KEEP_EMAILS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 3650 {
			wrong = append(wrong, errors.New("AVISA_KEEP_EMAILS must be a number of days from 1 to 3650"))
		}
		c.KeepEmails = n
	}
	if text := os.Getenv("AVISA_LEASE"); text != "" {
		lease, err := time.ParseDuration(text)
		if err != nil || lease < time.Second || lease > time.Hour {
			wrong = append(wrong, errors.New("AVISA_LEASE must be a duration from 1s to 1h"))
		}
		c.Lease = lease
	}
	for name, rate := range map[string]*float64{"AVISA_MAIL_RATE": &c.MailRate, "AVISA_MAIL_DOMAIN_RATE": &c.DomainRate} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || !(n > 0 && n <= 100_000) {
				wrong = append(wrong, fmt.Errorf("%s must be a number of mails a second, more than 0", name))
			}
			*rate = n
		}
	}
	if (c.StripeKey == "") != (c.StripeWebhook == "") {
		wrong = append(wrong, errors.New("STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET are set together: without the second nobody could tell a forged payment from a real one"))
	}
	c.Introspection = or("AVISA_INTROSPECTION", "on") != "off"
	fiscal, err := readFiscalConfig(c.Env)
	c.Fiscal = fiscal
	return c, errors.Join(append(wrong, err)...)
}

func or(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// need reports settings without which a command cannot work, all at once.
func (c config) need(names ...string) error {
	values := map[string]string{"DATABASE_URL": c.DatabaseURL, "REDIS_URL": c.RedisURL, "SMTP_URL": c.SMTPURL, "BLOB_URL": c.BlobURL,
		"AVISA_BASE_URL": c.BaseURL, "AVISA_SECRET": c.Secret}
	var missing []string
	for _, name := range names {
		if values[name] == "" && (name != "AVISA_SECRET" || c.Env == production) { // elsewhere one is made: see secrets
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not set: %s (see docs/operations.md)", strings.Join(missing, ", "))
	}
	return nil
}
