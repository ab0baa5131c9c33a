package facts

// DrainQuestion asks what draining a node would do.
type DrainQuestion struct {
	Node string `json:"node"` // its name in Kubernetes
	// Try: each eviction is also asked of the API server as a dry run, which a user who only looks may not do.
	Try bool `json:"try,omitempty"`
}

// Drain is what draining a node would do now. DaemonSet pods, static pods and pods that have ended stay, and are not
// in it.
type Drain struct {
	// Unknown: the pods could not be read; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Tried: each eviction was asked of the API server as a dry run.
	Tried bool `json:"tried,omitempty"`
	// Pods are those that would be evicted, sorted by namespace and name.
	Pods []DrainPod `json:"pods,omitempty"`
}

// DrainPod is a pod that a drain would evict.
type DrainPod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Owner is the controller that makes it again elsewhere: "ReplicaSet web-7d4"; empty where nobody does.
	Owner string `json:"owner,omitempty"`
	// EmptyDir: it has an emptyDir volume, whose data is lost.
	EmptyDir bool `json:"empty_dir,omitempty"`
	// Tenant: it belongs to a lease of an Akash provider.
	Tenant bool `json:"tenant,omitempty"`
	// Refused says why the pod could not be evicted now: a PodDisruptionBudget, or what the API server says.
	Refused string `json:"refused,omitempty" plain:"said"`
}

// String names the pod as kubectl does.
func (p DrainPod) String() string { return p.Namespace + "/" + p.Name }

// Here is the machine that upkeep itself runs on.
type Here struct {
	MachineID string `json:"machine_id,omitempty"`
	BootID    string `json:"boot_id,omitempty"`
}

// Is reports whether a node is this machine: by its machine id or, since a container may have another one, by the boot
// of its kernel.
func (h Here) Is(n Node) bool {
	return h.MachineID != "" && h.MachineID == n.System.MachineID || h.BootID != "" && h.BootID == n.System.BootID
}
