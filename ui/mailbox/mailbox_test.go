package mailbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// fixed is a box whose messages are given, oldest first.
type fixed []devstack.Message

func (f fixed) Messages() []devstack.Message {
	list := slices.Clone(f)
	slices.Reverse(list)
	return list
}

func (f fixed) Message(id int64) (devstack.Message, bool) {
	for _, m := range f {
		if m.ID == id {
			return m, true
		}
	}
	return devstack.Message{}, false
}

func mailTo(id int64, to, subject string) devstack.Message {
	return devstack.Message{ID: id, ReceivedAt: time.Date(2026, 4, 29, 16, 0, 0, 0, time.UTC), From: "cobranza@nube.example", To: []string{to}, Subject: subject,
		Headers: textproto.MIMEHeader{"Subject": {subject}, "To": {to}, "X-Otro": {"valor"}, "Message-Id": {"<1@nube.example>"}},
		Text:    "Buen día", HTML: `<p>Buen día <a href="https://nube.example/f">Ver factura</a></p>`}
}

func get(t *testing.T, box Box, address string) (*http.Response, string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range Routes(Config{Box: box}) {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) {
			if err := route.Handle(w, r.WithContext(component.WithLang(r.Context(), locale.Spanish))); err != nil {
				if !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", address, err)
				}
				w.WriteHeader(http.StatusNotFound)
			}
		})
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, address, nil))
	raw, _ := io.ReadAll(rec.Result().Body)
	return rec.Result(), string(raw)
}

// elements lists the elements of a kind.
func elements(t *testing.T, document, kind string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var found []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == kind {
			found = append(found, node)
		}
	}
	return found
}

func attr(node *html.Node, name string) (string, error) {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val, nil
		}
	}
	return "", errors.New("no " + name)
}

func TestEmpty(t *testing.T) {
	res, body := get(t, fixed{}, "/buzon")
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "Aún no llega ningún correo") || !strings.Contains(body, `href="/consola"`) || !strings.Contains(body, `hx-trigger="every 2s"`) {
		t.Errorf("%d\n%s", res.StatusCode, body)
	}
}

func TestList(t *testing.T) {
	box := fixed{}
	for i := range int64(shown + 5) {
		box = append(box, mailTo(i+1, fmt.Sprintf("c%d@ejemplo.example", i+1), "Recordatorio"))
	}
	_, body := get(t, box, "/buzon")
	if n := len(elements(t, body, "time")); n != shown {
		t.Errorf("%d messages listed", n)
	}
	if !strings.Contains(body, "205 mensajes") || strings.Index(body, "c205@") > strings.Index(body, "c204@") || strings.Contains(body, "c5@ejemplo") {
		t.Error("the list is not the newest first, or does not count the rest")
	}
}

func TestMessage(t *testing.T) {
	box := fixed{mailTo(1, "laura@aurora.example", "Uno"), mailTo(2, "diego@aurora.example", "Dos")}
	box[1].Attachments = []devstack.Attachment{{Name: "factura \"1\"/../é.pdf", ContentType: "application/pdf", Data: []byte("%PDF")}}
	res, body := get(t, box, "/buzon/2")
	frames := elements(t, body, "iframe")
	if res.StatusCode != http.StatusOK || len(frames) != 1 {
		t.Fatalf("%d, %d frames", res.StatusCode, len(frames))
	}
	sandbox, err := attr(frames[0], "sandbox")
	if src, _ := attr(frames[0], "src"); sandbox != "" || err != nil || src != "/buzon/2/html" {
		t.Errorf("frame of %q, sandbox %q %v", src, sandbox, err)
	}
	if strings.Contains(body, "<p>Buen día") || !strings.Contains(body, "https://nube.example/f") || !strings.Contains(body, `aria-current="true"`) {
		t.Error("the mail's HTML is in our page, its link is missing, or the list does not show the choice")
	}
	if _, body := get(t, box, "/buzon/2?ver=encabezados"); !strings.Contains(body, "X-Otro") || !strings.Contains(body, "&lt;1@nube.example&gt;") {
		t.Error("headers are missing")
	}
	if _, body := get(t, box, "/buzon/2?ver=adjuntos"); !strings.Contains(body, "/buzon/2/adjuntos/0") || !strings.Contains(body, "4 B") {
		t.Error("the attachment is missing")
	}
	res, body = get(t, box, "/buzon/2/adjuntos/0")
	if d := res.Header.Get("Content-Disposition"); body != "%PDF" || !strings.HasPrefix(d, "attachment;") || strings.Contains(d, "/") {
		t.Errorf("attachment %q as %q", body, d)
	}
	for _, address := range []string{"/buzon/3", "/buzon/x", "/buzon/0", "/buzon/-1", "/buzon/3/html", "/buzon/2/adjuntos/1", "/buzon/2/adjuntos/-1", "/buzon/1/adjuntos/0"} {
		if res, _ := get(t, box, address); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", address, res.StatusCode)
		}
	}
	if _, body := get(t, box, "/buzon/3"); !strings.Contains(body, "ya no está en el buzón") || !strings.Contains(body, "laura@aurora.example") {
		t.Error("a message that is gone is not explained")
	}
}

// Mail is written by strangers: it reaches the browser in the frame alone, without any power.
func TestHostileMail(t *testing.T) {
	evil := `<script>alert(1)</script><img src=x onerror=alert(2)>`
	m := mailTo(1, evil+"@x.example", evil)
	m.Text, m.HTML, m.Headers = evil, evil+`<a href="javascript:alert(3)">x</a><a href="https://ok.example/"><b>`+"Sí</b></a>", textproto.MIMEHeader{"X-Mal": {evil}, "From": {evil}}
	m.Attachments = []devstack.Attachment{{Name: evil, ContentType: "text/html", Data: []byte(evil)}}
	for _, tab := range []string{"", "?ver=html", "?ver=texto", "?ver=encabezados", "?ver=adjuntos", "?ver=%22%3E%3Cscript%3E"} {
		_, body := get(t, fixed{m}, "/buzon/1"+tab)
		if len(elements(t, body, "img")) != 0 || strings.Contains(body, "<script>alert") || strings.Contains(body, "javascript:") {
			t.Errorf("%q: the mail got into our page", tab)
		}
		if !strings.Contains(body, "https://ok.example/") {
			t.Errorf("%q: a link is missing", tab)
		}
	}
	for _, address := range []string{"/buzon/1/html", "/buzon/1/adjuntos/0"} {
		res, _ := get(t, fixed{m}, address)
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.HasSuffix(policy, "sandbox") || strings.Contains(policy, "script") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy %q", address, policy)
		}
	}
}

func TestLinksOf(t *testing.T) {
	got := linksOf(`<a href="https://a.example/">  Ver <b>factura</b> </a><a href="https://a.example/">otra vez</a><a href="mailto:x@y.example">x</a><a href="/local">l</a><a href="http://b.example"></a><a>n</a>`)
	want := []mailLink{{"Ver factura", "https://a.example/"}, {"http://b.example", "http://b.example"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Every text that the pages ask for exists.
func TestTextsExist(t *testing.T) {
	used := regexp.MustCompile(`"(mailbox\.[a-z_.]+)"`)
	n := 0
	for _, file := range []string{"mailbox.go", "mailbox.templ"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(raw), -1) {
			n++
			if !locale.Has(match[1]) {
				t.Errorf("no text %q", match[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d keys found", n)
	}
}
