package facts

// Software is which packages a node has, and which container runtime. Upkeep compares it over a time in which others
// work on the node. The zero value means that nobody asked.
type Software struct {
	// Unknown: dpkg's status could not be read; why. NoDpkg: the node has no dpkg.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	NoDpkg  bool   `json:"no_dpkg,omitempty"`
	// Total is how many packages have files on the node, Digest the first 8 hexadecimal digits of the SHA-256 of their
	// names, architectures, versions and states: it tells whether any of them changed.
	Total  int    `json:"total,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Packages are those that a Kubernetes node runs by (kubelet, container runtime, kernel, NVIDIA's driver), and every
	// held one, by name and architecture. Only name, architecture, status, version and hold are set.
	Packages []Package `json:"packages,omitempty"`
	// Runtime is the container runtime with its handlers.
	Runtime Runtime `json:"runtime,omitzero"`
}

// Asked reports whether somebody asked for it.
func (s Software) Asked() bool { return s.Unknown != "" || s.NoDpkg || s.Digest != "" }
