package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// workInProgress is the finding that upkeep still works on a node: for a run that died, or for one elsewhere.
const workInProgress = "WORK_IN_PROGRESS"

// unsettled returns a world in which nothing is known of the nodes that upkeep is still at work on: what was seen of
// such a node is half of a change, and nothing may be planned from it.
func unsettled(world facts.World) facts.World {
	cloned := false
	for name, node := range world.Nodes {
		if node == nil || node.Unknown != "" || len(node.Work.InProgress) == 0 {
			continue
		}
		if !cloned {
			world.Nodes = maps.Clone(world.Nodes)
			cloned = true
		}
		changed := *node
		changed.Unknown = "upkeep still works: " + requestsText(node.Work.InProgress)
		world.Nodes[name] = &changed
	}
	return world
}

func requestsText(requests []facts.Request) string {
	texts := make([]string, 0, len(requests))
	for _, r := range requests {
		text := r.Method
		if r.Step != "" {
			text += " for step " + r.Step
		}
		if r.Plan != "" {
			text += " of plan " + r.Plan
		}
		texts = append(texts, text+", begun "+r.Began.UTC().Format(time.RFC3339))
	}
	return strings.Join(texts, "; ")
}

// stillRunning reports the nodes on which upkeep is still at work, or on which nobody can tell. It refuses steps on
// control planes while another control plane is in the middle of a change (rule 2): one at a time, whoever began it.
func stillRunning(in providers.Input, resources []providers.Resource, steps []providers.Step, asked func(node string) bool) (findings []providers.Finding, refusals []string) {
	planes := ControlPlanes(in)
	for _, node := range in.Inventory.Nodes {
		work := in.World.Node(node.Name).Work
		summary, hint := "", "wait until that work has ended, then plan again"
		switch {
		case len(work.InProgress) > 0:
			summary = requestsText(work.InProgress)
		case work.Unknown != "":
			summary, hint = "the node's records of upkeep's own work cannot be read: "+work.Unknown, ""
		default:
			continue
		}
		finding := providers.Finding{
			ID: workInProgress, Severity: providers.SeverityError, Unknown: true, Address: workAddress(node.Name, work, resources), Summary: summary, Hint: hint,
		}
		if len(work.InProgress) > 0 {
			finding.Cause = facts.SilentCause(node.Name)
		}
		findings = append(findings, finding)
		if planes[node.Name] && len(work.InProgress) > 0 && asked(node.Name) && slices.ContainsFunc(steps, inControlPlane) {
			refusals = append(refusals, fmt.Sprintf("upkeep still works on the control plane %s (%s), and control planes are changed one at a time. Wait for that work to end, then plan again", node.Name, summary))
		}
	}
	return findings, refusals
}

func inControlPlane(s providers.Step) bool {
	return slices.ContainsFunc(s.Lanes, func(l providers.Lane) bool { return l.Name == providers.ControlPlaneLane })
}

// workAddress is the resource that the work is for, where a declared one has such a step, on the node.
func workAddress(node string, work facts.Work, resources []providers.Resource) providers.Address {
	for _, r := range work.InProgress {
		text := r.Step
		if i := strings.LastIndexByte(text, '/'); i >= 0 {
			text = text[:i]
		}
		address, err := facts.ParseAddress(text)
		if err == nil && slices.ContainsFunc(resources, func(r providers.Resource) bool { return r.Address() == address.Resource() }) {
			return address.On(node)
		}
	}
	return providers.Address{Type: "cluster", Name: "work", Node: node}
}
