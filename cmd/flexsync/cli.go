package main

import (
	"cmp"
	"context"
	"io"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"flexsync/internal/yamldoc"
	"flexsync/plan"
	"flexsync/schema"
)

// grammar is the whole command line.
type grammar struct {
	Plan     planCmd     `cmd:"" help:"Show what apply would change. Reads only."`
	Apply    applyCmd    `cmd:"" help:"Make the account match the YAML."`
	Validate validateCmd `cmd:"" help:"Check the YAML without reading the account."`
	Export   exportCmd   `cmd:"" help:"Write the account as YAML."`
	Migrate  migrateCmd  `cmd:"" help:"Print the YAML with addresses in place of flows."`
	List     listCmd     `cmd:"" help:"List the account's flows or addresses and their SIDs."`
	Show     showCmd     `cmd:"" help:"Show one flow or address of the account as YAML."`
	Whoami   whoamiCmd   `cmd:"" help:"Show the account, the credentials in use and what answers."`
	Init     initCmd     `cmd:"" help:"Start a repository for the flows."`
	Schema   schemaCmd   `cmd:"" help:"Print the JSON Schema of the YAML, for editors."`
	Emulate  emulateCmd  `cmd:"" help:"Serve the embedded API on this machine."`

	Completion completionCmd `cmd:"" help:"Print a shell completion script."`
	Complete   completeCmd   `cmd:"" hidden:"" help:"Answer a completion script."`
	Version    versionCmd    `cmd:"" help:"Show version, commit and Go version."`
	Help       helpCmd       `cmd:"" help:"Show help for a command."`

	ShowVersion kong.VersionFlag `name:"version" group:"global" help:"Show version, commit and Go version."`

	Verbose   bool   `short:"v" group:"global" help:"Log each request to stderr."`
	LogFormat string `default:"text" enum:"text,json" group:"global" help:"Format of the log: text or json."`
	Color     string `default:"auto" enum:"auto,always,never" group:"global" help:"Colour: auto (on a terminal, unless NO_COLOR is set or TERM is dumb), always or never."`
}

// groups are the headings of flags in the help. They stand in the order in which
// a command's struct first names them.
var groups = []kong.Group{
	{Key: "selection", Title: "Selection:"},
	{Key: "safety", Title: "Safety:"},
	{Key: "connection", Title: "Connection:"},
	{Key: "output", Title: "Output:"},
	{Key: "global", Title: "Global:"},
}

// inputFlags belong to every command that reads YAML.
type inputFlags struct {
	Var       []string `sep:"none" placeholder:"NAME=VALUE" group:"selection" help:"Set a YAML variable (repeatable)."`
	SecretVar []string `sep:"none" placeholder:"NAME" group:"selection" help:"Hide this YAML variable, and every value that holds it, in all output (repeatable)."`
	VarFile   []string `sep:"none" placeholder:"FILE" file:"vars" group:"selection" help:"Read variables from a flat YAML file (repeatable; later files win)."`

	fleet        bool         // they are those of an account in a fleet file
	unusedSecret func(string) // see schema.Options
	release      func()       // ends hold; nil without
}

// accountFlags belong to every command that reads the account.
type accountFlags struct {
	BaseURL string        `placeholder:"URL" group:"connection" help:"Address of the API (or FLEXSYNC_BASE_URL). Plain http works only for this machine."`
	Local   string        `placeholder:"FILE" file:"account" group:"connection" help:"Use the embedded API with its account in FILE (or FLEXSYNC_LOCAL). Needs no credentials and no network."`
	Profile string        `placeholder:"NAME" file:"profile" group:"connection" help:"Take the credentials from a twilio-cli profile."`
	Timeout time.Duration `default:"30s" group:"connection" help:"Time limit for one request."`

	prefix string // of the variables that have the credentials, as a fleet file gives it; "": none
}

// planFlags shape a plan.
type planFlags struct {
	Ignore     []string `sep:"none" placeholder:"GLOB" group:"selection" help:"Leave these names or SIDs out of the run (repeatable)."`
	Only       []string `sep:"none" placeholder:"GLOB" group:"selection" help:"Plan only these names or SIDs (repeatable)."`
	NoDelete   bool     `group:"safety" help:"Keep what the run would delete."`
	MaxDeletes string   `placeholder:"N|P%" group:"safety" help:"Refuse to delete more of a kind than this (default 25%)."`
	CheckRefs  bool     `group:"safety" help:"Also look up the SIDs that flows and addresses refer to, and warn about missing resources and draft Studio flows."`
}

