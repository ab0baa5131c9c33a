// Package lab brings up a real, highly available kubeadm cluster on one machine, for tests that must not be fooled.
//
// It makes three control-plane hosts n1, n2, n3 and a jump host called bastion. Each is a systemd-nspawn container with
// its own IP address, systemd, sshd, dpkg and sudo; on n1 to n3 run real kubeadm, kubelet, containerd and the static pods
// kube-apiserver, kube-controller-manager, kube-scheduler and etcd (stacked). The programs are built from the Go module
// proxy at the versions that lab/kubernetes and lab/etcd pin; nothing is pulled from an image registry.
//
// Hosts g1 to g3 join as workers while a test wants them ([Lab.AddWorker]).
//
// It is not a production installer and not a simulator: there is no kube-proxy, no CoreDNS and no pod network between
// nodes, but nothing that it does run is a stand-in. The bastion also carries the load balancer in front of the three
// API servers (cp.lab), as a machine beside the cluster would.
//
// It promises that
//   - where it cannot run (not root, no CAP_SYS_ADMIN, not Debian or Ubuntu) it says why and changes nothing;
//   - every wait is for a condition and has an end;
//   - [Up] may be repeated, and [Down] removes everything that any earlier run left: processes, mounts, network
//     namespaces, cgroups and files, save for the build cache;
//   - host keys are made here, recorded, and checked on every connection.
//
// One machine holds one lab: addresses, interface and cgroup names are fixed.
package lab
