package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// mainJob does the product's main job once, as a frontend would: through the public GraphQL API, one
// step after the other. It stops with the step that failed.
func mainJob(ctx context.Context, base string, mailbox *devstack.Mailbox, invoice id.Invoice) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Print("The main job, through the public GraphQL API:\n\n")
	f := &flow{api: apiClient{base: base}, mailbox: mailbox, invoice: invoice,
		contactEmail: flowContact + time.Now().Format("20060102-150405") + "@cafe-ficticio.example", contactPassword: "Una-Clave-Propia-26"}
	for i, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"A client signs in", f.ownerSignsIn},
		{"adds a contact", f.addsContact},
		{"Staff run reminders", f.runReminders},
		{"the mail arrives", f.mailArrives},
		{"The contact signs in", f.contactSignsIn},
		{"sees the invoice", f.seesInvoice},
		{"downloads its PDF", f.downloadsPDF},
	} {
		result, err := step.do(ctx)
		if err != nil {
			fmt.Printf("  ✗ %d. %-21s %v\n", i+1, step.name, err)
			return fmt.Errorf("step %d failed: %s", i+1, step.name)
		}
		fmt.Printf("  ✓ %d. %-21s %s\n", i+1, step.name, result)
	}
	return nil
}

// flowContact is what the addresses of the contacts begin with that mainJob adds.
const flowContact = "contadora-"

type flow struct {
	api             apiClient
	mailbox         *devstack.Mailbox
	invoice         id.Invoice
	client          string
	owner, contact  string // tokens
	contactEmail    string
	contactPassword string
}

func (f *flow) ownerSignsIn(ctx context.Context) (string, error) {
	token, client, name, err := f.signIn(ctx, demoOwner, demoPassword)
	f.owner, f.client = token, client
	return fmt.Sprintf("%s, owner of %s (%s)", demoOwner, name, client), err
}

func (f *flow) signIn(ctx context.Context, email, password string) (token, client, name string, err error) {
	var out struct {
		SignIn struct {
			Token  string
			Viewer struct {
				Clients []struct{ Client struct{ ID, Name string } }
			}
			UserErrors userErrors
		}
	}
	err = f.api.do(ctx, "", `mutation ($email: String!, $password: String!) {
		signIn(input: {email: $email, password: $password}) {
			token viewer { clients { client { id name } } } userErrors { field code message } } }`,
		map[string]any{"email": email, "password": password}, &out)
	if err = errors.Join(err, out.SignIn.UserErrors.err()); err != nil {
		return "", "", "", err
	}
	if len(out.SignIn.Viewer.Clients) == 0 {
		return "", "", "", errors.New("this login reaches no client")
	}
	first := out.SignIn.Viewer.Clients[0].Client
	return out.SignIn.Token, first.ID, first.Name, nil
}

// addsContact adds a contact with an address of its own, as if for the first time: those of earlier runs go.
func (f *flow) addsContact(ctx context.Context) (string, error) {
	if err := f.forgetContacts(ctx); err != nil {
		return "", err
	}
	var out struct {
		AddContact struct {
			Contact struct {
				ID, Name, Email string
				Topics          []string
				SubAccount      struct {
					Status      string
					Permissions []string
				}
			}
			UserErrors userErrors
		}
	}
	err := f.api.do(ctx, f.owner, `mutation ($client: ID!, $email: String!, $password: String!) {
		addContact(input: {clientId: $client, details: {firstname: "Contadora", lastname: "de Ejemplo", email: $email},
			subAccount: {password: $password, passwordAgain: $password, permissions: [INVOICES]}, topics: [INVOICE]}) {
			contact { id name email topics subAccount { status permissions } } userErrors { field code message } } }`,
		map[string]any{"client": f.client, "email": f.contactEmail, "password": f.contactPassword}, &out)
	c := out.AddContact.Contact
	return fmt.Sprintf("%s %s, sub-account %s, permissions %v, preferences %v", c.ID, c.Email, strings.ToLower(c.SubAccount.Status), c.SubAccount.Permissions, c.Topics),
		errors.Join(err, out.AddContact.UserErrors.err())
}

