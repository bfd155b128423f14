package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const kubernetesDir = "examples/ci/kubernetes"

// kubernetesCheck reads manifests into the types of the Kubernetes API and
// refuses what these do not have.
const (
	kubernetesModule = `module check

go 1.26.0

require (
	k8s.io/api v0.34.1
	sigs.k8s.io/yaml v1.6.0
)
`
	kubernetesCheck = `package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	for _, doc := range strings.Split(string(data), "\n---\n") {
		var kind struct{ APIVersion, Kind string }
		if err == nil {
			err = yaml.Unmarshal([]byte(doc), &kind)
		}
		var into any
		switch kind.APIVersion + " " + kind.Kind {
		case "batch/v1 CronJob":
			into = &batchv1.CronJob{}
		case "v1 ServiceAccount":
			into = &corev1.ServiceAccount{}
		default:
			err = fmt.Errorf("unknown kind %v", kind)
		}
		if err == nil {
			err = yaml.UnmarshalStrict([]byte(doc), into)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}
`
)

// TestKubernetesTypes holds the manifests against the types of the Kubernetes
// API, in a module of its own.
func TestKubernetesTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "go.mod"), kubernetesModule)
	writeText(t, filepath.Join(dir, "main.go"), kubernetesCheck)
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "check", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	fetched(t, "k8s.io/api", out, err)
	data, err := os.ReadFile(filepath.Join(repository, kubernetesDir, "cronjob.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "check"))
		cmd.Stdin = strings.NewReader(text)
		return cmd.CombinedOutput()
	}
	if out, err := check(string(data)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := check(strings.Replace(string(data), "concurrencyPolicy:", "concurrentPolicy:", 1)); err == nil {
		t.Errorf("a wrong key is accepted:\n%s", out)
	}
}

// cronJob is what the tests look at.
type cronJob struct {
	Kind string
	Spec struct {
		Schedule          string
		ConcurrencyPolicy string `yaml:"concurrencyPolicy"`
		JobTemplate       struct {
			Spec struct {
				BackoffLimit          *int `yaml:"backoffLimit"`
				ActiveDeadlineSeconds int  `yaml:"activeDeadlineSeconds"`
				PodFailurePolicy      struct {
					Rules []struct {
						Action      string
						OnExitCodes struct {
							ContainerName string `yaml:"containerName"`
							Operator      string
							Values        []int
						} `yaml:"onExitCodes"`
					}
				} `yaml:"podFailurePolicy"`
				Template struct {
					Spec struct {
						RestartPolicy   string         `yaml:"restartPolicy"`
						AutomountToken  *bool          `yaml:"automountServiceAccountToken"`
						SecurityContext map[string]any `yaml:"securityContext"`
						Containers      []struct {
							Name            string
							Image           string
							Args            []string
							EnvFrom         []map[string]map[string]string `yaml:"envFrom"`
							VolumeMounts    []map[string]any               `yaml:"volumeMounts"`
							SecurityContext map[string]any                 `yaml:"securityContext"`
							Resources       map[string]map[string]string
						}
						Volumes []struct {
							Name      string
							ConfigMap map[string]string `yaml:"configMap"`
						}
					}
				}
			}
		} `yaml:"jobTemplate"`
	}
}

// TestKubernetes holds the CronJob against what the README says of it, and runs
// its container's arguments against the embedded API, on a volume as the kubelet
// makes it of a ConfigMap.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, kubernetesDir, "cronjob.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var c cronJob
	for c.Kind != "CronJob" {
		c = cronJob{}
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
	}
	job := c.Spec.JobTemplate.Spec
	pod := job.Template.Spec
	if len(pod.Containers) != 1 || len(pod.Volumes) != 1 {
		t.Fatalf("%d containers, %d volumes", len(pod.Containers), len(pod.Volumes))
	}
	box := pod.Containers[0]
	for what, ok := range map[string]bool{
		"runs may overlap":           c.Spec.ConcurrencyPolicy == "Forbid",
		"there is no limit of tries": job.BackoffLimit != nil && *job.BackoffLimit <= 3,
		"there is no deadline":       job.ActiveDeadlineSeconds > 0,
		"the pod starts again":       pod.RestartPolicy == "Never",
		"it has a token":             pod.AutomountToken != nil && !*pod.AutomountToken,
		"it may be root":             pod.SecurityContext["runAsNonRoot"] == true,
		"the file system is writable": box.SecurityContext["readOnlyRootFilesystem"] == true &&
			box.SecurityContext["allowPrivilegeEscalation"] == false,
		"no limit of memory":       box.Resources["limits"]["memory"] != "",
		"the image has no version": strings.HasSuffix(box.Image, ":"+release),
		"no Secret":                len(box.EnvFrom) == 1 && box.EnvFrom[0]["secretRef"]["name"] != "",
		"no ConfigMap":             pod.Volumes[0].ConfigMap["name"] != "" && box.VolumeMounts[0]["name"] == pod.Volumes[0].Name && box.VolumeMounts[0]["readOnly"] == true,
		"--yes is not said":        slices.Contains(box.Args, "--yes"),
	} {
		if !ok {
			t.Errorf("%s", what)
		}
	}
	final := job.PodFailurePolicy.Rules[0]
	if final.Action != "FailJob" || final.OnExitCodes.ContainerName != box.Name || !slices.Equal(final.OnExitCodes.Values, []int{exitInput, exitRefused}) {
		t.Errorf("the first rule for failures: %+v", final)
	}

	// ..data is a link to the directory of this version of the ConfigMap, and
	// the files are links to those in ..data.
	server, env := ciServer(t, nil)
	volume := t.TempDir()
	version := filepath.Join(volume, "..2026_01_02_03_04_05.123")
	if err := os.Mkdir(version, 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"..data": filepath.Base(version), "flows.yaml": "..data/flows.yaml"} {
		if err := os.Symlink(target, filepath.Join(volume, link)); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := exec.LookPath("flexsync")
	if err != nil {
		t.Fatal(err)
	}
	mount, _ := box.VolumeMounts[0]["mountPath"].(string)
	pass := func(flows string) (string, int) {
		t.Helper()
		writeText(t, filepath.Join(version, "flows.yaml"), flows)
		var args []string
		for _, arg := range box.Args {
			if arg == mount {
				arg = volume
			}
			args = append(args, arg)
		}
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
		cmd.Dir = "/"
		cmd.Env = []string{env, "TWILIO_ACCOUNT_SID=" + testAccount, "TWILIO_API_KEY=" + testKey, "TWILIO_API_SECRET=" + testSecret,
			"GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for i, test := range []struct {
		flows string
		exit  int
		says  string
	}{
		{ciFlows, 0, `"status": "applied"`},
		{ciFlows, 0, `"status": "unchanged"`},
		{"version: 1\nflows: []\n", exitRefused, `"status": "refused"`},
		{"version: 2\n", exitInput, `"status": "error"`},
	} {
		if out, code := pass(test.flows); code != test.exit || !strings.Contains(out, test.says) {
			t.Errorf("run %d: exit %d, want %d\n%s", i+1, code, test.exit, out)
		}
	}
	if n := len(server.Flows()); n != 2 {
		t.Errorf("%d flows", n)
	}
}

// TestImagesHaveTheGo holds the images that flexsync is built in against go.mod.
func TestImagesHaveTheGo(t *testing.T) {
	t.Parallel()
	mod := readme(t, "go.mod")
	_, version, _ := strings.Cut(mod, "\ngo ")
	version, _, _ = strings.Cut(version, "\n")
	version = strings.Join(strings.Split(version, ".")[:2], ".")
	for _, file := range []string{gitlabFile, kubernetesDir + "/Dockerfile"} {
		if !strings.Contains(readme(t, file), "golang:"+version+"-") {
			t.Errorf("%s does not build with Go %s", file, version)
		}
	}
}
