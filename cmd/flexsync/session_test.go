package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

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
			s, err := target{place: place{local: account}, mayMake: true, timeout: time.Minute}.session(a, 2)
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
