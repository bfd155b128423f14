package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"flexsync/internal/flexapi"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
	"flexsync/state"

	"github.com/google/go-cmp/cmp"
)

// named gives a field of a flow by name, as line 20 of the file says.
func named(path, name string) edit {
	return func(d *schema.Declared) {
		f := schema.Flows.Field(path)
		d.Set(f, nil)
		d.Names = append(d.Names, schema.NameRef{Field: f, Name: name, Pos: yamldoc.Pos{File: "flows.yaml", Line: 20, Column: 7}})
	}
}

// listings is what an account has of the other products: by path, items as
// SID=name. It notes what it is asked for.
type listings struct {
	items   map[string][]string
	foreign string // the path whose items are of account 8

	mu    sync.Mutex
	asked []string
}

func (l *listings) List(_ context.Context, of flexapi.Collection, visit func([]any) error) error {
	path := of.Path
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, path)
	list, ok := l.items[path]
	if !ok {
		return &flexapi.Error{Method: http.MethodGet, Path: path, Status: http.StatusNotFound}
	}
	owner := sid("AC", 1)
	if path == l.foreign {
		owner = sid("AC", 8)
	}
	var page []any
	for _, item := range list {
		id, name, _ := strings.Cut(item, "=")
		status := "published"
		if n, draft := strings.CutSuffix(name, " DRAFT"); draft {
			name, status = n, "draft"
		}
		page = append(page, map[string]any{"sid": id, "account_sid": owner, "friendly_name": name, "unique_name": name, "status": status})
	}
	return visit(page)
}

// ourListings is an account that has, among others, what the flows of declare
// refer to.
func ourListings() *listings {
	return &listings{items: map[string][]string{
		"/v1/Services":   {sid("IS", 1) + "=Flex Chat Service", sid("IS", 2) + "=Twice", sid("IS", 3) + "=Twice"},
		"/v2/Flows":      {sid("FW", 1) + "=Messaging IVR", sid("FW", 2) + "=Old IVR", sid("FW", 3) + "=Next IVR DRAFT"},
		"/v1/Workspaces": {sid("WS", 1) + "=Flex", sid("WS", 2) + "=Back Office"},
		"/v1/Workspaces/" + sid("WS", 1) + "/Workflows":    {sid("WW", 1) + "=Anyone", sid("WW", 2) + "=Members"},
		"/v1/Workspaces/" + sid("WS", 2) + "/Workflows":    {sid("WW", 3) + "=Anyone"},
		"/v1/Workspaces/" + sid("WS", 1) + "/TaskChannels": {sid("TC", 1) + "=default", sid("TC", 2) + "=sms"},
		"/v1/Workspaces/" + sid("WS", 2) + "/TaskChannels": {},
	}}
}

// lookUp plans as the program does.
func lookUp(t *testing.T, in Input, l *listings) (*Plan, error) {
	t.Helper()
	in.CreatedAt, in.MaxDeletes = someTime, anyDeletes
	if in.Snapshot == nil {
		in.Snapshot = account()
	}
	in.Directory = &state.Directory{}
	for _, w := range []state.Wanted{References(in), LateReferences(in)} {
		if err := in.Directory.Extend(t.Context(), l, w); err != nil {
			t.Fatal(err)
		}
	}
	return Compute(t.Context(), in)
}

