package main

import (
	"flexsync/state"
)

type exportCmd struct {
	Names bool `help:"Write names in place of SIDs, so that the file serves every account that has these names."`

	accountFlags
}

func (c *exportCmd) Run(a *app) error {
	acct, err := c.connect(a, 1)
	if err != nil {
		return err
	}
	snap, err := acct.read(a.ctx)
	if err != nil {
		return err
	}
	var opts state.ExportOptions
	if c.Names {
		dir, err := state.Lookup(a.ctx, acct, snap.References())
		if err != nil {
			return err
		}
		if err := acct.owns("what the flows refer to belongs", dir.AccountSID); err != nil {
			return err
		}
		opts.Names = snap.Names(dir)
	}
	e := snap.Export(opts)
	if _, err := a.stdout.Write(e.Encode()); err != nil {
		return written(err)
	}
	if n := len(e.Ignore); n > 0 {
		a.say("%s cannot be declared in YAML and will be ignored; the reasons are in the comments", count(n, "flow"))
	}
	return nil
}
