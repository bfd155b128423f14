package flexapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretDoesNotPrint(t *testing.T) {
	s := Secret(testSecret)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "c", Credentials{Password: s})
	j, _ := json.Marshal(map[string]any{"s": s, "c": Credentials{Password: s}, "p": &s})
	all := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %v %+v %#v", s, s, s, s, s, s, s, s, Credentials{Password: s}, &Credentials{Password: s}, []Secret{s}) + log.String() + string(j)
	if strings.Contains(all, testSecret) || strings.Contains(all, fmt.Sprintf("%x", testSecret)) || !strings.Contains(all, redacted) {
		t.Error(all)
	}
}

func TestCredentialsFromEnv(t *testing.T) {
	const key = "SK0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		env          string
		user, secret string
		err          string
	}{
		{"ACCOUNT_SID=" + testAccount + " AUTH_TOKEN=tok", testAccount, "tok", ""},
		{"ACCOUNT_SID=" + testAccount + " AUTH_TOKEN=tok\n", testAccount, "tok", ""},
		{"ACCOUNT_SID=" + testAccount + " AUTH_TOKEN=tok API_KEY=" + key + " API_SECRET=sec", key, "sec", ""},
		{"ACCOUNT_SID=" + testAccount + " AUTH_TOKEN=tok API_KEY=" + key, testAccount, "tok", ""},
		{"ACCOUNT_SID=" + testAccount + " API_KEY=" + key, "", "", "not set: TWILIO_API_SECRET (TWILIO_API_KEY is set)"},
		{"ACCOUNT_SID=" + testAccount + " API_SECRET=sec", "", "", "not set: TWILIO_API_KEY (TWILIO_API_SECRET is set)"},
		{"", "", "", "not set: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN (or TWILIO_API_KEY with TWILIO_API_SECRET)"},
		{"AUTH_TOKEN=tok", "", "", "not set: TWILIO_ACCOUNT_SID"},
		{"ACCOUNT_SID= AUTH_TOKEN=tok", "", "", "not set: TWILIO_ACCOUNT_SID"},
		{"ACCOUNT_SID=" + testSecret + " AUTH_TOKEN=" + testAccount, "", "", "TWILIO_ACCOUNT_SID is not an account SID (AC and 32 hex digits): its 30 characters are not shown"},
		{"ACCOUNT_SID=AC123 AUTH_TOKEN=tok", "", "", `TWILIO_ACCOUNT_SID is not an account SID (AC and 32 hex digits): "AC123"`},
		{"ACCOUNT_SID=" + key + " AUTH_TOKEN=tok", "", "", `: "` + key + `"`},
		{"ACCOUNT_SID=AC" + strings.Repeat("7f", 15) + " AUTH_TOKEN=tok", "", "", "its 32 characters are not shown"},
		{"ACCOUNT_SID=" + testAccount + " AUTH_TOKEN=" + testSecret + "\u00e9", "", "", "TWILIO_AUTH_TOKEN contains a space"},
	} {
		c, err := CredentialsFromEnv(func(name string) (string, bool) {
			for _, kv := range strings.Split(tt.env, " ") {
				if k, v, _ := strings.Cut(kv, "="); "TWILIO_"+k == name {
					return v, true
				}
			}
			return "", false
		}, "")
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), testSecret) {
				t.Errorf("%s: %v", tt.env, err)
			}
			continue
		}
		if err != nil || c.Username != tt.user || string(c.Password) != tt.secret || c.AccountSID != testAccount {
			t.Errorf("%s: %+v, %v", tt.env, c, err)
		}
	}
}

func TestCredentialsFromProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"edge":"dublin","profiles":{
		"prod":{"accountSid":"` + testAccount + `","apiKey":"SK1","apiSecret":"` + testSecret + `","region":"us1"},
		"half":{"accountSid":"` + testAccount + `","apiKey":"SK1"}},
		"projects":[{"id":"old","accountSid":"` + testAccount + `"}]}`)
	c, err := CredentialsFromProfile("prod", path)
	if err != nil || c.AccountSID != testAccount || c.Username != "SK1" || string(c.Password) != testSecret ||
		c.Source != "profile prod" || c.Edge != "dublin" || c.Region != "us1" {
		t.Errorf("%+v %v", c, err)
	}
	for name, want := range map[string]string{
		"nope": `it has ["half" "prod"]`,
		"half": "has no apiSecret",
		"old":  "keychain",
	} {
		if _, err := CredentialsFromProfile(name, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(`{"profiles":"` + testSecret)
	if _, err := CredentialsFromProfile("prod", path); err == nil || strings.Contains(err.Error(), testSecret) {
		t.Error(err)
	}
	if _, err := CredentialsFromProfile("prod", path+"x"); err == nil {
		t.Error("no error without a file")
	}
}

