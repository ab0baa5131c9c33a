// Package providers is the contract between the planner and the domains.
//
// A domain (certificates, backup, akash, ...) declares a block type of the language, says which facts it needs, turns
// desired state and facts into findings and steps (Diff, pure), gives each of its operations a pure meaning (Effect)
// and, apart from all that, the code that changes something (Operation). The planner and the executor know domains only
// through these types; domains do not know one another.
//
// It is not a registry: cmd/upkeep lists the types and hands the operations to apply alone, so that plan and drift hold
// nothing to act with.
package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers/facts"
)

// Type is what a domain registers: its block and the meaning of its steps.
type Type struct {
	config.BlockType
	// Disrupts: some of its steps may interrupt something, so a block of it says in which windows they begin.
	Disrupts bool
	// Effects holds the pure meaning of each operation this domain plans, by operation name ("certificates.renew").
	Effects map[string]Effect
	// Findings declares every finding id this domain can report.
	Findings []FindingDoc
	// DigestArgs returns what of a step's arguments the digest of a plan covers, as JSON, and the targets that the
	// arguments do not have: the same for the same due work on any machine and day. So it leaves out times, ids that
	// contain a time and what stands for a secret, and sorts what has no order. Nil: the digest covers the arguments
	// unchanged. Pure.
	DigestArgs func(Resource, Step) (json.RawMessage, error)
	// Rules are what a person can lift for one run with -override: the guards that this domain provides, and the consents
	// that its steps can ask for.
	Rules []Consent
}

// Resource is one declared block, decoded: desired state. Implementations are plain data: they marshal to JSON and back
// without loss, since a plan file embeds them.
type Resource interface {
	Address() Address
	Needs() Needs
	// Diff compares desired state with the world. Pure: same input, same outcome, in the same order. What depends on the
	// time it asks of Input.Clock. The lists of an outcome are the caller's, who may change them. Who wants an outcome
	// calls Review.
	Diff(Input) Outcome
}

// Staged is a Resource whose needs have a second stage: what it must know depends on what was seen.
type Staged interface {
	Resource
	// SecondNeeds says what else must be known, given the answers to Needs and the nodes that there are; the zero Needs
	// where nothing is. There are two stages and no third: it is asked once. A node that both stages are about is asked
	// again, for all of it. With measure it may ask a running part for what only that can tell, by commands of upkeep's
	// that run where the part runs; nobody is asked so unless a person wants it. Pure.
	SecondNeeds(world facts.World, inventory Inventory, measure bool) Needs
}

// GuardProvider is a Resource that provides guards for the steps of any domain, by name: "backup", "leases". Where
// several provide the same guard, all of them take part.
type GuardProvider interface {
	Guards() map[string]Guard
}

// SecretHolder is a Resource that may hold secrets. No secret enters a plan file, so the one who applies one takes them
// from the configuration again.
type SecretHolder interface {
	Resource
	// HoldsSecrets reports whether the block has secrets, read with it or not.
	HoldsSecrets() bool
	// Seal returns the resource with the secrets of another, which is the same block as the configuration has it now, and
	// with what mac makes of each standing for it wherever change must be seen: that enters plans, the secret does not.
	// An error says that the other lacks a secret that this one was planned with.
	Seal(from Resource, mac func(secret []byte) string) (Resource, error)
	// Seals returns what stands for each secret after Seal, by its path; nothing where nothing planned shows them.
	Seals() map[string]string
	// Resealed returns the resource with what stood for its secrets when facts were recorded, by Seals of then. Where
	// nothing stood for one, its text is another than every recorded one. It has no key, so it cannot tell whether a
	// secret is another one now.
	Resealed(seals map[string]string) Resource
}

// Owner is a Resource that says what belongs to it alone: two blocks for the same thing would undo each other's work.
type Owner interface {
	// Owns names things: "release akash-services/akash-provider".
	Owns() []string
}

// ReleaseThing is how an Owner names a Helm release.
func ReleaseThing(namespace, name string) string { return "release " + namespace + "/" + name }

