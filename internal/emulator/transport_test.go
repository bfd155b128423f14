package emulator_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flexsync/internal/emulator"
)

// TestTransportIsATransport checks that it is as a network is to a client.
func TestTransportIsATransport(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: flowsJSON(100)})
	c := newClient(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.try(c.request("POST", "/v1/FlexFlows", form("a")).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled request: %v", err)
	}

	if _, err := (&http.Client{Transport: s.Transport()}).Get("http://:/"); err == nil {
		t.Error("a request without a host was answered")
	}
	res, err := (&http.Client{Transport: s.Transport()}).Get("http://localhost/v1/FlexFlows")
	if err != nil || res.StatusCode != 401 {
		t.Errorf("through http.Client: %v, %v", res, err)
	}
	res.Body.Close()
}

// TestServesTLS checks that addresses in answers are those that were asked.
func TestServesTLS(t *testing.T) {
	s := newServer(t, emulator.Options{Seed: flowsJSON(2)})
	server := httptest.NewTLSServer(s)
	defer server.Close()
	c := &client{t, server.URL, s.AccountSID(), server.Client().Transport}
	items, pages := c.list("/v1/FlexFlows?PageSize=1", "flex_flows")
	if pages != 2 || !strings.HasPrefix(items[1]["url"].(string), server.URL+"/v1/FlexFlows/FO") {
		t.Errorf("%d pages, url %v, server %s", pages, items[1]["url"], server.URL)
	}
}
