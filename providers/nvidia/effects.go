package nvidia

import (
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// quarantining is the pure meaning of a cordon.
type quarantining struct{}

// Needs is the step's own node, and the cluster.
func (quarantining) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfNode(in, step)
}

// Ground is nothing: Ready looks at the faults themselves.
func (quarantining) Ground(providers.Input, providers.Step) providers.Ground { return nil }

// object finds the node of a step in Kubernetes, by the name that the plan has.
func object(k facts.Kubernetes, name string) (facts.KubernetesNode, bool) {
	i := slices.IndexFunc(k.Nodes, func(n facts.KubernetesNode) bool { return n.Name == name })
	if i < 0 {
		return facts.KubernetesNode{}, false
	}
	return k.Nodes[i], true
}

// Predict cordons the node in the world.
func (quarantining) Predict(in providers.Input, step providers.Step) facts.Update {
	args, err := providers.ArgsOf[quarantineArgs](step)
	if err != nil {
		return facts.Update{}
	}
	k := in.World.Kubernetes
	k.Nodes = slices.Clone(k.Nodes)
	for i := range k.Nodes {
		if k.Nodes[i].Name == args.Object {
			k.Nodes[i].Unschedulable = true
			k.Nodes[i].Cordon = &facts.Cordon{By: step.Address.Resource().String(), Run: facts.New, Why: args.Reason,
				Since: in.Now.UTC()}
		}
	}
	return facts.Update{Kubernetes: &k}
}

// Ready says whether the node may be cordoned now: the faults are still seen, nobody else has cordoned it, and the
// budget of all blocks together has room.
func (quarantining) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, err := providers.ArgsOf[quarantineArgs](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	k := in.World.Kubernetes
	if k.Unknown != "" {
		return providers.Unknown.Because("Kubernetes: %s", k.Unknown)
	}
	found, is := object(k, args.Object)
	switch {
	case !is:
		return providers.Moved.Because("Kubernetes has no node %s any more", args.Object)
	case found.Unschedulable && found.Cordon != nil:
		return providers.Done.Because("upkeep has cordoned %s already", args.Object)
	case found.Unschedulable:
		return providers.Moved.Because("somebody else has cordoned %s", args.Object)
	}
	if n := quarantined(k); n >= args.Limit {
		return providers.Moved.Because("%d nodes are cordoned for their GPUs, and %d may be", n, args.Limit)
	}
	if node := in.World.Node(step.Node); node.Unknown != "" {
		return providers.Unknown.Because("nothing is known of %s: %s", step.Node, node.Unknown)
	}
	accepted, err := in.Memory.Accepted()
	if err != nil {
		return providers.Unknown.Because("%v", err)
	}
	state := StateOf(Spec{Ignores: args.Ignores}.look(in, step.Node, &found, accepted[step.Node]))
	if !slices.ContainsFunc(state.Problems, func(p Problem) bool {
		return p.Class != "" &&
			slices.Contains(args.Classes, p.Class)
	}) {
		return providers.Moved.Because("no fault of %s is seen any more", step.Node)
	}
	return providers.Holds.Because("")
}

// Proved says whether the node is cordoned under a mark of this block.
func (quarantining) Proved(_, after providers.Input, step providers.Step) error {
	args, err := providers.ArgsOf[quarantineArgs](step)
	if err != nil {
		return err
	}
	if why := after.World.Kubernetes.Unknown; why != "" {
		return fmt.Errorf("Kubernetes: %s", why)
	}
	found, is := object(after.World.Kubernetes, args.Object)
	switch {
	case !is:
		return fmt.Errorf("Kubernetes has no node %s", args.Object)
	case !found.Unschedulable:
		return fmt.Errorf("%s is schedulable", args.Object)
	case found.Cordon == nil || found.Cordon.Unknown != "":
		return fmt.Errorf("%s carries no mark of upkeep's", args.Object)
	}
	return nil
}

// ByHand cordons the node with kubectl.
func (quarantining) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[quarantineArgs](step)
	if err != nil {
		return nil
	}
	name := providers.ShellWord(args.Object)
	return []providers.Command{{
		What: "cordon " + args.Object, Run: providers.ShellScript("kubectl cordon " + name),
		See: "node/" + args.Object + " cordoned", Stop: "the node is cordoned already: somebody else works on it",
		Undo: providers.ShellScript("kubectl uncordon " + name),
	}}
}
