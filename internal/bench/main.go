// Command bench measures flexsync against what it could at best be.
//
//	go run ./internal/bench [-runs 5] [-only start,plan,fleet,limit] [-max 100000]
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
	runs := flag.Int("runs", 5, "how often each command is run")
	only := flag.String("only", "start,plan,fleet,limit", "which parts to measure")
	largest := flag.Int("max", 100_000, "most flows")
	flag.Parse()

	dir, err := os.MkdirTemp("", "flexsync-bench-")
	exitOn(err)
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, runs: *runs, max: *largest}
	b.programs, err = build(dir)
	exitOn(err)
	fmt.Printf("%s, %s/%s, %d CPUs; medians of %d runs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.runs)
	parts := map[string]func() error{"start": b.start, "plan": b.plan, "fleet": b.fleet, "limit": b.limit}
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
			c = fmt.Sprintf("%.2f s", v.Seconds())
			if v < 100*time.Millisecond {
				c = fmt.Sprintf("%.1f ms", float64(v)/1e6)
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

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func pages(flows int) int { return max(1, (flows+999)/1000) }

// account starts an embedded API with the flows of a scenario.
func (b *bench) account(n int, s scenario, args ...string) (*server, error) {
	path := filepath.Join(b.dir, "account.json")
	if err := create(path, func(w io.Writer) error { return writeAccount(w, n, s) }); err != nil {
		return nil, err
	}
	return serve(b.flexsync, append([]string{"emulate", "--seed", path}, args...)...)
}

func (b *bench) run(env []string, args ...string) func() (sample, error) {
	return func() (sample, error) {
		return measure(b.dir, env, b.flexsync, append([]string{"-v", "--log-format", "json"}, args...)...)
	}
}

// start measures what a run costs that has next to nothing to do.
func (b *bench) start() error {
	path, err := file(b.dir, 10)
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

// plan measures plans of one file: of next to nothing, of as many flows as an
// account may have, and of so many that what is not linear shows.
func (b *bench) plan() error {
	title("Plan of one file")
	head("flows", "scenario", "wall", "yaml.v3 alone", "ratio", "target", "CPU", "yaml.v3 alone", "peak", "yaml.v3 alone", "target", "requests", "due")
	for _, size := range []struct {
		flows       int
		ratio, peak string // targets
	}{{10, "", ""}, {2_500, "at most 2.2", "at most 60 MB"}, {100_000, "", "at most 1.5 GB"}} {
		n := size.flows
		if n > b.max {
			break
		}
		path, err := file(b.dir, n)
		if err != nil {
			return err
		}
		for _, sc := range scenarios {
			if sc == allNew && n > 2_500 {
				continue // Twilio allows no more, so the plan is refused
			}
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
			row(n, sc, run.wall(), floor.wall(), ratio(run.wall(), floor.wall()), size.ratio, run.cpu(), floor.cpu(), run.peak(), floor.peak(), size.peak, run.requests(), due)
		}
	}
	return nil
}

// fleet measures plans of many accounts: how far they wait for the answers and no
// more, and that memory does not grow with the accounts.
func (b *bench) fleet() error {
	const flows, latency, atOnce = 50, 50 * time.Millisecond, 8
	title("Plan of a fleet, %d flows an account, %v an answer, --at-once %d", flows, latency, atOnce)
	head("accounts", "YAML", "wall", "floor", "ratio", "target", "CPU", "peak", "of 100 accounts", "target", "requests", "due")
	seed := filepath.Join(b.dir, "account.json")
	if err := create(seed, func(w io.Writer) error { return writeAccount(w, flows, unchanged) }); err != nil {
		return err
	}
	peaks := make(map[bool]int64) // of 100 accounts
	for _, f := range []struct {
		accounts int
		own      bool // a file each
		memory   string
	}{{100, false, ""}, {1000, false, "at most 1.5"}, {100, true, ""}, {1000, true, "at most 1.5"}} {
		s, err := serve(b.accounts, "-n", strconv.Itoa(f.accounts), "-seed", seed, "-latency", latency.String())
		if err != nil {
			return err
		}
		defer s.stop()
		yaml, declared := "one file", flows
		if f.own {
			yaml, declared = "a file each", flows*f.accounts
		}
		all, err := file(b.dir, declared) // what has to be parsed
		if err != nil {
			return err
		}
		path := filepath.Join(b.dir, "fleet.yaml")
		env := s.env()
		err = create(path, func(w io.Writer) error {
			fmt.Fprint(w, "version: 1\naccounts:\n")
			for i := 1; i <= f.accounts; i++ {
				its := all
				if f.own {
					its = filepath.Join(b.dir, fmt.Sprintf("account-%d.yaml", i))
					if err := create(its, func(w io.Writer) error { return writeYAML(w, flows) }); err != nil {
						return err
					}
				}
				fmt.Fprintf(w, "  account-%d: {paths: [%s], credentials: A%[1]d}\n", i, filepath.Base(its))
				env = append(env, fmt.Sprintf("A%d_TWILIO_ACCOUNT_SID=AC%032[1]x", i), fmt.Sprintf("A%d_TWILIO_AUTH_TOKEN=any", i))
			}
			return nil
		})
		if err != nil {
			return err
		}
		runs, err := interleaved(b.runs,
			b.run(env, "plan", "--fleet", path, "--at-once", strconv.Itoa(atOnce)),
			func() (sample, error) { return measure(b.dir, nil, b.programs.parse, all) })
		if err != nil {
			return err
		}
		run := runs[0]
		floor := time.Duration(f.accounts)*latency/atOnce + runs[1].wall()
		if f.accounts == 100 {
			peaks[f.own] = run.peak()
		}
		row(f.accounts, yaml, run.wall(), floor, ratio(run.wall(), floor), "at most 1.3", run.cpu(), run.peak(),
			float64(run.peak())/float64(peaks[f.own]), f.memory, run.requests(), f.accounts)
	}
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
		path, err := file(b.dir, l.declared)
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
