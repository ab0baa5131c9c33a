// Package manifest reads the manifest of a static pod: the image and a fixed list of flags, which is what upkeep
// uses, and nothing that could be a secret. It reads no file and judges nothing.
package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/strict"
)

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

// manifest is the part of k8s.io/api/core/v1.Pod that matters here.
type manifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Containers []struct {
			Name    string   `json:"name"`
			Image   string   `json:"image"`
			Command []string `json:"command"`
			Args    []string `json:"args"`
		} `json:"containers"`
	} `json:"spec"`
}

// Parse reads one static pod's manifest: the container named as the component is.
func Parse(component string, text []byte) (facts.StaticPod, error) {
	pod := facts.StaticPod{Component: component}
	var m manifest
	err := strict.YAML(text, &m)
	if twice := new(strict.TwiceError); errors.As(err, &twice) {
		return pod, fmt.Errorf("the manifest: %w", twice)
	}
	if err != nil {
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

// Name returns the name of the pod that a text declares; empty where it declares none.
func Name(text []byte) string {
	var m manifest
	if yaml.Unmarshal(text, &m) != nil || m.Kind != "Pod" {
		return ""
	}
	return m.Metadata.Name
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
