package main

import (
	"flexsync/state"
)

type exportCmd struct {
	accountFlags
}

func (c *exportCmd) Run(a *app) error {
	acct, err := c.connect(a, 1)
	if err != nil {
		return err
	}
	snap, err := state.Read(a.ctx, acct)
	if err != nil {
		return err
	}
	e := snap.Export(state.ExportOptions{})
	if _, err := a.stdout.Write(e.Encode()); err != nil {
		return written(err)
	}
	if n := len(e.Ignore); n > 0 {
		a.say("%s cannot be declared in YAML, so it is ignored by its SID; the reasons are in the comments", count(n, "flow"))
	}
	return nil
}
