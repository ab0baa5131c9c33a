// Package driver is the domain of NVIDIA's driver: the block `nvidia_driver`, what it finds, and the steps that bring a
// node to a version: download, cordon, drain, packages, reboot, proof, uncordon (package downtime has all but the
// driver's own).
//
// What is pure stands apart: an aim says which driver a node is to have, a resolution which packages in which full
// versions that is, and Diff what to do. The operations alone change something, through the node's helper.
//
// It promises that one version holds for all nodes of a block; that packages change only where apt was asked what it
// would do, and then exactly so; that a node on which anything of that is unknown, held back, pinned or ambiguous is
// left alone, and says what to type; that a driver counts as changed when the loaded module, the module on disk, the
// libraries and the fabric manager have one version and a program can use each GPU. It never runs `apt-get update`,
// writes no source of packages, and touches no node of NVIDIA's GPU Operator.
package driver

import (
	"maps"

	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
)

// The operations.
const (
	OperationDownload = "driver.download"
	OperationPackages = "driver.packages"
	OperationProve    = "driver.prove"
	OperationRecord   = "driver.record"
	OperationSoak     = "driver.soak"
)

// The ids of the findings.
const (
	due       = "NVIDIA_DRIVER_DUE"
	blocked   = "NVIDIA_DRIVER_BLOCKED"
	disagree  = "NVIDIA_DRIVER_DISAGREE"
	unknown   = "NVIDIA_DRIVER_UNKNOWN"
	operated  = "NVIDIA_DRIVER_OPERATOR"
	itself    = "NVIDIA_DRIVER_ITSELF"
	twice     = "NVIDIA_DRIVER_TWICE"
	unclaimed = "NVIDIA_DRIVER_UNDECLARED"
	signing   = "NVIDIA_DRIVER_SIGNING"
	canary    = "NVIDIA_DRIVER_CANARY"
	left      = "NODE_LEFT_CORDONED"
)

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		Disrupts: true,
		BlockType: config.BlockType{
			Name:  "nvidia_driver",
			Label: "name",
			Doc: "The version of NVIDIA's driver on nodes of Debian's family. " +
				"upkeep downloads the packages for a node that has another version. " +
				"upkeep then cordons the node under a mark, and drains the node. " +
				"One call of apt installs the packages in exact versions. The node reboots, and upkeep proves the driver. " +
				"upkeep asks apt first what it would do, and shows that in the plan.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Guards:  []string{downtime.GuardBackup, downtime.GuardLeases},
			Restore: restore,
		},
		Effects: Effects(),
		Findings: []providers.FindingDoc{
			{ID: "NODE_UNREACHABLE", Class: providers.ClassUnknown, General: true},
			{ID: "NODE_NONE_SELECTED", Class: providers.ClassNotApplied},
			{ID: "NODE_SELECTION_UNKNOWN", Class: providers.ClassUnknown},
			{ID: due, Class: providers.ClassNotApplied},
			{ID: blocked, Class: providers.ClassNotApplied},
			{ID: disagree, Class: providers.ClassNotApplied},
			{ID: operated, Class: providers.ClassNotApplied},
			{ID: itself, Class: providers.ClassNotApplied},
			{ID: twice, Class: providers.ClassNotApplied},
			{ID: unclaimed, Class: providers.ClassNotApplied},
			{ID: signing, Class: providers.ClassUnhealthy},
			{ID: canary, Class: providers.ClassUnhealthy},
			{ID: unknown, Class: providers.ClassUnknown},
			{ID: left, Class: providers.ClassUnhealthy},
		},
	}
}

// Effects are the pure meaning of the domain's own operations. Those of package downtime belong to node_reboot.
func Effects() map[string]providers.Effect {
	return map[string]providers.Effect{
		OperationDownload: effect{OperationDownload}, OperationPackages: effect{OperationPackages},
		OperationProve: effect{OperationProve}, OperationRecord: canaryEffect{OperationRecord},
		OperationSoak: canaryEffect{OperationSoak},
	}
}

