// Package reboot is the domain of nodes that must boot: the block `node_reboot`, what it finds, and the steps that
// take a node down and put it back (package downtime).
//
// It is pure: the operations are those of package downtime. It installs nothing, and chooses no kernel: what boots next
// is what the node's boot loader says.
//
// It promises that a node of which it is unknown whether it is due is never called up to date, and never rebooted; that
// the node that upkeep runs on is refused; that a node which somebody else has cordoned is left alone; and that what an
// earlier run left cordoned is named and put back.
package reboot

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
)

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		Disrupts: true,
		BlockType: config.BlockType{
			Name:  "node_reboot",
			Label: "name",
			Doc: "Nodes that reboot when they must: cordoned under a mark, drained, rebooted, and uncordoned once they are back. " +
				"A reboot is proved by another boot id, a node that is Ready, and the kernel that was to boot. " +
				"Control planes go one at a time, while etcd is healthy. " +
				"upkeep refuses the node that upkeep runs on.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Guards:  []string{downtime.GuardBackup, downtime.GuardLeases},
			Restore: restore,
		},
		Effects: downtime.Effects(),
		Findings: []providers.FindingDoc{
			{ID: "NODE_UNREACHABLE", Class: providers.ClassUnknown, General: true},
			{ID: "NODE_NONE_SELECTED", Class: providers.ClassNotApplied},
			{ID: "NODE_SELECTION_UNKNOWN", Class: providers.ClassUnknown},
			{ID: due, Class: providers.ClassNotApplied},
			{ID: blocked, Class: providers.ClassNotApplied},
			{ID: itself, Class: providers.ClassNotApplied},
			{ID: unknown, Class: providers.ClassUnknown},
			{ID: left, Class: providers.ClassUnhealthy},
		},
	}
}

const example = `node_reboot "kernel" {
  nodes           = nodes.gpu
  when            = "required"
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
			Doc: "Which nodes: `nodes.NAME`, `role(\"ROLE\")`, `node.NAME`, or a list of these."},
		{
			Name: "models", Type: cty.List(cty.String),
			Doc: "Only nodes that have a GPU of one of these models, as provider-configs names them: `h100`, `a100`, `rtx4090`. " +
				"A node whose models are unknown stays in.",
		},
		{
			Name: "when", Type: cty.String, Default: cty.StringVal(Required), OneOf: []string{Required, OlderThan},
			Doc: "When a node reboots. `required`: packages ask for it (`/run/reboot-required`), or another kernel boots next than runs. " +
				"`kernel_older_than`: the node runs an older kernel than `kernel`.",
		},
		{
			Name: "kernel", Type: cty.String,
			Doc: "With `kernel_older_than`: the release of the kernel, or the beginning of the release: `\"6.8.0-60\"`. " +
				"upkeep installs no kernel. A node whose next kernel is older, too, is not rebooted.",
		},
	}
	return config.Schema{Attributes: append(own, downtime.Attributes()...), Blocks: downtime.Blocks()}
}
