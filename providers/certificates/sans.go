package certificates

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// madeAnew reports whether kubeadm can make a certificate of a node again: its CA is whole and the cluster's, and the
// pair is there to be exchanged.
func (r *review) madeAnew(w *work, f *facts.CertificateFile) bool {
	ca := file(&w.node.Certificates, f.Authority)
	return r.policyUnknown == "" && r.authorityHolds(w.node) && whole(f) == nil &&
		ca != nil && ca.Key == "match" && ca.Chain == "" &&
		len(ca.Blocks) > 0 && !r.clock.Passed(ca.Blocks[0].NotAfter) && !halfDone(w.unfinished, f.Name)
}

// planSANs makes serving certificates anew that lack names: a step of its own, which the operator asked for.
func (r *review) planSANs(w *work) {
	if len(w.sans) == 0 {
		return
	}
	args := renewArgs{
		Nodes: r.spec.Nodes, ClusterConfiguration: r.found.text, SANs: w.sans,
		Names: slices.SortedFunc(maps.Keys(w.sans), func(a, b string) int { return rank(a) - rank(b) }),
	}
	s := r.step(w, "repair-sans", OperationRenew, args, renewEstimate)
	r.guard(s)
	s.Summary = "add names to " + strings.Join(args.Names, ", ")
	for _, name := range args.Names {
		s.Why = append(s.Why, fmt.Sprintf("%s on %s is not valid for %s", name, w.node.Name, strings.Join(w.sans[name], ", ")))
		s.Changes = append(s.Changes, providers.Change{
			What: "names of " + name, Before: "not set", After: strings.Join(w.sans[name], ", "),
		})
	}
	s.Why = append(s.Why, fmt.Sprintf("%s.repair_sans = true (%s)", r.address, r.at))
	s.Proof = "new certificates with the names; keys and CA match; the ports serve the new certificates; no container restarted"
	s.Undo = "restore the archive of /etc/kubernetes that upkeep takes on " + w.node.Name + " before the first change"
	s.Reversal = providers.Reversal{Way: providers.ReverseArchive}
}

// named returns the old certificate of a file with the names of the new one, where those are what was asked for: everything
// that the old one had, and what it lacked.
func named(old, now *facts.CertificateFile, sans []string) *facts.CertificateFile {
	if len(sans) == 0 || len(old.Blocks) == 0 || len(now.Blocks) == 0 {
		return old
	}
	for _, name := range slices.Concat(sans, old.Blocks[0].DNSNames, old.Blocks[0].IPAddresses) {
		if !covers(&now.Blocks[0], name) {
			return old // the comparison of names then says what differs
		}
	}
	changed := *old
	changed.Blocks = slices.Clone(old.Blocks)
	changed.Blocks[0].DNSNames, changed.Blocks[0].IPAddresses = now.Blocks[0].DNSNames, now.Blocks[0].IPAddresses
	return &changed
}

// makeAnew moves certificates away and has kubeadm make them, which takes the names from the configuration.
func (h commandWriter) makeAnew(names []string) providers.Command {
	lines := []string{stopFunction, "cd " + handDirectory}
	for _, name := range names {
		f := file(&h.node.Certificates, name)
		if f == nil {
			continue
		}
		lines = append(lines,
			"mv "+providers.ShellWord(f.Path)+" "+providers.ShellWord(f.KeyPath)+" "+handDirectory+"/",
			"kubeadm init phase certs "+providers.ShellWord(name)+" --config kubeadm.yaml || "+
				"stop "+providers.ShellWord(name+" was not made"))
	}
	return h.command("issue "+strings.Join(names, ", ")+" again", script(lines...), "\"Generating\" for each",
		"a line that begins with STOP", h.putBack())
}
