package certificates

import (
	"strings"

	"upkeep/providers"
)

// reviewServiceAccount looks at the pair that signs the tokens of service accounts, which all control planes share.
func (r *review) reviewServiceAccount(w *work) {
	s := w.node.Certificates.ServiceAccount
	if s == nil {
		return
	}
	add := func(f providers.Finding) {
		f.Object = "sa"
		r.on(w.node.Name, f)
	}
	const restore = "no step of upkeep repairs this. Copy sa.key and sa.pub from another control plane, or restore both from a backup; a new pair makes all tokens invalid"
	switch {
	case s.Missing:
		hint := restore
		if rancher(w.node) {
			hint = "no step of upkeep repairs this. Copy " + s.Path + " from another server, or restore it from a backup; " +
				"a new key makes all tokens invalid"
		}
		add(providers.Finding{
			ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: providers.SeverityError, Summary: s.Path + " is missing", Hint: hint,
		})
		return
	case s.Unknown != "":
		add(providers.Finding{ID: "CERT_UNREADABLE", Severity: providers.SeverityError, Unknown: true, Summary: s.Path + ": " + s.Unknown, Hint: restore})
		return
	}
	if mode := s.Mode; mode != "" && !strings.HasSuffix(mode, "00") {
		add(providers.Finding{
			ID: "CERT_KEY_EXPOSED", Severity: providers.SeverityWarning, Summary: s.Path + " has mode " + mode + ", wider than 0600",
			Hint: "chmod 0600 " + s.Path + ". Any user who has read the key can make tokens of every service account",
		})
	}
	if s.KeyOwner != "" {
		add(providers.Finding{
			ID: "CERT_OWNER_FOREIGN", Severity: providers.SeverityWarning, Hint: "chown 0:0 " + s.Path,
			Summary: s.Path + " belongs to " + s.KeyOwner + " (uid:gid), who can read and replace it",
		})
	}
	switch {
	case rancher(w.node): // k3s keeps no such file
	case s.PublicKeyID == "":
		add(providers.Finding{
			ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: providers.SeverityError, Summary: s.PublicPath + ": " + s.PublicUnknown,
			Hint: "make the public key from the private key: `openssl pkey -in " + s.Path + " -pubout -out " + s.PublicPath + "`",
		})
	case s.PublicKeyID != s.KeyID:
		add(providers.Finding{
			ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: providers.SeverityError, Summary: s.PublicPath + " does not belong to " + s.Path, Hint: restore,
		})
	}
	if r.signer != nil && r.signer != w.node && r.signer.Certificates.ServiceAccount.KeyID != s.KeyID {
		add(providers.Finding{
			ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: providers.SeverityError,
			Summary: s.Path + " is not the key that " + r.signer.Name + " has",
			Hint:    "tokens that one control plane signs are refused by the other. " + restore,
		})
	}
}

// findSigner picks the control plane whose key for tokens the others must have: the first that has one.
func (r *review) findSigner() {
	for _, n := range r.nodes {
		if o := r.in.World.Nodes[n.Name]; o != nil && o.Unknown == "" && o.Certificates.ServiceAccount != nil && o.Certificates.ServiceAccount.KeyID != "" {
			r.signer = o
			return
		}
	}
}
