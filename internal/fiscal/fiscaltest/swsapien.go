package fiscaltest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// The account at the stub of SW sapien.
const (
	SWUser     = "facturas@proveedor.example"
	SWPassword = "clave-del-pac" //nolint:gosec // of the stub
)

// SWSapien is a stub that speaks the protocol of SW sapien; behind it a sandbox stamps.
type SWSapien struct {
	*httptest.Server
	PAC *sandbox.Sandbox

	Mu        sync.Mutex
	Token     string
	Logins    int
	Fail      []int         // statuses of the next stamps
	LoseReply bool          // the next stamp is made and its answer does not come
	CustomID  bool          // repetitions answer CFDI3307 without document instead of 307
	Empty307  bool          // 307 answers have no document
	Storage   bool          // the storage has the documents
	Answer    string        // the next stamp answers this body with 400
	Cancelled int           // cancellations that were taken as new ones
	release   chan struct{} // ends answers that do not come
}

// NewSWSapien starts one, until the test ends.
func NewSWSapien(tb testing.TB, behind *sandbox.Sandbox) *SWSapien {
	tb.Helper()
	s := &SWSapien{PAC: behind, Storage: true, release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /security/authenticate", s.authenticate)
	mux.HandleFunc("POST /cfdi33/stamp/v4", s.authorized(s.stamp))
	mux.HandleFunc("POST /v4/cfdi33/stamp/v4", s.authorized(s.stamp))
	mux.HandleFunc("GET /datawarehouse/v1/live/{uuid}", s.authorized(s.live))
	mux.HandleFunc("POST /cfdi33/cancel/{rfc}/{uuid}/{motivo}", s.authorized(s.cancel))
	mux.HandleFunc("POST /cfdi33/cancel/{rfc}/{uuid}/{motivo}/{folio}", s.authorized(s.cancel))
	mux.HandleFunc("POST /cfdi33/cancel/xml", s.authorized(s.cancelXML))
	mux.HandleFunc("GET /account/balance", s.authorized(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"saldoTimbres": 42, "unlimited": false}})
	}))
	s.Server = httptest.NewServer(mux)
	tb.Cleanup(func() { close(s.release); s.Close() })
	return s
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, message string, data any) {
	reply(w, 400, map[string]any{"status": "error", "message": message, "messageDetail": "detalle", "data": data})
}

func (s *SWSapien) authenticate(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Logins++
	if r.Header.Get("user") != SWUser || r.Header.Get("password") != SWPassword {
		reply(w, 401, map[string]any{"status": "error", "message": "AU2000 - El usuario y/o contraseña son inválidos: " + r.Header.Get("password")})
		return
	}
	s.Token = "token-" + strings.Repeat("x", s.Logins)
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"token": s.Token, "expires_in": 7200, "tokeType": "Bearer"}})
}

func (s *SWSapien) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Mu.Lock()
		ok := s.Token != "" && r.Header.Get("Authorization") == "Bearer "+s.Token
		s.Mu.Unlock()
		if !ok {
			reply(w, 401, map[string]any{"status": "error", "message": "Token inválido"})
			return
		}
		next(w, r)
	}
}

