package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// role is what of a ClusterRole these tests read.
type role struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Rules []struct {
		APIGroups []string `json:"apiGroups"`
		Resources []string `json:"resources"`
		Verbs     []string `json:"verbs"`
	} `json:"rules"`
}

func roles(t *testing.T) map[string]role {
	t.Helper()
	found := map[string]role{}
	for _, text := range strings.Split(clusterRoles, "\n---\n") {
		var r role
		if err := yaml.UnmarshalStrict([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind != "ClusterRole" {
			t.Errorf("a %q is printed", r.Kind)
		}
		found[r.Metadata.Name] = r
	}
	return found
}

// allows reports whether a role has a rule of its own for a verb; a rule for everything does not count.
func (r role) allows(group, resource, verb string) bool {
	for _, rule := range r.Rules {
		if slices.Contains(rule.APIGroups, group) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb) {
			return true
		}
	}
	return false
}

// Observing changes nothing, and every verb of applying that stands in the code of the adapters is named.
func TestClusterRoles(t *testing.T) {
	found := roles(t)
	observe, apply := found["upkeep-observe"], found["upkeep-apply"]
	for _, rule := range observe.Rules {
		for _, verb := range rule.Verbs {
			if verb != "get" && verb != "list" {
				t.Errorf("observing may %s %q", verb, rule.Resources)
			}
		}
	}
	// Whoever may run commands in a provider's container can read its wallet: observing may not, and the role that may is named
	// for that and allows nothing else.
	if observe.allows("", "pods/exec", "create") || observe.allows("", "pods/log", "get") {
		t.Error("observing may run commands in pods")
	}
	inPod := found["upkeep-measure-in-pod"]
	if !inPod.allows("", "pods/exec", "create") || !inPod.allows("", "pods/log", "get") || len(inPod.Rules) != 2 {
		t.Errorf("measuring in a pod may %+v", inPod.Rules)
	}
	if !strings.Contains(clusterRoles, "CAN READ THE WALLET") {
		t.Error("nothing says that a role can read the wallet")
	}
	call := regexp.MustCompile(`\.(CoreV1|AppsV1|CoordinationV1)\(\)\.([A-Z][A-Za-z]+)\(.*\)\.(Get|List|Create|Update|Delete|Patch|Watch)\(`)
	groups := map[string]string{"CoreV1": "", "AppsV1": "apps", "CoordinationV1": "coordination.k8s.io"}
	seen := 0
	for _, dir := range []string{"kube", "helm"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "providers", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer text.Close()
			for lines := bufio.NewScanner(text); lines.Scan(); {
				m := call.FindStringSubmatch(lines.Text())
				if m == nil {
					continue
				}
				seen++
				group, resource, verb := groups[m[1]], strings.ToLower(m[2]), strings.ToLower(m[3])
				if !observe.allows(group, resource, verb) && !apply.allows(group, resource, verb) {
					t.Errorf("%s: no role lets upkeep %s %s of %q", name, verb, resource, group)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d calls were found", seen)
	}
}
