package schema

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/yamldoc"
)

// defaultPaths are tried when no path is given.
var defaultPaths = []string{"flows.yaml", "flows.yml", "flows/"}

// EnvPrefix and SecretPrefix begin the only environment variables that YAML can read.
const (
	EnvPrefix    = "FLEXSYNC_VAR_"
	SecretPrefix = "FLEXSYNC_SECRET_"
)

// Options are the options of [Load]. The zero value has no variables and no
// standard input.
type Options struct {
	// Variables are looked up in Vars, then in VarFiles (the last file first),
	// then with LookupEnv. VarFiles are paths of flat YAML mappings.
	Vars     map[string]string
	VarFiles []string
	Fleet    bool // they are those of an account in a fleet file
	// LookupEnv is called with FLEXSYNC_VAR_<name> and FLEXSYNC_SECRET_<name> and
	// nothing else, by several goroutines at once. It may be nil.
	LookupEnv func(string) (string, bool)
	// Secrets names variables that are secret, as those of FLEXSYNC_SECRET_<name>
	// are. One that no file uses is a problem, since the name may be misspelt, or,
	// unless UnusedSecret is nil, told to it.
	Secrets      []string
	UnusedSecret func(name string)

	// AllowUnset accepts variables that are not set. Values that hold one are
	// not checked, so the Config is only good for counting its resources.
	AllowUnset bool

	// FlowsOnly is called as soon as the files are read, and before they are parsed, if
	// no file mentions another kind: the account's flows can be listed meanwhile. It
	// may be nil.
	FlowsOnly func()

	Stdin io.Reader // read for the path "-"
	Dir   string    // searched when no path is given; "" is the current directory

	// Files has what other Loads of the run have read already; nil is nothing.
	Files *yamldoc.Files
}

func (o *Options) files() *yamldoc.Files {
	if o.Files == nil {
		o.Files = new(yamldoc.Files)
	}
	return o.Files
}

