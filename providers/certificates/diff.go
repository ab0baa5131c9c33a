package certificates

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

// review is one Diff in progress.
type review struct {
	spec    Spec
	in      providers.Input
	clock   providers.Clock
	address providers.Address
	out     providers.Outcome

	policy policy
	names  names
	known  map[string]facts.KubernetesNode // by the inventory's names; nil: not worked out yet
	found  found
	// members are those of etcd by their nodes' names, else by their own: each node asks for its own several times.
	members map[string][]*facts.Member
	// policyUnknown says why the cluster's kubeadm configuration is not known; then nothing can be renewed.
	policyUnknown string
	// before is how long before its end a certificate is due: renew_before, unless that would never converge.
	before time.Duration
	// reference is the first control plane whose authorities are known; the others are compared with it.
	reference *facts.Node
	signer    *facts.Node   // the first control plane whose key for tokens is known
	nodes     []config.Node // of the selection
	standing  health.Status
	// outage is what expired certificates explain; down: of what is broken, that is something.
	outage    outage
	down      bool
	at        string   // the block's place
	beforeWhy string   // "certificates.control_plane.renew_before = 30d (provider.upkeep.hcl:21)"
	servers   []string // the ids of the steps that restart a server's service; agents come after them
	// operatorDue: the client certificate of cluster.kubeconfig is due, and its file holds the key. kubeconfigFirst is the
	// step that renews it where nothing else can be judged before.
	operatorDue     bool
	kubeconfigFirst string
	afterEnd        string // what renewed certificates' not_after will be, in words
}

