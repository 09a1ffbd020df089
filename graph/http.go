package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Endpoint speaks GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/): a request
// that is well formed is answered 200 in application/json whatever the document is worth, and 400 for
// a worthless document in application/graphql-response+json. The transports of gqlgen answer 422,
// add "data": null and repeat malformed bodies.
type Endpoint struct {
	*resolver
	exec   *executor.Executor
	schema *ast.Schema
}

const (
	typeJSON     = "application/json"
	typeResponse = "application/graphql-response+json"
	timeLimit    = 20 * time.Second // of one request
)

// failure is a request that is answered before it is executed.
type failure struct {
	status int
	errors gqlerror.List
}

func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeLimit)
	defer cancel()
	ctx, _ = e.withRequest(graphql.StartOperationTrace(ctx), r.Header)
	ctx = e.withLoaders(ctx)
	media, h := announce(w, r), w.Header()
	defer func() { // nothing written yet: the answer is written last
		if cause := recover(); cause != nil {
			write(w, http.StatusInternalServerError, gqlerror.List{internal(ctx, recovered(ctx, cause))}, nil)
		}
	}()
	if r.Method == http.MethodOptions {
		h.Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	params, failed := e.read(ctx, w, r)
	if failed == nil {
		var response *graphql.Response
		if response, failed = e.execute(ctx, r.Method, params); failed == nil {
			if wait := requestOf(ctx).wait; wait > 0 {
				h.Set("Retry-After", strconv.Itoa(wait))
			}
			write(w, http.StatusOK, response.Errors, response.Data)
			return
		}
	}
	if failed.status == 0 { // a document that cannot be executed
		failed.status = http.StatusOK
		if media == typeResponse {
			failed.status = http.StatusBadRequest
		}
	}
	if failed.status == http.StatusMethodNotAllowed {
		h.Set("Allow", "POST, OPTIONS")
		if r.Method != http.MethodGet {
			h.Set("Allow", "GET, POST, OPTIONS")
		}
	}
	write(w, failed.status, failed.errors, nil)
}

// Refuse answers a request that was refused before it came here, such as one of a foreign origin, or elsewhere, such as
// a program's download: with an entry of errors[] like any other, in the media type that the caller asked for. A fault
// without a kind is an internal error.
func (e *Endpoint) Refuse(w http.ResponseWriter, r *http.Request, status int, f *fault.Error) {
	ctx, req := e.withRequest(r.Context(), r.Header)
	announce(w, r)
	refused := refusal(ctx, f.Code, f.Args)
	if len(f.Fields) > 0 {
		refused = refusal(ctx, f.Fields[0].Code, f.Fields[0].Args)
		refused.Extensions["field"] = splitPath(f.Fields[0].Path)
	}
	if f.Kind == "" {
		refused.Extensions["request"] = req.id
	} else {
		refused.Extensions["kind"] = string(f.Kind)
	}
	write(w, status, gqlerror.List{refused}, nil)
}

// announce sets the headers of an answer and returns its media type.
func announce(w http.ResponseWriter, r *http.Request) (media string) {
	media = responseType(r.Header.Get("Accept"))
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept, Accept-Language")
	return media
}

