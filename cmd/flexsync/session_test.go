package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"weak"

	"golang.org/x/sync/errgroup"

	"flexsync/apply"
	"flexsync/plan"
	"flexsync/schema"
)

// TestSessions is a run over many accounts: each session plans and applies its
// own, at the same time as the others.
func TestSessions(t *testing.T) {
	t.Parallel()
	const accounts = 8
	dir := t.TempDir()
	a := &app{stderr: &bytes.Buffer{}, now: time.Now, status: newStatus(time.Now, nil, nil), lookupEnv: func(string) (string, bool) { return "", false }}
	sidOf := func(i int) string { return fmt.Sprintf("AC%032d", i+1) }
	var group errgroup.Group
	for i := range accounts {
		group.Go(func() error {
			account, file := filepath.Join(dir, fmt.Sprint(i)+".json"), filepath.Join(dir, fmt.Sprint(i)+".yaml")
			writeText(t, account, `{"account_sid": "`+sidOf(i)+`"}`)
			writeText(t, file, fmt.Sprintf("version: 1\nflows: [{friendly_name: Flow %d, chat_service_sid: IS00000000000000000000000000000001, channel_type: web}]\n", i))
			s, err := target{place: place{local: account}, timeout: time.Minute}.session(a, use{mayMake: true, parallelism: 2})
			if err != nil {
				return err
			}
			load := func(flowsOnly func()) (*schema.Config, error) {
				return (&inputFlags{}).load(t.Context(), a, []string{file}, false, flowsOnly)
			}
			for _, changes := range []int{1, 0} {
				if err := s.compute(t.Context(), plan.Input{}, load); err != nil {
					return err
				}
				if s.plan.AccountSID != sidOf(i) || s.accountSID != sidOf(i) || len(s.plan.Changes) != changes {
					return fmt.Errorf("account %d: %d changes of account %s, want %d", i, len(s.plan.Changes), s.plan.AccountSID, changes)
				}
				if _, err := apply.Run(t.Context(), s.client, s.plan, s.snapshot, apply.Options{Parallelism: 2}); err != nil {
					return err
				}
			}
			if err := s.list(t.Context(), []*schema.Kind{schema.Flows}); err != nil {
				return err
			}
			if name := s.snapshot.Resources[0].ID(); len(s.snapshot.Resources) != 1 || name != fmt.Sprintf("Flow %d", i) {
				return fmt.Errorf("account %d has %d flows, one of them %q", i, len(s.snapshot.Resources), name)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSessionAtRest holds that a session at rest keeps nothing of the account and the
// YAML, and that it can be connected again.
func TestSessionAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := &app{stderr: &bytes.Buffer{}, now: time.Now, status: newStatus(time.Now, nil, nil), lookupEnv: func(string) (string, bool) { return "", false }}
	account, yaml := manyFlows(3)
	writeText(t, filepath.Join(dir, "account.json"), account)
	writeText(t, filepath.Join(dir, "flows.yaml"), yaml+"  - {friendly_name: More}\n")
	s, err := target{place: place{local: filepath.Join(dir, "account.json")}, timeout: time.Minute}.session(a, use{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.compute(t.Context(), plan.Input{}, func(flowsOnly func()) (*schema.Config, error) {
		return (&inputFlags{}).load(t.Context(), a, []string{filepath.Join(dir, "flows.yaml")}, false, flowsOnly)
	}); err != nil {
		t.Fatal(err)
	}
	cfg, snap, first, client := weak.Make(s.config), weak.Make(s.snapshot), weak.Make(&s.snapshot.Resources[0]), weak.Make(s.client)
	whole, declared := weak.Make(s.plan), weak.Make(&s.config.Resources[0])
	s.rest(s.plan.Outline(), false)
	runtime.GC()
	for name, kept := range map[string]bool{
		"the configuration": cfg.Value() != nil || declared.Value() != nil,
		"the snapshot":      snap.Value() != nil || first.Value() != nil,
		"the client":        client.Value() != nil,
		"the whole plan":    whole.Value() != nil,
	} {
		if kept {
			t.Errorf("%s is kept", name)
		}
	}
	if err := s.connect(a); err != nil {
		t.Fatal(err)
	}
	if err := s.list(t.Context(), []*schema.Kind{schema.Flows}); err != nil || len(s.snapshot.Resources) != 3 {
		t.Errorf("connected again: %v, %v", s.snapshot, err)
	}
}

// TestComputeLetGo: where the YAML is wrong, the listing that was begun may go on when
// the session is let go of.
func TestComputeLetGo(t *testing.T) {
	t.Parallel()
	a := &app{stderr: &bytes.Buffer{}, now: time.Now, status: newStatus(time.Now, nil, nil), lookupEnv: func(string) (string, bool) { return "", false }}
	account := filepath.Join(t.TempDir(), "account.json")
	writeText(t, account, "{}")
	wrong := errors.New("wrong")
	for range 100 {
		s, err := target{place: place{local: account}, timeout: time.Minute}.session(a, use{parallelism: 1})
		if err != nil {
			t.Fatal(err)
		}
		err = s.compute(t.Context(), plan.Input{}, func(flowsOnly func()) (*schema.Config, error) {
			flowsOnly()
			return nil, wrong
		})
		if !errors.Is(err, wrong) {
			t.Fatal(err)
		}
		s.client = nil
	}
}
