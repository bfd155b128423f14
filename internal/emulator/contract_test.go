package emulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/emulator"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"pgregory.net/rapid"
)

// contract is a transport that holds every request and every answer against
// Twilio's OpenAPI files.
type contract struct {
	routers map[string]routers.Router // by host
	next    http.RoundTripper
	seen    map[string]int // operations that were validated
}

// newContract loads the OpenAPI files. They are not part of this repository: they
// lie beside a checkout of it, or where FLEXSYNC_SHARED says.
func newContract(t *testing.T) *contract {
	t.Helper()
	shared := os.Getenv("FLEXSYNC_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	c := &contract{routers: make(map[string]routers.Router), seen: make(map[string]int)}
	for host, name := range map[string]string{
		"flex-api": "flexflows", "conversations": "conversations", "studio": "studio", "taskrouter": "taskrouter",
	} {
		path := filepath.Join(shared, "api", name+".openapi.json")
		if _, err := os.Stat(path); err != nil {
			t.Skipf("Twilio's OpenAPI files are not here, set FLEXSYNC_SHARED to the directory that has them in api/: %v", err)
		}
		doc, err := openapi3.NewLoader().LoadFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation())
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		c.routers[host+".twilio.com"] = router
	}
	return c
}

// RoundTrip fails when the emulator and the OpenAPI file disagree. What the
// emulator accepts, the file must allow; the other way round it may be stricter.
func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	if err := c.check(req, body, res, raw); err != nil {
		return nil, fmt.Errorf("%s %s %s: %w\n%s", req.Method, req.URL, body, err, raw)
	}
	return res, nil
}

func (c *contract) check(req *http.Request, body []byte, res *http.Response, raw []byte) error {
	if res.StatusCode >= 400 {
		return checkError(res.StatusCode, raw) // the OpenAPI files have no errors
	}
	router, ok := c.routers[req.URL.Host]
	if !ok {
		return fmt.Errorf("no API has the host %s", req.URL.Host)
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.RequestURI = ""
	route, params, err := router.FindRoute(req)
	if err != nil {
		return err
	}
	c.seen[route.Operation.OperationID]++

	options := &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		// An update may be empty: no parameter of it is required.
		ExcludeRequestBody: len(body) == 0,
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
		return fmt.Errorf("the emulator accepts a request that the OpenAPI file does not: %w", err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: options}
	if err := openapi3filter.ValidateResponse(req.Context(), out.SetBodyBytes(withoutNullType(raw))); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	return checkURLs(raw)
}

// withoutNullType leaves out integration_type where it is null. The OpenAPI file
// means every property to be nullable, but says it where it cannot take effect
// for the two that are references to an enum.
func withoutNullType(raw []byte) []byte {
	return bytes.ReplaceAll(raw, []byte(`"integration_type":null,`), nil)
}

// checkURLs checks what the files only call a uri: that it is absolute.
func checkURLs(raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	var walk func(key string, v any) error
	walk = func(key string, v any) error {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				if key == "links" {
					k = "link_url"
				}
				if k == "integration" {
					continue
				}
				if err := walk(k, item); err != nil {
					return err
				}
			}
		case []any:
			for _, item := range v {
				if err := walk("", item); err != nil {
					return err
				}
			}
		case string:
			u, err := url.Parse(v)
			if (key == "url" || strings.HasSuffix(key, "_url")) && (err != nil || !u.IsAbs() || u.Host == "") {
				return fmt.Errorf("%s is no absolute address: %q", key, v)
			}
		}
		return nil
	}
	return walk("", v)
}