func TestResolve(t *testing.T) {
	p, err := lookUp(t, Input{Config: config(
		declare("A", named("chat_service_sid", "Flex Chat Service"), named("integration.flow_sid", "Messaging IVR")),
		// The workspace comes from defaults, behind the workflow.
		declare("B", task, named("integration.workflow_sid", "Anyone"), named("integration.workspace_sid", "Back Office")),
		declare("C", task, named("integration.workflow_sid", "Members")),
	)}, ourListings())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []schema.Values{
		{"chat_service_sid": sid("IS", 1), "integration.flow_sid": sid("FW", 1)},
		{"chat_service_sid": sid("IS", 1), "integration.workspace_sid": sid("WS", 2), "integration.workflow_sid": sid("WW", 3)},
		{"chat_service_sid": sid("IS", 1), "integration.workspace_sid": sid("WS", 1), "integration.workflow_sid": sid("WW", 2)},
	} {
		have := p.Changes[i].After
		for _, path := range []string{"chat_service_sid", "integration.flow_sid", "integration.workspace_sid", "integration.workflow_sid"} {
			if got := have.Get(schema.Flows.Field(path)); got != want[path] {
				t.Errorf("flow %s: %s is %v, want %v", have.ID(), path, got, want[path])
			}
		}
	}
	if want := map[string]string{
		sid("IS", 1): "Flex Chat Service", sid("FW", 1): "Messaging IVR", sid("WS", 1): "Flex", sid("WS", 2): "Back Office", sid("WW", 3): "Anyone", sid("WW", 2): "Members",
	}; !reflect.DeepEqual(p.Names, want) {
		t.Errorf("names %v, want %v", p.Names, want)
	}
}

// TestResolveProblems is the errors about names: each at its position, with
// what helps to correct it.
func TestResolveProblems(t *testing.T) {
	for name, test := range map[string]struct {
		flow edit
		want string
		hint string
	}{
		"none":         {named("chat_service_sid", "Flex Chat Servise"), `chat_service: flow "A": the account has no chat service named "Flex Chat Servise"`, `did you mean "Flex Chat Service"?`},
		"case":         {named("integration.flow_sid", "messaging ivr"), `integration.studio_flow: flow "A": the account has no Studio flow named "messaging ivr"`, `names are case-sensitive: there is "Messaging IVR"`},
		"nothing near": {named("integration.flow_sid", "Zebra crossing"), "no Studio flow named", `there is "Messaging IVR", "Next IVR", "Old IVR"`},
		"several":      {named("chat_service_sid", "Twice"), `the account has 2 chat services named "Twice": ` + sid("IS", 2) + ", " + sid("IS", 3), "set chat_service_sid to the SID"},
		"workflow":     {func(d *schema.Declared) { task(d); named("integration.workflow_sid", "anyone")(d) }, `workspace ` + sid("WS", 1) + ` has no workflow named "anyone"`, `there is "Anyone"`},
		"elsewhere": {func(d *schema.Declared) {
			task(d)
			named("integration.workspace_sid", "Back Office")(d)
			named("integration.workflow_sid", "Members")(d)
		}, `workspace ` + sid("WS", 2) + ` ("Back Office") has no workflow named "Members"`, `there is "Anyone"`},
		"no workspace": {func(d *schema.Declared) {
			task(d)
			set(d, "integration.workspace_sid", sid("WS", 9))
			named("integration.workflow_sid", "Anyone")(d)
		}, `the account has no workspace ` + sid("WS", 9), "correct integration.workspace_sid"},
		"no such one": {func(d *schema.Declared) {
			task(d)
			named("integration.workspace_sid", "None")(d)
			named("integration.workflow_sid", "Anyone")(d)
		}, `integration.workspace: flow "A": the account has no workspace named "None"`, `"Back Office"`},
		"hostile":         {named("chat_service_sid", "x\x1b[2J"), `named "x\x1b[2J"`, ""},
		"SID is no name":  {named("integration.flow_sid", sid("IS", 1)), "no Studio flow named", ""},
		"parent is no WW": {named("integration.flow_sid", "Anyone"), "no Studio flow named", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lookUp(t, Input{Config: config(declare("A", test.flow))}, ourListings())
			var problems yamldoc.Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("error %v, want one problem", err)
			}
			contains(t, problems[0].String(), "flows.yaml:20:7: ", test.want)
			contains(t, problems[0].Hint, test.hint)
		})
	}
}

