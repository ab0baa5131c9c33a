package certificates

import (
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

// renewedAtStart is how little a certificate of k3s or RKE2 may have left for the service to renew it when it
// starts: 90 days, and since v1.33.1, v1.32.5, v1.31.9 and v1.30.13 120 days. The shorter one holds for all.
const renewedAtStart = 90 * 24 * time.Hour

// agentsAtOnce is how many agents restart at the same time. Their containers keep running.
const agentsAtOnce = 3

// serviceEstimate is how long the restart of a service takes, in seconds, and serviceSettle how long its proof may.
const (
	serviceEstimate = 20
	serviceSettle   = 3 * 60
)

// serviceArgs are the arguments of a restart of a service.
type serviceArgs struct {
	Nodes   config.Selection `json:"nodes"`
	Service string           `json:"service"`
	// Names are the certificates that the service renews when it starts.
	Names []string `json:"names,omitempty"`
	// Outage: the restart repairs an outage that expired certificates are the reason of.
	Outage bool `json:"outage,omitempty"`
	// Aside are those of Names that have expired and that no start renews.
	Aside []string `json:"aside,omitempty"`
}

// serviceGround is what it relies on: the start of the service that ends, and the certificates that are due.
type serviceGround struct {
	Invocation   string            `json:"invocation,omitempty"`
	Certificates []heldCertificate `json:"certificates,omitempty"`
}

// Lines implements providers.Ground.
func (g serviceGround) Lines() []string {
	out := []string{"invocation = " + g.Invocation}
	for _, c := range g.Certificates {
		out = append(out, "serial of "+c.Name+" = "+c.Serial)
	}
	return out
}

// serviceRestart is the meaning of certificates.restart_service: k3s and RKE2 renew their certificates when they
// start, and an etcd that systemd runs is started again where it does not take up a new certificate by itself.
type serviceRestart struct{}

// reviewServiceLeaf judges a certificate that the node's service renews.
func (r *review) reviewServiceLeaf(w *work, f *facts.CertificateFile, status, detail string) (string, string) {
	leaf, now := &f.Blocks[0], r.in.Now
	name := w.node.Certificates.Layout
	problem := func(id, summary, hint string) {
		status, detail = "problem", summary
		r.on(w.node.Name, providers.Finding{ID: id, Severity: providers.SeverityError, Object: f.Name,
			Summary: summary, Hint: hint})
	}
	switch {
	case f.Key == "mismatch" || f.Key == "missing":
		problem("CERT_KEY_MISMATCH", "its key is not the certificate's ("+f.Key+")", r.reissueOn(w, f))
	case f.Key != "match" && f.Key != "":
		status, detail = "unknown", "key "+f.Key
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_UNREADABLE", Severity: providers.SeverityError, Unknown: true, Object: f.Name,
			Summary: "its key is " + f.Key, Hint: r.reissueOn(w, f),
		})
	}
	if f.Chain != "" {
		problem("CERT_CHAIN_BROKEN", f.Chain, r.reissueOn(w, f))
	}
	status, detail = problemOf(status, detail, r.reviewStart(w, f))
	r.reviewOutliving(w, f)
	status, detail = r.reviewContent(w, f, status, detail)
	left, due := leaf.NotAfter.Sub(now), r.expiring(w, f)
	if !due && !w.asked {
		return status, detail
	}
	hint := name + " renews the certificate when " + r.serviceOf(w) + " starts"
	ended := r.clock.Passed(leaf.NotAfter)
	switch {
	case ended && layout.Stays(f.Name):
		hint = ""
		w.aside, w.renewed = append(w.aside, f.Name), append(w.renewed, f)
	case selfMade(f.Name): // rancher/rancher#41398
		hint = name + " does not renew this certificate: move " + f.Path + " and its key away, then restart " + r.serviceOf(w)
	default:
		w.renewed = append(w.renewed, f)
	}
	if !due {
		return status, detail // -replace names the node
	}
	if status == "ok" {
		status, detail = "due", ends(leaf.NotAfter, now)
	}
	if w.why == "" {
		w.why = title(f) + " on " + w.node.Name + " " + ends(leaf.NotAfter, now)
	}
	r.reportEnd(w, f, left, hint)
	return status, detail
}

// selfMade reports whether a certificate is one that a component of k3s made for itself.
func selfMade(name string) bool {
	return name == "kube-controller-manager/kube-controller-manager" || name == "kube-scheduler/kube-scheduler"
}

// reissueOn says how a file of a node comes back that the node's service made.
func (r *review) reissueOn(w *work, f *facts.CertificateFile) string {
	switch {
	case f.Kind == facts.Authority || !rancher(w.node):
		return r.reissue(f)
	case f.KeyPath == "":
		return "move " + f.Path + " away, then restart " + r.serviceOf(w) + ", which makes it again"
	}
	return "move " + f.Path + " and its key away, then restart " + r.serviceOf(w) + ", which makes both again"
}

