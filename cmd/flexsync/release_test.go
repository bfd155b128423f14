package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
)

func TestVersion(t *testing.T) {
	info := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}}
	}
	const pseudo = "v0.1.1-0.20260102030405-0123456789ab+dirty"
	for name, test := range map[string]struct {
		info   *debug.BuildInfo
		tagged string
		want   string
	}{
		"released":  {info(pseudo), "v1.2.3-rc.1", "v1.2.3-rc.1"},
		"clone":     {info(pseudo), "", pseudo},
		"no clone":  {info("(devel)"), "", release},
		"no module": {info(""), "", release},
		"no info":   {nil, "", release},
	} {
		t.Run(name, func(t *testing.T) {
			tagged = test.tagged
			t.Cleanup(func() { tagged = "" })
			if have := version(test.info, test.info != nil); have != test.want {
				t.Errorf("version %s, want %s", have, test.want)
			}
		})
	}
}

// released is what a release has: an archive with a flexsync that says on stdout
// that it runs.
func released(t *testing.T, archive string) []byte {
	t.Helper()
	const script = "#!/bin/sh\necho runs >>ran\necho \"flexsync $0 $*\"\n"
	var b bytes.Buffer
	var err error
	if strings.HasSuffix(archive, ".zip") {
		w := zip.NewWriter(&b)
		header := &zip.FileHeader{Name: "flexsync.exe"}
		header.SetMode(0o755)
		f, cerr := w.CreateHeader(header)
		if cerr != nil {
			t.Fatal(cerr)
		}
		if _, err = f.Write([]byte(script)); err == nil {
			err = w.Close()
		}
	} else {
		gz := gzip.NewWriter(&b)
		w := tar.NewWriter(gz)
		for _, name := range []string{"LICENSE", "flexsync"} {
			if err = w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(script))}); err != nil {
				break
			}
			if _, err = w.Write([]byte(script)); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = gz.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestActionDownload has the action take a released flexsync from a server that
