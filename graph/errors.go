package graph

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// The two ways in which a request fails. A mutation answers faults in its userErrors, one place for
// a client to look. Everything else is in errors[] with extensions.code; the field is null.

// refusal is an entry of errors[] with a stable code and its text in the caller's language.
func refusal(ctx context.Context, code string, args map[string]any) *gqlerror.Error {
	return &gqlerror.Error{Message: locale.Error(requestOf(ctx).lang, code, args), Extensions: map[string]any{"code": code}}
}

func tooComplex(ctx context.Context, what string, limit int) *gqlerror.Error {
	err := refusal(ctx, "QUERY_TOO_COMPLEX", nil)
	err.Extensions["exceeds"], err.Extensions["limit"] = what, limit
	return err
}

// errPanic stands for a panic that recovered has logged.
var errPanic = errors.New("panic")

func recovered(ctx context.Context, cause any) error {
	requestOf(ctx).report(ctx, "graphql: panic", fmt.Errorf("%v", cause), "stack", string(debug.Stack()))
	return errPanic
}

// present translates what a resolver or an argument failed with.
func present(ctx context.Context, err error) *gqlerror.Error {
	var at gqlerror.Error
	if located, ok := errors.AsType[*gqlerror.Error](err); ok {
		at = *located
	}
	out, input := translate(ctx, err, at)
	out.Locations, out.Path = at.Locations, at.Path
	if field := graphql.GetFieldContext(ctx); field != nil && input != nil {
		out.Path = field.Path()
		out.Extensions["field"] = input
	}
	return out
}

func translate(ctx context.Context, err error, at gqlerror.Error) (out *gqlerror.Error, input []string) {
	input = inputPath(ctx, at.Path)
	if f, ok := fault.As(err); ok {
		out, fields := presentFault(ctx, f)
		if fields != nil {
			input = fields
		}
		return out, input
	}
	field := graphql.GetFieldContext(ctx)
	switch {
	case input != nil: // an argument could not be read
		return refusal(ctx, "VALUE_INVALID", nil), input
	case field != nil && (field.Field.Name == "__schema" || field.Field.Name == "__type") && graphql.GetOperationContext(ctx).DisableIntrospection:
		return refusal(ctx, "INTROSPECTION_DISABLED", nil), nil
	case db.Unanswered(err):
		out, _ := presentFault(ctx, fault.New(fault.Unavailable, string(fault.Unavailable)).Because(err))
		return out, nil
	case ctx.Err() != nil: // the caller left, or its time is over
		return refusal(ctx, string(fault.Unavailable), nil), nil
	}
	return internal(ctx, err), nil
}

// presentFault is a fault in errors[]; input is the argument it is about.
func presentFault(ctx context.Context, f *fault.Error) (out *gqlerror.Error, input []string) {
	if f.Kind == fault.Unavailable {
		requestOf(ctx).report(ctx, "graphql: unavailable", f)
	}
	out = refusal(ctx, f.Code, f.Args)
	if len(f.Fields) > 0 {
		out, input = refusal(ctx, f.Fields[0].Code, f.Fields[0].Args), splitPath(f.Fields[0].Path)
	}
	out.Extensions["kind"] = string(f.Kind)
	if f.RetryAfter > 0 {
		out.Extensions["retryAfter"] = seconds(f)
		requestOf(ctx).limited(seconds(f))
	}
	return out, input
}

// internal is all that is said about an unexpected error; the log has the rest.
func internal(ctx context.Context, err error) *gqlerror.Error {
	req := requestOf(ctx)
	for located, ok := errors.AsType[*gqlerror.Error](err); ok && located.Err != nil; located, ok = errors.AsType[*gqlerror.Error](err) {
		err = located.Err // the place would make one error of a loader many
	}
	if !errors.Is(err, errPanic) {
		req.report(ctx, "graphql: internal error", err)
	}
	out := refusal(ctx, "INTERNAL", map[string]any{"request": req.id})
	out.Extensions["request"] = req.id
	return out
}

// inputPath is the part of an error's path that lies inside the field's arguments, nil when the
// field itself failed.
func inputPath(ctx context.Context, path ast.Path) []string {
	field := graphql.GetFieldContext(ctx)
	if field == nil {
		return nil
	}
	if n := len(field.Path()); len(path) > n {
		return argumentPath(path[n:])
	}
	return nil
}

// argumentPath names a value as userErrors do: inside "input" where a mutation has one.
func argumentPath(path ast.Path) []string {
	names := []string{}
	for _, element := range path {
		switch e := element.(type) {
		case ast.PathName:
			names = append(names, string(e))
		case ast.PathIndex:
			names = append(names, strconv.Itoa(int(e)))
		}
	}
	if len(names) > 1 && names[0] == "input" {
		return names[1:]
	}
	return names
}

var pathElement = regexp.MustCompile(`[^.\[\]]+`)

// splitPath turns "lines[2].quantity" into its elements; nil for the whole input.
func splitPath(path string) []string { return pathElement.FindAllString(path, -1) }

// seconds to wait, rounded up as the text does.
func seconds(f *fault.Error) int { return int(f.RetryAfter.Seconds()) + 1 }

// contactPath is splitPath for the inputs that hold a contact's details in an object of their own.
func contactPath(path string) []string {
	names := splitPath(path)
	if len(names) == 1 && names[0] != "topics" && names[0] != "subAccount" {
		return append([]string{"details"}, names...)
	}
	return names
}

// userErrors turns the fault of a mutation into its userErrors. idField is what a missing thing is
// reported on, with dots between the parts of its path. Errors that are no answer to the caller come back as err.
func userErrors(ctx context.Context, err error, idField string, paths func(string) []string) ([]*model.UserError, error) {
	list := []*model.UserError{}
	if err == nil {
		return list, nil
	}
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.Unavailable {
		return list, err
	}
	if f.RetryAfter > 0 {
		requestOf(ctx).limited(seconds(f))
	}
	lang := requestOf(ctx).lang
	for _, field := range f.Fields {
		list = append(list, &model.UserError{Field: paths(field.Path), Code: field.Code, Message: locale.Error(lang, field.Code, field.Args)})
	}
	if len(list) == 0 {
		one := &model.UserError{Code: f.Code, Message: locale.Error(lang, f.Code, f.Args)}
		if f.Kind == fault.NotFound && idField != "" {
			one.Field = strings.Split(idField, ".")
		}
		list = append(list, one)
	}
	return list, nil
}
