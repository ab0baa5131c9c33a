// Package floor collects what a node stands on: free space under the directories that a node cannot do without, the
// kubelet's thresholds, limits of the kernel, whether the clock follows another one, and the SSH host keys.
//
// It judges nothing, starts no program and writes nothing. A file system that hangs is unknown after a moment.
package floor

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// directories are those whose space is looked at, where they are there: the system's own, the kubelet's, those of
// the container runtimes, and etcd's.
var directories = []string{
	"/", "/var", "/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/rancher/k3s",
	"/var/lib/rancher/rke2",
}

// sysctls are the limits of the kernel that are read; upkeep/providers/floor judges them.
var sysctls = []string{"fs.inotify.max_user_instances", "fs.inotify.max_user_watches", "vm.max_map_count"}

// kubeletConfig is where kubeadm and kubespray tell the kubelet what to do.
var kubeletConfigs = []string{"/var/lib/kubelet/config.yaml", "/etc/kubernetes/kubelet-config.yaml"}

// hostKeys are the files of the SSH server's public keys (sshd_config(5), HostKey).
var hostKeys = []string{"ssh_host_ecdsa_key.pub", "ssh_host_ed25519_key.pub", "ssh_host_rsa_key.pub"}

const (
	mostText = 256 << 10
	// patience is how long one file system may take to answer.
	patience = 2 * time.Second
)

// Collect looks at all of it.
func Collect(d *disk.Disk) facts.Floor {
	return facts.Floor{
		Filesystems: filesystems(d), Eviction: eviction(d), Sysctls: limits(d), Synchronised: synchronised(),
		HostKeys: keys(d),
	}
}

// space is what one directory's file system says.
type space struct {
	device uint64
	facts.Filesystem
	missing bool
}

// filesystems asks for the space of each directory, and says once what several have in common.
func filesystems(d *disk.Disk) (out []facts.Filesystem) {
	at := map[uint64]int{}
	for _, directory := range directories {
		found := ask(d.Real(directory))
		switch i, known := at[found.device]; {
		case found.missing:
			continue
		case found.Unknown == "" && known:
			out[i].Directories = append(out[i].Directories, directory)
			out[i].ReadOnly = out[i].ReadOnly || found.ReadOnly
			continue
		}
		found.Directories = []string{directory}
		if found.Unknown == "" {
			at[found.device] = len(out)
		}
		out = append(out, found.Filesystem)
	}
	return out
}

// ask looks at a directory for a while.
func ask(real string) space {
	answer := make(chan space, 1)
	go func() { answer <- look(real) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case found := <-answer:
		return found
	case <-timer.C:
		return space{Filesystem: facts.Filesystem{Unknown: fmt.Sprintf("the file system did not answer in %s", patience)}}
	}
}

// eviction reads the kubelet's thresholds; empty ones are its defaults.
func eviction(d *disk.Disk) facts.Eviction {
	for _, p := range kubeletConfigs {
		data, _, err := d.Read(p, mostText)
		if err != nil {
			continue
		}
		var config struct {
			EvictionHard map[string]string `json:"evictionHard"`
		}
		if yaml.Unmarshal(data, &config) != nil || len(config.EvictionHard) == 0 {
			return facts.Eviction{}
		}
		e := config.EvictionHard
		return facts.Eviction{
			From: p, Node: word(e["nodefs.available"]), NodeInodes: word(e["nodefs.inodesFree"]),
			Image: word(e["imagefs.available"]), ImageInodes: word(e["imagefs.inodesFree"]),
		}
	}
	return facts.Eviction{}
}

// word bounds what a file says.
func word(s string) string { return s[:min(len(s), 32)] }

func limits(d *disk.Disk) map[string]string {
	out := map[string]string{}
	for _, name := range sysctls {
		data, _, err := d.Read("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), 4096)
		if err == nil {
			out[name] = word(strings.TrimSpace(string(data)))
		}
	}
	return out
}

// keys are the fingerprints of the host keys, as `ssh-keygen -l` prints them (RFC 4648 base64 without padding).
func keys(d *disk.Disk) (out []string) {
	for _, name := range hostKeys {
		data, _, err := d.Read(path.Join("/etc/ssh", name), mostText)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data))
		if len(fields) < 2 {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil {
			continue
		}
		sum := sha256.Sum256(blob)
		out = append(out, "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:]))
	}
	slices.Sort(out)
	return out
}
