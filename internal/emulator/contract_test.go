package emulator_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/contract"
	"flexsync/internal/emulator"

	"pgregory.net/rapid"
)

// full is products with a value in every property that can be null.
const full = `{
	"services": [{"friendly_name": "Flex Chat Service"}, {"sid": "IS00000000000000000000000000000002"}],
	"studio_flows": [
		{"sid": "FW00000000000000000000000000000001", "friendly_name": "Messaging IVR", "author_sid": "US00000000000000000000000000000001", "definition": {"states": []}, "commit_message": "Ready",
		 "valid": true, "errors": [], "warnings": [], "webhook_url": "https://webhooks.twilio.com/v1/x"},
		{"friendly_name": "New IVR", "status": "draft"}],
	"workspaces": [
		{"sid": "WS00000000000000000000000000000001", "friendly_name": "Flex Task Assignment", "default_activity_name": "Offline",
		 "default_activity_sid": "WA00000000000000000000000000000001", "timeout_activity_name": "Offline", "timeout_activity_sid": "WA00000000000000000000000000000001",
		 "event_callback_url": "https://hooks.example.com/events", "events_filter": "task.created",
		 "workflows": [{"friendly_name": "Assign to Anyone", "assignment_callback_url": "https://hooks.example.com/a", "fallback_assignment_callback_url": "https://hooks.example.com/b"}, {"friendly_name": "Nobody"}],
		 "task_channels": [{"friendly_name": "Programmable Chat", "unique_name": "chat"}, {"friendly_name": "SMS"}]},
		{"friendly_name": "Empty"}]}`