// TestResolveProblemsOnce shows that a name in defaults is one problem, and
// that problems are sorted.
func TestResolveProblemsOnce(t *testing.T) {
	early := declare("Z", named("chat_service_sid", "No"))
	early.Names[0].Pos.Line = 3
	_, err := lookUp(t, Input{Config: config(
		declare("C", named("integration.flow_sid", "None")), declare("A", named("integration.flow_sid", "None")), declare("B", named("integration.flow_sid", "None")), early,
	)}, ourListings())
	var problems yamldoc.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("error %v, want two problems", err)
	}
	contains(t, problems[0].String(), "flows.yaml:3:7")
	contains(t, problems[1].String(), `flow "A" and 2 more: the account has no Studio flow named "None"`)
}

// TestResolveWhatIsLookedAt shows that names of flows outside the run are
// neither looked up nor missed.
func TestResolveWhatIsLookedAt(t *testing.T) {
	bad := named("chat_service_sid", "None")
	for name, in := range map[string]Input{
		"only":          {Config: config(declare("A"), declare("B", bad)), Only: globs("A")},
		"ignored":       {Config: config(declare("A"), declare("B", bad)), Ignore: globs("B")},
		"ignored by ID": {Config: config(declare("A"), declare("B", bad, pin(2))), Ignore: globs(sid("FO", 2))},
		"no names":      {Config: config(declare("A"), declare("B"))},
	} {
		t.Run(name, func(t *testing.T) {
			l := ourListings()
			if _, err := lookUp(t, in, l); err != nil || len(l.asked) > 0 {
				t.Errorf("error %v, asked for %v", err, l.asked)
			}
		})
	}
	// The counterpart's name brings a flow into the run.
	for name, in := range map[string]Input{
		"renamed": {Config: config(declare("New", old("Old"), bad)), Snapshot: account(have(1, "Old")), Only: globs("Old")},
		"pinned":  {Config: config(declare("New", pin(1), bad)), Snapshot: account(have(1, "Old")), Only: globs("Old")},
	} {
		t.Run(name, func(t *testing.T) {
			var problems yamldoc.Problems
			if _, err := lookUp(t, in, ourListings()); !errors.As(err, &problems) {
				t.Errorf("error %v, want a problem", err)
			}
		})
	}
}

func TestReferencesAsksForLittle(t *testing.T) {
	services, studio, workspaces := "/v1/Services", "/v2/Flows", "/v1/Workspaces"
	one := "/v1/Workspaces/" + sid("WS", 1)
	for name, test := range map[string]struct {
		flow  edit
		check bool
		want  []string
	}{
		"service":           {named("chat_service_sid", "Flex Chat Service"), false, []string{services}},
		"studio":            {named("integration.flow_sid", "Old IVR"), false, []string{studio}},
		"workspace":         {func(d *schema.Declared) { task(d); named("integration.workspace_sid", "Flex")(d) }, false, []string{workspaces}},
		"workflow of a SID": {func(d *schema.Declared) { task(d); named("integration.workflow_sid", "Anyone")(d) }, false, []string{one + "/Workflows"}},
		"workflow of a name": {func(d *schema.Declared) {
			task(d)
			named("integration.workspace_sid", "Flex")(d)
			named("integration.workflow_sid", "Anyone")(d)
		}, false, []string{workspaces, one + "/Workflows"}},
		"check studio":               {func(*schema.Declared) {}, true, []string{services, studio}},
		"check task":                 {task, true, []string{services, workspaces, one + "/Workflows"}},
		"check task and its channel": {func(d *schema.Declared) { task(d); set(d, "integration.channel", "sms") }, true, []string{services, workspaces, one + "/TaskChannels", one + "/Workflows"}},
		"check no integration":       {openIntegration, true, []string{services}},
	} {
		t.Run(name, func(t *testing.T) {
			l := ourListings()
			in := Input{Config: config(declare("A", test.flow), declare("B", test.flow)), CheckRefs: test.check}
			if _, err := lookUp(t, in, l); err != nil {
				t.Fatal(err)
			}
			if slices.Sort(l.asked); !slices.Equal(l.asked, test.want) {
				t.Errorf("asked for\n%q, want\n%q", l.asked, test.want)
			}
		})
	}
}

