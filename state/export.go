package state

import (
	"fmt"
	"strings"

	"flexsync/schema"
)

// ExportOptions say how to write a snapshot as YAML.
type ExportOptions struct {
	// Names are written in place of SIDs, where they have one.
	Names map[string]string
}

// Export returns the account as a configuration that plans to no change. SIDs
// of flows are left out, so that it rebuilds an empty account, except where
// several flows have one name and only the SID tells them apart. A flow that
// the YAML cannot declare is ignored by its SID, with the reason and its
// content in a comment.
func (s *Snapshot) Export(opts ExportOptions) schema.Export {
	e := schema.Export{Names: opts.Names}
	count := make(map[string]int, len(s.Flows))
	for i := range s.Flows {
		if len(s.Flows[i].Problems()) == 0 {
			count[s.Flows[i].FriendlyName]++
		}
	}
	type claim struct{ channel, identity, integration string }
	holders := make(map[claim]*Flow)
	for i := range s.Flows {
		f := &s.Flows[i]
		why := strings.Join(f.Problems(), "; ")
		if k := (claim{f.ChannelType, f.ContactIdentity, f.IntegrationType}); why == "" && f.Enabled && f.ContactIdentity != "" && f.IntegrationType != "" {
			// Twilio refuses such a pair (45210), and so does the YAML.
			if other := holders[k]; other != nil {
				why = fmt.Sprintf("it is enabled for the same identity as %q (%s)", other.FriendlyName, other.SID)
				count[f.FriendlyName]--
			} else {
				holders[k] = f
			}
		}
		if why != "" {
			e.Ignore = append(e.Ignore, schema.ExportIgnore{
				Pattern: f.SID,
				Comment: fmt.Sprintf("cannot be declared: %s: %s", why, f.AppendJSON(nil)),
			})
			continue
		}
		e.Flows = append(e.Flows, schema.ExportFlow{SID: f.SID, Flow: f.Flow})
	}
	for i := range e.Flows {
		e.Flows[i].Pin = count[e.Flows[i].Flow.FriendlyName] > 1
	}
	return e
}
