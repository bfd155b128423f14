package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flexsync/internal/jsondoc"
	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
	"flexsync/state"
)

type listCmd struct {
	accountFlags
	kindFlags
	fleetFlags
	Format string `default:"table" enum:"table,json,env" group:"output" help:"Output format: table, json or env."`
}

func (listCmd) Help() string {
	return `
Examples:

	flexsync list
	flexsync list --kind addresses
	flexsync list --format env >> .env           # FLEX_FLOW_SUPPORT_SMS=FO...
	flexsync list --format json | jq -r '.flows[] | select(.enabled) | .sid'`
}

func (c *listCmd) Run(ctx context.Context, a *app) error {
	if err := c.fleetFlags.check(); err != nil {
		return err
	}
	if c.Fleet != "" {
		return c.runFleet(ctx, a)
	}
	return c.run(ctx, a)
}

// run lists one account.
func (c *listCmd) run(ctx context.Context, a *app) error {
	s, err := c.accountFlags.session(a, use{})
	if err != nil {
		return err
	}
	defer s.client.CloseIdle()
	if err := s.list(ctx, c.kinds()); err != nil {
		return err
	}
	switch c.Format {
	case "json":
		return written(a.listJSON(s.snapshot, s.owner()))
	case "env":
		return written(a.listEnv(s.snapshot))
	}
	if _, err := fmt.Fprintf(a.stdout, "%s\n\n", render.Account(s.owner(), s.place)); err != nil {
		return written(err)
	}
	for i, k := range s.snapshot.Kinds {
		if i > 0 {
			if _, err := fmt.Fprintln(a.stdout); err != nil {
				return written(err)
			}
		}
		rows, cutColumns := listRows(k, s.snapshot)
		if err := render.Table(a.stdout, rows, cutColumns, terminalWidth(a.stdout)); err != nil {
			return written(err)
		}
	}
	return nil
}

// listRows returns the table of a kind, and which columns to cut first.
func listRows(k *schema.Kind, snap *state.Snapshot) (rows [][]string, cutColumns [][]int) {
	second := k.Contact
	rows = [][]string{{"NAME", "SID", "CHANNEL", "IDENTITY", "ENABLED", "INTEGRATION"}}
	cutColumns = [][]int{{1, 3}, {0}} // SIDs and identities before names, which people look for
	if k.ByContact() {
		second = k.Field("friendly_name")
		rows = [][]string{{"ADDRESS", "SID", "TYPE", "NAME", "ENABLED", "AUTO-CREATION"}}
	}
	for i := range snap.Resources {
		f := &snap.Resources[i]
		if f.Kind != k {
			continue
		}
		enabled := "no"
		if f.Enabled() {
			enabled = "yes"
		}
		rows = append(rows, []string{safetext.Line(f.ID()), f.SID, safetext.Line(f.Text(k.Channel)),
			orDash(f.Text(second)), enabled, orDash(f.Variant())})
	}
	return rows, cutColumns
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return safetext.Line(s)
}

func (a *app) listJSON(snap *state.Snapshot, account string) error {
	d := jsondoc.New(a.stdout)
	d.Member("format_version", plan.FormatVersion)
	d.Member("account_sid", account)
	for _, k := range snap.Kinds {
		d.List(k.Plural, func(add func(any)) {
			for i := range snap.Resources {
				if f := &snap.Resources[i]; f.Kind == k {
					add(append(jsondoc.Object{{Name: "sid", Value: f.SID}}, plan.MaskObject(nil, &f.Object).JSON()...))
				}
			}
		})
	}
	return d.Close()
}

// listEnv writes NAME=SID lines. It leaves out flows whose names map to the same
// variable, with a comment: a script must not pick one by chance.
func (a *app) listEnv(snap *state.Snapshot) error {
	sids := make(map[string][]string)
	nouns := make(map[string]string)
	for i := range snap.Resources {
		f := &snap.Resources[i]
		key := envName(f.Key())
		nouns[key] = f.Kind.Name
		sids[key] = append(sids[key], f.SID)
	}
	b := bufio.NewWriter(a.stdout)
	for _, key := range slices.Sorted(maps.Keys(sids)) {
		if group := sids[key]; len(group) > 1 {
			fmt.Fprintf(b, "# %s is left out: %s map to it: %s\n", key, count(len(group), nouns[key]), strings.Join(group, " "))
			a.say("%s is left out: %s map to it", key, count(len(group), nouns[key]))
			continue
		}
		fmt.Fprintf(b, "%s=%s\n", key, sids[key][0])
	}
	return b.Flush()
}

// envName is FLEX_FLOW_ and the name, or FLEX_ADDRESS_ and the address, in capitals, with one _ in place of each run
// of other characters than letters and digits.
func envName(of schema.Key) string {
	var b strings.Builder
	b.WriteString("FLEX_" + strings.ToUpper(of.Kind.Name))
	gap := true
	for _, r := range strings.ToUpper(of.ID) {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
