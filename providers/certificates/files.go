package certificates

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// reviewFiles judges every certificate of a node by itself: one bad file is one finding and hides nothing else. Healthy
// files, which are nearly all, cost comparisons only.
func (r *review) reviewFiles(w *work, blocked blocks) {
	address := r.address.On(w.node.Name)
	for _, replaced := range r.in.Replace {
		w.asked = w.asked || replaced.Covers(address)
	}
	w.waits = r.waits(w)
	files := w.node.Certificates.Files
	for i := range files {
		f := &files[i]
		object := providers.Object{Address: address, Name: f.Name, Path: f.Path, Authority: f.Authority}
		object.Status, object.Detail = r.reviewFile(w, f, &blocked)
		if object.Status == "" || r.in.NoObjects {
			continue
		}
		if len(f.Blocks) > 0 {
			object.Expires = f.Blocks[0].NotAfter
		}
		r.out.Objects = append(r.out.Objects, object)
	}
}

// reviewFile reports what is wrong with a file, and returns its status and, in a few words, why. A file that this node need not
// have, and has not, has no status.
func (r *review) reviewFile(w *work, f *facts.CertificateFile, blocked *blocks) (status, detail string) {
	if f.Missing {
		return r.reviewMissing(w, f)
	}
	if f.Unknown != "" || len(f.Blocks) == 0 {
		why := f.Unknown
		if why == "" {
			why = "it holds no certificate"
		}
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_UNREADABLE", Severity: providers.SeverityError, Unknown: true, Object: f.Name,
			Summary: why, Hint: r.reissueOn(w, f),
		})
		return "unknown", why
	}
	status = "ok"
	if f.Chain != "" && (f.Kind == facts.Authority || f.Kind == facts.Kubelet) {
		status, detail = "problem", f.Chain
		r.on(w.node.Name, providers.Finding{ID: "CERT_CHAIN_BROKEN", Severity: providers.SeverityError, Object: f.Name,
			Summary: f.Chain, Hint: r.reissueOn(w, f)})
	}
	if exposed(f) {
		path := f.KeyPath
		if path == "" {
			path = f.Path
		}
		mode := f.KeyMode
		if f.KeyPath == "" {
			mode = f.Mode
		}
		status, detail = "problem", "its key can be read by others"
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_KEY_EXPOSED", Severity: providers.SeverityWarning, Object: f.Name,
			Summary: path + " has mode " + mode + ", wider than 0600",
			Hint:    "chmod 0600 " + path + ", and think about who could have read it",
		})
	}
	switch f.Kind {
	case facts.Authority:
		status, detail = problemOf(status, detail, r.reviewOwner(w, f), r.reviewStart(w, f), r.reviewAppended(w, f))
		return r.reviewAuthority(w, f, status, detail)
	case facts.Kubelet:
		status, detail = problemOf(status, detail, r.reviewUsage(w, f), r.reviewIdentity(w, f), r.reviewEmbedded(w, f),
			r.reviewStart(w, f))
		return r.reviewKubelet(w, f, status, detail)
	}
	if isCopy(f) {
		return r.reviewCopy(w, f, status, detail)
	}
	return r.reviewLeaf(w, f, blocked.under(f.Authority), status, detail)
}

