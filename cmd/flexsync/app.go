package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"flexsync/internal/render"
	"flexsync/internal/safetext"
	"flexsync/internal/yamldoc"
	"flexsync/schema"
)

// app is what a command knows of the world outside: streams, environment, clock
// and the flags of every command. run makes it.
type app struct {
	stdin     io.Reader
	stdout    io.Writer
	stderr    io.Writer
	lookupEnv func(string) (string, bool)
	now       func() time.Time
	version   string
	account   string         // of a fleet: what its messages are about; otherwise ""
	files     *yamldoc.Files // the YAML that the run has read
	fleets    map[string]fleetFile

	status *status
	logger *slog.Logger // nil without -v
	color  string
}

// style says how to write to stdout or stderr.
func (a *app) style(w io.Writer) render.Style {
	color := a.color == "always" || a.color != "never" && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && isTerminal(w)
	return render.Style{Color: color, Width: terminalWidth(w)}
}

// env is an environment variable, "" if it is not set.
func (a *app) env(name string) string {
	value, _ := a.lookupEnv(name)
	return value
}

// showStatus makes the run's status, with a line if stderr is a terminal that can
// clear one. A job's log may pass for one.
func (a *app) showStatus(stdout, stderr *stream) {
	var line *stream
	if isTerminal(stderr) && a.env("TERM") != "dumb" && a.env("CI") == "" {
		line = stderr
	}
	a.status = newStatus(a.now, line, func() int { return terminalWidth(stderr) })
	if line != nil {
		stdout.status, stderr.status = a.status, a.status
	}
}

// interrupted writes to stderr that the run is interrupted, and what that means.
func (a *app) interrupted(what string) {
	begin := ""
	if a.status.line != nil {
		begin = takeBack // the terminal's "^C"
	}
	fmt.Fprintf(a.stderr, "%sInterrupted: %s\n", begin, what)
}

// say writes one line to stderr.
func (a *app) say(format string, args ...any) {
	about := ""
	if a.account != "" {
		about = a.account + ": "
	}
	fmt.Fprintf(a.stderr, "flexsync: "+about+format+"\n", args...)
}

// lines makes each line of a message safe, and indents those after the first.
func lines(s, indent string) string {
	parts := strings.Split(s, "\n")
	for i := range parts {
		parts[i] = safetext.Line(parts[i])
	}
	return strings.Join(parts, "\n"+indent)
}

// sayError writes an error and its hint.
func (a *app) sayError(err error) {
	a.say("%s", lines(err.Error(), "    "))
	a.hint(hintOf(err))
}

// hint writes to stderr what to do next, indented below what was said.
func (a *app) hint(hint string) {
	if hint != "" {
		fmt.Fprintf(a.stderr, "    %s\n", lines(hint, "    "))
	}
}

// written says of an error that it is one of writing to stdout.
func written(err error) error {
	if err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// writeDocument writes the one JSON document of a run to stdout.
func (a *app) writeDocument(doc any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := a.stdout.Write(safetext.JSON(text.Bytes()))
	return written(err)
}

// count is "1 flow" or "2 flows".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func newLogger(w io.Writer, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		// Headers, links and errors come from the API, and neither form of the
		// log escapes what a terminal or a job's runner obeys.
		switch v := attr.Value.Any().(type) {
		case string, error:
			attr.Value = slog.StringValue(safetext.Line(fmt.Sprint(v)))
		}
		return attr
	}}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// countKinds says how many resources of some kinds there are: "2 flows and 1 address".
func countKinds(kinds []*schema.Kind, of func(*schema.Kind) int) string {
	parts := make([]string, len(kinds))
	for i, k := range kinds {
		parts[i] = count(of(k), k.Name)
	}
	return strings.Join(parts, " and ")
}
