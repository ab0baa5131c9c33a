package facts

// Tenancies are the leases of an Akash provider's tenants, as Kubernetes shows them.
type Tenancies struct {
	// Unknown: they could not be read; why. A cluster where no provider ever ran has none, which is not unknown.
	Unknown string        `json:"unknown,omitempty" plain:"said"`
	Leases  []TenantLease `json:"leases,omitempty"` // sorted by namespace
}

// GPUs returns how many GPUs the tenants' pods hold.
func (t Tenancies) GPUs() int {
	sum := 0
	for _, lease := range t.Leases {
		sum += lease.GPUs()
	}
	return sum
}

// On returns the leases that have a pod on a node.
func (t Tenancies) On(node string) []TenantLease {
	var out []TenantLease
	for _, lease := range t.Leases {
		for _, pod := range lease.Pods {
			if pod.Node == node {
				out = append(out, lease)
				break
			}
		}
	}
	return out
}

// TenantLease is one lease: a namespace of its own, with the tenant's workloads in it.
type TenantLease struct {
	Namespace string `json:"namespace"`
	// These come from the namespace's labels akash.network/lease.id.*.
	Owner    string `json:"owner"`
	DSeq     string `json:"dseq"`
	GSeq     string `json:"gseq"`
	OSeq     string `json:"oseq"`
	Provider string `json:"provider"`
	// Manifest: the Manifest object that the provider keeps for the lease is there, too.
	Manifest bool        `json:"manifest"`
	Pods     []TenantPod `json:"pods,omitempty"` // sorted by name
}

// ID returns the lease's id as Akash writes it: owner/dseq/gseq/oseq/provider.
func (l TenantLease) ID() string {
	return l.Owner + "/" + l.DSeq + "/" + l.GSeq + "/" + l.OSeq + "/" + l.Provider
}

// GPUs returns how many GPUs the lease's pods hold.
func (l TenantLease) GPUs() int {
	sum := 0
	for _, pod := range l.Pods {
		sum += pod.GPUs
	}
	return sum
}

// TenantPod is one pod of a lease.
type TenantPod struct {
	Name    string `json:"name"`
	Service string `json:"service"` // the manifest's service
	Node    string `json:"node,omitempty"`
	Phase   string `json:"phase"`
	Ready   bool   `json:"ready"`
	// GPUs are complete devices: the sum of the containers' limits of nvidia.com/gpu and amd.com/gpu.
	GPUs int `json:"gpus,omitempty"`
	// Persistent: it mounts a PersistentVolumeClaim.
	Persistent bool `json:"persistent,omitempty"`
}
