package nvidia

import (
	"slices"
	"strings"

	"upkeep/providers"
)

// gpuResource is the resource that NVIDIA's device plugin offers.
const gpuResource = "nvidia.com/gpu"

// runtimeHandler is the handler that the RuntimeClass nvidia names; Akash's pods with GPUs need it.
const runtimeHandler = "nvidia"

// containers judges the way of the GPUs into containers: runtime, CDI files, device plugin.
func (e *examination) containers() {
	e.runtime()
	e.cdi()
	e.plugin()
	e.maintained()
}

func (e *examination) runtime() {
	r := e.n.Runtime
	switch {
	case r.Unknown != "":
		e.unknown("container runtime", r.Unknown)
	case r.HandlersUnknown != "":
		e.unknown("container runtime", "its handlers: "+r.HandlersUnknown)
	case !slices.Contains(r.Handlers, runtimeHandler):
		e.due("RUNTIME_HANDLER_MISSING", "container runtime",
			"nvidia-ctk runtime configure --runtime=containerd && systemctl restart containerd",
			"%s has no handler %q: pods with the RuntimeClass nvidia do not start", orElse(r.Name,
				"the runtime"), runtimeHandler)
	}
}

func (e *examination) cdi() {
	if e.n.CDI.Unknown != "" {
		e.unknown("CDI", e.n.CDI.Unknown)
		return
	}
	loaded := e.n.Module.Version
	const hint = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
	for _, f := range e.n.CDI.Files {
		var others []string
		for _, v := range f.Versions {
			if v != loaded {
				others = append(others, v)
			}
		}
		switch {
		case f.Unknown != "":
			e.unknown("CDI file "+f.Path, f.Unknown)
		case len(others) > 0 && loaded != "":
			e.due("CDI_STALE", "CDI file "+f.Path, hint, "the file names libraries of %s, and module %s is loaded",
				providers.Few(others), loaded)
		case len(f.Missing) > 0:
			e.due("CDI_STALE", "CDI file "+f.Path, hint, "the file names what the node does not have: %s",
				providers.Few(f.Missing))
		}
	}
}

// plugin compares what the device plugin offers with the GPUs that are there.
func (e *examination) plugin() {
	k := e.Kubernetes
	if k == nil || e.partitioned() {
		return
	}
	for name, offered := range k.GPUs {
		if strings.HasPrefix(name, "nvidia.com/mig-") && offered.Capacity > 0 {
			return
		}
	}
	present := 0
	for _, g := range e.n.Devices.GPUs {
		if g.Driver == "nvidia" {
			present++
		}
	}
	const restart = "kubectl -n nvidia-device-plugin rollout restart daemonset; kubectl -n nvidia-device-plugin get pods -o wide"
	offered, known := k.GPUs[gpuResource]
	switch {
	case present == 0:
	case !known || offered.Capacity == 0:
		e.due("GPU_NOT_OFFERED", "device plugin", restart, "the device plugin offers no GPU, and the node has %d",
			present)
	case offered.Allocatable < offered.Capacity:
		e.due("GPU_NOT_OFFERED", "device plugin", restart,
			"the device plugin calls %d of %d GPUs unhealthy, until the plugin restarts",
			offered.Capacity-offered.Allocatable, offered.Capacity)
	case offered.Capacity < int64(present):
		e.due("GPU_NOT_OFFERED", "device plugin", restart, "the device plugin offers %d GPUs, and the node has %d",
			offered.Capacity, present)
	case offered.Capacity > int64(present):
		e.note("GPU_NOT_OFFERED", "device plugin", restart,
			"the device plugin offers %d GPUs, and the node has %d: shared GPUs, or a stale count",
			offered.Capacity, present)
	}
}

// maintained names others that are at work on the node: they may cordon it, and uncordon it, too.
func (e *examination) maintained() {
	if e.Kubernetes == nil {
		return
	}
	for _, m := range e.Kubernetes.Maintainers {
		e.note("NODE_MAINTAINED", m.Name, "", "%s changes this node now (%s)", m.Name, m.Evidence)
	}
	for _, c := range e.Claims {
		e.note("NODE_MAINTAINED", c.By, "", "%s has this node for its work (%s)", c.By, c.Evidence)
	}
}