func newContract(t *testing.T, s *emulator.Server) *contract.Transport {
	t.Helper()
	c, err := contract.New(s.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestContract goes through every operation, with every parameter, to every
// property of every answer.
func TestContract(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: []byte(full)})
	contract := newContract(t, s)
	c := &client{t, host, s.AccountSID(), contract}

	whole := taskForm("task", "Integration.CreationOnMessage", "true", "Integration.Channel", "chat", "Integration.Timeout", "60", "Integration.Priority", "1",
		"LongLived", "true", "JanitorEnabled", "true", "ContactIdentity", "+15550002")
	for _, f := range []url.Values{
		form("studio", "ContactIdentity", "+15550001", "Integration.RetryCount", "2"), whole,
		form("external", "IntegrationType", "external", "Integration.FlowSid", "", "Integration.Url", "https://example.com/x"),
		form("none", "IntegrationType", "", "Integration.FlowSid", ""), form("x\x00\x1b <&> é"),
	} {
		target := "/v1/FlexFlows/" + sidOf(c.create(f))
		c.want(200, "GET", target, nil)
		c.list(flowsURL, "flex_flows")
		c.want(200, "POST", target, url.Values{})
		c.want(200, "POST", target, whole)
		c.want(200, "POST", target, url.Values{"IntegrationType": {"external"}, "Integration.Url": {"https://example.com/x"}})
		c.want(200, "POST", target, url.Values{"IntegrationType": {"studio"}, "Integration.FlowSid": {studio2}, "Integration.RetryCount": {"0"}, "ContactIdentity": {"+15550003"}})
		c.want(404, "GET", target+"x", nil)
	}
	c.want(400, "POST", "/v1/FlexFlows", form("odd", "Mystery", "1"))
	hook := url.Values{
		"AutoCreation.Enabled": {"true"}, "AutoCreation.Type": {"webhook"}, "AutoCreation.ConversationServiceSid": {service},
		"AutoCreation.WebhookUrl": {"https://example.com/x"}, "AutoCreation.WebhookMethod": {"get"}, "AutoCreation.WebhookFilters": {"onMessageAdded", "onMessageRemoved"},
	}
	hooked := address("rcs", "x")
	maps.Copy(hooked, hook)
	for _, f := range []url.Values{
		hooked, address("sms", "+15550001"), address("whatsapp", "whatsapp:+15550001", "FriendlyName", "WhatsApp"), address("email", "a/b+c@example.com"),
		address("sms", "12345", "AddressCountry", "CA", "AutoCreation.Type", "studio", "AutoCreation.StudioFlowSid", studio1, "AutoCreation.StudioRetryCount", "2"),
	} {
		made := c.want(201, "POST", addressesPath, f).body
		target := addressesPath + "/" + sidOf(made)
		for _, update := range []url.Values{
			hook, {"FriendlyName": {"x"}},
			{"AutoCreation.Type": {"studio"}, "AutoCreation.StudioFlowSid": {studio2}, "AutoCreation.StudioRetryCount": {"0"}},
		} {
			c.want(200, "POST", target, update)
			c.want(200, "GET", addressesPath+"/"+url.PathEscape(made["address"].(string)), nil)
			c.list(addressesPath+"?PageSize=1", "address_configurations")
		}
		c.want(409, "POST", addressesPath, f)
	}
	c.want(200, "GET", "/v2/Flows/"+studio1, nil)
	for _, target := range []struct{ url, key string }{
		{"https://flex-api.twilio.com/v1/FlexFlows?PageSize=1", "flex_flows"},
		{"https://flex-api.twilio.com/v1/FlexFlows?FriendlyName=task", "flex_flows"},
		{"https://conversations.twilio.com/v1/Configuration/Addresses?Type=sms&PageSize=1", "address_configurations"},
		{"https://conversations.twilio.com/v1/Services?PageSize=1", "services"},
		{"https://studio.twilio.com/v2/Flows?PageSize=1", "flows"},
		{"https://taskrouter.twilio.com/v1/Workspaces?PageSize=1", "workspaces"},
		{"https://taskrouter.twilio.com/v1/Workspaces?FriendlyName=Empty", "workspaces"},
		{"https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/Workflows?PageSize=1", "workflows"},
		{"https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/Workflows?FriendlyName=Nobody", "workflows"},
		{"https://taskrouter.twilio.com/v1/Workspaces/" + workspace + "/TaskChannels?PageSize=1", "channels"},
	} {
		if items, _ := c.list(target.url, target.key); len(items) == 0 {
			t.Errorf("%s: nothing listed", target.url)
		}
	}
	for _, flow := range newClient(t, s).flows() {
		c.want(204, "DELETE", "/v1/FlexFlows/"+sidOf(flow), nil)
	}
	items, _ := c.list(addressesPath, "address_configurations")
	for _, item := range items {
		c.want(204, "DELETE", addressesPath+"/"+sidOf(item), nil)
	}
	for _, unused := range contract.Unused() {
		if strings.HasSuffix(unused, ".binding_name") || strings.HasSuffix(unused, "flows[].definition") {
			continue // always null
		}
		t.Errorf("in the OpenAPI document, and nothing has it: %s", unused)
	}
}