// stands for GitHub.
func TestActionDownload(t *testing.T) {
	t.Parallel()
	const (
		builds = "flexsync is built from source: "
		linux  = "flexsync_1.2.3_linux_amd64.tar.gz"
	)
	for name, test := range map[string]struct {
		env     []string
		archive string // what the release has
		sum     string // in its checksums; "" is the right one
		binary  string // the output; "" for none
		exit    int
		says    string
	}{
		"Linux":        {nil, linux, "", "/flexsync", 0, "flexsync version\n"},
		"macOS":        {[]string{"RUNNER_OS=macOS", "RUNNER_ARCH=ARM64"}, "flexsync_1.2.3_darwin_arm64.tar.gz", "", "/flexsync", 0, "flexsync version\n"},
		"Windows":      {[]string{"RUNNER_OS=Windows"}, "flexsync_1.2.3_windows_amd64.zip", "", "/flexsync.exe", 0, "flexsync.exe version\n"},
		"pre-release":  {[]string{"ACTION_REF=v1.2.3-rc.1"}, "flexsync_1.2.3-rc.1_linux_amd64.tar.gz", "", "/flexsync", 0, "flexsync version\n"},
		"altered":      {nil, linux, strings.Repeat("0", 64), "", 1, "::error title=flexsync action::the checksum of " + linux + " is not the one in checksums.txt. It was not unpacked."},
		"other sums":   {[]string{"RUNNER_ARCH=ARM64"}, linux, "", "", 0, builds + "the release has no flexsync_1.2.3_linux_arm64.tar.gz\n"},
		"no archive":   {nil, linux, "absent", "", 0, builds + linux + " could not be downloaded\n"},
		"no release":   {[]string{"ACTION_REF=v9.9.9"}, linux, "", "", 0, builds + "no release could be downloaded from http://"},
		"offline":      {[]string{"GITHUB_SERVER_URL=http://127.0.0.1:1"}, linux, "", "", 0, builds + "no release could be downloaded from http://127.0.0.1:1/"},
		"branch":       {[]string{"ACTION_REF=main"}, linux, "", "", 0, builds + "the action is not used at the tag"},
		"commit":       {[]string{"ACTION_REF=" + strings.Repeat("a", 40)}, linux, "", "", 0, builds + "the action is not used at the tag"},
		"local":        {[]string{"ACTION_REF=", "ACTION_REPOSITORY="}, linux, "", "", 0, builds + "the action is not used at the tag"},
		"hostile":      {[]string{"ACTION_REF=v1.2.3-$(touch pwned)"}, linux, "", "", 0, builds + "the action is not used at the tag"},
		"system":       {[]string{"RUNNER_OS=Plan9"}, linux, "", "", 0, builds + "there is no release for this operating system"},
		"architecture": {[]string{"RUNNER_ARCH=X86"}, linux, "", "", 0, builds + "there is no release for this architecture"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needs(t, "curl", "tar")
			if strings.HasSuffix(test.archive, ".zip") {
				needs(t, "unzip")
			}
			data := released(t, test.archive)
			sum := test.sum
			if sum == "" || sum == "absent" {
				sum = fmt.Sprintf("%x", sha256.Sum256(data))
			}
			version, _, _ := strings.Cut(strings.TrimPrefix(test.archive, "flexsync_"), "_")
			base := "/octo/flexsync/releases/download/v" + version + "/"
			var mu sync.Mutex
			var asked []string
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, r.URL.Path)
				mu.Unlock()
				switch {
				case r.URL.Path == base+"checksums.txt":
					fmt.Fprintf(w, "%s  %s.sbom.json\n%s  %s\n", strings.Repeat("1", 64), test.archive, sum, test.archive)
				case r.URL.Path == base+test.archive && test.sum != "absent":
					_, _ = w.Write(data)
				default:
					http.NotFound(w, r)
				}
			}))
			t.Cleanup(web.Close)

			a := newAction(t, nil)
			env := append([]string{
				"GITHUB_SERVER_URL=" + web.URL, "ACTION_REPOSITORY=octo/flexsync", "ACTION_REF=v1.2.3", "RUNNER_OS=Linux", "RUNNER_ARCH=X64",
			}, test.env...)
			said, exit := a.run(a.step("download.sh").Run, env...)
			if exit != test.exit || !strings.Contains(said, test.says) {
				t.Errorf("exit %d, want %d and %q in\n%s", exit, test.exit, test.says, said)
			}
			binary, given := strings.CutPrefix(a.read("outputs"), "binary=")
			binary = strings.TrimSuffix(binary, "\n")
			if given != (test.binary != "") || !strings.HasSuffix(binary, test.binary) {
				t.Errorf("output %q, want one that ends in %q", binary, test.binary)
			}
			if ran := a.read("ran") != ""; ran != given {
				t.Errorf("what was downloaded ran: %t", ran)
			}
			if given {
				if out, exit := a.run(`"$BINARY" again`, "BINARY="+binary); exit != 0 || !strings.Contains(out, " again") {
					t.Errorf("exit %d\n%s", exit, out)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(test.says, "not used at the tag") && len(asked) > 0 {
				t.Errorf("it asks for %q", asked)
			}
		})
	}
}

// TestActionTakesTheRelease holds the order in which the action looks for a
// flexsync: the input, the release, the source.
func TestActionTakesTheRelease(t *testing.T) {
	t.Parallel()
	a := newAction(t, nil)
	for script, want := range map[string]string{
		"download.sh": "inputs.binary == ''",
		"build.sh":    "inputs.binary == '' && steps.download.outputs.binary == ''",
	} {
		if have := a.step(script).If; have != want {
			t.Errorf("%s runs if %s, want %s", script, have, want)
		}
	}
	if have, want := a.step("run.sh").Env["INPUT_BINARY"], "${{ inputs.binary || steps.download.outputs.binary || steps.build.outputs.binary }}"; have != want {
		t.Errorf("run.sh runs %s, want %s", have, want)
	}
	env := a.step("download.sh").Env
	if env["ACTION_REF"] != "${{ github.action_ref }}" || env["ACTION_REPOSITORY"] != "${{ github.action_repository }}" {
		t.Errorf("it downloads of %v", env)
	}
	for _, s := range a.file.Runs.Steps {
		if strings.HasPrefix(s.Uses, "actions/setup-go@") && s.If != a.step("build.sh").If {
			t.Errorf("Go is set up if %s", s.If)
		}
	}
}
