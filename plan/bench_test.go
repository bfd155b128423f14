package plan

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"flexsync/schema"
	"flexsync/state"
)

const many = 100_000

// crowd is as many declared flows and flows of an account.
func crowd(n int, declared func(i int) schema.Declared, has func(i int) state.Resource) Input {
	in := Input{Config: config(), Snapshot: &state.Snapshot{AccountSID: sid("AC", 1)}, MaxDeletes: anyDeletes, CreatedAt: someTime}
	for i := range n {
		if declared != nil {
			in.Config.Resources = append(in.Config.Resources, declared(i))
		}
		if has != nil {
			in.Snapshot.Resources = append(in.Snapshot.Resources, has(i))
		}
	}
	return in
}

func number(i int) (name, identity string) {
	return fmt.Sprintf("Flow %06d", i), fmt.Sprintf("+1555%07d", i)
}

func unchanged(n int) Input {
	return crowd(n,
		func(i int) schema.Declared { name, id := number(i); return declare(name, on(id)) },
		func(i int) state.Resource { name, id := number(i); return have(i, name, on(id)) })
}

// changed has as many updates, with creates and deletes among them.
func changed(n int) Input {
	return crowd(n,
		func(i int) schema.Declared {
			name, id := number(i)
			if i%4 == 1 {
				name = "New " + name
			}
			return declare(name, on(id), retry(1))
		},
		func(i int) state.Resource { name, id := number(i); return have(i, name, on(id)) })
}

// swapped is pairs of flows that exchange their identities.
func swapped(n int) Input {
	return crowd(2*n,
		func(i int) schema.Declared {
			name, _ := number(i)
			_, id := number(i ^ 1)
			return declare(name, on(id))
		},
		func(i int) state.Resource { name, id := number(i); return have(i, name, on(id)) })
}

// shifted is one chain: each flow takes the identity of the next.
func shifted(n int, ring bool) Input {
	return crowd(n,
		func(i int) schema.Declared {
			name, _ := number(i)
			next := i + 1
			if ring && next == n {
				next = 0
			}
			_, id := number(next)
			return declare(name, on(id))
		},
		func(i int) state.Resource { name, id := number(i); return have(i, name, on(id)) })
}

// renamed is every flow under an old name, with a copy.
func renamedCopies(n int) Input {
	in := crowd(n,
		func(i int) schema.Declared { name, _ := number(i); return declare("New "+name, old(name)) },
		func(i int) state.Resource { name, _ := number(i / 2); return have(i, name) })
	return in
}

var inputs = []struct {
	name string
	make func(n int) Input
}{
	{"unchanged", unchanged},
	{"changed", changed},
	{"swaps", func(n int) Input { return swapped(n / 2) }},
	{"chain", func(n int) Input { return shifted(n, false) }},
	{"ring", func(n int) Input { return shifted(n, true) }},
	{"copies", renamedCopies},
	{"one name", func(n int) Input { // the same flow over and over
		return crowd(n, nil, func(i int) state.Resource { return have(i, "A") })
	}},
	{"copies of one name", func(n int) Input {
		in := crowd(n, nil, func(i int) state.Resource { return have(i, "A") })
		in.Config.Resources = []schema.Declared{declare("A", retry(1))}
		return in
	}},
}

func BenchmarkCompute(b *testing.B) {
	for _, test := range inputs {
		in := test.make(many)
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compute(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDependencies(b *testing.B) {
	for _, test := range inputs {
		p := compute(b, test.make(many))
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				Dependencies(p.Changes)
			}
		})
	}
}

func BenchmarkStale(b *testing.B) {
	in := unchanged(many)
	p := compute(b, in)
	for b.Loop() {
		if moved, err := p.Stale(in.Snapshot); len(moved) > 0 || err != nil {
			b.Fatal(moved, err)
		}
	}
}

func BenchmarkWriteJSON(b *testing.B) {
	p := compute(b, changed(many))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.WriteJSON(io.Discard, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var doc bytes.Buffer
	if err := compute(b, changed(many)).WriteJSON(&doc, ""); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(doc.Len()))
	for b.Loop() {
		if _, err := Read(doc.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
