package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"flexsync/internal/emulator"
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
