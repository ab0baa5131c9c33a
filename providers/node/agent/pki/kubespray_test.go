package pki_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
)

// One directory under two names is one set of findings, and etcd's files are those that its environment names.
func TestKubespray(t *testing.T) {
	made := tree(t, fixture.Options{Kubespray: true, SuperAdmin: true})
	got := collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"})
	if got.Unknown != "" || got.Layout != "kubespray" || got.Dir != "/etc/kubernetes/ssl" || got.Because != "/etc/etcd.env exists" {
		t.Errorf("layout %q in %q because %q, unknown %q", got.Layout, got.Dir, got.Because, got.Unknown)
	}
	paths := map[string]string{}
	for _, f := range got.Files {
		if f.Missing || f.Unknown != "" || f.Key != "match" && f.Key != "" || f.Chain != "" {
			t.Errorf("%s: %+v", f.Name, f)
		}
		if strings.HasPrefix(f.Path, "/etc/kubernetes/pki/") {
			t.Errorf("%s is found at %s, under the link's name", f.Name, f.Path)
		}
		if strings.HasPrefix(f.Name, "etcd") || f.Name == "apiserver" {
			paths[f.Name] = f.Path
		}
	}
	want := map[string]string{
		"apiserver": "/etc/kubernetes/ssl/apiserver.crt", "etcd-ca": "/etc/ssl/etcd/ssl/ca.pem", "etcd-member": "/etc/ssl/etcd/ssl/member-cp1.pem",
		"etcd-admin": "/etc/ssl/etcd/ssl/admin-cp1.pem", "etcd-node": "/etc/ssl/etcd/ssl/node-cp1.pem",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A host of etcd that is no control plane has its own certificates, and no kube-apiserver's.
func TestKubesprayEtcdHost(t *testing.T) {
	made := tree(t, fixture.Options{Kubespray: true, EtcdHost: true})
	var names []string
	for _, f := range collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"}).Files {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"etcd-admin", "etcd-ca", "etcd-member"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// kubeadm with a certificatesDir of its own: kube-apiserver's manifest says which.
func TestCertificatesDir(t *testing.T) {
	made := tree(t, fixture.Options{Directory: "/etc/kubernetes/certs"})
	got := collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"})
	if got.Layout != "kubeadm" || got.Dir != "/etc/kubernetes/certs" || len(got.Files) != 16 {
		t.Errorf("layout %q in %q, %d files", got.Layout, got.Dir, len(got.Files))
	}
	for _, f := range got.Files {
		if f.Unknown != "" || f.Missing && f.Name != "super-admin.conf" || f.Chain != "" {
			t.Errorf("%s: %+v", f.Name, f)
		}
	}
}