// serviceOf is the service that renews a node's certificates.
func (r *review) serviceOf(w *work) string {
	for i := range w.node.Services {
		if name := w.node.Services[i].Name; name != etcdUnit {
			return name
		}
	}
	return "its service"
}

const etcdUnit = "etcd.service"

// server reports whether a node of k3s or RKE2 is a server.
func server(n *facts.Node) bool { return file(&n.Certificates, "server-ca") != nil }

// planServices restarts what renews certificates when it starts, or does not take up what was renewed. Agents come
// after the servers.
func (r *review) planServices(w *work) {
	switch {
	case rancher(w.node) && len(w.renewed) > 0:
		r.planServiceOf(w, r.serviceOf(w), w.renewed)
	case w.etcdUnit != "":
		r.planServiceOf(w, etcdUnit, nil)
	}
}

func (r *review) planServiceOf(w *work, service string, due []*facts.CertificateFile) {
	args := serviceArgs{Nodes: r.spec.Nodes, Service: service, Outage: w.outage, Aside: w.aside}
	for _, f := range due {
		args.Names = append(args.Names, f.Name)
	}
	s := r.step(w, "restart-service", OperationService, args, serviceEstimate)
	agent := rancher(w.node) && !server(w.node)
	if agent {
		s.After = append(s.After, r.servers...)
		s.Lanes = []providers.Lane{{Name: r.address.String() + ".agents", Width: agentsAtOnce, Failures: 1,
			Selection: r.agents()}}
	} else {
		r.guard(s)
		s.Guards = append(s.Guards, providers.Need{Name: guardLeases, Optional: true})
		r.servers = append(r.servers, s.ID)
	}
	s.Settle = serviceSettle
	r.repairsOutage(w, s)
	s.Summary = "restart " + service
	if len(w.aside) > 0 {
		s.Summary += ", with " + strings.Join(w.aside, ", ") + " set aside"
	}
	s.Disruption = service + " restarts on " + w.node.Name
	switch {
	case service == etcdUnit:
		s.Unaffected = "the other members of etcd, API and workloads keep running"
		s.Why = []string{w.etcdUnit, r.beforeWhy}
		s.Proof = "a new start of " + service + "; its ports serve what is on disk; etcd healthy"
	case agent:
		s.Unaffected = "containers keep running"
	default:
		s.Unaffected = "containers keep running; the API of " + w.node.Name + " is away for some seconds"
	}
	if w.outage {
		s.Disruption, s.Unaffected = "", "" // to repair an outage interrupts nothing
	}
	if service != etcdUnit {
		s.Why = []string{w.why, w.node.Certificates.Layout + " renews certificates when its service starts", r.beforeWhy}
		if w.why == "" {
			s.Why[0] = "-replace names " + s.Address.String()
		}
		s.Proof = "a new start of " + service + "; the certificates end later; the ports serve what is on disk"
		s.Changes = append(s.Changes, providers.Change{What: strings.Join(args.Names, ", "), Before: "due", After: "renewed"})
	}
	s.Changes = append(s.Changes, providers.Change{What: service, Before: "running", After: "restarted"})
	s.Undo, s.Reversal = r.undoService(w, service)
}

// undoService says how a restart is taken back: only files that are set aside stay changed.
func (r *review) undoService(w *work, service string) (string, providers.Reversal) {
	if len(w.aside) == 0 {
		return "none is needed: the same service starts again", providers.Reversal{Way: providers.ReverseNone}
	}
	var paths []string
	for _, name := range w.aside {
		if f := file(&w.node.Certificates, name); f != nil {
			paths = append(paths, f.Path)
			if f.KeyPath != "" {
				paths = append(paths, f.KeyPath)
			}
		}
	}
	return "on " + w.node.Name + ": stop " + service + ", rename each FILE.expired-DATE back to FILE (" +
		strings.Join(paths, ", ") + "), start " + service, providers.Reversal{Way: providers.ReverseByHand}
}

