package apply_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flexsync/apply"
	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/internal/flexapi"
	"flexsync/internal/glob"
	"flexsync/internal/render"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// world is an emulated account and a way to it that can be made to fail. It
// is used inside a synctest bubble, so waits cost nothing.
type world struct {
	t      *testing.T
	server *emutest.Server
	// fault decides what happens to a request; nil is nothing. Set it between
	// runs only.
	mu    sync.Mutex
	fault func(r *http.Request) emutest.Fault
	cut   bool // the network cable is pulled
	// late, if it returns more than zero, carries a request out that much
	// later, while the client is told at once that the connection broke.
	late func(r *http.Request) time.Duration

	underWay, most int // requests at once
	// noDelete plans with --no-delete, and only with --only.
	noDelete bool
	only     []glob.Glob
	kinds    []*schema.Kind // that the runs manage
}

func newWorld(t *testing.T, opts emulator.Options, flows ...map[string]any) *world {
	t.Helper()
	w := &world{t: t, kinds: []*schema.Kind{schema.Flows}}
	seed, err := json.Marshal(map[string]any{"flows": flows})
	if err != nil {
		t.Fatal(err)
	}
	opts.Seed = seed
	w.server, err = emutest.New(opts, func(r *http.Request, _ int) emutest.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fault == nil {
			return emutest.Fault{}
		}
		return w.fault(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) setFault(f func(r *http.Request) emutest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *world) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// once fails the first request that the condition holds for.
func (w *world) once(is func(r *http.Request) bool, f emutest.Fault) {
	w.times(1, is, f)
}

func (w *world) times(n int, is func(r *http.Request) bool, f emutest.Fault) {
	w.setFault(func(r *http.Request) emutest.Fault {
		if n > 0 && is(r) {
			n--
			return f
		}
		return emutest.Fault{}
	})
}

func isCreate(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/FlexFlows")
}
func isUpdate(r *http.Request) bool {
	return r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/FlexFlows")
}
func isDelete(r *http.Request) bool { return r.Method == http.MethodDelete }
func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/FlexFlows")
}
func isFetch(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasSuffix(r.URL.Path, "/FlexFlows")
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.underWay++
	w.most = max(w.most, w.underWay)
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.underWay--
	}()
	cut := w.cut
	var late time.Duration
	if w.late != nil {
		late = w.late(r)
	}
	w.mu.Unlock()
	if late > 0 && !cut {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), late+30*time.Second)
		later := r.Clone(ctx)
		later.Body = io.NopCloser(bytes.NewReader(body))
		time.AfterFunc(late, func() {
			defer cancel()
			if resp, err := w.server.Transport().RoundTrip(later); err == nil {
				resp.Body.Close()
			}
		})
		return nil, io.ErrUnexpectedEOF
	}
	if cut {
		return nil, errors.New("network is unreachable")
	}
	return w.server.Transport().RoundTrip(r)
}

