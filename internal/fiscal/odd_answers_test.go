package fiscal_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/finkok"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/fiscal/swsapien"
)

// oddPACs are clients of providers and how their good answers carry a document.
var oddPACs = map[string]struct {
	client func(t *testing.T, url string) fiscal.Stamper
	answer func(t *testing.T, stamped []byte, uuid string) []byte
}{
	"swsapien": {func(t *testing.T, url string) fiscal.Stamper {
		c, err := swsapien.New(swsapien.Config{URL: url, APIURL: url, Token: "token-del-panel", Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, func(t *testing.T, stamped []byte, uuid string) []byte {
		data, err := json.Marshal(map[string]any{"status": "success", "data": map[string]any{"uuid": uuid, "cfdi": string(stamped)}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}},
	"finkok": {func(t *testing.T, url string) fiscal.Stamper {
		c, err := finkok.New(finkok.Config{URL: url, Username: "u", Password: "clave-del-pac", Timeout: time.Second, Sleep: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, func(t *testing.T, stamped []byte, uuid string) []byte {
		var text bytes.Buffer
		if err := xml.EscapeText(&text, stamped); err != nil {
			t.Fatal(err)
		}
		return []byte(`<senv:Envelope xmlns:senv="http://schemas.xmlsoap.org/soap/envelope/"><senv:Body><tns:stampResponse xmlns:tns="http://facturacion.finkok.com/stamp" xmlns:s0="apps.services.soap.core.views"><tns:stampResult><s0:xml>` +
			text.String() + `</s0:xml><s0:UUID>` + uuid + `</s0:UUID><s0:CodEstatus>Comprobante timbrado satisfactoriamente</s0:CodEstatus></tns:stampResult></tns:stampResponse></senv:Body></senv:Envelope>`)
	}},
}

// Whatever a provider answers that is neither our document, stamped, nor a refusal with its reason: it is no stamp, and it
// is nothing final either, because a document that is built anew after one could be stamped twice.
func TestOddAnswers(t *testing.T) {
	pac, err := sandbox.New(sandbox.Config{Now: func() time.Time { return fiscaltest.Noon }})
	if err != nil {
		t.Fatal(err)
	}
	sealed, otherSealed := fiscaltest.Sealed(t, "1"), fiscaltest.Sealed(t, "2")
	good, err := pac.Stamp(t.Context(), sealed, "")
	if err != nil {
		t.Fatal(err)
	}
	other, err := pac.Stamp(t.Context(), otherSealed, "")
	if err != nil {
		t.Fatal(err)
	}
	graft := func(change func(*fiscal.TimbreFiscalDigital)) []byte {
		timbre := good.Timbre
		change(&timbre)
		out, err := fiscal.InsertTimbre(sealed, &timbre)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	replaced := func(from, to string) []byte {
		if !bytes.Contains(good.XML, []byte(from)) {
			t.Fatal(from)
		}
		return bytes.ReplaceAll(good.XML, []byte(from), []byte(to))
	}
	sello := good.Timbre.SelloCFD
	flipped := map[byte]string{'A': "B"}[sello[0]]
	if flipped == "" {
		flipped = "A"
	}
	documents := map[string][]byte{
		"another document":              other.XML,
		"the stamp of another document": graft(func(x *fiscal.TimbreFiscalDigital) { *x = other.Timbre }),
		"without a stamp":               sealed,
		"no folio fiscal":               graft(func(x *fiscal.TimbreFiscalDigital) { x.UUID = "" }),
		"half a folio fiscal":           graft(func(x *fiscal.TimbreFiscalDigital) { x.UUID = x.UUID[:18] }),
		"another SelloCFD":              graft(func(x *fiscal.TimbreFiscalDigital) { x.SelloCFD = flipped + sello[1:] }),
		"no SelloSAT":                   graft(func(x *fiscal.TimbreFiscalDigital) { x.SelloSAT = "" }),
		"half a SelloSAT":               graft(func(x *fiscal.TimbreFiscalDigital) { x.SelloSAT = x.SelloSAT[:40] }),
		"SelloSAT in no base64":         graft(func(x *fiscal.TimbreFiscalDigital) { x.SelloSAT = strings.Repeat("ñ", 344) }),
		"no certificate of the SAT":     graft(func(x *fiscal.TimbreFiscalDigital) { x.NoCertificadoSAT = "" }),
		"no moment":                     graft(func(x *fiscal.TimbreFiscalDigital) { x.FechaTimbrado = "ayer" }),
		"no RFC of the provider":        graft(func(x *fiscal.TimbreFiscalDigital) { x.RfcProvCertif = "" }),
		"another total":                 replaced(`Total="1738.84"`, `Total="1738.85"`),
		"another receiver":              replaced("URE180429TM6", "CACX7605101P8"),
		"another seal of ours":          bytes.Replace(good.XML, []byte(` Sello="`+sello[:8]), []byte(` Sello="`+flipped+sello[1:8]), 1),
		"half the document":             good.XML[:len(good.XML)/2],
		"no document":                   []byte("Servicio no disponible"),
		"only white space":              []byte(" \n "),
	}
	compress := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(data)
		_ = w.Close()
		return b.Bytes()
	}
	for name, p := range oddPACs {
		right := p.answer(t, good.XML, good.Timbre.UUID)
		type reply = func(w http.ResponseWriter, r *http.Request)
		write := func(status int, contentType string, body []byte) reply {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				w.WriteHeader(status)
				_, _ = w.Write(body)
			}
		}
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the document went to another host", name) }))
		t.Cleanup(elsewhere.Close)
		page := []byte("<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><p>nginx & más</body></html>")
		cases := map[string]reply{
			"empty":                    write(200, "application/json", nil),
			"a page":                   write(200, "text/html", page),
			"a well-formed page":       write(200, "text/html", []byte("<html><body>Mantenimiento</body></html>")),
			"a page with 400":          write(400, "text/html", page),
			"an empty object":          write(200, "application/json", []byte(`{}`)),
			"an empty object with 400": write(400, "application/json", []byte(`{}`)),
			"another API's error":      write(400, "application/json", []byte(`{"error":{"code":400,"message":"Bad Request"}}`)),
			"success of nothing":       write(200, "application/json", []byte(`{"status":"success","data":null}`)),
			"success with 400":         write(400, "application/json", []byte(`{"status":"success","data":{}}`)),
			"an error without reason":  write(200, "application/json", []byte(`{"status":"error","message":"","data":null}`)),
			"null":                     write(200, "application/json", []byte(`null`)),
			"an empty envelope":        write(200, "text/xml", []byte(`<Envelope><Body/></Envelope>`)),
			"an incident without code": write(200, "text/xml", []byte(`<Envelope><Body><stampResponse><stampResult><Incidencias><Incidencia><MensajeIncidencia>?</MensajeIncidencia></Incidencia></Incidencias></stampResult></stampResponse></Body></Envelope>`)),
			"not found":                write(404, "text/html", page),
			"too many requests":        write(429, "text/plain", nil),
			"half a body": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100000")
				_, _ = w.Write(right[:len(right)/2])
			},
			"half of what is compressed": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(compress(right)[:200])
			},
			"said to be compressed": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(right)
			},
			"drop by drop": func(w http.ResponseWriter, r *http.Request) {
				for _, b := range right {
					_, _ = w.Write([]byte{b})
					if http.NewResponseController(w).Flush() != nil || r.Context().Err() != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			},
			"another host": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			},
		}
		for what, document := range documents {
			cases[what] = write(200, "text/xml", p.answer(t, document, good.Timbre.UUID))
		}
		for what, serve := range cases {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(http.HandlerFunc(serve))
				defer server.Close()
				result, err := p.client(t, server.URL).Stamp(t.Context(), sealed, "")
				if kind := fiscal.KindOf(err); result != nil || kind != fiscal.KindUnknown && kind != fiscal.KindUnavailable {
					t.Errorf("%+v %v", result, err)
				}
			})
		}
		t.Run(name+"/the right answer", func(t *testing.T) {
			t.Parallel()
			for what, serve := range map[string]reply{"plain": write(200, "text/plain", right), "compressed": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(compress(right))
			}} {
				server := httptest.NewServer(http.HandlerFunc(serve))
				result, err := p.client(t, server.URL).Stamp(t.Context(), sealed, "")
				if server.Close(); err != nil || !bytes.Equal(result.XML, good.XML) {
					t.Error(what, err)
				}
			}
		})
	}
}