// Input is everything a pure decision may depend on.
type Input struct {
	World  facts.World
	Memory facts.Memory
	Now    time.Time
	// Start is when the disruptive steps of the resource may begin. The planner sets it for Diff; see Clock.Due.
	Start Start
	// Inventory is the declared and discovered nodes.
	Inventory Inventory
	// Resources are the declared blocks by address; Effect.Needs finds its step's there (see NeedsOfResource). Nothing
	// else may depend on them.
	Resources map[Address]Resource
	// Replace are the addresses the user asked to renew although nothing is due (-replace).
	Replace []Address
	// Owners are the resources that things belong to, by what Owner.Owns calls them. The planner sets it for Diff.
	Owners map[string]Address
	// Declared are all declared blocks, in declared order, for a domain whose blocks must not select the same nodes: it
	// looks at those of its own type. The planner sets it for Diff.
	Declared []Resource
	// NoObjects: nobody reads Outcome.Objects, so Diff may leave them out. A fleet has many.
	NoObjects bool
	// kept is set by Walk.
	kept *kept
	// next is set by Review: the first instant that Clock was asked for in vain.
	next *time.Time
}

// Apply replaces what an update replaces, in the world and in the memory. The caller must own the world (see
// facts.World.Clone).
func (in *Input) Apply(u facts.Update) {
	in.note(u)
	in.World.Apply(u)
	in.Memory = in.Memory.WithSections(u.Sections)
}

// Needs says which facts a resource must have before it can be diffed, by whom they are asked of.
type Needs struct {
	Nodes      []NodeNeed
	Kubernetes KubernetesNeeds
	// Etcd asks for its members and their health; it is reached through nodes.
	Etcd bool
	// Stores asks what backup stores hold.
	Stores []facts.BackupsQuestion
	Helm   HelmNeeds
	Files  FileNeeds
	// Prices asks to run bid price scripts. Nobody does so unless the user asked for it.
	Prices []facts.PriceQuestion
	// Public asks what anybody sees of hosts from where upkeep runs.
	Public []facts.PublicQuestion
}

// KubernetesNeeds is what the API server is asked.
type KubernetesNeeds struct {
	// Cluster asks what the cluster is and how it does: its identity, nodes and leases.
	Cluster bool
	// Tenancies asks for the leases of an Akash provider's tenants.
	Tenancies bool
	// Residents asks for the pods that matter when their node is taken down. It lists all pods.
	Residents bool
	// Maintenance asks which nodes other programs have for their work.
	Maintenance bool
	// Drains asks what draining nodes would do.
	Drains []facts.DrainQuestion
	// Definitions are the names of CustomResourceDefinitions; Secrets asks whether Secrets exist.
	Definitions []string
	Secrets     []facts.SecretQuestion
	// HostPorts asks which pods hold some TCP ports of nodes. It lists all pods of the cluster.
	HostPorts []int
}

// HelmNeeds is what Helm is asked.
type HelmNeeds struct {
	Releases []facts.ReleaseQuestion
	// Charts are names of charts whose releases are asked for, wherever they are.
	Charts []string
}

// FileNeeds is what lies outside the cluster.
type FileNeeds struct {
	// Archives asks what archives hold of releases; Downloads for texts behind URLs.
	Archives  []facts.ArchiveQuestion
	Downloads []facts.DownloadQuestion
}

// NodeNeed is a question for each node of a selection.
type NodeNeed struct {
	Nodes    config.Selection
	Question facts.Question
}

// Outcome is what Diff found and would do.
type Outcome struct {
	Findings []Finding
	// Steps are in the order in which this resource alone would run them.
	Steps []Step
	// Orders put steps of this resource before or after those of others.
	Orders   []Order
	Warnings []string
	// Outage is what a plan says before anything else: the cluster is down, why, since when, and what the steps do
	// about it. Empty: it is not.
	Outage string
	// Objects are the things this resource watches, healthy or not; `status` lists them.
	Objects []Object
	// Until is the first instant after Input.Now at which another outcome is possible in the same world: other ids or
	// severities of findings, other ids of steps. Only words may change before. Zero: never. Review sets it.
	Until time.Time
}

