package driver

import (
	"fmt"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// cohort are the nodes of a block with one model of GPU. Their canary goes first and alone.
type cohort struct {
	model string
	// names are the nodes as Kubernetes calls them; lane bounds how many of them are under way.
	names []string
	lane  providers.Lane
	// proof is the one of the wanted version that counts, until the end of its soak; nil: a node must go first.
	proof *proof
	until time.Time
	// trouble is why the canary is no proof now, and of which node; empty: nothing is known against it.
	trouble string
	canary  config.Node
	// work is what there is to do, working are the nodes that have the driver, and on which it works.
	work    []*candidate
	working []*candidate
}

// candidate is a node for which there is something to do.
type candidate struct {
	node    config.Node
	object  facts.KubernetesNode
	verdict verdict
	why     []string
	// returns: the node is only given back; proved: its driver is proved before that. has: nothing changes on the node,
	// since it has the driver.
	returns, proved, has bool
	// left: an earlier run left the node cordoned.
	left  bool
	turn  int
	steps []providers.Step
}

// sort puts the nodes of the block into cohorts. Nothing is planned for a node whose GPUs or object are not known.
func (r *review) sort(nodes []config.Node) {
	r.cohortOf = map[string]*cohort{}
	byModel := map[string]*cohort{}
	for _, n := range nodes {
		model, object := modelOf(r.in.World.Node(n.Name)), r.objects[n.Name]
		if model == "" || object == nil {
			continue
		}
		c := byModel[model]
		if c == nil {
			c = &cohort{model: model}
			byModel[model] = c
			r.cohorts = append(r.cohorts, c)
		}
		c.names = append(c.names, object.Name)
		r.cohortOf[n.Name] = c
	}
	for _, c := range r.cohorts {
		c.lane = providers.Lane{
			Name: r.spec.Address().String() + "/" + c.model, Width: max(1, r.spec.MaxSameModel),
			Failures: r.spec.Limits.MaxFailures, Selection: c.names,
		}
	}
}

// recall takes over what the memory says of the cohorts. A proof counts while its node is one of the block's, has the
// version and was given back: a node that is due again proves nothing, nor does one on which no pod has run. Then a node
// goes first once more.
func (r *review) recall(nodes []config.Node) {
	proofs, err := remembered(r.in.Memory, r.spec.Address())
	if err != nil {
		r.unreadable = err.Error()
		r.add(providers.Finding{ID: unknown, Severity: providers.SeverityError, Unknown: true, Object: "canary",
			Summary: "which nodes had the driver first is not known: " + err.Error()})
		return
	}
	for _, c := range r.cohorts {
		p := proofOf(proofs, c.model, r.version)
		if p == nil {
			continue
		}
		i := slices.IndexFunc(nodes, func(n config.Node) bool { return n.Name == p.Node })
		observed, object := r.in.World.Node(p.Node), r.objects[p.Node]
		has, v := modelOf(observed), judge(r.spec, r.version, observed)
		again := v.unknown == "" && len(v.why) > 0
		if i < 0 || has != "" && has != c.model || again || object != nil && downtime.Ours(*object, r.spec.Address()) {
			continue
		}
		c.proof, c.canary, c.until = p, nodes[i], p.At.Add(time.Duration(r.spec.Soak))
		switch {
		case v.unknown != "":
			c.trouble = v.unknown
		case v.absent:
			c.trouble = "no GPU is on the PCI bus"
		case object == nil:
			c.trouble = "Kubernetes has no such node"
		default:
			c.trouble = notWorking(r.wanted(observed, p.GPUs), observed, *object)
		}
	}
}

// wanted are the arguments by which a node is judged that has the driver.
func (r *review) wanted(n facts.Node, gpus int) args {
	open, _ := moduleOf(r.spec.KernelModule, branchOf(r.version), n)
	return args{Version: r.version, Open: open, GPUs: gpus, Fabric: n.NVIDIA.Fabric.Manager == facts.Needed}
}

// notWorking says why a node that has the driver is no proof of it now; empty: it works, and takes pods.
func notWorking(a args, n facts.Node, object facts.KubernetesNode) string {
	switch why := notProved(a, n); {
	case why != "":
		return why
	case !object.Ready:
		return "the node is not Ready"
	case object.Unschedulable:
		return "the node is cordoned, and no new pod tries the driver"
	}
	return ""
}

// soaks says until when the nodes of a cohort wait for their canary; empty: they do not wait for the time.
func (r *review) soaks(c *cohort) string {
	if c == nil || c.proof == nil || c.trouble != "" || r.soaked(c) {
		return ""
	}
	return fmt.Sprintf("the change waits until driver %s has run on %s (%s) for %s: since %s, until %s", r.version,
		c.proof.Node, c.model, r.spec.Soak, minute(c.proof.At), minute(c.until))
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// soaked reports whether the canary of a cohort has run for long enough.
func (r *review) soaked(c *cohort) bool { return r.spec.Soak == 0 || r.in.Clock().Passed(c.until) }

// stuck notes that a node which an earlier run left cordoned cannot go on. Without a proof it is the canary of its
// model: would the next node begin, each run could leave one more.
func (r *review) stuck(n config.Node, object facts.KubernetesNode) {
	c := r.cohortOf[n.Name]
	if c == nil || c.proof != nil || c.trouble != "" || !downtime.Ours(object, r.spec.Address()) ||
		slices.ContainsFunc(r.work, func(w *candidate) bool { return w.node.Name == n.Name }) {
		return
	}
	c.canary, c.trouble = n, "an earlier run left the node cordoned, and the node cannot go on"
}

// plan plans the work on all nodes, in their order.
func (r *review) plan() {
	var more []providers.Step
	for _, c := range r.cohorts {
		r.hold(c)
		first := r.first(c)
		for _, w := range c.work {
			w.steps = r.build(w, w == first && len(c.names) > 1)
		}
		if first != nil && first.has {
			first.steps = []providers.Step{r.record(first)}
			more = append(more, first.steps...)
		}
		more = append(more, r.follow(c, first)...)
	}
	for _, w := range r.work {
		r.out.Steps = append(r.out.Steps, w.steps...)
	}
	r.out.Steps = append(r.out.Steps, more...)
}

// hold drops the work that must not begin: the canary is in trouble, or nothing is known of it.
func (r *review) hold(c *cohort) {
	if r.unreadable == "" && c.trouble == "" {
		return
	}
	held := 0
	c.work = slices.DeleteFunc(c.work, func(w *candidate) bool {
		if !w.returns {
			held++
		}
		return !w.returns
	})
	if c.trouble != "" && held > 0 {
		r.found(c.canary, canary, providers.SeverityError, fmt.Sprintf("%s goes first with driver %s of the nodes with %s, "+
			"and is no proof of the driver: %s. No other node with %s starts (%s due)", c.canary.Name, r.version, c.model,
			c.trouble, c.model, providers.Count(held, "node")),
			"repair "+c.canary.Name+"; or take the node out of the block, and another node goes first")
	}
}

// first returns the node that goes before the others of its cohort; nil: none need do so. That is a node that has the
// driver already: it is proved where it is. Else it is the node on which most is done, then the one with the fewest
// tenants and residents.
func (r *review) first(c *cohort) (first *candidate) {
	if c.proof != nil || c.trouble != "" || r.unreadable != "" {
		return nil
	}
	due := slices.ContainsFunc(c.work, func(w *candidate) bool { return !w.returns })
	if due && len(c.working) > 0 {
		return c.working[0]
	}
	rank := func(w *candidate) int {
		switch {
		case w.returns:
			return 0
		case w.left:
			return 1
		}
		return 2 + w.turn
	}
	for _, w := range c.work {
		if (!w.returns || w.proved) && (first == nil || rank(w) < rank(first)) {
			first = w
		}
	}
	return first
}

// follow has the others of a cohort wait: for the last step of the one that goes first, and for the end of its soak.
// What an earlier run left cordoned waits for no time. It returns the step that waits for the soak, where one does.
func (r *review) follow(c *cohort, first *candidate) (out []providers.Step) {
	var last []string
	if first != nil {
		last = []string{first.steps[len(first.steps)-1].ID}
	}
	waits := first != nil && r.spec.Soak > 0 || c.proof != nil && !r.soaked(c)
	for _, w := range c.work {
		if w == first || w.returns {
			continue
		}
		start := &w.steps[0]
		start.After = append(slices.Clone(start.After), last...)
		if first != nil {
			start.Why = append(slices.Clone(start.Why), fmt.Sprintf("%s goes first of the nodes with %s", first.node.Name,
				c.model))
		}
		if !waits || w.left {
			continue
		}
		if len(out) == 0 {
			out = append(out, r.soak(c, first, last))
		}
		start.After = []string{out[0].ID}
	}
	return out
}
