package facts

import (
	"net/netip"
	"slices"
)

// HostPorts are the pods that hold some TCP ports of the nodes they run on, as the API server tells it. What a process
// outside of all pods holds is in Listeners of its node.
type HostPorts struct {
	// Unknown: the pods could not be listed; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Ports are those that were asked for, sorted.
	Ports []int `json:"ports,omitempty"`
	// Pods hold at least one of them, or want to; sorted by namespace and name. Pods that have ended hold nothing.
	Pods []HostPortPod `json:"pods,omitempty"`
}

// HostPortPod is one such pod.
type HostPortPod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Node is where it runs; empty while no node has been found for it.
	Node  string `json:"node,omitempty"`
	Ready bool   `json:"ready,omitempty"`
	// Deleting: it is about to go, and holds its ports until then.
	Deleting bool `json:"deleting,omitempty"`
	// Ports are those of the question that it holds, sorted.
	Ports []int `json:"ports"`
	// Owner is the controller that made it: "DaemonSet ingress-nginx-controller".
	Owner string `json:"owner,omitempty"`
	// Service is set for a pod by which k3s gives a Service of type LoadBalancer its ports on the nodes.
	Service ServiceName `json:"service,omitzero"`
}

// ServiceName names a Service.
type ServiceName struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Listeners are the processes of one node that listen on some TCP ports, in the node's own network. The zero value
// means that nobody asked.
type Listeners struct {
	// Unknown: the node could not tell; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Ports are those that were asked for, sorted: one that is not among them is not known to be free.
	Ports []int `json:"ports,omitempty"`
	// Found are sorted by port, then by address.
	Found []Listener `json:"found,omitempty"`
}

// Listener is one listening socket.
type Listener struct {
	Port int `json:"port"`
	// Address is what it listens on: "0.0.0.0" and "::" are every address of the node.
	Address string `json:"address"`
	// PID and Process are of the process that has it open, the one with the lowest id; zero where none is seen to.
	PID     int    `json:"pid,omitempty"`
	Process string `json:"process,omitempty"`
}

// Loopback reports whether it listens on a loopback address alone, so that nobody from outside can reach it.
func (l Listener) Loopback() bool {
	address, err := netip.ParseAddr(l.Address)
	return err == nil && address.IsLoopback()
}

// mergePorts returns the ports of both, sorted, each once.
func mergePorts(a, b []int) []int {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
