package emulator_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/internal/emulator"

	"github.com/google/go-cmp/cmp"
)

const addressesPath = "/v1/Configuration/Addresses"

// address is the form of a create.
func address(kind, address string, pairs ...string) url.Values {
	v := url.Values{"Type": {kind}, "Address": {address}}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// studioAddress is one whose messages go to a Studio flow.
func studioAddress(kind, identity string, pairs ...string) url.Values {
	return address(kind, identity, append([]string{
		"AutoCreation.Enabled", "true", "AutoCreation.Type", "studio", "AutoCreation.StudioFlowSid", studio1, "AutoCreation.StudioRetryCount", "3",
	}, pairs...)...)
}

func TestAddress(t *testing.T) {
	clock := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s := newServer(t, emulator.Options{Now: func() time.Time { return clock }})
	c := newClient(t, s)
	made := c.want(201, "POST", addressesPath, address("sms", "+15550001")).body
	sid := sidOf(made)
	target := addressesPath + "/" + sid
	if len(sid) != 34 || !strings.HasPrefix(sid, "IG") {
		t.Errorf("sid %q", sid)
	}
	want := object{
		"sid": sid, "account_sid": s.AccountSID(), "type": "sms", "address": "+15550001", "friendly_name": nil, "address_country": nil,
		"auto_creation": object{"enabled": false, "type": "default"},
		"date_created":  "2026-01-02T03:04:05Z", "date_updated": "2026-01-02T03:04:05Z", "url": host + target,
	}
	check := func(got object) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	update := func(pairs ...string) {
		t.Helper()
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		check(c.want(200, "POST", target, v).body)
	}
	check(made)
	for _, ref := range []string{sid, "+15550001", "%2B15550001"} {
		check(c.want(200, "GET", addressesPath+"/"+ref, nil).body)
	}

	// What an update does not name stays.
	clock = clock.Add(time.Hour)
	want["date_updated"] = "2026-01-02T04:04:05Z"
	update()
	want["friendly_name"] = "Support"
	want["auto_creation"] = object{"enabled": true, "type": "default", "conversation_service_sid": service}
	update("FriendlyName", "Support", "AutoCreation.Enabled", "true", "AutoCreation.ConversationServiceSid", service)
	want["auto_creation"] = object{"enabled": true, "type": "studio", "conversation_service_sid": service, "studio_flow_sid": studio1, "studio_retry_count": 3.0}
	update("AutoCreation.Type", "studio", "AutoCreation.StudioFlowSid", studio1, "AutoCreation.StudioRetryCount", "3", "AutoCreation.WebhookFilters", "onMessageAdded")
	want["auto_creation"].(object)["studio_flow_sid"] = studio2
	update("AutoCreation.StudioFlowSid", studio2)

	// The keys of another type go, empty values clear, a list is its elements.
	want["friendly_name"] = nil
	want["auto_creation"] = object{"enabled": true, "type": "webhook", "webhook_url": "https://example.com", "webhook_method": "POST",
		"webhook_filters": []any{"onMessageRemoved", "onMessageAdded"}}
	update("FriendlyName", "", "AutoCreation.ConversationServiceSid", "", "AutoCreation.Type", "webhook", "AutoCreation.WebhookUrl", "https://example.com",
		"AutoCreation.WebhookMethod", "post", "AutoCreation.WebhookFilters", "onMessageRemoved", "AutoCreation.WebhookFilters", "onMessageAdded", "AutoCreation.StudioFlowSid", "")
	want["auto_creation"].(object)["webhook_filters"] = []any{"onDeliveryUpdated"}
	update("AutoCreation.WebhookFilters", "onDeliveryUpdated")
}

func TestAddressRefused(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{}))
	target := addressesPath + "/" + sidOf(c.want(201, "POST", addressesPath, studioAddress("sms", "+1555", "FriendlyName", "Support")).body)
	before := c.want(200, "GET", target, nil).raw
	tests := []struct {
		target string
		form   url.Values
		status int
		want   string
	}{
		{addressesPath, address("sms", "+1555"), 409, "Conflict"},
		{addressesPath, address("rcs", "+1555"), 409, "Conflict"}, // of whatever type
		{addressesPath, url.Values{"Type": {"sms"}}, 400, "Missing required parameter Address"},
		{addressesPath, url.Values{"Address": {"+1"}}, 400, "Missing required parameter Type"},
		{addressesPath, address("fax", "+1"), 400, "Type must be one of sms, whatsapp"},
		{addressesPath, address("sms", "one"), 400, "Address must be a phone number"},
		{addressesPath, address("sms", "whatsapp:+1"), 400, "Address must be a phone number"},
		{addressesPath, address("whatsapp", "+1"), 400, "Address must be whatsapp:"},
		{addressesPath, address("messenger", "1"), 400, "Address must be messenger:"},
		{addressesPath, address("email", "me"), 400, "Address must be an email address"},
		{addressesPath, address("sms", "12345", "AddressCountry", "us"), 400, "AddressCountry must be a country code"},
		{addressesPath, address("sms", "+1", "FriendlyName", strings.Repeat("é", 257)), 400, "FriendlyName must be at most 256 characters"},
		{addressesPath, address("sms", "+1", "Address", "+2"), 400, "Address is given 2 times"},
		{addressesPath, address("sms", "+1", "AutoCreation.Enabled", "1"), 400, "AutoCreation.Enabled must be true or false"},
		{addressesPath, address("sms", "+1", "AutoCreation.Type", "task"), 400, "AutoCreation.Type must be one of webhook, studio, default"},
		{addressesPath, address("sms", "+1", "AutoCreation.Type", "studio"), 400, "AutoCreation.StudioFlowSid is required when AutoCreation.Type is studio"},
		{addressesPath, address("sms", "+1", "AutoCreation.Type", "webhook"), 400, "AutoCreation.WebhookUrl is required"},
		{addressesPath, address("sms", "+1", "AutoCreation.WebhookMethod", "put"), 400, "AutoCreation.WebhookMethod must be one of get, post"},
		{addressesPath, address("sms", "+1", "AutoCreation.WebhookFilters", "onMessageAdded", "AutoCreation.WebhookFilters", "onmessageadded"), 400, "AutoCreation.WebhookFilters must be one of"},
		{addressesPath, address("sms", "+1", "AutoCreation.WebhookFilters", "onMessageAdded,onMessageRemoved"), 400, "AutoCreation.WebhookFilters must be one of"},
		{addressesPath, address("sms", "+1", "AutoCreation.ConversationServiceSid", "IS1"), 400, "AutoCreation.ConversationServiceSid must be IS"},
		{addressesPath, address("sms", "+1", "AutoCreation.StudioRetryCount", "4"), 400, "AutoCreation.StudioRetryCount must be from 0 to 3"},
		{addressesPath, address("sms", "+1", "ContactIdentity", "+1"), 400, `Unknown parameter "ContactIdentity"`},
		{addressesPath + "?Type=sms", address("sms", "+1"), 400, "Unknown parameters in the query"},
		{target, url.Values{"Type": {"sms"}}, 400, `Unknown parameter "Type"`},
		{target, url.Values{"Address": {"+1555"}}, 400, `Unknown parameter "Address"`},
		{target, url.Values{"AddressCountry": {"US"}}, 400, `Unknown parameter "AddressCountry"`},
		{target, url.Values{"AutoCreation.Type": {"webhook"}}, 400, "AutoCreation.WebhookUrl is required"},
		{target, url.Values{"AutoCreation.StudioFlowSid": {""}}, 400, "AutoCreation.StudioFlowSid must be FW"},
		{target, url.Values{"AutoCreation.Type": {"webhook"}, "AutoCreation.WebhookUrl": {"https://example.com"}, "AutoCreation.WebhookFilters": {""}}, 400, "AutoCreation.WebhookFilters must be one of"},
		{addressesPath + "/+1556", url.Values{}, 404, "was not found"},
		{addressesPath + "/+1555/x", url.Values{}, 404, "was not found"},
	}
	for _, tt := range tests {
		r := c.want(tt.status, "POST", tt.target, tt.form)
		if message := r.body["message"].(string); !strings.Contains(message, tt.want) || r.body["status"] != float64(tt.status) {
			t.Errorf("%v: %s, want %q", tt.form, r.raw, tt.want)
		}
	}
	if items, _ := c.list(addressesPath, "address_configurations"); len(items) != 1 {
		t.Errorf("%d addresses, want one", len(items))
	}
	if diff := cmp.Diff(string(before), string(c.want(200, "GET", target, nil).raw)); diff != "" {
		t.Errorf("the address changed:\n%s", diff)
	}
	for method, target := range map[string]string{"PUT": target, "DELETE": addressesPath} {
		c.want(405, method, target, nil)
	}
	c.want(204, "DELETE", addressesPath+"/+1555", nil)
	for _, method := range []string{"GET", "DELETE"} {
		c.want(404, method, target, nil)
	}
}

