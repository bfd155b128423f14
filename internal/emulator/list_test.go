package emulator_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"flexsync/internal/emulator"

	"github.com/google/go-cmp/cmp"
)

func TestPaging(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Seed: flowsJSON(7)}))
	tests := []struct {
		query string
		pages int
		names string
	}{
		{"", 1, "0123456"},
		{"?PageSize=1000", 1, "0123456"},
		{"?PageSize=7", 1, "0123456"},
		{"?PageSize=6", 2, "0123456"},
		{"?PageSize=3", 3, "0123456"},
		{"?PageSize=1", 7, "0123456"},
		{"?FriendlyName=Flow+000004&PageSize=1", 1, "4"},
		{"?FriendlyName=flow+000004", 1, ""},
		{"?FriendlyName=", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			items, pages := c.list("/v1/FlexFlows"+tt.query, "flex_flows")
			var got strings.Builder
			for _, item := range items {
				got.WriteString(strings.TrimPrefix(item["friendly_name"].(string), "Flow 00000"))
			}
			if got.String() != tt.names || pages != tt.pages {
				t.Errorf("got %q in %d pages, want %q in %d", got.String(), pages, tt.names, tt.pages)
			}
		})
	}
}

func TestPageMeta(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Seed: flowsJSON(5)}))
	get := func(target string) (reply, object) {
		t.Helper()
		r := c.want(200, "GET", target, nil)
		return r, r.body["meta"].(object)
	}

	_, first := get("/v1/FlexFlows?PageSize=2")
	next := first["next_page_url"].(string)
	want := object{
		"page": 0.0, "page_size": 2.0, "key": "flex_flows", "previous_page_url": nil, "next_page_url": next,
		"first_page_url": flowsURL + "?PageSize=2&Page=0", "url": flowsURL + "?PageSize=2&Page=0",
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(next, flowsURL+"?PageSize=2&Page=1&PageToken=PA") {
		t.Errorf("next_page_url %s", next)
	}

	// Forward to the end, and back by previous_page_url to the same pages.
	var forward []string
	target := next
	var last object
	for target != "" {
		r, m := get(target)
		forward = append(forward, string(r.raw))
		last = m
		target, _ = m["next_page_url"].(string)
	}
	r, m := get(last["previous_page_url"].(string))
	if m["page"] != 1.0 || len(r.body["flex_flows"].([]any)) != 2 || m["next_page_url"] == nil {
		t.Errorf("the page before the last: %s", r.raw)
	}
	r, m = get(m["previous_page_url"].(string))
	if m["previous_page_url"] != nil || m["page"] != 0.0 {
		t.Errorf("the first page, from behind: %s", r.raw)
	}
	if len(forward) != 2 {
		t.Errorf("%d pages after the first, want 2", len(forward))
	}
}

func TestPageQueryIsStrict(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{Seed: flowsJSON(3)}))
	token := func(prefix string) string { return "PA" + prefix + strings.Repeat("0", 16) }
	for _, target := range []string{
		"/v1/FlexFlows?PageSize=0", "/v1/FlexFlows?PageSize=1001", "/v1/FlexFlows?PageSize=x", "/v1/FlexFlows?PageSize=",
		"/v1/FlexFlows?Page=-1", "/v1/FlexFlows?PageToken=", "/v1/FlexFlows?PageToken=abc",
		"/v1/FlexFlows?PageToken=" + token("FW"), "/v2/Flows?PageToken=" + token("FO"),
		"/v1/FlexFlows?PageSize=1&PageSize=2", "/v1/FlexFlows?Limit=1", "/v1/FlexFlows?FriendlyName=%zz",
		"/v2/Flows?FriendlyName=a", "/v2/Flows?=a", "/v1/Services?PageSize=101",
	} {
		if r := c.do("GET", target, nil); r.status != 400 || r.body["code"] != 20001.0 {
			t.Errorf("%s: %d %s", target, r.status, r.raw)
		}
	}
	c.want(200, "GET", "/v2/Flows?PageToken="+token("FW"), nil)
}

// TestPagingWhileChanging holds on to the one thing a mirror depends on: flows
// that are there all the time are listed once.
func TestPagingWhileChanging(t *testing.T) {
	const n = 60
	s := newServer(t, emulator.Options{Seed: flowsJSON(n)})
	c := newClient(t, s)
	var got []string
	target := "/v1/FlexFlows?PageSize=10"
	for page := 0; target != ""; page++ {
		r := c.want(200, "GET", target, nil)
		for _, item := range r.body["flex_flows"].([]any) {
			got = append(got, item.(object)["friendly_name"].(string))
		}
		target, _ = r.body["meta"].(object)["next_page_url"].(string)
		if target == "" {
			break
		}
		// The last flow of this page and everything before it but one goes, so
		// that the place the token names is gone and the table is compacted.
		for _, flow := range c.flows()[1:] {
			if slices.Contains(got, flow["friendly_name"].(string)) {
				c.want(204, "DELETE", "/v1/FlexFlows/"+sidOf(flow), nil)
			}
		}
	}
	for i := range n {
		want := fmt.Sprintf("Flow %06d", i)
		if i >= len(got) || got[i] != want {
			t.Fatalf("listed %q, want every flow once and in order", got)
		}
	}
}

