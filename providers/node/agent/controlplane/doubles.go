package controlplane

import (
	"path"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/manifest"
	"upkeep/providers/node/agent/pki"
)

// maxManifests is how many files of the manifests' directory are read at most. A control plane has four, and a few more
// of its operator's.
const maxManifests = 64

// Doubles returns the files that the kubelet takes for a second manifest of a component, sorted by path. The kubelet
// reads each regular file of the directory whose name does not begin with a dot, whatever its end: a copy
// kube-apiserver.yaml.bak as well (k8s.io/kubernetes/pkg/kubelet/config/file.go, extractFromDir). Of two static pods of
// one name it runs the one that came first, and the other only when that has ended.
func Doubles(d *disk.Disk) (out []facts.DoubleManifest) {
	dir, err := d.Dir(layout.ManifestDir)
	if err != nil {
		return nil
	}
	entries, err := dir.List()
	if err != nil {
		return nil
	}
	for _, e := range entries[:min(len(entries), maxManifests)] {
		own := strings.TrimSuffix(e.Name, ".yaml")
		if strings.HasPrefix(e.Name, ".") || own != e.Name && slices.Contains(components, own) {
			continue
		}
		file := path.Join(layout.ManifestDir, e.Name)
		text, _, err := d.Read(file, pki.MaxFile)
		if err != nil {
			continue // a directory, or what the kubelet cannot read either
		}
		if name := manifest.Name(text); slices.Contains(components, name) {
			out = append(out, facts.DoubleManifest{Component: name, Path: file})
		}
	}
	return out
}