// Order puts a step of a resource before or after all steps of another resource that are in the plan.
type Order struct {
	Step string // an id among Outcome.Steps
	// Before and After are resources; one of them is zero.
	Before, After Address
}

// Object is one watched thing on a node, for `status`.
type Object struct {
	Address Address `json:"address"`
	Name    string  `json:"name"`
	Path    string  `json:"path,omitempty"`
	// Status is one of "ok", "due", "problem", "missing", "unknown".
	Status string `json:"status"`
	// Expires is when it stops being valid; zero where it does not or is unknown.
	Expires time.Time `json:"expires,omitzero"`
	Detail  string    `json:"detail,omitempty"`
	// Authority names the CA of a certificate.
	Authority string `json:"authority,omitempty"`
}

// Effect is the pure meaning of one operation.
type Effect interface {
	// Needs says what must be looked at for this one step, before it, after it and while a guard that it begins must hold:
	// NeedsOfResource where the step's neighbours matter, NeedsOfNode where they do not. It is asked twice, with the world
	// that the plan was made from and with the answers to that; the second time it may ask for more. What tells the
	// cluster and the machine is always looked at.
	Needs(Input, Step) Needs
	// Predict returns what the world looks like after this step, as the parts that it replaces.
	Predict(Input, Step) facts.Update
	// Ground returns what the step relies on in the given world; nil where that is nothing. The planner calls it with the
	// world it predicts just before the step and records the result in the step. Values that are facts.New are left out.
	Ground(Input, Step) Ground
	// Ready says whether the step can run in the observed world.
	Ready(Input, Step) Readiness
	// Proved says whether what was predicted happened; the error says what did not.
	Proved(before, after Input, step Step) error
	// ByHand is how a person would do it.
	ByHand(Input, Step) []Command
}

// Command is one command of the runbook: a script of a POSIX shell that a person copies and runs at night, when upkeep
// itself cannot run.
type Command struct {
	What string `json:"what,omitempty"` // what it is for, in a few words
	Node string `json:"node,omitempty"` // where to run it, as root; empty: where the operator is
	// Run may have many lines. It ends with another exit status than 0 when the work must stop, and it reads nothing from
	// its standard input. Words that came from a node or from the cluster are quoted.
	Run  string `json:"run"`
	See  string `json:"see,omitempty"`  // what to see
	Stop string `json:"stop,omitempty"` // when to stop
	Undo string `json:"undo,omitempty"` // how to undo: a script for the same place
}

// Guard is what goes around the disruptive steps that name it: steps, a condition, or both. All functions are pure; one
// that a guard does not have is nil.
type Guard struct {
	// Before returns the steps that must be proved before the first guarded step; After those that end the guard. Guarded
	// steps are in the plan's order, and those that are left where a guard is asked again while a plan is applied.
	Before func(in Input, guarded []Step) []Step
	After  func(in Input, guarded []Step) []Step
	// Holds says whether a guarded step may run in the observed world. It is asked before each of them; Unknown refuses.
	Holds func(in Input, guarded Step) Readiness
	// Target is where the guard's steps do their work, as written in the configuration, where that matters to the one who
	// approves a plan: the store of a backup. It enters the digest; the steps of a guard do not.
	Target string
}

// Begin returns the steps that Before has; none where there is no such function.
func (g Guard) Begin(in Input, guarded []Step) []Step { return placedBy(g.Before, in, guarded) }

// End returns the steps of After; none where there is no such function.
func (g Guard) End(in Input, guarded []Step) []Step { return placedBy(g.After, in, guarded) }

func placedBy(place func(Input, []Step) []Step, in Input, guarded []Step) []Step {
	if place == nil {
		return nil
	}
	return place(in, guarded)
}

// Operation is the only code that changes anything. Run returns when the change is made; the executor then looks for
// itself whether it is so.
type Operation interface {
	Run(ctx context.Context, step Step, progress Progress) error
}

// Progress receives one line of progress; it must not block. Nil receives nothing.
type Progress func(line string)

// Say formats a line.
func (p Progress) Say(format string, args ...any) {
	if p != nil {
		p(fmt.Sprintf(format, args...))
	}
}
