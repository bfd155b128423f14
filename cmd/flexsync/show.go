package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"flexsync/internal/flexapi"
	"flexsync/internal/nearest"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

type showCmd struct {
	Which string `arg:"" name:"name|sid" help:"Name or SID of the flow or address. A name is matched exactly."`

	accountFlags
}

func (showCmd) Help() string {
	return `
A SID takes one request; a name lists the flows, and then the addresses unless a flow has it. The names of what the flow or address refers to are comments behind their SIDs.

Examples:

	flexsync show Support
	flexsync show +15551230000
	flexsync show FO0123456789abcdef0123456789abcdef > flow.yaml`
}

func (c *showCmd) Run(ctx context.Context, a *app) error {
	s, err := c.accountFlags.session(a, use{})
	if err != nil {
		return err
	}
	if k := schema.KindOf(c.Which); k != nil {
		err = s.fetch(ctx, k, c.Which)
	} else {
		err = s.find(ctx, c.Which)
	}
	if err != nil {
		return err
	}
	f := &s.snapshot.Resources[0]
	header := fmt.Sprintf("%s%s %s of account %s", strings.ToUpper(f.Kind.Name[:1]), f.Kind.Name[1:], f.SID, s.owner())
	if f.DateCreated != "" {
		header += ", created " + safetext.Line(f.DateCreated)
	}
	f.Object = *plan.MaskObject(nil, &f.Object)
	text, err := s.withNames(ctx, a, string(state.Restore(s.snapshot.Resources, header).Encode()))
	if err != nil {
		return err
	}
	_, err = a.stdout.Write([]byte(text))
	return written(err)
}

// fetch reads one resource into the snapshot.
func (s *session) fetch(ctx context.Context, k *schema.Kind, sid string) error {
	answer, err := s.client.Fetch(ctx, state.Collection(k), sid)
	var api *flexapi.Error
	if errors.As(err, &api) && api.Status == http.StatusNotFound {
		return inputError(fmt.Errorf("account %s has no %s %s", s.accountSID, k.Name, sid), fmt.Sprintf("`flexsync list%s` shows those that it has", map[bool]string{true: " --kind " + k.Plural}[k != schema.Flows]))
	}
	if err != nil {
		return err
	}
	f, err := state.Decode(k, answer.Body)
	if err != nil {
		return err
	}
	s.snapshot = &state.Snapshot{AccountSID: f.AccountSID, Resources: []state.Resource{f}}
	return s.owns("the "+k.Name+" belongs", f.AccountSID)
}

// find leaves the resource of this name in the snapshot: a flow, or else an address.
// The addresses are only listed when no flow has the name.
func (s *session) find(ctx context.Context, name string) error {
	var names []string
	for _, k := range schema.Kinds {
		err := s.list(ctx, []*schema.Kind{k})
		var api *flexapi.Error
		if k != schema.Flows && ctx.Err() == nil && errors.As(err, &api) {
			return inputError(fmt.Errorf("account %s has no flow named %s, and the addresses cannot be listed: %w", s.accountSID, safetext.Quote(name), err), hintOf(err))
		} else if err != nil {
			return err
		}
		var found []state.Resource
		var sids []string
		for _, r := range s.snapshot.Resources {
			names = append(names, r.ID())
			if r.ID() == name {
				found, sids = append(found, r), append(sids, r.SID)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			s.snapshot.Resources = found
			return nil
		}
		return inputError(fmt.Errorf("account %s has %d %s named %s", s.owner(), len(found), k.Plural, safetext.Quote(name)),
			"show one by its SID:\n"+strings.Join(sids, "\n"))
	}
	err := fmt.Errorf("account %s has no flow or address named %s", s.owner(), safetext.Quote(name))
	slices.Sort(names)
	near := nearest.Find(name, slices.Compact(names), 3)
	if len(near) == 0 {
		return inputError(err, "`flexsync list --kind all` shows those that it has; the SID of a flow is FO and 32 hex digits, that of an address is IG and 32 hex digits")
	}
	for i := range near {
		near[i] = safetext.Quote(near[i])
	}
	return inputError(fmt.Errorf("%w; did you mean %s?", err, alternatives(near)), "")
}

// referenceRE finds the SIDs of what a flow refers to in its YAML.
var referenceRE = regexp.MustCompile(`(?m)^ +(?:[a-z_]+_sid|channel): ((IS|FW|WS|WW|TC)[0-9a-fA-F]{32})$`)

// productOf says which product knows a SID.
var productOf = map[string]flexapi.Product{
	"IS": flexapi.Conversations, "FW": flexapi.Studio, "WS": flexapi.TaskRouter, "WW": flexapi.TaskRouter, "TC": flexapi.TaskRouter,
}

// withNames writes behind the SIDs in a flow's YAML what they are the names of. A
// product that does not answer costs its names and no more.
func (s *session) withNames(ctx context.Context, a *app, text string) (string, error) {
	type asked struct {
		session // has the answer
		wanted  state.Wanted
		err     error
	}
	references := referenceRE.FindAllStringSubmatch(text, -1)
	var workspace state.Workspace
	for _, m := range references {
		if m[2] == "WS" {
			workspace.SID = m[1]
		}
	}
	products := make(map[flexapi.Product]*asked)
	for _, m := range references {
		p := productOf[m[2]]
		if products[p] == nil {
			products[p] = &asked{session: session{accountSID: s.accountSID, client: s.client}}
		}
		products[p].wanted.Add(m[2], workspace, "to show their names")
	}
	var wait sync.WaitGroup
	for _, p := range products {
		wait.Go(func() { p.err = p.lookup(ctx, p.wanted) })
	}
	wait.Wait()
	for _, name := range slices.Sorted(maps.Keys(products)) {
		var api *flexapi.Error
		switch err := products[name].err; {
		case err == nil:
		case ctx.Err() == nil && errors.As(err, &api):
			a.say("names are left out: %s", lines(err.Error(), "    "))
			a.hint(hintOf(err))
		default:
			return "", err
		}
	}
	return referenceRE.ReplaceAllStringFunc(text, func(line string) string {
		m := referenceRE.FindStringSubmatch(line)
		p := products[productOf[m[2]]]
		switch n, ok := p.directory.Lookup(m[1]); {
		case p.err != nil:
			return line
		case !ok:
			return line + "  # not in the account"
		case n.Name == "":
			return line
		default:
			return line + "  # " + safetext.Line(n.Name)
		}
	}), nil
}
