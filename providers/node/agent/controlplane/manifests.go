// Package controlplane reads the static pods' manifests of a kubeadm node, and asks the node's own API server whether it
// is ready.
//
// It starts, stops and changes nothing. Of a manifest it keeps a fixed list of flags: what upkeep uses, and nothing that
// could be a secret.
package controlplane

import (
	"errors"
	"io/fs"
	"slices"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/manifest"
	"upkeep/providers/node/agent/pki"
)

// Components are the static pods of a kubeadm control plane, sorted.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// Components returns the names of the static pods of a kubeadm control plane, sorted.
func Components() []string { return slices.Clone(components) }

// StaticPods reads the manifests of the control plane's components. On a node that has none of them it returns none. On
// a control plane, a component other than etcd whose manifest is not there is listed as unknown; etcd may be elsewhere.
func StaticPods(d *disk.Disk) []facts.StaticPod {
	var pods []facts.StaticPod
	absent := map[string]bool{}
	for _, component := range components {
		pod := facts.StaticPod{Component: component, Manifest: layout.ManifestDir + "/" + component + ".yaml"}
		text, _, err := d.Read(pod.Manifest, pki.MaxFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent[component] = true
			pod.Unknown = "the manifest is not there"
		case err != nil:
			pod.Unknown = err.Error()
		default:
			parsed, err := ParseManifest(component, text)
			parsed.Manifest = pod.Manifest
			pod = parsed
			if err != nil {
				pod.Unknown = err.Error()
			}
		}
		pods = append(pods, pod)
	}
	if len(absent) == len(components) && !pki.ControlPlane(d) {
		return nil
	}
	return slices.DeleteFunc(pods, func(p facts.StaticPod) bool { return p.Component == "etcd" && absent["etcd"] })
}

// ParseManifest reads one static pod's manifest: the container named as the component is.
func ParseManifest(component string, text []byte) (facts.StaticPod, error) {
	return manifest.Parse(component, text)
}