// client is one process's.
func (w *world) client() *flexapi.Client {
	sid := w.server.AccountSID()
	c, err := flexapi.New(flexapi.Config{
		BaseURL: "http://localhost", Transport: w, Timeout: 5 * time.Second,
		Credentials: flexapi.Credentials{AccountSID: sid, Username: sid, Password: "x", Source: "test"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// all is a limit that lets everything be deleted.
func all() plan.Limit {
	l, err := plan.ParseLimit("100%")
	if err != nil {
		panic(err)
	}
	return l
}

func (w *world) plan(ctx context.Context, c *flexapi.Client, flows []schema.Declared) (*plan.Plan, *state.Snapshot, error) {
	snap, err := state.Read(ctx, c, w.kinds)
	if err != nil {
		return nil, nil, err
	}
	p, err := plan.Compute(ctx, plan.Input{
		Config: &schema.Config{Kinds: w.kinds, Resources: flows}, Snapshot: snap, MaxDeletes: all(), NoDelete: w.noDelete, Only: w.only,
		ExpectAccount: w.server.AccountSID(), FlexsyncVersion: "test", CreatedAt: time.Now(),
	})
	return p, snap, err
}

// apply is one whole run: plan and apply.
func (w *world) apply(ctx context.Context, flows []schema.Declared) (*apply.Report, *plan.Plan) {
	w.t.Helper()
	c := w.client()
	p, snap, err := w.plan(ctx, c, flows)
	if err != nil {
		w.t.Fatalf("plan: %v", err)
	}
	if len(p.Refusals) > 0 {
		w.t.Fatalf("refused: %v", p.Refusals)
	}
	r, err := apply.Run(ctx, c, p, snap, apply.Options{Parallelism: 4})
	if err != nil {
		w.t.Fatal(err)
	}
	return r, p
}

// must is a run that has to end with a status.
func (w *world) must(flows []schema.Declared, want apply.Status) *apply.Report {
	w.t.Helper()
	r, _ := w.apply(w.t.Context(), flows)
	if r.Status != want {
		w.t.Fatalf("status %s, want %s\n%s", r.Status, want, describe(r))
	}
	return r
}

func describe(r *apply.Report) string {
	if r == nil {
		return "no report"
	}
	var b strings.Builder
	for i := range r.Results {
		fmt.Fprintln(&b, render.Result(&r.Results[i], render.Style{}))
	}
	for i := range r.Mismatches {
		fmt.Fprintln(&b, render.Mismatch(&r.Mismatches[i], render.Style{}))
	}
	if r.ListErr != nil {
		fmt.Fprintln(&b, r.ListErr)
	}
	return b.String()
}

// flows is the account as it is, straight from the server.
func (w *world) flows() []state.Resource {
	w.t.Helper()
	var flows []state.Resource
	for _, m := range w.server.Flows() {
		raw, err := json.Marshal(m)
		if err != nil {
			w.t.Fatal(err)
		}
		f, err := state.Decode(schema.Flows, raw)
		if err != nil {
			w.t.Fatal(err)
		}
		flows = append(flows, f)
	}
	return flows
}

// differs says how the account is not as declared; "" when it is.
func (w *world) differs(want []schema.Declared) string {
	have := w.flows()
	var bad []string
	for _, d := range want {
		var found []state.Resource
		for _, f := range have {
			if f.ID() == d.ID() {
				found = append(found, f)
			}
		}
		switch {
		case len(found) != 1:
			bad = append(bad, fmt.Sprintf("%d flows named %q", len(found), d.ID()))
		case found[0].Object != d.Object:
			bad = append(bad, fmt.Sprintf("%q is\n%s, wanted\n%s", d.ID(), found[0], d.Object))
		}
	}
	for _, f := range have {
		if !slices.ContainsFunc(want, func(d schema.Declared) bool { return d.ID() == f.ID() }) {
			bad = append(bad, fmt.Sprintf("%q is there, and not declared", f.ID()))
		}
	}
	return strings.Join(bad, "\n")
}

func (w *world) mustEqual(want []schema.Declared) {
	w.t.Helper()
	if bad := w.differs(want); bad != "" {
		w.t.Fatal(bad)
	}
}

// asked counts the requests that a condition holds for.
func (w *world) asked(is func(r *http.Request) bool) int {
	n := 0
	for _, r := range w.server.Requests() {
		if is(&http.Request{Method: r.Method, URL: &url.URL{Path: r.Path}}) {
			n++
		}
	}
	return n
}

// committed counts the writes that changed the account.
func (w *world) committed(method string) int {
	n := 0
	for _, r := range w.server.Requests() {
		if r.Committed && r.Method == method {
			n++
		}
	}
	return n
}

// studio declares a flow.
// set stores a value of a flow by its path.
func set(o interface {
	Set(*schema.Field, schema.Value)
}, path string, v schema.Value) {
	o.Set(schema.Flows.Field(path), v)
}

func studio(name, identity string, edit ...func(*schema.Object)) schema.Declared {
	f := schema.Flows.Make(schema.Values{
		"friendly_name": name, "chat_service_sid": "IS00000000000000000000000000000001", "channel_type": "sms", "contact_identity": identity,
		"enabled": true, "integration_type": schema.Studio, "integration.flow_sid": "FW00000000000000000000000000000001", "integration.retry_count": int64(3),
	})
	for _, e := range edit {
		e(&f)
	}
	return schema.Declared{Object: f, Pos: yamldoc.Pos{File: "flows.yaml", Line: 1}}
}

func switchedOff(f *schema.Object) { set(f, "enabled", false) }

func toTask(f *schema.Object) {
	set(f, "integration_type", schema.Task)
	set(f, "integration.workspace_sid", "WS00000000000000000000000000000001")
	set(f, "integration.workflow_sid", "WW00000000000000000000000000000001")
	set(f, "integration.channel", "chat")
	set(f, "integration.timeout", int64(60))
	set(f, "integration.creation_on_message", false)
}

// inAccount is a declared flow as the account has it.
func inAccount(d schema.Declared, more ...string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(d.String()), &m); err != nil {
		panic(err)
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}
