package facts

import "time"

// CDI are the files of the Container Device Interface that name NVIDIA devices: in /etc/cdi, which a person or
// a script makes, and /var/run/cdi, which services make.
type CDI struct {
	Unknown string    `json:"unknown,omitempty" plain:"said"`
	Files   []CDIFile `json:"files,omitempty"`
}

// CDIFile is one of them.
type CDIFile struct {
	Path string `json:"path"`
	// Unknown: it could not be read or is no such file; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Kind is "nvidia.com/gpu", Devices the names in it: "0", "all", "GPU-…".
	Kind    string   `json:"kind,omitempty"`
	Devices []string `json:"devices,omitempty"`
	// Versions are the versions in the names of the driver's libraries that it mounts, each once, sorted. They must be
	// the loaded module's. A file that names none has none.
	Versions []string `json:"versions,omitempty"`
	// Missing are files and device nodes that it names and the node does not have, at most 20.
	Missing  []string  `json:"missing,omitempty"`
	Modified time.Time `json:"modified,omitzero"`
}

// Runtime is the node's container runtime, asked over the CRI.
type Runtime struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Name    string `json:"name,omitempty"` // "containerd"
	Version string `json:"version,omitempty"`
	// Handlers are the names that a RuntimeClass can name: "runc", "nvidia". HandlersUnknown why they are unknown.
	Handlers        []string `json:"handlers,omitempty"`
	HandlersUnknown string   `json:"handlers_unknown,omitempty" plain:"said"`
}
