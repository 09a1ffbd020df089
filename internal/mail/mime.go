package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
)

// A body in quoted-printable or base64 never holds "=_" (RFC 2045 sections 5 and 6.7), so these
// boundaries part any content.
const (
	mixed       = "=_avisa_mixed"
	alternative = "=_avisa_alternative"
)

// lineLength is how long a line of a mail should be at most, without its end (RFC 5322 section 2.1.1).
const lineLength = 76

// write puts the message into the buffer as a server takes it after DATA: CRLF line ends, seven bits
// as far as the addresses have them, and no line that begins with a dot, so that none must be doubled
// (RFC 5321 section 4.5.2). It returns the addresses of the envelope.
func (m Message) write(out *bytes.Buffer, now time.Time) (from, to string, err error) {
	sender, err := mailbox(m.FromName, m.From)
	if err != nil {
		return "", "", fmt.Errorf("sender address: %w", err)
	}
	recipient, err := mailbox(m.ToName, m.To)
	if err != nil {
		return "", "", fmt.Errorf("recipient address: %w", err)
	}
	field(out, "Date", now.Format(time.RFC1123Z))
	field(out, "MIME-Version", "1.0")
	field(out, "Message-ID", "<"+header(m.ID)+">")
	field(out, "From", sender.String())
	field(out, "To", recipient.String())
	if m.ReplyTo != "" {
		reply, err := netmail.ParseAddress(ASCII(m.ReplyTo))
		if err != nil {
			return "", "", fmt.Errorf("reply address: %w", err)
		}
		field(out, "Reply-To", reply.String())
	}
	field(out, "Subject", words(m.Subject))
	if m.Language != "" {
		field(out, "Content-Language", words(m.Language))
	}
	// Tells auto-responders to keep quiet (RFC 3834).
	field(out, "Auto-Submitted", "auto-generated")
	if m.Unsubscribe != "" {
		field(out, "List-Unsubscribe", words(m.Unsubscribe))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		field(out, name, words(m.Headers[name]))
	}
	if len(m.Attachments) == 0 {
		m.writeText(out)
		return sender.Address, recipient.Address, nil
	}
	field(out, "Content-Type", `multipart/mixed; boundary="`+mixed+`"`)
	out.WriteString("\r\n--" + mixed + "\r\n")
	m.writeText(out)
	for _, a := range m.Attachments {
		out.WriteString("\r\n--" + mixed + "\r\n")
		name := header(a.Name)
		field(out, "Content-Type", mime.FormatMediaType(a.ContentType, map[string]string{"name": name}))
		field(out, "Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		field(out, "Content-Transfer-Encoding", "base64")
		out.WriteString("\r\n")
		const perLine = lineLength / 4 * 3
		for chunk := range slices.Chunk(a.Data, perLine) {
			out.Write(base64.StdEncoding.AppendEncode(out.AvailableBuffer(), chunk))
			out.WriteString("\r\n")
		}
	}
	out.WriteString("\r\n--" + mixed + "--\r\n")
	return sender.Address, recipient.Address, nil
}

// writeText writes the header and the content of what people read.
func (m Message) writeText(out *bytes.Buffer) {
	if m.HTML == "" {
		writePart(out, "text/plain; charset=UTF-8", m.Text)
		return
	}
	field(out, "Content-Type", `multipart/alternative; boundary="`+alternative+`"`)
	out.WriteString("\r\n--" + alternative + "\r\n")
	writePart(out, "text/plain; charset=UTF-8", m.Text)
	out.WriteString("\r\n--" + alternative + "\r\n")
	writePart(out, "text/html; charset=UTF-8", m.HTML)
	out.WriteString("\r\n--" + alternative + "--\r\n")
}

func writePart(out *bytes.Buffer, kind, body string) {
	field(out, "Content-Type", kind)
	out.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	quote(out, body)
}

// field writes a header field, folded at its spaces (RFC 5322 section 2.2.3).
func field(out *bytes.Buffer, name, value string) {
	out.WriteString(name)
	out.WriteByte(':')
	column := len(name) + 1
	for word := range strings.FieldsSeq(value) {
		if column+1+len(word) > lineLength && column > len(name)+1 {
			out.WriteString("\r\n")
			column = 0
		}
		out.WriteByte(' ')
		out.WriteString(word)
		column += 1 + len(word)
	}
	out.WriteString("\r\n")
}

// words makes text fit for a header field: what is not ASCII becomes encoded words (RFC 2047).
func words(text string) string { return mime.QEncoding.Encode("utf-8", header(text)) }

const hexDigits = "0123456789ABCDEF"

// literal says which bytes quoted-printable leaves as they are wherever they stand.
var literal = func() (table [256]bool) {
	for c := '!'; c <= '~'; c++ {
		table[c] = c != '='
	}
	return table
}()

// quote writes text in quoted-printable (RFC 2045 section 6.7). mime/quotedprintable writes the same
// byte by byte, which cost more than making the text. A dot at the beginning of a line is quoted too.
func quote(out *bytes.Buffer, text string) {
	out.Grow(len(text) + len(text)/8)
	column := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c == '\n' || c == '\r' {
			if c == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			out.WriteString("\r\n")
			i, column = i+1, 0
			continue
		}
		// As much as may stand as it is and fits before the soft end of the line.
		run := i
		for limit := min(len(text), i+lineLength-1-column); run < limit && (literal[text[run]] || text[run] == ' '); run++ {
		}
		// A blank at the end of a line would be lost.
		for run > i && text[run-1] == ' ' && (run == len(text) || text[run] == '\n' || text[run] == '\r') {
			run--
		}
		if run > i && (column > 0 || c != '.') {
			out.WriteString(text[i:run])
			column, i = column+run-i, run
			continue
		}
		if column+3 > lineLength-1 {
			out.WriteString("=\r\n")
			column = 0
			continue
		}
		out.Write([]byte{'=', hexDigits[c>>4], hexDigits[c&15]})
		i, column = i+1, column+3
	}
}

// mailbox puts a name to an address without writing and reading it back (RFC 5322 section 3.4): a
// name may hold quotes and everything else that people put into one.
func mailbox(name, address string) (*netmail.Address, error) {
	parsed, err := netmail.ParseAddress("<" + ASCII(address) + ">")
	if err != nil {
		return nil, err
	}
	parsed.Name = strings.TrimSpace(header(name))
	return parsed, nil
}

// header takes line breaks and control characters out, so that no value can begin another header.
func header(text string) string {
	if !strings.ContainsFunc(text, control) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, text)
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }
