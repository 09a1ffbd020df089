package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

const (
	maxErrors  = 20  // of one answer
	maxMessage = 300 // characters: validation repeats what it was given
)

// documentErrors are the errors of a request that was not executed. Those about a value name it and
// are told in the caller's language; those about the document itself are for the developer, in
// English as the standard words them.
func (e *Endpoint) documentErrors(ctx context.Context, op *graphql.OperationContext, params *graphql.RawParams, errs gqlerror.List) gqlerror.List {
	list := gqlerror.List{}
	for _, err := range errs[:min(len(errs), maxErrors)] {
		var wrong *wrongValue
		switch {
		case len(err.Path) > 1 && err.Path[0] == ast.PathName("variable"):
			wrong = e.wrongVariable(op, params.Variables, err)
		case err.Rule == "ValuesOfCorrectType" || err.Rule == "ProvidedRequiredArguments":
			wrong = e.wrongLiteral(params.Query, err)
		}
		out := &gqlerror.Error{Message: clip(err.Message), Locations: err.Locations, Extensions: map[string]any{}}
		for name, value := range err.Extensions {
			if name != "file" {
				out.Extensions[name] = value
			}
		}
		if wrong != nil {
			code := wrong.code(err.Message)
			out.Extensions["code"], out.Extensions["kind"] = code, "INVALID"
			out.Extensions["field"], out.Extensions["detail"] = wrong.field, out.Message
			out.Message = locale.Error(requestOf(ctx).lang, code, map[string]any{"value": clip(wrong.value)})
		}
		list = append(list, out)
	}
	return list
}

// wrongValue is an input value that has not the type it must have.
type wrongValue struct {
	field []string // where it is, as userErrors say
	kind  string   // the name of the type it must have
	value string   // what was given, if it was a word
}

// code is the stable code of what is wrong with the value; complaint is the validator's text.
func (w wrongValue) code(complaint string) string {
	for _, missing := range []string{"must be defined", "cannot be null", "was not provided", "found null", "is required"} {
		if strings.Contains(complaint, missing) {
			return "REQUIRED"
		}
	}
	if strings.Contains(complaint, "unknown field") || strings.Contains(complaint, "is not defined by type") {
		return "FIELD_UNKNOWN"
	}
	switch w.kind {
	case "Permission":
		return "PERMISSION_UNKNOWN"
	case "Topic":
		return "TOPIC_UNKNOWN"
	case "Language":
		return "LANGUAGE_UNKNOWN"
	case "Currency":
		return "CURRENCY_UNKNOWN"
	case "TaxTreatment":
		return "TAX_TREATMENT_UNKNOWN"
	}
	return "VALUE_INVALID"
}

// wrongVariable follows the path of a variable error: variable, its name, fields and indexes.
func (e *Endpoint) wrongVariable(op *graphql.OperationContext, variables map[string]any, err *gqlerror.Error) *wrongValue {
	name, _ := err.Path[1].(ast.PathName)
	wrong := &wrongValue{field: argumentPath(err.Path[1:])}
	if op.Operation == nil {
		return wrong
	}
	use := search{Endpoint: e, variable: string(name)}
	use.document(op.Doc)
	if use.found != nil {
		wrong.field = argumentPath(append(use.path, err.Path[2:]...))
	}
	definition := op.Operation.VariableDefinitions.ForName(string(name))
	if definition == nil {
		return wrong
	}
	kind, value := definition.Type, variables[string(name)]
	for _, element := range err.Path[2:] {
		switch element := element.(type) {
		case ast.PathName:
			object, _ := value.(map[string]any)
			value = object[string(element)]
			kind = e.inputField(kind, string(element))
		case ast.PathIndex:
			if items, ok := value.([]any); ok && int(element) < len(items) {
				value = items[element]
			}
			if kind != nil {
				kind = kind.Elem
			}
		}
	}
	if kind != nil {
		wrong.kind = kind.Name()
	}
	switch value := value.(type) {
	case string:
		wrong.value = value
	case json.Number:
		wrong.value = value.String()
	}
	return wrong
}

// inputField is the type of a field of an input object; nil when there is none.
func (e *Endpoint) inputField(of *ast.Type, name string) *ast.Type {
	if of == nil {
		return nil
	}
	if definition := e.schema.Types[of.Name()]; definition != nil {
		if field := definition.Fields.ForName(name); field != nil {
			return field.Type
		}
	}
	return nil
}

