package emulator_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"flexsync/internal/emulator"
)

// A late listing shows creates, updates and deletes only once the lag is over;
// a fetch shows them at once.
func TestListLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lag = 4 * time.Second
		c := newClient(t, newServer(t, emulator.Options{Seed: flowsJSON(3), Behaviour: emulator.Behaviour{ListLag: lag}}))
		names := func() (names string) {
			items, _ := c.list("/v1/FlexFlows?PageSize=2", "flex_flows")
			for _, item := range items {
				names += item["friendly_name"].(string) + ";"
			}
			return names
		}
		before := names()
		items, _ := c.list("/v1/FlexFlows", "flex_flows")
		sid := func(i int) string { return items[i]["sid"].(string) }

		made := c.want(201, "POST", "/v1/FlexFlows", url.Values{
			"FriendlyName": {"New"}, "ChatServiceSid": {"IS00000000000000000000000000000001"}, "ChannelType": {"web"},
		}).body["sid"].(string)
		time.Sleep(time.Second)
		c.want(200, "POST", "/v1/FlexFlows/"+sid(0), url.Values{"FriendlyName": {"Changed"}})
		time.Sleep(time.Second)
		c.want(204, "DELETE", "/v1/FlexFlows/"+sid(1), nil)

		if got := c.want(200, "GET", "/v1/FlexFlows/"+sid(0), nil).body["friendly_name"]; got != "Changed" {
			t.Errorf("the fetch shows %v", got)
		}
		c.want(200, "GET", "/v1/FlexFlows/"+made, nil)
		c.want(404, "GET", "/v1/FlexFlows/"+sid(1), nil)
		for i, want := range []string{
			before, before, // 2 s and 3 s after the create
			before + "New;",
			"Changed;Flow 000001;Flow 000002;New;",
			"Changed;Flow 000002;New;",
		} {
			if got := names(); got != want {
				t.Errorf("%d s after the create the listing shows %s, want %s", i+2, got, want)
			}
			time.Sleep(time.Second)
		}
	})
}