// Diff compares the declared state with the observed control planes. What interrupted renewals left half done is repaired on
// all nodes before anything else; then come the control planes that are unhealthy because of their certificates, then the
// healthy ones, then those that are unhealthy for another reason: of each kind the primary and the others in declared order,
// all steps of one node together.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, clock: in.Clock(), address: s.Address(), at: s.Position.String()}
	r.outage = outageOf(in, s.Nodes, false)
	r.readMembers()
	r.readPolicy()
	nodes, incomplete := in.Inventory.Select(s.Nodes)
	if incomplete != "" {
		r.add(providers.Finding{ID: "NODE_SELECTION_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Summary: "not all nodes of the selection are known: " + incomplete})
	} else if len(nodes) == 0 {
		r.add(providers.Finding{ID: "NODE_NONE_SELECTED", Severity: providers.SeverityError,
			Summary: "nodes selects no node", Hint: "declare nodes with the role or name that the block selects"})
	}
	r.down = r.policyUnknown == "" && r.outage.any()
	r.nodes = nodes
	r.reviewEtcd()
	r.reviewOperatorKubeconfig()
	r.findReference(nodes)
	r.findSigner()

	r.growObjects(nodes)
	var todo []work
	for _, n := range nodes {
		if w := r.reviewNode(n); w.any() {
			todo = append(todo, w)
		}
	}
	r.reviewOutage()
	r.reviewCopies(nodes)
	r.reviewExternalEtcd()
	r.out.Steps = make([]providers.Step, 0, 3*len(todo)+1)
	r.planOperatorKubeconfig()
	for i := range todo {
		r.planRepair(&todo[i])
	}
	for turn := turnMember; turn <= turnUnhealthy; turn++ {
		for i := range todo {
			if todo[i].turn == turn {
				r.planSANs(&todo[i])
				r.planRenew(&todo[i])
				r.planRestart(&todo[i])
				if !rancher(todo[i].node) || server(todo[i].node) {
					r.planServices(&todo[i])
				}
				r.rest(&todo[i])
			}
		}
	}
	for i := range todo {
		if rancher(todo[i].node) && !server(todo[i].node) {
			r.planServices(&todo[i])
			r.rest(&todo[i])
		}
	}
	for i := range r.out.Steps {
		if s := &r.out.Steps[i]; r.kubeconfigFirst != "" && s.ID != r.kubeconfigFirst && len(s.After) == 0 {
			s.After = []string{r.kubeconfigFirst}
		}
	}
	r.warn()
	r.out.Outage = r.headline()
	return r.out
}

// growObjects makes room for the objects of all nodes at once.
func (r *review) growObjects(nodes []config.Node) {
	if r.in.NoObjects {
		return
	}
	files := 0
	for _, n := range nodes {
		if observed := r.in.World.Nodes[n.Name]; observed != nil {
			files += len(observed.Certificates.Files)
		}
	}
	r.out.Objects = slices.Grow(r.out.Objects, files+len(nodes))
}

// add reports a finding of the block itself.
func (r *review) add(f providers.Finding) {
	if f.Address.Type == "" {
		f.Address = r.address
	}
	f.Position = r.at
	r.out.Findings = append(r.out.Findings, f)
}

// on reports a finding about one node.
func (r *review) on(node string, f providers.Finding) {
	f.Address = r.address.On(node)
	r.add(f)
}

func (r *review) readPolicy() {
	r.before = time.Duration(r.spec.RenewBefore)
	place := r.at
	if r.spec.RenewBeforeAt.File != "" {
		place = r.spec.RenewBeforeAt.String()
	} else if place != "" {
		place = "the default; " + place
	} else {
		place = "the default"
	}
	r.beforeWhy = fmt.Sprintf("%s.renew_before = %s (%s)", r.address, r.spec.RenewBefore, place)

	k := r.in.World.Kubernetes
	r.found = configurationOf(r.in)
	switch {
	case r.found.text != "":
		var err, unnamed error
		r.policy, err = readPolicy(r.found.text)
		r.names, unnamed = namesOf(r.in, r.found.text)
		if err = cmp.Or(err, unnamed); err != nil {
			r.policyUnknown = err.Error()
		}
	case k.ClusterConfigurationUnknown != "":
		r.policyUnknown = k.ClusterConfigurationUnknown
	case k.Unknown != "":
		r.policyUnknown = k.Unknown
	default:
		r.policyUnknown = "the ConfigMap kube-system/kubeadm-config holds no ClusterConfiguration"
	}
	if r.policyUnknown != "" && withoutKubeadm(r.in.World) {
		r.policyUnknown, r.policy = "", policy{validity: defaultValidity} // k3s has no such configuration
	}
	if k.Unknown != "" && r.policyUnknown == "" {
		hint := "kubeadm's configuration was read from etcd instead, so what is due is known; " +
			"apply touches no control plane until the API answers"
		if withoutKubeadm(r.in.World) {
			hint = "apply restarts no service until the API answers"
		}
		if r.outage.any() {
			from := "etcd"
			if r.found.from != "" {
				from = r.found.from
			}
			hint = "certificates have expired, which apply renews without the API"
			if !withoutKubeadm(r.in.World) {
				hint += "; kubeadm's configuration was read from " + from
			}
		}
		r.add(providers.Finding{
			ID: "API_UNREACHABLE", Severity: providers.SeverityError, Unknown: true, Summary: k.Unknown, Hint: hint,
		})
	}
	if r.policyUnknown != "" {
		r.add(providers.Finding{
			ID: "CERT_CONFIGURATION_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Summary: r.policyUnknown,
			Hint: "without the cluster's own kubeadm configuration kubeadm falls back to its defaults, so upkeep renews nothing; " +
				"check cluster.kubeconfig, and `kubectl -n kube-system get configmap kubeadm-config`",
		})
		return
	}
	r.afterEnd = instant(r.in.Now.Add(r.policy.validity), r.policy.validity)
	if r.before >= r.policy.validity {
		r.before = fitting(r.policy.validity)
		r.add(providers.Finding{
			ID: "CERT_RENEW_BEFORE_TOO_LONG", Severity: providers.SeverityWarning, Object: "renew_before",
			Summary: fmt.Sprintf("renew_before = %q, but the cluster issues certificates for %s: a new one would be due at once; until this is changed those with less than %s left are renewed",
				r.spec.RenewBefore, span(r.policy.validity), span(r.before)),
			Hint: fmt.Sprintf("set renew_before to less than %s, or raise certificateValidityPeriod in the ConfigMap kube-system/kubeadm-config", span(r.policy.validity)),
		})
	}
}

func (r *review) reviewEtcd() {
	if withoutEtcd(r.in.World) {
		for _, n := range r.nodes {
			if observed := r.in.World.Nodes[n.Name]; observed != nil {
				if _, elsewhere := layout.Member(*observed); elsewhere != "" {
					r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: %s, so no etcd is looked at", r.address, elsewhere))
					break
				}
			}
		}
		return
	}
	r.standing = standingOf(r.in)
	silent := r.silentMembers()
	for _, t := range health.Troubles(r.in.World.Etcd) {
		f := providers.Finding{
			Address: r.address, ID: "ETCD_UNHEALTHY", Severity: providers.SeverityError, Object: t.Member, Summary: t.What,
			Unknown: t.Unknown, Cause: t.Cause(),
		}
		switch {
		case t.Kind == health.Learner:
			f.Severity = providers.SeverityNote
		case r.standing.Sick == "":
			f.Hint = "etcd works without this member. upkeep changes no other member until then, and does the work that does not change etcd"
		default:
			f.Hint = "upkeep touches no control plane while etcd is unhealthy"
		}
		if t.Unknown && t.Member == "" && r.allUnknown() {
			f.Summary = "etcd could not be asked: nothing is known of any node"
		}
		if node := silent[t.Member]; node != "" {
			f.Address, f.Unknown, f.Summary = r.address.On(node), true, "member "+t.Member+" cannot be asked: nothing is known of its node"
		}
		r.add(f)
	}
}

// allUnknown reports whether nothing is known of any node.
func (r *review) allUnknown() bool {
	for _, n := range r.in.World.Nodes {
		if n.Unknown == "" {
			return false
		}
	}
	return len(r.in.World.Nodes) > 0
}

// silentMembers returns the nodes of the members that did not answer because their nodes did not, by the member's name.
func (r *review) silentMembers() map[string]string {
	out := map[string]string{}
	for i := range r.in.World.Etcd.Members {
		m := &r.in.World.Etcd.Members[i]
		if n := r.in.World.Nodes[m.Node]; m.Unknown != "" && n != nil && n.Unknown != "" && out[m.Name] == "" {
			out[m.Name] = m.Node
		}
	}
	return out
}

// reviewOperatorKubeconfig looks at cluster.kubeconfig, with which upkeep itself talks to the cluster.
func (r *review) reviewOperatorKubeconfig() {
	f := &r.in.World.Kubernetes.Kubeconfig
	if f.Insecure != "" {
		r.add(providers.Finding{
			ID: "CERT_KUBECONFIG_INSECURE", Severity: providers.SeverityError, Object: "cluster.kubeconfig",
			Summary: f.Insecure + " (" + f.Path + ")",
			Hint:    "put the CA of the cluster into the kubeconfig (certificate-authority-data), remove insecure-skip-tls-verify, and use https://",
		})
	}
	leaf, ok := f.Leaf()
	if !ok {
		return // tokens, exec plugins: no certificate to end
	}
	object := providers.Object{Address: r.address, Name: "cluster.kubeconfig", Path: f.Path, Status: "ok", Expires: leaf.NotAfter, Authority: f.Authority}
	if left := leaf.NotAfter.Sub(r.in.Now); r.clock.Passed(leaf.NotAfter.Add(-r.before)) {
		severity, summary := providers.SeverityWarning, "its client certificate expires in "+r.left(left)+"; renewal starts "+r.spec.RenewBefore.String()+" before ("+f.Path+")"
		if r.clock.Passed(leaf.NotAfter) {
			severity, summary = providers.SeverityError, "its client certificate expired "+ago(-left)+" ("+f.Path+")"
		}
		object.Status = "due"
		r.operatorDue = f.Unknown == "" && f.Key == "match"
		r.add(providers.Finding{
			ID: "CERT_OPERATOR_KUBECONFIG", Severity: severity, Object: "cluster.kubeconfig",
			Summary: summary,
			Hint:    r.operatorHint(),
		})
	}
	r.out.Objects = append(r.out.Objects, object)
}

// operatorHint says how the client certificate of cluster.kubeconfig is renewed.
func (r *review) operatorHint() string {
	switch {
	case !r.spec.OperatorKubeconfig:
		return "set operator_kubeconfig = true, and `upkeep apply` renews it; or copy the client certificate and key of a " +
			"renewed /etc/kubernetes/admin.conf into it"
	case !r.operatorDue:
		return "upkeep cannot renew it, since its key cannot be read: copy the client certificate and key of a renewed " +
			"/etc/kubernetes/admin.conf into it"
	case r.signerOfClients() == "":
		return "upkeep cannot renew it: no control plane that answers has a valid CA with its key"
	}
	return "`upkeep apply` renews it; a control plane signs the new certificate"
}

// findReference picks the control plane whose authorities the others must have: one whose CA is the one that the
// operator's kubeconfig trusts, else the first that is known.
func (r *review) findReference(nodes []config.Node) {
	r.nodes = nodes
	for _, n := range nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" {
			continue
		}
		ca := clusterCA(&observed.Certificates)
		if ca == nil || len(ca.Blocks) == 0 {
			continue
		}
		if r.ofCluster(ca) {
			r.reference = observed
			return
		}
		if r.reference == nil {
			r.reference = observed
		}
	}
}