// wrongLiteral finds the value of the document at the place of a validation error, which names line
// and column only.
func (e *Endpoint) wrongLiteral(query string, err *gqlerror.Error) *wrongValue {
	doc, broken := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if broken != nil || len(err.Locations) == 0 {
		return nil
	}
	s := search{Endpoint: e, at: err.Locations[0]}
	s.document(doc)
	return s.found
}

// search finds the value at a place of the document, or the first that is a variable.
type search struct {
	*Endpoint
	at       gqlerror.Location
	variable string
	found    *wrongValue
	path     ast.Path // of what was found
}

func (s *search) here(p *ast.Position) bool {
	return p != nil && p.Line == s.at.Line && p.Column == s.at.Column
}

func (s *search) document(doc *ast.QueryDocument) {
	roots := map[ast.Operation]*ast.Definition{ast.Query: s.schema.Query, ast.Mutation: s.schema.Mutation}
	for _, op := range doc.Operations {
		s.selections(op.SelectionSet, roots[op.Operation])
	}
	for _, fragment := range doc.Fragments {
		s.selections(fragment.SelectionSet, s.schema.Types[fragment.TypeCondition])
	}
}

func (s *search) selections(set ast.SelectionSet, parent *ast.Definition) {
	for _, selection := range set {
		switch selected := selection.(type) {
		case *ast.InlineFragment:
			within := parent
			if selected.TypeCondition != "" {
				within = s.schema.Types[selected.TypeCondition]
			}
			s.selections(selected.SelectionSet, within)
		case *ast.Field:
			if parent == nil {
				continue
			}
			field := parent.Fields.ForName(selected.Name)
			if field == nil {
				continue
			}
			if s.here(selected.Position) { // a required argument is missing
				s.found = &wrongValue{field: missingArgument(field, selected)}
			}
			for _, argument := range selected.Arguments {
				if definition := field.Arguments.ForName(argument.Name); definition != nil {
					s.value(argument.Value, definition.Type, ast.Path{ast.PathName(argument.Name)})
				}
			}
			s.selections(selected.SelectionSet, s.schema.Types[field.Type.Name()])
		}
	}
}

func missingArgument(field *ast.FieldDefinition, selected *ast.Field) []string {
	for _, argument := range field.Arguments {
		if argument.Type.NonNull && argument.DefaultValue == nil && selected.Arguments.ForName(argument.Name) == nil {
			return []string{argument.Name}
		}
	}
	return nil
}

func (s *search) value(value *ast.Value, kind *ast.Type, path ast.Path) {
	if s.found == nil && (s.here(value.Position) || s.variable != "" && value.Kind == ast.Variable && value.Raw == s.variable) {
		s.path = path
		s.found = &wrongValue{field: argumentPath(path), value: value.Raw}
		if kind != nil {
			s.found.kind = kind.Name()
		}
		if value.Kind == ast.ObjectValue { // a required field of it is missing
			s.found.value = ""
			if definition := s.schema.Types[s.found.kind]; definition != nil {
				for _, field := range definition.Fields {
					if field.Type.NonNull && field.DefaultValue == nil && value.Children.ForName(field.Name) == nil {
						s.found.field = argumentPath(append(path, ast.PathName(field.Name)))
						break
					}
				}
			}
		}
		return
	}
	for i, child := range value.Children {
		if s.found == nil && value.Kind == ast.ObjectValue && s.here(child.Position) { // a field that does not exist
			s.found = &wrongValue{field: argumentPath(append(path[:len(path):len(path)], ast.PathName(child.Name)))}
		}
		if value.Kind == ast.ListValue {
			var element *ast.Type
			if kind != nil {
				element = kind.Elem
			}
			s.value(child.Value, element, append(path[:len(path):len(path)], ast.PathIndex(i)))
			continue
		}
		s.value(child.Value, s.inputField(kind, child.Name), append(path[:len(path):len(path)], ast.PathName(child.Name)))
	}
}

// clip keeps what a caller gave short inside a message.
func clip(text string) string {
	if runes := []rune(text); len(runes) > maxMessage {
		return fmt.Sprintf("%s…", string(runes[:maxMessage]))
	}
	return text
}