// TestResolveIgnored is ignore_changes over a name: it counts for a create
// only, and what is there may refer to anything.
func TestResolveIgnored(t *testing.T) {
	in := Input{Config: config(declare("A", named("integration.flow_sid", "Gone"), leave("integration.flow_sid")))}
	var problems yamldoc.Problems
	if _, err := lookUp(t, in, ourListings()); !errors.As(err, &problems) {
		t.Errorf("a create: error %v, want a problem", err)
	}
	other := func(d *schema.Declared) { set(d, "integration.flow_sid", sid("FW", 2)) }
	in.Snapshot = account(have(1, "A", other))
	p, err := lookUp(t, in, ourListings())
	if err != nil || p.HasChanges() {
		t.Errorf("a flow that is there: %v, %v", err, p)
	}
	in.Config = config(declare("A", named("integration.flow_sid", "Messaging IVR"), leave("integration.flow_sid"), retry(1)))
	if p, err = lookUp(t, in, ourListings()); err != nil || p.Changes[0].After.Get(schema.Flows.Field("integration.flow_sid")) != sid("FW", 2) {
		t.Errorf("an ignored name is written: %v", err)
	}
}

// TestResolveWorkspaceInEffect: a workflow is one of the workspace that the
// flow ends up in, which ignore_changes may leave to the account.
func TestResolveWorkspaceInEffect(t *testing.T) {
	in := func(workspace, workflow int) edit {
		return func(d *schema.Declared) {
			task(d)
			set(d, "integration.workspace_sid", sid("WS", workspace))
			set(d, "integration.workflow_sid", sid("WW", workflow))
		}
	}
	byName := func(workspace, workflow string) edit {
		return func(d *schema.Declared) {
			task(d)
			named("integration.workflow_sid", workflow)(d) // its own, before the one from defaults
			if workspace != "" {
				named("integration.workspace_sid", workspace)(d)
			}
		}
	}
	const ws, wf = "integration.workspace_sid", "integration.workflow_sid"
	for name, test := range map[string]struct {
		declared edit
		leave    []string
		have     edit // nil: the flow is created
		// What is written, or what the problem says, or nothing for no change.
		workspace, workflow int
		problem, hint       string
		asked               []string // inside of workspaces
	}{
		"nothing ignored": {declared: byName("Flex", "Anyone"), have: in(2, 3), workspace: 1, workflow: 1, asked: []string{"1 Workflows"}},
		"the account's workspace": {declared: byName("Flex", "Anyone"), leave: []string{ws}, have: in(2, 9),
			workspace: 2, workflow: 3, asked: []string{"2 Workflows"}},
		"the account's workspace, declared by SID": {declared: byName("", "Anyone"), leave: []string{ws}, have: in(2, 9),
			workspace: 2, workflow: 3, asked: []string{"2 Workflows"}},
		"no change": {declared: byName("Flex", "Anyone"), leave: []string{ws}, have: in(2, 3), asked: []string{"2 Workflows"}},
		"the declared name is of no workspace": {declared: byName("None", "Anyone"), leave: []string{ws}, have: in(2, 9),
			workspace: 2, workflow: 3, asked: []string{"2 Workflows"}},
		"no workflow in the account's workspace": {declared: byName("Flex", "Members"), leave: []string{ws}, have: in(2, 3),
			problem: "workspace " + sid("WS", 2) + ` has no workflow named "Members"`, hint: `there is "Anyone"`, asked: []string{"2 Workflows"}},
		"the account's workspace is gone": {declared: byName("Flex", "Anyone"), leave: []string{ws}, have: in(9, 9),
			problem: "the account has no workspace " + sid("WS", 9), hint: "ignore_changes", asked: []string{"9 Workflows"}},
		"the account's flow has no workspace": {declared: byName("Flex", "Anyone"), leave: []string{ws}, have: func(d *schema.Declared) {
			in(1, 1)(d)
			set(d, "integration.workspace_sid", "")
		}, problem: "in the account the flow has no workspace", hint: "ignore_changes"},
		"the flow is created": {declared: byName("Back Office", "Anyone"), leave: []string{ws}, workspace: 2, workflow: 3, asked: []string{"2 Workflows"}},
		"the flow is created, in no workspace": {declared: byName("None", "Anyone"), leave: []string{ws},
			problem: `no workspace named "None"`, hint: `"Back Office"`},
		"the account's flow is no task": {declared: byName("Back Office", "Anyone"), leave: []string{ws}, have: retry(1),
			workspace: 2, workflow: 3, asked: []string{"2 Workflows"}},
		"the workflow is ignored":  {declared: byName("Back Office", "None"), leave: []string{wf}, have: in(1, 2), workspace: 2, workflow: 2},
		"both are ignored":         {declared: byName("None", "None"), leave: []string{ws, wf}, have: in(1, 2)},
		"the integration":          {declared: byName("None", "None"), leave: []string{"integration"}, have: in(1, 2)},
		"the integration, created": {declared: byName("Flex", "Members"), leave: []string{"integration"}, workspace: 1, workflow: 2, asked: []string{"1 Workflows"}},
		"the type, another":        {declared: byName("None", "None"), leave: []string{"integration_type"}, have: retry(3)},
		"the type, the same": {declared: byName("Flex", "Members"), leave: []string{"integration_type"}, have: in(2, 3),
			workspace: 1, workflow: 2, asked: []string{"1 Workflows"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := ourListings()
			in := Input{Config: config(declare("A", test.declared, leave(test.leave...)))}
			if test.have != nil {
				in.Snapshot = account(have(1, "A", test.have))
			}
			p, err := lookUp(t, in, l)
			var problems yamldoc.Problems
			errors.As(err, &problems)
			switch {
			case test.problem != "":
				if len(problems) != 1 {
					t.Fatalf("error %v, plan %+v, want one problem", err, p)
				}
				contains(t, problems[0].String(), test.problem)
				contains(t, problems[0].Hint, test.hint)
			case err != nil:
				t.Fatal(err)
			case test.workflow == 0:
				if p.HasChanges() {
					t.Errorf("changes %+v", p.Changes[0].Fields)
				}
			case len(p.Changes) != 1:
				t.Errorf("changes %q", changes(p))
			default:
				after := p.Changes[0].After
				if after.Get(schema.Flows.Field("integration.workspace_sid")) != sid("WS", test.workspace) || after.Get(schema.Flows.Field("integration.workflow_sid")) != sid("WW", test.workflow) {
					t.Errorf("workspace %s, workflow %s", after.Get(schema.Flows.Field("integration.workspace_sid")), after.Get(schema.Flows.Field("integration.workflow_sid")))
				}
			}
			var asked []string
			for _, path := range l.asked {
				if rest, ok := strings.CutPrefix(path, "/v1/Workspaces/WS"); ok {
					asked = append(asked, strings.ReplaceAll(strings.TrimLeft(rest, "0"), "/", " "))
				}
			}
			if !slices.Equal(asked, test.asked) {
				t.Errorf("asked for %q, want %q", asked, test.asked)
			}
		})
	}
}