func (s *SWSapien) stamp(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("xml")
	if err != nil || header.Filename != "xml" || header.Header.Get("Content-Type") != "text/xml" {
		refuse(w, "301 - parte xml", nil)
		return
	}
	sealed, _ := io.ReadAll(file)
	s.Mu.Lock()
	if len(s.Fail) > 0 {
		status := s.Fail[0]
		s.Fail = s.Fail[1:]
		s.Mu.Unlock()
		w.WriteHeader(status)
		return
	}
	answer := s.Answer
	s.Answer = ""
	lose := s.LoseReply
	s.LoseReply = false
	s.Mu.Unlock()
	if answer != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, answer)
		return
	}
	key := r.Header.Get("customid")
	if (key != "") != strings.HasPrefix(r.URL.Path, "/v4/") {
		refuse(w, "301 - customid", nil)
		return
	}
	result, err := s.PAC.Stamp(r.Context(), sealed, key)
	if lose {
		<-s.release
		return
	}
	var e *fiscal.PACError
	switch {
	case errors.As(err, &e) && e.Code == "CFDI3307":
		refuse(w, "CFDI3307 - Timbre duplicado. El customId proporcionado está duplicado.", map[string]any{"uuid": e.Detail, "selloSAT": "x", "fechaTimbrado": "x", "cfdi": ""})
	case errors.As(err, &e):
		refuse(w, e.Code+" - "+e.Message, nil)
	case result.Repeated && s.CustomID:
		refuse(w, "CFDI3307 - Timbre duplicado. El customId proporcionado está duplicado.", map[string]any{"uuid": result.Timbre.UUID, "cfdi": ""})
	case result.Repeated && s.Empty307:
		refuse(w, "307. El comprobante contiene un timbre previo.", map[string]any{"uuid": result.Timbre.UUID, "cfdi": ""})
	case result.Repeated:
		refuse(w, "307. El comprobante contiene un timbre previo.", stampData(result))
	default:
		reply(w, 200, map[string]any{"status": "success", "data": stampData(result)})
	}
}

func stampData(r *fiscal.StampResult) map[string]any {
	return map[string]any{"cadenaOriginalSAT": fiscal.CadenaTFD(&r.Timbre), "noCertificadoSAT": r.Timbre.NoCertificadoSAT, "uuid": r.Timbre.UUID,
		"selloSAT": r.Timbre.SelloSAT, "selloCFDI": r.Timbre.SelloCFD, "fechaTimbrado": r.Timbre.FechaTimbrado, "cfdi": string(r.XML)}
}

func (s *SWSapien) live(w http.ResponseWriter, r *http.Request) {
	xml, err := s.PAC.Fetch(r.Context(), r.PathValue("uuid"))
	if err != nil || !s.Storage {
		reply(w, 404, map[string]any{"status": "error"})
		return
	}
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"records": []any{map[string]any{"cfdi": string(xml)}}}})
}

func (s *SWSapien) cancelled(w http.ResponseWriter, r *http.Request, req fiscal.CancelRequest) {
	result, err := s.PAC.Cancel(r.Context(), req)
	var e *fiscal.PACError
	if errors.As(err, &e) {
		if len(e.Code) == 3 {
			reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"acuse": "", "uuid": map[string]string{req.UUID: e.Code}}})
			return
		}
		refuse(w, e.Message, nil)
		return
	}
	if result.Code == fiscal.CodigoCancelada {
		s.Mu.Lock()
		s.Cancelled++
		s.Mu.Unlock()
	}
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"acuse": string(result.Acuse), "uuid": map[string]string{req.UUID: result.Code}}})
}

func (s *SWSapien) cancel(w http.ResponseWriter, r *http.Request) {
	s.cancelled(w, r, fiscal.CancelRequest{RfcEmisor: r.PathValue("rfc"), UUID: r.PathValue("uuid"), Motivo: r.PathValue("motivo"), FolioSustitucion: r.PathValue("folio")})
}

func (s *SWSapien) cancelXML(w http.ResponseWriter, r *http.Request) {
	file, _, err := r.FormFile("xml")
	if err != nil {
		refuse(w, "301 - parte xml", nil)
		return
	}
	signed, _ := io.ReadAll(file)
	n, err := fiscal.ParseNode(signed)
	if err != nil || n.Name != "Cancelacion" {
		refuse(w, "301 - XML mal formado", nil)
		return
	}
	rfc, _ := n.Attr("RfcEmisor")
	folio := n.Children[0].Children[0]
	uuid, _ := folio.Attr("UUID")
	motivo, _ := folio.Attr("Motivo")
	s.cancelled(w, r, fiscal.CancelRequest{RfcEmisor: rfc, UUID: uuid, Motivo: motivo})
}
