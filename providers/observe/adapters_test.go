package observe

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
)

// There is one adapter for each part of what is needed, and its name is that part's.
func TestOneAdapterAGroup(t *testing.T) {
	var adapters, groups []string
	for field := range reflect.TypeFor[Observer]().Fields() {
		if field.Type.Kind() == reflect.Interface {
			adapters = append(adapters, field.Name)
		}
	}
	for field := range reflect.TypeFor[providers.Needs]().Fields() {
		groups = append(groups, field.Name)
	}
	if diff := cmp.Diff(groups, adapters); diff != "" {
		t.Errorf("adapters (-needs +observer):\n%s", diff)
	}
}

// The package fans out: what a distribution keeps where is known to those whom it asks.
func TestItKnowsNoDistribution(t *testing.T) {
	files, err := filepath.Glob("*.go")
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	known := regexp.MustCompile(`(?i)k3s|rke2|kubespray|kubeadm|clusterconfiguration`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := known.Find(text); found != nil {
			t.Errorf("%s speaks of %s", name, found)
		}
	}
}
