package protocol

import (
	"fmt"
	"path"
	"strings"
)

// ServiceFiles is the tunnel that streams files of a node: one CollectRequest as a line of JSON goes in, a tar archive
// comes out, with CollectReport as its last entry.
const ServiceFiles = "files"

// CollectReportName is the name of the last entry of a collected archive. An archive without it is not complete.
const CollectReportName = ".upkeep-collected.json"

// CollectRequest asks for files and directories, complete.
type CollectRequest struct {
	// Paths are absolute; CheckCollect says which are allowed.
	Paths []string `json:"paths"`
}

// CollectReport says what a collected archive holds.
type CollectReport struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Missing are the paths of the request that the node does not have.
	Missing []string `json:"missing,omitempty"`
	// Gaps are things that are there and not in the archive, each with its reason.
	Gaps []string `json:"gaps,omitempty"`
}

// collectable are the places where control planes keep their keys and their configuration. Nothing else of a node leaves it:
// the one who may start the helper must not be able to read the rest of the disk with it.
var collectable = []string{
	"/etc/kubernetes", "/etc/ssl/etcd", "/etc/etcd", "/etc/etcd.env", "/etc/default/etcd", "/etc/sysconfig/etcd",
	"/etc/systemd/system/etcd.service", "/etc/rancher", "/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s.service.env",
	"/var/lib/rancher/k3s/server/tls", "/var/lib/rancher/k3s/server/cred", "/var/lib/rancher/k3s/server/token", "/var/lib/rancher/k3s/server/agent-token",
	"/var/lib/rancher/k3s/server/manifests",
	"/var/lib/rancher/rke2/server/tls", "/var/lib/rancher/rke2/server/cred", "/var/lib/rancher/rke2/server/token",
	"/var/lib/rancher/rke2/server/manifests",
	"/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/pki",
}

// CheckCollect refuses a path that is not inside a place where control planes keep keys and configuration.
func CheckCollect(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p {
		return fmt.Errorf("%q is a path on the nodes and must be absolute and plain, such as \"/etc/kubernetes\"", p)
	}
	for _, place := range collectable {
		if p == place || strings.HasPrefix(p, place+"/") {
			return nil
		}
	}
	return fmt.Errorf("%q is no place of a control plane's keys and configuration; a node sends only %s and their contents",
		p, strings.Join(collectable, ", "))
}

// CheckCollectLink refuses a symbolic link at a place of CheckCollect that leads out of these places, or that only reading the
// disk could tell.
func CheckCollectLink(at, target string) error {
	if path.Clean(target) != target {
		return fmt.Errorf("it is a link to %.200q, which is not plain", target)
	}
	to := target
	if !path.IsAbs(to) {
		to = path.Join(path.Dir(at), to)
	}
	if CheckCollect(to) != nil {
		return fmt.Errorf("it is a link to %.200q, out of these places", target)
	}
	return nil
}
