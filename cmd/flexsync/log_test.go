package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// TestLogIsSafe lets the API say, wherever -v shows what it says, what a
// terminal or a job's runner would obey.
func TestLogIsSafe(t *testing.T) {
	t.Parallel()
	const nasty = "\u009b31m\u202e##[error]x"
	for _, format := range []string{"text", "json"} {
		var base string
		server, err := emutest.New(emulator.Options{}, func(_ *http.Request, call int) emutest.Fault {
			f := emutest.Fault{Status: http.StatusBadRequest, Header: http.Header{"Twilio-Request-Id": {"RQ" + nasty}}, Body: "{}"}
			if call == 1 {
				f.Status, f.Body = http.StatusOK, `{"flex_flows": [], "meta": {"next_page_url": "`+base+`/v1/`+url.PathEscape(nasty)+`?Page=1"}}`
			}
			return f
		})
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(server)
		t.Cleanup(web.Close)
		base = web.URL
		env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": server.AccountSID(), "TWILIO_AUTH_TOKEN": "any"}
		code, _, stderr := runWith(t, env, "list", "-v", "--log-format", format)
		if code != exitError || strings.Count(stderr, "request_id") != 2 || strings.Count(stderr, "x23[error]x") < 3 {
			t.Errorf("exit %d\n%s", code, stderr)
		}
		if strings.Contains(stderr, "##") || strings.ContainsFunc(stderr, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%s: stderr has %q", format, stderr)
		}
	}
}
