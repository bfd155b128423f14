package schema

import (
	"cmp"
	"io"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"flexsync/internal/yamldoc"
)

// defaultPaths are tried when no path is given.
var defaultPaths = []string{"flows.yaml", "flows.yml", "flows/"}

// envPrefix begins the only environment variables that YAML can read.
const envPrefix = "FLEXSYNC_VAR_"

// Options are the options of [Load]. The zero value has no variables and no
// standard input.
type Options struct {
	// Variables are looked up in Vars, then in VarFiles (the last file first),
	// then with LookupEnv. VarFiles are paths of flat YAML mappings.
	Vars     map[string]string
	VarFiles []string
	// LookupEnv is called with FLEXSYNC_VAR_<name> and nothing else, by several
	// goroutines at once. It may be nil.
	LookupEnv func(string) (string, bool)

	// AllowUnset accepts variables that are not set. Values that hold one are
	// not checked, so the Config is only good for counting its resources.
	AllowUnset bool

	Stdin io.Reader // read for the path "-"
	Dir   string    // searched when no path is given; "" is the current directory
}

// Load reads files, directories (every *.yaml and *.yml below them in any case,
// sorted; links are followed, hidden files and the variable files are skipped) and
// "-". A file that several paths lead to is read once. Without paths it reads
// flows.yaml, flows.yml or flows/ in opts.Dir, of which exactly one must exist.
//
// The error is yamldoc.Problems when the input is at fault; that includes a path
// that does not exist. Any other error comes from the operating system.
func Load(paths []string, opts Options) (*Config, error) {
	varFiles, problems, err := yamldoc.ReadVarFiles(opts.VarFiles)
	if err != nil {
		return nil, err
	}
	vars := &yamldoc.Variables{
		Flags: opts.Vars, Files: varFiles, LookupEnv: opts.LookupEnv, EnvPrefix: envPrefix,
		// Without one of the files, every variable of it would be unset.
		Lenient: opts.AllowUnset || len(problems) > 0,
	}
	inputs, found := Inputs(paths, opts)
	problems = append(problems, found...)

	parts := make([]contents, len(inputs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, in := range inputs {
		g.Go(func() error {
			src, problem, err := yamldoc.ReadSource(in, opts.Stdin)
			switch {
			case err != nil:
				return err
			case problem != nil:
				parts[i].problems = yamldoc.Problems{*problem}
			default:
				parts[i] = newDecoder(src, vars).file()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}

	whole := join(parts)
	whole.problems = append(problems, whole.problems...)
	whole.check()
	if len(whole.problems) == 0 && len(whole.managed) == 0 {
		whole.problems = yamldoc.Problems{{Pos: yamldoc.Pos{File: inputs[0].Name}, Path: "flows", Message: "the files declare no flows",
			Hint: "write flows: [] if the account should have none"}}
	}
	if len(whole.problems) > 0 {
		return nil, whole.problems.Tidy()
	}
	slices.SortStableFunc(whole.warnings, func(a, b Warning) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Code, b.Code))
	})
	config := &Config{Resources: whole.declared, Warnings: whole.warnings, Files: len(inputs)}
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
	whole := &contents{managed: make(map[*Kind]bool)}
	for i := range parts {
		p := &parts[i]
		whole.problems = append(whole.problems, p.problems...)
		whole.warnings = append(whole.warnings, p.warnings...)
		whole.accounts = append(whole.accounts, p.accounts...)
		whole.ignore = append(whole.ignore, p.ignore...)
		whole.declared = append(whole.declared, p.declared...)
		whole.facts = append(whole.facts, p.facts...)
		maps.Copy(whole.managed, p.managed)
	}
	return whole
}

// Inputs finds the files that [Load] would read, in its order, and what is wrong
// with the paths.
func Inputs(paths []string, opts Options) ([]yamldoc.Input, yamldoc.Problems) {
	return yamldoc.FindInputs(paths, opts.Dir, defaultPaths, opts.VarFiles)
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
