// Package planner turns desired state, facts, memory and a clock into a plan: an ordered graph of steps that explains
// itself, as data.
//
// It is pure: no I/O, no clock of its own, no randomness, no map order in its output; the same request gives the same
// bytes. It knows no domain: it asks resources for their outcome, orders the steps, places guards and lanes,
// folds Effect.Predict over the steps and diffs again, so that every plan says whether it converges.
package planner

import (
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// FormatVersion is the version of the plan file. A reader refuses another major version.
const FormatVersion = "2.0"

// Plan is what apply will do and why, and everything needed to build it again.
type Plan struct {
	FormatVersion string `json:"format_version"`
	// ID is given once, by the command that made the plan; it names the journal of its run.
	ID            string    `json:"id"`
	UpkeepVersion string    `json:"upkeep_version"`
	CreatedAt     time.Time `json:"created_at"`
	Request       Request   `json:"request"`

	// Findings are those that count; Ignored those that an ignore block accepts, or whose node is out.
	Findings []providers.Finding `json:"findings"`
	Ignored  []Ignored           `json:"ignored,omitempty"`
	// LeftOut are findings about what -target and -exclude leave out. They are shown and do not count.
	LeftOut []providers.Finding `json:"left_out,omitempty"`
	Steps   []providers.Step    `json:"steps"`
	// Brackets are the guards, and which steps each of them surrounds.
	Brackets []providers.Bracket `json:"brackets,omitempty"`
	// Lanes are those of the steps except for the lanes of single nodes, each with its nodes.
	Lanes []LaneNodes `json:"lanes,omitempty"`
	// Objects are what the facts say of each thing that is looked after. A plan file leaves them out: they follow from its
	// facts.
	Objects []providers.Object `json:"objects,omitempty"`
	// Outage is said before anything else: the cluster is down, why, and what the steps do about it.
	Outage   string   `json:"outage,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Remaining are the findings that the predicted world after the last step still has.
	Remaining []providers.Finding `json:"remaining"`
	// Refusals are the reasons why this plan must not be applied; each says what to do.
	Refusals []string `json:"refusals,omitempty"`
	// ExpectedRefusal are the steps that apply is known to refuse in the very world that the plan was made for, in plan
	// order.
	ExpectedRefusals []ExpectedRefusal `json:"expected_refusals,omitempty"`
	// Digest is "sha256:" and the hexadecimal digest of what will be done (see digests): over Digests, which are of what
	// is done for each resource, by address, and over the brackets.
	Digest  string            `json:"digest"`
	Digests map[string]string `json:"digests"`
	// Applyable: there are steps and no refusals, and the facts were observed, not read from a file.
	Applyable bool `json:"applyable"`
	// Complete: nothing that was asked for is unknown.
	Complete bool `json:"complete"`
}

// ExpectedRefusal is a step that apply is known to refuse, and why.
type ExpectedRefusal struct {
	Step string `json:"step"`
	Why  string `json:"why"`
}

// Request is everything a plan depends on. A plan file embeds it, and apply builds the plan again from it.
type Request struct {
	Desired config.Desired `json:"desired"`
	World   facts.World    `json:"world"`
	Memory  facts.Memory   `json:"memory"`
	Now     time.Time      `json:"now"`

	Replace []providers.Address `json:"replace,omitempty"`
	Targets []providers.Address `json:"targets,omitempty"`
	Exclude []providers.Address `json:"exclude,omitempty"`

	// Overrides are the safety rules that this run is told to lift.
	Overrides []Override `json:"overrides,omitempty"`

	// Recorded: the facts came from a file, so the plan is never applyable.
	Recorded bool `json:"recorded,omitempty"`
	// Lineage and Serial identify the state that the memory came from.
	Lineage string `json:"lineage,omitempty"`
	Serial  uint64 `json:"serial,omitempty"`
	// Directory is the absolute configuration directory, for relative paths at apply.
	Directory string `json:"directory,omitempty"`
}

// Identity is which cluster this is. Empty parts are unknown.
type Identity = facts.Identity

// Identity returns the identity of the observed cluster.
func (r Request) Identity() Identity {
	return Identity{
		Authority:     r.World.Kubernetes.Authority,
		AuthorityKey:  r.World.Kubernetes.AuthorityKey,
		KubeSystemUID: r.World.Kubernetes.UID,
		EtcdClusterID: r.World.Etcd.ClusterID,
	}
}
