package main

import (
	"context"
	"errors"
	"fmt"

	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

type validateCmd struct {
	Paths       []string `arg:"" optional:"" name:"path" file:"yaml" help:"Files, directories or - (default: flows.yaml, flows.yml or flows/)."`
	Format      string   `default:"text" enum:"text,json" help:"Output format: text or json."`
	CodeQuality string   `placeholder:"FILE" file:"out" help:"Also write the problems to FILE as a GitLab code quality report."`
	AllowUnset  bool     `help:"Accept variables without a value. Values that contain one are not checked further."`

	inputFlags
}

func (c *validateCmd) Run(ctx context.Context, a *app) error {
	cfg, err := c.load(ctx, a, c.Paths, c.AllowUnset)
	if c.CodeQuality != "" {
		if failed := c.codeQuality(ctx, a, cfg, err); !ranks(ctx, exitCode(ctx, err), failed) {
			return failed
		} else if failed != nil {
			a.say("%s", safetext.Line(failed.Error())) // what is wrong with the YAML decides the exit code
		}
	}
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		a.annotateWarning(w)
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

// codeQuality reports what there is to say of the YAML; when it could not be
// read at all, there is no report.
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

func (a *app) warn(w schema.Warning) {
	a.say("%s (%s): %s: %s", a.style(a.stderr).Paint(render.Warning, "warning"), w.Code, safetext.Line(w.Pos.String()), safetext.Line(w.Message))
}
