package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// kill -9 at any moment of an apply, then a plain repeat: the account is as the
// YAML says, and nothing is there twice. The moments are requests, counted, so
// that every one of them is hit: the process is killed while the server holds
// the answer back, after it has carried the request out.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the command 2 × 9 times")
	}
	t.Parallel()
	flexsync, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var yaml strings.Builder
	yaml.WriteString("version: 1\ndefaults: {chat_service_sid: IS00000000000000000000000000000001, integration_type: studio, integration: {flow_sid: FW00000000000000000000000000000001}}\nflows:\n")
	for i := range 4 {
		fmt.Fprintf(&yaml, "  - {friendly_name: Flow %d, channel_type: sms, contact_identity: \"+1555000000%d\"", i, i)
		if i == 0 { // nobody would enable it again
			yaml.WriteString(", ignore_changes: [enabled]")
		}
		yaml.WriteString("}\n")
	}
	file := filepath.Join(dir, "flows.yaml")
	if err := os.WriteFile(file, []byte(yaml.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// Flow 0 and 1 are swapped, Flow 2 has a copy, Flow 3 is missing, one is too many.
	seed := `{"flows": [` + strings.Join([]string{
		flowJSON("Flow 0", "+15550000001"), flowJSON("Flow 1", "+15550000000"),
		flowJSON("Flow 2", "+15550000009"), flowJSON("Flow 2", "+15550000009"), flowJSON("Old", "+15550000008"),
	}, ",") + `]}`

	for moment := 1; ; moment++ {
		hit := make(chan struct{})
		release := make(chan struct{})
		server, err := emutest.New(emulator.Options{
			Seed:      []byte(seed),
			Behaviour: emulator.Behaviour{Collisions: true, CollideAcrossTypes: true},
		}, func(_ *http.Request, call int) emutest.Fault {
			if call != moment {
				return emutest.Fault{}
			}
			return emutest.Fault{Rewrite: func(b []byte) []byte {
				close(hit)
				<-release
				return b
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(server)
		apply := func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, flexsync, "apply", file, "--yes", "--max-deletes", "100%", "--base-url", srv.URL)
			cmd.Env = append(os.Environ(), "TWILIO_ACCOUNT_SID="+server.AccountSID(), "TWILIO_AUTH_TOKEN=token", "GORACE=atexit_sleep_ms=0")
			return cmd
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := apply(ctx)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		killed := false
		select {
		case <-hit:
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			close(release)
			<-ended
		case err := <-ended:
			if err != nil {
				t.Errorf("moment %d: the first run, not killed: %v\n%s", moment, err, out.Bytes())
			}
		}
		if killed {
			if again, err := apply(ctx).CombinedOutput(); err != nil {
				t.Errorf("moment %d: the repeat: %v\n%s", moment, err, again)
			}
		}
		have := map[string]string{}
		for _, f := range server.Flows() {
			have[fmt.Sprint(f["friendly_name"])] += fmt.Sprintf("%v %v;", f["contact_identity"], f["enabled"])
		}
		for i := range 4 {
			if got, want := have[fmt.Sprintf("Flow %d", i)], fmt.Sprintf("+1555000000%d true;", i); got != want {
				t.Errorf("moment %d: Flow %d is %q, want %q", moment, i, got, want)
			}
		}
		if len(have) != 4 {
			t.Errorf("moment %d: the account has %v", moment, have)
		}
		cancel()
		srv.Close()
		if !killed {
			if moment < 8 {
				t.Errorf("a run has %d requests: too few to show anything", moment-1)
			}
			return
		}
	}
}

func flowJSON(name, identity string) string {
	return fmt.Sprintf(`{"friendly_name": %q, "channel_type": "sms", "contact_identity": %q, "chat_service_sid": "IS00000000000000000000000000000001",
		"integration_type": "studio", "integration": {"flow_sid": "FW00000000000000000000000000000001"}}`, name, identity)
}