func (e *Endpoint) execute(ctx context.Context, method string, params *graphql.RawParams) (*graphql.Response, *failure) {
	op, errs := e.exec.CreateOperationContext(ctx, params)
	if errs != nil {
		return nil, &failure{errors: e.documentErrors(ctx, op, params, errs)}
	}
	if method == http.MethodGet && op.Operation.Operation != ast.Query {
		return nil, refuse(ctx, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
	}
	respond, ctx := e.exec.DispatchOperation(ctx, op)
	response := respond(ctx)
	if response == nil { // the context ended before anything was done
		return nil, refuse(ctx, http.StatusServiceUnavailable, "UNAVAILABLE")
	}
	return response, nil
}

// read takes the GraphQL request out of the HTTP request.
func (e *Endpoint) read(ctx context.Context, w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *failure) {
	var params *graphql.RawParams
	var failed *failure
	switch r.Method {
	case http.MethodGet:
		params, failed = readURL(ctx, r.URL.RawQuery)
	case http.MethodPost:
		params, failed = readBody(ctx, w, r)
	default:
		return nil, refuse(ctx, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
	}
	if failed != nil {
		return nil, failed
	}
	if _, hash := params.Extensions["persistedQuery"]; hash && params.Query == "" { // such clients send the query then
		return nil, refuse(ctx, http.StatusBadRequest, "PERSISTED_QUERY_NOT_SUPPORTED")
	}
	if strings.TrimSpace(params.Query) == "" {
		return nil, refuse(ctx, http.StatusBadRequest, "QUERY_MISSING")
	}
	params.Headers = r.Header
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	return params, nil
}

func readURL(ctx context.Context, raw string) (*graphql.RawParams, *failure) {
	if len(raw) > maxBody {
		return nil, tooLarge(ctx)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(ctx, http.StatusBadRequest, "REQUEST_MALFORMED")
	}
	params := &graphql.RawParams{Query: values.Get("query"), OperationName: values.Get("operationName")}
	if text := values.Get("variables"); text != "" {
		if err := decode([]byte(text), &params.Variables); err != nil {
			return nil, refuse(ctx, http.StatusBadRequest, "REQUEST_MALFORMED")
		}
	}
	if text := values.Get("extensions"); text != "" {
		if err := decode([]byte(text), &params.Extensions); err != nil {
			return nil, refuse(ctx, http.StatusBadRequest, "REQUEST_MALFORMED")
		}
	}
	return params, nil
}

func readBody(ctx context.Context, w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *failure) {
	media, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != typeJSON || args["charset"] != "" && !strings.EqualFold(args["charset"], "utf-8") {
		return nil, refuse(ctx, http.StatusUnsupportedMediaType, "MEDIA_TYPE_UNSUPPORTED")
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge(ctx)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(ctx)
	}
	if err != nil {
		return nil, refuse(ctx, http.StatusBadRequest, "REQUEST_MALFORMED")
	}
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		return nil, refuse(ctx, http.StatusBadRequest, "BATCH_UNSUPPORTED")
	}
	var given struct {
		Query         string         `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	if err := decode(body, &given); err != nil {
		return nil, refuse(ctx, http.StatusBadRequest, "REQUEST_MALFORMED")
	}
	return &graphql.RawParams{Query: given.Query, OperationName: given.OperationName, Variables: given.Variables, Extensions: given.Extensions}, nil
}

// decode reads one JSON value and nothing after it; numbers stay exact.
func decode(text []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(to); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func refuse(ctx context.Context, status int, code string) *failure {
	return &failure{status, gqlerror.List{refusal(ctx, code, nil)}}
}

func tooLarge(ctx context.Context) *failure {
	return &failure{http.StatusRequestEntityTooLarge, gqlerror.List{refusal(ctx, "BODY_TOO_LARGE", map[string]any{"max": "1 MiB"})}}
}

// responseType is the first of our two media types that the caller accepts, application/json for a
// caller that accepts anything, or nothing we have.
func responseType(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case typeResponse:
			return typeResponse
		case typeJSON, "*/*", "application/*":
			return typeJSON
		}
	}
	return typeJSON
}

// write sends an answer. There is no "data" where nothing was executed.
func write(w http.ResponseWriter, status int, errs gqlerror.List, data json.RawMessage) {
	var out bytes.Buffer
	out.WriteByte('{')
	if len(errs) > 0 {
		text, err := json.Marshal(errs)
		if err != nil { // cannot happen: all extensions are strings and numbers
			text = []byte(`[{"message":"internal error","extensions":{"code":"INTERNAL"}}]`)
		}
		out.WriteString(`"errors":`)
		out.Write(text)
	}
	if data != nil {
		if len(errs) > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`"data":`)
		out.Write(data)
	}
	out.WriteByte('}')
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the caller left: nobody to tell
}