// agents are the nodes of the block that are agents of k3s or RKE2.
func (r *review) agents() (names []string) {
	for _, n := range r.nodes {
		if observed := r.in.World.Nodes[n.Name]; observed != nil && rancher(observed) && !server(observed) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Predict gives the service a new start and renews what ends soon.
func (serviceRestart) Predict(in providers.Input, step providers.Step) facts.Update {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[serviceArgs](step)
	if observed == nil || err != nil {
		return facts.Update{}
	}
	n := *observed
	n.Services = slices.Clone(n.Services)
	if s := n.Service(args.Service); s != nil {
		s.Invocation, s.Started = facts.New, in.Now
	}
	n.Certificates.Files = slices.Clone(n.Certificates.Files)
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if slices.Contains(args.Names, f.Name) && len(f.Blocks) > 0 {
			issued := issue(f.Blocks[0], policy{validity: defaultValidity, algorithm: f.Blocks[0].Algorithm}, in.Now)
			f.Blocks = append([]facts.Certificate{issued}, f.Blocks[1:]...)
			f.Modified, f.Key, f.Chain = in.Now, "match", ""
		}
	}
	n.Certificates.Served = slices.Clone(n.Certificates.Served)
	for i := range n.Certificates.Served {
		if s := &n.Certificates.Served[i]; s.Unknown == "" && (rancher(&n) || s.Component == componentOf(args.Service)) {
			serve(s, &n.Certificates)
		}
	}
	u := facts.Update{Nodes: []facts.Node{n}}
	if args.Outage {
		return healed(in, u, args.Nodes, step.Node, nil)
	}
	return u
}

// Needs: the other nodes and etcd say whether this one may be disrupted.
func (serviceRestart) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (serviceRestart) Ground(in providers.Input, step providers.Step) providers.Ground {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[serviceArgs](step)
	if observed == nil || err != nil {
		return nil
	}
	var out serviceGround
	if s := observed.Service(args.Service); s != nil && s.Invocation != facts.New {
		out.Invocation = s.Invocation
	}
	for _, name := range args.Names {
		if f := file(&observed.Certificates, name); f != nil && len(f.Blocks) > 0 && f.Blocks[0].Serial != facts.New {
			out.Certificates = append(out.Certificates, heldCertificate{name, f.Blocks[0].Serial,
				f.Blocks[0].NotAfter.UTC().Truncate(time.Second)})
		}
	}
	return out
}

func (serviceRestart) Ready(in providers.Input, step providers.Step) providers.Readiness {
	observed, readiness := known(in, step)
	if observed == nil {
		return readiness
	}
	args, ground, err := decoded[serviceArgs, serviceGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	s := observed.Service(args.Service)
	switch {
	case s == nil:
		return providers.Moved.Because("%s is no longer a service of %s; plan again", args.Service, step.Node)
	case s.Unknown != "":
		return providers.Unknown.Because("%s on %s cannot be seen: %s", args.Service, step.Node, s.Unknown)
	case s.Invocation != ground.Invocation && s.Invocation != "":
		if why := restartedWell(observed, args, ground); why != "" {
			return providers.Moved.Because("%s on %s was restarted since the plan was made, and %s; plan again",
				args.Service, step.Node, why)
		}
		return providers.Done.Because("%s on %s was restarted since the plan was made", args.Service, step.Node)
	}
	return mayRestartService(in, args, step).readiness()
}

// restartedWell says why a restart did not do what it was for; empty where it did.
func restartedWell(n *facts.Node, args serviceArgs, ground serviceGround) string {
	for _, planned := range ground.Certificates {
		f := file(&n.Certificates, planned.Name)
		switch {
		case f == nil || f.Missing || f.Unknown != "" || len(f.Blocks) == 0:
			return planned.Name + " cannot be read"
		case f.Blocks[0].Serial == planned.Serial || !f.Blocks[0].NotAfter.After(planned.NotAfter):
			return planned.Name + " is the one that the plan was made for"
		}
		if err := whole(f); err != nil {
			return err.Error()
		}
	}
	for i := range n.Certificates.Served {
		s := &n.Certificates.Served[i]
		if s.Component == kubelet || !rancher(n) && s.Component != componentOf(args.Service) {
			continue
		}
		if err := servesDisk(s, &n.Certificates); err != nil {
			return err.Error()
		}
	}
	return ""
}

// mayRestartService says whether a service may be restarted now. Servers, and members of etcd, are taken one at a
// time: not while another one is down.
func mayRestartService(in providers.Input, args serviceArgs, step providers.Step) holdBack {
	n := in.World.Nodes[step.Node]
	agent := rancher(n) && !server(n)
	down := slices.ContainsFunc(serviceTroubles(n), func(t controlPlaneTrouble) bool { return t.down })
	if down {
		return holdBack{} // nothing is lost by starting it
	}
	outage := outage{in: in}
	if args.Outage {
		outage = outageOf(in, args.Nodes, true)
	}
	if why := in.World.Kubernetes.Unknown; why != "" && !outage.dark {
		return holdBackFor("the Kubernetes API cannot be asked how the cluster is: %s", why)
	}
	if agent {
		return holdBack{}
	}
	if !withoutEtcd(in.World) {
		if sick := outage.sick(); sick != "" {
			return holdBack{"etcd is not healthy, and no member is restarted until it is: " + sick, standingOf(in).Lasting}
		}
		if missing := outage.missing(step.Node); len(missing) > 0 {
			return holdBackFor("etcd is unhealthy: %s. The member of %s is not restarted until etcd is healthy",
				health.Words(missing), step.Node)
		}
	}
	others, incomplete := in.Inventory.Select(args.Nodes)
	if incomplete != "" {
		return holdBackFor("not all nodes are known: %s", incomplete)
	}
	for _, other := range others {
		o := in.World.Nodes[other.Name]
		if other.Name == step.Node || o == nil || o.Unknown != "" || rancher(o) && !server(o) {
			continue
		}
		if troubles := outage.unexplained(o, serviceTroubles(o)); len(troubles) > 0 {
			return holdBackFor("%s is unhealthy, and only one node may be disrupted at a time: %s", other.Name,
				refusal(troubles))
		}
	}
	return holdBack{}
}

// withoutEtcd reports whether the cluster is one of k3s that keeps itself elsewhere than in etcd.
func withoutEtcd(w facts.World) bool {
	if !withoutKubeadm(w) {
		return false
	}
	elsewhere := false
	for _, n := range w.Nodes {
		switch n.K3s.Datastore {
		case facts.K3sEtcd:
			return false
		case facts.K3sSQLite, facts.K3sExternal:
			elsewhere = true
		}
	}
	return elsewhere
}

// Proved holds the service to a new start, to certificates that end later, and everything next to it to what it was.
func (serviceRestart) Proved(before, after providers.Input, step providers.Step) error {
	was, is, err := bothKnown(before, after, step)
	if err != nil {
		return err
	}
	args, ground, err := decoded[serviceArgs, serviceGround](step)
	if err != nil {
		return err
	}
	old, now := was.Service(args.Service), is.Service(args.Service)
	switch {
	case old == nil || now == nil:
		return fmt.Errorf("%s: %s is no longer observed", step.Node, args.Service)
	case now.Unknown != "":
		return fmt.Errorf("%s: %s cannot be seen: %s", step.Node, args.Service, now.Unknown)
	case now.Invocation == "":
		return fmt.Errorf("%s: %s is not active", step.Node, args.Service)
	case now.Invocation == ground.Invocation:
		return fmt.Errorf("%s: %s was not restarted", step.Node, args.Service)
	}
	if why := restartedWell(is, args, ground); why != "" {
		return fmt.Errorf("%s: %s", step.Node, why)
	}
	if was, is := before.World.Kubernetes.Unknown, after.World.Kubernetes.Unknown; was == "" && is != "" {
		return fmt.Errorf("the Kubernetes API does not answer after the step on %s: %s", step.Node, is)
	}
	if args.Outage {
		if err := recovered(before, after, step.Node, args.Nodes); err != nil {
			return err
		}
	} else if why := worse(before, after); why != "" && !withoutEtcd(after.World) {
		return fmt.Errorf("etcd is not healthy after the step on %s: %s", step.Node, why)
	}
	var all []string
	for i := range was.Certificates.Files {
		all = append(all, was.Certificates.Files[i].Name)
	}
	return untouched(before, after, change{
		node: step.Node, files: all, components: clientsOfTheAPI, outage: args.Outage,
	})
}

// ByHand restarts the service and waits for it.
func (serviceRestart) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[serviceArgs](step)
	if err != nil {
		return nil
	}
	h := byHand(in, step)
	unit := providers.ShellWord(args.Service)
	lines := []string{
		stopFunction, "before=$(systemctl show -p InvocationID --value " + unit + ")",
	}
	if len(args.Aside) > 0 {
		lines = append(lines, "systemctl stop "+unit)
		for _, name := range args.Aside {
			p := h.path(name)
			lines = append(lines, "mv "+providers.ShellWord(p)+" "+providers.ShellWord(p+".expired"))
			if key, ok := strings.CutSuffix(p, ".crt"); ok {
				lines = append(lines, "mv "+providers.ShellWord(key+".key")+" "+providers.ShellWord(key+".key.expired"))
			}
		}
	}
	lines = append(lines,
		"systemctl restart "+unit+` || stop "the service did not start; see: journalctl -u `+args.Service+`"`,
		"systemctl is-active "+unit,
		`[ "$(systemctl show -p InvocationID --value `+unit+`)" != "$before" ] || stop "the service was not restarted"`,
	)
	for _, name := range args.Names {
		if path := h.path(name); strings.HasSuffix(path, ".crt") {
			lines = append(lines, "openssl x509 -noout -enddate -in "+providers.ShellWord(path))
		}
	}
	out := []providers.Command{h.command("restart "+args.Service, script(lines...),
		"\"active\", and an end about a year from now for each certificate", "a line that begins with STOP", "")}
	if args.Service == etcdUnit {
		if served := h.proveServed([]string{etcdMember}); served.Run != "" {
			out = append(out, served)
		}
	}
	return out
}
