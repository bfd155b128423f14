package schema

import (
	"strings"
	"testing"

	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
)

const secretFlows = `version: 1
defaults: {chat_service_sid: IS00000000000000000000000000000001, channel_type: custom, integration_type: external}
flows:
  - friendly_name: A
    integration: {url: "https://${user}@example.com/?a=$${x}&token=${token}"}
`

// TestSecrets follows the ways in which a variable becomes a secret.
func TestSecrets(t *testing.T) {
	env := func(values ...string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			for i := 0; i < len(values); i += 2 {
				if values[i] == name {
					return values[i+1], true
				}
			}
			return "", false
		}
	}
	const value, url = "s3cret-token", "https://me@example.com/?a=${x}&token=s3cret-token"
	for name, test := range map[string]struct {
		opts     Options
		template string // "": nothing is secret
	}{
		"environment": {Options{Vars: map[string]string{"user": "me"}, LookupEnv: env("FLEXSYNC_SECRET_token", value)}, "https://me@example.com/?a=$${x}&token=${token}"},
		"flag":        {Options{Vars: map[string]string{"user": "me", "token": value}, Secrets: []string{"token"}}, "https://me@example.com/?a=$${x}&token=${token}"},
		"both":        {Options{Vars: map[string]string{"user": "me", "token": value}, LookupEnv: env("FLEXSYNC_SECRET_token", "other"), Secrets: []string{"user"}}, "https://${user}@example.com/?a=$${x}&token=${token}"},
		"variable":    {Options{Vars: map[string]string{"user": "me"}, LookupEnv: env("FLEXSYNC_VAR_token", value)}, ""},
	} {
		config, err := loadText(secretFlows, test.opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := &config.Resources[0]
		if got := d.Text(Flows.Field("integration.url")); got != url {
			t.Errorf("%s: url %q", name, got)
		}
		if test.template == "" {
			if len(d.Secrets) > 0 || config.Mask.Text(value) != value {
				t.Errorf("%s: %v is secret", name, d.Secrets)
			}
			continue
		}
		if len(d.Secrets) != 1 || d.Secrets[0].Field.Path != "integration.url" || d.Secrets[0].Template != test.template {
			t.Errorf("%s: secrets %+v, want %s", name, d.Secrets, test.template)
		} else if got, missing := yamldoc.Fill(d.Secrets[0].Template, func(name string) (string, bool) {
			return map[string]string{"user": "me", "token": value}[name], true
		}); got != url || missing != nil {
			t.Errorf("%s: the template makes %q", name, got)
		}
		if config.Mask.Value(url) != secret.Shown(url) || strings.Contains(config.Mask.Text("the API says "+value), value) {
			t.Errorf("%s: the mask does not hide the value", name)
		}
	}
}

// TestSecretsInProblems: no message repeats a secret, and a secret is refused where
// every output shows the value.
func TestSecretsInProblems(t *testing.T) {
	const value = "ftp://s3cret-token"
	for text, want := range map[string]string{
		strings.ReplaceAll(secretFlows, `"https://${user}@example.com/?a=$${x}&token=${token}"`, `"${token}"`):                "integration.url: the value, which holds a secret, is not valid",
		strings.ReplaceAll(secretFlows, "friendly_name: A", "friendly_name: ${token}"):                                        "friendly_name: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "channel_type: custom", "channel_type: \"${token}\""):                                 "channel_type: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "friendly_name: A", "friendly_name: A\n    enabled: ${token}"):                        "enabled: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "friendly_name: A", "friendly_name: A\n    renamed_from: [\"${token}\"]"):             "renamed_from[0]: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "chat_service_sid: IS00000000000000000000000000000001", "chat_service: \"${token}\""): "chat_service: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "version: 1", "version: 1\nignore: [\"${token}\"]"):                                   "ignore[0]: a secret variable cannot be used here",
		strings.ReplaceAll(secretFlows, "IS00000000000000000000000000000001", "\"${token}\""):                                 "chat_service_sid: the value, which holds a secret, is not valid",
	} {
		_, err := loadText(text, Options{Vars: map[string]string{"user": "me", "token": value}, Secrets: []string{"token"}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, err := loadText(secretFlows, Options{Vars: map[string]string{"user": "me", "token": "x"}, Secrets: []string{"tokn"}})
	if err == nil || !strings.Contains(err.Error(), "no value in the YAML uses ${tokn}") {
		t.Errorf("a misspelt name: %v", err)
	}
}
