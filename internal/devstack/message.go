package devstack

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/textproto"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mail in ISO-8859-1 and the like
)

// Message is a mail the mailbox received.
type Message struct {
	ID         int64     // counts up from 1 in order of arrival
	ReceivedAt time.Time // when it was accepted
	From       string    // envelope sender (MAIL FROM)
	To         []string  // envelope recipients (RCPT TO)

	Subject     string               // decoded
	MessageID   string               // without the angle brackets
	Headers     textproto.MIMEHeader // all of them, values decoded to UTF-8
	Text        string               // the text/plain body
	HTML        string               // the text/html body
	Attachments []Attachment
	Raw         []byte // as received
}

// Attachment is a file of a message; inline images count as files too.
type Attachment struct {
	Name        string
	ContentType string // without parameters, for example application/pdf
	Data        []byte
}

// parseMessage never fails: of a broken message it keeps what can be read, and
// all of it in Raw.
func parseMessage(raw []byte) Message {
	m := Message{Raw: raw, Headers: textproto.MIMEHeader{}}
	entity, err := message.Read(bytes.NewReader(raw))
	if entity == nil || (err != nil && !readable(err)) {
		return m
	}
	for fields := entity.Header.Fields(); fields.Next(); {
		m.Headers.Add(fields.Key(), decodeHeader(fields.Value()))
	}
	m.Subject = m.Headers.Get("Subject")
	m.MessageID = trimAngles(m.Headers.Get("Message-Id"))
	// Walk stops at the first part it cannot read; the parts before it stay.
	_ = entity.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil && !readable(err) {
			return err
		}
		m.addPart(part)
		return nil
	})
	return m
}

// readable errors leave the bytes undecoded, which is better than nothing.
func readable(err error) bool {
	return message.IsUnknownCharset(err) || message.IsUnknownEncoding(err)
}

func (m *Message) addPart(part *message.Entity) {
	kind, params, err := part.Header.ContentType()
	if err != nil || kind == "" {
		kind = "text/plain" // RFC 2045, section 5.2
	}
	if strings.HasPrefix(kind, "multipart/") {
		return
	}
	disposition, dispositionParams, _ := part.Header.ContentDisposition()
	name := dispositionParams["filename"]
	if name == "" {
		name = params["name"]
	}
	data, err := io.ReadAll(part.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && len(data) == 0 {
		return
	}
	asFile := disposition == "attachment" || name != ""
	switch {
	case !asFile && kind == "text/plain" && m.Text == "":
		m.Text = string(data)
	case !asFile && kind == "text/html" && m.HTML == "":
		m.HTML = string(data)
	default:
		m.Attachments = append(m.Attachments, Attachment{Name: decodeHeader(name), ContentType: kind, Data: data})
	}
}

// decodeHeader undoes RFC 2047 encoded words; what is not encoded stays as is.
func decodeHeader(value string) string {
	decoder := mime.WordDecoder{CharsetReader: message.CharsetReader}
	if decoded, err := decoder.DecodeHeader(value); err == nil {
		return decoded
	}
	return value
}

func trimAngles(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}

// scanMessageID finds the Message-ID without parsing the body.
func scanMessageID(raw []byte) string {
	header, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw))).ReadMIMEHeader()
	return trimAngles(header.Get("Message-Id"))
}