func TestAddressList(t *testing.T) {
	c := newClient(t, newServer(t, emulator.Options{}))
	for i := range 60 {
		kind := "sms"
		if i%10 == 0 {
			kind = "RCS" // a sample of the OpenAPI file has a type in mixed case
		}
		c.want(201, "POST", addressesPath, address(kind, fmt.Sprint("+1555", 100+i)))
	}
	for _, tt := range []struct {
		query    string
		n, pages int
	}{
		{"", 60, 2}, {"?PageSize=50", 60, 2}, {"?PageSize=20", 60, 3}, {"?Type=rcs", 6, 1}, {"?Type=rcs&PageSize=4", 6, 2}, {"?Type=email", 0, 1},
	} {
		items, pages := c.list(addressesPath+tt.query, "address_configurations")
		if len(items) != tt.n || pages != tt.pages {
			t.Errorf("%s: %d addresses on %d pages, want %d on %d", tt.query, len(items), pages, tt.n, tt.pages)
		}
	}
	for _, query := range []string{"?PageSize=51", "?PageSize=0", "?FriendlyName=x", "?PageToken=PAFO0000000000000000"} {
		c.want(400, "GET", addressesPath+query, nil)
	}
}

func TestAddressBehaviour(t *testing.T) {
	with := func(b emulator.Behaviour) *client { return newClient(t, newServer(t, emulator.Options{Behaviour: b})) }
	full := studioAddress("sms", "+1555", "FriendlyName", "Support", "AutoCreation.ConversationServiceSid", service)
	make := func(c *client, form url.Values) string {
		t.Helper()
		return addressesPath + "/" + sidOf(c.want(201, "POST", addressesPath, form).body)
	}
	auto := func(name string, got object, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got["auto_creation"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	hook := url.Values{"AutoCreation.Type": {"webhook"}, "AutoCreation.WebhookUrl": {"https://example.com"}, "AutoCreation.WebhookMethod": {"get"}, "AutoCreation.WebhookFilters": {"onMessageAdded"}}
	clear := url.Values{"FriendlyName": {""}, "AutoCreation.ConversationServiceSid": {""}}

	c := with(emulator.Behaviour{ReplaceIntegration: true})
	target := make(c, full)
	auto("ReplaceIntegration, enabled", c.want(200, "POST", target, url.Values{"AutoCreation.Enabled": {"true"}}).body, object{"enabled": true, "type": "default"})
	c.want(400, "POST", target, url.Values{"AutoCreation.Type": {"studio"}, "AutoCreation.StudioRetryCount": {"1"}})
	auto("ReplaceIntegration, name", c.want(200, "POST", target, url.Values{"FriendlyName": {"x"}}).body, object{"enabled": true, "type": "default"})

	c = with(emulator.Behaviour{KeepForeign: true})
	target = make(c, full)
	auto("KeepForeign", c.want(200, "POST", target, hook).body, object{"enabled": true, "type": "webhook", "conversation_service_sid": service,
		"webhook_url": "https://example.com", "webhook_method": "GET", "webhook_filters": []any{"onMessageAdded"}, "studio_flow_sid": studio1, "studio_retry_count": 3.0})

	c = with(emulator.Behaviour{EmptyDoesNotClear: true})
	got := c.want(200, "POST", make(c, full), clear).body
	if got["friendly_name"] != "Support" || got["auto_creation"].(object)["conversation_service_sid"] != service {
		t.Errorf("EmptyDoesNotClear: %v", got)
	}
	for name := range clear {
		c = with(emulator.Behaviour{EmptyRefused: true})
		c.want(400, "POST", make(c, full), url.Values{name: {""}})
		c.want(400, "POST", addressesPath, address("sms", "+1556", name, ""))
		c = with(emulator.Behaviour{NothingToClear: true})
		target = make(c, full)
		c.want(200, "POST", target, url.Values{name: {""}})
		c.want(400, "POST", target, url.Values{name: {""}})
		c.want(400, "POST", addressesPath, address("sms", "+1556", name, ""))
	}

	c = with(emulator.Behaviour{NullKeys: true})
	auto("NullKeys", c.want(201, "POST", addressesPath, full).body, object{"enabled": true, "type": "studio", "conversation_service_sid": service,
		"webhook_url": nil, "webhook_method": nil, "webhook_filters": nil, "studio_flow_sid": studio1, "studio_retry_count": 3.0, "binding_name": nil})
	c = with(emulator.Behaviour{NullIntegration: true})
	auto("NullIntegration", c.want(201, "POST", addressesPath, full).body, nil)
	c = with(emulator.Behaviour{NumbersAsStrings: true})
	auto("NumbersAsStrings", c.want(201, "POST", addressesPath, full).body, object{"enabled": "true", "type": "studio", "conversation_service_sid": service,
		"studio_flow_sid": studio1, "studio_retry_count": "3"})

	c = with(emulator.Behaviour{OtherCase: true})
	target = make(c, full)
	got = c.want(200, "POST", target, hook).body
	auto("OtherCase", got, object{"enabled": true, "type": "WEBHOOK", "conversation_service_sid": service,
		"webhook_url": "https://example.com", "webhook_method": "get", "webhook_filters": []any{"onmessageadded"}})
	if got["type"] != "SMS" {
		t.Errorf("OtherCase: type %v", got["type"])
	}
	if got := with(emulator.Behaviour{}).want(201, "POST", addressesPath, address("whAtsAPP", "whatsapp:+1")).body; got["type"] != "whAtsAPP" {
		t.Errorf("the type is not as sent: %v", got["type"])
	}

	c = with(emulator.Behaviour{BareWhatsApp: true})
	target = make(c, address("whatsapp", "whatsapp:+1555"))
	for _, ref := range []string{target, addressesPath + "/+1555", addressesPath + "/whatsapp:+1555"} {
		if got := c.want(200, "GET", ref, nil).body; got["address"] != "+1555" {
			t.Errorf("BareWhatsApp: %v", got["address"])
		}
	}
	c.want(409, "POST", addressesPath, address("sms", "+1555"))

	c = with(emulator.Behaviour{NullDateUpdated: true})
	if got := c.want(201, "POST", addressesPath, full).body; got["date_updated"] != nil || got["date_created"] == nil {
		t.Errorf("NullDateUpdated: %v", got)
	}
	c = with(emulator.Behaviour{EnabledDefault: true})
	auto("EnabledDefault", c.want(201, "POST", addressesPath, address("sms", "+1")).body, object{"enabled": true, "type": "default"})
	c = with(emulator.Behaviour{ClampPageSize: true})
	if got := c.want(200, "GET", addressesPath+"?PageSize=1000", nil).body["meta"].(object)["page_size"]; got != 50.0 {
		t.Errorf("ClampPageSize: %v", got)
	}
	c.want(400, "GET", addressesPath+"?PageSize=0", nil)
	if r := with(emulator.Behaviour{MissingCode: 1}).want(404, "GET", addressesPath+"/+1", nil); r.body["code"] != 1.0 {
		t.Errorf("MissingCode: %s", r.raw)
	}
}

// TestRefuseHeld: an enabled flow and an enabled address of one identity exclude
// each other, whichever comes first.
func TestRefuseHeld(t *testing.T) {
	pairs := []struct {
		channel, identity string
		address           url.Values
	}{
		{"sms", "+1555", studioAddress("sms", "+1555")},
		{"facebook", "messenger:1", studioAddress("messenger", "messenger:1")},
		{"whatsapp", "+1555", studioAddress("whatsapp", "whatsapp:+1555")},
	}
	for _, tt := range pairs {
		flow := form("a", "ChannelType", tt.channel, "ContactIdentity", tt.identity)
		on := url.Values{"AutoCreation.Enabled": {"true"}}
		c := newClient(t, newServer(t, emulator.Options{Behaviour: emulator.Behaviour{RefuseHeld: true}}))
		flowTarget := "/v1/FlexFlows/" + sidOf(c.create(flow))
		c.want(400, "POST", addressesPath, tt.address)
		off := url.Values{}
		for key, value := range tt.address {
			off[key] = value
		}
		off["AutoCreation.Enabled"] = []string{"false"}
		target := addressesPath + "/" + sidOf(c.want(201, "POST", addressesPath, off).body)
		c.want(400, "POST", target, on)
		c.want(200, "POST", flowTarget, url.Values{"Enabled": {"false"}})
		c.want(200, "POST", target, on)
		c.want(400, "POST", flowTarget, url.Values{"Enabled": {"true"}})
		c.want(400, "POST", "/v1/FlexFlows", flow)
		c.want(201, "POST", "/v1/FlexFlows", form("other", "ChannelType", "custom", "ContactIdentity", tt.identity))

		c = newClient(t, newServer(t, emulator.Options{Behaviour: emulator.Behaviour{RefuseHeld: true, HeldByDisabled: true}}))
		flow.Set("Enabled", "false")
		flowTarget = "/v1/FlexFlows/" + sidOf(c.create(flow))
		c.want(400, "POST", addressesPath, tt.address)
		c.want(204, "DELETE", flowTarget, nil)
		c.want(201, "POST", addressesPath, tt.address)
	}
	c := newClient(t, newServer(t, emulator.Options{}))
	c.create(form("a", "ContactIdentity", "+1555"))
	c.want(201, "POST", addressesPath, studioAddress("sms", "+1555"))
}

func TestAddressListLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newServer(t, emulator.Options{Behaviour: emulator.Behaviour{ListLag: 2 * time.Second}}))
		made := c.want(201, "POST", addressesPath, address("sms", "+1555")).body
		count := func() int {
			items, _ := c.list(addressesPath, "address_configurations")
			return len(items)
		}
		if n := count(); n != 0 {
			t.Errorf("%d addresses at once", n)
		}
		c.want(200, "GET", addressesPath+"/"+sidOf(made), nil)
		time.Sleep(2 * time.Second)
		if n := count(); n != 1 {
			t.Errorf("%d addresses after the lag", n)
		}
	})
}

