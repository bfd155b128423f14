// Package twiliosdk drives the emulator through Twilio's own Go SDK: what the
// SDK's authors believe of the API must hold of the emulator too. It is a module
// of its own so that the SDK stays out of flexsync's go.mod.
package twiliosdk

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"

	"github.com/twilio/twilio-go"
	twilioclient "github.com/twilio/twilio-go/client"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	flex "github.com/twilio/twilio-go/rest/flex/v1"
	studio "github.com/twilio/twilio-go/rest/studio/v2"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

const (
	service   = "IS00000000000000000000000000000001"
	flowSID   = "FW00000000000000000000000000000001"
	workspace = "WS00000000000000000000000000000001"
	workflow  = "WW00000000000000000000000000000001"
)

// redirect sends the requests for Twilio's hosts to a test server. The Host
// header stays, so that the URLs in the answers are Twilio's.
type redirect struct{ to *url.URL }

func (t redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme, r.URL.Host = t.to.Scheme, t.to.Host
	return http.DefaultTransport.RoundTrip(r)
}

func newClient(t *testing.T, opts emulator.Options) (*twilio.RestClient, *emutest.Server) {
	t.Helper()
	opts.AuthToken = "0123456789abcdef"
	s, err := emutest.New(opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := &twilioclient.Client{
		Credentials: twilioclient.NewCredentials(s.AccountSID(), opts.AuthToken),
		HTTPClient:  &http.Client{Transport: redirect{to}},
	}
	base.SetAccountSid(s.AccountSID())
	return twilio.NewRestClientWithParams(twilio.ClientParams{Client: base}), s
}

func studioParams(name string) *flex.CreateFlexFlowParams {
	params := &flex.CreateFlexFlowParams{}
	return params.SetFriendlyName(name).SetChatServiceSid(service).SetChannelType("sms").
		SetIntegrationType("studio").SetIntegrationFlowSid(flowSID).SetEnabled(true)
}

func TestLifeOfAFlow(t *testing.T) {
	client, s := newClient(t, emulator.Options{})
	api := client.FlexV1

	created, err := api.CreateFlexFlow(studioParams("Support SMS").SetContactIdentity("+15550001").SetIntegrationRetryCount(1).SetLongLived(true))
	if err != nil {
		t.Fatal(err)
	}
	if *created.AccountSid != s.AccountSID() || *created.FriendlyName != "Support SMS" || !*created.Enabled || !*created.LongLived || *created.JanitorEnabled {
		t.Errorf("created %+v", created)
	}
	if got := fmt.Sprint(*created.Integration); got != "map[flow_sid:"+flowSID+" retry_count:1]" {
		t.Errorf("integration %s", got)
	}
	if created.DateCreated == nil || created.DateUpdated == nil || *created.Url != "http://flex-api.twilio.com/v1/FlexFlows/"+*created.Sid {
		t.Errorf("created %+v", created)
	}

	params := &flex.UpdateFlexFlowParams{}
	params.SetFriendlyName("Renamed").SetEnabled(false).SetIntegrationType("task").
		SetIntegrationWorkspaceSid(workspace).SetIntegrationWorkflowSid(workflow).SetIntegrationCreationOnMessage(true)
	updated, err := api.UpdateFlexFlow(*created.Sid, params)
	if err != nil {
		t.Fatal(err)
	}
	if *updated.FriendlyName != "Renamed" || *updated.Enabled || *updated.ContactIdentity != "+15550001" || *updated.IntegrationType != "task" {
		t.Errorf("updated %+v", updated)
	}
	if _, err := api.UpdateFlexFlow(*created.Sid, &flex.UpdateFlexFlowParams{}); err != nil {
		t.Errorf("an empty update: %v", err)
	}

	fetched, err := api.FetchFlexFlow(*created.Sid)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(*fetched.Integration), fmt.Sprint(*updated.Integration); got != want {
		t.Errorf("fetched %s, want %s", got, want)
	}

	if err := api.DeleteFlexFlow(*created.Sid); err != nil {
		t.Fatal(err)
	}
	if len(s.Flows()) != 0 {
		t.Error("the flow is still there")
	}
}

func TestErrors(t *testing.T) {
	client, _ := newClient(t, emulator.Options{Behaviour: emulator.Behaviour{Collisions: true}})
	api := client.FlexV1
	if _, err := api.CreateFlexFlow(studioParams("a").SetContactIdentity("+15550001")); err != nil {
		t.Fatal(err)
	}
	call := func(_ any, err error) error { return err }
	tests := []struct {
		name         string
		err          error
		status, code int
	}{
		{"missing flow", call(api.FetchFlexFlow("FO00000000000000000000000000000000")), 404, 20404},
		{"delete of a missing flow", api.DeleteFlexFlow("FO00000000000000000000000000000000"), 404, 20404},
		{"invalid value", call(api.CreateFlexFlow(studioParams("b").SetChannelType("fax"))), 400, 45004},
		{"missing parameter", call(api.CreateFlexFlow(&flex.CreateFlexFlowParams{})), 400, 20001},
		{"collision", call(api.CreateFlexFlow(studioParams("b").SetContactIdentity("+15550001"))), 400, 45210},
	}
	for _, tt := range tests {
		var e *twilioclient.TwilioRestError
		if !errors.As(tt.err, &e) || e.Status != tt.status || e.Code != tt.code || e.Message == "" || e.MoreInfo == "" {
			t.Errorf("%s: got %v, want status %d with code %d", tt.name, tt.err, tt.status, tt.code)
		}
	}
}

func TestWrongToken(t *testing.T) {
	client, s := newClient(t, emulator.Options{})
	client.RequestHandler.Client.(*twilioclient.Client).Credentials = twilioclient.NewCredentials(s.AccountSID(), "wrong")
	_, err := client.FlexV1.ListFlexFlow(&flex.ListFlexFlowParams{})
	var e *twilioclient.TwilioRestError
	if !errors.As(err, &e) || e.Status != 401 || e.Code != 20003 {
		t.Errorf("got %v, want 401 with 20003", err)
	}
}

func TestListFollowsPages(t *testing.T) {
	client, s := newClient(t, emulator.Options{})
	for i := range 7 {
		if _, err := client.FlexV1.CreateFlexFlow(studioParams(fmt.Sprintf("flow %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	params := &flex.ListFlexFlowParams{}
	flows, err := client.FlexV1.ListFlexFlow(params.SetPageSize(3))
	if err != nil {
		t.Fatal(err)
	}
	if len(flows) != 7 {
		t.Fatalf("%d flows, want 7", len(flows))
	}
	for i, f := range flows {
		if want := fmt.Sprintf("flow %d", i); *f.FriendlyName != want {
			t.Errorf("flow %d is %q, want %q", i, *f.FriendlyName, want)
		}
	}
	pages := 0
	for _, r := range s.Requests() {
		if r.Method == http.MethodGet {
			pages++
		}
	}
	if pages != 3 {
		t.Errorf("%d pages, want 3", pages)
	}
	byName := &flex.ListFlexFlowParams{}
	if flows, err = client.FlexV1.ListFlexFlow(byName.SetFriendlyName("flow 5")); err != nil || len(flows) != 1 {
		t.Errorf("by name: %d flows, %v", len(flows), err)
	}
}

func TestLifeOfAnAddress(t *testing.T) {
	client, s := newClient(t, emulator.Options{MaxPageSize: 2})
	api := client.ConversationsV1
	create := func(kind, address string) *conversations.ConversationsV1ConfigurationAddress {
		t.Helper()
		params := (&conversations.CreateConfigurationAddressParams{}).SetType(kind).SetAddress(address).SetAutoCreationEnabled(true).
			SetAutoCreationType("webhook").SetAutoCreationConversationServiceSid(service).SetAutoCreationWebhookUrl("https://example.com").
			SetAutoCreationWebhookMethod("post").SetAutoCreationWebhookFilters([]string{"onMessageAdded", "onMessageRemoved"})
		made, err := api.CreateConfigurationAddress(params)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	auto := func(a *conversations.ConversationsV1ConfigurationAddress) string { return fmt.Sprint(*a.AutoCreation) }
	made := create("whatsapp", "whatsapp:+15550001")
	create("sms", "+15550001")
	create("messenger", "messenger:1")
	if *made.AccountSid != s.AccountSID() || *made.Type != "whatsapp" || made.FriendlyName != nil || made.DateUpdated == nil {
		t.Errorf("created %+v", made)
	}
	if want := "map[conversation_service_sid:" + service + " enabled:true type:webhook webhook_filters:[onMessageAdded onMessageRemoved] webhook_method:POST webhook_url:https://example.com]"; auto(made) != want {
		t.Errorf("created %s, want %s", auto(made), want)
	}

	update := (&conversations.UpdateConfigurationAddressParams{}).SetFriendlyName("Support").SetAutoCreationType("studio").
		SetAutoCreationStudioFlowSid(flowSID).SetAutoCreationStudioRetryCount(2).SetAutoCreationConversationServiceSid("")
	updated, err := api.UpdateConfigurationAddress(*made.Sid, update)
	if err != nil {
		t.Fatal(err)
	}
	if want := "map[enabled:true studio_flow_sid:" + flowSID + " studio_retry_count:2 type:studio]"; auto(updated) != want || *updated.FriendlyName != "Support" {
		t.Errorf("updated %s, want %s", auto(updated), want)
	}
	for _, ref := range []string{*made.Sid, "whatsapp:+15550001"} {
		if fetched, err := api.FetchConfigurationAddress(ref); err != nil || auto(fetched) != auto(updated) {
			t.Errorf("fetched %v, %v", fetched, err)
		}
	}
	if listed, err := api.ListConfigurationAddress(&conversations.ListConfigurationAddressParams{}); err != nil || len(listed) != 3 || *listed[1].Address != "+15550001" {
		t.Errorf("listed %v, %v", listed, err)
	}
	if listed, err := api.ListConfigurationAddress((&conversations.ListConfigurationAddressParams{}).SetType("sms")); err != nil || len(listed) != 1 {
		t.Errorf("of type sms: %v, %v", listed, err)
	}

	_, err = api.CreateConfigurationAddress((&conversations.CreateConfigurationAddressParams{}).SetType("sms").SetAddress("+15550001"))
	var e *twilioclient.TwilioRestError
	if !errors.As(err, &e) || e.Status != 409 || e.Message != "Conflict" {
		t.Errorf("got %v, want 409", err)
	}
	if err := api.DeleteConfigurationAddress(*made.Sid); err != nil || len(s.Addresses()) != 2 {
		t.Errorf("addresses %v, %v", s.Addresses(), err)
	}
	if err := api.DeleteConfigurationAddress(*made.Sid); !errors.As(err, &e) || e.Status != 404 {
		t.Errorf("got %v, want 404", err)
	}
}

func TestOtherProducts(t *testing.T) {
	client, _ := newClient(t, emulator.Options{Seed: []byte(`{
		"services": [{"friendly_name": "Flex Chat Service"}, {"friendly_name": "Other"}],
		"studio_flows": [{"friendly_name": "IVR", "status": "draft", "definition": {"states": []}}, {"friendly_name": "IVR 2"}],
		"workspaces": [{"sid": "` + workspace + `", "friendly_name": "Flex",
			"workflows": [{"friendly_name": "Anyone"}, {"friendly_name": "Nobody"}],
			"task_channels": [{"friendly_name": "Chat"}, {"friendly_name": "SMS"}]}]}`)})

	services, err := client.ConversationsV1.ListService((&conversations.ListServiceParams{}).SetPageSize(1))
	if err != nil || len(services) != 2 || *services[0].FriendlyName != "Flex Chat Service" {
		t.Errorf("services: %v, %v", services, err)
	}
	flows, err := client.StudioV2.ListFlow((&studio.ListFlowParams{}).SetPageSize(1))
	if err != nil || len(flows) != 2 || *flows[0].Status != "draft" || *flows[1].Status != "published" {
		t.Errorf("studio flows: %v, %v", flows, err)
	}
	flow, err := client.StudioV2.FetchFlow(*flows[0].Sid)
	if err != nil || flow.Definition == nil || fmt.Sprint(*flow.Definition) != "map[states:[]]" {
		t.Errorf("studio flow: %v, %v", flow, err)
	}
	workspaces, err := client.TaskrouterV1.ListWorkspace((&taskrouter.ListWorkspaceParams{}).SetFriendlyName("Flex"))
	if err != nil || len(workspaces) != 1 || *workspaces[0].Sid != workspace {
		t.Errorf("workspaces: %v, %v", workspaces, err)
	}
	workflows, err := client.TaskrouterV1.ListWorkflow(workspace, (&taskrouter.ListWorkflowParams{}).SetPageSize(1))
	if err != nil || len(workflows) != 2 || *workflows[1].FriendlyName != "Nobody" {
		t.Errorf("workflows: %v, %v", workflows, err)
	}
	channels, err := client.TaskrouterV1.ListTaskChannel(workspace, (&taskrouter.ListTaskChannelParams{}).SetPageSize(1))
	if err != nil || len(channels) != 2 || *channels[1].UniqueName != "sms" {
		t.Errorf("task channels: %v, %v", channels, err)
	}
}
