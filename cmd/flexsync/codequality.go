package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// issue is one entry of a GitLab code quality report (docs.gitlab.com, "Code
// Quality report format").
type issue struct {
	Description string        `json:"description"`
	CheckName   string        `json:"check_name"`
	Fingerprint string        `json:"fingerprint"`
	Severity    string        `json:"severity"`
	Location    issueLocation `json:"location"`
}

type issueLocation struct {
	Path  string     `json:"path"`
	Lines issueLines `json:"lines"`
}

type issueLines struct {
	Begin int `json:"begin"`
}

// placeRE is a position in a message: it changes when lines are added above.
var placeRE = regexp.MustCompile(`:\d+(:\d+)?\b`)

// writeCodeQuality writes the report, whole or not at all. Without problems and
// warnings it is an empty list.
func (a *app) writeCodeQuality(ctx context.Context, path string, problems yamldoc.Problems, warnings []schema.Warning) error {
	issues := []issue{}
	seen := make(map[string]int)
	add := func(pos yamldoc.Pos, check, severity, at, message string) {
		file := a.fromRoot(pos.File, "CI_PROJECT_DIR")
		// A fingerprint does not change when the line moves; equal messages about
		// one file differ by their order.
		id := strings.Join([]string{file, check, at, placeRE.ReplaceAllString(message, "")}, "\x00")
		seen[id]++
		if n := seen[id]; n > 1 {
			id += fmt.Sprintf("\x00%d", n)
		}
		sum := sha256.Sum256([]byte(id))
		if at != "" {
			message = at + ": " + message
		}
		issues = append(issues, issue{
			Description: safetext.Line(message), CheckName: check, Fingerprint: hex.EncodeToString(sum[:]), Severity: severity,
			Location: issueLocation{file, issueLines{max(pos.Line, 1)}},
		})
	}
	for _, p := range problems {
		message := p.Message
		if p.Hint != "" {
			message += " (" + p.Hint + ")"
		}
		add(p.Pos, "flexsync/invalid", "critical", p.Path, message)
	}
	for _, w := range warnings {
		add(w.Pos, "flexsync/"+w.Code, "minor", "", w.Message)
	}
	report, err := json.MarshalIndent(issues, "", "  ")
	if err == nil {
		err = writeFile(ctx, path, append(report, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the code quality report: %w", err)
	}
	return nil
}