func (r *review) reviewLeaf(w *work, f *facts.CertificateFile, blocked, status, detail string) (string, string) {
	if rancher(w.node) {
		return r.reviewServiceLeaf(w, f, status, detail)
	}
	leaf, now := &f.Blocks[0], r.in.Now
	due, why := w.asked, ""
	hint := ""
	switch {
	case byAuthority(f.Name) && blocked == "" && f.Key != "missing" && len(f.Usage) == 0: // the key of the CA is all that is needed
	case len(f.Usage) > 0:
		blocked = "a renewal keeps its usages, and it is not for " + strings.Join(f.Usage, " and ")
	case r.policyUnknown != "":
		blocked = "the cluster's kubeadm configuration is not known"
	case r.policy.externalEtcd && ofEtcd(f.Name):
		blocked = "etcd is external, and its certificates are not kubeadm's"
	case blocked == "" && f.Key == "missing" && f.KeyPath != "":
		// The helper exchanges a pair, with the old one in the archive; it makes none. Were it asked to, it would refuse, and
		// with this file all others of the node and all nodes after it would stay as they are.
		blocked = "there is no " + f.KeyPath + " to replace; " + r.reissue(f)
	}
	if blocked != "" {
		hint = "upkeep cannot renew it: " + blocked
	}
	if f.Key == "mismatch" || f.Key == "missing" {
		status, detail = "problem", "key "+f.Key
		summary := "its key is missing"
		if f.Key == "mismatch" {
			summary = "its key does not belong to it"
		}
		if !halfDone(w.unfinished, f.Name) { // repairing makes the pair whole
			due, why = true, summary
		}
		r.on(w.node.Name, providers.Finding{ID: "CERT_KEY_MISMATCH", Severity: providers.SeverityError, Object: f.Name,
			Summary: summary, Hint: hint})
	} else if f.Key != "match" && f.Key != "" {
		status, detail = "unknown", "key "+f.Key
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_UNREADABLE", Severity: providers.SeverityError, Unknown: true, Object: f.Name,
			Summary: "its key is " + f.Key, Hint: r.reissue(f),
		})
	}
	if f.Chain != "" {
		status, detail = "problem", f.Chain
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_CHAIN_BROKEN", Severity: providers.SeverityError, Object: f.Name, Summary: f.Chain,
			Hint: "upkeep does not guess which authority is right; when the authorities are as they should be, `upkeep apply -replace=" +
				r.address.On(w.node.Name).String() + "` issues it again",
		})
	}
	status, detail = problemOf(status, detail, r.reviewStart(w, f))
	if left := leaf.NotAfter.Sub(now); r.expiring(w, f) {
		if spared := r.spared(w, f); spared && hint == "" {
			hint = "the rotation of " + f.Authority + " is due and issues this certificate again; " +
				"without a rotation upkeep renews the certificate when 7 days are left, or in its last opening"
		} else if !spared {
			due, why = true, ends(leaf.NotAfter, now)
			if left > 0 {
				why = "expires in " + r.left(left)
			}
		}
		if status == "ok" {
			status, detail = "due", cmp.Or(why, ends(leaf.NotAfter, now))
		}
		r.reportEnd(w, f, left, hint)
	}
	r.reviewOutliving(w, f)
	status, detail = r.reviewContent(w, f, status, detail)
	if w.asked && blocked != "" && rank(f.Name) != notRenewable {
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_NOT_REPLACED", Severity: providers.SeverityError, Object: f.Name, Waits: true,
			Summary: "-replace names it, and upkeep cannot renew it", Hint: blocked,
		})
	}
	if due && blocked == "" && rank(f.Name) != notRenewable && w.sans[f.Name] == nil {
		if len(w.due) == 0 {
			w.due = make([]*facts.CertificateFile, 0, 12)
		}
		if w.why == "" && why != "" {
			w.why = title(f) + " on " + w.node.Name + " " + why
		}
		w.due = append(w.due, f)
	}
	return status, detail
}

func (r *review) reportEnd(w *work, f *facts.CertificateFile, left time.Duration, hint string) {
	finding := providers.Finding{ID: "CERT_EXPIRES_SOON", Severity: providers.SeverityWarning, Object: f.Name, Hint: hint}
	if r.clock.Passed(f.Blocks[0].NotAfter) {
		finding.ID, finding.Severity, finding.Summary = "CERT_EXPIRED", providers.SeverityError, "expired "+ago(-left)
	} else {
		finding.Summary = "expires in " + r.left(left) + "; renewal starts " + r.spec.RenewBefore.String() + " before"
		if start, opens := r.clock.Starts(); opens && !r.clock.Passed(f.Blocks[0].NotAfter.Add(-r.beforeOn(w.node))) {
			finding.Summary += "; judged at the opening of " + minute(start)
		}
	}
	r.on(w.node.Name, finding)
}

// left writes the time that something has which is due by renew_before.
func (r *review) left(d time.Duration) string { return left(d, r.before) }

// reviewAuthority says what reviewAuthorities found, for the object, and reports a key that is not the CA's.
func (r *review) reviewAuthority(w *work, f *facts.CertificateFile, status, detail string) (string, string) {
	end := f.Blocks[0].NotAfter
	switch {
	case f.Key == "mismatch":
		status, detail = "problem", "key mismatch"
		r.on(w.node.Name, providers.Finding{
			ID: "CERT_KEY_MISMATCH", Severity: providers.SeverityError, Object: f.Name, Summary: "its key does not belong to it",
			Hint: "restore the pair from a backup or another control plane",
		})
	case r.clock.Passed(end):
		status, detail = "problem", ends(end, r.in.Now)
	case r.clock.Passed(end.Add(-r.before)) && status == "ok":
		status, detail = "due", "upkeep does not renew authorities"
	case f.Key == "missing" && status == "ok":
		detail = "external: its key is not on this node"
	}
	if f.Key == "missing" {
		r.reviewAuthorityKey(w, f)
	}
	return status, detail
}

