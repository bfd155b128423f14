package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flexsync/schema"
)

// TestSnapshot is the law that a snapshot stands for the account: every command
// that reads says the same of both, and does not touch the file.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	flows := strings.Join([]string{
		`{"sid": "FO00000000000000000000000000000001", "friendly_name": "A", "channel_type": "sms", "contact_identity": "+15551230001", "chat_service_sid": "IS#1", "integration": {"flow_sid": "FW#1", "retry_count": 0}}`,
		// Copies: the older one stays, which is not the one of the lower SID.
		`{"sid": "FO00000000000000000000000000000002", "friendly_name": "B", "channel_type": "web", "chat_service_sid": "IS#1", "date_created": "2024-01-02T03:04:06Z"}`,
		`{"sid": "FO00000000000000000000000000000003", "friendly_name": "B", "channel_type": "web", "chat_service_sid": "IS#1", "date_created": "2024-01-02T03:04:05Z"}`,
		`{"sid": "FO00000000000000000000000000000004", "friendly_name": "C", "channel_type": "sms", "chat_service_sid": "IS#1", "enabled": false, "long_lived": true, "janitor_enabled": true,
			"integration": {"workspace_sid": "WS#1", "workflow_sid": "WW#1", "channel": "sms", "timeout": "60", "priority": 5, "creation_on_message": true}}`,
		// What only Twilio can make, and what nobody should.
		`{"sid": "FO00000000000000000000000000000005", "friendly_name": "Odd ::error::\u202e ##[x] ${y}\u0000", "channel_type": "instagram", "chat_service_sid": "none", "integration_type": "bot", "integration": {"url": "x"}}`,
		`{"sid": "FO00000000000000000000000000000006", "channel_type": "web", "integration_type": "studio", "integration": null}`,
		`{"sid": "FO00000000000000000000000000000007", "friendly_name": "Hook", "channel_type": "custom", "contact_identity": "null", "chat_service_sid": "IS#2", "integration_type": "external", "integration": {"url": "ftp://example.com", "retry_count": 99}}`,
		`{"sid": "FO00000000000000000000000000000008", "friendly_name": "Task", "channel_type": "custom", "chat_service_sid": "IS#2", "integration_type": "task", "integration": {"timeout": 99999999999, "priority": -1}}`,
		`{"sid": "FO00000000000000000000000000000009"}`,
	}, ",")
	acct := serve(t, namedAccount(1, strings.ReplaceAll(flows, "#", nsid("", 1, 0)[:31])), 0)
	yaml := yamlFile(t, bySID, byName, ofTasks,
		`{friendly_name: Drafted, channel_type: sms, contact_identity: "+15551230009", chat_service: " yes: $${x} # \"quoted\" ", integration_type: studio, integration: {studio_flow: Next IVR}}`,
		`{friendly_name: Missing, channel_type: web, chat_service_sid: IS00000000000000000000000000000099, integration_type: task, integration: {workspace: Back Office, workflow: Anyone, channel: fax}}`)
	broken := yamlFile(t, `{friendly_name: D, channel_type: web, chat_service: Twice}`, `{friendly_name: E, channel_type: web, chat_service: Flexchat}`)
	file := filepath.Join(t.TempDir(), "snapshot.json")
	acct.run(exitOK, "export", "--snapshot", file)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}

	for _, test := range []struct {
		want int
		args []string
	}{
		{exitRefused, []string{"plan", yaml}},
		{exitRefused, []string{"plan", yaml, "--check-refs"}},
		{exitOK, []string{"plan", yaml, "--check-refs", "--max-deletes", "100%"}},
		{exitOK, []string{"plan", yaml, "--format", "markdown", "--max-deletes", "9"}},
		{exitOK, []string{"plan", yaml, "--format", "json", "--check-refs", "--no-delete"}},
		{exitOK, []string{"plan", yaml, "--format", "json", "--max-deletes", "9"}},
		{exitRefused, []string{"apply", yaml, "--dry-run"}},
		{exitInput, []string{"plan", broken}},
		{exitInput, []string{"plan", broken, "--format", "json"}},
		{exitOK, []string{"list"}},
		{exitOK, []string{"list", "--format", "json"}},
		{exitOK, []string{"list", "--format", "env"}},
		{exitOK, []string{"export"}},
		{exitOK, []string{"export", "--names"}},
	} {
		t.Run(strings.Join(test.args[:min(len(test.args), 1)], " "), func(t *testing.T) {
			acct.t = t
			want, wantSaid := acct.run(test.want, test.args...)
			have, haveSaid := runOffline(t, test.want, append(test.args, "--local", file)...)
			if slices.Contains(test.args, "json") {
				want, have = withoutTime(t, want), withoutTime(t, have)
			}
			// All that differs is where the account is.
			have = strings.NewReplacer(" (embedded: "+file+")", "", " (embedded: `"+file+"`)", "").Replace(have)
			if want != have || wantSaid != haveSaid {
				t.Errorf("%q: of the account:\n%s%s\nof the snapshot:\n%s%s", test.args, want, wantSaid, have, haveSaid)
			}
		})
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("reading has changed the file: %v", err)
	}
	if again, err := os.Stat(file); err != nil || !again.ModTime().Equal(info.ModTime()) || !os.SameFile(info, again) {
		t.Errorf("reading has written the file: %v", err)
	}

	// Equal accounts give equal bytes, and those of a snapshot are its own.
	second := filepath.Join(t.TempDir(), "second.json")
	acct.t = t
	for _, run := range []func(){
		func() { acct.run(exitOK, "export", "--snapshot", second) },
		func() { runOffline(t, exitOK, "export", "--snapshot", second, "--local", file) },
	} {
		run()
		if again, err := os.ReadFile(second); err != nil || !bytes.Equal(before, again) {
			t.Errorf("another snapshot has other bytes: %v\n%s\nand\n%s", err, before, again)
		}
	}
}

// withoutTime is a JSON document less what says when and where it was made.
func withoutTime(t *testing.T, text string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, key := range []string{"base_url", "created_at", "plan_digest"} {
		delete(doc, key)
	}
	b, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSetupsExport exports accounts as contact centres have them in every way
// there is: each way plans to no change, and each file of a split stands alone.
func TestSetupsExport(t *testing.T) {
	t.Parallel()
	for _, set := range setups(t) {
		acct := newLocalAccount(t, `{"flows": `+set.text+`}`)
		whole := filepath.Join(t.TempDir(), "flows.yaml")
		writeText(t, whole, acct.run(exitOK, "export"))
		acct.run(exitOK, "plan", whole, "--detailed-exitcode")

		dir := filepath.Join(t.TempDir(), "flows")
		runOffline(t, exitOK, "export", "--split", dir, "--local", acct.file)
		acct.run(exitOK, "plan", dir, "--detailed-exitcode")
		for _, part := range globbed(t, filepath.Join(dir, "*")) {
			runOffline(t, exitOK, "validate", part)
			if channel := strings.TrimSuffix(filepath.Base(part), ".yaml"); !slices.Contains(schema.Flows.Channel.Enum, channel) {
				t.Errorf("%s is no channel's", part)
			}
			if strings.Contains(acct.run(exitOK, "plan", part, "--no-delete"), "~ update") {
				t.Errorf("%s changes something by itself", part)
			}
		}
	}
}
