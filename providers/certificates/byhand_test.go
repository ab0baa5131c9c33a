package certificates_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// TestByHandIsNeverTheMirrorPod: the runbook says how a person does it, and never by deleting a mirror pod, which restarts nothing.
func TestByHandIsNeverTheMirrorPod(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	n := w.Nodes["cp2"]
	worlds.Age(now, 12*day, n, "apiserver", "admin.conf", "scheduler.conf")
	n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Remaining: []string{"etcd-peer"}}}
	worlds.File(n, worlds.Copy).Server = "https://lb.example.net:6443"
	in := input(w, 3)
	steps, befores := fold(in, spec().Diff(in).Steps)
	var runs []string
	for i, s := range steps {
		for _, c := range certificates.Type().Effects[s.Operation].ByHand(befores[i], s) {
			if strings.Contains(c.Run, "delete pod") || c.See == "" {
				t.Errorf("%+v", c)
			}
			runs = append(runs, fmt.Sprintf("%s: %s", c.Node, c.Run))
		}
	}
	want := []string{
		"cp2: openssl x509 -noout -pubkey -in /etc/kubernetes/pki/etcd/peer.crt | sha256sum; openssl pkey -pubout -in /etc/kubernetes/pki/etcd/peer.key | sha256sum",
		"cp2: kubeadm certs check-expiration",
		"cp2: umask 077; cp -a /etc/kubernetes /root/kubernetes.before",
		"cp2: kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > /root/kubeadm.yaml && grep -c ^kind: /root/kubeadm.yaml",
		"cp2: kubeadm certs renew apiserver --config /root/kubeadm.yaml",
		"cp2: kubeadm certs renew admin.conf --config /root/kubeadm.yaml",
		"cp2: kubeadm certs renew scheduler.conf --config /root/kubeadm.yaml",
		"cp2: cp -a /root/.kube/config /root/.kube/config.before && cp /etc/kubernetes/admin.conf /root/.kube/config && kubectl --kubeconfig /root/.kube/config config set-cluster \"$(kubectl --kubeconfig /root/.kube/config config view -o jsonpath='{.clusters[0].name}')\" --server=https://lb.example.net:6443",
		"cp2: openssl s_client -connect 10.0.0.12:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial; openssl x509 -noout -serial -in /etc/kubernetes/pki/apiserver.crt",
		"cp2: kubeadm certs check-expiration --config /root/kubeadm.yaml",
		"cp2: crictl ps --name '^kube-scheduler$'",
		"cp2: mv /etc/kubernetes/manifests/kube-scheduler.yaml /root/kube-scheduler.yaml && until [ -z \"$(crictl ps -q --name '^kube-scheduler$')\" ]; do sleep 1; done",
		"cp2: mv /root/kube-scheduler.yaml /etc/kubernetes/manifests/kube-scheduler.yaml && until [ -n \"$(crictl ps -q --name '^kube-scheduler$')\" ]; do sleep 1; done; crictl ps --name '^kube-scheduler$'",
		": kubectl -n kube-system get lease kube-scheduler -o jsonpath='{.spec.holderIdentity} {.spec.renewTime}'",
		": kubectl get --raw /readyz",
	}
	if d := cmp.Diff(want, runs); d != "" {
		t.Error(d)
	}
}
