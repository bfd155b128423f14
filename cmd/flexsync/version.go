package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of this source tree, which its tag repeats.
const release = "v0.1.0"

// tagged is the version of a binary of a release; the linker sets it (-X).
var tagged string

// version is that of the released binary, or else the one that Go derives from
// the clone (a tag, or a pseudo-version for commits after it), or else, built from
// no clone, the version of the source tree.
func version(info *debug.BuildInfo, ok bool) string {
	if tagged != "" {
		return tagged
	}
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return release
}

type versionCmd struct{}

func (versionCmd) Help() string {
	return `
Examples:

	flexsync version`
}

func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, versionText(a.version))
	return written(err)
}

// versionText is what version and --version print: version, commit, Go version.
func versionText(version string) string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		dirty := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = " (modified)"
			}
		}
		commit += dirty
	}
	return fmt.Sprintf("flexsync %s\ncommit %s\n%s %s/%s",
		version, cmp.Or(commit, "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func userAgent(version string) string {
	return fmt.Sprintf("flexsync/%s (%s; %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
