package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
)

// fixture is what a script has beside its files.
type fixture struct {
	process *process

	server *emutest.Server
	close  func() // ends the server, and every request to it
	seen   int    // requests that asked has counted
	wrote  int    // requests that writes has listed
	arrive chan struct{}
	goOn   chan struct{}

	mu     sync.Mutex
	faults []*fault
}

type fixtureKey struct{}

func fixtureOf(ts *testscript.TestScript) *fixture {
	f, _ := ts.Value(fixtureKey{}).(*fixture)
	return f
}

// fault is what goes wrong with some of the requests.
type fault struct {
	method, text string
	from, to     int // of the requests that match, counted from 1
	matched      int
	what         emutest.Fault
	hold         bool // the request is held before it is carried out
}

// newFault reads `METHOD[:TEXT] WHICH KIND[=ARG]...`: METHOD may be *, TEXT is a
// part of the path or of the friendly name, WHICH is 2, 2-5 or * of the requests
// that match. The KINDs are below.
func (x *fixture) newFault(args []string) (*fault, error) {
	f := &fault{to: 1 << 30, from: 1}
	f.method, f.text, _ = strings.Cut(args[0], ":")
	if which := args[1]; which != "*" {
		from, to, ranged := strings.Cut(which, "-")
		if !ranged {
			to = from
		}
		var err1, err2 error
		f.from, err1 = strconv.Atoi(from)
		f.to, err2 = strconv.Atoi(to)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%q is not N, N-M or *", which)
		}
	}
	f.what.Header = http.Header{}
	for _, kind := range args[2:] {
		kind, arg, _ := strings.Cut(kind, "=")
		number, _ := strconv.Atoi(arg)
		switch kind {
		case "status": // before it is carried out
			f.what.Status = number
		case "status-after": // it is carried out, and the answer replaced
			f.what.StatusAfter = number
		case "drop":
			f.what.DropBefore = true
		case "drop-after":
			f.what.DropAfter = true
		case "hang":
			f.what.Hang = true
		case "hang-after":
			f.what.HangAfter = true
		case "truncated": // the connection breaks in the middle of the answer
			f.what.CutBody = true
		case "short": // half the answer, in a whole HTTP message
			f.what.Rewrite = func(body []byte) []byte { return body[:len(body)/2] }
		case "html":
			f.what.Body, f.what.ContentType = "<!DOCTYPE html><title>Sign in</title>", "text/html"
			if f.what.Status == 0 {
				f.what.Status = http.StatusOK
			}
		case "body":
			f.what.Body = arg
		case "retry-after":
			f.what.Header.Set("Retry-After", arg)
		case "redirect":
			f.what.Redirect = arg
		case "replace": // OLD=>NEW in the answer's body
			before, after, _ := strings.Cut(arg, "=>")
			f.what.Rewrite = func(body []byte) []byte {
				return []byte(strings.ReplaceAll(string(body), before, after))
			}
		case "next-page": // the listing goes on there
			f.what.Rewrite = func(body []byte) []byte {
				return []byte(strings.Replace(string(body), `"next_page_url":null`, fmt.Sprintf(`"next_page_url":%q`, arg), 1))
			}
		case "delay":
			d, err := time.ParseDuration(arg)
			if err != nil {
				return nil, err
			}
			f.what.Delay = d
		case "hold":
			f.hold = true
		case "hold-after":
			f.what.Rewrite = func(body []byte) []byte {
				x.wait()
				return body
			}
		default:
			return nil, fmt.Errorf("unknown fault %q", kind)
		}
	}
	return f, nil
}

// wait holds a request until `release`.
func (x *fixture) wait() {
	x.mu.Lock()
	goOn := x.goOn
	x.mu.Unlock()
	x.arrive <- struct{}{}
	select {
	case <-goOn:
	case <-time.After(time.Minute): // the script has failed
	}
}

func (x *fixture) fault(r *http.Request, _ int) emutest.Fault {
	x.mu.Lock()
	var hit *fault
	for _, f := range x.faults {
		if f.method != "*" && f.method != r.Method || !strings.Contains(r.URL.Path+" "+r.PostForm.Get("FriendlyName")+" "+r.PostForm.Get("Address"), f.text) {
			continue
		}
		if f.matched++; hit == nil && f.from <= f.matched && f.matched <= f.to {
			hit = f
		}
	}
	x.mu.Unlock()
	if hit == nil {
		return emutest.Fault{}
	}
	if hit.hold {
		x.wait()
	}
	return hit.what
}

