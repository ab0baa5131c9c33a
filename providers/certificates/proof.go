package certificates

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// Proved holds the node to what was predicted, and everything next to it to what it was.
func (renewal) Proved(before, after providers.Input, step providers.Step) error {
	was, is, err := bothKnown(before, after, step)
	if err != nil {
		return err
	}
	args, err := providers.ArgsOf[renewArgs](step)
	if err != nil {
		return err
	}
	issued, err := policyOf(after, args.ClusterConfiguration)
	if err != nil && !onlyByAuthority(args.Names) {
		return fmt.Errorf("arguments of %s: %w", step.ID, err)
	}
	for _, name := range args.Names {
		old, now := file(&was.Certificates, name), file(&is.Certificates, name)
		if old == nil || now == nil {
			return fmt.Errorf("%s: %s is no longer observed", step.Node, name)
		}
		judge := func() error { return reissued(named(old, now, args.SANs[name]), now, issued, after.Now) }
		if byAuthority(name) {
			judge = func() error { return issuedAgain(old, now, file(&is.Certificates, now.Authority), after.Now) }
		}
		if err := judge(); err != nil {
			return fmt.Errorf("%s: %w", step.Node, err)
		}
	}
	for _, path := range args.Kubeconfigs {
		old, now := file(&was.Certificates, path), file(&is.Certificates, path)
		if old == nil || now == nil {
			return fmt.Errorf("%s: %s is no longer observed", step.Node, path)
		}
		if err := sameCluster(old, now); err != nil {
			return fmt.Errorf("%s: %w", step.Node, err)
		}
	}
	if why := copiesFollow(is, args.Kubeconfigs); why != "" {
		return fmt.Errorf("%s: %s", step.Node, why)
	}
	for i := range is.Certificates.Served {
		s := &is.Certificates.Served[i]
		if s.Component == kubelet || !slices.Contains(args.Names, s.Name) || args.Outage && s.Unknown != "" {
			continue
		}
		if !restartFollows(was, is, s, before.Clock()) && !stillSilent(was, s) {
			if err := servesDisk(s, &is.Certificates); err != nil {
				return fmt.Errorf("%s: %w", step.Node, err)
			}
		}
	}
	touched := append(slices.Clone(args.Names), args.Kubeconfigs...)
	if err := untouched(before, after, change{node: step.Node, files: touched, outage: args.Outage}); err != nil {
		return err
	}
	if args.Outage {
		return recovered(before, after, step.Node, args.Nodes, readers(args.Names)...)
	}
	return healthy(before, after, step.Node)
}

// restartFollows reports whether a port served an older certificate before the step and did not reload: a restart, which the
// same plan has for it unless its component would not come back, proves it, not the renewal.
func restartFollows(was, is *facts.Node, s *facts.Served, clock providers.Clock) bool {
	for i := range was.Certificates.Served {
		if old := &was.Certificates.Served[i]; old.Name == s.Name && old.Address == s.Address {
			return stuck(was, old, clock) && startable(is, s.Component, clock, func(*facts.CertificateFile) bool { return false }) == ""
		}
	}
	return false
}

// stillSilent reports whether a port that does not answer did not before the step: it serves what is on disk when what listens
// there starts, and whether that may stay down is not the port's to say (healthy).
func stillSilent(was *facts.Node, s *facts.Served) bool {
	return s.Unknown != "" && slices.ContainsFunc(was.Certificates.Served, func(old facts.Served) bool {
		return old.Name == s.Name && old.Address == s.Address && old.Unknown != ""
	})
}

// settleTime is how far the end of a new certificate may be from the policy's life after the file was written: kubeadm fixes the
// end when it starts, and the file is put in place after the rest was made and archived.
const settleTime = 5 * time.Minute

