// Package downtime takes a node out of service for a piece of work, and puts it back: it is cordoned under a mark,
// drained, rebooted, and uncordoned where upkeep cordoned it. Every domain that takes a node down plans these steps, so
// that all of them keep the same rules.
//
// It is pure except for the operations. It does not say when a node is due: that is the domain's.
//
// It promises that a node that waits for its tenants, for a PodDisruptionBudget or for another program is neither
// cordoned nor marked; that a cordon of somebody else is never taken away; that no step begins on a node of whose
// tenants, pods or etcd nothing is known; that a node is rebooted at most once for one boot, and never the one that
// upkeep runs on; that a reboot is proved by another boot id, and a Ready that the kubelet reported since.
package downtime

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
)

// What happens to leases on a node that is due.
const (
	LeasesRefuse    = "refuse"    // nothing is planned while there are any
	LeasesWait      = "wait"      // the node waits until they have ended
	LeasesInterrupt = "interrupt" // their pods are evicted
)

// The guards of the steps that disrupt. The leases' one goes around them where a block provides it and leases may be
// interrupted: a node without tenants closes none.
const (
	GuardBackup = "backup"
	GuardLeases = "leases"
)

// Policy says how a node is taken out of service. It is the operator's word, and plain data.
type Policy struct {
	Leases string `json:"leases"`
	// WaitAtMost is how long a node waits for its leases before it is refused.
	WaitAtMost config.Duration `json:"wait_at_most,omitempty"`
	// EmptyDir: pods with emptyDir volumes are evicted; Bare: pods that no controller makes again.
	EmptyDir bool `json:"emptydir,omitempty"`
	Bare     bool `json:"bare,omitempty"`
	// DrainTimeout is how long the pods of a node may take to end, RebootTimeout how long the node may take to come back.
	DrainTimeout  config.Duration `json:"drain_timeout"`
	RebootTimeout config.Duration `json:"reboot_timeout"`
}

// The bounds of the durations of a Policy.
const (
	shortestWait  = config.Duration(60e9)
	longestWait   = config.Duration(365 * 24 * 3600e9)
	longestDrain  = config.Duration(12 * 3600e9)
	longestReboot = config.Duration(2 * 3600e9)
)

// Attributes are the arguments of a block that takes nodes down; Blocks its nested blocks. Read reads both.
func Attributes() []config.Attribute {
	return []config.Attribute{
		{
			Name: "leases", Type: cty.String, Default: cty.StringVal(LeasesWait),
			OneOf: []string{LeasesRefuse, LeasesWait, LeasesInterrupt},
			Doc: "What happens while tenants of an Akash provider have pods on a node. `wait`: the node waits until they have left, " +
				"not cordoned and not marked. `refuse`: nothing is planned for the node. `interrupt`: the pods of tenants are evicted, " +
				"and what they have outside of volumes is lost.",
		},
		{
			Name: "wait_at_most", Type: cty.String, Default: cty.StringVal("30d"),
			Doc: "How long a node waits for its tenants. Then `apply` refuses the node.",
		},
		{
			Name: "max_unavailable", Type: cty.Number,
			Doc: "How many nodes of the block may be out of service at a time. Nodes that are not Ready or cordoned count. " +
				"Without it the `max_nodes` of the window, else 1. Control planes go one at a time in any case.",
		},
		{
			Name: "max_failures", Type: cty.Number, Default: cty.NumberIntVal(0),
			Doc: "How many nodes may fail before no further node starts.",
		},
		{
			Name: "reboot_timeout", Type: cty.String, Default: cty.StringVal("30m"),
			Doc: "How long a node may take to come back after a reboot, at most 2 hours.",
		},
	}
}

// Blocks are the nested blocks.
func Blocks() []config.NestedBlock {
	return []config.NestedBlock{{
		Name: "drain", Doc: "How nodes are drained: as `kubectl drain --ignore-daemonsets` does it, through the eviction API.",
		Schema: config.Schema{Attributes: []config.Attribute{
			{Name: "emptydir", Type: cty.Bool, Default: cty.False,
				Doc: "Evict pods with `emptyDir` volumes. The data in these volumes is lost."},
			{Name: "bare", Type: cty.Bool, Default: cty.False,
				Doc: "Evict pods that no controller makes again. Such a pod is lost."},
			{Name: "timeout", Type: cty.String, Default: cty.StringVal("10m"),
				Doc: "How long the pods of a node may take to end, at most 12 hours."},
		}},
	}}
}

// Limits are how many nodes may be out of service.
type Limits struct {
	// MaxUnavailable is 0 where the window says it.
	MaxUnavailable int `json:"max_unavailable,omitempty"`
	MaxFailures    int `json:"max_failures,omitempty"`
}

// mostNodes bounds the numbers of Limits.
const mostNodes = 10000

// Read reads the arguments of Attributes and Blocks.
func Read(b config.Block) (p Policy, l Limits, diags hcl.Diagnostics) {
	note := func(more hcl.Diagnostics) { diags = append(diags, more...) }
	p.Leases, p.DrainTimeout = b.String("leases"), config.Duration(600e9)
	var more hcl.Diagnostics
	p.WaitAtMost, more = b.DurationWithin("wait_at_most", shortestWait, longestWait)
	note(more)
	p.RebootTimeout, more = b.DurationWithin("reboot_timeout", shortestWait, longestReboot)
	note(more)
	if nested, is := b.Nested("drain"); is {
		p.EmptyDir, p.Bare = nested.Bool("emptydir"), nested.Bool("bare")
		p.DrainTimeout, more = nested.DurationWithin("timeout", shortestWait, longestDrain)
		note(more)
	}
	if b.Given("max_unavailable") {
		l.MaxUnavailable, more = b.Integer("max_unavailable", 1, mostNodes)
		note(more)
	}
	l.MaxFailures, more = b.Integer("max_failures", 0, mostNodes)
	note(more)
	return p, l, diags
}

// Lane is the lane of a block that takes nodes down.
func (l Limits) Lane(block providers.Address, nodes []string) providers.Lane {
	return providers.Lane{Name: block.String(), Width: l.MaxUnavailable, Failures: l.MaxFailures, Selection: nodes}
}
