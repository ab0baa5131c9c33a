package layout

import "strings"

// Names returns the names of the layouts that there are, in the order in which they are looked for.
func Names() []string { return []string{"kubeadm", "kubespray", "k3s", "rke2"} }

// Detect returns which layout a node's files are, and the file that says so; empty where none does. A control
// plane's manifest counts for more than what another installation left behind.
func Detect(has func(path string) bool) (name, because string) {
	for _, sign := range signs {
		if has(sign.path) {
			return sign.layout, sign.path + " exists"
		}
	}
	return "", ""
}

var signs = []struct{ path, layout string }{
	// kubespray runs kubeadm: its own files tell the two apart.
	{EtcdEnv, "kubespray"},
	{KubesprayDir + "/ca.crt", "kubespray"},
	{ManifestDir + "/kube-apiserver.yaml", "kubeadm"},
	{ManifestDir + "/etcd.yaml", "kubeadm"},
	{RKE2Dir + "/server/tls", "rke2"},
	{RKE2Dir + "/agent", "rke2"},
	{"/usr/local/lib/systemd/system/rke2-server.service", "rke2"},
	{K3sDir + "/server/tls", "k3s"},
	{K3sDir + "/agent", "k3s"},
	{"/etc/systemd/system/k3s.service", "k3s"},
	{KubeadmDir + "/apiserver.crt", "kubeadm"},
	{KubeadmDir + "/ca.crt", "kubeadm"},
	{KubeadmDir + "/ca.key", "kubeadm"},
}

// Leads reports whether a link of a layout may be followed to a path: clean, and in one of the layout's directories.
func (l Layout) Leads(path string) bool {
	for _, root := range l.Roots {
		if within(path, root) {
			return true
		}
	}
	return false
}

// within reports whether a path is a directory or lies below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
