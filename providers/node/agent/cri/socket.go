// Package cri talks to a node's container runtime over its CRI socket: which containers run for the static pods
// of the control plane, since when, and how to end one so that the kubelet starts it again.
//
// crictl need not be there. Deleting a mirror pod through the API restarts nothing; ending the container does,
// because the kubelet starts a static pod's container again whenever it ends.
package cri

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// wellKnown are the sockets that kubeadm looks for (cmd/kubeadm/app/constants/constants_unix.go), most common first,
// and the one of k3s.
var wellKnown = []string{
	"/run/containerd/containerd.sock",
	"/run/crio/crio.sock",
	"/run/cri-dockerd.sock",
	"/run/k3s/containerd/containerd.sock", // k3s and RKE2
}

// Socket returns the path of the runtime's socket: what the kubelet was told to use, else the first well-known
// one that is there.
func Socket(d *disk.Disk) (string, error) {
	if p := fromKubelet(d); p != "" {
		return p, nil
	}
	for _, p := range wellKnown {
		if info, err := os.Lstat(d.Real(p)); err == nil && info.Mode()&fs.ModeSocket != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("no CRI socket: the kubelet's configuration names none, and none of %s is there", strings.Join(wellKnown, ", "))
}

// fromKubelet returns the endpoint that the kubelet was given: its command line outranks its configuration file.
func fromKubelet(d *disk.Disk) string {
	if text, _, err := d.Read(layout.KubeletDir+"/kubeadm-flags.env", pki.MaxFile); err == nil {
		for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\n\"'", r) }) {
			if v, ok := strings.CutPrefix(word, "--container-runtime-endpoint="); ok {
				if p, ok := socketPath(v); ok {
					return p
				}
			}
		}
	}
	var config struct {
		Endpoint string `json:"containerRuntimeEndpoint"`
	}
	if text, _, err := d.Read(layout.KubeletDir+"/config.yaml", pki.MaxFile); err == nil && yaml.Unmarshal(text,
		&config) == nil {
		if p, ok := socketPath(config.Endpoint); ok {
			return p
		}
	}
	return ""
}

// socketPath returns the path of a unix:// endpoint; the kubelet takes a bare path, too.
func socketPath(endpoint string) (string, bool) {
	p, _ := strings.CutPrefix(endpoint, "unix://")
	_, err := disk.Clean(p)
	return p, err == nil && p != "/"
}

// checkSocket refuses a socket that somebody else than root could have put there.
func checkSocket(real string) error {
	info, err := os.Stat(real) // /var/run is a link to /run on every distribution
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("it is not a socket")
	}
	return ownedByRoot(info)
}
