// Package fault is the one vocabulary of errors: services return faults, each door translates them
// once (GraphQL userErrors and extensions, HTTP status and page, retry or give up in a job).
// Any other error is internal: logged at the door and shown as a request id.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a caller can do about a fault.
type Kind string

// The kinds of fault, used as GraphQL extension codes too.
const (
	Invalid         Kind = "INVALID"         // the input is wrong: Fields say where
	Unauthenticated Kind = "UNAUTHENTICATED" // sign in first
	Forbidden       Kind = "FORBIDDEN"       // signed in, and may know that the thing exists, but lacks the permission
	NotFound        Kind = "NOT_FOUND"       // no such thing, or a stranger's
	Conflict        Kind = "CONFLICT"        // the thing's state does not allow it
	RateLimited     Kind = "RATE_LIMITED"    // too many attempts: RetryAfter says when
	Unavailable     Kind = "UNAVAILABLE"     // a dependency is down: try again later
)

// Field is one thing wrong with an input.
type Field struct {
	Path string         // as the API names it: "email", "lines[2].quantity"; "" for the whole input
	Code string         // stable, upper snake case; its text in internal/locale is errors.<CODE>
	Args map[string]any // values for the text; never secrets
}

// Error is a deliberate answer to the caller.
type Error struct {
	Kind       Kind
	Code       string // stable; the Kind itself where no finer one is needed
	Args       map[string]any
	Fields     []Field
	RetryAfter time.Duration
	cause      error
}

func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Code != "" && e.Code != text {
		text += " " + e.Code
	}
	parts := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		parts = append(parts, f.Path+":"+f.Code)
	}
	if len(parts) > 0 {
		text += " [" + strings.Join(parts, " ") + "]"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the cause, for the log only.
func (e *Error) Unwrap() error { return e.cause }

// New makes a fault with a stable code.
func New(kind Kind, code string) *Error { return &Error{Kind: kind, Code: code} }

// Missing is the answer for an id that does not exist or belongs to a stranger: the same for both,
// so that nobody can learn which ids exist.
func Missing() *Error { return New(NotFound, string(NotFound)) }

// Because adds the cause, which is logged and never shown.
func (e *Error) Because(cause error) *Error { e.cause = cause; return e }

// With adds a value for the text.
func (e *Error) With(name string, value any) *Error {
	if e.Args == nil {
		e.Args = map[string]any{}
	}
	e.Args[name] = value
	return e
}

// As returns the fault inside err, if there is one.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// Is reports whether err is a fault of this kind.
func Is(err error, kind Kind) bool {
	e, ok := As(err)
	return ok && e.Kind == kind
}

// Checks collects what is wrong with an input, so that a person sees all of it at once.
type Checks struct{ fields []Field }

// Add notes a wrong field. args are name-value pairs for the text.
func (c *Checks) Add(path, code string, args ...any) {
	f := Field{Path: path, Code: code}
	for i := 0; i+1 < len(args); i += 2 {
		if f.Args == nil {
			f.Args = map[string]any{}
		}
		f.Args[fmt.Sprint(args[i])] = args[i+1]
	}
	c.fields = append(c.fields, f)
}

// Has reports whether the field was noted as wrong.
func (c *Checks) Has(path string) bool {
	for _, f := range c.fields {
		if f.Path == path {
			return true
		}
	}
	return false
}

// Err is nil when nothing is wrong.
func (c *Checks) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: string(Invalid), Fields: c.fields}
}
