package cdi_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/cdi"
	"upkeep/providers/node/agent/disk"
)

var written = time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)

func collect(t *testing.T, files map[string]string) facts.CDI {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	for p, text := range files {
		tree.Write(p, text)
		if tree.Err == nil {
			tree.Err = os.Chtimes(filepath.Join(tree.Root, p), written, written)
		}
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return cdi.Collect(d)
}

// generated is what nvidia-ctk cdi generate writes, shortened.
const generated = `---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/card0
      hostPath: /dev/dri/card1
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.120
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.120
  - hostPath: /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.124.06
  - hostPath: /run/nvidia-persistenced/socket
`

func TestCollect(t *testing.T) {
	got := collect(t, map[string]string{
		"etc/cdi/nvidia.yaml": generated, "etc/cdi/README": "x", "etc/cdi/other.json": `{"kind": "example.com/nic"}`,
		"run/cdi/management.yaml": "kind: [", "run/cdi/twice.yaml": "kind: nvidia.com/gpu\nkind: example.com/nic\n", "run/cdi/empty.yaml": "",
		"dev/nvidia0": "", "dev/nvidiactl": "", "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.124.06": "",
	})
	want := facts.CDI{Files: []facts.CDIFile{
		{Path: "/etc/cdi/nvidia.yaml", Kind: "nvidia.com/gpu", Devices: []string{"0", "all"}, Versions: []string{"550.120", "570.124.06"}, Modified: written,
			Missing: []string{"/dev/dri/card1", "/run/nvidia-persistenced/socket", "/usr/lib/x86_64-linux-gnu/libcuda.so.550.120"}},
		{Path: "/run/cdi/empty.yaml", Unknown: "/run/cdi/empty.yaml names no kind of devices", Modified: written},
		{Path: "/run/cdi/management.yaml", Modified: written, Unknown: "/run/cdi/management.yaml is no file of the Container Device Interface: " +
			"error converting YAML to JSON: yaml: line 1: did not find expected node content"},
		{Path: "/run/cdi/twice.yaml", Modified: written, Unknown: "/run/cdi/twice.yaml is no file of the Container Device Interface: " +
			"the key \"kind\" stands twice in one mapping (line 2); remove one of the two"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(facts.CDI{}, collect(t, nil)); diff != "" {
		t.Errorf("a node without such files: %s", diff)
	}
	if got := collect(t, map[string]string{"etc/cdi": "x"}); got.Unknown != "/etc/cdi is not a directory" {
		t.Errorf("%+v", got)
	}
}

// FuzzCollect: whatever a file holds, the answer is bounded and there is no panic.
func FuzzCollect(f *testing.F) {
	f.Add(generated)
	f.Add("kind: nvidia.com/gpu\ncontainerEdits: {mounts: [{hostPath: ../../x.so.570.1}]}")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range collect(t, map[string]string{"etc/cdi/nvidia.yaml": text}).Files {
			if len(file.Missing) > 20 || len(file.Devices) > 1000 {
				t.Errorf("%+v", file)
			}
		}
	})
}
