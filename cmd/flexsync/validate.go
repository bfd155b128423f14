package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

type validateCmd struct {
	Paths []string `arg:"" optional:"" name:"path" file:"yaml" help:"Files, directories or - (default: flows.yaml, flows.yml or flows/)."`

	inputFlags
	fleetFlags
	Format      string `default:"text" enum:"text,json" group:"output" help:"Output format: text or json."`
	CodeQuality string `placeholder:"FILE" file:"out" group:"output" help:"Also write the problems to FILE as a GitLab code quality report."`
	AllowUnset  bool   `group:"selection" help:"Accept variables without a value. Values that contain one are not checked further."`
}

func (validateCmd) Help() string {
	return `
Examples:

	flexsync validate
	flexsync validate flows/ --allow-unset       # without values for the variables
	flexsync validate --code-quality gl-code-quality-report.json`
}

func (c *validateCmd) Run(ctx context.Context, a *app) error {
	if err := c.fleetFlags.check(); err != nil {
		return err
	}
	if c.Fleet != "" {
		return c.runFleet(ctx, a)
	}
	return c.run(ctx, a)
}

// run checks the YAML of one account.
func (c *validateCmd) run(ctx context.Context, a *app) error {
	cfg, err := c.load(ctx, a, c.Paths, c.AllowUnset, nil)
	if c.CodeQuality != "" {
		if failed := c.codeQuality(ctx, a, cfg, err); !ranks(ctx, exitCode(ctx, err), failed) {
			return failed
		} else if failed != nil {
			a.say("%s", safetext.Line(failed.Error())) // the problems in the YAML decide the exit code
		}
	}
	if err != nil {
		return err
	}
	warnings := make([]plan.Notice, len(cfg.Warnings))
	for i := range cfg.Warnings {
		w := &cfg.Warnings[i]
		warnings[i] = plan.Notice{Code: w.Code, Message: w.Message, Source: &w.Pos}
	}
	a.annotateWarnings(warnings)
	if c.Format == "json" {
		var addresses *int
		if slices.Contains(cfg.Kinds, schema.Addresses) {
			n := cfg.Count(schema.Addresses)
			addresses = &n
		}
		return a.writeDocument(struct {
			FormatVersion int           `json:"format_version"`
			Status        string        `json:"status"`
			Flows         int           `json:"flows"`
			Addresses     *int          `json:"addresses,omitempty"` // nil unless they are managed
			Warnings      []plan.Notice `json:"warnings"`
		}{plan.FormatVersion, "valid", cfg.Count(schema.Flows), addresses, warnings})
	}
	for _, w := range cfg.Warnings {
		a.say("%s (%s): %s: %s", a.style(a.stderr).Paint(render.Warning, "warning"), w.Code, safetext.Line(w.Pos.String()), safetext.Line(w.Message))
	}
	_, err = fmt.Fprintf(a.stdout, "%s in %s: valid\n", countKinds(cfg.Kinds, cfg.Count), count(cfg.Files, "file"))
	return written(err)
}

// codeQuality reports the problems and warnings of the YAML. There is no report if
// the YAML cannot be read at all.
func (c *validateCmd) codeQuality(ctx context.Context, a *app, cfg *schema.Config, err error) error {
	var problems yamldoc.Problems
	switch {
	case errors.As(err, &problems):
		return a.writeCodeQuality(ctx, c.CodeQuality, problems, nil)
	case err != nil:
		return nil
	}
	return a.writeCodeQuality(ctx, c.CodeQuality, nil, cfg.Warnings)
}
