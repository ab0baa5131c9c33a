package upkeep

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTwoFakesOfHelm: what stands for Helm in tests is fakehelm, in which Helm's own code keeps its records in memory, or the model
// of simulated worlds, in which a world can stop at each instant of an operation. Everything else takes one of the two, since each
// further one would be right in its own way about what Helm leaves behind.
func TestTwoFakesOfHelm(t *testing.T) {
	var found []string
	note := func(pkg string) {
		if !slices.Contains(found, pkg) {
			found = append(found, pkg)
		}
	}
	// Helm's own means to do without a cluster.
	for _, imp := range imports(t) {
		if imp.path == "helm.sh/helm/v3/pkg/kube/fake" {
			note(imp.pkg)
		}
	}
	// Whoever keeps records of releases must know the statuses of an operation that is under way.
	err := filepath.WalkDir("fixtures", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" {
			return err
		}
		text, err := os.ReadFile(file)
		if strings.Contains(string(text), "facts.ReleasePending") || strings.Contains(string(text), `"pending-`) {
			note(path.Dir(filepath.ToSlash(file)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	if diff := cmp.Diff([]string{"fixtures/simulation/helm", "providers/helm/fakehelm"}, found); diff != "" {
		t.Errorf("fakes of Helm (-want +got):\n%s", diff)
	}
}
