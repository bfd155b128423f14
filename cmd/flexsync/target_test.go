package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHosts is where requests go: TWILIO_REGION belongs to the credentials of
// the environment, as in twilio-cli, and TWILIO_EDGE counts for all.
func TestHosts(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".twilio-cli"), 0o700); err != nil {
		t.Fatal(err)
	}
	const key = `"accountSid": "` + testAccount + `", "apiKey": "` + testKey + `", "apiSecret": "` + testSecret + `"`
	writeText(t, filepath.Join(home, ".twilio-cli", "config.json"), `{"profiles": {"work": {`+key+`}, "sydney": {`+key+`, "region": "au1"}}}`)
	for _, test := range []struct{ profile, region, edge, want string }{
		{"", "", "", "https://flex-api.twilio.com"},
		{"", "ie1", "", "https://flex-api.ie1.twilio.com"},
		{"", "ie1", "dublin", "https://flex-api.dublin.ie1.twilio.com"},
		{"work", "ie1", "", "https://flex-api.twilio.com"},
		{"work", "ie1", "dublin", "https://flex-api.dublin.us1.twilio.com"},
		{"sydney", "ie1", "", "https://flex-api.au1.twilio.com"},
		{"sydney", "", "sydney", "https://flex-api.sydney.au1.twilio.com"},
	} {
		env := map[string]string{"HOME": home, "TWILIO_ACCOUNT_SID": testAccount, "TWILIO_AUTH_TOKEN": testSecret, "TWILIO_REGION": test.region, "TWILIO_EDGE": test.edge}
		a := &app{lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
		acct, err := (&accountFlags{Profile: test.profile, Timeout: time.Second}).session(a, use{})
		if err != nil {
			t.Fatalf("%+v: %v", test, err)
		}
		if acct.baseURL != test.want {
			t.Errorf("%+v: %s", test, acct.baseURL)
		}
	}
}