func TestUnorderedPages(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: flowsJSON(50), MaxPageSize: 20, Behaviour: emulator.Behaviour{UnorderedPages: true}})
	c := newClient(t, s)
	items, pages := c.list("/v1/FlexFlows?PageSize=1000", "flex_flows")
	names := make(map[any]bool)
	for _, item := range items {
		names[item["friendly_name"]] = true
	}
	if len(items) != 50 || len(names) != 50 || pages != 3 {
		t.Errorf("%d items, %d names, %d pages; want 50, 50, 3", len(items), len(names), pages)
	}
	if slices.IsSortedFunc(items, func(a, b map[string]any) int { return strings.Compare(sidOf(a), sidOf(b)) }) {
		t.Error("the items are in creation order")
	}
}

const products = `{
	"account_sid": "AC00000000000000000000000000000009",
	"services": [{"friendly_name": "Flex Chat Service"}, {"sid": "IS00000000000000000000000000000002"}],
	"studio_flows": [{"friendly_name": "Messaging IVR", "revision": 4}, {"friendly_name": "New IVR", "status": "draft"}],
	"workspaces": [{
		"sid": "WS00000000000000000000000000000001", "friendly_name": "Flex Task Assignment",
		"workflows": [{"friendly_name": "Assign to Anyone"}, {"friendly_name": "Nobody"}],
		"task_channels": [{"friendly_name": "Programmable Chat", "unique_name": "chat"}, {"friendly_name": "SMS"}]
	}, {"friendly_name": "Empty"}]}`

func TestOtherProducts(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: []byte(products)})
	c := newClient(t, s)
	tests := []struct {
		target, key, prefix string
		names               []any
	}{
		{"/v1/Services?PageSize=100", "services", "IS", []any{"Flex Chat Service", nil}},
		{"/v1/Services?PageSize=1", "services", "IS", []any{"Flex Chat Service", nil}},
		{"/v2/Flows", "flows", "FW", []any{"Messaging IVR", "New IVR"}},
		{"/v1/Workspaces?PageSize=1", "workspaces", "WS", []any{"Flex Task Assignment", "Empty"}},
		{"/v1/Workspaces?FriendlyName=Empty", "workspaces", "WS", []any{"Empty"}},
		{"/v1/Workspaces/" + workspace + "/Workflows?PageSize=1", "workflows", "WW", []any{"Assign to Anyone", "Nobody"}},
		{"/v1/Workspaces/" + workspace + "/Workflows?FriendlyName=Nobody", "workflows", "WW", []any{"Nobody"}},
		{"/v1/Workspaces/" + workspace + "/TaskChannels?PageSize=1", "channels", "TC", []any{"Programmable Chat", "SMS"}},
	}
	for _, tt := range tests {
		items, _ := c.list(tt.target, tt.key)
		var names []any
		for _, item := range items {
			names = append(names, item["friendly_name"])
			if !strings.HasPrefix(sidOf(item), tt.prefix) || item["account_sid"] != s.AccountSID() {
				t.Errorf("%s: %v of %v", tt.target, item["sid"], item["account_sid"])
			}
			path, _, _ := strings.Cut(tt.target, "?")
			if item["url"] != host+path+"/"+sidOf(item) {
				t.Errorf("%s: url %v", tt.target, item["url"])
			}
		}
		if diff := cmp.Diff(tt.names, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.target, diff)
		}
	}
	channels, _ := c.list("/v1/Workspaces/"+workspace+"/TaskChannels", "channels")
	if channels[0]["unique_name"] != "chat" || channels[1]["unique_name"] != "sms" || channels[0]["workspace_sid"] != workspace {
		t.Errorf("task channels %v", channels)
	}
}

// BenchmarkListing lists an account whole, 1000 a page. The time per flow must
// not depend on how many there are.
func BenchmarkListing(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newServer(b, emulator.Options{Seed: flowsJSON(n)})
			transport := s.Transport()
			for b.Loop() {
				target := flowsURL + "?PageSize=1000"
				for target != "" {
					target = nextPage(b, transport, s.AccountSID(), target)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/flow")
		})
	}
}

// nextPage reads a page and finds next_page_url without decoding the flows.
func nextPage(b *testing.B, transport http.RoundTripper, user, target string) string {
	req, err := http.NewRequestWithContext(b.Context(), "GET", target, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(user, "x")
	res, err := transport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	const key = `"next_page_url":"`
	i := strings.LastIndex(string(raw), key)
	if i < 0 {
		return ""
	}
	next, _, _ := strings.Cut(string(raw[i+len(key):]), `"`)
	if _, err := url.Parse(next); err != nil {
		b.Fatal(err)
	}
	return next
}

func BenchmarkCreate(b *testing.B) {
	s := newServer(b, emulator.Options{Seed: flowsJSON(100_000)})
	c := &client{b, host, s.AccountSID(), s.Transport()}
	for b.Loop() {
		c.create(form("a"))
	}
}
