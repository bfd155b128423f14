package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind int

const (
	kindText kind = iota
	kindSID
	kindEnum
	kindBool
	kindInt
	kindURL
)

// Integration types.
const (
	studio   = "studio"
	external = "external"
	task     = "task"
)

// field is one writable property of a flow: a row of the parameter tables of
// CreateFlexFlow and UpdateFlexFlow, which are the same.
type field struct {
	param string // in a form
	key   string // in JSON; integration.x for what is inside the integration
	kind  kind

	prefix   string   // of a sid
	values   []string // of an enum
	max      int      // of an integer, which is never negative
	required bool     // at create; inside the integration, whenever a type is taken on

	types    []string // integration types it applies to; nil outside the integration
	fallback any      // what an integration has when it is not given; nil for nothing
}

// fields is in the order of the OpenAPI file.
var fields = []field{
	{param: "FriendlyName", key: "friendly_name", kind: kindText, required: true},
	{param: "ChatServiceSid", key: "chat_service_sid", kind: kindSID, prefix: "IS", required: true},
	{param: "ChannelType", key: "channel_type", kind: kindEnum, required: true,
		values: []string{"web", "sms", "facebook", "whatsapp", "line", "custom"}},
	{param: "ContactIdentity", key: "contact_identity", kind: kindText},
	{param: "Enabled", key: "enabled", kind: kindBool},
	{param: "IntegrationType", key: "integration_type", kind: kindEnum, values: []string{studio, external, task}},
	{param: "Integration.FlowSid", key: "integration.flow_sid", kind: kindSID, prefix: "FW", required: true, types: []string{studio}},
	{param: "Integration.Url", key: "integration.url", kind: kindURL, required: true, types: []string{external}},
	{param: "Integration.WorkspaceSid", key: "integration.workspace_sid", kind: kindSID, prefix: "WS", required: true, types: []string{task}},
	{param: "Integration.WorkflowSid", key: "integration.workflow_sid", kind: kindSID, prefix: "WW", required: true, types: []string{task}},
	{param: "Integration.Channel", key: "integration.channel", kind: kindText, types: []string{task}, fallback: "default"},
	{param: "Integration.Timeout", key: "integration.timeout", kind: kindInt, max: math.MaxInt32, types: []string{task}, fallback: 86400},
	{param: "Integration.Priority", key: "integration.priority", kind: kindInt, max: math.MaxInt32, types: []string{task}, fallback: 0},
	{param: "Integration.CreationOnMessage", key: "integration.creation_on_message", kind: kindBool, types: []string{task}},
	{param: "LongLived", key: "long_lived", kind: kindBool},
	{param: "JanitorEnabled", key: "janitor_enabled", kind: kindBool},
	{param: "Integration.RetryCount", key: "integration.retry_count", kind: kindInt, max: 3, types: []string{studio, external}, fallback: 3},
}

// integrationKey is the field's key inside the integration, "" if it is not in it.
func (f *field) integrationKey() string {
	key, ok := strings.CutPrefix(f.key, "integration.")
	if !ok {
		return ""
	}
	return key
}

// belongs tells whether the field is one of the integration type's.
func (f *field) belongs(integrationType string) bool {
	return slices.Contains(f.types, integrationType)
}

// values holds checked values by their field's key: a string, a bool, an int or,
// from a form, a blank.
type values map[string]any

// hasIntegration tells whether a value inside the integration is given.
func (v values) hasIntegration() bool {
	for key := range v {
		if strings.HasPrefix(key, "integration.") {
			return true
		}
	}
	return false
}

// parse reads the value as a form carries it.
func (f *field) parse(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("is not UTF-8")
	}
	switch f.kind {
	case kindSID:
		if !isSID(f.prefix, s) {
			return nil, fmt.Errorf("must be %s and 32 hex digits, not %q", f.prefix, s)
		}
	case kindEnum:
		if !slices.Contains(f.values, s) {
			return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(f.values, ", "), s)
		}
	case kindBool:
		// Twilio's own samples send True and False.
		switch strings.ToLower(s) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("must be true or false, not %q", s)
	case kindInt:
		n, err := strconv.Atoi(s)
		if err != nil || strings.HasPrefix(s, "+") {
			return nil, fmt.Errorf("must be an integer, not %q", s)
		}
		if n < 0 || n > f.max {
			return nil, fmt.Errorf("must be from 0 to %d, not %d", f.max, n)
		}
		return n, nil
	case kindURL:
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, fmt.Errorf("must be an absolute http or https URL, not %q", s)
		}
	}
	return s, nil
}

// parseJSON reads the value as JSON carries it, decoded with UseNumber. Numbers
// and bools may be given as strings.
func (f *field) parseJSON(v any) (any, error) {
	want := "a string"
	switch v := v.(type) {
	case string:
		return f.parse(v)
	case bool:
		if f.kind == kindBool {
			return v, nil
		}
	case json.Number:
		if f.kind == kindInt {
			return f.parse(v.String())
		}
	}
	switch f.kind {
	case kindBool:
		want = "true or false"
	case kindInt:
		want = "an integer"
	}
	return nil, fmt.Errorf("must be %s, not %s", want, jsonKind(v))
}

// holdJSON reads a value that an account holds already, and so takes every one
// of the right kind: Twilio may have channel types, say, that this package does
// not know.
func (f *field) holdJSON(v any) (any, error) {
	value, err := f.parseJSON(v)
	if err == nil {
		return value, nil
	}
	switch v := v.(type) {
	case string:
		if f.kind != kindBool && f.kind != kindInt {
			return v, nil
		}
	case json.Number:
		if n, err := strconv.Atoi(v.String()); f.kind == kindInt && err == nil {
			return n, nil
		}
	}
	return nil, err
}

// jsonKind names what a decoded JSON value is.
func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a bool"
	case json.Number, float64, int:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "an object"
}

// isSID tells whether s is the prefix and 32 hex digits of either case, which is
// the pattern that the OpenAPI files give for every SID.
func isSID(prefix, s string) bool {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) != 32 {
		return false
	}
	for _, c := range []byte(digits) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}
