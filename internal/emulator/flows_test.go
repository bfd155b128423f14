package emulator_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"flexsync/internal/emulator"

	"github.com/google/go-cmp/cmp"
)

type object = map[string]any

func TestIntegrationEcho(t *testing.T) {
	tests := []struct {
		name     string
		form     url.Values
		wantType any
		want     any
	}{
		{"studio", form("a"), "studio", object{"flow_sid": studio1, "retry_count": 3.0}},
		{"studio is the default type", form("a", "IntegrationType", ""), "studio", object{"flow_sid": studio1, "retry_count": 3.0}},
		{"external", form("a", "IntegrationType", "external", "Integration.FlowSid", "", "Integration.Url", "https://example.com/x", "Integration.RetryCount", "0"),
			"external", object{"url": "https://example.com/x", "retry_count": 0.0}},
		{"task", taskForm("a"), "task",
			object{"workspace_sid": workspace, "workflow_sid": workflow, "channel": "default", "timeout": 86400.0, "priority": 0.0}},
		{"task in full", taskForm("a", "Integration.Channel", "chat", "Integration.Timeout", "60", "Integration.Priority", "7", "Integration.CreationOnMessage", "True"), "task",
			object{"workspace_sid": workspace, "workflow_sid": workflow, "channel": "chat", "timeout": 60.0, "priority": 7.0, "creation_on_message": true}},
		{"foreign keys are dropped", form("a", "Integration.Channel", "studio", "Integration.CreationOnMessage", "false"),
			"studio", object{"flow_sid": studio1, "retry_count": 3.0}},
		{"none", form("a", "IntegrationType", "", "Integration.FlowSid", ""), nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, newServer(t, emulator.Options{}))
			flow := c.create(tt.form)
			if flow["integration_type"] != tt.wantType {
				t.Errorf("integration_type %v, want %v", flow["integration_type"], tt.wantType)
			}
			if diff := cmp.Diff(tt.want, flow["integration"]); diff != "" {
				t.Errorf("integration (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(flow, c.want(200, "GET", flow["url"].(string), nil).body); diff != "" {
				t.Errorf("fetched is not what was created (-created +fetched):\n%s", diff)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s := newServer(t, emulator.Options{Now: func() time.Time { return clock }})
	c := newClient(t, s)
	flow := c.create(form("a", "ContactIdentity", "+15550001", "Integration.RetryCount", "1", "LongLived", "true"))
	path := "/v1/FlexFlows/" + sidOf(flow)
	update := func(pairs ...string) {
		t.Helper()
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		flow = c.want(200, "POST", path, v).body
	}
	check := func(key string, want any) {
		t.Helper()
		if diff := cmp.Diff(want, flow[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}

	before := flow
	clock = clock.Add(time.Hour)
	update()
	check("date_updated", "2026-01-02T04:04:05Z")
	check("date_created", "2026-01-02T03:04:05Z")
	flow["date_updated"] = before["date_updated"]
	if diff := cmp.Diff(before, flow); diff != "" {
		t.Errorf("an empty update changed the flow:\n%s", diff)
	}

	update("Integration.FlowSid", studio2)
	check("integration", object{"flow_sid": studio2, "retry_count": 1.0})
	update("ContactIdentity", "")
	check("contact_identity", nil)
	update("FriendlyName", "b", "ChannelType", "web", "Enabled", "False")
	check("friendly_name", "b")
	check("channel_type", "web")
	check("enabled", false)
	check("long_lived", true)

	r := c.want(400, "POST", path, url.Values{"IntegrationType": {"task"}})
	if r.body["code"] != 45004.0 || !strings.Contains(r.body["message"].(string), "Integration.WorkspaceSid") {
		t.Errorf("a switch without its keys: %s", r.raw)
	}
	update("IntegrationType", "task", "Integration.WorkspaceSid", workspace, "Integration.WorkflowSid", workflow)
	check("integration", object{"workspace_sid": workspace, "workflow_sid": workflow, "channel": "default", "timeout": 86400.0, "priority": 0.0})
	update("IntegrationType", "external", "Integration.Url", "http://example.com")
	check("integration", object{"url": "http://example.com", "retry_count": 3.0})

	// Terraform sends the parameters of the type before with empty values.
	update("IntegrationType", "studio", "Integration.FlowSid", studio1, "Integration.Url", "", "Integration.Timeout", "", "Integration.WorkspaceSid", "")
	check("integration", object{"flow_sid": studio1, "retry_count": 3.0})
	update("IntegrationType", "external", "Integration.Url", "http://example.com", "Integration.FlowSid", "")
	check("integration", object{"url": "http://example.com", "retry_count": 3.0})
	update("Integration.CreationOnMessage", "")
	check("integration", object{"url": "http://example.com", "retry_count": 3.0})
	for _, bad := range []url.Values{
		{"IntegrationType": {"studio"}, "Integration.FlowSid": {""}},
		{"Integration.Url": {""}},
		{"Integration.RetryCount": {""}},
		{"Integration.FlowSid": {"FW1"}},
	} {
		if r := c.want(400, "POST", path, bad); r.body["code"] != 45004.0 {
			t.Errorf("%v: %s", bad, r.raw)
		}
	}

	c.want(404, "POST", "/v1/FlexFlows/FO00000000000000000000000000000000", url.Values{})
	if r := c.want(204, "DELETE", path, nil); len(r.raw) != 0 {
		t.Errorf("a delete answered %q", r.raw)
	}
	c.want(404, "DELETE", path, nil)
	c.want(404, "GET", path, nil)
}

func TestValidation(t *testing.T) {
	tests := []struct {
		name string
		form url.Values
		code float64
		want string
	}{
		{"no name", form("a", "FriendlyName", ""), 20001, "FriendlyName"},
		{"empty name", form(""), 20001, "FriendlyName"},
		{"no service", form("a", "ChatServiceSid", ""), 20001, "ChatServiceSid"},
		{"no channel type", form("a", "ChannelType", ""), 20001, "ChannelType"},
		{"unknown parameter", form("a", "Colour", "red"), 20001, `"Colour"`},
		{"JSON key", form("a", "long_lived", "true"), 20001, `"long_lived"`},
		{"repeated parameter", url.Values{"FriendlyName": {"a", "b"}}, 20001, "2 times"},
		{"short SID", form("a", "ChatServiceSid", "IS1"), 45004, "ChatServiceSid"},
		{"wrong SID", form("a", "Integration.FlowSid", service), 45004, "Integration.FlowSid"},
		{"enum", form("a", "ChannelType", "SMS"), 45004, "ChannelType"},
		{"integration type", form("a", "IntegrationType", "webhook"), 45004, "IntegrationType"},
		{"bool", form("a", "Enabled", "1"), 45004, "Enabled"},
		{"yes", form("a", "LongLived", "yes"), 45004, "LongLived"},
		{"float", form("a", "Integration.RetryCount", "1.5"), 45004, "Integration.RetryCount"},
		{"retries", form("a", "Integration.RetryCount", "4"), 45004, "Integration.RetryCount"},
		{"negative", taskForm("a", "Integration.Timeout", "-1"), 45004, "Integration.Timeout"},
		{"sign", taskForm("a", "Integration.Timeout", "+1"), 45004, "Integration.Timeout"},
		{"huge", taskForm("a", "Integration.Priority", "99999999999999999999"), 45004, "Integration.Priority"},
		{"relative URL", form("a", "IntegrationType", "external", "Integration.Url", "/x"), 45004, "Integration.Url"},
		{"no host", form("a", "IntegrationType", "external", "Integration.Url", "https:///x"), 45004, "Integration.Url"},
		{"ftp", form("a", "IntegrationType", "external", "Integration.Url", "ftp://example.com"), 45004, "Integration.Url"},
		{"studio without flow", form("a", "Integration.FlowSid", ""), 45004, "Integration.FlowSid is required"},
		{"external without url", form("a", "IntegrationType", "external"), 45004, "Integration.Url is required"},
		{"task without workflow", taskForm("a", "Integration.WorkflowSid", ""), 45004, "Integration.WorkflowSid is required"},
		{"default type without flow", form("a", "IntegrationType", "", "Integration.FlowSid", "", "Integration.RetryCount", "1"), 45004, "Integration.FlowSid is required"},
		{"not UTF-8", form("a\xff"), 45004, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, emulator.Options{})
			c := newClient(t, s)
			r := c.want(400, "POST", "/v1/FlexFlows", tt.form)
			if message := r.body["message"].(string); r.body["code"] != tt.code || !strings.Contains(message, tt.want) {
				t.Errorf("got %v %s, want %v with %s", r.body["code"], message, tt.code, tt.want)
			}
			if r.body["status"] != 400.0 || !strings.HasPrefix(r.body["more_info"].(string), "https://www.twilio.com/docs/errors/") {
				t.Errorf("not an error document of Twilio's: %s", r.raw)
			}
			if len(c.flows()) != 0 {
				t.Error("the flow was made all the same")
			}
		})
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{AuthToken: "secret"}))
	sid := sidOf(c.create(form("a")))
	edit := func(f func(*http.Request)) *http.Request {
		req := c.request("POST", "/v1/FlexFlows", form("b"))
		f(req)
		return req
	}
	send := func(r *http.Request, body string) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	tests := []struct {
		name   string
		req    *http.Request
		status int
		code   float64
	}{
		{"no credentials", edit(func(r *http.Request) { r.Header.Del("Authorization") }), 401, 20003},
		{"wrong account", edit(func(r *http.Request) { r.SetBasicAuth("AC"+strings.Repeat("9", 32), "secret") }), 401, 20003},
		{"wrong password", edit(func(r *http.Request) { r.SetBasicAuth(c.user, "geheim") }), 401, 20003},
		{"API key", edit(func(r *http.Request) { r.SetBasicAuth("SK"+strings.Repeat("9", 32), "secret") }), 201, 0},
		{"JSON", edit(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 415, 20001},
		{"bad escape", edit(func(r *http.Request) { send(r, "FriendlyName=%zz") }), 400, 20001},
		{"too large", edit(func(r *http.Request) { send(r, strings.Repeat("a", 2<<20)) }), 413, 20001},
		{"query on a create", c.request("POST", "/v1/FlexFlows?PageSize=1", form("b")), 400, 20001},
		{"query on a fetch", c.request("GET", "/v1/FlexFlows/"+sid+"?x=1", nil), 400, 20001},
		{"put", c.request("PUT", "/v1/FlexFlows/"+sid, form("b")), 405, 20004},
		{"delete all", c.request("DELETE", "/v1/FlexFlows", nil), 405, 20004},
		{"create a service", c.request("POST", "/v1/Services", form("b")), 405, 20004},
		{"root", c.request("GET", "/", nil), 404, 20404},
		{"trailing slash", c.request("GET", "/v1/FlexFlows/", nil), 404, 20404},
		{"below a flow", c.request("GET", "/v1/FlexFlows/"+sid+"/x", nil), 404, 20404},
		{"no such workspace", c.request("GET", "/v1/Workspaces/"+workspace+"/Workflows", nil), 404, 20404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := c.try(tt.req)
			if err != nil {
				t.Fatal(err)
			}
			code, _ := r.body["code"].(float64)
			if r.status != tt.status || code != tt.code {
				t.Errorf("got %d %s, want %d with code %v", r.status, r.raw, tt.status, tt.code)
			}
			if id := r.header.Get("Twilio-Request-Id"); len(id) != 34 || !strings.HasPrefix(id, "RQ") {
				t.Errorf("Twilio-Request-Id %q", id)
			}
		})
	}
}

func TestCollisions(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Behaviour: emulator.Behaviour{Collisions: true}}))
	c.create(form("a", "ContactIdentity", "+1555"))
	c.create(form("web 1", "ChannelType", "web"))
	c.create(form("web 2", "ChannelType", "web"))
	c.create(taskForm("other type", "ContactIdentity", "+1555"))
	c.create(form("other channel", "ContactIdentity", "+1555", "ChannelType", "whatsapp"))
	disabled := c.create(form("disabled", "ContactIdentity", "+1555", "Enabled", "false"))
	for _, r := range []reply{
		c.want(400, "POST", "/v1/FlexFlows", form("b", "ContactIdentity", "+1555")),
		c.want(400, "POST", "/v1/FlexFlows/"+sidOf(disabled), url.Values{"Enabled": {"true"}}),
	} {
		if r.body["code"] != 45210.0 {
			t.Errorf("got %s, want code 45210", r.raw)
		}
	}
	if got := len(c.names()); got != 6 {
		t.Errorf("%d flows, want 6", got)
	}
}

