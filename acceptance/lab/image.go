package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// image is a container image of one layer that holds some programs and files and nothing else.
type image struct {
	reference string   // registry.k8s.io/etcd:3.6.6-0
	programs  []string // files; each lands in /usr/local/bin, the first is the entry point
	// files are further files, by their absolute path in the image.
	files map[string]string
}

// name is the image's file in the cache.
func (i image) name() string {
	base, _, _ := strings.Cut(path.Base(i.reference), ":")
	return base + ".tar"
}

// images pairs the references that kubeadm will ask for with our programs. kubeadm names etcd by the release it was
// tested with; ours is the newer patch that lab/etcd pins, under that name. kube-proxy and CoreDNS are not in the lab.
func images(references []string, bin string) []image {
	var all []image
	for _, reference := range references {
		base, _, _ := strings.Cut(path.Base(reference), ":")
		in := func(programs ...string) []string {
			for i, program := range programs {
				programs[i] = filepath.Join(bin, program)
			}
			return programs
		}
		switch base {
		case "kube-apiserver", "kube-controller-manager", "kube-scheduler", "pause":
			all = append(all, image{reference, in(base), nil})
		case "etcd":
			all = append(all, image{reference, in("etcd", "etcdctl", "etcdutl"), nil})
		}
	}
	return all
}

// imageReferences asks kubeadm which images it will use.
func (c cache) imageReferences(ctx context.Context) ([]string, error) {
	list, err := output(ctx, c.at("bin", "kubeadm"), "config", "images", "list", "--kubernetes-version", KubernetesVersion)
	if err != nil {
		return nil, err
	}
	return strings.Fields(list), nil
}

// buildImages writes an archive for each image, unless they were made from the same programs before.
func (c cache) buildImages(ctx context.Context, programs string) ([]image, error) {
	references, err := c.imageReferences(ctx)
	if err != nil {
		return nil, err
	}
	all := images(references, c.at("bin"))
	const want = 5
	if len(all) != want {
		return nil, fmt.Errorf("kubeadm %s names the images %s; the lab knows how to make %d of them and expects %d", KubernetesVersion, strings.Join(references, " "), len(all), want)
	}
	stamp := digest(append([]string{programs}, references...)...)
	if stamped(c.at("image", "stamp"), stamp) {
		return all, nil
	}
	if err := os.RemoveAll(c.at("image")); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.at("image"), 0o755); err != nil {
		return nil, err
	}
	for _, i := range all {
		if err := i.write(c.at("image", i.name())); err != nil {
			return nil, fmt.Errorf("image %s: %w", i.reference, err)
		}
	}
	return all, os.WriteFile(c.at("image", "stamp"), []byte(stamp), 0o644)
}

// write makes the archive, in the format of `docker save` (one layer, manifest.json), which containerd imports.
func (i image) write(to string) (err error) {
	layer, err := os.CreateTemp(filepath.Dir(to), ".layer-*")
	if err != nil {
		return err
	}
	defer func() { _ = layer.Close(); _ = os.Remove(layer.Name()) }()
	sum := sha256.New()
	if err := i.writeLayer(io.MultiWriter(layer, sum)); err != nil {
		return err
	}
	size, err := layer.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	config, err := i.config(hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return err
	}
	configName := hex.EncodeToString(sha256Of(config)) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{i.reference}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := tar.NewWriter(out)
	for _, part := range []struct {
		name string
		size int64
		from io.Reader
	}{
		{configName, int64(len(config)), bytes.NewReader(config)},
		{"layer.tar", size, layer},
		{"manifest.json", int64(len(manifest)), bytes.NewReader(manifest)},
	} {
		if err := archive.WriteHeader(&tar.Header{Name: part.name, Mode: 0o644, Size: part.size}); err != nil {
			return err
		}
		if _, err := io.Copy(archive, part.from); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeLayer writes the image's file system. No times and no owners, so that equal programs give equal bytes.
func (i image) writeLayer(to io.Writer) error {
	layer := tar.NewWriter(to)
	for _, dir := range i.directories() {
		mode := int64(0o755)
		if dir == "tmp/" {
			mode = 0o1777
		}
		if err := layer.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: mode}); err != nil {
			return err
		}
	}
	for _, program := range i.programs {
		if err := addProgram(layer, "usr/local/bin/"+filepath.Base(program), program); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		if err := addProgram(layer, strings.TrimPrefix(name, "/"), i.files[name]); err != nil {
			return err
		}
	}
	return layer.Close()
}

// directories are those of the image, each after the one that it lies in.
func (i image) directories() []string {
	all := []string{"etc/", "tmp/", "usr/", "usr/local/", "usr/local/bin/", "var/", "var/lib/"}
	for name := range i.files {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			if dir = path.Clean(dir); !slices.Contains(all, dir[1:]+"/") {
				all = append(all, dir[1:]+"/")
			}
		}
	}
	slices.Sort(all)
	return all
}

func addProgram(layer *tar.Writer, name, program string) error {
	in, err := os.Open(program)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := layer.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(layer, in)
	return err
}

// config is the image's configuration, in the format of the OCI image specification 1.1, config.md.
func (i image) config(layerSum string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": map[string]any{
			"Env":        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			"Entrypoint": []string{"/usr/local/bin/" + filepath.Base(i.programs[0])},
			"WorkingDir": "/",
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layerSum}},
	})
}

func sha256Of(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
