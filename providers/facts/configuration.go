package facts

// ConfigurationSources is what one node has of the cluster's kubeadm configuration, asked for while the API does not
// answer.
type ConfigurationSources struct {
	// Stored is the ConfigMap as the node's own member of etcd keeps it, read without a round through raft: a member
	// whose peers' certificates have expired has no quorum. Revision is its last change. Unknown says why there is
	// none.
	Stored   []byte `json:"stored,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	Unknown  string `json:"unknown,omitempty" plain:"said"`
	// Files are those of a kubeadm configuration on the node, of each the ClusterConfiguration alone.
	Files []ConfigurationOnNode `json:"files,omitempty"`
}

// ConfigurationAnswer is what a node of a member of etcd has.
type ConfigurationAnswer struct {
	Node string `json:"node"`
	ConfigurationSources
}

// ConfigurationOnNode is the ClusterConfiguration of a file.
type ConfigurationOnNode struct {
	Path string `json:"path"`
	Text string `json:"text,omitempty" plain:"-"`
}
