// Package nvidia is the domain of nodes with NVIDIA GPUs: the block `gpu_health`, what it finds, and the cordon
// that it sets where the operator wants one.
//
// It has three rooms. StateOf names what a node is, from facts alone; Diff turns states into findings and, with
// quarantine, into steps; the operation alone changes something, through an interface that the caller fills. It
// observes nothing, installs nothing, resets no GPU and reboots no node.
//
// It promises that an unknown part is never healthy; that hardware alone decides whether a fabric manager is
// needed; that versions are equal only in all their parts; that nobody is cordoned for a fault that is not seen
// now, beyond the number that the operator gave, or while somebody else has cordoned the node.
package nvidia

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
)

// OperationQuarantine cordons a node.
const OperationQuarantine = "nvidia.quarantine"

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		BlockType: config.BlockType{
			Name:  "gpu_health",
			Label: "name",
			Doc: "The health of nodes with NVIDIA GPUs: driver, libraries, fabric manager, kernel log, container runtime and device plugin. " +
				"Without `quarantine` upkeep reports, and changes nothing. With `quarantine`, upkeep cordons nodes with faults of the chosen classes. " +
				"upkeep marks each cordon as its own, and `upkeep marks` shows the cordons. Removing the block uncordons nothing.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Restore: restore,
		},
		Effects:  map[string]providers.Effect{OperationQuarantine: quarantining{}},
		Findings: findingDocs(),
	}
}

const example = `gpu_health "fleet" {
  nodes           = nodes.gpu
  models          = ["h100", "a100"]
  quarantine      = true
  classes         = ["lost", "reboot", "hands"]
  max_quarantined = 2
  repeat {
    faults = 3
    within = "30d"
  }
}
`

func schema() config.Schema {
	return config.Schema{
		Attributes: []config.Attribute{
			{Name: "nodes", Type: config.SelectionType, Required: true,
				Doc: "Which nodes: `nodes.NAME`, `role(\"ROLE\")`, `node.NAME`, or a list of these."},
			{
				Name: "models", Type: cty.List(cty.String),
				Doc: "Only nodes that have a GPU of one of these models, as provider-configs names them: `h100`, `a100`, `rtx4090`. " +
					"The PCI bus tells the model, so it needs no driver and no label. A node whose models are unknown stays in.",
			},
			{Name: "quarantine", Type: cty.Bool, Default: cty.False,
				Doc: "Cordon nodes with faults of the `classes`, under a mark of upkeep's."},
			{
				Name: "classes", Type: cty.List(cty.String),
				Doc: "The classes of faults that a node is cordoned for; required with `quarantine`. `lost`: a GPU is missing or does not answer. " +
					"`driver`: the driver does not work. `fabric`: the fabric manager is needed and does not work. `memory`: a row of memory could not be replaced. " +
					"`reset`, `reboot`, `hands`: what the driver or NVIDIA's table of Xids asks for. `unclear`: a fault without a known action.",
			},
			{
				Name: "max_quarantined", Type: cty.Number,
				Doc: "How many nodes upkeep may have cordoned at a time, over all `gpu_health` blocks together. " +
					"Without it 5 % of the accepted nodes with GPUs, rounded down, and at least 1.",
			},
		},
		Blocks: []config.NestedBlock{
			{
				Name: "repeat", Doc: "When the faults of one GPU, told by its serial number, are too many.",
				Schema: config.Schema{Attributes: []config.Attribute{
					{Name: "faults", Type: cty.Number, Required: true, Doc: "From how many faults on, 2 to 100."},
					{Name: "within", Type: cty.String, Default: cty.StringVal("30d"), Doc: "In how long, at most 90 days."},
				}},
			},
			{
				Name: "ignore", Repeatable: true,
				Doc: "A Xid that is accepted for a while: it is not reported, and nobody is cordoned for it.",
				Schema: config.Schema{Attributes: []config.Attribute{
					{Name: "xid", Type: cty.Number, Required: true, Doc: "The code."},
					{Name: "nodes", Type: cty.List(cty.String), Node: true,
						Doc: "Names of nodes; every node where it is not set."},
					{Name: "reason", Type: cty.String, Required: true, Lines: true, Doc: "Why."},
					{Name: "owner", Type: cty.String, Required: true, Doc: "Who is responsible."},
					{Name: "until", Type: cty.String, Required: true,
						Doc: "The last day on which it holds, in UTC: `\"2027-01-31\"`."},
				}},
			},
		},
	}
}

// findingDocs declares what this domain can find; docs/findings has a page for each.
func findingDocs() (docs []providers.FindingDoc) {
	docs = append(docs,
		providers.FindingDoc{ID: "NODE_UNREACHABLE", Class: providers.ClassUnknown, General: true},
		providers.FindingDoc{ID: "NODE_NONE_SELECTED", Class: providers.ClassNotApplied})
	for _, d := range []struct {
		class providers.Class
		ids   []string
	}{
		{providers.ClassUnknown, []string{"NVIDIA_UNKNOWN", "FABRIC_MANAGER_UNKNOWN", "NODE_SELECTION_UNKNOWN"}},
		{providers.ClassChanged, []string{"GPU_MISSING", "GPU_REPLACED", "GPU_QUARANTINED", "NODE_MAINTAINED"}},
		{providers.ClassNotApplied, []string{"GPU_QUARANTINE_LIMIT", "GPU_NONE_SELECTED", "NVIDIA_MODULE_PENDING",
			"GPU_REMAP_PENDING"}},
		{providers.ClassUnhealthy, []string{
			"GPU_ECC", "GPU_FAULTS_REPEAT", "GPU_LOST", "GPU_MODEL_UNKNOWN", "GPU_NODES_DIFFER", "GPU_NOT_OFFERED",
			"GPU_RECOVERY_DUE",
			"GPU_REMAP_FAILED",
			"GPU_UNBOUND", "CDI_STALE", "RUNTIME_HANDLER_MISSING",
			"FABRIC_MANAGER_DISABLED", "FABRIC_MANAGER_FAILED", "FABRIC_MANAGER_MISMATCH", "FABRIC_MANAGER_MISSING",
			"FABRIC_MANAGER_NOT_NEEDED",
			"FABRIC_MODULES_MISSING", "FABRIC_NOT_READY",
			"NVIDIA_API_MISMATCH", "NVIDIA_BRANCHES", "NVIDIA_CUDA_FAILS", "NVIDIA_DRIVER_ERROR",
			"NVIDIA_DRIVER_NOT_LOADED", "NVIDIA_DRM_MISSING",
			"NVIDIA_LIBRARY_MISMATCH", "NVIDIA_LIBRARY_MISSING", "NVIDIA_LOG_GAP", "NVIDIA_MODULE_BEHIND",
			"NVIDIA_MODULE_MISSING",
			"NVIDIA_MODULE_UNSIGNED", "NVIDIA_NVML_SILENT", "NVIDIA_PACKAGE_BROKEN", "NVIDIA_PINNED",
			"NVIDIA_REPOSITORIES", "NVIDIA_TRACK",
			"NVIDIA_UNATTENDED", "NVIDIA_XID_APP", "NVIDIA_XID_HANDS", "NVIDIA_XID_REBOOT", "NVIDIA_XID_RESET",
			"NVIDIA_XID_UNCLASSIFIED",
			"NVIDIA_XID_WATCH",
		}},
	} {
		for _, id := range d.ids {
			docs = append(docs, providers.FindingDoc{ID: id, Class: d.class})
		}
	}
	return docs
}
