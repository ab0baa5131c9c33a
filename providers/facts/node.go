package facts

import "time"

// Question is what one node is asked, all of it in one round trip.
type Question struct {
	// Certificates asks for the certificates of a layout; nil asks for none.
	Certificates *CertificatesQuestion `json:"certificates,omitempty"`
	// ControlPlane asks for static pods, their containers and manifests, the API server's own word on its
	// health, and k3s.
	ControlPlane bool `json:"control_plane,omitempty"`
	// Authorities asks which cluster the node is of. The one who asks for certificates asks for that, too.
	Authorities bool `json:"authorities,omitempty"`
	// NVIDIA asks for what the node is as a machine with NVIDIA GPUs. The one who asks for it asks for Boot, too.
	NVIDIA bool `json:"nvidia,omitempty"`
	// Products has each GPU compute something, which takes memory and a second of it: so it is asked where a node has no
	// tenants. The one who asks for it asks for NVIDIA, too.
	Products bool `json:"products,omitempty"`
	// KernelLog asks for what NVIDIA's driver said in the kernel log; nil asks for none.
	KernelLog *KernelLogQuestion `json:"kernel_log,omitempty"`
	// Boot asks for the node's kernels, what it boots next, and whether it wants to be rebooted.
	Boot bool `json:"boot,omitempty"`
	// Floor asks for what the node stands on: space, clock, limits of the kernel.
	Floor bool `json:"floor,omitempty"`
	// Software asks for the node's packages and container runtime.
	Software bool `json:"software,omitempty"`
	// History asks for what upkeep did on the node, as the node remembers it; Marks for what upkeep marked on it.
	History bool `json:"history,omitempty"`
	Marks   bool `json:"marks,omitempty"`
	// EtcdData asks for the data directory of a member of etcd.
	EtcdData bool `json:"etcd_data,omitempty"`
	// Ports asks who listens on some TCP ports of the node.
	Ports []int `json:"ports,omitempty"`
	// Apt asks what apt offers of the driver, and what it would do; nil asks for nothing.
	Apt *AptQuestion `json:"apt,omitempty"`
}

// CertificatesQuestion names the certificates to look at.
type CertificatesQuestion struct {
	// Layout is "auto" or "kubeadm".
	Layout string `json:"layout"`
	// Kubeconfigs are absolute paths of further kubeconfig files: copies of admin.conf.
	Kubeconfigs []string `json:"kubeconfigs,omitempty"`
}

// Merge returns a question that asks for what q and other ask for.
func (q Question) Merge(other Question) Question {
	q.ControlPlane = q.ControlPlane || other.ControlPlane
	q.Authorities = q.Authorities || other.Authorities
	q.NVIDIA = q.NVIDIA || other.NVIDIA
	q.Products = q.Products || other.Products
	q.KernelLog = q.KernelLog.merge(other.KernelLog)
	q.Boot = q.Boot || other.Boot
	q.History = q.History || other.History
	q.Floor = q.Floor || other.Floor
	q.Software = q.Software || other.Software
	q.Marks = q.Marks || other.Marks
	q.EtcdData = q.EtcdData || other.EtcdData
	q.Ports = mergePorts(q.Ports, other.Ports)
	q.Apt = q.Apt.Merge(other.Apt)
	switch {
	case q.Certificates == nil:
		q.Certificates = other.Certificates
	case other.Certificates != nil:
		merged := CertificatesQuestion{Layout: q.Certificates.Layout}
		if merged.Layout == "auto" {
			merged.Layout = other.Certificates.Layout
		}
		seen := map[string]bool{}
		for _, path := range append(append([]string{}, q.Certificates.Kubeconfigs...), other.Certificates.Kubeconfigs...) {
			if !seen[path] {
				seen[path] = true
				merged.Kubeconfigs = append(merged.Kubeconfigs, path)
			}
		}
		q.Certificates = &merged
	}
	return q
}

