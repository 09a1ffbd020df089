package mail

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stage is a mail server that does something else at one of its answers, once.
type stage struct {
	net.Listener
	at       string // greeting, EHLO, AUTH, response, MAIL, RCPT, DATA, dot
	answer   string // "": it hangs up
	stall    time.Duration
	record   bool // what it is told, in heard
	fired    atomic.Bool
	accepted atomic.Int32    // mails taken over
	heard    strings.Builder // of a server that talks to one connection only
}

func (s *stage) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		go s.talk(conn)
	}
}

// reply answers at the step; usual: it was the usual answer.
func (s *stage) reply(conn net.Conn, at, text string) (usual, open bool) {
	usual = true
	if at == s.at && s.fired.CompareAndSwap(false, true) {
		time.Sleep(s.stall)
		if usual, text = false, s.answer; text == "" {
			return false, false
		}
	}
	_, err := fmt.Fprintf(conn, "%s\r\n", strings.ReplaceAll(text, "\n", "\r\n"))
	return usual, err == nil
}

func (s *stage) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, open := s.reply(conn, "greeting", "220 mail.example ESMTP")
	lines := bufio.NewReader(conn)
	for open {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if s.record {
			s.heard.WriteString(line)
		}
		verb := strings.FieldsFunc(strings.ToUpper(line)+" ", func(r rune) bool { return r == ' ' || r == ':' || r == '\r' || r == '\n' })[0]
		switch verb {
		case "EHLO":
			_, open = s.reply(conn, "EHLO", "250-mail.example\n250 AUTH CRAM-MD5")
		case "HELO":
			_, open = s.reply(conn, "HELO", "502 not here")
		case "AUTH":
			var usual bool
			if usual, open = s.reply(conn, "AUTH", "334 PDEyMy40NTZAbWFpbC5leGFtcGxlPg=="); !usual {
				continue
			}
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
			_, open = s.reply(conn, "response", "235 ok")
		case "DATA":
			var usual bool
			if usual, open = s.reply(conn, "DATA", "354 go on"); !usual {
				continue
			}
			for line != ".\r\n" {
				if line, err = lines.ReadString('\n'); err != nil {
					return
				}
				if s.record {
					s.heard.WriteString(line)
				}
			}
			if s.at != "dot" || s.fired.Load() {
				s.accepted.Add(1) // before the answer, after which the test counts
			}
			_, open = s.reply(conn, "dot", "250 taken")
		case "QUIT":
			_, _ = fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			_, open = s.reply(conn, verb, "250 ok")
		}
	}
}

// At every stage of a conversation the server may refuse for now, refuse for good, say nothing or hang
// up. Only what it says about the mail itself is the mail's end; a wrong password or a server that takes
// nobody is not. What happened is said in the error, and the next try arrives once.
func TestSMTPStages(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"greeting", "EHLO", "AUTH", "response", "MAIL", "RCPT", "DATA", "dot"} {
		for what, server := range map[string]*stage{
			"4xx":      {answer: "451 busy now"},
			"5xx":      {answer: "554 not for you"},
			"closes":   {answer: "421 closing"},
			"hangs up": {},
			"stalls":   {stall: 1500 * time.Millisecond, answer: "250 late"},
		} {
			t.Run(at+" "+what, func(t *testing.T) {
				t.Parallel()
				var err error
				if server.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = server.Close() })
				s := &stage{Listener: server.Listener, at: at, answer: server.answer, stall: server.stall}
				go s.serve()
				client, err := NewSMTP("smtp://user:secret@"+s.Addr().String()+"?tls=none", time.Second, 1)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(client.Close)
				m := Message{ID: "reminder.1.1.1@mail.example", From: "a@mail.example", To: "b@mail.example", Subject: "x", Text: "y"}
				_, err = client.Send(context.Background(), m)
				about := at == "MAIL" || at == "RCPT" || at == "DATA" || at == "dot"
				refusal, refused := AsRefusal(err)
				switch {
				case err == nil:
					t.Fatalf("sent although the server %s at %s", what, at)
				case strings.Contains(err.Error(), "secret"):
					t.Fatalf("tells the password: %v", err)
				case refused && refusal.Permanent != (what == "5xx" && about):
					t.Fatalf("permanent %t: %v", refusal.Permanent, err)
				case what == "5xx" && about && !refused:
					t.Fatalf("a refusal is not seen as one: %v", err)
				case (what == "4xx" || what == "5xx") && !strings.Contains(err.Error(), strings.SplitN(s.answer, " ", 2)[1]):
					t.Fatalf("what the server said is lost: %v", err)
				case s.accepted.Load() != 0:
					t.Fatalf("%d mails taken over", s.accepted.Load())
				}
				s.fired.Store(true)
				if _, err := client.Send(context.Background(), m); err != nil || s.accepted.Load() != 1 {
					t.Fatalf("the next try: %v, %d mails taken over", err, s.accepted.Load())
				}
			})
		}
	}
}

// A server that knows nothing but ASCII (no SMTPUTF8) is told nothing else: domains have their ASCII form in the
// envelope and in every header, names and subjects are encoded words. Only a local part outside of ASCII cannot be
// written for it, which is the end of that mail and said so.
func TestASCIIServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &stage{Listener: listener, record: true}
	go server.serve()
	t.Cleanup(func() { _ = listener.Close() })
	smtp, err := NewSMTP("smtp://"+listener.Addr().String()+"?tls=none", 5*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(smtp.Close)
	key := []byte("llave")
	m := Message{ID: ID(key, "reminder.1.2.3", "cobranza@señal.example"), FromName: "Señal 📡", From: "cobranza@señal.example", ReplyTo: "cobranza@señal.example",
		ToName: strings.Repeat("Comercializadora Ñandú ", 30), To: "ana+facturas@peña.example", Subject: "📡 Su factura vence mañana " + strings.Repeat("ñ", 300),
		Text: "Año", HTML: "<p>Año</p>"}
	if _, err := smtp.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	told := server.heard.String()
	for _, want := range []string{"MAIL FROM:<cobranza@xn--seal-hqa.example>\r\n", "RCPT TO:<ana+facturas@xn--pea-8ma.example>\r\n", "<ana+facturas@xn--pea-8ma.example>\r\n",
		"Reply-To: <cobranza@xn--seal-hqa.example>\r\n", "@xn--seal-hqa.example>\r\n"} {
		if !strings.Contains(told, want) {
			t.Errorf("not told %q:\n%s", want, told)
		}
	}
	for i, line := range strings.Split(told, "\r\n") {
		if !ascii(line) || len(line) > 998 { // RFC 5322 section 2.1.1
			t.Errorf("line %d: %q", i, line)
		}
	}
	m.To = "peña@cliente.example"
	if _, err := smtp.Send(t.Context(), m); err == nil {
		t.Error("accepted")
	} else if refusal, ok := AsRefusal(err); !ok || !refusal.Permanent || refusal.Code != 553 {
		t.Errorf("%v", err)
	}
}

// An address is one mailbox with either form of its domain; what is before the @ is the server's to read.
func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"ana@peña.example", "Ana@XN--PEA-8MA.example", true}, {"ana@peña.example", "ana@pena.example", false}, {"ana+a@x.example", "ana+b@x.example", false},
		{"ana@x.example", "ANA@x.example", true}, {"ana", "ana", true}, {"ana@x.example", "ana", false},
	} {
		if SameAddress(c.a, c.b) != c.want || SameAddress(Unicode(c.b), ASCII(c.a)) != c.want {
			t.Errorf("%s and %s: %t", c.a, c.b, !c.want)
		}
	}
}
