// Command floor is the bare worker that the benchmark of sending measures the product's beside.
package main

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/internal/mail"
)

const concurrency = 10

func main() {
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// floorHTML is a plain mail as long as ours, because encoding and sending cost by the byte: its style
// sheet makes up for the markup that it lacks.
var floorHTML = template.Must(template.New("mail").Parse(`<!doctype html><html lang="es"><head><style>` + strings.Repeat("td { padding: 10px 12px; border-top: 1px solid #e1e6e8; }\n", 150) + `</style></head><body style="font-family:sans-serif"><h1>{{.Number}}</h1>
<p>Buen día, {{.Name}}:</p><p>Le recordamos que la factura {{.Number}} de {{.Client}} vence el {{.Due}}.</p>
<table>{{range $k, $v := .Facts}}<tr><th style="text-align:left">{{$k}}</th><td>{{$v}}</td></tr>{{end}}</table>
<p><a href="{{.Link}}">Ver factura</a></p><p>{{.Company}}</p></body></html>`))

// work is what anybody would write with the same parts and nothing of what makes reminders
// reliable: one task per mail, read the row, render with html/template, send over kept connections,
// note that it was sent.
func work() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	address, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	smtp, err := mail.NewSMTP(os.Getenv("SMTP_URL"), 20*time.Second, concurrency)
	if err != nil {
		return err
	}
	server := asynq.NewServerFromRedisClient(redis.NewClient(address), asynq.Config{Concurrency: concurrency, TaskCheckInterval: 200 * time.Millisecond, LogLevel: asynq.FatalLevel})
	err = server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		n, err := strconv.ParseInt(string(task.Payload()), 10, 64)
		if err != nil {
			return err
		}
		var number, due, name, address, client string
		var total int64
		err = pool.QueryRow(ctx, `SELECT i.number, i.due_date::text, i.total, k.firstname, k.email, c.name FROM bench_mail AS b
			JOIN invoice AS i ON i.id = b.invoice_id JOIN contact AS k ON k.id = b.contact_id JOIN client AS c ON c.id = i.client_id WHERE b.id = $1`, n).
			Scan(&number, &due, &total, &name, &address, &client)
		if err != nil {
			return err
		}
		var html bytes.Buffer
		if err := floorHTML.Execute(&html, map[string]any{"Number": number, "Name": name, "Client": client, "Due": due, "Link": "https://clientes.example/facturas/" + number,
			"Company": "Hospedaje Ejemplo", "Facts": map[string]string{"Factura": number, "Cliente": client, "Vencimiento": due, "Saldo": strconv.FormatInt(total, 10)}}); err != nil {
			return err
		}
		if _, err := smtp.Send(ctx, mail.Message{ID: fmt.Sprintf("floor.%d@hospedaje.example", n), FromName: "Hospedaje Ejemplo", From: "cobranza@hospedaje.example", To: address, ToName: name,
			Subject: "Recordatorio " + number, Text: "Le recordamos la factura " + number + " de " + client + ", que vence el " + due + ".", HTML: html.String()}); err != nil {
			return err
		}
		_, err = pool.Exec(ctx, "UPDATE bench_mail SET sent_at = now() WHERE id = $1", n)
		return err
	}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}
