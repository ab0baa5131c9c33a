package layout

import (
	"path"
	"strings"
)

// systemDirectories are those that the system, Kubernetes or etcd has to itself: what another program leaves there is
// lost at the next boot or upgrade, or is read as if it were the owner's.
var systemDirectories = []string{
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr",
	"/var/cache", "/var/lib/apt", "/var/lib/cni", "/var/lib/containerd", "/var/lib/containers", "/var/lib/cri-o",
	"/var/lib/docker",
	"/var/lib/dpkg", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/kubernetes", "/var/lib/rancher", "/var/lib/systemd",
	"/var/lock", "/var/log", "/var/run",
}

// SystemDirectory returns the directory of the system that a path is in, or is; false where it is in none. The path is
// absolute and plain.
func SystemDirectory(p string) (string, bool) {
	if p = path.Clean(p); p == "/" {
		return p, true
	}
	for _, directory := range systemDirectories {
		if p == directory || strings.HasPrefix(p, directory+"/") {
			return directory, true
		}
	}
	return "", false
}
