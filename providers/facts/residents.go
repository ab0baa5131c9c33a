package facts

// Residents are the pods that matter when their node is taken down: those of the provider itself, of
// the way in from outside, of storage, and those that run nowhere else. Tenants' pods are not among them (Tenancies),
// nor is what runs on every node, nor the static pods of a control plane.
type Residents struct {
	// Unknown: the pods could not be listed; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Pods are sorted by node, namespace and name. A pod without a node waits for one.
	Pods []Resident `json:"pods,omitempty"`
}

// On returns those on a node.
func (r Residents) On(node string) []Resident {
	var out []Resident
	for _, pod := range r.Pods {
		if pod.Node == node {
			out = append(out, pod)
		}
	}
	return out
}

// Duty is why a pod matters when its node is taken down.
type Duty string

// The duties. A pod has the first that fits.
const (
	DutyProvider  Duty = "provider"  // akash-provider: no bids while it is down
	DutyRPC       Duty = "rpc"       // akash-node: the provider's way to the chain
	DutyOSD       Duty = "osd"       // a disk of Ceph
	DutyMonitor   Duty = "mon"       // a monitor of Ceph
	DutyStorage   Duty = "storage"   // another part of Rook that runs once
	DutyInventory Duty = "inventory" // operator-inventory: what the provider offers
	DutyOperator  Duty = "operator"  // another operator of Akash
	DutyGateway   Duty = "gateway"   // it holds ports of the node that people come in by
	DutyOnly      Duty = "only"      // the only replica of its workload
)

// Resident is one such pod.
type Resident struct {
	Node      string `json:"node,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Duty      Duty   `json:"duty"`
	// Owner is the controller that made it: "StatefulSet akash-provider"; empty for a pod that nobody makes again.
	Owner string `json:"owner,omitempty"`
	Ready bool   `json:"ready,omitempty"`
	// Ports are the TCP ports of the node that a gateway holds, sorted.
	Ports []int `json:"ports,omitempty"`
	// Pinned: the pod itself may run on no other node.
	Pinned bool `json:"pinned,omitempty"`
	// Volume says whether its data can follow it to another node.
	Volume VolumePlace `json:"volume,omitempty"`
	// VolumeUnknown: why Volume is VolumeUnknown.
	VolumeUnknown string `json:"volume_unknown,omitempty" plain:"said"`
}

// VolumePlace says where a pod's persistent data is.
type VolumePlace string

// The places. Of several volumes the worst one counts, in this order from the best.
const (
	VolumeNone    VolumePlace = ""        // it has no persistent volume
	VolumeFollows VolumePlace = "follows" // it can be mounted on another node
	VolumeUnknown VolumePlace = "unknown" // not read, or not bound yet
	VolumeLocal   VolumePlace = "local"   // it is on a disk of the node
)

// Moves reports whether the pod is known to run on another node while its own is down.
func (r Resident) Moves() bool {
	return r.Owner != "" && !r.Pinned && (r.Volume == VolumeNone || r.Volume == VolumeFollows)
}