// AllEffects are the meaning of each step that a block plans.
func AllEffects() map[string]providers.Effect {
	all := Effects()
	maps.Copy(all, downtime.Effects())
	return all
}

const example = `nvidia_driver "workers" {
  nodes           = nodes.gpu
  version         = "580.126.20"
  leases          = "wait"
  max_unavailable = 2
  drain {
    emptydir = true
  }
  window = maintenance_window.weekly
}
`

func schema() config.Schema {
	own := []config.Attribute{
		{Name: "nodes", Type: config.SelectionType, Required: true,
			Doc: "Which nodes: `nodes.NAME`, `role(\"ROLE\")`, `node.NAME`, or a list of these. " +
				"A node may be in one `nvidia_driver` block only."},
		{
			Name: "models", Type: cty.List(cty.String),
			Doc: "Only nodes that have a GPU of one of these models, as provider-configs names them: `h100`, " +
				"`a100`, `rtx4090`. A node whose models are unknown stays in.",
		},
		{
			Name: "version", Type: cty.String, Required: true,
			Doc: "The version, in all its parts: `\"580.126.20\"`. Or a branch: `\"580\"` is the newest version of the branch " +
				"that apt offers on every node of the block. All nodes get the same version. upkeep does not run `apt-get update`.",
		},
		{
			Name: "kernel_module", Type: cty.String, Default: cty.StringVal(Auto), OneOf: []string{Auto, Open, Proprietary},
			Doc: "Which kernel module. `auto`: the one that the GPU needs, else the one that the node has, else `open`.",
		},
		{
			Name: "track", Type: cty.String, Default: cty.StringVal(Auto), OneOf: []string{Auto, Server, Desktop},
			Doc: "Which packages of Ubuntu's archive: those of the `server` or of the `desktop` track. " +
				"`auto`: those that the node has. A node that needs a fabric manager gets `server`, " +
				"and a node with packages of NVIDIA's repository keeps that repository.",
		},
		{
			Name: "held", Type: cty.String, Default: cty.StringVal(Refuse), OneOf: []string{Refuse, Change},
			Doc: "What happens to packages that apt holds back. `refuse`: nothing is planned for the node. " +
				"`change`: upkeep changes the packages, and holds the new ones back afterwards.",
		},
		{
			Name: "validate", Type: cty.String, Default: cty.StringVal(Host), OneOf: []string{Host, None},
			Doc: "What the GPUs do before the node gets tenants again. " +
				"`host`: each GPU multiplies two matrices, in a program on " +
				"the node, and the result must be right. The way that pods get GPUs is not tried. " +
				"`none`: nothing, and `validate_reason` says why.",
		},
		{Name: "validate_reason", Type: cty.String,
			Doc: "Why no GPU computes anything, for `validate = \"none\"`. Plans show the reason."},
		{
			Name: "max_same_model", Type: cty.Number, Default: cty.NumberIntVal(1),
			Doc: "How many nodes with one model of GPU may be out of service at a time, within `max_unavailable`. " +
				"So a provider can still offer each model.",
		},
		{
			Name: "soak", Type: cty.String, Default: cty.StringVal("24h"),
			Doc: "The first node of each model goes alone. The driver must run on the first node for this time, and still work. " +
				"Then the other nodes of the model start. " +
				"The state remembers the first node by model and version, so the time may span windows and runs. " +
				"`\"0s\"`: the others follow at once. At most 30 days.",
		},
	}
	for _, a := range downtime.Attributes() {
		if a.Name == "max_failures" { // the first node of each model may not fail at all
			a.Default = cty.NumberIntVal(1)
			a.Doc = "How many nodes may fail before no further node starts. When the first node of a model fails, no other node " +
				"of the model starts."
		}
		own = append(own, a)
	}
	return config.Schema{Attributes: own, Blocks: downtime.Blocks()}
}
