package emulator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flexsync/internal/emulator"

	"github.com/google/go-cmp/cmp"
)

func TestFileKeepsTheAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	s := newServer(t, emulator.Options{File: path, AccountSID: "AC00000000000000000000000000000042"})
	c := newClient(t, s)
	c.want(200, "GET", "/v1/FlexFlows", nil)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("reading made the file: %v", err)
	}
	a := sidOf(c.create(form("a")))
	b := sidOf(c.create(taskForm("b\x00\x1b[31m & <é>", "Integration.CreationOnMessage", "true")))
	c.want(200, "POST", "/v1/FlexFlows/"+a, url.Values{"Enabled": {"false"}})
	c.create(form("c", "IntegrationType", "", "Integration.FlowSid", ""))
	c.want(204, "DELETE", "/v1/FlexFlows/"+sidOf(c.create(form("d"))), nil)

	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	again := newServer(t, emulator.Options{File: path})
	flows := newClient(t, again).flows()
	if diff := cmp.Diff(c.flows(), flows); diff != "" {
		t.Errorf("read again (-first +again):\n%s", diff)
	}
	if again.AccountSID() != "AC00000000000000000000000000000042" || len(flows) != 3 || sidOf(flows[1]) != b {
		t.Errorf("read again: %s", again.Snapshot())
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != string(again.Snapshot()) {
		t.Errorf("the snapshot is not the file: %v", err)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(leftovers) != 1 {
		t.Errorf("files %v, want one", leftovers)
	}
}

func TestHandWrittenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	const text = `{"flows": [
		{"channel_type": "web"},
		{"friendly_name": "a", "channel_type": "sms", "integration": {"flow_sid": "FW00000000000000000000000000000001", "new_key": 1}, "date_created": "2020-01-02T03:04:05+01:00"},
		{"friendly_name": "a", "channel_type": "sms", "integration_type": "task", "integration": {"timeout": "60", "creation_on_message": "true", "flow_sid": ""}, "enabled": false},
		{"friendly_name": "", "channel_type": "custom", "integration_type": "studio", "integration": null, "contact_identity": "", "date_updated": null},
		{"friendly_name": "x\u0000\u001b", "channel_type": "line", "integration": {"url": "https://example.com"}}
	]}`
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	modified := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, emulator.Options{File: path})
	got := newClient(t, s).flows()
	if diff := cmp.Diff(got, newClient(t, newServer(t, emulator.Options{File: path})).flows()); diff != "" {
		t.Errorf("two readings differ, so that a saved plan would be stale:\n%s", diff)
	}
	base := object{
		"account_sid": emulator.DefaultAccountSID, "chat_service_sid": nil, "contact_identity": nil, "friendly_name": nil,
		"date_created": "2025-01-01T00:00:00Z", "date_updated": "2025-01-01T00:00:00Z",
		"enabled": true, "long_lived": false, "janitor_enabled": false, "integration": nil, "integration_type": nil,
	}
	with := func(changes object) object {
		m := object{}
		for _, part := range []object{base, changes} {
			for k, v := range part {
				m[k] = v
			}
		}
		return m
	}
	want := []object{
		with(object{"channel_type": "web"}),
		with(object{"channel_type": "sms", "friendly_name": "a", "date_created": "2020-01-02T02:04:05Z", "date_updated": "2020-01-02T02:04:05Z",
			"integration_type": "studio", "integration": object{"flow_sid": studio1, "retry_count": 3.0}}),
		with(object{"channel_type": "sms", "friendly_name": "a", "enabled": false,
			"integration_type": "task", "integration": object{"channel": "default", "timeout": 60.0, "priority": 0.0, "creation_on_message": true}}),
		with(object{"channel_type": "custom", "friendly_name": "", "integration_type": "studio"}),
		with(object{"channel_type": "line", "friendly_name": "x\x00\x1b",
			"integration_type": "external", "integration": object{"url": "https://example.com", "retry_count": 3.0}}),
	}
	for _, flow := range got {
		if len(sidOf(flow)) != 34 || flow["url"] != flowsURL+"/"+sidOf(flow) {
			t.Errorf("sid %v, url %v", flow["sid"], flow["url"])
		}
		delete(flow, "sid")
		delete(flow, "url")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	newClient(t, s).create(form("b"))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's own mode is lost: %v, %v", info.Mode(), err)
	}
}

