package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"flexsync/internal/emulator"

	"github.com/google/go-cmp/cmp"
)

// What a run sends is a promise, not a figure: ceil(N/1000) requests for a plan,
// the changes and twice that for an apply, over connections that are used again,
// in gzip where it pays.
func TestRequests(t *testing.T) {
	t.Parallel()
	const flows, pages, workers = 1001, 2, 8
	path := filepath.Join(t.TempDir(), "flows.yaml")
	_, yaml := manyFlows(flows)
	writeText(t, path, yaml)
	api, err := emulator.New(emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var requests, connections, plain atomic.Int32
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Accept-Encoding") != "gzip" {
			plain.Add(1)
		}
		api.ServeHTTP(w, r)
	}))
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": api.AccountSID(), "TWILIO_AUTH_TOKEN": "any"}

	for _, step := range []struct {
		name                         string
		args                         []string
		wantRequests, maxConnections int32
	}{
		// The listing before the creates is one empty page. A worker that waits for
		// a connection has net/http dial one, and may then get another's.
		{"apply", []string{"apply", path, "--yes", "--parallelism", strconv.Itoa(workers)}, 1 + flows + pages, 2 * workers},
		{"plan", []string{"plan", path}, pages, 1},
		{"apply without changes", []string{"apply", path, "--yes"}, pages, 1},
	} {
		requests.Store(0)
		connections.Store(0)
		if code, stdout, stderr := runWith(t, env, step.args...); code != exitOK {
			t.Fatalf("%s: exit %d\n%.2000s%.2000s", step.name, code, stdout, stderr)
		}
		if got := requests.Load(); got != step.wantRequests {
			t.Errorf("%s: %d requests, want %d", step.name, got, step.wantRequests)
		}
		if got := connections.Load(); got > step.maxConnections {
			t.Errorf("%s: %d connections, want at most %d", step.name, got, step.maxConnections)
		}
	}
	if n := plain.Load(); n > 0 {
		t.Errorf("%d requests do not take gzip", n)
	}
}

// Only the kinds that a run manages, or is asked for, are listed or written.
func TestRequestsByKind(t *testing.T) {
	t.Parallel()
	const flow = `  - {friendly_name: Web, chat_service_sid: IS00000000000000000000000000000001, channel_type: web, enabled: NEW}
`
	const address = `  - {address: "+15551230000", type: sms, auto_creation: {type: default, enabled: NEW}}
`
	const seed = `{"account_sid": "AC00000000000000000000000000000001",
 "flows": [{"friendly_name": "Web", "chat_service_sid": "IS00000000000000000000000000000001", "channel_type": "web", "enabled": true}],
 "addresses": [{"address": "+15551230000", "type": "sms", "auto_creation": {"enabled": true, "type": "default"}}]}`
	for _, test := range []struct {
		name, yaml, kind string
		asked            []string // collections
	}{
		{"flows alone", "version: 1\nflows:\n" + flow, "flows", []string{"/v1/FlexFlows"}},
		{"addresses alone", "version: 1\naddresses:\n" + address, "addresses", []string{"/v1/Configuration/Addresses"}},
		{"both", "version: 1\nflows:\n" + flow + "addresses:\n" + address, "all", []string{"/v1/Configuration/Addresses", "/v1/FlexFlows"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api, err := emulator.New(emulator.Options{Seed: []byte(seed)})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var asked []string
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path, sid, _ := strings.Cut(r.URL.Path, "/FO")
				if sid == "" {
					path, _, _ = strings.Cut(path, "/IG")
				}
				mu.Lock()
				asked = append(asked, path)
				mu.Unlock()
				api.ServeHTTP(w, r)
			}))
			t.Cleanup(web.Close)
			env := map[string]string{"FLEXSYNC_BASE_URL": web.URL, "TWILIO_ACCOUNT_SID": api.AccountSID(), "TWILIO_AUTH_TOKEN": "any"}
			dir := t.TempDir()
			path, saved := filepath.Join(dir, "flexsync.yaml"), filepath.Join(dir, "plan.json")
			run := func(enabled string, args ...string) {
				t.Helper()
				writeText(t, path, strings.ReplaceAll(test.yaml, "NEW", enabled))
				asked = nil
				if code, stdout, stderr := runWith(t, env, args...); code != exitOK {
					t.Fatalf("%q: exit %d\n%s%s", args, code, stdout, stderr)
				}
				slices.Sort(asked)
				if diff := cmp.Diff(test.asked, slices.Compact(asked)); diff != "" {
					t.Errorf("%q asks (-want +got):\n%s", args, diff)
				}
			}
			run("true", "plan", path)
			run("false", "plan", path, "--out", saved)
			run("false", "apply", "--plan", saved, "--yes")
			run("true", "apply", path, "--yes")
			run("true", "export", "--kind", test.kind)
			run("true", "list", "--kind", test.kind)
			if test.kind == "flows" {
				run("true", "export")
				run("true", "list")
			}
		})
	}
}
