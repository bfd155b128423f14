package contract

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/emulator"

	"github.com/getkin/kin-openapi/openapi3"
)

// apiDir holds Twilio's OpenAPI files, which are not part of the repository.
const apiDir = "../../../shared/api"

// files are Twilio's OpenAPI files.
var files = []string{"flexflows", "addresses", "conversations", "studio", "taskrouter"}

// facts returns what an OpenAPI file says about the operations, one fact a line:
// what is there, and of which kind. It leaves out nullability, which Twilio's files
// cannot express for a reference, and what they say nothing about: the inside of
// integration, auto_creation and links, and errors.
func facts(doc *openapi3.T) map[string]bool {
	found := make(map[string]bool)
	add := func(format string, args ...any) { found[fmt.Sprintf(format, args...)] = true }
	kind := func(s *openapi3.Schema) string {
		var parts []string
		if s.Type != nil {
			parts = append(parts, *s.Type...)
		}
		// uri-map is a format of Twilio's own.
		for _, part := range []string{strings.TrimSuffix(s.Format, "uri-map"), s.Pattern} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		if s.Min != nil {
			parts = append(parts, fmt.Sprint("from ", *s.Min))
		}
		if s.Max != nil {
			parts = append(parts, fmt.Sprint("to ", *s.Max))
		}
		if s.MinLength > 0 || s.MaxLength != nil {
			parts = append(parts, fmt.Sprint("length ", s.MinLength, " to ", *s.MaxLength))
		}
		for _, value := range s.Enum {
			if value != nil {
				parts = append(parts, fmt.Sprint("or ", value))
			}
		}
		return strings.Join(parts, ", ")
	}
	var properties func(name string, s *openapi3.Schema)
	properties = func(name string, s *openapi3.Schema) {
		if strings.HasSuffix(name, ".integration") || strings.HasSuffix(name, ".auto_creation") {
			add("%s", name)
			return
		}
		add("%s: %s", name, kind(s))
		if s.Items != nil && s.Items.Value != nil {
			properties(name+"[]", s.Items.Value)
		}
		if !strings.HasSuffix(name, ".links") {
			for property, ref := range s.Properties {
				properties(name+"."+property, ref.Value)
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			add("%s is %s", name, op.OperationID)
			for _, p := range op.Parameters {
				add("%s %s %s (required %t): %s", name, p.Value.In, p.Value.Name, p.Value.Required, kind(p.Value.Schema.Value))
			}
			if form := formOf(op); form != nil {
				properties(name+" form", form)
				for _, param := range form.Required {
					add("%s requires %s", name, param)
				}
			}
			for status, answer := range op.Responses.Map() {
				if status == "default" {
					continue
				}
				add("%s %s", name, status)
				if content := answer.Value.Content.Get("application/json"); content != nil {
					properties(name+" "+status, content.Schema.Value)
				}
			}
		}
	}
	return found
}

// TestAgreesWithTwilio holds the document against Twilio's own files, both ways.
func TestAgreesWithTwilio(t *testing.T) {
	if _, err := os.Stat(apiDir); err != nil {
		t.Skipf("Twilio's OpenAPI files are no part of the repository: %v", err)
	}
	theirs := make(map[string]bool)
	for _, name := range files {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(apiDir, name+".openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(theirs, facts(doc))
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(emulator.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	ours := facts(doc)
	if len(theirs) < 200 {
		t.Errorf("Twilio's files say %d things", len(theirs))
	}
	for _, fact := range slices.Sorted(maps.Keys(theirs)) {
		if !ours[fact] {
			t.Errorf("Twilio's files say, and the document does not: %s", fact)
		}
	}
	for _, fact := range slices.Sorted(maps.Keys(ours)) {
		if !theirs[fact] {
			t.Errorf("the document says, and Twilio's files do not: %s", fact)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestClosed sends and answers what is not in the document.
func TestClosed(t *testing.T) {
	const sid = "FO00000000000000000000000000000001"
	meta := `"meta": {"key": "flex_flows", "page": 0, "page_size": 50, "first_page_url": "https://x/", "previous_page_url": null, "url": "https://x/", "next_page_url": null}`
	for name, test := range map[string]struct {
		method, target, form string
		status               int
		answer, want         string
	}{
		"list":              {"POST", "/v1/Configuration/Addresses", "Type=sms&Address=%2B1&AutoCreation.WebhookFilters=onMessageAdded&AutoCreation.WebhookFilters=onMessageRemoved", 400, `{"code": 20001, "message": "no", "more_info": "https://x/", "status": 400}`, ""},
		"good":              {"GET", "/v1/FlexFlows?PageSize=50", "", 200, `{` + meta + `, "flex_flows": []}`, ""},
		"unknown path":      {"GET", "/v1/Flows", "", 200, `{}`, "200 for what is not in the document"},
		"unknown method":    {"PUT", "/v1/FlexFlows/" + sid, "", 200, `{}`, "200 for what is not in the document"},
		"unknown query":     {"GET", "/v1/FlexFlows?Limit=1", "", 200, `{` + meta + `, "flex_flows": []}`, "no parameter Limit"},
		"wrong query":       {"GET", "/v1/FlexFlows?PageSize=1001", "", 200, `{` + meta + `, "flex_flows": []}`, "the request: parameter \"PageSize\""},
		"wrong path":        {"DELETE", "/v1/FlexFlows/FO1", "", 204, ``, "the request: parameter \"Sid\""},
		"unknown parameter": {"POST", "/v1/FlexFlows/" + sid, "Name=x", 200, `{}`, "no parameter Name"},
		"repeated":          {"POST", "/v1/FlexFlows/" + sid, "FriendlyName=x&FriendlyName=y", 200, `{}`, "given 2 times"},
		"wrong enum":        {"POST", "/v1/FlexFlows/" + sid, "ChannelType=fax", 200, `{}`, "the request: "},
		"missing parameter": {"POST", "/v1/FlexFlows", "FriendlyName=x", 201, `{}`, "the request: "},
		"missing form":      {"POST", "/v1/FlexFlows", "", 201, `{}`, "the request: "},
		"unknown property":  {"GET", "/v1/FlexFlows", "", 200, `{` + meta + `, "flex_flows": [], "more": 1}`, "the answer: "},
		"missing property":  {"GET", "/v1/FlexFlows", "", 200, `{` + meta + `}`, "the answer: "},
		"relative address":  {"GET", "/v1/FlexFlows", "", 200, strings.Replace(`{`+meta+`, "flex_flows": []}`, "https://x/", "/v1", 1), "no absolute address"},
		"unknown status":    {"DELETE", "/v1/FlexFlows/" + sid, "", 200, `{}`, "the answer: "},
		"body":              {"DELETE", "/v1/FlexFlows/" + sid, "", 204, `{}`, "has a body"},
		"error":             {"GET", "/v1/FlexFlows?Limit=1", "", 400, `{"code": 20001, "message": "no", "more_info": "https://x/", "status": 400}`, ""},
		"unknown error":     {"GET", "/v1/FlexFlows?Limit=1", "", 400, `{"error": "no"}`, "the answer: "},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(test.answer))}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest(test.method, "https://flex-api.twilio.com"+test.target, strings.NewReader(test.form))
			if test.form != "" {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			_, err = c.RoundTrip(req)
			if have := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(have, test.want) {
				t.Errorf("%s, want %q", have, test.want)
			}
		})
	}
}