func TestBadFiles(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "empty; an account without anything is {}"},
		{"blank", " \n", "empty"},
		{"null", "null", "null; want an object"},
		{"a list", "[]", "is array; want an object with account_sid"},
		{"syntax", "{\n  \"flows\": [,]\n}", "line 2, column 13: invalid character ','"},
		{"cut short", "{\"flows\": [", "line 1, column 11: the JSON document is incomplete"},
		{"two documents", "{}\n{}", "line 2, column 1: unexpected data"},
		{"unknown key", `{"flow": []}`, `unknown field "flow"`},
		{"kind", `{"flows": 7}`, "flows cannot be a JSON number"},
		{"flow is null", `{"flows": [null]}`, "flows[0]: must be an object, not null"},
		{"flow is a string", `{"flows": ["a"]}`, "flows[0]: must be an object, not a string"},
		{"flow's key", `{"flows": [{"channel_type": "web"}, {"friendly_name": "a", "chanel_type": "web"}]}`, `flows[1] "a": unknown key "chanel_type"`},
		{"no channel type", `{"flows": [{"friendly_name": "a"}]}`, `flows[0] "a": channel_type: is missing`},
		{"channel type", `{"flows": [{"channel_type": "fax"}]}`, "flows[0]: channel_type: must be one of web, sms"},
		{"name's kind", `{"flows": [{"friendly_name": 7, "channel_type": "web"}]}`, "flows[0]: friendly_name: must be a string, not a number"},
		{"bool's kind", `{"flows": [{"enabled": "yes", "channel_type": "web"}]}`, "enabled: must be true or false"},
		{"integration's kind", `{"flows": [{"integration": [], "channel_type": "web"}]}`, "integration: must be an object, not a list"},
		{"integration's value", `{"flows": [{"integration": {"retry_count": 9}, "channel_type": "web"}]}`, "integration.retry_count: must be from 0 to 3"},
		{"address's type", `{"addresses": [{"address": "+1"}]}`, `addresses[0] "+1": type: is missing`},
		{"address", `{"addresses": [{"type": "sms"}]}`, "addresses[0]: address: is missing"},
		{"address's key", `{"addresses": [{"type": "sms", "address": "+1", "contact_identity": "x"}]}`, `addresses[0] "+1": unknown key "contact_identity"`},
		{"address's sid", `{"addresses": [{"sid": "FO00000000000000000000000000000001", "type": "sms", "address": "+1"}]}`, "sid: must be IG"},
		{"auto_creation's kind", `{"addresses": [{"type": "sms", "address": "+1", "auto_creation": []}]}`, "auto_creation: must be an object, not a list"},
		{"filters' kind", `{"addresses": [{"type": "sms", "address": "+1", "auto_creation": {"webhook_filters": "onMessageAdded"}}]}`, "auto_creation.webhook_filters: must be a list, not a string"},
		{"filter's kind", `{"addresses": [{"type": "sms", "address": "+1", "auto_creation": {"webhook_filters": [1]}}]}`, "auto_creation.webhook_filters: must be a string, not a number"},
		{"filter", `{"addresses": [{"type": "sms", "address": "+1", "auto_creation": {"webhook_filters": ["onCall"]}}]}`, "auto_creation.webhook_filters: must be one of onMessageAdded"},
		{"sid", `{"flows": [{"sid": "FO1", "channel_type": "web"}]}`, "sid: must be FO and 32 hex digits"},
		{"sid twice", `{"flows": [{"sid": "FO00000000000000000000000000000001", "channel_type": "web"}, {"sid": "FO00000000000000000000000000000001", "channel_type": "web"}]}`,
			"flows[1]: sid: FO00000000000000000000000000000001 is already the SID of another item"},
		{"date", `{"flows": [{"date_created": "yesterday", "channel_type": "web"}]}`, `date_created: "yesterday" is not a date`},
		{"account", `{"account_sid": "AC1"}`, `account_sid "AC1" is not AC`},
		{"two accounts", `{"account_sid": "AC00000000000000000000000000000002", "flows": [{"account_sid": "AC00000000000000000000000000000003", "channel_type": "web"}]}`,
			"flows[0]: account_sid: is AC00000000000000000000000000000003, but the account is AC00000000000000000000000000000002"},
		{"service", `{"services": [{"sid": "WS00000000000000000000000000000001"}]}`, "services[0]: sid: must be IS"},
		{"null service", `{"services": [null]}`, "services[0]: must be an object, not null"},
		{"workflows", `{"workspaces": [{"friendly_name": "w", "workflows": {}}]}`, "workspaces[0].workflows: must be a list, not an object"},
		{"workflow", `{"workspaces": [{"workflows": [{"sid": 1}]}]}`, "workspaces[0].workflows[0]: sid: must be a string, not a number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "account.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := emulator.New(emulator.Options{File: path})
			if err == nil || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want the path and %q", err, tt.want)
			}
			if _, err := emulator.New(emulator.Options{Seed: []byte(tt.text)}); err == nil || !strings.HasPrefix(err.Error(), "seed: ") {
				t.Errorf("as a seed: %v", err)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	dir := t.TempDir()
	for name, opts := range map[string]emulator.Options{
		"no such directory": {File: filepath.Join(dir, "a", "b.json")},
		"directory":         {File: dir},
		"account SID":       {AccountSID: "AC1"},
		"other account":     {AccountSID: "AC00000000000000000000000000000002", Seed: []byte(`{"account_sid": "AC00000000000000000000000000000003"}`)},
		"negative":          {RateLimit: -1},
	} {
		if _, err := emulator.New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSeedStartsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	first := newServer(t, emulator.Options{File: path, Seed: flowsJSON(2)})
	newClient(t, first).create(form("a"))
	second := newServer(t, emulator.Options{File: path, Seed: flowsJSON(9)})
	if diff := cmp.Diff([]string{"Flow 000000", "Flow 000001", "a"}, newClient(t, second).names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUnwritableFile is the promise that a write is kept or did not happen. The
// file's name leaves no room for that of a temporary file beside it, which stops
// even root from writing.
func TestUnwritableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("a", 250))
	if err := os.WriteFile(path, flowsJSON(3), 0o600); err != nil {
		t.Skip("the file system knows no such names: ", err)
	}
	s := newServer(t, emulator.Options{File: path})
	c := newClient(t, s)
	before := s.Snapshot()
	target := "/v1/FlexFlows/" + sidOf(c.flows()[1])

	var wg sync.WaitGroup
	for range 5 { // together, so that some are written as one
		wg.Go(func() {
			for _, req := range []*http.Request{
				c.request("POST", "/v1/FlexFlows", form("b")),
				c.request("POST", target, url.Values{"FriendlyName": {"c"}}),
				c.request("DELETE", target, nil),
			} {
				r, err := c.try(req)
				if err != nil || r.status != 500 || r.body["code"] != 20500.0 {
					t.Errorf("got %d %s %v, want 500 with 20500", r.status, r.raw, err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Edit(func([]byte) ([]byte, error) { return []byte("{}"), nil }); err == nil {
		t.Error("an edit was kept")
	}
	if diff := cmp.Diff(string(before), string(s.Snapshot())); diff != "" {
		t.Errorf("the account changed all the same:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Flow 000000", "Flow 000001", "Flow 000002"}, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTwoServersOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	a := newClient(t, newServer(t, emulator.Options{File: path}))
	b := newClient(t, newServer(t, emulator.Options{File: path}))

	// Every write is seen by the other at once, however fast they follow each
	// other and however alike the file's versions look.
	sid := sidOf(a.create(form("0")))
	for i := range 50 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		name := fmt.Sprint(i % 10)
		from.want(200, "POST", "/v1/FlexFlows/"+sid, url.Values{"FriendlyName": {name}})
		if diff := cmp.Diff([]string{name}, to.names()); diff != "" {
			t.Fatalf("write %d is not seen (-want +got):\n%s", i, diff)
		}
	}

	// A listing goes on where it was after the other has written.
	for i := range 9 {
		a.create(form(fmt.Sprint("flow ", i)))
	}
	r := a.want(200, "GET", "/v1/FlexFlows?PageSize=5", nil)
	last := r.body["flex_flows"].([]any)[4].(object)
	b.want(204, "DELETE", "/v1/FlexFlows/"+sid, nil)
	b.want(204, "DELETE", "/v1/FlexFlows/"+sidOf(last), nil)
	rest, _ := a.list(r.body["meta"].(object)["next_page_url"].(string), "flex_flows")
	var names []string
	for _, flow := range rest {
		names = append(names, flow["friendly_name"].(string))
	}
	if diff := cmp.Diff([]string{"flow 4", "flow 5", "flow 6", "flow 7", "flow 8"}, names); diff != "" {
		t.Errorf("the rest of the listing (-want +got):\n%s", diff)
	}
}

func TestFileIsDamagedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	c := newClient(t, newServer(t, emulator.Options{File: path}))
	c.create(form("a"))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := c.do("GET", "/v1/FlexFlows", nil); r.status != 500 || !strings.Contains(r.body["message"].(string), "incomplete") {
			t.Errorf("got %d %s", r.status, r.raw)
		}
	}
	c.want(500, "POST", "/v1/FlexFlows", form("b"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := c.do("GET", "/v1/FlexFlows", nil); r.status != 500 || !strings.Contains(r.body["message"].(string), "no longer exists") {
		t.Errorf("got %d %s", r.status, r.raw)
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	c.create(form("b"))
	if diff := cmp.Diff([]string{"a", "b"}, c.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestConcurrentWrites runs several servers on one file, each with several
// clients: nothing is lost, nothing is there twice.
func TestConcurrentWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	const servers, clients, flows = 3, 4, 8
	var wg sync.WaitGroup
	for i := range servers {
		s := newServer(t, emulator.Options{File: path})
		for j := range clients {
			wg.Go(func() {
				c := newClient(t, s)
				for k := range flows {
					r, err := c.try(c.request("POST", "/v1/FlexFlows", form(fmt.Sprint(i, j, k))))
					if err != nil || r.status != 201 {
						t.Errorf("create: %d %s %v", r.status, r.raw, err)
						return
					}
					target := "/v1/FlexFlows/" + sidOf(r.body)
					if k%2 == 0 {
						r, err = c.try(c.request("DELETE", target, nil))
					} else {
						r, err = c.try(c.request("GET", target, nil))
					}
					if err != nil || r.status >= 300 {
						t.Errorf("%s: %d %s %v", target, r.status, r.raw, err)
					}
				}
			})
		}
	}
	wg.Wait()
	have := newClient(t, newServer(t, emulator.Options{File: path})).flows()
	names := make(map[any]bool)
	for _, flow := range have {
		names[flow["friendly_name"]] = true
	}
	if want := servers * clients * flows / 2; len(have) != want || len(names) != want {
		t.Errorf("%d flows of %d names, want %d", len(have), len(names), want)
	}
}
