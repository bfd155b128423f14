package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// servedFleet is a fleet whose accounts one server has. Each needs the flow Support.
type servedFleet struct {
	dir, url string
	env      map[string]string
	accounts map[string]*emutest.Server

	open, most atomic.Int64 // connections, and how many of them there were at once
}

// serveFleet serves accounts, each of which is in a wave. seeds and faults are those of
// some of them.
func serveFleet(t *testing.T, waves map[string]int, seeds map[string]string, faults map[string]func(*http.Request, int) emutest.Fault) *servedFleet {
	t.Helper()
	f := &servedFleet{dir: t.TempDir(), env: make(map[string]string), accounts: make(map[string]*emutest.Server)}
	bySID := make(map[string]*emutest.Server)
	names := slices.Sorted(maps.Keys(waves))
	file := "version: 1\naccounts:\n"
	for i, name := range names {
		sid, seed := fmt.Sprintf("AC%032d", i+1), seeds[name]
		if seed == "" {
			seed = "{}"
		}
		server, err := emutest.New(emulator.Options{AccountSID: sid, AuthToken: name + "-token", Seed: []byte(seed)}, faults[name])
		if err != nil {
			t.Fatal(err)
		}
		f.accounts[name], bySID[sid] = server, server
		prefix := strings.ToUpper(name) + "_TWILIO_"
		f.env[prefix+"ACCOUNT_SID"], f.env[prefix+"AUTH_TOKEN"] = sid, name+"-token"
		file += fmt.Sprintf("  %s: {paths: [flows.yaml], credentials: %s, wave: %d}\n", name, strings.ToUpper(name), waves[name])
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		bySID[user].ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if n := f.open.Add(1); n > f.most.Load() {
				f.most.Store(n)
			}
		case http.StateClosed:
			f.open.Add(-1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	f.url = server.URL
	writeText(t, filepath.Join(f.dir, "fleet.yaml"), file)
	writeText(t, filepath.Join(f.dir, "flows.yaml"), "version: 1\nflows: [{friendly_name: Support, channel_type: web, chat_service_sid: IS0123456789abcdef0123456789abcdef}]\n")
	return f
}

// args are the arguments of a command on the fleet.
func (f *servedFleet) args(args ...string) []string {
	return append(args, "--fleet", filepath.Join(f.dir, "fleet.yaml"), "--base-url", f.url)
}

// writes is how many writes an account got.
func (f *servedFleet) writes(name string) (n int) {
	for _, r := range f.accounts[name].Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// TestFleetFaults has one account of a fleet fail in each way, in each wave, with and
// without --keep-going. Nothing is written where nothing should be, and the report
// and the exit code are what became of the accounts.
func TestFleetFaults(t *testing.T) {
	t.Parallel()
	type fault struct {
		code   int
		status string // of the account's document
		early  bool   // it shows before the first write
		seed   string
		setup  func(t *testing.T, f *servedFleet) (args []string)
		answer func(r *http.Request, interrupt func()) emutest.Fault
	}
	post := func(then func(interrupt func()) emutest.Fault) func(*http.Request, func()) emutest.Fault {
		return func(r *http.Request, interrupt func()) emutest.Fault {
			if r.Method != http.MethodPost {
				return emutest.Fault{}
			}
			return then(interrupt)
		}
	}
	for name, fault := range map[string]fault{
		"refused": {code: exitRefused, status: "refused", early: true, seed: `{"flows": [` + flowJSON("One", "+15550000001") + "," + flowJSON("Two", "+15550000002") + `]}`},
		"unreachable": {code: exitError, status: "error", early: true, answer: func(*http.Request, func()) emutest.Fault {
			return emutest.Fault{DropBefore: true}
		}},
		"wrong credentials": {code: exitError, status: "error", early: true, setup: func(_ *testing.T, f *servedFleet) []string {
			f.env["BAD_TWILIO_AUTH_TOKEN"] = "another-token"
			return nil
		}},
		"stale": {code: exitStale, status: "stale", early: true, setup: func(t *testing.T, f *servedFleet) []string {
			saved := filepath.Join(f.dir, "fleet.plan")
			if code, _, stderr := runWith(t, f.env, f.args("plan", "--out", saved)...); code != exitOK {
				t.Fatalf("plan: exit %d\n%s", code, stderr)
			}
			if err := f.accounts["bad"].Edit(func(flows []map[string]any) []map[string]any {
				return append(flows, map[string]any{"friendly_name": "Other", "channel_type": "web"})
			}); err != nil {
				t.Fatal(err)
			}
			return []string{"--plan", saved}
		}},
		"interrupted while it is read": {code: exitInterrupted, status: "interrupted", early: true, answer: func(_ *http.Request, interrupt func()) emutest.Fault {
			interrupt()
			return emutest.Fault{Hang: true}
		}},
		"failed write": {code: exitPartial, status: "partial", answer: post(func(func()) emutest.Fault {
			return emutest.Fault{Status: http.StatusBadRequest}
		})},
		"interrupted write": {code: exitInterrupted, status: "interrupted", answer: post(func(interrupt func()) emutest.Fault {
			interrupt()
			return emutest.Fault{}
		})},
	} {
		for wave := 1; wave <= 3; wave++ {
			for _, keepGoing := range []bool{false, true} {
				if name == "unreachable" && (testing.Short() || wave != 2) {
					continue // it is tried for 15 seconds
				}
				t.Run(fmt.Sprintf("%s in wave %d, keep going %t", name, wave, keepGoing), func(t *testing.T) {
					t.Parallel()
					ctx, interrupt := context.WithCancel(t.Context())
					defer interrupt()
					waves := map[string]int{"bad": wave, "one": 1, "two": 2, "three": 3}
					var faults map[string]func(*http.Request, int) emutest.Fault
					if fault.answer != nil {
						faults = map[string]func(*http.Request, int) emutest.Fault{
							"bad": func(r *http.Request, _ int) emutest.Fault { return fault.answer(r, interrupt) },
						}
					}
					f := serveFleet(t, waves, map[string]string{"bad": fault.seed}, faults)
					args := f.args("apply", "--yes", "--format", "json")
					if fault.setup != nil {
						args = append(args, fault.setup(t, f)...)
					}
					if keepGoing {
						args = append(args, "--keep-going")
					}
					var out, errs bytes.Buffer
					code := run(ctx, args, strings.NewReader(""), &out, &errs, func(name string) (string, bool) { v, ok := f.env[name]; return v, ok })
					var doc struct {
						Status   string
						Summary  map[string]int
						Accounts map[string]struct {
							Status  string
							Summary map[string]int
						}
					}
					if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
						t.Fatalf("%v\n%s%s", err, &out, &errs)
					}
					if code != fault.code || doc.Status != fault.status || doc.Accounts["bad"].Status != fault.status {
						t.Errorf("exit %d, status %q, of the account %q", code, doc.Status, doc.Accounts["bad"].Status)
					}
					counts := map[string]int{"accounts": 4, "changed": 0, "unchanged": 0, "failed": 0, "skipped": 0, "created": 0, "updated": 0, "deleted": 0}
					for account, w := range waves {
						status, writes := doc.Accounts[account].Status, f.writes(account)
						counts["created"] += doc.Accounts[account].Summary["created"]
						if doc.Summary["created"] == 0 && status == "applied" {
							t.Errorf("%s is applied, and nothing is counted", account)
						}
						switch status {
						case "applied":
							counts["changed"]++
						case "skipped":
							counts["skipped"]++
						default:
							counts["failed"]++
						}
						began := status == "applied" || status == "partial" || status == "interrupted" && !fault.early
						if began != (writes > 0) && status != "interrupted" {
							t.Errorf("%s is %s, with %d writes", account, status, writes)
						}
						if has := len(f.accounts[account].Flows()) > 0; account != "bad" && has != (writes > 0) {
							t.Errorf("%s has a flow: %t, with %d writes", account, has, writes)
						}
						if account == "bad" {
							if fault.early && writes > 0 {
								t.Errorf("the account that %s got %d writes", name, writes)
							}
							continue
						}
						want := "applied"
						switch {
						case fault.early && (!keepGoing || code == exitInterrupted), !fault.early && w > wave:
							want = "skipped"
						}
						// An account beside the one that is interrupted may be so, too.
						if beside := code == exitInterrupted && (fault.early || w == wave); status != want && !(beside && (status == "interrupted" || status == "skipped")) {
							t.Errorf("%s of wave %d is %s, want %s", account, w, status, want)
						}
						if want == "skipped" && writes > 0 {
							t.Errorf("%s of wave %d got %d writes", account, w, writes)
						}
					}
					if fmt.Sprint(doc.Summary) != fmt.Sprint(counts) {
						t.Errorf("the summary is %v, want %v", doc.Summary, counts)
					}
					if t.Failed() {
						t.Logf("%s%s", &out, &errs)
					}
				})
			}
		}
	}
}

// TestFleetInterruptedWave interrupts a wave whose accounts wait for each other: those
// that the run did not get to are skipped, as the later waves are.
func TestFleetInterruptedWave(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	f := serveFleet(t, map[string]int{"a": 1, "b": 1, "c": 1, "later": 2}, nil, map[string]func(*http.Request, int) emutest.Fault{
		"a": func(r *http.Request, _ int) emutest.Fault {
			if r.Method == http.MethodPost {
				interrupt()
			}
			return emutest.Fault{}
		},
	})
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) { v, ok := f.env[name]; return v, ok }
	code := run(ctx, f.args("apply", "--yes", "--at-once", "1"), strings.NewReader(""), &out, &errs, lookup)
	if code != exitInterrupted || !strings.Contains(out.String(), "\nSkipped: b, c, later.\nFleet: 4 accounts: ") {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
	for _, name := range []string{"b", "c", "later"} {
		if n := f.writes(name); n > 0 {
			t.Errorf("%s got %d writes", name, n)
		}
	}
}

// TestFleetKilled kills an apply while a write of each wave is held. A plain repeat ends
// right, and nothing is there twice.
func TestFleetKilled(t *testing.T) {
	t.Parallel()
	flexsync, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	for _, victim := range []string{"one", "two"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			hit, release := make(chan struct{}), make(chan struct{})
			var once atomic.Bool
			f := serveFleet(t, map[string]int{"one": 1, "beside": 1, "two": 2}, nil, map[string]func(*http.Request, int) emutest.Fault{
				victim: func(r *http.Request, _ int) emutest.Fault {
					if r.Method != http.MethodPost || once.Swap(true) {
						return emutest.Fault{}
					}
					return emutest.Fault{Rewrite: func(body []byte) []byte {
						close(hit)
						<-release
						return body
					}}
				},
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			apply := func() *exec.Cmd {
				cmd := exec.CommandContext(ctx, flexsync, f.args("apply", "--yes")...)
				cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
				for name, value := range f.env {
					cmd.Env = append(cmd.Env, name+"="+value)
				}
				return cmd
			}
			cmd := apply()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-hit:
			case <-ctx.Done():
				t.Error("no write came")
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			close(release)
			_ = cmd.Wait() // it was killed
			if victim == "one" && f.writes("two") > 0 {
				t.Error("wave 2 was begun before wave 1 had ended")
			}
			if out, err := apply().CombinedOutput(); err != nil {
				t.Errorf("the repeat: %v\n%s", err, out)
			}
			for name, account := range f.accounts {
				if flows := account.Flows(); len(flows) != 1 || flows[0]["friendly_name"] != "Support" {
					t.Errorf("%s has %v", name, flows)
				}
			}
		})
	}
}
