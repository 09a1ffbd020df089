package consulta_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/consulta"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// service answers as ConsultaCFDIService does, for the documents of a sandbox.
func service(t *testing.T, pac *sandbox.Sandbox) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Expresion string `xml:"Body>Consulta>expresionImpresa"`
		}
		if err := xml.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("SOAPAction") != `"http://tempuri.org/IConsultaCFDIService/Consulta"` || r.URL.Path != "/ConsultaCFDIService.svc" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		// RFCs with & are not escaped in the expression: cut by the names of the parameters
		get := func(name, next string) string {
			_, rest, _ := strings.Cut(in.Expresion, name+"=")
			value, _, _ := strings.Cut(rest, "&"+next+"=")
			return value
		}
		q := fiscal.StatusQuery{Emisor: get("re", "rr"), Receptor: get("rr", "tt"), Total: get("tt", "id"), UUID: get("id", "fe"), SelloEnd: get("fe", "\x00")}
		st, err := pac.Status(r.Context(), q)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ConsultaResponse xmlns="http://tempuri.org/"><ConsultaResult xmlns:a="http://schemas.datacontract.org/2004/07/Sat.Cfdi.Negocio.ConsultaCfdi.Servicio" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><a:CodigoEstatus>%s</a:CodigoEstatus><a:EsCancelable>%s</a:EsCancelable><a:Estado>%s</a:Estado><a:EstatusCancelacion>%s</a:EstatusCancelacion><a:ValidacionEFOS>200</a:ValidacionEFOS></ConsultaResult></ConsultaResponse></s:Body></s:Envelope>`,
			st.CodigoEstatus, st.EsCancelable, st.Estado, st.EstatusCancelacion)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestStatus(t *testing.T) {
	ctx := context.Background()
	pac, err := sandbox.New(sandbox.Config{Now: func() time.Time { return fiscaltest.Noon }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := pac.Stamp(ctx, fiscaltest.Sealed(t, "1"), "")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := fiscal.Parse(r.XML)
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, pac)
	c, err := consulta.New(s.URL, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := fiscal.QueryOf(doc.Comprobante)
	st, err := c.Status(ctx, q)
	if err != nil || st.Estado != fiscal.EstadoVigente || !strings.HasPrefix(st.CodigoEstatus, "S - ") || st.EsCancelable == "" {
		t.Errorf("%+v %v", st, err)
	}
	if _, err := pac.Cancel(ctx, fiscal.CancelRequest{RfcEmisor: q.Emisor, UUID: q.UUID, Motivo: "02"}); err != nil {
		t.Fatal(err)
	}
	if st, err = c.Status(ctx, q); err != nil || fiscal.CancelRequested.Observe(*st) != fiscal.CancelDone {
		t.Errorf("%+v %v", st, err)
	}
	q.Total = "1"
	if st, err = c.Status(ctx, q); err != nil || st.Estado != fiscal.EstadoNoEncontrado {
		t.Errorf("%+v %v", st, err)
	}
	s.Close()
	if _, err = c.Status(ctx, q); fiscal.KindOf(err) != fiscal.KindUnavailable {
		t.Error(err)
	}
}

func TestMalformedAnswer(t *testing.T) {
	for _, answer := range []string{"", "<html>", `<Envelope><Body/></Envelope>`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		c, err := consulta.New(s.URL, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Status(context.Background(), fiscal.StatusQuery{}); fiscal.KindOf(err) != fiscal.KindUnavailable {
			t.Errorf("%q: %v", answer, err)
		}
		s.Close()
	}
}
