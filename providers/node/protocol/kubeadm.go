package protocol

// KubeadmRequest asks for the cluster's own kubeadm configuration, as the node's member of etcd and files of the node
// have it. It names nothing: what is read is fixed.
type KubeadmRequest struct{}
