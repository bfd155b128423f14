package state

import (
	"context"
	"encoding/json"
	"net/url"

	"flexsync/internal/flexapi"
)

// FlexFlows is where the flows are:
// https://www.twilio.com/docs/flex/developer/messaging/api/flow
var FlexFlows = flexapi.Collection{Product: flexapi.Flex, Path: "/v1/FlexFlows", Key: "flex_flows", PageSize: 1000}

// Client is a client of the API that knows where the flows are. It implements
// [Lister] and [Catalog].
type Client struct{ *flexapi.Client }

// ListFlows reads all flows of the account.
func (c Client) ListFlows(ctx context.Context, visit func(items []json.RawMessage) error) error {
	return c.List(ctx, FlexFlows, visit)
}

// FetchFlow reads one flow.
func (c Client) FetchFlow(ctx context.Context, sid string) (flexapi.Answer, error) {
	return c.Fetch(ctx, FlexFlows, sid)
}

// CreateFlow creates a flow; see [flexapi.Client.Create].
func (c Client) CreateFlow(ctx context.Context, form url.Values) (flexapi.Answer, error) {
	return c.Create(ctx, FlexFlows, form)
}

// UpdateFlow sets what the form names; see [flexapi.Client.Update].
func (c Client) UpdateFlow(ctx context.Context, sid string, form url.Values) (flexapi.Answer, error) {
	return c.Update(ctx, FlexFlows, sid, form)
}

// DeleteFlow deletes a flow; see [flexapi.Client.Delete].
func (c Client) DeleteFlow(ctx context.Context, sid string) (flexapi.Answer, error) {
	return c.Delete(ctx, FlexFlows, sid)
}
