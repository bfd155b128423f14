package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"flexsync/internal/emulator"
	"flexsync/internal/emulator/emutest"
	"flexsync/internal/flexapi"
	"flexsync/state"
)

const (
	accountA = "AC0000000000000000000000000000000a"
	accountB = "AC0000000000000000000000000000000b"
)

// testSID is a SID with a prefix.
func testSID(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

// catalog answers listings from pages of JSON, by path. It notes the paths.
type catalog struct {
	pages map[string][]string // items of each page; a path that is not there is 404
	// meet, unless nil, is entered by every listing and left when all have come.
	meet *sync.WaitGroup

	mu    sync.Mutex
	asked []string
}

func (c *catalog) List(ctx context.Context, of flexapi.Collection, visit func([]any) error) error {
	path := of.Path
	c.mu.Lock()
	c.asked = append(c.asked, path)
	c.mu.Unlock()
	if c.meet != nil {
		c.meet.Done()
		c.meet.Wait()
	}
	pages, ok := c.pages[path]
	if !ok {
		return &flexapi.Error{Method: http.MethodGet, Path: path, Status: http.StatusNotFound}
	}
	for _, page := range pages {
		var items []any
		if err := json.Unmarshal([]byte(page), &items); err != nil {
			return err
		}
		if err := visit(items); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func item(prefix string, n int, name string) string {
	return fmt.Sprintf(`{"sid": %q, "account_sid": %q, "friendly_name": %q, "unique_name": %q}`, testSID(prefix, n), accountA, name, name)
}

func workspacePath(n int, what string) string {
	return "/v1/Workspaces/" + testSID("WS", n) + "/" + what
}

func TestLookupNothing(t *testing.T) {
	var c catalog
	dir, err := state.Lookup(t.Context(), &c, state.Wanted{})
	if err != nil || len(c.asked) > 0 {
		t.Errorf("looking up nothing: %v, asked for %v", err, c.asked)
	}
	if len(dir.Owners()) > 0 || len(dir.Find("IS", "", "")) > 0 {
		t.Error("the directory is not empty")
	}
}

func TestLookup(t *testing.T) {
	c := catalog{pages: map[string][]string{
		"/v1/Services":                   {"[" + item("IS", 1, "Chat") + "," + item("IS", 2, "Twice") + "]", "[" + item("IS", 3, "Twice") + "]", "[]"},
		"/v1/Workspaces":                 {"[" + item("WS", 1, "Flex") + "," + item("WS", 2, "Other") + "," + item("WS", 3, "Twice") + "," + item("WS", 4, "Twice") + "]"},
		workspacePath(1, "Workflows"):    {"[" + item("WW", 1, "Anyone") + "]"},
		workspacePath(2, "Workflows"):    {"[" + item("WW", 2, "Anyone") + "]"},
		workspacePath(1, "TaskChannels"): {"[" + item("TC", 1, "sms") + "]"},
	}}
	var w state.Wanted
	w.Add("IS", state.Workspace{}, "for a")
	w.Add("IS", state.Workspace{}, "for b")
	w.Add("WW", state.Workspace{Name: "Flex"}, "for c")
	w.Add("WW", state.Workspace{SID: testSID("WS", 1)}, "for d") // the same one
	w.Add("WW", state.Workspace{SID: testSID("WS", 2)}, "for e")
	w.Add("WW", state.Workspace{SID: testSID("WS", 9)}, "for f") // not listed: not asked for
	w.Add("WW", state.Workspace{Name: "Twice"}, "for g")         // which one?
	w.Add("WW", state.Workspace{Name: "None"}, "for h")
	w.Add("TC", state.Workspace{Name: "Flex"}, "for i")
	dir, err := state.Lookup(t.Context(), &c, w)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/v1/Services", "/v1/Workspaces", workspacePath(1, "TaskChannels"), workspacePath(1, "Workflows"), workspacePath(2, "Workflows")}
	slices.Sort(c.asked)
	if !slices.Equal(c.asked, want) {
		t.Errorf("asked for\n%v, want\n%v", c.asked, want)
	}
	for _, test := range []struct {
		prefix, parent, name string
		want                 int
	}{
		{"IS", "", "Chat", 1}, {"IS", "", "chat", 0}, {"IS", "", "Twice", 2}, {"WS", "", "Chat", 0},
		{"WW", testSID("WS", 1), "Anyone", 1}, {"WW", strings.ToUpper(testSID("WS", 2)), "Anyone", 1}, {"WW", "", "Anyone", 0},
		{"TC", testSID("WS", 1), "sms", 1}, {"TC", testSID("WS", 2), "sms", 0},
	} {
		if n := len(dir.Find(test.prefix, test.parent, test.name)); n != test.want {
			t.Errorf("%s %q in %q: %d, want %d", test.prefix, test.name, test.parent, n, test.want)
		}
	}
	if n, ok := dir.Lookup(testSID("WW", 2)); !ok || n.Name != "Anyone" || n.Parent != testSID("WS", 2) {
		t.Errorf("workflow 2 is %+v", n)
	}
	owners := []state.Owner{{accountA, "chat service"}, {accountA, "task channel"}, {accountA, "workflow"}, {accountA, "workspace"}}
	if !slices.Equal(dir.Owners(), owners) || !dir.Lacks(testSID("WS", 9)) || dir.Lacks(testSID("WS", 1)) {
		t.Errorf("owners %v, lacks workspace 9: %t, 1: %t", dir.Owners(), dir.Lacks(testSID("WS", 9)), dir.Lacks(testSID("WS", 1)))
	}
	if names := dir.NamesOf("WS", ""); !slices.Equal(names, []string{"Flex", "Other", "Twice"}) {
		t.Errorf("workspaces %q", names)
	}
}

// TestLookupWorkspaceBySID shows that a workspace given by its SID is not
// looked for, and that its absence is an answer.
func TestLookupWorkspaceBySID(t *testing.T) {
	c := catalog{pages: map[string][]string{workspacePath(1, "Workflows"): {"[" + item("WW", 1, "Anyone") + "]"}}}
	var w state.Wanted
	w.Add("WW", state.Workspace{SID: testSID("WS", 1), Name: "not used"}, "")
	w.Add("WW", state.Workspace{SID: testSID("WS", 2)}, "")
	dir, err := state.Lookup(t.Context(), &c, w)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.asked) != 2 || slices.Contains(c.asked, "/v1/Workspaces") {
		t.Errorf("asked for %v", c.asked)
	}
	if !dir.Lacks(testSID("WS", 2)) || len(dir.Find("WW", testSID("WS", 1), "Anyone")) != 1 {
		t.Error("workspace 2 is there, or the workflow in workspace 1 is not")
	}
}

// TestLookupAtOnce holds every listing until all have come.
func TestLookupAtOnce(t *testing.T) {
	c := catalog{meet: &sync.WaitGroup{}, pages: map[string][]string{
		"/v1/Services": {"[]"}, "/v2/Flows": {"[]"}, workspacePath(1, "Workflows"): {"[]"}, workspacePath(2, "Workflows"): {"[]"},
	}}
	c.meet.Add(len(c.pages))
	var w state.Wanted
	w.Add("IS", state.Workspace{}, "")
	w.Add("FW", state.Workspace{}, "")
	w.Add("WW", state.Workspace{SID: testSID("WS", 1)}, "")
	w.Add("WW", state.Workspace{SID: testSID("WS", 2)}, "")
	if _, err := state.Lookup(t.Context(), &c, w); err != nil {
		t.Fatal(err)
	}
}

func TestLookupErrors(t *testing.T) {
	for name, test := range map[string]struct {
		pages map[string][]string
		want  string
	}{
		"twice":         {map[string][]string{"/v1/Services": {"[" + item("IS", 1, "a") + "]", "[" + item("IS", 1, "a") + "]"}}, "the listing has chat service " + testSID("IS", 1) + " twice"},
		"no object":     {map[string][]string{"/v1/Services": {`[1]`}}, "chat service 1 of the listing: not a JSON object"},
		"null":          {map[string][]string{"/v1/Services": {`[null]`}}, "not a JSON object"},
		"no SID":        {map[string][]string{"/v1/Services": {`[{"friendly_name": "a"}]`}}, `sid: "" is not the SID of a chat service`},
		"other type":    {map[string][]string{"/v1/Services": {"[" + item("FW", 1, "a") + "]"}}, "is not the SID of a chat service"},
		"odd name":      {map[string][]string{"/v1/Services": {fmt.Sprintf(`[{"sid": %q, "friendly_name": 7}]`, testSID("IS", 1))}}, "friendly_name: expected a string, found 7"},
		"other account": {map[string][]string{"/v1/Services": {"[" + item("IS", 1, "a") + "," + strings.ReplaceAll(item("IS", 2, "b"), accountA, accountB) + "]"}}, "mixes accounts"},
		"no product":    {map[string][]string{}, "list chat services for the name at flows.yaml:1:2: GET /v1/Services: HTTP 404"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.pages["/v2/Flows"] == nil && len(test.pages) > 0 {
				test.pages["/v2/Flows"] = []string{"[]"}
			}
			var w state.Wanted
			w.Add("IS", state.Workspace{}, "for the name at flows.yaml:1:2")
			if len(test.pages) > 0 {
				w.Add("FW", state.Workspace{}, "for the name at flows.yaml:3:4")
			}
			_, err := state.Lookup(t.Context(), &catalog{pages: test.pages}, w)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestLookupOwners: whose the listings are is for the plan to judge.
func TestLookupOwners(t *testing.T) {
	c := catalog{pages: map[string][]string{
		"/v1/Services": {"[" + item("IS", 1, "a") + "]"},
		"/v2/Flows":    {"[" + strings.ReplaceAll(item("FW", 2, "b"), accountA, accountB) + "]"},
	}}
	var w state.Wanted
	w.Add("IS", state.Workspace{}, "")
	w.Add("FW", state.Workspace{}, "")
	dir, err := state.Lookup(t.Context(), &c, w)
	if err != nil {
		t.Fatal(err)
	}
	if want := []state.Owner{{accountA, "chat service"}, {accountB, "Studio flow"}}; !slices.Equal(dir.Owners(), want) {
		t.Errorf("owners %v, want %v", dir.Owners(), want)
	}
}

// TestExtend lists what a directory lacks, and nothing again.
func TestExtend(t *testing.T) {
	c := catalog{pages: map[string][]string{
		"/v1/Workspaces":               {"[" + item("WS", 10, "Flex") + "," + item("WS", 11, "Other") + "]"},
		workspacePath(10, "Workflows"): {"[" + item("WW", 1, "Anyone") + "]"},
		workspacePath(11, "Workflows"): {"[" + item("WW", 2, "Anyone") + "]"},
	}}
	var w, more state.Wanted
	w.Add("WW", state.Workspace{Name: "Flex"}, "")
	dir, err := state.Lookup(t.Context(), &c, w)
	if err != nil {
		t.Fatal(err)
	}
	c.asked = nil
	more.Add("WS", state.Workspace{}, "")
	more.Add("WW", state.Workspace{SID: strings.ToUpper(testSID("WS", 10))}, "")
	more.Add("WW", state.Workspace{SID: testSID("WS", 11)}, "")
	more.Add("WW", state.Workspace{SID: testSID("WS", 12)}, "") // the workspaces are known
	if err := dir.Extend(t.Context(), &c, more); err != nil {
		t.Fatal(err)
	}
	if want := []string{workspacePath(11, "Workflows")}; !slices.Equal(c.asked, want) {
		t.Errorf("asked for %v, want %v", c.asked, want)
	}
	if len(dir.Find("WW", testSID("WS", 10), "Anyone")) != 1 || len(dir.Find("WW", testSID("WS", 11), "Anyone")) != 1 || !dir.Lacks(testSID("WS", 12)) {
		t.Error("the directory is not as it should be")
	}
}

func TestLookupMisplacedWorkflow(t *testing.T) {
	c := catalog{pages: map[string][]string{workspacePath(1, "Workflows"): {
		fmt.Sprintf(`[{"sid": %q, "friendly_name": "a", "workspace_sid": %q}]`, testSID("WW", 1), testSID("WS", 2))}}}
	var w state.Wanted
	w.Add("WW", state.Workspace{SID: testSID("WS", 1)}, "")
	if _, err := state.Lookup(t.Context(), &c, w); err == nil || !strings.Contains(err.Error(), "belongs to workspace "+testSID("WS", 2)) {
		t.Errorf("error %v", err)
	}
}

// TestLookupPages reads listings of several pages through the real client: the
// largest page of Conversations is smaller than that of the others.
func TestLookupPages(t *testing.T) {
	seed := map[string][]map[string]any{}
	for i := range 250 {
		name := fmt.Sprintf("Number %d", i)
		seed["services"] = append(seed["services"], map[string]any{"friendly_name": name})
		seed["studio_flows"] = append(seed["studio_flows"], map[string]any{"friendly_name": name, "status": "draft"})
	}
	text, err := json.Marshal(seed)
	if err != nil {
		t.Fatal(err)
	}
	server, err := emutest.New(emulator.Options{Seed: text}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := flexapi.New(flexapi.Config{
		BaseURL: "http://localhost", Transport: server.Transport(),
		Credentials: flexapi.Credentials{Username: server.AccountSID(), Password: "any"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var w state.Wanted
	w.Add("IS", state.Workspace{}, "")
	w.Add("FW", state.Workspace{}, "")
	dir, err := state.Lookup(t.Context(), client, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"IS", "FW"} {
		if n := len(dir.NamesOf(prefix, "")); n != 250 {
			t.Errorf("%d of type %s, want 250", n, prefix)
		}
	}
	asked := map[string]int{}
	for _, r := range server.Requests() {
		asked[r.Path]++
	}
	if asked["/v1/Services"] != 3 || asked["/v2/Flows"] != 1 || len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	if found := dir.Find("FW", "", "Number 7"); len(found) != 1 || found[0].Status != "draft" {
		t.Errorf("found %+v", found)
	}
}

func TestLookupCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var w state.Wanted
	w.Add("IS", state.Workspace{}, "")
	if _, err := state.Lookup(ctx, &catalog{pages: map[string][]string{"/v1/Services": {"[]"}}}, w); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
