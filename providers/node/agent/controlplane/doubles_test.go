package controlplane_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
)

func TestDoubles(t *testing.T) {
	pod := func(name string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  namespace: kube-system\nspec: {containers: [{name: " + name + "}]}\n"
	}
	for name, test := range map[string]struct {
		file, text string
		want       []facts.DoubleManifest
	}{
		"the component's own": {"kube-scheduler.yaml", pod("kube-scheduler"), nil},
		"a copy": {"kube-scheduler.yaml.bak", pod("kube-scheduler"), []facts.DoubleManifest{
			{Component: "kube-scheduler", Path: "/etc/kubernetes/manifests/kube-scheduler.yaml.bak"},
		}},
		"a copy without an end": {"etcd", pod("etcd"), []facts.DoubleManifest{{Component: "etcd", Path: "/etc/kubernetes/manifests/etcd"}}},
		"a copy under another component's name": {"kube-vip.yaml", pod("etcd"), []facts.DoubleManifest{
			{Component: "etcd", Path: "/etc/kubernetes/manifests/kube-vip.yaml"},
		}},
		"what the kubelet ignores":  {".kube-scheduler.yaml.swp", pod("kube-scheduler"), nil},
		"another static pod":        {"kube-vip.yaml", pod("kube-vip"), nil},
		"a file that is no pod":     {"notes.txt", "kind: List\nmetadata: {name: etcd}\n", nil},
		"a file that is no YAML":    {"notes.txt", "a: b: c", nil},
		"a directory of that name":  {"kube-scheduler.bak/x.yaml", pod("kube-scheduler"), nil},
		"no directory of manifests": {"", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if test.file != "" {
				file := filepath.Join(root, "etc/kubernetes/manifests", test.file)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := disk.Open(root)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if diff := cmp.Diff(test.want, controlplane.Doubles(d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
