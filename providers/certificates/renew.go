package certificates

import (
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// renewal is the meaning of certificates.renew: kubeadm issues the named certificates again, and the copies of admin.conf
// follow.
type renewal struct{}

// backdate is how far kubeadm dates a certificate back (kubeadm v1.36 constants.CertificateBackdate).
const backdate = 5 * time.Minute

// Predict takes the policy from the world: Ready holds a step only while that is the configuration in its arguments.
func (renewal) Predict(in providers.Input, step providers.Step) facts.Update {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[renewScope](step)
	if observed == nil || err != nil {
		return facts.Update{}
	}
	configuration := in.World.Kubernetes.ClusterConfiguration
	if configuration == "" {
		all, _ := providers.ArgsOf[renewArgs](step)
		configuration = all.ClusterConfiguration
	}
	issued, err := policyOf(in, configuration)
	if err != nil && !onlyByAuthority(args.Names) {
		return facts.Update{}
	}
	n := *observed
	n.Certificates.Files = slices.Clone(n.Certificates.Files)
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if slices.Contains(args.Names, f.Name) && len(f.Blocks) > 0 {
			if byAuthority(f.Name) {
				f.Blocks = []facts.Certificate{issueAgain(f, file(&n.Certificates, f.Authority), in.Now)}
			} else {
				f.Blocks = []facts.Certificate{issue(f.Blocks[0], issued, in.Now)}
			}
			f.Modified, f.Key, f.Chain = in.Now, "match", ""
		}
	}
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if !isCopy(f) || !slices.Contains(args.Kubeconfigs, f.Path) {
			continue
		}
		if from := source(&n.Certificates, f); from != nil {
			f.Blocks = from.Blocks[:1:1]
			f.Modified, f.Key, f.Chain = in.Now, "match", from.Chain
		}
	}
	n.Certificates.Served = slices.Clone(n.Certificates.Served)
	for i := range n.Certificates.Served {
		if s := &n.Certificates.Served[i]; s.Component != kubelet && slices.Contains(args.Names, s.Name) && s.Unknown == "" {
			serve(s, &n.Certificates)
		}
	}
	u := facts.Update{Nodes: []facts.Node{n}}
	if args.Outage {
		return healed(in, u, args.Nodes, step.Node, readers(args.Names))
	}
	return u
}

// readers are the components that read some of the named files only when they start.
func readers(names []string) (out []string) {
	for _, name := range names {
		if c := reader(name); c != "" {
			out = append(out, c)
		}
	}
	return out
}

// issue returns the certificate that kubeadm makes of an old one: a new key, the same names, the policy's life.
func issue(old facts.Certificate, p policy, now time.Time) facts.Certificate {
	old.Serial, old.SHA256 = facts.New, facts.New
	old.NotBefore, old.NotAfter = now.Add(-backdate), now.Add(p.validity)
	if p.algorithm != "" {
		old.Algorithm = p.algorithm
	} else {
		old.Algorithm = defaultAlgorithm
	}
	return old
}

// serve makes a port serve what is on disk.
func serve(s *facts.Served, c *facts.Certificates) {
	if f := file(c, s.Name); f != nil && len(f.Blocks) > 0 {
		s.Serial, s.SHA256, s.NotAfter = f.Blocks[0].Serial, f.Blocks[0].SHA256, f.Blocks[0].NotAfter
	}
}

// Needs: the other control planes and etcd say whether this one may be disrupted.
func (renewal) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (renewal) Ground(in providers.Input, step providers.Step) providers.Ground {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[renewScope](step)
	if observed == nil || err != nil {
		return nil
	}
	out := renewGround{Certificates: make([]heldCertificate, 0, len(args.Names)), Containers: containers{}}
	for _, name := range args.Names {
		f := file(&observed.Certificates, name)
		if f == nil || len(f.Blocks) == 0 || f.Blocks[0].Serial == facts.New {
			continue
		}
		out.Certificates = append(out.Certificates, heldCertificate{name, f.Blocks[0].Serial, f.Blocks[0].NotAfter.UTC().Truncate(time.Second)})
		if p := staticPod(&observed.ControlPlane, reader(name)); p != nil && p.ContainerID != "" && p.ContainerID != facts.New {
			out.Containers[p.Component] = p.ContainerID
		}
	}
	return out
}

