package facts

import "time"

// Kubernetes is what the API server says of the cluster itself.
type Kubernetes struct {
	// Unknown: no kubeconfig was declared, or the API did not answer; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Kubeconfig is the operator's own kubeconfig (`cluster.kubeconfig`): its client certificate has an end, too.
	Kubeconfig CertificateFile `json:"kubeconfig"`
	// UID is the uid of namespace kube-system, which stands for the cluster's identity.
	UID     string `json:"uid,omitempty"`
	Version string `json:"version,omitempty"`
	// Authority is the SHA-256 fingerprint of the cluster's CA as the kubeconfig has it.
	Authority string `json:"authority,omitempty"`
	// AuthorityKey is the KeyID of that CA.
	AuthorityKey string `json:"authority_key,omitempty"`

	// ClusterConfiguration is the YAML of kubeadm's ClusterConfiguration, from the ConfigMap kube-system/kubeadm-config.
	ClusterConfiguration        string `json:"cluster_configuration,omitempty" plain:"-"`
	ClusterConfigurationUnknown string `json:"cluster_configuration_unknown,omitempty" plain:"said"`
	// ClusterConfigurationFrom is where that was read while the API did not answer: "etcd". Empty: from the API.
	ClusterConfigurationFrom string `json:"cluster_configuration_from,omitempty"`
	// ClusterConfigurationDoubts are why a person must look at it before it is used: members of etcd that hold another
	// one.
	ClusterConfigurationDoubts []string `json:"cluster_configuration_doubts,omitempty"`
	// ClusterConfigurationFiles are those of files on nodes, where neither the API nor etcd tells.
	ClusterConfigurationFiles []ConfigurationFile `json:"cluster_configuration_files,omitempty"`

	Nodes []KubernetesNode `json:"nodes,omitempty"`
	// Leases are the leader leases in kube-system of kube-controller-manager and kube-scheduler.
	Leases []Lease `json:"leases,omitempty"`
	// Run is the Lease that a run of upkeep holds while it changes the cluster; nil where there is none, or it could not
	// be read. The holder's clock may differ: it is for words, not for decisions.
	Run *Lease `json:"run,omitempty"`
}

// ConfigurationFile is a kubeadm configuration that lies on a node.
type ConfigurationFile struct {
	Node string `json:"node"`
	Path string `json:"path"`
	Text string `json:"text" plain:"-"`
}

// Running returns the Lease of a run of upkeep that is in progress by a clock, and whether there is one.
func (k Kubernetes) Running(now time.Time) (Lease, bool) {
	if k.Run == nil || k.Run.Holder == "" || k.Run.RenewedAt.IsZero() {
		return Lease{}, false
	}
	ends := k.Run.RenewedAt.Add(time.Duration(k.Run.DurationSeconds) * time.Second)
	return *k.Run, now.Before(ends)
}

// Lease returns a lease by name, and whether there is one.
func (k Kubernetes) Lease(name string) (Lease, bool) {
	for _, l := range k.Leases {
		if l.Name == name {
			return l, true
		}
	}
	return Lease{}, false
}

// KubernetesNode is one Node object.
type KubernetesNode struct {
	Name          string `json:"name"`
	Ready         bool   `json:"ready"`
	Unschedulable bool   `json:"unschedulable,omitempty"`
	// Cordon is the mark that upkeep left on the node; nil where there is none. Somebody may have uncordoned the node
	// since.
	Cordon *Cordon `json:"cordon,omitempty"`
	// GPUs are what the device plugin offers of the node: resources of nvidia.com, by name ("nvidia.com/gpu").
	GPUs map[string]Offered `json:"gpus,omitempty"`
	// Maintainers are others who change the node now, as its labels, annotations and taints show.
	Maintainers []Maintainer      `json:"maintainers,omitempty"`
	Version     string            `json:"version,omitempty"`
	Addresses   map[string]string `json:"addresses,omitempty"` // by type: "InternalIP"
	// Boot is the boot id that the kubelet reported last.
	Boot   string            `json:"boot,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Offered is how many of a resource a node has.
type Offered struct {
	Capacity    int64 `json:"capacity"`
	Allocatable int64 `json:"allocatable"` // what pods may ask for: without the devices that the plugin calls unhealthy
}

// Lease is one leader lease.
type Lease struct {
	Name      string    `json:"name"`
	Holder    string    `json:"holder"`
	RenewedAt time.Time `json:"renewed_at,omitzero"`
	// DurationSeconds is how long a holder may be silent before another takes over.
	DurationSeconds int32 `json:"duration_seconds,omitempty"`
}

// Etcd is the etcd cluster as its members see it.
type Etcd struct {
	// Unknown: no member answered; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// ClusterID is hexadecimal, as etcdctl prints it in tables.
	ClusterID string   `json:"cluster_id,omitempty"`
	Members   []Member `json:"members,omitempty"` // sorted by name
	Alarms    []Alarm  `json:"alarms,omitempty"`
	// Unusable are the nodes and endpoints at which etcd was asked and that are none of Members, in the order they were
	// asked in.
	Unusable []UnusableEndpoint `json:"unusable,omitempty"`
}

// UnusableEndpoint is a node or a URL that was to lead to a member of etcd and leads to none of the cluster's.
type UnusableEndpoint struct {
	At  string `json:"at"`
	Why string `json:"why" plain:"said"`
}

// Member is one etcd member: what the member list says of it, and what it says of itself.
type Member struct {
	ID         string   `json:"id"` // hexadecimal
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peer_urls,omitempty"`
	ClientURLs []string `json:"client_urls,omitempty"`
	Learner    bool     `json:"learner,omitempty"`
	// Node is the configured node that this member was reached through; empty when none of them is it.
	Node string `json:"node,omitempty"`
	// Unknown: the member itself did not answer; why. The fields below are then zero.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Leader  string `json:"leader,omitempty"` // the id of the leader this member follows
	Version string `json:"version,omitempty"`
	// DBSize and Quota are bytes; Quota 0 means that the member does not say.
	DBSize      int64    `json:"db_size,omitempty"`
	Quota       int64    `json:"quota,omitempty"`
	RaftTerm    uint64   `json:"raft_term,omitempty"`
	RaftIndex   uint64   `json:"raft_index,omitempty"`
	RaftApplied uint64   `json:"raft_applied,omitempty"`
	Errors      []string `json:"errors,omitempty" plain:"said"`
	// Hash is the member's HashKV at HashRevision. It covers what the compaction at CompactRevision left: hashes compare
	// only where both revisions are the same.
	HashRevision    int64  `json:"hash_revision,omitempty"`
	CompactRevision int64  `json:"compact_revision,omitempty"`
	Hash            uint32 `json:"hash,omitempty"`
}

// Alarm is a raised alarm: "NOSPACE", "CORRUPT".
type Alarm struct {
	Member string `json:"member"` // hexadecimal id
	Type   string `json:"type"`
}
