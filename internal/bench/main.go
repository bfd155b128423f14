// Command bench measures flexsync against what it could at best be.
//
//	go run ./internal/bench [-runs 5] [-only plan,files,apply,limit,views,start] [-max 100000]
//
// It builds the real command, makes accounts and their YAML in a temporary
// directory, runs the command against `flexsync emulate` on loopback, and prints
// medians as Markdown tables. Each figure stands beside a floor that is measured
// in the same run, in turn with it: wall times alone say more about the machine
// than about the program. See docs/benchmarks.md.
//
// This process stays small on purpose: a child's peak memory begins at its
// parent's.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type bench struct {
	programs
	dir  string
	runs int
	max  int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "view" {
		exitOn(view(os.Args[2:]))
		return
	}
	runs := flag.Int("runs", 5, "how often each command is run")
	only := flag.String("only", "start,plan,files,views,apply,limit", "which parts to measure")
	largest := flag.Int("max", 100_000, "most flows")
	flag.Parse()

	dir, err := os.MkdirTemp("", "flexsync-bench-")
	exitOn(err)
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, runs: *runs, max: *largest}
	b.programs, err = build(dir)
	exitOn(err)
	fmt.Printf("%s, %s/%s, %d CPUs; medians of %d runs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.runs)
	parts := map[string]func() error{
		"start": b.start, "plan": b.plan, "files": b.files, "views": b.views, "apply": b.apply, "limit": b.limit,
	}
	for name := range strings.SplitSeq(*only, ",") {
		part, ok := parts[name]
		if !ok {
			err = fmt.Errorf("there is no part %q", name)
		} else {
			err = part()
		}
		if err != nil {
			os.RemoveAll(dir)
			exitOn(err)
		}
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func title(format string, args ...any) { fmt.Printf("\n### "+format+"\n\n", args...) }

func row(cells ...any) {
	for _, c := range cells {
		switch v := c.(type) {
		case time.Duration:
			switch {
			case v.Abs() < 100*time.Microsecond:
				c = fmt.Sprintf("%.1f µs", float64(v)/1e3)
			case v.Abs() < 100*time.Millisecond:
				c = fmt.Sprintf("%.1f ms", float64(v)/1e6)
			default:
				c = fmt.Sprintf("%.2f s", v.Seconds())
			}
		case float64:
			c = fmt.Sprintf("%.2f", v)
		case int64:
			c = fmt.Sprintf("%d MB", v>>20)
		}
		fmt.Printf("| %v ", c)
	}
	fmt.Println("|")
}

func head(cells ...any) {
	row(cells...)
	fmt.Println(strings.Repeat("| --- ", len(cells)) + "|")
}

func ratio[T int64 | time.Duration](a, b T) float64 { return float64(a) / float64(b) }

func (b *bench) sizes() []int {
	var sizes []int
	for _, n := range []int{10, 1_000, 10_000, 100_000} {
		if n <= b.max {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

func pages(flows int) int { return max(1, (flows+999)/1000) }

// account starts an embedded API with the flows of a scenario.
func (b *bench) account(n int, s scenario, args ...string) (*server, error) {
	path := filepath.Join(b.dir, "account.json")
	if err := create(path, func(w io.Writer) error { return writeAccount(w, n, s) }); err != nil {
		return nil, err
	}
	return emulate(b.programs, append([]string{"--seed", path}, args...)...)
}

func (b *bench) run(env []string, args ...string) func() (sample, error) {
	return func() (sample, error) {
		return measure(b.dir, env, b.flexsync, append([]string{"-v", "--log-format", "json"}, args...)...)
	}
}

// start measures what a run costs that has next to nothing to do.
func (b *bench) start() error {
	path, err := files(b.dir, 10, 1)
	if err != nil {
		return err
	}
	s, err := b.account(10, unchanged)
	if err != nil {
		return err
	}
	defer s.stop()
	all, err := interleaved(10*b.runs,
		b.run(s.env(), "plan", path),
		func() (sample, error) { return measure(b.dir, nil, b.empty) },
		func() (sample, error) { return measure(b.dir, nil, b.imports) })
	if err != nil {
		return err
	}
	info, err := os.Stat(b.flexsync)
	if err != nil {
		return err
	}
	title("Start")
	head("program", "wall", "CPU", "ratio of wall", "target")
	row("empty Go program", all[1].wall(), all[1].cpu(), "", "")
	row("the same with flexsync's libraries", all[2].wall(), all[2].cpu(), ratio(all[2].wall(), all[1].wall()), "")
	row("plan of 10 flows", all[0].wall(), all[0].cpu(), ratio(all[0].wall(), all[1].wall()), "below 3")
	fmt.Printf("\nStripped binary: %.1f MB (target: below 15 MB)\n", float64(info.Size())/1e6)
	return nil
}

// plan measures plans of one file.
func (b *bench) plan() error {
	title("Plan of one file")
	head("flows", "scenario", "wall", "yaml.v3 alone", "ratio", "CPU", "yaml.v3 alone", "peak", "yaml.v3 alone", "requests", "due")
	var peaks []int64
	for _, n := range b.sizes() {
		path, err := files(b.dir, n, 1)
		if err != nil {
			return err
		}
		for _, sc := range scenarios {
			s, err := b.account(n, sc)
			if err != nil {
				return err
			}
			all, err := interleaved(b.runs,
				b.run(s.env(), "plan", path),
				func() (sample, error) { return measure(b.dir, nil, b.programs.parse, path) })
			s.stop()
			if err != nil {
				return err
			}
			due := pages(n)
			if sc == allNew {
				due = 1
			}
			run, floor := all[0], all[1]
			row(n, sc, run.wall(), floor.wall(), ratio(run.wall(), floor.wall()), run.cpu(), floor.cpu(), run.peak(), floor.peak(), run.requests(), due)
			if sc == unchanged {
				peaks = append(peaks, run.peak())
			}
		}
	}
	if n := len(peaks); n == 4 {
		fmt.Printf("\nPeak of 10,000 unchanged flows to that of 100,000: %.3f (target: at most 0.125)\n", ratio(peaks[2], peaks[3]))
	}
	return nil
}

// files measures the same flows in one file and in a hundred.
func (b *bench) files() error {
	one, err := files(b.dir, b.max, 1)
	if err != nil {
		return err
	}
	hundred, err := files(b.dir, b.max, 100)
	if err != nil {
		return err
	}
	s, err := b.account(b.max, unchanged)
	if err != nil {
		return err
	}
	defer s.stop()
	all, err := interleaved(b.runs, b.run(s.env(), "plan", one), b.run(s.env(), "plan", hundred))
	if err != nil {
		return err
	}
	title("Plan of %d unchanged flows, one file and a hundred", b.max)
	head("files", "wall", "CPU", "peak", "ratio", "target")
	row(1, all[0].wall(), all[0].cpu(), all[0].peak(), "", "")
	row(100, all[1].wall(), all[1].cpu(), all[1].peak(), ratio(all[1].wall(), all[0].wall()), "at most 0.8")
	return nil
}

// views measures what it takes to show a plan in which every flow is new.
func (b *bench) views() error {
	formats := []string{"none", "text", "json", "markdown"}
	title("Showing a plan of changes alone")
	head("changes", "format", "wall", "on top of none", "a change", "peak", "on top of none")
	for _, n := range b.sizes() {
		if n < 1000 {
			continue
		}
		var commands []func() (sample, error)
		for _, f := range formats {
			commands = append(commands, func() (sample, error) {
				return measure(b.dir, nil, b.self, "view", f, strconv.Itoa(n))
			})
		}
		all, err := interleaved(b.runs, commands...)
		if err != nil {
			return err
		}
		for i, f := range formats {
			extra := all[i].wall() - all[0].wall()
			row(n, f, all[i].wall(), extra, extra/time.Duration(n), all[i].peak(), all[i].peak()-all[0].peak())
		}
	}
	return nil
}

// apply measures creates under a latency.
func (b *bench) apply() error {
	const n, workers, latency = 400, 10, 50 * time.Millisecond
	path, err := files(b.dir, n, 1)
	if err != nil {
		return err
	}
	var ss samples
	for range b.runs {
		s, err := b.account(n, allNew, "--latency", latency.String())
		if err != nil {
			return err
		}
		one, err := b.run(s.env(), "apply", path, "--yes", "--parallelism", strconv.Itoa(workers))()
		s.stop()
		if err != nil {
			return err
		}
		ss = append(ss, one)
	}
	floor := n*latency/workers + 2*latency
	title("Apply of %d creates, %v an answer, %d workers", n, latency, workers)
	head("wall", "floor", "ratio", "target", "CPU", "peak", "requests", "due")
	row(ss.wall(), floor, ratio(ss.wall(), floor), "at most 1.1", ss.cpu(), ss.peak(), ss.requests(), n+2)
	return nil
}

// limit measures writes under rate limits.
func (b *bench) limit() error {
	title("Apply under rate limits")
	head("writes", "limit", "--parallelism", "wall", "floor", "ratio", "target", "refused", "of", "target")
	for _, l := range []struct {
		writes   string
		declared int
		there    scenario // of account flows
		account  int
		limit    []string
		workers  []int
		floor    time.Duration
		target   string
		refused  string
	}{
		{"1000 creates", 1000, allNew, 0, []string{"--rate-limit", "50"}, []int{1, 4, 10, 64}, (1002 - 50) * time.Second / 50, "at most 1.3", "at most 1 in 10"},
		{"120 creates", 120, allNew, 0, []string{"--rate-limit", "40"}, []int{16}, (122 - 40) * time.Second / 40, "", ""},
		{"24 creates, 12 updates, 12 deletes", 36, halfThere, 48, []string{"--documented-limits"}, []int{4}, 16 * time.Second, "at most 1.25", "at most 1 in 5"},
		{"the same, with Retry-After", 36, halfThere, 48, []string{"--documented-limits", "--retry-after", "1s"}, []int{4}, 16 * time.Second, "at most 1.25", "at most 1 in 5"},
	} {
		path, err := files(b.dir, l.declared, 1)
		if err != nil {
			return err
		}
		for _, workers := range l.workers {
			var ss samples
			for range b.runs {
				s, err := b.account(l.account, l.there, l.limit...)
				if err != nil {
					return err
				}
				one, err := b.run(s.env(), "apply", path, "--yes", "--max-deletes", "100%", "--parallelism", strconv.Itoa(workers))()
				s.stop()
				if err != nil {
					return err
				}
				ss = append(ss, one)
			}
			row(l.writes, strings.Join(l.limit, " "), workers, ss.wall(), l.floor, ratio(ss.wall(), l.floor), l.target, ss.refused(), ss.requests(), l.refused)
		}
	}
	return nil
}
