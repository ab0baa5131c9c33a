// Package controlplane reads the static pods' manifests of a kubeadm node, and asks the node's own API server whether it
// is ready.
//
// It starts, stops and changes nothing. Of a manifest it keeps a fixed list of flags: what upkeep uses, and nothing that
// could be a secret.
package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// Components are the static pods of a kubeadm control plane, sorted.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// Components returns the names of the static pods of a kubeadm control plane, sorted.
func Components() []string { return slices.Clone(components) }

// flags are the command-line flags that are kept.
var flags = map[string]bool{
	// kube-apiserver
	"advertise-address": true, "bind-address": true, "secure-port": true, "anonymous-auth": true,
	"tls-cert-file": true, "tls-private-key-file": true, "client-ca-file": true,
	"etcd-servers": true, "etcd-cafile": true, "etcd-certfile": true, "etcd-keyfile": true,
	"kubelet-client-certificate": true, "proxy-client-cert-file": true, "requestheader-client-ca-file": true,
	// kube-controller-manager and kube-scheduler
	"kubeconfig": true, "authentication-kubeconfig": true, "authorization-kubeconfig": true, "leader-elect": true,
	"cluster-signing-cert-file": true, "root-ca-file": true,
	// etcd
	"name": true, "data-dir": true, "cert-file": true, "key-file": true, "trusted-ca-file": true,
	"peer-cert-file": true, "peer-key-file": true, "peer-trusted-ca-file": true,
	"listen-client-urls": true, "listen-peer-urls": true, "advertise-client-urls": true,
	"initial-advertise-peer-urls": true, "quota-backend-bytes": true,
}

// StaticPods reads the manifests of the control plane's components. On a node that has none of them it returns none. On
// a control plane, a component other than etcd whose manifest is not there is listed as unknown; etcd may be elsewhere.
func StaticPods(d *disk.Disk) []facts.StaticPod {
	var pods []facts.StaticPod
	absent := map[string]bool{}
	for _, component := range components {
		pod := facts.StaticPod{Component: component, Manifest: pki.ManifestDir + "/" + component + ".yaml"}
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

// manifest is the part of k8s.io/api/core/v1.Pod that matters here.
type manifest struct {
	Kind string `json:"kind"`
	Spec struct {
		Containers []struct {
			Name    string   `json:"name"`
			Image   string   `json:"image"`
			Command []string `json:"command"`
			Args    []string `json:"args"`
		} `json:"containers"`
	} `json:"spec"`
}

// ParseManifest reads one static pod's manifest: the container named as the component is.
func ParseManifest(component string, text []byte) (facts.StaticPod, error) {
	pod := facts.StaticPod{Component: component}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		return pod, errors.New("the manifest's YAML cannot be parsed")
	}
	if m.Kind != "Pod" {
		return pod, fmt.Errorf("the manifest is of kind %q, not Pod", m.Kind)
	}
	for _, c := range m.Spec.Containers {
		if c.Name != component {
			continue
		}
		pod.Image = c.Image
		pod.Flags = parseFlags(append(slices.Clone(c.Command), c.Args...))
		return pod, nil
	}
	return pod, fmt.Errorf("the manifest has no container %q", component)
}

// parseFlags keeps the known flags of a command line; of a repeated flag the last one counts, as for the programs.
func parseFlags(words []string) map[string]string {
	kept := map[string]string{}
	for i, word := range words {
		name, dashed := strings.CutPrefix(word, "--")
		if !dashed {
			continue
		}
		name, value, assigned := strings.Cut(name, "=")
		if !flags[name] {
			continue
		}
		if !assigned {
			value = "true"
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				value = words[i+1]
			}
		}
		kept[name] = value
	}
	return kept
}
