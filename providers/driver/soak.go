package driver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// canaryArgs are the arguments of the steps about the first node of a model.
type canaryArgs struct {
	// Canary is the node, Object its name in Kubernetes.
	Canary  string          `json:"canary"`
	Object  string          `json:"object"`
	Model   string          `json:"model"`
	Version string          `json:"version"`
	Open    bool            `json:"open,omitempty"`
	GPUs    int             `json:"gpus,omitempty"`
	Fabric  bool            `json:"fabric,omitempty"`
	Soak    config.Duration `json:"soak,omitempty"`
}

// driver are the arguments by which the canary is judged.
func (a canaryArgs) driver() args {
	return args{Version: a.Version, Open: a.Open, GPUs: a.GPUs, Fabric: a.Fabric}
}

// recordEstimate is in seconds: a write to the state.
const recordEstimate = 2

// record is the step by which the memory learns that the driver works on a model.
func (r *review) record(c *candidate) providers.Step {
	observed := r.in.World.Node(c.node.Name)
	a := r.canaryArgs(r.cohortOf[c.node.Name], c.node.Name, r.gpus(observed))
	step := providers.NewStep(r.in, r.spec.Address().On(c.node.Name), "record", OperationRecord, a, recordEstimate)
	step.Position = r.spec.Position.String()
	step.Summary = fmt.Sprintf("remember driver %s as proved on %s", a.Version, a.Model)
	step.Why = []string{
		fmt.Sprintf("%s has driver %s, and is proved before other nodes with %s start", a.Canary, a.Version, a.Model),
	}
	step.Changes = []providers.Change{{What: "driver " + a.Version + " on " + a.Model, Before: "not proved",
		After: "proved on " + a.Canary}}
	step.Proof = "the state remembers the model, the version, the node and the time"
	step.Undo = "none is needed: the node does not change"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return step
}

// canaryArgs are the arguments of a step about the first node of a cohort.
func (r *review) canaryArgs(c *cohort, node string, gpus int) canaryArgs {
	driver := r.wanted(r.in.World.Node(node), gpus)
	return canaryArgs{Canary: node, Object: r.objects[node].Name, Model: c.model, Version: r.version, Open: driver.Open,
		GPUs: gpus, Fabric: driver.Fabric}
}

// soak is the step that waits until the canary of a cohort has run for long enough. It changes nothing.
func (r *review) soak(c *cohort, first *candidate, after []string) providers.Step {
	var a canaryArgs
	if c.proof != nil {
		a = r.canaryArgs(c, c.proof.Node, c.proof.GPUs)
	} else {
		a = r.canaryArgs(c, first.node.Name, r.gpus(r.in.World.Node(first.node.Name)))
	}
	a.Soak = r.spec.Soak
	name := a.Canary
	step := providers.NewStep(r.in, r.spec.Address(), "soak-"+strings.ReplaceAll(c.model, "/", "-"), OperationSoak, a, 0)
	step.Action, step.After, step.Position = "no-op", after, r.spec.Position.String()
	step.Summary = fmt.Sprintf("wait until driver %s has run on %s (%s) for %s", a.Version, name, c.model, a.Soak)
	until := fmt.Sprintf("%s after the driver is proved", a.Soak)
	if c.proof != nil {
		until = "after " + minute(c.until)
	}
	step.Changes = []providers.Change{{What: "other nodes with " + c.model, Before: "wait", After: "start " + until}}
	step.Why = []string{
		fmt.Sprintf("%s goes first of the nodes with %s", name, c.model),
		fmt.Sprintf("%s.soak = %q (%s)", r.spec.Address(), r.spec.Soak, r.spec.Position),
	}
	step.Unaffected = "upkeep only looks; apply does not stay for it, and the next run goes on"
	step.Proof = "the driver still works on " + name + ", and the node takes pods"
	step.Undo = "none is needed: upkeep only looks"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return step
}

// canaryEffect is the pure meaning of the steps about the first node of a model.
type canaryEffect struct{ operation string }

// Needs is the canary, and the nodes of the cluster.
func (e canaryEffect) Needs(_ providers.Input, step providers.Step) providers.Needs {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil {
		return providers.Needs{} // Ready says so
	}
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true},
		Nodes: []providers.NodeNeed{{Nodes: config.Selection{Names: []string{a.Canary}},
			Question: facts.Question{NVIDIA: true, Boot: true}}},
	}
}

// canaryGround is the proof of the same node that a step of OperationRecord replaces.
type canaryGround struct {
	Node   string    `json:"node,omitempty"`
	Proved time.Time `json:"proved,omitzero"`
}

// Lines renders it.
func (g canaryGround) Lines() []string {
	return []string{"older proof of " + g.Node + " = " + g.Proved.UTC().Format(time.RFC3339)}
}

// Ground is the older proof that is replaced; nil: there is none.
func (e canaryEffect) Ground(in providers.Input, step providers.Step) providers.Ground {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil || e.operation != OperationRecord {
		return nil
	}
	p, err := a.known(in, step)
	if err != nil || p == nil {
		return nil
	}
	return canaryGround{a.Canary, p.At}
}

