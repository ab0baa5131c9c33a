package certificates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// user is who a client certificate says that its bearer is.
type user struct {
	name   string // common name; empty: any
	groups []string
}

// The groups that may do everything. kubeadm gives the first since 1.29, and gave the second before; the second is
// bound by no role, so it cannot be taken away (kubeadm v1.29, release notes: "kubeadm:cluster-admins").
const (
	clusterAdmins = "kubeadm:cluster-admins"
	masters       = "system:masters"
)

// userOf is the user that the client certificate of a file must name: of groups, one is enough. False where any
// will do: etcd looks at the authority alone.
func userOf(name string) (user, bool) {
	switch name {
	case adminConf:
		return user{groups: []string{clusterAdmins, masters}}, true
	case superAdminConf:
		return user{groups: []string{masters}}, true
	case "controller-manager.conf":
		return user{name: "system:kube-controller-manager"}, true
	case "scheduler.conf":
		return user{name: "system:kube-scheduler"}, true
	case "apiserver-kubelet-client":
		return user{groups: []string{clusterAdmins, masters}}, true
	case "front-proxy-client":
		return user{name: "front-proxy-client"}, true
	case "kubelet-client", "agent/client-kubelet":
		return user{groups: []string{"system:nodes"}}, true
	}
	return userOfRancher(name)
}

// userOfRancher is userOf for the certificates of k3s and RKE2 (pkg/daemons/control/deps, genClientCerts).
func userOfRancher(name string) (user, bool) {
	switch name {
	case "client-admin", "client-kube-apiserver", "client-supervisor", "k3s.yaml", "rke2.yaml":
		return user{groups: []string{masters}}, true
	case "client-controller":
		return user{name: "system:kube-controller-manager"}, true
	case "client-scheduler":
		return user{name: "system:kube-scheduler"}, true
	case "client-kube-proxy", "agent/client-kube-proxy":
		return user{name: "system:kube-proxy"}, true
	case "client-auth-proxy":
		return user{name: "system:auth-proxy"}, true
	}
	return user{}, false
}

// attributes returns the values of one kind in a subject as facts have it: "CN=a,O=b+O=c".
func attributes(subject, kind string) (out []string) {
	for _, part := range strings.FieldsFunc(subject, func(r rune) bool { return r == ',' || r == '+' }) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(part), kind+"="); ok {
			out = append(out, value)
		}
	}
	return out
}

// reviewIdentity reports a client certificate whose user may not do what its bearer must. The API server lets it
// in, and forbids.
func (r *review) reviewIdentity(w *work, f *facts.CertificateFile) string {
	want, known := userOf(f.Name)
	if !known || f.Name == "apiserver-kubelet-client" && !r.before136() {
		return ""
	}
	subject := f.Blocks[0].Subject
	groups := attributes(subject, "O")
	summary := ""
	switch {
	case want.name != "" && !slices.Contains(attributes(subject, "CN"), want.name):
		summary = fmt.Sprintf("its user is %q, and must be %s", subject, want.name)
	case len(want.groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(want.groups, g) }):
		summary = fmt.Sprintf("its user %q is not in the group %s", subject, want.groups[0])
	case f.Name == adminConf && slices.Contains(groups, masters) && r.since129():
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_IDENTITY_OVERPRIVILEGED", Severity: providers.SeverityNote, Object: f.Name,
			Summary: "its user is in the group " + masters + ", which no role can take rights from",
			Hint:    "it was kept from a release before 1.29: move it away, and run `kubeadm init phase kubeconfig admin --config FILE`",
		})
		return ""
	}
	if summary == "" {
		return ""
	}
	hint := "a renewal does not change the user: " + r.reissue(f)
	if rancher(w.node) {
		hint = r.reissueOn(w, f)
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_IDENTITY_WRONG", Severity: providers.SeverityError, Object: f.Name, Summary: summary, Hint: hint,
	})
	return summary
}

// since129 reports whether every control plane runs 1.29 or later.
func (r *review) since129() bool {
	for _, n := range r.nodes {
		known, ok := r.kubernetesNodes()[n.Name]
		var major, minor int
		if _, err := fmt.Sscanf(known.Version, "v%d.%d", &major, &minor); !ok || err != nil || major == 1 && minor < 29 {
			return false
		}
	}
	return len(r.nodes) > 0
}