// One misspelt name in defaults is searched for once, and a search hears that
// the run is interrupted.
func TestResolveSearchesOnce(t *testing.T) {
	l := ourListings()
	l.items["/v2/Flows"] = nil
	for i := range 3000 {
		l.items["/v2/Flows"] = append(l.items["/v2/Flows"], fmt.Sprintf("%s=Studio flow of the number %d", sid("FW", i+1), i))
	}
	var flows []schema.Declared
	for i := range 2000 {
		flows = append(flows, declare(fmt.Sprint("F", i), named("integration.flow_sid", "Studio flow of the nunber")))
	}
	in := Input{Config: config(flows...), Snapshot: account()}
	dir, err := state.Lookup(t.Context(), l, References(in))
	if err != nil {
		t.Fatal(err)
	}
	r := resolver{dir: dir}
	for i := range in.Config.Resources {
		r.resolve(&in.Config.Resources[i], nil)
	}
	// A search allocates for each Studio flow that there is.
	if n := testing.AllocsPerRun(10, func() { r.resolve(&in.Config.Resources[7], nil) }); n > 100 {
		t.Errorf("a name that is known takes %v allocations", n)
	}
	if problems := r.problems(); len(problems) != 1 {
		t.Errorf("problems %v", problems)
	} else {
		contains(t, problems[0].String(), `flow "F0" and 2`)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in.Directory = dir
	if p, err := Compute(ctx, in); p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v, %v", p, err)
	}
}

