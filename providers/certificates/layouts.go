package certificates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// rancher reports whether a node is one of k3s or RKE2, whose service renews certificates when it starts.
func rancher(n *facts.Node) bool {
	return n.Certificates.Layout == "k3s" || n.Certificates.Layout == "rke2"
}

// etcdHost reports whether a node has a member of etcd and no other part of a control plane.
func etcdHost(n *facts.Node) bool {
	return file(&n.Certificates, etcdMember) != nil && file(&n.Certificates, "apiserver") == nil
}

// servedByService reports whether a node's part of the control plane is a service of systemd, and no static pod.
func servedByService(n *facts.Node) bool { return rancher(n) || etcdHost(n) }

// serviceTroubles are the services of a node that its layout names and that are not active.
func serviceTroubles(n *facts.Node) (out []controlPlaneTrouble) {
	for i := range n.Services {
		s := &n.Services[i]
		component := componentOf(s.Name)
		switch {
		case s.Unknown != "":
			out = append(out, controlPlaneTrouble{component: component, what: s.Name + " cannot be seen: " + s.Unknown,
				unknown: true})
		case s.Invocation == "":
			out = append(out, controlPlaneTrouble{component: component, what: s.Name + " is not active", down: true})
		}
	}
	return out
}

// componentOf is the component that a service runs.
func componentOf(service string) string { return strings.TrimSuffix(service, ".service") }

// clusterCA is the CA by which a node's cluster is told: the one that signs what the API server serves.
func clusterCA(c *facts.Certificates) *facts.CertificateFile {
	for i := range c.Files {
		if isClusterCA(c.Files[i].Name) {
			return &c.Files[i]
		}
	}
	return nil
}

func isClusterCA(name string) bool {
	return name == "ca" || name == "server-ca" || name == "agent/server-ca"
}

// withoutKubeadm reports whether every node that is known is one of k3s or RKE2: such a cluster has no configuration of
// kubeadm's, and need not have one.
func withoutKubeadm(w facts.World) bool {
	found := false
	for _, n := range w.Nodes {
		switch {
		case rancher(n):
			found = true
		case n.Certificates.Layout != "":
			return false
		}
	}
	return found
}

// etcdOnHosts reports whether systemd runs etcd on a node that is known.
func etcdOnHosts(w facts.World) bool {
	for _, n := range w.Nodes {
		if file(&n.Certificates, etcdMember) != nil {
			return true
		}
	}
	return false
}

// reviewExternalEtcd says that the certificates of an etcd are unknown that is neither kubeadm's nor on a node of
// the block.
func (r *review) reviewExternalEtcd() {
	if r.policyUnknown != "" || !r.policy.externalEtcd {
		return
	}
	for _, n := range r.nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" || observed.Certificates.Unknown != "" {
			return // this node could be one
		}
		for _, name := range []string{etcdMember, "etcd-server"} {
			if f := file(&observed.Certificates, name); f != nil && !f.Missing {
				return
			}
		}
	}
	r.add(providers.Finding{
		ID: "CERT_ETCD_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: etcdServer,
		Summary: "etcd runs outside the control planes, and no node of the block is a host of etcd",
		Hint:    `declare the hosts of etcd as nodes with roles = ["etcd"], and add role("etcd") to nodes`,
	})
}

// reviewLayout tells which layout a node has, where that is not kubeadm's, and what else renews certificates on the
// node.
func (r *review) reviewLayout(w *work) {
	c := &w.node.Certificates
	if c.Layout != "" && c.Layout != "kubeadm" {
		object := providers.Object{Address: r.address.On(w.node.Name), Name: "layout", Path: c.Dir, Status: "ok",
			Detail: c.Layout}
		if c.Because != "" {
			object.Detail += ": " + c.Because
		}
		r.out.Objects = append(r.out.Objects, object)
	}
	f := c.Foreign
	if f == nil {
		return
	}
	what := fmt.Sprintf("%s, %s, sha256 %s", f.Script, f.Revision, f.SHA256[:min(12, len(f.SHA256))])
	if !f.Enabled {
		r.out.Objects = append(r.out.Objects, providers.Object{
			Address: r.address.On(w.node.Name), Name: "k8s-certs-renew", Path: f.Script, Status: "ok",
			Detail: what + "; no timer starts it",
		})
		return
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_FOREIGN_RENEWAL", Severity: providers.SeverityWarning, Object: f.Timer,
		Summary: fmt.Sprintf("%s also renews certificates here (OnCalendar=%s): %s", f.Timer, f.Schedule, what),
		Hint: "the script takes no backup, no lock and no configuration of the cluster. " +
			"It restarts all of a node's control plane at once. " +
			"Run `systemctl disable --now " + f.Timer + "`, and set auto_renew_certificates: false for kubespray",
	})
}

// issueAgain returns the certificate that upkeep makes of one of kubespray's etcd: the same life, but never past its
// CA.
func issueAgain(f, ca *facts.CertificateFile, now time.Time) facts.Certificate {
	old := f.Blocks[0]
	old.NotAfter = lifeAgain(&f.Blocks[0], ca, now)
	old.NotBefore, old.Serial, old.SHA256 = now.Add(-backdate), facts.New, facts.New
	return old
}

// lifeAgain is when a certificate ends that is issued now with the life of an old one.
func lifeAgain(old *facts.Certificate, ca *facts.CertificateFile, now time.Time) time.Time {
	until := now.Add(old.NotAfter.Sub(old.NotBefore))
	if ca != nil && len(ca.Blocks) > 0 && until.After(ca.Blocks[0].NotAfter) {
		until = ca.Blocks[0].NotAfter
	}
	return until
}

// onlyByAuthority reports whether a renewal needs no kubeadm.
func onlyByAuthority(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !byAuthority(name) })
}

// issuedAgain returns an error unless a certificate of kubespray's etcd is a new one that says what the old one said.
func issuedAgain(old, now, ca *facts.CertificateFile, clock time.Time) error {
	if err := whole(now); err != nil {
		return err
	}
	if len(old.Blocks) == 0 || len(now.Blocks) == 0 {
		return fmt.Errorf("%s holds no certificate", now.Name)
	}
	was, is := &old.Blocks[0], &now.Blocks[0]
	written := now.Modified
	if written.IsZero() {
		written = clock
	}
	switch {
	case is.Serial == was.Serial || is.SHA256 == was.SHA256:
		return fmt.Errorf("%s still has serial %s", now.Name, was.Serial)
	case lifeAgain(was, ca, written).Sub(is.NotAfter).Abs() > 2*settleTime:
		return fmt.Errorf("%s ends %s, and was to live as long as the old one", now.Name,
			is.NotAfter.UTC().Format(time.RFC3339))
	case is.Algorithm != was.Algorithm:
		return fmt.Errorf("%s has a key of type %s and had %s", now.Name, is.Algorithm, was.Algorithm)
	case is.Subject != was.Subject:
		return fmt.Errorf("the subject of %s was %s and is %s", now.Name, was.Subject, is.Subject)
	case !sameSet(is.DNSNames, was.DNSNames) || !sameSet(is.IPAddresses, was.IPAddresses):
		return fmt.Errorf("the names in %s were %v %v and are %v %v", now.Name, was.DNSNames, was.IPAddresses,
			is.DNSNames, is.IPAddresses)
	}
	return nil
}