// reissued returns an error unless a file holds a new certificate of the policy's making with everything else as it was.
func reissued(old, now *facts.CertificateFile, p policy, clock time.Time) error {
	if err := whole(now); err != nil {
		return err
	}
	if len(old.Blocks) == 0 || len(now.Blocks) == 0 {
		return fmt.Errorf("%s holds no certificate", now.Name)
	}
	was, is := &old.Blocks[0], &now.Blocks[0]
	if is.Serial == was.Serial || is.SHA256 == was.SHA256 {
		return fmt.Errorf("%s still has serial %s", now.Name, was.Serial)
	}
	if !is.NotAfter.After(clock) {
		return fmt.Errorf("%s has a new serial and %s", now.Name, ends(is.NotAfter, clock))
	}
	written := now.Modified
	if written.IsZero() {
		written = clock
	}
	if off := is.NotAfter.Sub(written) - p.validity; off.Abs() > settleTime {
		return fmt.Errorf("%s was issued for %s, the cluster's configuration says %s: kubeadm did not use it",
			now.Name, is.NotAfter.Sub(written).Round(time.Minute), p.validity)
	}
	if is.Algorithm != "" {
		switch {
		case p.algorithm != "" && is.Algorithm != p.algorithm:
			return fmt.Errorf("%s has a key of type %s, the cluster's configuration says %s: kubeadm did not use it", now.Name, is.Algorithm, p.algorithm)
		case p.algorithm == "" && is.Algorithm != defaultAlgorithm && is.Algorithm != was.Algorithm:
			return fmt.Errorf("%s has a key of type %s and had %s", now.Name, is.Algorithm, was.Algorithm)
		}
	}
	if is.Subject != was.Subject {
		return fmt.Errorf("the subject of %s was %s and is %s", now.Name, was.Subject, is.Subject)
	}
	if !sameSet(is.DNSNames, was.DNSNames) || !sameSet(is.IPAddresses, was.IPAddresses) {
		return fmt.Errorf("the names in %s were %v %v and are %v %v", now.Name, was.DNSNames, was.IPAddresses, is.DNSNames, is.IPAddresses)
	}
	return sameCluster(old, now)
}

// sameCluster returns an error unless a kubeconfig kept its server and its complete bundle of authorities.
func sameCluster(old, now *facts.CertificateFile) error {
	if old.Server != now.Server {
		return fmt.Errorf("the server of %s was %s and is %s", now.Name, old.Server, now.Server)
	}
	if !sameSet(old.Authorities, now.Authorities) {
		return fmt.Errorf("the authorities of %s were %d certificates and are %d others", now.Name, len(old.Authorities), len(now.Authorities))
	}
	return nil
}