// planInput belongs to every command that makes a plan.
type planInput struct {
	Paths []string `arg:"" optional:"" name:"path" file:"yaml" help:"Files, directories or - (default: flows.yaml, flows.yml or flows/)."`

	inputFlags
	planFlags
	baseFlags
	accountFlags

	unmatched func(*plan.UnmatchedError)     // see plan.Input
	loadBase  func() (*schema.Config, error) // in a fleet, whose base is no YAML; nil: Base is
}

// run is the program: it parses args, runs the command and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookupEnv func(string) (string, bool)) int {
	out, conversation := newStream(ctx, stdout), newStream(ctx, stderr)
	a := &app{
		stdin: stdin, stdout: out, stderr: conversation, lookupEnv: lookupEnv, files: new(yamldoc.Files),
		now: time.Now, version: version(debug.ReadBuildInfo()),
	}
	a.showStatus(out, conversation)
	defer a.status.close()
	var cli grammar
	type exit struct{} // what kong does after --help and --version
	parser, err := newParser(&cli, kong.Writers(stdout, stderr), kong.Exit(func(int) { panic(exit{}) }),
		kong.Vars{"version": versionText(a.version)})
	if err != nil {
		a.say("%v", err)
		return exitError
	}
	// Parsing prints the help, on the real stdout: kong asks it for its width.
	kctx, err := await(ctx.Done(), grace, func() (kctx *kong.Context, err error) {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case exit:
				kctx, err = nil, nil
			default:
				panic(p)
			}
		}()
		return parser.Parse(args)
	})
	switch {
	case isNoCommand(err):
		parser.Stdout = stderr // the help is not what was asked for
		return cmp.Or(a.fail(ctx, printHelp(ctx, parser), false), exitInput)
	case err != nil:
		return a.fail(ctx, usageError(parser.Model, err), wantsJSON(args))
	case kctx == nil:
		return exitOK
	}
	if err := a.checkOutputs(kctx.Selected()); err != nil {
		return a.fail(ctx, err, wantsJSON(args))
	}
	a.color = cli.Color
	if cli.Verbose {
		a.logger = newLogger(a.stderr, cli.LogFormat)
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	return a.fail(ctx, kctx.Run(a), wantsJSON(args))
}

// newParser makes the parser of the command line. An empty value is an error for
// every flag and argument: it comes from an unset shell variable, and must not
// pass for a flag that was not given. Only a word that is still being typed may
// be empty (the tag "typing").
func newParser(cli *grammar, options ...kong.Option) (*kong.Kong, error) {
	notEmpty := kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var s string
		if err := ctx.Scan.PopValueInto("string", &s); err != nil {
			return err
		}
		if s == "" && !ctx.Value.Tag.Has("typing") {
			return &emptyValueError{ctx.Value}
		}
		target.SetString(s)
		return nil
	})
	parser, err := kong.New(cli, append([]kong.Option{
		kong.Name("flexsync"),
		kong.Description("Keeps the Flex Flows and Conversations Addresses of a Twilio account equal to YAML files."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ExplicitGroups(groups),
		kong.Help(func(options kong.HelpOptions, at *kong.Context) error {
			if n := at.Selected(); n != nil { // kong puts the flags of all commands first
				n.Flags, n.Parent.Flags = append(n.Flags, n.Parent.Flags...), nil
			}
			return kong.DefaultHelpPrinter(options, at)
		}),
		kong.ShortUsageOnError(),
		kong.KindMapper(reflect.String, notEmpty),
	}, options...)...)
	if err == nil {
		parser.Model.HelpFlag.Group = &groups[len(groups)-1]
	}
	return parser, err
}

// emptyValueError is the error of a flag or argument whose value is empty.
type emptyValueError struct{ value *kong.Value }

func (e *emptyValueError) Error() string {
	name := "--" + e.value.Name
	if e.value.Flag == nil {
		name = strings.ToUpper(e.value.Name)
	}
	return name + " must not be empty"
}

// wantsJSON finds the output format in arguments that may not parse.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--format=json" || arg == "--format" && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}