func TestCollideAcrossTypes(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Behaviour: emulator.Behaviour{Collisions: true, CollideAcrossTypes: true}}))
	c.create(form("a", "ContactIdentity", "+1555"))
	c.create(form("other channel", "ContactIdentity", "+1555", "ChannelType", "whatsapp"))
	c.create(taskForm("no identity"))
	c.create(taskForm("another", "ContactIdentity", "+1556"))
	disabled := c.create(taskForm("disabled", "ContactIdentity", "+1555", "Enabled", "false"))
	for _, r := range []reply{
		c.want(400, "POST", "/v1/FlexFlows", taskForm("b", "ContactIdentity", "+1555")),
		c.want(400, "POST", "/v1/FlexFlows/"+sidOf(disabled), url.Values{"Enabled": {"true"}}),
	} {
		if r.body["code"] != 45210.0 {
			t.Errorf("got %s, want code 45210", r.raw)
		}
	}
	if got := len(c.names()); got != 5 {
		t.Errorf("%d flows, want 5", got)
	}
}

func TestBehaviour(t *testing.T) {
	with := func(b emulator.Behaviour) *client { return newClient(t, newServer(t, emulator.Options{Behaviour: b})) }

	if c := with(emulator.Behaviour{EnabledDefault: true}); c.create(form("a", "Enabled", ""))["enabled"] != true {
		t.Error("EnabledDefault: a flow without Enabled is not enabled")
	}
	if c := with(emulator.Behaviour{}); c.create(form("a", "Enabled", ""))["enabled"] != false {
		t.Error("a flow without Enabled is enabled")
	}

	c := with(emulator.Behaviour{EmptyDoesNotClear: true})
	path := "/v1/FlexFlows/" + sidOf(c.create(form("a", "ContactIdentity", "+1555")))
	if got := c.want(200, "POST", path, url.Values{"ContactIdentity": {""}}).body["contact_identity"]; got != "+1555" {
		t.Errorf("EmptyDoesNotClear: identity is %v", got)
	}

	for _, b := range []emulator.Behaviour{{EmptyRefused: true}, {NothingToClear: true}} {
		c = with(b)
		empty := form("a")
		empty.Set("ContactIdentity", "")
		c.want(400, "POST", "/v1/FlexFlows", empty)
		path = "/v1/FlexFlows/" + sidOf(c.create(form("a")))
		c.want(400, "POST", path, url.Values{"ContactIdentity": {""}})
		path = "/v1/FlexFlows/" + sidOf(c.create(form("a", "ContactIdentity", "+1555")))
		c.want(map[bool]int{true: 400, false: 200}[b.EmptyRefused], "POST", path, url.Values{"ContactIdentity": {""}})
		c.want(200, "POST", path, url.Values{"ContactIdentity": {"+1"}})
	}

	c = with(emulator.Behaviour{NumbersAsStrings: true})
	want := object{"workspace_sid": workspace, "workflow_sid": workflow, "channel": "default", "timeout": "86400", "priority": "0", "creation_on_message": "false"}
	if diff := cmp.Diff(want, c.create(taskForm("a", "Integration.CreationOnMessage", "false"))["integration"]); diff != "" {
		t.Errorf("NumbersAsStrings (-want +got):\n%s", diff)
	}

	c = with(emulator.Behaviour{ReplaceIntegration: true})
	path = "/v1/FlexFlows/" + sidOf(c.create(form("a", "Integration.RetryCount", "1")))
	c.want(400, "POST", path, url.Values{"Integration.RetryCount": {"2"}})
	got := c.want(200, "POST", path, url.Values{"Integration.FlowSid": {studio2}}).body["integration"]
	if diff := cmp.Diff(any(object{"flow_sid": studio2, "retry_count": 3.0}), got); diff != "" {
		t.Errorf("ReplaceIntegration (-want +got):\n%s", diff)
	}

	if got := with(emulator.Behaviour{NullIntegration: true}).create(form("a"))["integration"]; got != nil {
		t.Errorf("NullIntegration: %v", got)
	}
	if r := with(emulator.Behaviour{MissingCode: 45205}).want(404, "GET", "/v1/FlexFlows/FO00000000000000000000000000000000", nil); r.body["code"] != 45205.0 {
		t.Errorf("MissingCode: %s", r.raw)
	}
}