// ofCluster reports whether a CA file holds the authority that the operator's kubeconfig trusts.
func (r *review) ofCluster(ca *facts.CertificateFile) bool {
	authority, key := r.in.World.Kubernetes.Authority, r.in.World.Kubernetes.AuthorityKey
	if authority == "" {
		return true
	}
	for i := range ca.Blocks {
		if strings.EqualFold(ca.Blocks[i].SHA256, authority) || key != "" && ca.Blocks[i].KeyID == key {
			return true
		}
	}
	return false
}

// reviewCopies reports kubeconfigs that the block names and no node has: most likely a slip of the pen.
func (r *review) reviewCopies(nodes []config.Node) {
	for _, path := range r.spec.Kubeconfigs {
		known, present := 0, 0
		for _, n := range nodes {
			observed := r.in.World.Nodes[n.Name]
			if observed == nil || observed.Unknown != "" || observed.Certificates.Unknown != "" {
				continue
			}
			known++
			if f := file(&observed.Certificates, path); f != nil && !f.Missing {
				present++
				break
			}
		}
		if known == len(nodes) && known > 0 && present == 0 {
			r.add(providers.Finding{
				ID: "CERT_MISSING", Severity: providers.SeverityWarning, Object: path, Summary: "no node has this kubeconfig",
				Hint: "correct the path in kubeconfigs, or remove it",
			})
		}
	}
}

// warn says in the plan what apply will refuse.
func (r *review) warn() {
	if len(r.out.Steps) == 0 {
		return
	}
	if why := r.outage.sick(); why != "" {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: apply will refuse these steps until etcd is healthy: %s", r.address, why))
	}
}

// file returns a file of a node by name without copying it; nil when there is none.
func file(c *facts.Certificates, name string) *facts.CertificateFile {
	for i := range c.Files {
		if c.Files[i].Name == name {
			return &c.Files[i]
		}
	}
	return nil
}