func cmdAccount(ts *testscript.TestScript, neg bool, args []string) {
	x := fixtureOf(ts)
	if x.close != nil {
		x.close() // requests that are still under way in the account before this one
	}
	x.arrive, x.goOn = make(chan struct{}, 1000), make(chan struct{})
	opts := emulator.Options{AuthToken: testSecret}
	flags := flag.NewFlagSet("account", flag.ContinueOnError)
	flags.SetOutput(ts.Stderr())
	seed := flags.String("seed", "", "JSON file to start from")
	flags.StringVar(&opts.AccountSID, "sid", "", "the account")
	flags.BoolVar(&opts.Behaviour.Collisions, "collisions", false, "refuse two enabled flows of an identity")
	flags.BoolVar(&opts.Behaviour.CollideAcrossTypes, "any-type", false, "with -collisions: whatever their integration types")
	flags.BoolVar(&opts.Behaviour.EmptyDoesNotClear, "no-clear", false, "an identity cannot be cleared")
	flags.BoolVar(&opts.Behaviour.NumbersAsStrings, "strings", false, "numbers and bools come as strings")
	flags.BoolVar(&opts.Behaviour.ReplaceIntegration, "replace", false, "updates replace the integration")
	flags.BoolVar(&opts.Behaviour.UnorderedPages, "unordered", false, "pages have no order")
	flags.IntVar(&opts.MaxPageSize, "page", 0, "flows a page")
	flags.Float64Var(&opts.RateLimit, "rate", 0, "requests a second")
	ts.Check(flags.Parse(args))
	if neg || flags.NArg() > 0 {
		ts.Fatalf("usage: account [FLAG...]")
	}
	if *seed != "" {
		opts.Seed = []byte(ts.ReadFile(*seed))
	}
	server, err := emutest.New(opts, x.fault)
	ts.Check(err)
	x.server, x.seen, x.wrote, x.faults = server, 0, 0, nil
	web := httptest.NewUnstartedServer(server)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.Start()
	x.close = func() {
		cmdRelease(ts, false, nil)
		web.CloseClientConnections()
		web.Close()
	}
	ts.Defer(x.close)
	ts.Setenv("FLEXSYNC_BASE_URL", web.URL)
	ts.Setenv("TWILIO_ACCOUNT_SID", server.AccountSID())
	ts.Setenv("TWILIO_AUTH_TOKEN", testSecret)
}

func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	x := fixtureOf(ts)
	x.mu.Lock()
	defer x.mu.Unlock()
	if neg || len(args) < 3 {
		if !neg && len(args) == 1 && args[0] == "none" {
			x.faults = nil
			return
		}
		ts.Fatalf("usage: fault METHOD[:TEXT] WHICH KIND[=ARG]..., or fault none")
	}
	f, err := x.newFault(args)
	ts.Check(err)
	x.faults = append(x.faults, f)
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	select {
	case <-fixtureOf(ts).arrive:
	case <-time.After(30 * time.Second):
		ts.Fatalf("no request came that is to be held")
	}
}

func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	x := fixtureOf(ts)
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.goOn)
	x.goOn = make(chan struct{})
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: edit add FILE | set NAME KEY=VALUE... | delete NAME")
	}
	hits := 0
	named := func(flow map[string]any) bool {
		if flow["friendly_name"] != args[1] && flow["sid"] != args[1] {
			return false
		}
		hits++
		return true
	}
	ts.Check(fixtureOf(ts).server.Edit(func(flows []map[string]any) []map[string]any {
		switch args[0] {
		case "add":
			var flow map[string]any
			ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &flow))
			hits++
			return append(flows, flow)
		case "delete":
			return slices.DeleteFunc(flows, named)
		case "set":
			for _, flow := range flows {
				if !named(flow) {
					continue
				}
				for _, arg := range args[2:] {
					key, value, _ := strings.Cut(arg, "=")
					var v any
					if json.Unmarshal([]byte(value), &v) != nil {
						v = value
					}
					at := flow
					if inner, ok := strings.CutPrefix(key, "integration."); ok {
						at, key = flow["integration"].(map[string]any), inner
					}
					at[key] = v
				}
			}
		}
		return flows
	}))
	if hits == 0 {
		ts.Fatalf("the account has no flow %q", args[1])
	}
}

func cmdNames(ts *testscript.TestScript, neg bool, args []string) {
	var names []string
	for _, flow := range fixtureOf(ts).server.Flows() {
		names = append(names, fmt.Sprint(flow["friendly_name"]))
	}
	slices.Sort(names)
	if !slices.Equal(names, args) {
		ts.Fatalf("the account has %q, want %q", names, args)
	}
}

func cmdDump(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fixtureOf(ts).server.Snapshot(), 0o600))
}

func cmdAsked(ts *testscript.TestScript, neg bool, args []string) {
	x := fixtureOf(ts)
	requests := x.server.Requests()
	count := make(map[string]int)
	for _, r := range requests[x.seen:] {
		count[r.Method]++
	}
	x.seen = len(requests)
	if slices.Contains(args, "GET=*") { // what is read while the YAML turns out to be wrong
		delete(count, http.MethodGet)
		args = slices.DeleteFunc(args, func(arg string) bool { return arg == "GET=*" })
	}
	var have []string
	for _, method := range slices.Sorted(maps.Keys(count)) {
		have = append(have, fmt.Sprintf("%s=%d", method, count[method]))
	}
	slices.Sort(args)
	if !slices.Equal(have, args) {
		ts.Fatalf("asked %q, want %q", have, args)
	}
}

// cmdWrites compares the writes with "create NAME", "update SID NAME [off]" and
// "delete SID".
func cmdWrites(ts *testscript.TestScript, neg bool, args []string) {
	x := fixtureOf(ts)
	requests := x.server.Requests()
	var have []string
	for _, r := range requests[x.wrote:] {
		what := "create"
		sid, of := strings.CutPrefix(r.Path, "/v1/FlexFlows/")
		switch {
		case r.Method == http.MethodGet:
			continue
		case r.Method == http.MethodDelete:
			what = "delete " + sid
		case of:
			what = "update " + sid + " " + r.Form.Get("FriendlyName")
		default:
			what += " " + r.Form.Get("FriendlyName")
		}
		if r.Form.Get("Enabled") == "false" {
			what += " off"
		}
		have = append(have, what)
	}
	x.wrote = len(requests)
	if !slices.Equal(have, args) {
		ts.Fatalf("the writes were\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(args, "\n"))
	}
}