func TestHosts(t *testing.T) {
	for _, tt := range []struct{ base, edge, region, want string }{
		{"", "", "", "https://flex-api.twilio.com"},
		{"", "sydney", "", "https://flex-api.sydney.us1.twilio.com"},
		{"", "", "ie1", "https://flex-api.ie1.twilio.com"},
		{"", "dublin", "ie1", "https://flex-api.dublin.ie1.twilio.com"},
		{"https://h.example:8443/a/", "dublin", "ie1", "https://h.example:8443/a"},
		{"http://127.8.8.8:1", "", "", "http://127.8.8.8:1"},
		{"http://[::1]:1/", "", "", "http://[::1]:1"},
		{"http://LOCALHOST", "", "", "http://LOCALHOST"},
		{"http://h.example", "", "", ""},
		{"http://127.0.0.1.evil.example", "", "", ""},
		{"http://0.0.0.0", "", "", ""},
		{"ftp://localhost", "", "", ""},
		{"localhost:80", "", "", ""},
		{"https://", "", "", ""},
		{"https://u:" + testSecret + "@h.example", "", "", ""},
		{"https://u:" + testSecret + "@h.example:x", "", "", ""},
		{"https://h.example/?", "", "", ""},
		{"https://h.example/?a=b", "", "", ""},
		{"https://h.example/#a", "", "", ""},
		{"https://h.example/#", "", "", ""},
		{"", "evil.example/", "", ""},
		{"", "", "us1.evil.example#", ""},
	} {
		cfg := Config{BaseURL: tt.base, Edge: tt.edge, Region: tt.region, Credentials: Credentials{Username: "u", Password: "p"}}
		c, err := New(cfg)
		if tt.want == "" {
			if _, ok := err.(*ConfigError); !ok || strings.Contains(err.Error(), testSecret) {
				t.Errorf("%+v: error %v", cfg, err)
			}
			continue
		}
		if err != nil || c.BaseURL(Flex) != tt.want {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestProxy is which proxies are refused before anything is sent, and without
// a word of theirs.
func TestProxy(t *testing.T) {
	for value, ok := range map[string]bool{
		"":                        true,
		"proxy.example":           true,
		"proxy.example:3128":      true,
		"http://proxy:3128/":      true,
		"https://u:p@proxy.local": true,
		"socks5://[::1]:1080":     true,
		"socks5h://proxy":         true,

		"://" + testSecret:                        false,
		"http//" + testSecret:                     false,
		"http://u:" + testSecret + "@[::1":        false,
		"http://u:" + testSecret + "@":            false,
		"http://u:" + testSecret + "@h:99999":     false,
		"http://u:" + testSecret + "@h:x":         false,
		"ftp://u:" + testSecret + "@h":            false,
		"ht tp://u:" + testSecret + "@h":          false,
		"http://u:" + testSecret + "%zz@h.a:3128": false,
	} {
		// As net/http reads it.
		find := func(*http.Request) (*url.URL, error) {
			u, err := url.Parse(value)
			if err != nil || u.Scheme == "" || u.Host == "" {
				if u, err := url.Parse("http://" + value); value != "" && err == nil {
					return u, nil
				}
			}
			if value == "" || err != nil {
				return nil, err
			}
			return u, nil
		}
		for _, base := range []string{"", "https://api.example"} {
			h, err := newHosts(base, "", "")
			if err != nil {
				t.Fatal(err)
			}
			err = h.checkProxy(find)
			if (err == nil) != ok {
				t.Errorf("proxy %q for %q: %v", value, base, err)
			}
			if config, typed := err.(*ConfigError); err != nil && (!typed || config.Setting != "proxy" || strings.Contains(err.Error(), testSecret)) {
				t.Errorf("proxy %q for %q: %v", value, base, err)
			}
		}
	}
}

// TestCredentialsOfPrefix holds that a prefix leads to the variables of that prefix
// and never to those without it: they belong to another account.
func TestCredentialsOfPrefix(t *testing.T) {
	env := map[string]string{
		"TWILIO_ACCOUNT_SID": testAccount, "TWILIO_AUTH_TOKEN": "other", "TWILIO_REGION": "au1", "TWILIO_EDGE": "sydney",
		"DEV_TWILIO_ACCOUNT_SID": testAccount, "DEV_TWILIO_REGION": "ie1",
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if _, err := CredentialsFromEnv(lookup, "DEV_"); !errors.Is(err, ErrNotSet) || !strings.Contains(err.Error(), ": DEV_TWILIO_AUTH_TOKEN (or DEV_TWILIO_API_KEY with DEV_TWILIO_API_SECRET)") {
		t.Errorf("the token of another account: %v", err)
	}
	env["DEV_TWILIO_AUTH_TOKEN"] = "mine"
	c, err := CredentialsFromEnv(lookup, "DEV_")
	if err != nil || string(c.Password) != "mine" || c.Source != "DEV_TWILIO_AUTH_TOKEN" || c.Region != "ie1" || c.Edge != "sydney" {
		t.Errorf("%+v, %v", c, err)
	}
}
