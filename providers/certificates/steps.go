package certificates

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// The arguments of steps. They hold no times, serials or container ids: those are in
// the step's ground, so that the same due work has the same arguments on any day.
type (
	repairArgs struct{}

	renewArgs struct {
		// Nodes are all control planes of the block: while one of the others is broken the step is refused.
		Nodes config.Selection `json:"nodes"`
		// Names are kubeadm's names in kubeadm's order; none where only copies of admin.conf follow.
		Names       []string `json:"names,omitempty"`
		Kubeconfigs []string `json:"kubeconfigs,omitempty"`
		// Layout is the layout that the block names; empty: each node tells its own.
		Layout string `json:"layout,omitempty"`
		// SANs are the names that certificates lack: these are made anew.
		SANs map[string][]string `json:"sans,omitempty"`
		// ClusterConfiguration is the cluster's own kubeadm configuration as it was when the plan was made.
		ClusterConfiguration string `json:"cluster_configuration"`
		// Outage: the step repairs an outage that expired certificates are the reason of.
		Outage bool `json:"outage,omitempty"`
	}

	// renewScope is the part of renewArgs that a prediction needs. The planner predicts every step of every node; the
	// configuration, much the longest part, stays unread.
	renewScope struct {
		SANs        map[string][]string `json:"sans"`
		Names       []string            `json:"names"`
		Kubeconfigs []string            `json:"kubeconfigs"`
		Nodes       config.Selection    `json:"nodes"`
		Outage      bool                `json:"outage"`
	}

	restartArgs struct {
		Nodes      config.Selection `json:"nodes"`
		Components []string         `json:"components"`
		// Outage: components that cannot reach the API end and start again on their own. So the step is about
		// whichever container runs by then.
		Outage bool `json:"outage,omitempty"`
	}
)

// Estimates in seconds where no earlier run is remembered, as measured on a three-node kubeadm v1.35 cluster: kubeadm renews
// everything in under two seconds, a static pod's container is back within two, and a leader lease is taken over within
// its 15 seconds.
const (
	repairEstimate  = 3
	renewEstimate   = 3
	restartEstimate = 5
)

// The turns of control planes: first those whose own certificates keep their member of etcd away, since no other member
// is touched until it is back; then those whose certificates are the reason why they are not whole, then those that are
// whole, then those that are not whole for another reason, which no renewal repairs: what goes wrong with them closes
// the lane.
const (
	turnMember    = -2
	turnRepair    = -1
	turnHealthy   = 0
	turnUnhealthy = 1
)

// guardBackup stands on renewals as well as on restarts: a renewal interrupts nothing, but it replaces private keys in place,
// and what stood there before comes back only out of a backup.
const guardBackup = "backup"

// guardLeases stands on restarts where a block provides it: an akash_provider stops its provider meanwhile if it would lose
// patience with its tenants' leases before they end.
const guardLeases = "leases"

// step appends a step of one node, to run after the node's step before it.
func (r *review) step(w *work, verb, operation string, args any, estimate float64) *providers.Step {
	s := providers.NewStep(r.in, r.address.On(w.node.Name), verb, operation, args, estimate)
	s.Turn, s.Position = w.turn, r.at
	if w.last != "" {
		s.After = []string{w.last}
	}
	w.last, w.lastAt = s.ID, len(r.out.Steps)
	r.out.Steps = append(r.out.Steps, s)
	return &r.out.Steps[len(r.out.Steps)-1]
}