// TestResolveWrongAccount shows that the account is what is said to be wrong,
// and not the names that it does not have.
func TestResolveWrongAccount(t *testing.T) {
	cfg := config(declare("A", named("chat_service_sid", "Of Ours")))
	cfg.AccountSID, cfg.AccountSIDPos = sid("AC", 7), yamldoc.Pos{File: "flows.yaml", Line: 2, Column: 14}
	p, err := lookUp(t, Input{Config: cfg, ExpectAccount: sid("AC", 1)}, ourListings())
	if err != nil || !slices.Equal(codes(p.Refusals), []string{RefuseWrongAccount}) || p.HasChanges() {
		t.Errorf("error %v, plan %+v", err, p)
	}
	// The account has no flow: what is looked up tells whose it is.
	cfg = config(declare("A", named("chat_service_sid", "Flex Chat Service")))
	p, err = lookUp(t, Input{Config: cfg, ExpectAccount: sid("AC", 7)}, ourListings())
	if err != nil || !slices.Equal(codes(p.Refusals), []string{RefuseWrongAccount}) {
		t.Errorf("error %v, plan %+v", err, p)
	}
	other := have(1, "A")
	other.AccountSID = sid("AC", 7)
	p, err = lookUp(t, Input{Config: cfg, Snapshot: account(other), ExpectAccount: sid("AC", 7)}, ourListings())
	if err != nil || !slices.Equal(codes(p.Refusals), []string{RefuseWrongAccount}) {
		t.Errorf("error %v, plan %+v", err, p)
	}
	// One of the listings is of another account than the flows and the others.
	for _, path := range []string{"/v1/Services", "/v2/Flows", "/v1/Workspaces", "/v1/Workspaces/" + sid("WS", 1) + "/Workflows"} {
		l := ourListings()
		l.foreign = path
		for _, snap := range []*state.Snapshot{account(), account(have(1, "A"))} {
			p, err = lookUp(t, Input{ExpectAccount: sid("AC", 1), Snapshot: snap, Config: config(
				declare("A", named("chat_service_sid", "Flex Chat Service"), named("integration.flow_sid", "Messaging IVR")),
				declare("B", task, named("integration.workspace_sid", "Flex"), named("integration.workflow_sid", "Anyone")),
			)}, l)
			if err != nil || !slices.Equal(codes(p.Refusals), []string{RefuseWrongAccount}) {
				t.Errorf("%s: error %v, plan %+v", path, err, p)
				continue
			}
			contains(t, p.Refusals[0].Message, sid("AC", 8))
		}
	}
}