// before136 reports whether the cluster is of a release that gives the API server its rights on kubelets by a
// group. kubeadm 1.36 binds the user itself, and writes no group.
func (r *review) before136() bool {
	var major, minor int
	_, err := fmt.Sscanf(r.names.version, "v%d.%d", &major, &minor)
	return err == nil && major == 1 && minor < 36
}

// trusts reports whether a kubeconfig's bundle holds one of the authorities of a file, by key: one that was issued
// again with its old key is the same authority.
func trusts(f, ca *facts.CertificateFile) bool {
	return ca != nil && slices.ContainsFunc(ca.Blocks, func(block facts.Certificate) bool {
		return slices.ContainsFunc(f.Authorities, func(a string) bool { return strings.EqualFold(a, block.SHA256) }) ||
			block.KeyID != "" && slices.Contains(f.AuthorityKeys, block.KeyID)
	})
}

// reviewTrust reports a kubeconfig that trusts none of the authorities that its node has: its clients cannot tell
// the API server from anybody else, and refuse it.
func (r *review) reviewTrust(w *work, f *facts.CertificateFile) string {
	ca := clusterCA(&w.node.Certificates)
	if f.Kind != facts.Kubeconfig || len(f.Authorities) == 0 || ca == nil || len(ca.Blocks) == 0 || trusts(f, ca) {
		return ""
	}
	if r.reference != nil && trusts(f, clusterCA(&r.reference.Certificates)) {
		return "" // it is the node's CA that is another one, which is reported
	}
	const summary = "it trusts another authority than the cluster's"
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_KUBECONFIG_FOREIGN", Severity: providers.SeverityError, Object: f.Name, Summary: summary,
		Hint: "its certificate-authority-data is not of " + ca.Path + ": " + r.reissueOn(w, f),
	})
	return summary
}

// reviewAppended reports certificates behind the first one that have expired: some programs send them, and some
// clients refuse that.
func (r *review) reviewAppended(w *work, f *facts.CertificateFile) string {
	for i := 1; i < len(f.Blocks); i++ {
		left := f.Blocks[i].NotAfter.Sub(r.in.Now)
		if !r.clock.Passed(f.Blocks[i].NotAfter) {
			continue
		}
		summary := fmt.Sprintf("certificate %d in the file expired %s", i+1, ago(-left))
		hint := "remove it from " + f.Path + "; a renewal writes the file with one certificate"
		switch {
		case f.Kind == facts.Authority:
			hint = "remove it from " + f.Path + " when nothing that it signed is in use"
		case rancher(w.node):
			hint = "it is the CA that signed the certificate, or was: " + r.reissueOn(w, f)
		}
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_APPENDED_EXPIRED", Severity: providers.SeverityWarning, Object: f.Name, Summary: summary, Hint: hint,
		})
		return summary
	}
	return ""
}

// reviewOwner reports a file that belongs to somebody other than root, who can replace it.
func (r *review) reviewOwner(w *work, f *facts.CertificateFile) string {
	owner, path, can := f.Owner, f.Path, "replace"
	if f.KeyOwner != "" {
		owner, path, can = f.KeyOwner, f.KeyPath, "read and replace"
	}
	if owner == "" || strings.HasPrefix(owner, "0:") || isCopy(f) {
		return ""
	}
	summary := "belongs to " + owner + " (uid:gid), who can " + can + " it"
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_OWNER_FOREIGN", Severity: providers.SeverityWarning, Object: f.Name, Summary: path + " " + summary, Hint: "chown 0:0 " + path,
	})
	return summary
}

// reviewUsage reports a certificate that is not for what it is used for: the other side refuses it.
func (r *review) reviewUsage(w *work, f *facts.CertificateFile) string {
	if len(f.Usage) == 0 {
		return ""
	}
	summary := "is not for " + strings.Join(f.Usage, " and ") + " (extended key usage)"
	hint := r.reissueOn(w, f)
	if !rancher(w.node) {
		hint = "a renewal keeps the usages, so upkeep does not renew it: " + hint
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_USAGE_WRONG", Severity: providers.SeverityError, Object: f.Name, Summary: summary, Hint: hint,
	})
	return summary
}

