package floor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	judge "upkeep/providers/floor"
	"upkeep/providers/node/agent/disk"
)

func machine(t *testing.T, files map[string]string) *disk.Disk {
	t.Helper()
	root := t.TempDir()
	for p, text := range files {
		at := filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestCollect(t *testing.T) {
	d := machine(t, map[string]string{
		"var/lib/etcd/x":                         "",
		"proc/sys/vm/max_map_count":              "65530\n",
		"proc/sys/fs/inotify/max_user_watches":   "8192\n",
		"var/lib/kubelet/config.yaml":            "kind: KubeletConfiguration\nevictionHard:\n  nodefs.available: 5%\n  imagefs.available: 10Gi\n",
		"etc/ssh/ssh_host_ed25519_key.pub":       "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g root@gpu1\n",
		"etc/ssh/ssh_host_rsa_key.pub":           "damaged\n",
		"etc/kubernetes/kubelet-config.yaml":     "evictionHard: {nodefs.available: 90%}\n",
		"var/lib/containerd/io.containerd.x/foo": "",
	})
	got := Collect(d)
	if len(got.Filesystems) != 1 {
		t.Fatalf("%d file systems under one directory: %+v", len(got.Filesystems), got.Filesystems)
	}
	f := got.Filesystems[0]
	want := []string{"/", "/var", "/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet"}
	if diff := cmp.Diff(want, f.Directories); diff != "" || f.Unknown != "" || f.Size == 0 || f.Free > f.Size {
		t.Errorf("%+v (-want +got):\n%s", f, diff)
	}
	got.Filesystems, got.Synchronised = nil, nil
	if diff := cmp.Diff(facts.Floor{
		Eviction: facts.Eviction{From: "/var/lib/kubelet/config.yaml", Node: "5%", Image: "10Gi"},
		Sysctls:  map[string]string{"vm.max_map_count": "65530", "fs.inotify.max_user_watches": "8192"},
		HostKeys: []string{"SHA256:mKqU+0K8OhKmA8bBQi9Rz0Q5l7/g160hIP+rJYSTNj4"},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is judged is what is collected.
func TestSysctlsAreThoseThatAreJudged(t *testing.T) {
	want := judge.Sysctls()
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(sysctls))); diff != "" {
		t.Errorf("(-judged +collected):\n%s", diff)
	}
}

// FuzzEviction: a kubelet's configuration is a foreign file.
func FuzzEviction(f *testing.F) {
	f.Add("evictionHard:\n  nodefs.available: 5%\n")
	f.Add("evictionHard: [1]\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := machine(t, map[string]string{"var/lib/kubelet/config.yaml": text})
		if e := eviction(d); len(e.Node) > 32 || len(e.Image) > 32 {
			t.Errorf("unbounded: %+v", e)
		}
	})
}