// Load reads files, directories (every *.yaml and *.yml below them in any case,
// sorted; links are followed, hidden files and the variable files are skipped) and
// "-". A file that several paths lead to is read once. Without paths it reads
// flows.yaml, flows.yml or flows/ in opts.Dir, of which exactly one must exist.
// opts.Files keeps the files that are at fault.
//
// The error is yamldoc.Problems when the input is at fault; that includes a path
// that does not exist. Any other error comes from the operating system.
func Load(paths []string, opts Options) (*Config, error) {
	files := opts.files()
	varFiles, problems, err := files.ReadVars(opts.VarFiles)
	if err != nil {
		return nil, err
	}
	vars := &yamldoc.Variables{
		Flags: opts.Vars, Files: varFiles, Fleet: opts.Fleet, LookupEnv: opts.LookupEnv,
		EnvPrefix: EnvPrefix, SecretPrefix: SecretPrefix, Secrets: make(map[string]bool, len(opts.Secrets)),
		// Without one of the files, every variable of it would be unset.
		Lenient: opts.AllowUnset || len(problems) > 0,
	}
	for _, name := range opts.Secrets {
		vars.Secrets[name] = true
	}
	inputs, found := Inputs(paths, opts)
	problems = append(problems, found...)

	parts := make([]contents, len(inputs))
	sources := make([]*yamldoc.Source, len(inputs))
	release := make([]func(), len(inputs))
	flowsOnly := len(inputs) > 0
	for i, in := range inputs {
		release[i] = files.Hold(in)
		src, problem, err := files.Read(in, opts.Stdin)
		switch {
		case err != nil:
			return nil, err
		case problem != nil:
			parts[i].problems = yamldoc.Problems{*problem}
			flowsOnly = false
		default:
			sources[i] = src
			flowsOnly = flowsOnly && !slices.ContainsFunc(Kinds, func(k *Kind) bool { return k != Flows && src.Mentions(k.Plural) })
		}
	}
	if flowsOnly && opts.FlowsOnly != nil {
		opts.FlowsOnly()
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, src := range sources {
		if src != nil {
			g.Go(func() error {
				parts[i] = newDecoder(src, vars).file()
				if sources[i] = nil; len(parts[i].problems) == 0 {
					release[i]() // the nodes of a large file take more memory than all else
				}
				return nil
			})
		}
	}
	_ = g.Wait() // problems are in the parts

	whole := join(parts)
	whole.problems = append(problems, whole.problems...)
	for _, name := range opts.Secrets {
		switch {
		case len(whole.problems) > 0 || whole.secrets[name]:
		case opts.UnusedSecret != nil:
			opts.UnusedSecret(name)
		default:
			whole.problems = append(whole.problems, yamldoc.Problem{Pos: yamldoc.Pos{File: "--secret-var"}, Message: fmt.Sprintf("no value in the YAML uses ${%s}", name), Hint: "correct the name, or omit the flag"})
		}
	}
	whole.check()
	if len(whole.problems) == 0 && len(whole.managed) == 0 {
		whole.problems = yamldoc.Problems{{Pos: yamldoc.Pos{File: inputs[0].Name}, Path: "flows", Message: "the files declare neither flows nor addresses",
			Hint: "if the account should have none, write flows: [] or addresses: []"}}
	}
	for i := range whole.problems {
		p := &whole.problems[i]
		p.Message, p.Hint = whole.mask.Text(p.Message), whole.mask.Text(p.Hint)
	}
	for i := range whole.warnings {
		whole.warnings[i].Message = whole.mask.Text(whole.warnings[i].Message)
	}
	if len(whole.problems) > 0 {
		return nil, whole.problems.Tidy()
	}
	slices.SortStableFunc(whole.warnings, func(a, b Warning) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Code, b.Code))
	})
	config := &Config{Resources: whole.declared, Warnings: whole.warnings, Files: len(inputs), Mask: &whole.mask}
	for _, k := range Kinds {
		if whole.managed[k] {
			config.Kinds = append(config.Kinds, k)
		}
	}
	if len(whole.accounts) > 0 {
		config.AccountSID, config.AccountSIDPos = whole.accounts[0].value, whole.accounts[0].pos
	}
	for _, g := range whole.ignore {
		config.Ignore = append(config.Ignore, g.value)
	}
	return config, nil
}

// join concatenates the contents of several files.
func join(parts []contents) *contents {
	if len(parts) == 1 {
		return &parts[0]
	}
	whole := &contents{managed: make(map[*Kind]bool), secrets: make(map[string]bool)}
	for i := range parts {
		p := &parts[i]
		whole.problems = append(whole.problems, p.problems...)
		whole.warnings = append(whole.warnings, p.warnings...)
		whole.accounts = append(whole.accounts, p.accounts...)
		whole.ignore = append(whole.ignore, p.ignore...)
		whole.declared = append(whole.declared, p.declared...)
		whole.facts = append(whole.facts, p.facts...)
		maps.Copy(whole.managed, p.managed)
		maps.Copy(whole.secrets, p.secrets)
		whole.mask.Join(&p.mask)
	}
	return whole
}

// Inputs finds the files that [Load] would read, in its order, and what is wrong
// with the paths.
func Inputs(paths []string, opts Options) ([]yamldoc.Input, yamldoc.Problems) {
	return opts.files().Find(paths, opts.Dir, defaultPaths, opts.VarFiles)
}

// Hold keeps in opts.Files what is read of the files that [Load] would read, variable
// files included, until release is called: so that other Loads need not read what they
// share.
func Hold(paths []string, opts Options) (release func()) {
	inputs, _ := Inputs(paths, opts)
	for _, path := range opts.VarFiles {
		inputs = append(inputs, yamldoc.Input{Name: path, Path: path})
	}
	return opts.files().Hold(inputs...)
}

// Files lists the files that [Load] would read, in its order and as it names
// them, with "-" for standard input. It opens none, and leaves out what it cannot
// find: Load reports that.
func Files(paths []string, opts Options) (files []string) {
	inputs, _ := Inputs(paths, opts)
	for _, in := range inputs {
		files = append(files, in.Path)
	}
	return files
}
