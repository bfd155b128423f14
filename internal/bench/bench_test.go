package main

import (
	"bytes"
	"testing"

	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

// The stages of a plan of 10,000 flows, each alone.

const flows = 10_000

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
	snap, err := state.Read(b.Context(), l)
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