// newer reports whether a proof is another one than the step replaces.
func newer(p *proof, step providers.Step) (bool, error) {
	was, err := providers.GroundOf[canaryGround](step)
	return p != nil && (was.Proved.IsZero() || p.At.After(was.Proved)), err
}

// Predict returns the memory that knows the canary.
func (e canaryEffect) Predict(in providers.Input, step providers.Step) facts.Update {
	if e.operation != OperationRecord {
		return facts.Update{}
	}
	block := step.Address.Resource()
	data, err := Remember(in.Memory.Sections[block], step, in.Now)
	if err != nil {
		return facts.Update{} // Ready says so
	}
	return facts.Update{Sections: facts.Sections{block: data}}
}

// known returns the proof of the step's model and version that is about its canary; nil: there is none.
func (a canaryArgs) known(in providers.Input, step providers.Step) (*proof, error) {
	proofs, err := remembered(in.Memory, step.Address.Resource())
	if err != nil {
		return nil, err
	}
	if p := proofOf(proofs, a.Model, a.Version); p != nil && p.Node == a.Canary {
		return p, nil
	}
	return nil, nil
}

// Ready says whether the step can run in the observed world.
func (e canaryEffect) Ready(in providers.Input, step providers.Step) providers.Readiness {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	p, err := a.known(in, step)
	if err != nil {
		return providers.Unknown.Because("%s", err)
	}
	n := in.World.Node(a.Canary)
	object, known := a.object(in)
	if e.operation == OperationRecord {
		done, err := newer(p, step)
		switch {
		case err != nil:
			return providers.Unreadable(err)
		case done:
			return providers.Done.Because("the state remembers driver %s on %s", a.Version, a.Model)
		case n.Unknown != "":
			return providers.Unknown.Because("nothing is known of %s: %s", a.Canary, n.Unknown)
		case !known:
			return providers.Unknown.Because("Kubernetes does not say how %s is", a.Object)
		}
		if why := notWorking(a.driver(), n, object); why != "" {
			return providers.Unknown.Because("%s is no proof of driver %s: %s", a.Canary, a.Version, why)
		}
		return providers.Holds.Because("")
	}
	if p == nil {
		return providers.Moved.Because("the state does not remember driver %s on %s as proved on %s", a.Version, a.Model,
			a.Canary)
	}
	if end := p.At.Add(a.soak()); in.Now.Before(end) {
		return providers.Readiness{State: providers.Waits, Since: p.At, Again: end,
			For: fmt.Sprintf("driver %s to have run on %s (%s) for %s: until %s", a.Version, a.Canary, a.Model, a.Soak,
				minute(end))}
	}
	switch why := notWorking(a.driver(), n, object); {
	case n.Unknown != "":
		return providers.Unknown.Because("nothing is known of %s: %s", a.Canary, n.Unknown)
	case !known:
		return providers.Unknown.Because("Kubernetes does not say how %s is", a.Object)
	case why != "":
		return providers.Moved.Because("%s is no proof of driver %s any more: %s", a.Canary, a.Version, why)
	}
	return providers.Done.Because("driver %s has run on %s since %s, and works", a.Version, a.Canary, minute(p.At))
}

// object is the canary as Kubernetes knows it.
func (a canaryArgs) object(in providers.Input) (facts.KubernetesNode, bool) {
	nodes := in.World.Kubernetes.Nodes
	i := slices.IndexFunc(nodes, func(n facts.KubernetesNode) bool { return n.Name == a.Object })
	if in.World.Kubernetes.Unknown != "" || i < 0 {
		return facts.KubernetesNode{}, false
	}
	return nodes[i], true
}

// Proved says whether what was predicted happened.
func (e canaryEffect) Proved(_, after providers.Input, step providers.Step) error {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil {
		return err
	}
	p, err := a.known(after, step)
	if err != nil {
		return err
	}
	is, err := newer(p, step)
	switch {
	case err != nil:
		return err
	case !is:
		return fmt.Errorf("the state does not remember driver %s on %s as proved on %s", a.Version, a.Model, a.Canary)
	case e.operation == OperationSoak && after.Now.Before(p.At.Add(a.soak())):
		return fmt.Errorf("driver %s has run on %s since %s alone", a.Version, a.Canary, minute(p.At))
	}
	return nil
}

// ByHand is how a person would do the step.
func (e canaryEffect) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil {
		return nil
	}
	look := providers.Command{
		What: fmt.Sprintf("write down that driver %s works on %s", a.Version, a.Model), Node: a.Canary,
		Run: providers.ShellScript("date -u", "nvidia-smi --query-gpu=index,driver_version --format=csv"),
		See: fmt.Sprintf("each version is %s, and nvidia-smi lists %s", a.Version, providers.Count(a.GPUs, "GPU")),
	}
	if e.operation == OperationSoak {
		look.What = fmt.Sprintf("%s after the driver of %s was proved, see that it still works", a.Soak, a.Canary)
		look.Stop = "a version differs, or a GPU is missing: change no other node with " + a.Model
	}
	return []providers.Command{look}
}

func (a canaryArgs) soak() time.Duration { return time.Duration(a.Soak) }
