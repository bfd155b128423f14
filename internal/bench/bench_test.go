package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"flexsync/internal/flexapi"
	"flexsync/internal/render"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// The stages of a plan of as many flows as an account may have, each alone.

const flows = 2_500

func load(b *testing.B) *schema.Config {
	text, err := yamlOf(flows)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	config, err := schema.Load([]string{"-"}, schema.Options{Stdin: bytes.NewReader(text)})
	if err != nil {
		b.Fatal(err)
	}
	return config
}

func read(b *testing.B, l listing) *state.Snapshot {
	snap, err := state.Read(b.Context(), l, []*schema.Kind{schema.Flows})
	if err != nil {
		b.Fatal(err)
	}
	return snap
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}

func BenchmarkDecode(b *testing.B) {
	l, err := listingOf(flows)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		read(b, l)
	}
}

func BenchmarkCompute(b *testing.B) {
	l, err := listingOf(flows)
	if err != nil {
		b.Fatal(err)
	}
	in := plan.Input{Config: load(b), Snapshot: read(b, l)}
	b.ReportAllocs()
	for b.Loop() {
		p, err := plan.Compute(b.Context(), in)
		if err != nil || p.Summary.Unchanged != flows {
			b.Fatal(p, err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	p, err := newPlan(flows)
	if err != nil {
		b.Fatal(err)
	}
	for _, format := range []string{"text", "json", "markdown"} {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := show(p, format); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

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
	err := writeYAML(&b, n)
	return b.Bytes(), err
}

// listing serves an account's flows in pages of a thousand.
type listing [][]any

func listingOf(n int) (listing, error) {
	var b bytes.Buffer
	if err := writeAccount(&b, n, unchanged); err != nil {
		return nil, err
	}
	var doc struct {
		Flows []any `json:"flows"`
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

// List implements state.Lister.
func (l listing) List(_ context.Context, _ flexapi.Collection, visit func([]any) error) error {
	for _, page := range l {
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

func show(p *plan.Plan, format string) error {
	switch format {
	case "text":
		return render.Plan(io.Discard, p, render.PlanOptions{})
	case "json":
		return p.WriteJSON(io.Discard, "")
	case "markdown":
		return render.PlanMarkdown(io.Discard, p, render.MarkdownOptions{MaxBytes: 65_000})
	}
	return fmt.Errorf("there is no format %q", format)
}
