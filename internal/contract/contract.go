// Package contract checks requests and answers against the OpenAPI document of the
// emulated API, both ways: what is sent and answered must be in the document, and
// what is in the document must be sent and answered. It is for tests, and does not
// judge a request that is refused.
package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flexsync/internal/emulator"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Transport is a transport that fails when an exchange does not conform to the
// document. It is safe for concurrent use.
type Transport struct {
	doc  *openapi3.T
	next http.RoundTripper

	mu     sync.Mutex
	unused map[string]bool
}

// New reads the document and puts it before next. The document must be closed.
func New(next http.RoundTripper) (*Transport, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(emulator.OpenAPI))
	if err != nil {
		return nil, err
	}
	t := &Transport{doc: doc, next: next, unused: make(map[string]bool)}
	if err := doc.Validate(openapi3.NewLoader().Context); err != nil {
		return nil, err
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			t.unused[name] = true
			for _, p := range op.Parameters {
				t.unused[name+" "+p.Value.In+" "+p.Value.Name] = true
			}
			if form := formOf(op); form != nil {
				if err := t.expect(name+" form", form); err != nil {
					return nil, err
				}
			}
			for status, answer := range op.Responses.Map() {
				if content := answer.Value.Content.Get("application/json"); content != nil {
					if err := t.expect(answerName(name, status), content.Schema.Value); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return t, nil
}

// SetNext sets the transport that answers.
func (t *Transport) SetNext(next http.RoundTripper) { t.next = next }

// Unused returns what is in the document and was in no exchange so far: operations,
// parameters and properties, the last with a value other than null.
func (t *Transport) Unused() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.unused))
}

// answerName returns the name of an answer. Errors are the same for every operation.
func answerName(operation, status string) string {
	if status == "default" {
		return "error"
	}
	return operation + " " + status
}

func formOf(op *openapi3.Operation) *openapi3.Schema {
	if op.RequestBody == nil {
		return nil
	}
	return op.RequestBody.Value.Content["application/x-www-form-urlencoded"].Schema.Value
}

// expect records the properties of a schema as unused, and fails if it is open.
func (t *Transport) expect(name string, s *openapi3.Schema) error {
	if s.Items != nil {
		return t.expect(name+"[]", s.Items.Value)
	}
	if s.Type == nil || !s.Type.Is("object") {
		return nil
	}
	if has := s.AdditionalProperties.Has; has == nil || *has {
		return fmt.Errorf("the OpenAPI document: %s is open", name)
	}
	for property, ref := range s.Properties {
		t.unused[name+"."+property] = true
		if err := t.expect(name+"."+property, ref.Value); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transport) use(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.unused, name)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	if err := t.check(req, body, res, raw); err != nil {
		return nil, fmt.Errorf("%s %s %s: %w\n%s", req.Method, req.URL, body, err, raw)
	}
	return res, nil
}

func (t *Transport) check(req *http.Request, body []byte, res *http.Response, raw []byte) error {
	route, params := t.find(req)
	if route == nil {
		if res.StatusCode < 400 {
			return fmt.Errorf("%d for what is not in the document", res.StatusCode)
		}
		return nil
	}
	name := route.Method + " " + route.Path
	given := withoutEmpty(body)
	req = req.Clone(req.Context())
	req.Body, req.GetBody = io.NopCloser(bytes.NewReader(given)), nil // GetBody would return the whole body
	options := &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		ExcludeRequestBody:    len(given) == 0 && !required(route.Operation),
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if res.StatusCode < 400 {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
		if err := t.checkNames(name, route.Operation, req.URL.Query(), params, body); err != nil {
			return err
		}
		t.use(name)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: options}
	if err := openapi3filter.ValidateResponse(req.Context(), out.SetBodyBytes(raw)); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	status := strconv.Itoa(res.StatusCode)
	answer := route.Operation.Responses.Value(status)
	if answer == nil {
		status, answer = "default", route.Operation.Responses.Default()
		if res.StatusCode < 400 {
			return fmt.Errorf("the answer: no operation has the status %d", res.StatusCode)
		}
	}
	if content := answer.Value.Content.Get("application/json"); content != nil {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		return t.useValue(answerName(name, status), content.Schema.Value, v)
	}
	if len(raw) > 0 {
		return fmt.Errorf("the answer has a body")
	}
	return nil
}

// withoutEmpty returns the form without its empty parameters. They clear a value or
// are ignored, and no document has a pattern that allows them.
func withoutEmpty(body []byte) []byte {
	pairs := slices.DeleteFunc(strings.Split(string(body), "&"), func(pair string) bool { return strings.HasSuffix(pair, "=") })
	return []byte(strings.Join(pairs, "&"))
}

func required(op *openapi3.Operation) bool {
	return op.RequestBody != nil && op.RequestBody.Value.Required
}

// find returns the operation of a request, and the values in its path.
func (t *Transport) find(req *http.Request) (*routers.Route, map[string]string) {
	have := strings.Split(req.URL.EscapedPath(), "/")
	for path, item := range t.doc.Paths.Map() {
		op := item.GetOperation(req.Method)
		want := strings.Split(path, "/")
		if op == nil || len(have) != len(want) {
			continue
		}
		params := make(map[string]string)
		match := true
		for i, part := range want {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				value, err := url.PathUnescape(have[i])
				params[strings.TrimSuffix(name, "}")] = value
				match = match && err == nil
			} else {
				match = match && part == have[i]
			}
		}
		if match {
			return &routers.Route{Spec: t.doc, Path: path, PathItem: item, Method: req.Method, Operation: op}, params
		}
	}
	return nil, nil
}

// checkNames fails for parameters that the document does not have, which
// openapi3filter ignores.
func (t *Transport) checkNames(name string, op *openapi3.Operation, query url.Values, params map[string]string, body []byte) error {
	for param := range params {
		t.use(name + " path " + param)
	}
	for param := range query {
		if op.Parameters.GetByInAndName("query", param) == nil {
			return fmt.Errorf("the request: no parameter %s is in the document", param)
		}
		t.use(name + " query " + param)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	schema := formOf(op)
	for param, values := range form {
		if schema == nil || schema.Properties[param] == nil {
			return fmt.Errorf("the request: no parameter %s is in the document", param)
		}
		if len(values) > 1 && !schema.Properties[param].Value.Type.Is("array") {
			return fmt.Errorf("the request: %s is given %d times", param, len(values))
		}
		t.use(name + " form." + param)
	}
	return nil
}

// useValue records what a value uses of its schema, and checks that what the
// document calls a uri is an absolute one.
func (t *Transport) useValue(name string, s *openapi3.Schema, v any) error {
	switch v := v.(type) {
	case map[string]any:
		for property, item := range v {
			ref := s.Properties[property]
			if ref == nil || item == nil {
				continue
			}
			t.use(name + "." + property)
			if err := t.useValue(name+"."+property, ref.Value, item); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := t.useValue(name+"[]", s.Items.Value, item); err != nil {
				return err
			}
		}
	case string:
		if u, err := url.Parse(v); s.Format == "uri" && (err != nil || !u.IsAbs() || u.Host == "") {
			return fmt.Errorf("the answer: %s is no absolute address: %q", name, v)
		}
	}
	return nil
}