// forgetContacts deletes what earlier runs of the demo have added.
func (f *flow) forgetContacts(ctx context.Context) error {
	var list struct {
		Client struct {
			Contacts struct{ Nodes []struct{ ID, Email string } }
		}
	}
	if err := f.api.do(ctx, f.owner, `query ($client: ID!) { client(id: $client) { contacts(last: 100) { nodes { id email } } } }`,
		map[string]any{"client": f.client}, &list); err != nil {
		return err
	}
	for _, contact := range list.Client.Contacts.Nodes {
		if !strings.HasPrefix(contact.Email, flowContact) {
			continue
		}
		var out struct {
			DeleteContact struct{ UserErrors userErrors }
		}
		err := f.api.do(ctx, f.owner, `mutation ($contact: ID!) { deleteContact(input: {contactId: $contact}) { userErrors { field code message } } }`,
			map[string]any{"contact": contact.ID}, &out)
		if err = errors.Join(err, out.DeleteContact.UserErrors.err()); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) runReminders(ctx context.Context) (string, error) {
	var in struct {
		SignIn struct {
			Token      string
			UserErrors userErrors
		}
	}
	if err := f.api.do(ctx, "", `mutation ($email: String!, $password: String!) {
		signIn(input: {email: $email, password: $password, staff: true}) { token userErrors { field code message } } }`,
		map[string]any{"email": demoStaff, "password": demoPassword}, &in); err != nil {
		return "", err
	}
	if err := in.SignIn.UserErrors.err(); err != nil {
		return "", err
	}
	var out struct {
		SendReminders struct {
			Planned, Skipped int
			UserErrors       userErrors
		}
	}
	err := f.api.do(ctx, in.SignIn.Token, `mutation { sendReminders(input: {immediate: true}) { planned skipped userErrors { field code message } } }`, nil, &out)
	result := fmt.Sprintf("%d planned", out.SendReminders.Planned)
	if out.SendReminders.Planned == 0 {
		result = "nothing left to do: the worker, which plans every minute, was first; nobody gets a reminder twice"
	}
	return result, errors.Join(err, out.SendReminders.UserErrors.err())
}

func (f *flow) mailArrives(ctx context.Context) (string, error) {
	invoice, err := f.loadInvoice(ctx, f.owner)
	if err != nil {
		return "", err
	}
	message, err := f.mailbox.WaitFor(ctx, func(m devstack.Message) bool {
		return len(m.To) == 1 && strings.EqualFold(m.To[0], f.contactEmail) && slices.Contains(strings.Fields(m.Subject), invoice.Number)
	})
	if err != nil {
		return "", fmt.Errorf("no mail for %s reached the mailbox", f.contactEmail)
	}
	return fmt.Sprintf("%q to %s", message.Subject, message.To[0]), nil
}

func (f *flow) contactSignsIn(ctx context.Context) (string, error) {
	token, client, _, err := f.signIn(ctx, f.contactEmail, f.contactPassword)
	f.contact = token
	if err == nil && client != f.client {
		err = fmt.Errorf("it reaches %s, not %s", client, f.client)
	}
	return "with its own password", err
}

type flowInvoice struct {
	Number, DueDate, Status string
	Balance                 struct{ Formatted string }
	PDFReady                bool
	PDFPath                 string
	PDFSize                 int
}

func (f *flow) loadInvoice(ctx context.Context, token string) (flowInvoice, error) {
	var out struct{ Invoice *flowInvoice }
	err := f.api.do(ctx, token, `query ($id: ID!) { invoice(id: $id) { number dueDate status balance { formatted } pdfReady pdfPath pdfSize } }`,
		map[string]any{"id": f.invoice.String()}, &out)
	if err != nil || out.Invoice == nil {
		return flowInvoice{}, errors.Join(err, fmt.Errorf("invoice %s is not visible", f.invoice))
	}
	return *out.Invoice, nil
}

func (f *flow) seesInvoice(ctx context.Context) (string, error) {
	invoice, err := f.loadInvoice(ctx, f.contact)
	return fmt.Sprintf("%s (%s), %s, due %s, balance %s", invoice.Number, f.invoice, strings.ToLower(invoice.Status), invoice.DueDate, invoice.Balance.Formatted), err
}

func (f *flow) downloadsPDF(ctx context.Context) (string, error) {
	var asked struct {
		RequestInvoicePDF struct{ UserErrors userErrors } `json:"requestInvoicePdf"`
	}
	err := f.api.do(ctx, f.contact, `mutation ($id: ID!) { requestInvoicePdf(input: {invoiceId: $id}) { userErrors { field code message } } }`,
		map[string]any{"id": f.invoice.String()}, &asked)
	if err = errors.Join(err, asked.RequestInvoicePDF.UserErrors.err()); err != nil {
		return "", err
	}
	for {
		invoice, err := f.loadInvoice(ctx, f.contact)
		if err != nil {
			return "", err
		}
		if invoice.PDFReady {
			size, err := f.api.download(ctx, f.contact, invoice.PDFPath)
			return fmt.Sprintf("%s, %d bytes", invoice.PDFPath, size), err
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the PDF was not rendered in time")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// userErrors is what a mutation found wrong.
type userErrors []struct {
	Field         []string
	Code, Message string
}

func (list userErrors) err() error {
	texts := []string{}
	for _, e := range list {
		texts = append(texts, strings.TrimSpace(strings.Join(e.Field, ".")+" "+e.Code+": "+e.Message))
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// apiClient is a plain client of the public API.
type apiClient struct{ base string }

func (c apiClient) do(ctx context.Context, token, query string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	response, err := c.send(ctx, http.MethodPost, "/graphql", token, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	out := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: data}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&out); err != nil {
		return fmt.Errorf("HTTP %d: %w", response.StatusCode, err)
	}
	for _, e := range out.Errors {
		return errors.New(e.Message)
	}
	return nil
}

// download fetches a PDF and returns its size in bytes.
func (c apiClient) download(ctx context.Context, token, path string) (int, error) {
	response, err := c.send(ctx, http.MethodGet, path, token, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK || !bytes.HasPrefix(content, []byte("%PDF-")) {
		return 0, fmt.Errorf("HTTP %d, no PDF", response.StatusCode)
	}
	return len(content), nil
}

func (c apiClient) send(ctx context.Context, method, path, token string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return http.DefaultClient.Do(request)
}