// Node is what was observed on one node.
type Node struct {
	// Name is the node's name in the configuration; Host the address it was reached at.
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
	// Unknown says why nothing is known of this node: it did not answer, or answered nonsense.
	Unknown string `json:"unknown,omitempty" plain:"said"`

	System System `json:"system"`
	// Authorities are the SHA-256 fingerprints of the CAs that the node takes its cluster's certificates from,
	// in lower-case hexadecimal; more than one while they rotate, none where they are not known. See
	// Node.ClusterAuthorities.
	Authorities []string `json:"authorities,omitempty"`
	// AuthorityKeys are the KeyIDs of those CAs.
	AuthorityKeys []string     `json:"authority_keys,omitempty"`
	Certificates  Certificates `json:"certificates"`
	ControlPlane  ControlPlane `json:"control_plane"`
	K3s           K3s          `json:"k3s,omitzero"`
	// Services are those that the node's layout names. The one who asks for certificates or the control plane asks
	// for them, too.
	Services []Service `json:"services,omitempty"`
	NVIDIA   NVIDIA    `json:"nvidia"`
	// KernelLog is what NVIDIA's driver said; it is asked for apart from NVIDIA.
	KernelLog KernelLog `json:"kernel_log,omitzero"`
	Boot      Boot      `json:"boot,omitzero"`
	History   History   `json:"history,omitzero"`
	Marks     Marks     `json:"marks,omitzero"`
	// Floor is what the node stands on. Skew is how far its clock is from upkeep's; nil where that was not measured.
	Floor Floor `json:"floor,omitzero"`
	Skew  *Skew `json:"skew,omitempty"`
	// Work is always answered: a node on which upkeep is still running is not as it will be.
	Work      Work      `json:"work,omitzero"`
	EtcdData  EtcdData  `json:"etcd_data,omitzero"`
	Listeners Listeners `json:"listeners,omitzero"`
	Software  Software  `json:"software,omitzero"`
	// Apt is what apt offers of the driver, and what it would do.
	Apt Apt `json:"apt,omitzero"`
}

// System identifies the machine and its boot.
type System struct {
	Unknown   string `json:"unknown,omitempty" plain:"said"`
	Hostname  string `json:"hostname,omitempty"`
	MachineID string `json:"machine_id,omitempty"`
	BootID    string `json:"boot_id,omitempty"`
	// OS is PRETTY_NAME of /etc/os-release; Kernel is the running release; Architecture is Go's GOARCH.
	OS           string `json:"os,omitempty"`
	Kernel       string `json:"kernel,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	// Clock is the node's own clock when it answered.
	Clock time.Time `json:"clock,omitzero"`
}

// ControlPlane is what runs a control plane on one node.
type ControlPlane struct {
	// Unknown: nobody asked, or the answer failed in all its parts.
	Unknown    string      `json:"unknown,omitempty" plain:"said"`
	StaticPods []StaticPod `json:"static_pods,omitempty"`
	// Doubles are files that the kubelet takes for a second manifest of a component.
	Doubles []DoubleManifest `json:"doubles,omitempty"`
	// Containers says why container facts are missing ("no CRI socket answers"); the manifests may be known all
	// the same.
	ContainersUnknown string    `json:"containers_unknown,omitempty" plain:"said"`
	APIServer         APIServer `json:"api_server"`
}

// StaticPod returns the static pod of a component ("kube-scheduler"), and whether there is one.
func (c ControlPlane) StaticPod(component string) (StaticPod, bool) {
	for _, p := range c.StaticPods {
		if p.Component == component {
			return p, true
		}
	}
	return StaticPod{}, false
}

// DoubleManifest is a file in the manifests' directory that declares a component's pod again.
type DoubleManifest struct {
	Component string `json:"component"`
	Path      string `json:"path"`
}

// StaticPod is one static pod: its manifest, and the container that runs for it.
type StaticPod struct {
	// Component is the manifest's name: "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd".
	Component string `json:"component"`
	Manifest  string `json:"manifest"`
	// Unknown says why the manifest could not be read.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Image   string `json:"image,omitempty"`
	// Flags are the manifest's command-line flags that upkeep uses, without dashes: "advertise-address", "cert-file".
	Flags map[string]string `json:"flags,omitempty"`

	// ContainerID is the newest running container's id; empty when none runs.
	ContainerID string    `json:"container_id,omitempty"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	Attempt     uint32    `json:"attempt,omitempty"`
}

// APIServer is the node's own kube-apiserver, asked on the node.
type APIServer struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Ready is /readyz; NotReady the failing checks it named.
	Ready    bool   `json:"ready,omitempty"`
	NotReady string `json:"not_ready,omitempty"`
}
