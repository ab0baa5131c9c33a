package pki

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/manifest"
)

// Found is the layout of one node.
type Found struct {
	layout.Layout
	// Because is the sign that told the layout; empty where the question named the layout.
	Because string
	// ControlPlane: the node is, or should be, a control plane. EtcdHost: its member of etcd is no part of one.
	ControlPlane, EtcdHost bool
}

// Find returns the layout of a node: the one that is asked for, or for "auto" the one that the node's own files are.
// Paths are where the files are: links inside a layout have been followed.
func Find(d *disk.Disk, want string) (Found, error) {
	f := Found{}
	name := want
	switch {
	case want == "auto":
		name, f.Because = layout.Detect(d.Exists)
	case !slices.Contains(layout.Names(), want):
		return f, fmt.Errorf("layout %q is not known; known are \"auto\" and %q", want, layout.Names())
	}
	if dir := map[string]string{"k3s": layout.K3sDir, "rke2": layout.RKE2Dir}[name]; dir != "" && !d.Exists(dir) {
		return f, fmt.Errorf("no layout %s: %s is not on this node", name, dir)
	}
	switch name {
	case "k3s":
		server := d.Exists(layout.K3sDir + "/server/tls")
		f.Layout, f.ControlPlane = layout.K3s(server), server
	case "rke2":
		server := d.Exists(layout.RKE2Dir + "/server/tls")
		f.Layout, f.ControlPlane = layout.RKE2(server), server
	default:
		if err := f.kubeadm(d, name); err != nil {
			return f, err
		}
	}
	leads := f.Leads
	f.Layout = f.At(func(p string) string {
		if real, err := d.Resolve(p, leads); err == nil {
			return real
		}
		return p // reading it says what is wrong
	})
	return f, nil
}

// kubeadm fills in a layout that kubeadm made, kubespray's among them. An empty name is a node that shows no sign.
func (f *Found) kubeadm(d *disk.Disk, name string) error {
	apiServer := flagsOf(d, "kube-apiserver")
	dir := path.Dir(apiServer["tls-cert-file"])
	if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" {
		dir = layout.KubeadmDir
		if name == "kubespray" && d.Exists(layout.KubesprayDir) {
			dir = layout.KubesprayDir
		}
	}
	if name != "kubespray" {
		f.Layout = layout.Kubeadm(dir)
	} else {
		var env map[string]string
		if text, _, err := d.Read(layout.EtcdEnv, MaxFile); err == nil {
			env = layout.ParseEnv(text)
		}
		f.Layout = layout.Kubespray(dir, layout.EtcdFilesOf(env, apiServer))
	}
	real, err := d.Resolve(dir, f.Leads)
	if err != nil && errors.Is(err, disk.ErrLink) {
		return fmt.Errorf("no layout that upkeep reads: %w", err)
	}
	if err == nil && real != dir {
		f.Layout = f.At(func(p string) string {
			if rest, inside := strings.CutPrefix(p, dir); inside {
				return real + rest
			}
			return p
		})
	}
	f.ControlPlane = f.isControlPlane(d)
	_, member := f.Lookup("etcd-member")
	f.EtcdHost = !f.ControlPlane && (member || d.Exists(layout.ManifestDir+"/etcd.yaml"))
	if ca, _ := f.Lookup("ca"); name == "" && !f.ControlPlane && !f.EtcdHost && !d.Exists(ca.Path) {
		return fmt.Errorf("no known layout: neither %s nor %s/kube-apiserver.yaml is there, nor anything of kubespray, k3s or RKE2",
			ca.Path, layout.ManifestDir)
	}
	if f.Because == "" && name == "" {
		f.Because = f.Dir + "/ca.crt exists"
	}
	return nil
}

// isControlPlane: the manifest may be away for a moment (that is how static pods are stopped by hand), the PKI is not.
func (f *Found) isControlPlane(d *disk.Disk) bool {
	ca, _ := f.Lookup("ca")
	apiserver, _ := f.Lookup("apiserver")
	return d.Exists(layout.ManifestDir+"/kube-apiserver.yaml") || d.Exists(apiserver.Path) || d.Exists(ca.KeyPath)
}

// flagsOf returns the flags of a static pod; none where its manifest is not there or cannot be read.
func flagsOf(d *disk.Disk, component string) map[string]string {
	text, _, err := d.Read(layout.ManifestDir+"/"+component+".yaml", MaxFile)
	if err != nil {
		return nil
	}
	pod, err := manifest.Parse(component, text)
	if err != nil {
		return nil
	}
	return pod.Flags
}

// Lookup returns the entry of a node's own layout with a name, and whether there is one.
func Lookup(d *disk.Disk, name string) (layout.Entry, bool) {
	l, err := Find(d, "auto")
	if err != nil {
		return layout.Entry{}, false
	}
	return l.Lookup(name)
}

// here returns what to look at on this node.
func (f Found) here(d *disk.Disk) []layout.Entry {
	var entries []layout.Entry
	for _, e := range f.Entries() {
		switch {
		case f.Service != "": // k3s and RKE2: the table is this node's already
		case f.EtcdHost && e.Name == "etcd-node": // kube-apiserver's, and there is none here
			continue
		case f.EtcdHost && e.OfEtcd():
		case !f.ControlPlane && e.Name != "ca" && e.Kind != facts.Kubelet:
			continue // a worker has the cluster's CA and what its kubelet keeps
		case f.EtcdHost && !d.Exists(e.Path):
			continue // a host of etcd alone need not be a node of Kubernetes
		}
		if current := layout.KubeletDir + "/pki/kubelet-server-current.pem"; e.Name == "kubelet-server" && d.Exists(current) {
			e.Path, e.KeyPath, e.Authority = current, "", "ca"
		}
		if e.Kind == facts.Authority && !f.ControlPlane && !(f.EtcdHost && e.OfEtcd()) {
			e.KeyPath = "" // no worker has the CA's key
		}
		entries = append(entries, e)
	}
	return entries
}