func sameSet(a, b []string) bool {
	if slices.Equal(a, b) {
		return true
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func servesDisk(s *facts.Served, c *facts.Certificates) error {
	f := file(c, s.Name)
	switch {
	case s.Unknown != "":
		return fmt.Errorf("%s at %s cannot be asked what it serves: %s", s.Component, s.Address, s.Unknown)
	case f == nil || len(f.Blocks) == 0:
		return fmt.Errorf("%s serves %s, and %s cannot be read", s.Component, s.Serial, s.Name)
	case f.Blocks[0].SHA256 != s.SHA256:
		return fmt.Errorf("%s at %s serves serial %s, on disk is %s", s.Component, s.Address, s.Serial, f.Blocks[0].Serial)
	}
	return nil
}

// Proved holds the components to new containers and live leases, and everything next to them to what it was.
func (restarting) Proved(before, after providers.Input, step providers.Step) error {
	was, is, err := bothKnown(before, after, step)
	if err != nil {
		return err
	}
	args, err := providers.ArgsOf[restartArgs](step)
	if err != nil {
		return err
	}
	if why := is.ControlPlane.ContainersUnknown; why != "" {
		return fmt.Errorf("%s: the containers cannot be seen: %s", step.Node, why)
	}
	restarted := slices.Clone(args.Components)
	for _, c := range args.Components {
		old, now := staticPod(&was.ControlPlane, c), staticPod(&is.ControlPlane, c)
		switch {
		case args.Outage && now != nil && now.ContainerID == "" && !is.ControlPlane.APIServer.Ready:
			continue // it ends again until its API server is ready
		case old == nil || now == nil || now.ContainerID == "":
			return fmt.Errorf("%s: %s has no running container", step.Node, c)
		case !stale(was, old):
			// It had started again before the step began: nothing was left to do for it.
		case old.ContainerID == now.ContainerID:
			return fmt.Errorf("%s: %s still runs as container %s", step.Node, c, short(now.ContainerID))
		case !now.StartedAt.After(old.StartedAt):
			return fmt.Errorf("%s: the container of %s did not start later than the one before it", step.Node, c)
		}
		if stale(is, now) {
			return fmt.Errorf("%s: %s does not use the certificate on disk", step.Node, c)
		}
		if kubeconfigOf(c) != "" && !args.Outage {
			if err := led(after.World.Kubernetes, c, now.StartedAt); err != nil {
				return fmt.Errorf("%s: %w", step.Node, err)
			}
		}
		if c == etcdServer || c == apiServer {
			// While their API server is away, the leaders next to it lose their leases and start again.
			restarted = append(restarted, controllerManager, scheduler)
		}
	}
	for i := range is.Certificates.Served {
		if s := &is.Certificates.Served[i]; s.Component != kubelet && (slices.Contains(args.Components, s.Component) || served(was, s)) {
			if err := servesDisk(s, &is.Certificates); err != nil {
				return fmt.Errorf("%s: %w", step.Node, err)
			}
		}
	}
	if err := untouched(before, after, change{node: step.Node, components: restarted, outage: args.Outage}); err != nil {
		return err
	}
	if args.Outage {
		return recovered(before, after, step.Node, args.Nodes)
	}
	return healthy(before, after, step.Node)
}

// served reports whether a port served what was on disk.
func served(n *facts.Node, s *facts.Served) bool {
	for i := range n.Certificates.Served {
		if old := &n.Certificates.Served[i]; old.Name == s.Name && old.Address == s.Address {
			return servesDisk(old, &n.Certificates) == nil
		}
	}
	return false
}

// led returns an error unless somebody has held a component's lease since a time.
func led(k facts.Kubernetes, component string, since time.Time) error {
	if k.Unknown != "" {
		return fmt.Errorf("who leads %s is not known: %s", component, k.Unknown)
	}
	lease, ok := k.Lease(component)
	switch {
	case !ok || lease.Holder == "":
		return fmt.Errorf("no process holds the lease of %s", component)
	case lease.RenewedAt.Before(since):
		return fmt.Errorf("the lease of %s was last renewed %s before the restart, by %s", component, since.Sub(lease.RenewedAt).Round(time.Second), plain.Said(lease.Holder))
	}
	return nil
}

// newTroubles returns what is wrong with a node's control plane after a step, except for what was wrong before it and could not be
// repaired by it: the component had complete and valid certificates then.
func newTroubles(before, after providers.Input, node string) []controlPlaneTrouble {
	was, is := before.World.Nodes[node], after.World.Nodes[node]
	old := controlPlaneTroubles(was, stackedEtcd(before))
	return slices.DeleteFunc(controlPlaneTroubles(is, stackedEtcd(after)), func(t controlPlaneTrouble) bool {
		return slices.ContainsFunc(old, func(o controlPlaneTrouble) bool {
			return o.component == t.component && (o.unknown == t.unknown || t.component == apiServer) &&
				startable(was, o.component, before.Clock(), func(*facts.CertificateFile) bool { return false }) == ""
		})
	})
}

// healthy returns an error unless the API answers after a step, etcd is no worse than before it (a member that did not answer
// may still not) nor is the node's control plane, and it is still the same cluster.
func healthy(before, after providers.Input, node string) error {
	if why := after.World.Kubernetes.Unknown; why != "" {
		return fmt.Errorf("the Kubernetes API does not answer after the step on %s: %s", node, why)
	}
	if why := refusal(newTroubles(before, after, node)); why != "" {
		return fmt.Errorf("the control plane of %s is unhealthy: %s", node, why)
	}
	if why := worse(before, after); why != "" {
		return fmt.Errorf("etcd is not healthy after the step on %s: %s", node, why)
	}
	was, is := before.World.Etcd, after.World.Etcd
	if was.ClusterID != "" && was.ClusterID != is.ClusterID {
		return fmt.Errorf("etcd was cluster %s and is %s", was.ClusterID, is.ClusterID)
	}
	if was.Unknown == "" && etcdOf(was) != etcdOf(is) && !slices.EqualFunc(was.Members, is.Members, func(a, b facts.Member) bool { return a.ID == b.ID }) {
		return errors.New("the members of etcd changed during the step")
	}
	return nil
}

// change is what a step may have touched: files and components of one node.
type change struct {
	node              string
	files, components []string
	// outage: components that cannot reach the API end and start again on their own, on every node.
	outage bool
}

// untouched returns an error where something changed that the step had no business with: another file or container of its node, or
// a container of another control plane. What is unknown on either side is not compared.
func untouched(before, after providers.Input, c change) error {
	for _, name := range providers.MovedNodes(before, after) {
		was, is := before.World.Nodes[name], after.World.Nodes[name]
		if is == nil || was == is || was.Unknown != "" || is.Unknown != "" {
			continue
		}
		if is.ControlPlane.ContainersUnknown == "" && is.ControlPlane.Unknown == "" && !c.outage {
			for i := range was.ControlPlane.StaticPods {
				old := &was.ControlPlane.StaticPods[i]
				now := staticPod(&is.ControlPlane, old.Component)
				if old.ContainerID == "" || name == c.node && slices.Contains(c.components, old.Component) {
					continue
				}
				if now == nil || now.ContainerID != old.ContainerID {
					return fmt.Errorf("%s on %s was restarted during this step, but not by this step", old.Component, name)
				}
			}
		}
		if name != c.node || is.Certificates.Unknown != "" {
			continue
		}
		for i := range was.Certificates.Files {
			old := &was.Certificates.Files[i]
			if old.Kind == facts.Kubelet || slices.Contains(c.files, old.Name) {
				continue
			}
			if now := file(&is.Certificates, old.Name); now == nil || !sameBlocks(old, now) {
				return fmt.Errorf("%s on %s was changed during this step, but not by this step", old.Name, name)
			}
		}
	}
	return nil
}
