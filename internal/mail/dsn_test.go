package mail

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// report writes a notification as mail servers do.
func report(action, status string) string {
	return strings.ReplaceAll(fmt.Sprintf(`From: MAILER-DAEMON@mx.example
To: cobranza@hospedaje.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

Lo sentimos.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 2 Mar 2026 10:00:00 -0600

Final-Recipient: rfc822; conta@uno.example
Original-Recipient: rfc822;Conta@uno.example
Action: %s
Status: %s
Diagnostic-Code: smtp; 550 5.1.1 <conta@uno.example>: no such user

--b
Content-Type: text/rfc822-headers

From: cobranza@hospedaje.example
Message-ID: <reminder.7.3.0@hospedaje.example>
Subject: Recordatorio

--b--
`, action, status), "\n", "\r\n")
}

func TestParseBounces(t *testing.T) {
	for _, c := range []struct {
		action, status       string
		n                    int
		permanent, temporary bool
	}{
		{"failed", "5.1.1", 1, true, false},
		{"failed", "5.1.1 (bad mailbox)", 1, true, false},
		{"failed", "4.4.7", 1, false, true},
		{"failed", "5.2.2", 1, false, true},   // the mailbox is full
		{"delayed", "4.4.1", 0, false, false}, // it will be tried again
		{"delivered", "2.0.0", 0, false, false},
		{"relayed", "2.0.0", 0, false, false},
	} {
		got, err := ParseBounces([]byte(report(c.action, c.status)))
		if err != nil || len(got) != c.n {
			t.Errorf("%s %s: %+v, %v", c.action, c.status, got, err)
			continue
		}
		for _, b := range got {
			if b.Permanent != c.permanent || b.Temporary != c.temporary || b.Recipient != "Conta@uno.example" || b.MessageID != "reminder.7.3.0@hospedaje.example" {
				t.Errorf("%s %s: %+v", c.action, c.status, b)
			}
		}
	}
	for _, text := range []string{"", "Subject: hola\r\n\r\ntexto", strings.ReplaceAll(report("failed", "5.1.1"), "report-type=delivery-status;", "")} {
		if _, err := ParseBounces([]byte(text)); !errors.Is(err, ErrNoReport) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// A report made to keep us busy costs little.
func TestParseBouncesIsBounded(t *testing.T) {
	many := report("failed", "5.1.1")
	group := "Final-Recipient: rfc822; x@uno.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
	for name, raw := range map[string]string{
		"many recipients": strings.Replace(many, "Final-Recipient:", strings.Repeat(group, 15_000)+"Final-Recipient:", 1),
		"many parts":      strings.Replace(many, "--b--", strings.Repeat("--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n"+group, 8_000)+"--b--", 1),
		"a long line":     strings.Replace(many, "Lo sentimos.", strings.Repeat("x", 1<<20), 1),
		"long field":      strings.Replace(many, "Diagnostic-Code:", "X-Y: "+strings.Repeat("y", 1<<20)+"\r\nDiagnostic-Code:", 1),
	} {
		began := time.Now()
		list, err := ParseBounces([]byte(raw))
		if len(list) > maxRecipients || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %d in %s, %v", name, len(list), time.Since(began), err)
		}
	}
}

func FuzzParseBounces(f *testing.F) {
	f.Add([]byte(report("failed", "5.1.1")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := ParseBounces(raw)
		if err != nil && len(list) > 0 {
			t.Fatal("a list and an error")
		}
		for _, b := range list {
			if b.Permanent == b.Temporary {
				t.Fatalf("%+v is both or neither", b)
			}
		}
	})
}