// TestAddressFile: addresses are kept, and filled in when a person wrote them.
func TestAddressFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	const text = `{"account_sid": "AC00000000000000000000000000000009", "addresses": [
		{"type": "sms", "address": "+1555"},
		{"type": "whatsapp", "address": "whatsapp:+1555", "auto_creation": {"studio_flow_sid": "FW00000000000000000000000000000001", "binding_name": "x"}},
		{"sid": "IG00000000000000000000000000000001", "account_sid": "AC00000000000000000000000000000009", "type": "Fax", "address": "x", "auto_creation": null},
		{"type": "rcs", "address": "x", "auto_creation": {"enabled": "false", "webhook_url": "https://example.com", "webhook_method": "GET", "webhook_filters": ["onMessageAdded"]}},
		{"sid": "IG00000000000000000000000000000002", "type": "whatsapp", "address": "+1555", "friendly_name": "", "auto_creation": {"enabled": null, "type": "studio", "webhook_filters": null}}
	]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, emulator.Options{File: path})
	items, _ := newClient(t, s).list(addressesPath, "address_configurations")
	var got []any
	for _, item := range items {
		got = append(got, []any{item["type"], item["address"], item["friendly_name"], item["auto_creation"]})
	}
	want := []any{
		[]any{"sms", "+1555", nil, object{"enabled": true, "type": "default"}},
		[]any{"whatsapp", "whatsapp:+1555", nil, object{"enabled": true, "type": "studio", "studio_flow_sid": studio1}},
		[]any{"Fax", "x", nil, nil},
		[]any{"rcs", "x", nil, object{"enabled": false, "type": "webhook", "webhook_url": "https://example.com", "webhook_method": "GET", "webhook_filters": []any{"onMessageAdded"}}},
		[]any{"whatsapp", "+1555", nil, object{"enabled": true, "type": "studio"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// A write keeps all of it, and the last address takes the list away.
	c := newClient(t, s)
	c.want(201, "POST", addressesPath, studioAddress("sms", "+1556"))
	c.create(form("a"))
	again, _ := newClient(t, newServer(t, emulator.Options{File: path})).list(addressesPath, "address_configurations")
	items, _ = c.list(addressesPath, "address_configurations")
	if diff := cmp.Diff(items, again); diff != "" || len(items) != 6 {
		t.Errorf("read again (-first +again):\n%s", diff)
	}
	for _, item := range items {
		c.want(204, "DELETE", addressesPath+"/"+sidOf(item), nil)
	}
	if strings.Contains(string(s.Snapshot()), "addresses") {
		t.Errorf("addresses in %s", s.Snapshot())
	}
	s = newServer(t, emulator.Options{Seed: []byte(`{"addresses": [{"account_sid": "AC00000000000000000000000000000009", "type": "rcs", "address": "x"}]}`)})
	if got := s.AccountSID(); got != "AC00000000000000000000000000000009" {
		t.Errorf("account %s, want that of the address", got)
	}
}

// TestFileFormat holds the bytes of the file, which people keep in git.
func TestFileFormat(t *testing.T) {
	const flows = `{
  "account_sid": "AC00000000000000000000000000000001",
  "flows": [
    {
      "sid": "FO00000000000000000000000000000001",
      "account_sid": "AC00000000000000000000000000000001",
      "date_created": "2026-01-02T03:04:05Z",
      "date_updated": "2026-01-02T03:04:05Z",
      "friendly_name": "A & B",
      "chat_service_sid": null,
      "channel_type": "web",
      "contact_identity": null,
      "enabled": true,
      "integration_type": "studio",
      "integration": {
        "flow_sid": "FW00000000000000000000000000000001",
        "retry_count": 3
      },
      "long_lived": false,
      "janitor_enabled": false
    }
  ],
`
	const addresses = `  "addresses": [
    {
      "sid": "IG00000000000000000000000000000001",
      "account_sid": "AC00000000000000000000000000000001",
      "date_created": "2026-01-02T03:04:05Z",
      "date_updated": "2026-01-02T03:04:05Z",
      "type": "sms",
      "address": "+1555",
      "friendly_name": null,
      "address_country": null,
      "auto_creation": {
        "enabled": true,
        "type": "webhook",
        "webhook_filters": [
          "onMessageAdded"
        ],
        "webhook_url": "https://example.com"
      }
    }
  ],
`
	const rest = `  "services": [],
  "studio_flows": [],
  "workspaces": []
}
`
	for _, text := range []string{flows + rest, flows + addresses + rest} {
		if diff := cmp.Diff(text, string(newServer(t, emulator.Options{Seed: []byte(text)}).Snapshot())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestStudioFlow(t *testing.T) {
	const seed = `{"studio_flows": [{"sid": "FW00000000000000000000000000000001", "friendly_name": "IVR", "status": "draft",
		"definition": {"states": [{"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingConversationMessage", "next": "send"}]}]}}]}`
	c := newClient(t, newServer(t, emulator.Options{Seed: []byte(seed)}))
	listed, _ := c.list("/v2/Flows", "flows")
	got := c.want(200, "GET", "/v2/Flows/"+studio1, nil).body
	if definition, ok := got["definition"].(object); !ok || len(definition["states"].([]any)) != 1 {
		t.Errorf("definition %v", got["definition"])
	}
	if listed[0]["definition"] != nil {
		t.Error("the listing has the definition")
	}
	delete(got, "definition")
	delete(listed[0], "definition")
	if diff := cmp.Diff(listed[0], got); diff != "" {
		t.Errorf("(-listed +fetched):\n%s", diff)
	}
	c.want(404, "GET", "/v2/Flows/"+studio2, nil)
	c.want(400, "GET", "/v2/Flows/"+studio1+"?x=1", nil)
	c.want(405, "POST", "/v2/Flows/"+studio1, url.Values{})

	for status, code := range map[int]float64{401: 20003, 403: 20006} {
		c := newClient(t, newServer(t, emulator.Options{Seed: []byte(seed), Behaviour: emulator.Behaviour{StudioStatus: status}}))
		for _, target := range []string{"/v2/Flows", "/v2/Flows/" + studio1} {
			if r := c.want(status, "GET", target, nil); r.body["code"] != code {
				t.Errorf("%s: %s", target, r.raw)
			}
		}
		c.want(200, "GET", "/v1/Services", nil)
	}
}