// TestContractHoldsForAnything sends requests at random, sensible and not. The
// emulator may refuse any of them; what it accepts and answers must conform.
func TestContractHoldsForAnything(t *testing.T) {
	contract := newContract(t, newServer(t, emulator.Options{}))
	flowParams := []string{
		"FriendlyName", "ChatServiceSid", "ChannelType", "ContactIdentity", "Enabled", "IntegrationType",
		"Integration.FlowSid", "Integration.Url", "Integration.WorkspaceSid", "Integration.WorkflowSid", "Integration.Channel",
		"Integration.Timeout", "Integration.Priority", "Integration.CreationOnMessage", "LongLived", "JanitorEnabled",
		"Integration.RetryCount", "Sid",
	}
	addressParams := []string{
		"Type", "Address", "FriendlyName", "AddressCountry", "AutoCreation.Enabled", "AutoCreation.Type", "AutoCreation.ConversationServiceSid",
		"AutoCreation.WebhookUrl", "AutoCreation.WebhookMethod", "AutoCreation.WebhookFilters", "AutoCreation.StudioFlowSid",
		"AutoCreation.StudioRetryCount", "Sid",
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
		"Type": {"sms", "rcs", "chat"}, "Address": {"+1", "+2", "3", "4", "+5", "6"}, "AddressCountry": {"US"},
		"AutoCreation.Enabled": {"true", "false"}, "AutoCreation.Type": {"studio", "webhook", "default"}, "AutoCreation.ConversationServiceSid": {service},
		"AutoCreation.WebhookUrl": {"https://example.com/"}, "AutoCreation.WebhookMethod": {"get", "post"}, "AutoCreation.WebhookFilters": {"onMessageAdded"},
		"AutoCreation.StudioFlowSid": {studio1, studio2}, "AutoCreation.StudioRetryCount": {"0", "3"},
	}
	randomForm := func(t *rapid.T, given, params []string) url.Values {
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
		s := newServer(t, emulator.Options{MaxPageSize: 2, Behaviour: emulator.Behaviour{
			Collisions: rapid.Bool().Draw(rt, "collisions"), NumbersAsStrings: rapid.Bool().Draw(rt, "strings"), NullIntegration: rapid.Bool().Draw(rt, "null"),
			ReplaceIntegration: rapid.Bool().Draw(rt, "replace"), KeepForeign: rapid.Bool().Draw(rt, "foreign"), NullKeys: rapid.Bool().Draw(rt, "keys"),
			OtherCase: rapid.Bool().Draw(rt, "case"), NullDateUpdated: rapid.Bool().Draw(rt, "date"), RefuseHeld: rapid.Bool().Draw(rt, "held"),
		}})
		path, key, params, required := "/v1/FlexFlows", "flex_flows", flowParams, 3
		if rapid.Bool().Draw(rt, "addresses") {
			path, key, params, required = addressesPath, "address_configurations", addressParams, 2
		}
		contract.SetNext(s.Transport())
		c := &client{t, host, s.AccountSID(), contract}
		var sids []string
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				r, err := c.try(c.request("POST", path, randomForm(rt, params[:required:required], params)))
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
				target := path + "/" + rapid.SampledFrom(sids).Draw(rt, "sid")
				r, err := c.try(c.request("POST", target, randomForm(rt, nil, params)))
				if err != nil || r.status >= 500 {
					rt.Fatal(err, r.status)
				}
			},
			"delete": func(rt *rapid.T) {
				if len(sids) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(sids)-1).Draw(rt, "index")
				r, err := c.try(c.request("DELETE", path+"/"+sids[i], nil))
				if err != nil || r.status != 204 {
					rt.Fatal(err, r.status)
				}
				sids = slices.Delete(sids, i, i+1)
			},
			"": func(rt *rapid.T) { // after each: the listing is what was made, in order
				var listed []string
				for target := path; target != ""; {
					r, err := c.try(c.request("GET", target, nil))
					if err != nil || r.status != 200 {
						rt.Fatal(err, r.status)
					}
					for _, flow := range r.body[key].([]any) {
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

// TestOpenAPIIsServed reads the document as a person does that has started
// `flexsync emulate`: without credentials, and outside of the account.
func TestOpenAPIIsServed(t *testing.T) {
	s := newServer(t, emulator.Options{AuthToken: "secret"})
	for _, test := range []struct {
		method string
		status int
		body   string
	}{
		{http.MethodGet, http.StatusOK, emulator.OpenAPI},
		{http.MethodHead, http.StatusOK, ""},
		{http.MethodPost, http.StatusMethodNotAllowed, ""},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(test.method, "http://localhost/openapi.json", nil))
		if test.method == http.MethodHead {
			w.Body.Reset() // net/http leaves it out
		}
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s: %d, %.60q", test.method, w.Code, w.Body)
		}
	}
}
