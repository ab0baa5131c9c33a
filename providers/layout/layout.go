// Package layout is where the files of a distribution of Kubernetes lie, and where it keeps its cluster: tables, read by
// domains, adapters, the agent on a node and test fixtures.
//
// It is pure, reads no file and asks nobody. What a distribution's files mean for a cluster is for the domains to decide.
package layout

import "upkeep/providers/facts"

// Member reports whether an etcd member of the cluster runs on a node as it was seen, or says where the cluster is kept
// instead, as the end of a sentence. A node of which nothing is known counts as one without a member: its roles may say that
// it does, since an etcd that systemd or k3s runs has no static pod.
func Member(n facts.Node) (runs bool, elsewhere string) {
	switch n.K3s.Datastore {
	case facts.K3sSQLite:
		return false, "k3s on " + n.Name + " keeps its cluster in SQLite"
	case facts.K3sExternal:
		return false, "k3s on " + n.Name + " keeps its cluster in a datastore elsewhere"
	case facts.K3sEtcd:
		return true, ""
	}
	_, runs = n.ControlPlane.StaticPod("etcd")
	return runs, ""
}

// ConfigMap is one entry of a ConfigMap.
type ConfigMap struct {
	Namespace, Name, Key string
}

// EtcdKey is where etcd holds the ConfigMap, under the API server's default prefix.
func (c ConfigMap) EtcdKey() string { return "/registry/configmaps/" + c.Namespace + "/" + c.Name }

// KubeadmConfiguration is where kubeadm keeps its ClusterConfiguration (kubeadm v1beta4, constants.KubeadmConfigConfigMap).
var KubeadmConfiguration = ConfigMap{Namespace: "kube-system", Name: "kubeadm-config", Key: "ClusterConfiguration"}
