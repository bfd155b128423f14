package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"flexsync/internal/render"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// newPlan is the plan of n flows that an empty account does not have.
func newPlan(n int) (*plan.Plan, error) {
	text, err := yamlOf(n)
	if err != nil {
		return nil, err
	}
	config, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
	if err != nil {
		return nil, err
	}
	return plan.Compute(context.Background(), plan.Input{Config: config, Snapshot: &state.Snapshot{AccountSID: accountSID}, ExpectAccount: accountSID, CreatedAt: time.Now()})
}

func yamlOf(n int) ([]byte, error) {
	var b bytes.Buffer
	err := writeYAML(&b, 0, n)
	return b.Bytes(), err
}

// listing serves an account's flows in pages of a thousand.
type listing [][]json.RawMessage

func listingOf(n int) (listing, error) {
	var b bytes.Buffer
	if err := writeAccount(&b, n, unchanged); err != nil {
		return nil, err
	}
	var doc struct {
		Flows []json.RawMessage `json:"flows"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		return nil, err
	}
	var l listing
	for rest := doc.Flows; len(rest) > 0; {
		size := min(1000, len(rest))
		l, rest = append(l, rest[:size]), rest[size:]
	}
	return l, nil
}

// ListFlows implements state.Lister.
func (l listing) ListFlows(_ context.Context, visit func([]json.RawMessage) error) error {
	for _, page := range l {
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

// view is a process of its own that makes a plan and shows it: what showing
// takes is the difference to format none.
func view(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("view FORMAT FLOWS")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	p, err := newPlan(n)
	if err != nil {
		return err
	}
	return show(p, args[0])
}

func show(p *plan.Plan, format string) error {
	switch format {
	case "none":
		return nil
	case "text":
		return render.Plan(io.Discard, p, render.Style{})
	case "json":
		return p.WriteJSON(io.Discard, "")
	case "markdown":
		return render.PlanMarkdown(io.Discard, p, 65_000)
	}
	return fmt.Errorf("there is no format %q", format)
}
