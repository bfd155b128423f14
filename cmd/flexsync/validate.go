package main

import (
	"fmt"

	"flexsync/internal/safetext"
	"flexsync/plan"
	"flexsync/schema"
)

type validateCmd struct {
	Paths      []string `arg:"" optional:"" name:"path" help:"Files, directories or - (default: flows.yaml, flows.yml or flows/)."`
	Format     string   `default:"text" help:"text or json."`
	AllowUnset bool     `help:"Accept variables that are not set; what holds one is checked no further."`

	inputFlags
}

func (c *validateCmd) Run(a *app) error {
	if err := checkFormat(c.Format, "text", "json"); err != nil {
		return err
	}
	cfg, err := c.load(a, c.Paths, c.AllowUnset)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		doc := struct {
			FormatVersion int           `json:"format_version"`
			Status        string        `json:"status"`
			Flows         int           `json:"flows"`
			Warnings      []plan.Notice `json:"warnings"`
		}{plan.FormatVersion, "valid", len(cfg.Flows), []plan.Notice{}}
		for _, w := range cfg.Warnings {
			pos := w.Pos
			doc.Warnings = append(doc.Warnings, plan.Notice{Code: w.Code, Message: w.Message, Source: &pos})
		}
		return written(a.writeDocument(doc))
	}
	for _, w := range cfg.Warnings {
		a.warn(w)
	}
	_, err = fmt.Fprintf(a.stdout, "%s in %s: valid\n", count(len(cfg.Flows), "flow"), count(cfg.Files, "file"))
	return written(err)
}

func (a *app) warn(w schema.Warning) {
	a.say("%s (%s): %s: %s", a.style(a.stderr).Paint(safetext.Mind, "warning"), w.Code, safetext.Line(w.Pos.String()), safetext.Line(w.Message))
}