func TestGzip(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Seed: flowsJSON(20)}))
	plain := c.want(200, "GET", "/v1/FlexFlows", nil)
	req := c.request("GET", "/v1/FlexFlows", nil)
	req.Header.Set("Accept-Encoding", "deflate, gzip;q=0.5")
	r, err := c.try(req)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.raw))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain.raw) {
		t.Errorf("the unpacked answer differs: %v", err)
	}
	if len(r.raw) >= len(plain.raw)/2 {
		t.Errorf("%d bytes of %d: hardly packed", len(r.raw), len(plain.raw))
	}
}

// TestEdit edits the account's document: page tokens and what is not touched
// stay, and a document that is not valid changes nothing.
func TestEdit(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: []byte(products)})
	c := newClient(t, s)
	sid := sidOf(c.create(form("a")))
	edit := func(from, to string) error {
		before := s.Snapshot()
		return s.Edit(func(document []byte) ([]byte, error) {
			if !bytes.Equal(document, before) {
				t.Errorf("the document is not the snapshot:\n%s", document)
			}
			return bytes.Replace(document, []byte(from), []byte(to), 1), nil
		})
	}
	next := c.want(200, "GET", "/v1/Services?PageSize=1", nil).body["meta"].(object)["next_page_url"].(string)
	if err := edit(`"flows": [`, `"flows": [{"channel_type": "web"},`); err != nil {
		t.Fatal(err)
	}
	if err := edit(`"friendly_name": "a"`, `"friendly_name": "renamed"`); err != nil {
		t.Fatal(err)
	}
	if err := edit(`Flex Chat Service`, `Chat`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "renamed"}, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.want(200, "GET", "/v1/FlexFlows/"+sid, nil)
	if items, _ := c.list("/v1/Services?PageSize=5", "services"); len(items) != 2 || items[0]["friendly_name"] != "Chat" {
		t.Errorf("services %v", items)
	}
	if items, _ := c.list(next, "services"); len(items) != 1 || sidOf(items[0]) != "IS00000000000000000000000000000002" {
		t.Errorf("the page after the first is %v", items)
	}

	before := s.Snapshot()
	if err := edit(`"channel_type": "web"`, `"channel_type": 7`); err == nil || !strings.Contains(err.Error(), "flows[0]: channel_type: must be a string, not a number") {
		t.Errorf("got %v", err)
	}
	if err := edit("{", ""); err == nil {
		t.Error("what is not JSON was taken")
	}
	if err := edit(s.AccountSID(), emulator.DefaultAccountSID); err == nil {
		t.Error("the account became another")
	}
	if want := errors.New("no"); s.Edit(func([]byte) ([]byte, error) { return nil, want }) != want {
		t.Error("the error of change is lost")
	}
	if diff := cmp.Diff(string(before), string(s.Snapshot())); diff != "" {
		t.Errorf("the account changed all the same:\n%s", diff)
	}
}