// reviewKubelet looks at a certificate that the kubelet rotates itself.
func (r *review) reviewKubelet(w *work, f *facts.CertificateFile, status, detail string) (string, string) {
	leaf := &f.Blocks[0]
	ended := r.clock.Passed(leaf.NotAfter)
	if !ended && !r.clock.Passed(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore)/unrenewed)) {
		return status, detail
	}
	finding := providers.Finding{
		ID: "CERT_KUBELET_EXPIRES_SOON", Severity: providers.SeverityWarning, Object: f.Name,
		Summary: ends(leaf.NotAfter, r.in.Now) + " and was not rotated",
		Hint:    "the kubelet rotates its own client certificate: look at `journalctl -u kubelet` and `kubectl get csr`",
	}
	finding.ByItself = f.Name != "kubelet-server"
	if f.Name == "kubelet-server" {
		finding.Hint = "a self-signed serving certificate is made once: remove " + f.Path + " and its key, then `systemctl restart kubelet`"
	}
	status = "due"
	if ended {
		finding.Severity, finding.Summary, status = providers.SeverityError, ends(leaf.NotAfter, r.in.Now), "problem"
	}
	if ended && f.Name == "kubelet-client" {
		finding.Hint = "the kubelet cannot join by itself. On a control plane: `kubeadm kubeconfig user --org system:nodes --client-name system:node:" +
			strings.ToLower(cmp.Or(w.node.System.Hostname, w.node.Name)) + " --config FILE > kubelet.conf`; copy kubelet.conf to /etc/kubernetes/ on " +
			w.node.Name + "; there: `rm -f /var/lib/kubelet/pki/kubelet-client*` and `systemctl restart kubelet`"
	}
	r.on(w.node.Name, finding)
	return status, finding.Summary
}

// reviewCopy looks at a kubeconfig that the operator called a copy of admin.conf. A copy may come from another control plane, so
// that it is not stale for holding another certificate of the same user; it is when that certificate ends sooner.
func (r *review) reviewCopy(w *work, f *facts.CertificateFile, status, detail string) (string, string) {
	leaf, now := &f.Blocks[0], r.in.Now
	from := source(&w.node.Certificates, f)
	status, detail = problemOf(status, detail, r.reviewStart(w, f), r.reviewTrust(w, f))
	left := leaf.NotAfter.Sub(now)
	behind := from != nil && from.Blocks[0].NotAfter.After(leaf.NotAfter)
	ended, due := r.clock.Passed(leaf.NotAfter), r.clock.Passed(leaf.NotAfter.Add(-r.before))
	if from != nil && !behind && !due && f.Key == "match" {
		return status, detail
	}
	finding := providers.Finding{ID: "CERT_KUBECONFIG_STALE", Severity: providers.SeverityWarning, Object: f.Name}
	switch {
	case ended:
		finding.Severity, finding.Summary, status = providers.SeverityError, "its client certificate expired "+ago(-left), "problem"
	case f.Key == "mismatch":
		finding.Severity, finding.Summary, status = providers.SeverityError, "its key does not belong to its client certificate", "problem"
	case f.Key != "match":
		finding.Severity, finding.Summary, status = providers.SeverityError, "its key is "+f.Key, "problem"
	case due:
		finding.Summary, status = "its client certificate expires in "+r.left(left)+"; renewal starts "+r.spec.RenewBefore.String()+" before", "due"
	case from == nil:
		finding.Severity, finding.Summary = providers.SeverityNote, "its user is not the one of admin.conf, and it will not follow"
	default:
		finding.Summary, status = "its client certificate ends "+span(from.Blocks[0].NotAfter.Sub(leaf.NotAfter))+" before the one of "+from.Name, "due"
	}
	switch {
	case rancher(w.node):
		finding.Hint = "copy the kubeconfig of /etc/rancher over it by hand, and keep its server"
	case from == nil:
		finding.Hint = "it holds " + leaf.Subject + ", and no readable kubeconfig of this node does: copy admin.conf over it by hand, or take it out of kubeconfigs"
	case behind && !halfDone(w.unfinished, f.Name):
		w.stale = append(w.stale, f)
		if w.why == "" {
			w.why = f.Path + " on " + w.node.Name + ": " + finding.Summary
		}
	case f.Key != "match" && !halfDone(w.unfinished, f.Name):
		finding.Hint = "copy " + from.Path + " over it by hand, and keep its server"
	}
	r.on(w.node.Name, finding)
	return status, finding.Summary
}

