package report

import (
	"fmt"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/providers"
)

// RunbookJSON is a plan as a person carries it out when upkeep cannot: every step as the commands that do the same.
type RunbookJSON struct {
	FormatVersion string `json:"format_version"` // "1.0"
	Version       string `json:"upkeep_version,omitempty"`
	PlanID        string `json:"plan_id,omitempty"`
	// Status is the plan's verdict.
	Status     Verdict          `json:"status"`
	Digest     string           `json:"digest"`
	Identity   planner.Identity `json:"identity"`
	Timestamp  time.Time        `json:"timestamp"`
	ObservedAt time.Time        `json:"observed_at"`
	Recorded   bool             `json:"recorded,omitempty"`
	// Unverified says why nothing proves who made the plan; empty where the state does.
	Unverified string `json:"unverified,omitempty"`
	// Nodes are the nodes that steps run on, in the order in which they come.
	Nodes []RunbookNode `json:"nodes"`
	Steps []RunbookStep `json:"steps"`
	// Lanes bound how many nodes are in progress at once.
	Lanes []planner.LaneNodes `json:"lanes"`
	// Kubeconfig is the operator's own, for commands that run where the operator is.
	Kubeconfig string              `json:"kubeconfig,omitempty"`
	Remaining  []providers.Finding `json:"remaining"`
	Unknown    []planner.Unknown   `json:"unknown"`
	Outage     string              `json:"outage,omitempty"`
	Warnings   []string            `json:"warnings"`
	Refusals   []string            `json:"refusals"`
}

// RunbookNode is a node that steps run on.
type RunbookNode struct {
	Name    string `json:"name"`
	Host    string `json:"host"`
	Primary bool   `json:"primary,omitempty"`
	// Shell is the command that runs a script from its standard input on the node, as root.
	Shell string `json:"shell"`
	// Note says what may be in the way of that.
	Note string `json:"note,omitempty"`
}

// RunbookStep is a step of the plan and how to do it by hand.
type RunbookStep struct {
	providers.Step
	Commands []providers.Command `json:"commands"`
}

// Shell returns the command line that runs a script from its standard input on a node, as root.
type Shell func(config.Node, config.Connection) (string, error)

// Runbook returns a plan's runbook. It folds the predictions of the steps, so that each step's commands are those for
// the world as the steps before it leave it. An error means that an operation of the plan is not among effects, or that
// a node cannot be reached by a command.
func Runbook(p planner.Plan, effects map[string]providers.Effect, shell Shell) (RunbookJSON, error) {
	in := providers.Input{
		World: p.Request.World.Clone(), Memory: p.Request.Memory, Now: p.Request.Now, Replace: p.Request.Replace,
		Inventory: providers.NewInventory(p.Request.Desired, p.Request.World),
	}
	r := RunbookJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, PlanID: p.ID, Status: VerdictOf(p), Digest: p.Digest, Identity: p.Request.Identity(),
		Timestamp: p.CreatedAt, ObservedAt: p.Request.World.ObservedAt, Recorded: p.Request.Recorded,
		Nodes: []RunbookNode{}, Steps: make([]RunbookStep, 0, len(p.Steps)), Lanes: present(p.Lanes),
		Remaining: present(p.Remaining), Unknown: present(Unknowns(p)), Warnings: present(p.Warnings), Refusals: present(p.Refusals),
		Outage: p.Outage,
	}
	if p.Request.Desired.Cluster != nil {
		r.Kubeconfig = p.Request.Desired.Cluster.Kubeconfig
	}
	order, err := schedule.InTurn(p.Scheduled())
	if err != nil {
		return RunbookJSON{}, fmt.Errorf("runbook: %w", err)
	}
	for _, i := range order {
		step := p.Steps[i]
		effect, ok := effects[step.Operation]
		if !ok {
			return RunbookJSON{}, fmt.Errorf("runbook: step %s: this upkeep does not know the operation %q", step.ID, step.Operation)
		}
		s := RunbookStep{Step: step, Commands: present(effect.ByHand(in, step))}
		for _, c := range s.Commands {
			if err := r.know(c.Node, in.Inventory, p.Request.Desired.Connections, shell); err != nil {
				return RunbookJSON{}, fmt.Errorf("runbook: step %s: %w", step.ID, err)
			}
		}
		r.Steps = append(r.Steps, s)
		in.Apply(effect.Predict(in, step))
	}
	return r, nil
}

// know adds a node that a command runs on.
func (r *RunbookJSON) know(name string, inventory providers.Inventory, connections []config.Connection, shell Shell) error {
	if name == "" || slices.ContainsFunc(r.Nodes, func(n RunbookNode) bool { return n.Name == name }) {
		return nil
	}
	n, ok := inventory.Node(name)
	if !ok {
		return fmt.Errorf("%s is not a node of this plan", name)
	}
	var connection config.Connection
	for _, c := range connections {
		if c.Name == n.Connection {
			connection = c
		}
	}
	command, err := shell(n, connection)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	known := RunbookNode{Name: n.Name, Host: n.Host, Primary: n.Primary, Shell: command}
	if connection.Access == "restricted" {
		known.Note = "connection." + connection.Name + " allows its user to run only upkeep's helper: log in as a user who may become root"
	}
	r.Nodes = append(r.Nodes, known)
	return nil
}
