package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // reports in ISO-8859-1 and the like
)

// Bounce is what a delivery status notification says of one recipient (RFC 3464 section 2.3).
type Bounce struct {
	Recipient  string // the address that the mail was for
	Permanent  bool   // action failed with a status 5.y.z: the address takes no mail
	Temporary  bool   // given up for a passing reason (4.y.z), or for a full mailbox
	Status     string // enhanced status code, "5.1.1" (RFC 3463)
	Diagnostic string // the remote system's words
	MessageID  string // of the mail that came back, without angle brackets; "" when the report does not say
}

// What a report holds at most; more is somebody's attempt to keep us busy, because we write to one
// recipient at a time.
const (
	maxParts      = 50
	maxRecipients = 20
)

// ErrNoReport is returned for a mail that is no delivery status notification.
var ErrNoReport = errors.New("not a delivery status notification")

// ParseBounces reads a delivery status notification (multipart/report with report-type
// delivery-status, RFC 3464). Reports that a mail arrived, was relayed, or is delayed and will be tried
// again (section 2.3.3) are left out: nothing came back.
func ParseBounces(raw []byte) ([]Bounce, error) {
	entity, err := message.Read(bytes.NewReader(raw))
	if entity == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return nil, ErrNoReport
	}
	kind, params, err := entity.Header.ContentType()
	if err != nil || kind != "multipart/report" || !strings.EqualFold(params["report-type"], "delivery-status") {
		return nil, ErrNoReport
	}
	var bounces []Bounce
	messageID, found := "", false
	parts := entity.MultipartReader()
	for range maxParts {
		if parts == nil {
			break
		}
		part, err := parts.NextPart()
		if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			break
		}
		kind, _, _ := part.Header.ContentType()
		body := io.LimitReader(part.Body, 1<<20)
		switch kind {
		case "message/delivery-status", "message/global-delivery-status":
			found = true
			bounces = append(bounces, recipients(body)...)
		case "message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "message/global":
			header, _ := textproto.NewReader(bufio.NewReader(body)).ReadMIMEHeader()
			messageID = strings.Trim(strings.TrimSpace(header.Get("Message-Id")), "<>")
		}
	}
	if !found {
		return nil, ErrNoReport
	}
	bounces = bounces[:min(len(bounces), maxRecipients)]
	for i := range bounces {
		bounces[i].MessageID = messageID
	}
	return bounces, nil
}

// recipients reads the groups of fields: the first is about the message, each further one about a recipient.
func recipients(body io.Reader) []Bounce {
	reader := textproto.NewReader(bufio.NewReader(body))
	var list []Bounce
	for {
		fields, err := reader.ReadMIMEHeader()
		if address := typed(fields.Get("Final-Recipient")); address != "" {
			b := Bounce{Recipient: address, Status: strings.TrimSpace(fields.Get("Status")), Diagnostic: clean(typed(fields.Get("Diagnostic-Code")))}
			if original := typed(fields.Get("Original-Recipient")); original != "" {
				b.Recipient = original
			}
			// A status may carry a comment: "5.1.1 (bad mailbox)".
			b.Status, _, _ = strings.Cut(b.Status, " ")
			action := strings.ToLower(strings.TrimSpace(fields.Get("Action")))
			b.Permanent = action == "failed" && !strings.HasPrefix(b.Status, "4.") && !full(b.Status)
			b.Temporary = !b.Permanent && action == "failed"
			if b.Permanent || b.Temporary {
				list = append(list, b)
			}
		}
		if err != nil || len(list) == maxRecipients {
			return list
		}
	}
}

// full reports whether the status speaks of a full mailbox or a message that is too large (RFC 3463
// section 3.3): the address is right, so it is no reason to stop mail for good.
func full(status string) bool { return status == "5.2.2" || status == "5.2.3" || status == "5.3.4" }

// typed is the value of a field of the form "rfc822; address".
func typed(field string) string {
	if _, value, ok := strings.Cut(field, ";"); ok {
		field = value
	}
	return strings.Trim(strings.TrimSpace(field), "<>")
}
