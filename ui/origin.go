package ui

import (
	"net/http"
	"slices"
)

// fromElsewhere lets pages of the listed origins use the API from the browser (CORS,
// https://fetch.spec.whatwg.org/#http-cors-protocol). They bring a token: cookies of this site are left out,
// so that a page elsewhere never acts as the person whose browser it shares, and no answer allows
// credentials. Anything else goes the guarded way.
func (s *site) fromElsewhere(open, guarded http.Handler) http.Handler {
	if len(s.APIOrigins) == 0 {
		return guarded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/graphql" {
			guarded.ServeHTTP(w, r)
			return
		}
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Add("Vary", "Origin") // caches keep the answers of origins apart
		if !slices.Contains(s.APIOrigins, origin) {
			guarded.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Accept-Language, Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
		r.Header.Del("Cookie")
		open.ServeHTTP(w, r)
	})
}