// TestResolveRefused: a plan that is refused anyway is shown, with the names
// that the account does not have among its warnings.
func TestResolveRefused(t *testing.T) {
	bad := declare("A", named("chat_service_sid", "Flex Chat Servise"))
	for code, in := range map[string]Input{
		RefuseDuplicateRemote: {Config: config(bad, declare("B"), declare("C")), Snapshot: account(have(1, "B"), have(2, "B", retry(1)))},
		RefuseSIDAbsent:       {Config: config(bad, declare("B", pin(9)), declare("C"))},
	} {
		p, err := lookUp(t, in, ourListings())
		if err != nil || !slices.Equal(codes(p.Refusals), []string{code}) || !slices.Equal(codes(p.Warnings), []string{warnName}) {
			t.Errorf("%s: error %v, plan %+v", code, err, p)
			continue
		}
		if !slices.Equal(changes(p), []string{"create C"}) {
			t.Errorf("%s: changes %q", code, changes(p))
		}
		contains(t, p.Warnings[0].Message, `chat_service: flow "A": the account has no chat service named "Flex Chat Servise"`, "did you mean")
		if p.Warnings[0].Source.Line != 20 {
			t.Errorf("%s: at %v", code, p.Warnings[0].Source)
		}
	}
	// How much is deleted is for a plan that is whole.
	in := Input{Config: config(bad), Snapshot: account(have(1, "A"), have(2, "B"), have(3, "C")), CreatedAt: someTime}
	var problems yamldoc.Problems
	if p, err := Compute(t.Context(), in); p != nil || !errors.As(err, &problems) {
		t.Errorf("error %v, plan %+v", err, p)
	}
}