// checkError checks the form of an error, which is that of Twilio's SDKs.
func checkError(status int, raw []byte) error {
	var e struct {
		Code     int    `json:"code"`
		Message  string `json:"message"`
		MoreInfo string `json:"more_info"`
		Status   int    `json:"status"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return err
	}
	if e.Status != status || e.Message == "" || e.MoreInfo != fmt.Sprint("https://www.twilio.com/docs/errors/", e.Code) {
		return fmt.Errorf("not an error of Twilio's, or not one of status %d", status)
	}
	return nil
}

// TestContract goes through every operation.
func TestContract(t *testing.T) {
	contract := newContract(t)
	s := newServer(t, emulator.Options{Seed: []byte(products)})
	contract.next = s.Transport()
	c := &client{t, host, s.AccountSID(), contract}

	for _, f := range []url.Values{
		form("studio", "ContactIdentity", "+15550001"), taskForm("task", "Integration.CreationOnMessage", "true"),
		form("external", "IntegrationType", "external", "Integration.FlowSid", "", "Integration.Url", "https://example.com/x"),
		form("none", "IntegrationType", "", "Integration.FlowSid", ""), form("x\x00\x1b <&> é"),
	} {
		target := "/v1/FlexFlows/" + sidOf(c.create(f))
		c.want(200, "GET", target, nil)
		c.want(200, "POST", target, url.Values{})
		c.want(200, "POST", target, url.Values{"IntegrationType": {"studio"}, "Integration.FlowSid": {studio2}, "ContactIdentity": {""}})
		c.want(404, "GET", target+"x", nil)
	}
	for _, target := range []struct{ url, key string }{
		{"https://flex-api.twilio.com/v1/FlexFlows?PageSize=2", "flex_flows"},
		{"https://flex-api.twilio.com/v1/FlexFlows?FriendlyName=task", "flex_flows"},
		{"https://conversations.twilio.com/v1/Services?PageSize=1", "services"},
		{"https://studio.twilio.com/v2/Flows?PageSize=1", "flows"},
		{"https://taskrouter.twilio.com/v1/Workspaces?PageSize=1", "workspaces"},
		{"https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/Workflows?PageSize=1", "workflows"},
		{"https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/TaskChannels?PageSize=1", "channels"},
	} {
		if items, _ := c.list(target.url, target.key); len(items) == 0 {
			t.Errorf("%s: nothing listed", target.url)
		}
	}
	for _, flow := range s.Flows() {
		c.want(204, "DELETE", "/v1/FlexFlows/"+sidOf(flow), nil)
	}
	for _, operation := range []string{
		"CreateFlexFlow", "FetchFlexFlow", "UpdateFlexFlow", "DeleteFlexFlow", "ListFlexFlow",
		"ListService", "ListFlow", "ListWorkspace", "ListWorkflow", "ListTaskChannel",
	} {
		if contract.seen[operation] == 0 {
			t.Errorf("%s was never validated; seen: %v", operation, contract.seen)
		}
	}
}

// TestContractHoldsForAnything sends requests at random, sensible and not. The
// emulator may refuse any of them; what it accepts and answers must conform.
func TestContractHoldsForAnything(t *testing.T) {
	contract := newContract(t)
	params := []string{
		"FriendlyName", "ChatServiceSid", "ChannelType", "ContactIdentity", "Enabled", "IntegrationType",
		"Integration.FlowSid", "Integration.Url", "Integration.WorkspaceSid", "Integration.WorkflowSid", "Integration.Channel",
		"Integration.Timeout", "Integration.Priority", "Integration.CreationOnMessage", "LongLived", "JanitorEnabled",
		"Integration.RetryCount", "Sid",
	}
	value := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "a", "true", "false", "0", "1", "3", "4", "-1", "86400", "1.5", "sms", "web", "custom", "studio", "external", "task",
			service, studio1, workspace, workflow, "https://example.com/x", "example.com", "null",
		}),
		rapid.String(),
	)
	// Most values fit their parameter, or nothing would ever be accepted.
	fitting := map[string][]string{
		"FriendlyName": {"a", "é\x00"}, "ChatServiceSid": {service}, "ChannelType": {"web", "sms", "line"}, "Enabled": {"true", "false"},
		"IntegrationType": {"studio", "external", "task"}, "Integration.FlowSid": {studio1, studio2},
		"Integration.Url": {"https://example.com/"}, "Integration.WorkspaceSid": {workspace}, "Integration.WorkflowSid": {workflow},
		"Integration.Timeout": {"0", "60"}, "Integration.Priority": {"0", "9"}, "Integration.CreationOnMessage": {"true", "false"},
		"LongLived": {"true", "false"}, "JanitorEnabled": {"true", "false"}, "Integration.RetryCount": {"0", "3"},
	}
	randomForm := func(t *rapid.T, given []string) url.Values {
		f := make(url.Values)
		for _, param := range append(given, rapid.SliceOfN(rapid.SampledFrom(params), 0, 8).Draw(t, "parameters")...) {
			if good := fitting[param]; good != nil && rapid.IntRange(0, 20).Draw(t, "odd") > 0 {
				f.Set(param, rapid.SampledFrom(good).Draw(t, param))
			} else {
				f.Set(param, value.Draw(t, param))
			}
		}
		return f
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := newServer(t, emulator.Options{MaxPageSize: 2, Behaviour: emulator.Behaviour{Collisions: rapid.Bool().Draw(rt, "collisions")}})
		contract.next = s.Transport()
		c := &client{t, host, s.AccountSID(), contract}
		var sids []string
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				r, err := c.try(c.request("POST", "/v1/FlexFlows", randomForm(rt, params[:3])))
				if err != nil {
					rt.Fatal(err)
				}
				if r.status == 201 {
					sids = append(sids, sidOf(r.body))
				}
			},
			"update": func(rt *rapid.T) {
				if len(sids) == 0 {
					rt.Skip()
				}
				target := "/v1/FlexFlows/" + rapid.SampledFrom(sids).Draw(rt, "sid")
				r, err := c.try(c.request("POST", target, randomForm(rt, nil)))
				if err != nil || r.status >= 500 {
					rt.Fatal(err, r.status)
				}
			},
			"delete": func(rt *rapid.T) {
				if len(sids) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(sids)-1).Draw(rt, "index")
				r, err := c.try(c.request("DELETE", "/v1/FlexFlows/"+sids[i], nil))
				if err != nil || r.status != 204 {
					rt.Fatal(err, r.status)
				}
				sids = slices.Delete(sids, i, i+1)
			},
			"": func(rt *rapid.T) { // after each: the listing is what was made, in order
				var listed []string
				for target := "/v1/FlexFlows"; target != ""; {
					r, err := c.try(c.request("GET", target, nil))
					if err != nil || r.status != 200 {
						rt.Fatal(err, r.status)
					}
					for _, flow := range r.body["flex_flows"].([]any) {
						listed = append(listed, sidOf(flow.(object)))
					}
					target, _ = r.body["meta"].(object)["next_page_url"].(string)
				}
				if !slices.Equal(listed, sids) {
					rt.Fatalf("listed %v, want %v", listed, sids)
				}
				if _, err := emulator.New(emulator.Options{Seed: s.Snapshot()}); err != nil {
					rt.Fatalf("the snapshot cannot be read: %v", err)
				}
			},
		})
	})
}
