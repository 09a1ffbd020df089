// Package layout is what all areas of the web pages share: the frame around a page, and how a page,
// a redirect, a message for the next page or a session cookie is answered.
package layout

import "net/http"

// Handler answers a request. What it returns as an error is shown by the one translation of ui.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Who may ask for a route. It keeps the others out early; what somebody may see is decided by the
// services.
type Who string

// The callers of routes.
const (
	Everybody Who = "everybody"
	Logins    Who = "logins" // signed in to the client area
	Staff     Who = "staff"  // signed in to the console
	SignedIn  Who = "signed in"
)

// Route is a line of the table of routes.
type Route struct {
	Method string
	Path   string // pattern of http.ServeMux
	Who    Who
	Handle Handler
	// MaxBody is the largest body of a POST in bytes, and gives it time to arrive; 0: that of forms.
	MaxBody int64
}