// TestNamesAreShown is the names beside the SIDs that a plan shows, also as it is
// saved; those of what is replaced or deleted, too.
func TestNamesAreShown(t *testing.T) {
	flow := func(n int) edit { return func(d *schema.Declared) { set(d, "integration.flow_sid", sid("FW", n)) } }
	p, err := lookUp(t, Input{
		Config:   config(declare("A", named("integration.flow_sid", "Messaging IVR"))),
		Snapshot: account(have(1, "A", flow(2)), have(2, "Gone", flow(3))),
	}, ourListings())
	if err != nil {
		t.Fatal(err)
	}
	data := asJSON(t, p)
	saved, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{sid("FW", 1): "Messaging IVR", sid("FW", 2): "Old IVR", sid("FW", 3): "Next IVR"}
	for name, p := range map[string]*Plan{"fresh": p, "saved": saved} {
		if diff := cmp.Diff(want, p.Names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	contains(t, string(data), fmt.Sprintf(`"names": {"%s":"Messaging IVR","%s":"Old IVR","%s":"Next IVR"}`, sid("FW", 1), sid("FW", 2), sid("FW", 3)))
}

func TestCheckRefs(t *testing.T) {
	flow := func(path, value string) edit {
		return func(d *schema.Declared) { set(d, path, value) }
	}
	inTask := func(edits ...edit) edit {
		return func(d *schema.Declared) {
			for _, e := range append([]edit{task}, edits...) {
				e(d)
			}
		}
	}
	for name, test := range map[string]struct {
		flow edit
		want []string // code and what the message says
	}{
		"all there":         {inTask(flow("integration.channel", "sms")), nil},
		"all there by SID":  {inTask(flow("integration.channel", sid("TC", 2))), nil},
		"service":           {flow("chat_service_sid", sid("IS", 9)), []string{"ref-missing", "chat_service_sid: the account has no chat service " + sid("IS", 9)}},
		"studio flow":       {flow("integration.flow_sid", sid("FW", 9)), []string{"ref-missing", "integration.flow_sid: the account has no Studio flow " + sid("FW", 9)}},
		"draft":             {flow("integration.flow_sid", sid("FW", 3)), []string{"ref-draft", `Studio flow ` + sid("FW", 3) + ` ("Next IVR") is a draft`}},
		"draft by name":     {named("integration.flow_sid", "Next IVR"), []string{"ref-draft", `is a draft`}},
		"workflow":          {inTask(flow("integration.workflow_sid", sid("WW", 9))), []string{"ref-missing", "workspace " + sid("WS", 1) + " has no workflow " + sid("WW", 9)}},
		"task channel":      {inTask(flow("integration.channel", "fax")), []string{"ref-missing", `has no task channel with the unique name "fax"`}},
		"task channel SID":  {inTask(flow("integration.channel", sid("TC", 9))), []string{"ref-missing", "has no task channel " + sid("TC", 9)}},
		"default":           {inTask(flow("integration.workspace_sid", sid("WS", 2)), flow("integration.workflow_sid", sid("WW", 3))), nil},
		"no workspace":      {inTask(flow("integration.workspace_sid", sid("WS", 9)), flow("integration.channel", "sms")), []string{"ref-missing", "so no workflow", "ref-missing", "the account has no workspace " + sid("WS", 9)}},
		"nothing specified": {openIntegration, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := lookUp(t, Input{Config: config(declare("B", test.flow), declare("A", test.flow)), CheckRefs: true}, ourListings())
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Warnings)*2 != len(test.want) {
				t.Fatalf("warnings %+v, want %q", p.Warnings, test.want)
			}
			for i, w := range p.Warnings {
				if w.Code != test.want[2*i] || w.Source == nil || w.Source.Line != 10 {
					t.Errorf("warning %+v, want %s at line 10", w, test.want[2*i])
				}
				contains(t, w.Message, `flow "A" and 1 more: `, test.want[2*i+1])
			}
		})
	}
	t.Run("elsewhere", func(t *testing.T) {
		p, err := lookUp(t, Input{CheckRefs: true, Config: config(
			declare("A", inTask(flow("integration.workflow_sid", sid("WW", 3)))),
			declare("B", inTask(flow("integration.workspace_sid", sid("WS", 2)), flow("integration.workflow_sid", sid("WW", 3)))),
		)}, ourListings())
		if err != nil || len(p.Warnings) != 1 {
			t.Fatalf("error %v, plan %+v", err, p)
		}
		contains(t, p.Warnings[0].Message, "it is in workspace "+sid("WS", 2))
	})
	t.Run("the workspace in effect", func(t *testing.T) {
		declared := inTask(flow("integration.workflow_sid", sid("WW", 3)), flow("integration.channel", "sms"))
		in := Input{Config: config(declare("A", declared, leave("integration.workspace_sid"))), CheckRefs: true}
		in.Snapshot = account(have(1, "A", inTask(flow("integration.workspace_sid", sid("WS", 2)))))
		l := ourListings()
		p, err := lookUp(t, in, l)
		if err != nil || len(p.Warnings) != 1 {
			t.Fatalf("error %v, plan %+v", err, p)
		}
		contains(t, p.Warnings[0].Message, "workspace "+sid("WS", 2)+" has no task channel")
		if slices.Contains(l.asked, "/v1/Workspaces/"+sid("WS", 1)+"/Workflows") {
			t.Errorf("asked for %q", l.asked)
		}
	})
	t.Run("left alone", func(t *testing.T) {
		in := Input{Config: config(declare("A", flow("integration.flow_sid", sid("FW", 9)), leave("integration.flow_sid"))), CheckRefs: true}
		in.Snapshot = account(have(1, "A"))
		if p, err := lookUp(t, in, ourListings()); err != nil || len(p.Warnings) > 0 {
			t.Errorf("error %v, plan %+v", err, p)
		}
	})
	t.Run("not asked to", func(t *testing.T) {
		if p, err := lookUp(t, Input{Config: config(declare("A", flow("integration.flow_sid", sid("FW", 9))))}, ourListings()); err != nil || len(p.Warnings) > 0 {
			t.Errorf("error %v, plan %+v", err, p)
		}
	})
}