func (renewal) Ready(in providers.Input, step providers.Step) providers.Readiness {
	observed, readiness := known(in, step)
	if observed == nil {
		return readiness
	}
	args, ground, err := decoded[renewArgs, renewGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	switch why := renewed(observed, args, ground); {
	case why == "":
		return providers.Done.Because("%s is done on %s", step.Summary, step.Node)
	case len(observed.Certificates.Unfinished) > 0:
		return providers.Moved.Because("an interrupted renewal on %s must be repaired first; plan again", step.Node)
	}
	for _, name := range args.Names {
		planned, ok := ground.certificate(name)
		f := file(&observed.Certificates, name)
		switch {
		case f == nil || f.Missing:
			return providers.Moved.Because("%s is no longer on %s; plan again", name, step.Node)
		case f.Unknown != "" || len(f.Blocks) == 0:
			return providers.Unknown.Because("%s on %s cannot be read: %s", name, step.Node, f.Unknown)
		case !ok:
			return providers.Unreadable(fmt.Errorf("the plan does not say which %s it was made for", name))
		case f.Blocks[0].Serial != planned.Serial:
			return providers.Moved.Because("%s on %s has serial %s, the plan was made for %s; plan again", name, step.Node, f.Blocks[0].Serial, planned.Serial)
		}
		if c := reader(name); c != "" && !args.Outage {
			p := staticPod(&observed.ControlPlane, c)
			if _, ran := ground.Containers[c]; !ran && p != nil && p.ContainerID != "" && observed.ControlPlane.ContainersUnknown == "" {
				return providers.Moved.Because("%s on %s runs now, but did not run when the plan was made; the plan does not restart the component; plan again", c, step.Node)
			}
		}
	}
	if k := in.World.Kubernetes; k.Unknown == "" && k.ClusterConfiguration != args.ClusterConfiguration &&
		!(args.Outage && samePolicy(in, k.ClusterConfiguration, args.ClusterConfiguration)) {
		if k.ClusterConfigurationUnknown != "" {
			return providers.Unknown.Because("the cluster's kubeadm configuration cannot be read: %s", k.ClusterConfigurationUnknown)
		}
		return providers.Moved.Because("the cluster's kubeadm configuration has changed since the plan was made; plan again")
	}
	if r := (&review{in: in}); !r.authorityHolds(observed) && !etcdHost(observed) {
		return providers.Moved.Because("the authority of %s is not the one that cluster.kubeconfig trusts: is it a node of another cluster?", step.Node)
	}
	return mayDisrupt(in, args.Nodes, step, touch{renews: args.Names, repairs: args.Outage}).readiness()
}

// authorityHolds reports whether a node's CA is the cluster's.
func (r *review) authorityHolds(n *facts.Node) bool {
	ca := clusterCA(&n.Certificates)
	return ca != nil && len(ca.Blocks) > 0 && r.ofCluster(ca)
}

// renewed says why the work of a step is not done yet; empty when it is: every name has another serial than the plan saw and
// ends later, pairs are complete, and the copies follow.
func renewed(n *facts.Node, args renewArgs, ground renewGround) string {
	if len(n.Certificates.Unfinished) > 0 {
		return "a renewal is unfinished"
	}
	for _, name := range args.Names {
		f := file(&n.Certificates, name)
		if f == nil || f.Missing || f.Unknown != "" || len(f.Blocks) == 0 {
			return name + " cannot be read"
		}
		planned, ok := ground.certificate(name)
		if !ok || f.Blocks[0].Serial == planned.Serial || !f.Blocks[0].NotAfter.After(planned.NotAfter) {
			return name + " is the one that the plan was made for"
		}
		if err := whole(f); err != nil {
			return err.Error()
		}
	}
	return copiesFollow(n, args.Kubeconfigs)
}

// copiesFollow says which copy does not hold the client certificate of the kubeconfig it was copied from; empty when all do.
func copiesFollow(n *facts.Node, copies []string) string {
	for _, path := range copies {
		f := file(&n.Certificates, path)
		if f == nil || f.Missing || f.Unknown != "" || len(f.Blocks) == 0 {
			return path + " cannot be read"
		}
		from := source(&n.Certificates, f)
		if from == nil {
			return "no kubeconfig of the node holds the user of " + path
		}
		if f.Blocks[0].SHA256 != from.Blocks[0].SHA256 {
			return path + " does not hold the client certificate of " + from.Name
		}
		if err := whole(f); err != nil {
			return err.Error()
		}
	}
	return ""
}