// planRepair repairs what an interrupted renewal left. It waits for no other node: repairing an outage that exists disrupts
// nothing, and no control plane is touched while another one is half done.
func (r *review) planRepair(w *work) {
	if len(w.unfinished) == 0 {
		return
	}
	s := r.step(w, "repair", OperationRepair, repairArgs{}, repairEstimate)
	s.Summary = "repair the renewal that was interrupted"
	s.Repairs, s.Turn = true, 0
	for _, u := range w.unfinished {
		s.Why = append(s.Why, fmt.Sprintf("renewal %s on %s was interrupted", u.ID, w.node.Name))
		s.Changes = append(s.Changes, providers.Change{What: "renewal " + u.ID, Before: "unfinished", After: "finished or undone"})
	}
	s.Why = append(s.Why, "a half-done renewal is repaired before anything else ("+r.at+")")
	s.Proof = "no unfinished renewal; every key belongs to its certificate"
	s.Undo = "restore the archive of the PKI that the interrupted renewal took on " + w.node.Name
	s.Reversal = providers.Reversal{Way: providers.ReverseArchive}
}

// planRenew renews what is due, and lets the copies of admin.conf follow.
func (r *review) planRenew(w *work) {
	if len(w.due)+len(w.stale) == 0 {
		return
	}
	args := renewArgs{Nodes: r.spec.Nodes, Kubeconfigs: r.copiesAfter(w), ClusterConfiguration: r.found.text}
	if r.spec.Layout != "auto" && r.spec.Layout != "kubeadm" {
		args.Layout = r.spec.Layout
	}
	for _, f := range w.due {
		args.Names = append(args.Names, f.Name)
	}
	args.Outage = w.outage
	s := r.step(w, "renew", OperationRenew, args, renewEstimate)
	r.guard(s)
	r.repairsOutage(w, s)
	r.consent(s)
	if len(args.Names) > 0 {
		s.Summary = "renew " + strings.Join(args.Names, ", ")
		s.Changes = r.ends(w.due)
	} else {
		s.Summary = "update " + strings.Join(args.Kubeconfigs, ", ")
	}
	for _, path := range args.Kubeconfigs {
		c := &w.node.Certificates
		from := source(c, file(c, path))
		s.Changes = append(s.Changes, providers.Change{What: "client certificate in " + path, Before: "an older one", After: "that of " + from.Name})
	}
	switch {
	case w.why == "":
		s.Why = []string{"-replace names " + s.Address.String()}
	case len(w.due) > 1:
		s.Why = []string{fmt.Sprintf("%s, and %d more", w.why, len(w.due)-1)}
	default:
		s.Why = []string{w.why}
	}
	if w.why != "" && w.asked {
		s.Why = append(s.Why, "-replace names "+s.Address.String())
	}
	s.Why = append(s.Why, r.beforeWhy)
	s.Proof = "new certificates are valid to " + r.afterEnd + "; keys and CA match; kubeconfigs keep server and CA; the ports serve the new certificates; no container restarted"
	s.Undo = "restore the archive of /etc/kubernetes that upkeep takes on " + w.node.Name + " before the first change"
	s.Reversal = providers.Reversal{Way: providers.ReverseArchive}
}

// planRestart restarts what runs with an older certificate than the one on disk and does not reload by itself. Where repairing
// comes before it, each component has a step of its own: whether repairing changes what a component reads is not known before,
// and one that need not be restarted must not be for another's sake. In an outage those that end by themselves are not held up
// by those that do not.
func (r *review) planRestart(w *work) {
	apart := len(w.unfinished) > 0 || w.outage && !onlyClients(w.restart)
	if !apart || len(w.restart) == 1 {
		r.planRestartOf(w, "restart", w.restart)
		return
	}
	for i, c := range w.restart {
		r.planRestartOf(w, "restart-"+c, w.restart[i:i+1])
	}
}

