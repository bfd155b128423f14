package platform

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestKubernetesTypes reads the manifests into the types of the Kubernetes API,
// which refuse what they do not have.
func TestKubernetesTypes(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"cronjob.yaml", "fleet-cronjob.yaml"} {
		text := readText(t, repository+"/examples/ci/kubernetes/"+file)
		if err := readManifests(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := readManifests(strings.Replace(text, "concurrencyPolicy:", "concurrentPolicy:", 1)); err == nil {
			t.Errorf("%s: a wrong key is accepted", file)
		}
	}
}

func readManifests(text string) error {
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			return err
		}
		var into any
		switch kind.APIVersion + " " + kind.Kind {
		case "batch/v1 CronJob":
			into = &batchv1.CronJob{}
		case "v1 ServiceAccount":
			into = &corev1.ServiceAccount{}
		default:
			return fmt.Errorf("unknown kind %v", kind)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
			return err
		}
	}
	return nil
}
