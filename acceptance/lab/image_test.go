package lab

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImagesForWhatKubeadmAsks(t *testing.T) {
	got := images([]string{
		"registry.k8s.io/kube-apiserver:v1.35.4", "registry.k8s.io/kube-proxy:v1.35.4",
		"registry.k8s.io/coredns/coredns:v1.13.1", "registry.k8s.io/pause:3.10.1", "registry.k8s.io/etcd:3.6.6-0",
	}, "/bin")
	want := []image{
		{"registry.k8s.io/kube-apiserver:v1.35.4", []string{"/bin/kube-apiserver"}, nil},
		{"registry.k8s.io/pause:3.10.1", []string{"/bin/pause"}, nil},
		{"registry.k8s.io/etcd:3.6.6-0", []string{"/bin/etcd", "/bin/etcdctl", "/bin/etcdutl"}, nil},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(image{})); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if got[2].name() != "etcd.tar" {
		t.Errorf("file name %q", got[2].name())
	}
}

// An image must be readable by containerd: every name in the manifest exists, and the sums are those of the content.
func TestImageArchive(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "pause")
	if err := os.WriteFile(program, []byte("the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	i := image{"registry.k8s.io/pause:3.10.1", []string{program}, map[string]string{"/lib/deep/libc.so.6": program}}
	paths := []string{filepath.Join(dir, "a.tar"), filepath.Join(dir, "b.tar")}
	for _, path := range paths {
		if err := i.write(path); err != nil {
			t.Fatal(err)
		}
	}
	archive := untar(t, read(t, paths[0]))
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(archive["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("manifest %+v, want one image of one layer", manifest)
	}
	if diff := cmp.Diff([]string{i.reference}, manifest[0].RepoTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	config, layer := archive[manifest[0].Config], archive[manifest[0].Layers[0]]
	if sum := sha256.Sum256(config); manifest[0].Config != hex.EncodeToString(sum[:])+".json" {
		t.Errorf("the configuration is not named by its sum: %s", manifest[0].Config)
	}
	var parsed struct {
		Config struct{ Entrypoint []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(layer)
	if diff := cmp.Diff([]string{"sha256:" + hex.EncodeToString(sum[:])}, parsed.RootFS.DiffIDs); diff != "" {
		t.Errorf("layer sums (-want +got):\n%s", diff)
	}
	if got := untar(t, layer)["usr/local/bin/pause"]; string(got) != "the program" || parsed.Config.Entrypoint[0] != "/usr/local/bin/pause" {
		t.Errorf("entry point %v holds %q", parsed.Config.Entrypoint, got)
	}
	if !bytes.Equal(read(t, paths[0]), read(t, paths[1])) {
		t.Error("the same program gave two different archives")
	}
	if got := untar(t, layer)["lib/deep/libc.so.6"]; string(got) != "the program" {
		t.Errorf("the further file holds %q", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".layer-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(data)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
