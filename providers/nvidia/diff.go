package nvidia

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// review is one Diff in progress.
type review struct {
	spec     Spec
	in       providers.Input
	out      providers.Outcome
	accepted map[string]facts.AcceptedNode
	// objects are the nodes of Kubernetes by the inventory's names.
	objects map[string]*facts.KubernetesNode
	// faulty are the nodes that could be cordoned, in the inventory's order.
	faulty []candidate
}

// candidate is a node with faults of the chosen classes that are seen now.
type candidate struct {
	node   config.Node
	object *facts.KubernetesNode
	faults []Problem
}

// Diff says what each selected node is, and which nodes to cordon.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, objects: in.Objects()}
	var err error
	if r.accepted, err = in.Memory.Accepted(); err != nil {
		r.add(providers.Finding{ID: "NVIDIA_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Object: "accepted nodes", Summary: err.Error()})
	}
	nodes, wrong := in.Selected(s.Nodes)
	for _, f := range wrong {
		r.add(f)
	}
	if m := in.World.Maintenance; m != nil && m.Unknown != "" && in.World.Kubernetes.Unknown == "" {
		r.add(providers.Finding{ID: "NVIDIA_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Object:  "maintenance",
			Summary: "whether other programs have nodes for their work is not known: " + m.Unknown})
	}
	chosen := 0
	var related []kin
	for _, n := range nodes {
		if r.hasModel(n) {
			chosen++
			r.reviewNode(n)
			related = append(related, r.kinOf(n)...)
		}
	}
	r.reviewKin(related)
	if len(nodes) > 0 && chosen == 0 {
		r.add(providers.Finding{ID: "GPU_NONE_SELECTED", Severity: providers.SeverityError, Hint: "upkeep status",
			Summary: fmt.Sprintf("none of %d nodes has a GPU of the models %s", len(nodes), strings.Join(s.Models, ", "))})
	}
	if s.Quarantine {
		r.quarantine()
	}
	return r.out
}

func (r *review) add(f providers.Finding) {
	if f.Address == (providers.Address{}) {
		f.Address = r.spec.Address()
	}
	f.Position = r.spec.Position.String()
	r.out.Findings = append(r.out.Findings, f)
}

// hasModel reports whether a node has a GPU of the block's models. One whose models are unknown stays in: it
// may have.
func (r *review) hasModel(n config.Node) bool {
	if len(r.spec.Models) == 0 {
		return true
	}
	v := r.in.World.Node(n.Name)
	if v.Unknown != "" || v.NVIDIA.Unknown != "" || v.NVIDIA.Devices.Unknown != "" {
		return true
	}
	has := func(model string) bool { return slices.Contains(r.spec.Models, model) }
	names, _ := v.NVIDIA.Devices.Models()
	// A node that has lost its last GPU of a model is still one of them.
	return slices.ContainsFunc(names, has) ||
		slices.ContainsFunc(r.accepted[n.Name].GPUs, func(g facts.AcceptedGPU) bool { return has(g.Model) })
}

// look is what the state of a node follows from.
func (s Spec) look(in providers.Input, node string, object *facts.KubernetesNode, accepted facts.AcceptedNode) Look {
	var claims []facts.MaintenanceClaim
	if m := in.World.Maintenance; m != nil && object != nil {
		claims = m.On(object.Name, in.Now)
	}
	return Look{
		Claims: claims, Node: in.World.Node(node), Kubernetes: object, Accepted: accepted, Earlier: in.Memory.Earlier, Clock: in.Clock(),
		Repeat: s.Repeat, Ignores: s.Ignores,
	}
}

func (r *review) reviewNode(n config.Node) {
	address := r.spec.Address().On(n.Name)
	observed := r.in.World.Node(n.Name)
	if observed.Unknown != "" {
		r.add(providers.Silent(r.spec.Address(), observed))
		r.watch(address, "unknown", "GPUs: unknown")
		return
	}
	object := r.objects[n.Name]
	state := StateOf(r.spec.look(r.in, n.Name, object, r.accepted[n.Name]))
	var faults []Problem
	for _, p := range state.Problems {
		r.add(providers.Finding{
			ID: p.ID, Severity: p.Severity, Address: address, Object: p.Object, Summary: p.Summary, Hint: p.Hint,
			Unknown: p.Unknown,
		})
		if p.Class != "" && slices.Contains(r.spec.Classes, p.Class) {
			faults = append(faults, p)
		}
	}
	if object != nil && object.Cordon != nil && object.Unschedulable {
		r.cordoned(address, object, len(faults) > 0)
	}
	if len(faults) > 0 {
		r.faulty = append(r.faulty, candidate{n, object, faults})
	}
	r.watch(address, statusOf(state), describe(state, r.accepted[n.Name]))
	r.alsoRuns(address, object)
}

// cordoned reports upkeep's own cordon, which nobody should forget.
func (r *review) cordoned(address providers.Address, object *facts.KubernetesNode, faulty bool) {
	c := object.Cordon
	if c.Unknown != "" {
		r.add(providers.Finding{ID: "GPU_QUARANTINED", Severity: providers.SeverityNote, Address: address,
			Summary: "upkeep has cordoned the node, and the mark cannot be read: " + c.Unknown, Hint: "upkeep marks"})
		return
	}
	text := fmt.Sprintf("%s has cordoned the node since %s: %s", orElse(c.By, "upkeep"),
		c.Since.UTC().Format("2006-01-02 15:04 MST"), c.Why)
	if !faulty {
		text += ". The faults are no longer seen"
	}
	r.add(providers.Finding{ID: "GPU_QUARANTINED", Severity: providers.SeverityNote, Address: address, Summary: text,
		Hint: "upkeep marks -undo cordon/" + object.Name})
}

// alsoRuns lists what matters on a node beside tenants when the node is taken down.
func (r *review) alsoRuns(address providers.Address, object *facts.KubernetesNode) {
	found := r.in.World.Residents
	if object == nil || found == nil {
		return
	}
	if found.Unknown != "" {
		r.watch(address, "unknown", "also runs: unknown")
		return
	}
	if on := found.On(object.Name); len(on) > 0 {
		r.watch(address, "ok", "also runs "+downtime.ResidentsText(on))
	}
}

// watch lists a node among what `status` shows. The name says what the node is, since every report shows names.
func (r *review) watch(address providers.Address, status, name string) {
	if r.in.NoObjects {
		return
	}
	r.out.Objects = append(r.out.Objects, providers.Object{Address: address, Name: name, Status: status})
}

// statusOf is the status of an Object for a state.
func statusOf(s State) string {
	switch s.Status {
	case StatusHealthy, StatusNone:
		return "ok"
	case StatusDue:
		return "due"
	case StatusUnknown:
		return "unknown"
	}
	return "problem"
}

// describe says in a few words what a node is: "GPUs: healthy, 8 of 8 h100, driver 570.124.06".
func describe(s State, accepted facts.AcceptedNode) string {
	if s.Status == StatusNone {
		return "GPUs: none"
	}
	of := s.GPUs
	if len(accepted.GPUs) > 0 {
		of = len(accepted.GPUs)
	}
	text := fmt.Sprintf("GPUs: %s, %d of %d %s", s.Status, s.Working, of, strings.Join(s.Models, " and "))
	if s.Driver != "" {
		text += ", driver " + s.Driver
	}
	return strings.ReplaceAll(text, " ,", ",")
}
