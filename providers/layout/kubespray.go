package layout

import (
	"crypto/x509"
	"path"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// What kubespray keeps where (roles/etcd and roles/kubernetes/control-plane of v2.29).
const (
	KubesprayDir = "/etc/kubernetes/ssl"
	// EtcdEnv is the environment of etcd.service.
	EtcdEnv = "/etc/etcd.env"
	// EtcdDir is the directory of etcd's PEM files.
	EtcdDir = "/etc/ssl/etcd/ssl"
)

// EtcdFiles are the certificates of etcd that a node uses, as the node's own files name them. A node that has none of a
// kind leaves it empty.
type EtcdFiles struct {
	// Authority is the CA; Member is what etcd serves, Admin what etcdctl shows, Client what kube-apiserver shows.
	Authority, Member, MemberKey, Admin, AdminKey, Client, ClientKey string
}

// Kubespray returns kubespray's layout with an etcd that systemd runs: kubeadm's files in kubespray's directory, and
// the certificates of etcd, which no kubeadm knows.
func Kubespray(dir string, etcd EtcdFiles) Layout {
	l := Kubeadm(dir)
	l.Name, l.Roots = "kubespray", append(l.Roots, "/etc/ssl/etcd")
	if etcd.Authority == "" {
		return l // etcd is kubeadm's
	}
	l.entries = slices.DeleteFunc(l.entries, Entry.OfEtcd)
	l.Archive = append(l.Archive, path.Dir(etcd.Authority))
	add := func(e Entry) {
		if e.Path != "" && e.KeyPath != "" {
			l.entries = append(l.entries, e)
		}
	}
	add(Entry{Name: etcdAuthority, Kind: facts.Authority, Path: etcd.Authority, KeyPath: AuthorityKey(etcd.Authority)})
	add(leafOf("etcd-admin", etcd.Admin, etcd.AdminKey, etcdAuthority, x509.ExtKeyUsageClientAuth, ByAuthority))
	if etcd.Member != "" {
		l.Etcd = "etcd.service"
		member := leafOf("etcd-member", etcd.Member, etcd.MemberKey, etcdAuthority, x509.ExtKeyUsageServerAuth, ByAuthority)
		member.Port, member.Component = 2379, "etcd"
		add(both(member))
	}
	add(leafOf("etcd-node", etcd.Client, etcd.ClientKey, etcdAuthority, x509.ExtKeyUsageClientAuth, ByAuthority))
	return l
}

// AuthorityKey is kubespray's name for the key of a CA: ca-key.pem next to ca.pem.
func AuthorityKey(ca string) string {
	if base, pem := strings.CutSuffix(ca, ".pem"); pem {
		return base + "-key.pem"
	}
	return strings.TrimSuffix(ca, ".crt") + ".key"
}

// ParseEnv reads a file of NAME=VALUE lines, as systemd does with an EnvironmentFile for plain values.
func ParseEnv(text []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, ";") {
			out[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return out
}

// EtcdFilesOf returns the certificates that the environment of etcd.service and the flags of kube-apiserver name.
// Either may be nil. A path that is none is left out.
func EtcdFilesOf(env, apiServer map[string]string) EtcdFiles {
	first := func(values map[string]string, names ...string) string {
		for _, name := range names {
			if p := values[name]; p != "" && path.IsAbs(p) && path.Clean(p) == p {
				return p
			}
		}
		return ""
	}
	f := EtcdFiles{
		Authority: first(env, "ETCD_TRUSTED_CA_FILE", "ETCDCTL_CACERT", "ETCDCTL_CA_FILE"),
		Member:    first(env, "ETCD_CERT_FILE"), MemberKey: first(env, "ETCD_KEY_FILE"),
		Admin: first(env, "ETCDCTL_CERT", "ETCDCTL_CERT_FILE"), AdminKey: first(env, "ETCDCTL_KEY", "ETCDCTL_KEY_FILE"),
		Client: first(apiServer, "etcd-certfile"), ClientKey: first(apiServer, "etcd-keyfile"),
	}
	if f.Authority == "" {
		f.Authority = first(apiServer, "etcd-cafile")
	}
	return f
}