// reviewStart reports a certificate that is not valid yet.
func (r *review) reviewStart(w *work, f *facts.CertificateFile) string {
	from := f.Blocks[0].NotBefore
	if r.clock.Passed(from) {
		return ""
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_NOT_YET_VALID", Severity: providers.SeverityError, Object: f.Name,
		Summary: "valid only from " + from.UTC().Format(time.RFC3339), Hint: "compare the clocks of the nodes",
	})
	return "not valid yet"
}

// reviewOutliving reports a certificate that ends after its authority.
func (r *review) reviewOutliving(w *work, f *facts.CertificateFile) string {
	ca := file(&w.node.Certificates, f.Authority)
	if ca == nil || len(ca.Blocks) == 0 || !f.Blocks[0].NotAfter.After(ca.Blocks[0].NotAfter) {
		return ""
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_OUTLIVES_AUTHORITY", Severity: providers.SeverityWarning, Object: f.Name,
		Summary: "ends after its authority " + f.Authority + " does, and with that at the latest",
		Hint:    "rotate " + f.Authority + "; renewing this certificate does not help",
	})
	return ""
}

// reviewContent looks at what a certificate says, beside its dates.
func (r *review) reviewContent(w *work, f *facts.CertificateFile, status, detail string) (string, string) {
	for _, look := range [...]func(*work, *facts.CertificateFile) string{r.reviewUsage, r.reviewNames, r.reviewIdentity, r.reviewTrust, r.reviewAppended, r.reviewOwner} {
		status, detail = problemOf(status, detail, look(w, f))
	}
	return status, detail
}

// problemOf returns a file's status after it was looked at: what was found outranks that it is well or due.
func problemOf(status, detail string, found ...string) (string, string) {
	for _, summary := range found {
		if summary != "" && (status == "ok" || status == "due") {
			status, detail = "problem", summary
		}
	}
	return status, detail
}

// reviewAuthorityKey reports an authority whose key is not on a node: nothing can be renewed under it there.
func (r *review) reviewAuthorityKey(w *work, f *facts.CertificateFile) {
	finding := providers.Finding{
		ID: "CERT_AUTHORITY_KEY_MISSING", Severity: providers.SeverityNote, Object: f.Name,
		Summary: "its key is on no control plane, so upkeep renews nothing under it",
		Hint:    "that is right where the authority is kept elsewhere; else restore " + f.KeyPath + " from a backup",
	}
	for _, n := range r.nodes {
		other := r.in.World.Nodes[n.Name]
		if other == nil || other.Unknown != "" || n.Name == w.node.Name {
			continue
		}
		if theirs := file(&other.Certificates, f.Name); theirs != nil && theirs.Key == "match" {
			if w.node.Certificates.Layout == "kubespray" && f.Name == "etcd-ca" {
				return // kubespray keeps the key on the first host
			}
			finding.Severity, finding.Summary = providers.SeverityError, "its key is missing here, and "+n.Name+" has it"
			finding.Hint = "copy " + f.KeyPath + " from " + n.Name + ", with mode 0600"
			break
		}
	}
	r.on(w.node.Name, finding)
}

// reviewEmbedded reports a kubelet.conf that holds the kubelet's client certificate itself: the kubelet rotates a
// file, which that kubelet.conf does not name (kubernetes/kubeadm#1317).
func (r *review) reviewEmbedded(w *work, f *facts.CertificateFile) string {
	if f.Name != "kubelet-client" || f.Path != "/etc/kubernetes/kubelet.conf" {
		return ""
	}
	const summary = "kubelet.conf embeds its client certificate, and rotation does not replace it"
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_KUBELET_EMBEDDED", Severity: providers.SeverityWarning, Object: f.Name, Summary: summary,
		Hint: "let kubelet.conf name /var/lib/kubelet/pki/kubelet-client-current.pem as client-certificate and client-key, then `systemctl restart kubelet`",
	})
	return summary
}