func (r *review) planRestartOf(w *work, verb string, components []string) {
	if len(components) == 0 {
		return
	}
	args := restartArgs{Nodes: r.spec.Nodes, Components: components, Outage: w.outage && onlyClients(components)}
	s := r.step(w, verb, OperationRestart, args, float64(restartEstimate*len(components)))
	r.guard(s)
	if r.in.World.Kubernetes.Unknown == "" {
		// A provider counts what it cannot ask of the API against its tenants' leases (akash.md 4.3). Where the API is down,
		// nothing can be scaled through it, and to repair that is what helps the leases.
		s.Guards = append(s.Guards, providers.Need{Name: guardLeases, Optional: true})
	}
	s.Summary = "restart " + strings.Join(components, ", ")
	if s.Disruption, s.Unaffected = disruption(components, w.node.Name); w.outage {
		s.Disruption, s.Unaffected = "", "" // to repair an outage interrupts nothing
	}
	r.repairsOutage(w, s)
	why := w.restartWhy
	if why == "" || len(components) < len(w.restart) && !strings.HasPrefix(why, components[0]+" ") {
		why = strings.Join(components, " and ") + " on " + w.node.Name + " read their kubeconfig only when they start, and it is renewed"
		if len(components) == 1 {
			why = components[0] + " on " + w.node.Name + " reads its kubeconfig only when it starts, and it is renewed"
		}
	}
	s.Why = []string{why, r.beforeWhy}
	for _, c := range components {
		s.Changes = append(s.Changes, providers.Change{What: c, Before: "running", After: "restarted"})
	}
	s.Proof = "new containers that started later; leases renewed since; the API server ready; 6443 2379 2380 serve what is on disk; etcd healthy"
	s.Undo = "none is needed: the same container starts again"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
}

// disruption says what a restart of components interrupts on a node, and what keeps running.
func disruption(components []string, node string) (stops, runs string) {
	verb := " restart on "
	if len(components) == 1 {
		verb = " restarts on "
	}
	stops = strings.Join(components, " and ") + verb + node
	if n := len(components); n > 2 {
		stops = strings.Join(components[:n-1], ", ") + " and " + components[n-1] + verb + node
	}
	if slices.ContainsFunc(components, func(c string) bool { return !slices.Contains(clientsOfTheAPI, c) }) {
		return stops, "workloads keep running"
	}
	return stops, "API, etcd and workloads keep running"
}

// clientsOfTheAPI are the components of a control plane that only call the API server.
var clientsOfTheAPI = []string{"kube-controller-manager", "kube-scheduler"}

func onlyClients(components []string) bool {
	return !slices.ContainsFunc(components, func(c string) bool { return !slices.Contains(clientsOfTheAPI, c) })
}

// outageSettle is how long after a step the proof of an outage's repair may take, in seconds: the kubelet waits up to
// five minutes before it starts a component again that kept ending, and the API server reads new certificates once a
// minute.
const outageSettle = 8 * 60

// repairsOutage gives a step the patience that the repair of an outage needs. While etcd has no leader nothing can be
// backed up: what a renewal replaces is in the archive on the node.
func (r *review) repairsOutage(w *work, s *providers.Step) {
	if !w.outage {
		return
	}
	s.Settle = outageSettle
	for i := range s.Guards {
		if s.Guards[i].Name == guardBackup && r.outage.etcd {
			s.Guards[i].Waived = "etcd has no majority because its certificates expired, so no backup of etcd is possible; " +
				"upkeep archives /etc/kubernetes on each node first"
		}
	}
}

func (r *review) guard(s *providers.Step) {
	s.Guards = append(s.Guards, providers.Need{Name: guardBackup})
}

// rest lets a node be left as it is after its last step, and after no earlier one: between a renewal and the restart that it
// is for, what runs would still end with the old certificate. So a renewal rests where nothing need restart for it.
func (r *review) rest(w *work) {
	if w.last != "" {
		r.out.Steps[w.lastAt].Rest = true
	}
}

// ends lists how the ends of validity change: in one line where all change alike.
func (r *review) ends(due []*facts.CertificateFile) []providers.Change {
	out := make([]providers.Change, 0, len(due))
	alike := true
	for _, f := range due {
		before, after := moved(f.Blocks[0].NotAfter, r.in.Now.Add(r.policy.validity), r.policy.validity)
		alike = alike && (len(out) == 0 || out[0].Before == before)
		out = append(out, providers.Change{What: "not_after of " + f.Name, Before: before, After: after})
	}
	if alike {
		out = out[:1]
		out[0].What = "not_after"
	}
	return out
}