// source returns the kubeconfig of a node that a copy follows: the one of the same user, admin.conf first; nil when there is none.
func source(c *facts.Certificates, copied *facts.CertificateFile) *facts.CertificateFile {
	for i := range 2 {
		name := [...]string{adminConf, superAdminConf}[i]
		f := file(c, name)
		if f == nil || f.Missing || f.Unknown != "" || len(f.Blocks) == 0 || len(copied.Blocks) == 0 {
			continue
		}
		if f.Blocks[0].Subject == copied.Blocks[0].Subject && f.Blocks[0].Issuer == copied.Blocks[0].Issuer {
			return f
		}
	}
	return nil
}

// reviewMissing reports a file that is not there, unless it need not be: then it has no status.
func (r *review) reviewMissing(w *work, f *facts.CertificateFile) (status, detail string) {
	switch {
	case f.Name == superAdminConf: // kubeadm writes it on the first control plane alone
		return "", ""
	case ofEtcd(f.Name) && r.policy.externalEtcd: // etcd's certificates are elsewhere
		return "", ""
	case f.Kind == facts.Kubelet && f.Name == "kubelet-server": // the kubelet keeps its serving certificate elsewhere
		return "", ""
	case isCopy(f):
		return "missing", "this node has no such copy"
	}
	r.on(w.node.Name, providers.Finding{
		ID: "CERT_MISSING", Severity: providers.SeverityError, Object: f.Name,
		Summary: f.Path + " is not there", Hint: r.reissueOn(w, f),
	})
	return "missing", "not there"
}

// reissue says how a file comes back that kubeadm cannot renew because it cannot read it.
func (r *review) reissue(f *facts.CertificateFile) string {
	switch {
	case f.Kind == facts.Authority:
		return "restore the file from a backup or another control plane"
	case byAuthority(f.Name):
		return "restore the file from a backup, or run kubespray's cluster.yml with --tags etcd"
	case f.Kind == facts.Kubelet:
		return "look at `journalctl -u kubelet`"
	case rank(f.Name) == notRenewable:
		return "copy /etc/kubernetes/admin.conf to this file"
	case f.Kind == facts.Kubeconfig:
		return "restore the file from a backup; or move the file away and run `kubeadm init phase kubeconfig " +
			f.Name[:len(f.Name)-len(".conf")] + " --config FILE` with the cluster's own configuration"
	}
	return "restore the file from a backup; or move the file and its key away and run `kubeadm init phase certs " +
		f.Name + " --config FILE` with the cluster's own configuration"
}

// exposed reports whether others than its owner can read the private key.
func exposed(f *facts.CertificateFile) bool {
	mode := f.KeyMode
	if f.KeyPath == "" {
		if f.Kind == facts.Authority {
			return false // a certificate without a key beside it: an external authority
		}
		mode = f.Mode
	}
	if mode == "" || mode == "0600" || mode == "0400" {
		return false
	}
	return len(mode) < 2 || mode[len(mode)-2:] != "00"
}

// copiesAfter returns the copies that follow when a node's due certificates are renewed: those of a kubeconfig that is renewed,
// and those that are behind one that is not.
func (r *review) copiesAfter(w *work) []string {
	var out []string
	for _, f := range w.stale {
		out = append(out, f.Path)
	}
	for i := range w.node.Certificates.Files {
		f := &w.node.Certificates.Files[i]
		if !isCopy(f) || f.Missing || f.Unknown != "" || len(f.Blocks) == 0 || slices.Contains(out, f.Path) {
			continue
		}
		from := source(&w.node.Certificates, f)
		if from != nil && slices.Contains(w.due, from) && r.clock.Beyond(f.Blocks[0].NotAfter.Add(-r.policy.validity)) {
			out = append(out, f.Path)
		}
	}
	slices.Sort(out)
	return out
}
