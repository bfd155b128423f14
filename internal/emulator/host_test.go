package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"flexsync/internal/emulator"
)

// TestHost holds that a web page cannot reach the account by a name of its own
// that it lets resolve to loopback.
func TestHost(t *testing.T) {
	s := newServer(t, emulator.Options{})
	c := newClient(t, s)
	for _, test := range []struct {
		host, origin string
		want         int
	}{
		{"127.0.0.1:8080", "", 200},
		{"127.1.2.3", "", 200},
		{"[::1]:8080", "", 200},
		{"localhost", "", 200},
		{"LocalHost:8080", "", 200},
		{"localhost.:8080", "", 200},
		{"app.localhost:8080", "", 200},
		{"flex-api.twilio.com", "", 200},
		{"flex-api.dublin.ie1.twilio.com:443", "", 200},
		{"twilio.com", "", 200},
		{"example.com", "", 403},
		{"example.com:8080", "", 403},
		{"twilio.com.example.com", "", 403},
		{"eviltwilio.com", "", 403},
		{"localhost.example.com", "", 403},
		{"127.0.0.1.example.com", "", 403},
		{"192.168.0.1", "", 403},
		{"0.0.0.0:8080", "", 403},
		{"[fe80::1]:8080", "", 403},
		{"127.0.0.1:8080", "http://localhost:3000", 200},
		{"127.0.0.1:8080", "https://example.com", 403},
		{"127.0.0.1:8080", "null", 403},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			form := map[string][]string(nil)
			if method == http.MethodPost {
				form = map[string][]string{"FriendlyName": {"A"}, "ChannelType": {"web"}, "ChatFlexService": {"x"}}
			}
			req := c.request(method, flowsURL, form)
			req.Host = test.host
			if test.origin != "" {
				req.Header.Set("Origin", test.origin)
			}
			r, err := c.try(req)
			if err != nil {
				t.Fatal(err)
			}
			if refused := r.status == 403; refused != (test.want == 403) || method == http.MethodGet && r.status != test.want {
				t.Errorf("%s %q, origin %q: %d %s", method, test.host, test.origin, r.status, r.raw)
			}
		}
		req := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
		req.Host = test.host
		if test.origin != "" {
			req.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, req); w.Code != test.want {
			t.Errorf("%q, origin %q: /openapi.json: %d", test.host, test.origin, w.Code)
		}
	}
}
