package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"flexsync/internal/emulator"
)

const (
	host      = "https://flex-api.twilio.com"
	flowsURL  = host + "/v1/FlexFlows"
	service   = "IS00000000000000000000000000000001"
	studio1   = "FW00000000000000000000000000000001"
	studio2   = "FW00000000000000000000000000000002"
	workspace = "WS00000000000000000000000000000001"
	workflow  = "WW00000000000000000000000000000001"
)

func newServer(t testing.TB, opts emulator.Options) *emulator.Server {
	t.Helper()
	s, err := emulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client asks a server and fails the test when it gets no answer.
type client struct {
	t         testing.TB
	base      string
	user      string
	transport http.RoundTripper
}

func newClient(t testing.TB, s *emulator.Server) *client {
	return &client{t, host, s.AccountSID(), s.Transport()}
}

type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (c *client) request(method, target string, form url.Values) *http.Request {
	c.t.Helper()
	if !strings.Contains(target, "://") {
		target = c.base + target
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.SetBasicAuth(c.user, "secret")
	return req
}

func (c *client) try(req *http.Request) (reply, error) {
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{status: res.StatusCode, raw: raw}, err
	}
	r := reply{status: res.StatusCode, header: res.Header, raw: raw}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && res.Header.Get("Content-Encoding") == "" {
		if err := json.Unmarshal(raw, &r.body); err != nil {
			c.t.Errorf("%s %s: %v in %q", req.Method, req.URL, err, raw)
		}
	}
	return r, nil
}

func (c *client) do(method, target string, form url.Values) reply {
	c.t.Helper()
	r, err := c.try(c.request(method, target, form))
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	return r
}

// want asks and fails unless the answer has the status.
func (c *client) want(status int, method, target string, form url.Values) reply {
	c.t.Helper()
	r := c.do(method, target, form)
	if r.status != status {
		c.t.Fatalf("%s %s: %d %s, want %d", method, target, r.status, r.raw, status)
	}
	return r
}

func (c *client) create(form url.Values) map[string]any {
	c.t.Helper()
	return c.want(201, "POST", "/v1/FlexFlows", form).body
}

// list follows next_page_url and gives the items and the number of pages.
func (c *client) list(target, key string) (items []map[string]any, pages int) {
	c.t.Helper()
	for target != "" {
		r := c.want(200, "GET", target, nil)
		pages++
		for _, item := range r.body[key].([]any) {
			items = append(items, item.(map[string]any))
		}
		target, _ = r.body["meta"].(map[string]any)["next_page_url"].(string)
	}
	return items, pages
}

// flows is every flow, in creation order.
func (c *client) flows() []map[string]any {
	c.t.Helper()
	items, _ := c.list("/v1/FlexFlows?PageSize=1000", "flex_flows")
	return items
}

func (c *client) names() []string {
	c.t.Helper()
	items := c.flows()
	names := make([]string, len(items))
	for i, item := range items {
		names[i], _ = item["friendly_name"].(string)
	}
	return names
}

// form is a valid create with changes: pairs of a parameter and its value, ""
// for taking it out.
func form(name string, pairs ...string) url.Values {
	v := url.Values{
		"FriendlyName": {name}, "ChatServiceSid": {service}, "ChannelType": {"sms"}, "Enabled": {"true"},
		"IntegrationType": {"studio"}, "Integration.FlowSid": {studio1},
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func taskForm(name string, pairs ...string) url.Values {
	return form(name, append([]string{
		"IntegrationType", "task", "Integration.FlowSid", "",
		"Integration.WorkspaceSid", workspace, "Integration.WorkflowSid", workflow,
	}, pairs...)...)
}

// flowsJSON is a local file with n flows.
func flowsJSON(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"flows": [`)
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"sid": "FO%032x", "friendly_name": "Flow %06d", "channel_type": "sms", "chat_service_sid": %q,
			"contact_identity": "+1555%07d", "integration_type": "studio", "integration": {"flow_sid": %q}}`, i+1, i, service, i, studio1)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func sidOf(flow map[string]any) string { return flow["sid"].(string) }
