package mail

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// crlf is how a mail writes line ends.
func crlf(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// anyText draws what can hurt in a mail more often than chance would.
func anyText() *rapid.Generator[string] {
	piece := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z ]{0,90}`),
		rapid.SampledFrom([]string{".", "..", "\r\n.\r\n", "\n", "\r", "=", " ", "  ", "\t", "\n.", "--=_avisa_mixed", "--=_avisa_alternative--", "ñ", "日本", "From ", "\x00"}))
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "") })
}

// checkLines holds what SMTP asks of every line.
func checkLines(t *rapid.T, raw string, most int) {
	for line := range strings.SplitSeq(raw, "\r\n") {
		if strings.HasPrefix(line, ".") || strings.ContainsAny(line, "\r\n") || len(line) > most {
			t.Fatalf("line %q of\n%s", line, raw)
		}
		for _, c := range []byte(line) {
			if c > 126 {
				t.Fatalf("line %q is not seven bits", line)
			}
		}
	}
}

func TestQuotedPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "text")
		var out bytes.Buffer
		quote(&out, text)
		checkLines(t, out.String(), lineLength)
		back, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(out.Bytes())))
		if err != nil || string(back) != crlf(text) {
			t.Fatalf("%q came back as %q, %v", text, back, err)
		}
	})
}

// Whatever a message holds, what is written is one well-formed mail that says exactly that.
func TestMessageReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Message{ID: "uno@empresa.example", From: "cobranza@empresa.example", To: "ana@cliente.example", FromName: anyText().Draw(t, "from"), ToName: anyText().Draw(t, "to"),
			Subject: anyText().Draw(t, "subject"), Text: anyText().Draw(t, "body"), Unsubscribe: "<https://empresa.example/" + strings.Repeat("x", 300) + ">"}
		if rapid.Bool().Draw(t, "with html") {
			m.HTML = "<p>" + anyText().Draw(t, "html")
		}
		for range rapid.IntRange(0, 2).Draw(t, "attachments") {
			m.Attachments = append(m.Attachments, Attachment{Name: "factura Ñ" + anyText().Draw(t, "name") + ".pdf", ContentType: "application/pdf", Data: []byte(anyText().Draw(t, "data"))})
		}
		var out bytes.Buffer
		if from, to, err := m.write(&out, time.Now()); err != nil || from != m.From || to != m.To {
			t.Fatal(from, to, err)
		}
		checkLines(t, out.String(), 998)
		parsed, err := netmail.ReadMessage(&out)
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
		if err != nil || strings.Join(strings.Fields(subject), " ") != strings.Join(strings.Fields(strings.ToValidUTF8(header(m.Subject), "\ufffd")), " ") {
			t.Fatalf("subject %q, %v, want %q", subject, err, header(m.Subject))
		}
		texts, files := contents(t, parsed.Header.Get("Content-Type"), parsed.Header.Get("Content-Transfer-Encoding"), parsed.Body)
		want := []string{crlf(m.Text)}
		if m.HTML != "" {
			want = append(want, crlf(m.HTML))
		}
		if len(texts) != len(want) || len(files) != len(m.Attachments) {
			t.Fatalf("%d texts, %d files", len(texts), len(files))
		}
		for i := range want {
			if strings.TrimSuffix(texts[i], "\r\n") != strings.TrimSuffix(want[i], "\r\n") {
				t.Fatalf("text %q, want %q", texts[i], want[i])
			}
		}
		for i, a := range m.Attachments {
			if files[i] != string(a.Data) {
				t.Fatalf("file %q, want %q", files[i], a.Data)
			}
		}
	})
}

// contents reads the texts and the files of a part and of the parts in it.
func contents(t *rapid.T, kind, encoding string, body io.Reader) (texts, files []string) {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatalf("%q: %v", kind, err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		switch encoding {
		case "base64":
			raw, err = io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(raw)))
			files = append(files, string(raw))
		case "quoted-printable":
			raw, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw)))
			texts = append(texts, string(raw))
		default:
			t.Fatalf("encoding %q", encoding)
		}
		if err != nil {
			t.Fatal(err)
		}
		return texts, files
	}
	for reader := multipart.NewReader(body, params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return texts, files
		}
		if err != nil {
			t.Fatal(err)
		}
		more, found := contents(t, part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
		texts, files = append(texts, more...), append(files, found...)
	}
}
