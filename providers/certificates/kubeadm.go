package certificates

import "upkeep/providers/facts"

// adminConf is the kubeconfig whose copies the operator names.
const adminConf = "admin.conf"

// superAdminConf exists, since kubeadm 1.29, on the first control plane alone; elsewhere its absence is normal.
const superAdminConf = "super-admin.conf"

// The static pods of a kubeadm control plane with stacked etcd.
const (
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	etcdServer        = "etcd"
	kubelet           = "kubelet"
)

// notRenewable is the rank of a name that `kubeadm certs renew` does not know.
const notRenewable = -1

// The certificates of kubespray's etcd, which upkeep issues again with the key of their CA: what a member serves, what
// etcdctl shows, what kube-apiserver shows.
const (
	etcdMember = "etcd-member"
	etcdAdmin  = "etcd-admin"
	etcdNode   = "etcd-node"
)

// byAuthority reports whether upkeep issues a certificate again with its CA's key, as the certificate is.
func byAuthority(name string) bool {
	return name == etcdMember || name == etcdAdmin || name == etcdNode
}

// rank orders the certificates that `kubeadm certs renew` knows, as `kubeadm init phase certs` and `init phase
// kubeconfig` make them (kubeadm v1.36, cmd/kubeadm/app/phases/certs/certlist.go and renewal/manager.go).
func rank(name string) int {
	switch name {
	case "apiserver":
		return 0
	case "apiserver-kubelet-client":
		return 1
	case "front-proxy-client":
		return 2
	case "apiserver-etcd-client":
		return 3
	case "etcd-server":
		return 4
	case "etcd-peer":
		return 5
	case "etcd-healthcheck-client":
		return 6
	case adminConf:
		return 7
	case superAdminConf:
		return 8
	case "controller-manager.conf":
		return 9
	case "scheduler.conf":
		return 10
	case etcdMember:
		return 11
	case etcdAdmin:
		return 12
	case etcdNode:
		return 13
	}
	return notRenewable
}

// ofEtcd reports whether a certificate exists only where kubeadm runs etcd itself. apiserver-etcd-client is one: with an
// external etcd its path is the operator's.
func ofEtcd(name string) bool {
	switch name {
	case "apiserver-etcd-client", "etcd-server", "etcd-peer", "etcd-healthcheck-client", "etcd-ca":
		return true
	}
	return false
}

// reader returns the component that reads a kubeconfig once, when it starts, and so must be restarted after a renewal;
// empty for files that are re-read. The API server and etcd re-read theirs (kube-apiserver since 1.17 by its dynamic
// certificates; etcd at each handshake since 3.2).
func reader(name string) string {
	switch name {
	case "controller-manager.conf":
		return controllerManager
	case "scheduler.conf":
		return scheduler
	}
	return ""
}

// kubeconfigOf is the inverse of reader.
func kubeconfigOf(component string) string {
	switch component {
	case controllerManager:
		return "controller-manager.conf"
	case scheduler:
		return "scheduler.conf"
	}
	return ""
}

// reads reports whether a component needs a file to start.
func reads(component, name string) bool {
	switch name {
	case "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client":
		return component == apiServer
	case "etcd-server", "etcd-peer", etcdMember:
		return component == etcdServer
	case etcdNode:
		return component == apiServer
	}
	return reader(name) == component && component != ""
}

// restartRank orders restarts: those whose standby takes over at once first, the API server last since its graceful stop
// takes longest (and the leaders beside it lose their leases meanwhile).
func restartRank(component string) int {
	switch component {
	case controllerManager:
		return 0
	case scheduler:
		return 1
	case etcdServer:
		return 2
	case apiServer:
		return 3
	}
	return 4
}

// isCopy reports whether a file is a kubeconfig that the operator named, rather than one of the layout.
func isCopy(f *facts.CertificateFile) bool { return f.Kind == facts.Kubeconfig && f.Name == f.Path }
