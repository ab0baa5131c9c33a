package backup

import (
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// Blocker is what a bundle counts for. It is judged in one place, for plans, commands and retention alike.
type Status string

// What a bundle can be. Proved alone counts: it is authentic, the state remembers its proof, and it is of this cluster and
// block and not from the future.
const (
	Proved       Status = "proved"
	Unproved     Status = "not proved"    // authentic; the state remembers no proof of it, or less than the block wants
	Cold         Status = "cold"          // authentic; it holds cold copies, which nothing can prove
	Future       Status = "future"        // authentic; it was taken after now
	Unencrypted  Status = "not encrypted" // authentic; the block has recipients, and everybody can read it
	Damaged      Status = "damaged"       // not the bytes or not the label that were written
	NotAuthentic Status = "not authentic" // no key of the state signed it, and the state remembers no proof of it
	OtherBlock   Status = "of another block"
	OtherCluster Status = "of another cluster"
)

// judge is what bundles are held to.
type judge struct {
	terms
	clock   providers.Clock
	cluster facts.Identity
	// before is the certificate that the cluster's CA had when the state first saw it: the same authority by its key.
	before  string
	proofs  []facts.Proof
	signers []facts.Signer
}

// identityOf returns what bundles know a cluster by: the cluster as it was observed, else as the state remembers it.
func identityOf(in providers.Input) facts.Identity {
	seen := facts.Identity{Authority: in.World.Kubernetes.Authority, EtcdClusterID: clusterOf(in.World)}
	return seen.Completed(facts.Identity{Authority: in.Memory.Cluster.Authority, EtcdClusterID: in.Memory.Cluster.EtcdClusterID})
}

// reissued returns the certificate that the state remembers of the cluster's CA, where another one with the same key has
// taken its place; empty where there is no such.
func reissued(in providers.Input) string {
	remembered, k := in.Memory.Cluster, in.World.Kubernetes
	if k.AuthorityKey == "" || k.AuthorityKey != remembered.AuthorityKey {
		return ""
	}
	return remembered.Authority
}

// judge says what a bundle counts for.
func (j judge) judge(b facts.Bundle) held {
	h := held{Bundle: b}
	is := func(standing Status, format string, args ...any) held {
		h.standing, h.why = standing, fmt.Sprintf(format, args...)
		return h
	}
	if b.Address != j.address {
		if j.relabelled(b) {
			return is(NotAuthentic, "%s", j.unsigned(b))
		}
		return is(OtherBlock, "%s took it", plain.Told(b.Address))
	}
	switch here := j.cluster; {
	case here.EtcdClusterID != "" && b.ClusterID != "" && here.EtcdClusterID != b.ClusterID:
		return is(OtherCluster, "it belongs to the cluster with the id %s, and this cluster has the id %s", b.ClusterID, here.EtcdClusterID)
	case here.Authority != "" && b.Authority != "" && here.Authority != b.Authority && b.Authority != j.before:
		return is(OtherCluster, "it belongs to the cluster with the CA %.12s…, and this cluster has the CA %.12s…", b.Authority, here.Authority)
	}
	remembered, differs := j.proofOf(b)
	h.proof = remembered
	h.signer = bundle.SignedBy(b, j.signers, clockSlack)
	switch {
	case b.Damaged != "":
		return is(Damaged, "%s", b.Damaged)
	case differs != "":
		return is(Damaged, "%s", differs)
	case h.proof != nil && j.relabelled(b) && !j.retired(b) && !bundle.SignedInPart(b):
		return is(Damaged, "%s", j.unsigned(b))
	case h.proof == nil && h.signer == "" && b.SHA256 != facts.New: // a predicted one will be signed
		return is(NotAuthentic, "%s", j.unsigned(b))
	case !j.clock.Passed(b.TakenAt.Add(-clockSlack)):
		return is(Future, "it was taken %s after now by this clock", span(b.TakenAt.Sub(j.clock.Now())))
	case j.encrypted && !b.Encrypted:
		return is(Unencrypted, "everybody can read it, and encrypt_to is declared")
	case b.Cold:
		return is(Cold, "it holds cold copies of stopped members of etcd, which nothing can prove")
	case h.proof == nil:
		return is(Unproved, "nothing that this state remembers proves it")
	case !reaches(h.proof.Level, j.level):
		return is(Unproved, "it is proved by %q, and the block wants %q", h.proof.Level, j.level)
	}
	h.standing = Proved
	return h
}

// relabelled reports whether a label claims a key of this state that did not sign what the label says.
func (j judge) relabelled(b facts.Bundle) bool {
	ours := slices.ContainsFunc(j.signers, func(s facts.Signer) bool { return s.Key == b.Signature.Key })
	return ours && bundle.SignedBy(b, j.signers, clockSlack) == ""
}

// retired reports whether the key that a label names signed all of it, whenever the key was in use.
func (j judge) retired(b facts.Bundle) bool {
	return bundle.SignedBy(b, []facts.Signer{{Key: b.Signature.Key}}, 0) != ""
}

// proofOf returns the strongest proof of a bundle. A proof stands for the bytes whose SHA-256 it names and for no others, and
// for what was known of them then: where the store or the label says something else, differs says how.
func (j judge) proofOf(b facts.Bundle) (proof *facts.Proof, differs string) {
	for i := range j.proofs {
		p := &j.proofs[i]
		switch {
		case p.Bundle != b.ID || p.Address != j.address:
		case p.SHA256 != b.SHA256:
			differs = fmt.Sprintf("its SHA-256 was %.12s… when it was proved, and the store has %.12s…", p.SHA256, b.SHA256)
		case !p.TakenAt.IsZero() && !p.TakenAt.Equal(b.TakenAt):
			differs = fmt.Sprintf("it was taken at %s when it was proved, and its label says %s", instant(p.TakenAt), instant(b.TakenAt))
		case p.ClusterID != "" && p.ClusterID != b.ClusterID:
			differs = fmt.Sprintf("it was of cluster %s when it was proved, and its label says %q", p.ClusterID, b.ClusterID)
		case p.LabelSHA256 != "" && b.LabelSHA256 != "" && p.LabelSHA256 != b.LabelSHA256:
			differs = "its label is not the one that it had when it was proved"
		case proof == nil || !reaches(proof.Level, p.Level):
			proof = p
		}
	}
	if proof != nil {
		differs = "" // of another proof of the same name
	}
	return proof, differs
}

// unsigned says why a bundle that nothing proves is not authentic.
func (j judge) unsigned(b facts.Bundle) string {
	i := slices.IndexFunc(j.signers, func(s facts.Signer) bool { return s.Key == b.Signature.Key })
	switch {
	case b.Signature.IsZero():
		return "nobody signed it, and the state remembers no proof of it"
	case i < 0:
		return "the key that signed it (" + facts.KeyFingerprint(b.Signature.Key) + ") is none of this state"
	case j.retired(b):
		return "the key that signed it was taken out of use before, on " + instant(j.signers[i].Until)
	case bundle.SignedInPart(b):
		return "an older upkeep signed a part of its label, and nothing says who wrote the rest"
	default:
		return "its signature is not of what its label says"
	}
}

// lookForMissing finds proved bundles that are gone from the store. Proofs of the policy's own removals are removed with them.
// Of proofs that do not say where their bundle lay only the newest counts, which no policy removes.
func (s *inventory) lookForMissing(found facts.Backups, proofs []facts.Proof) {
	var newest *facts.Proof
	var watched []facts.Proof
	for i := range proofs {
		p := &proofs[i]
		switch {
		case p.Going:
		case p.Store == "":
			if newest == nil || p.TakenAt.After(newest.TakenAt) {
				newest = p
			}
		case p.Store == s.store && !slices.ContainsFunc(watched, func(w facts.Proof) bool { return w.Bundle == p.Bundle }):
			watched = append(watched, *p)
		}
	}
	if newest != nil && !slices.ContainsFunc(watched, func(w facts.Proof) bool { return !w.TakenAt.Before(newest.TakenAt) }) {
		watched = append(watched, *newest)
	}
	there := func(p facts.Proof) bool {
		return slices.ContainsFunc(found.Bundles, func(b facts.Bundle) bool { return b.ID == p.Bundle }) ||
			slices.ContainsFunc(found.Strays, func(x facts.Stray) bool { return x.Name == bundle.Name(p.Bundle) })
	}
	for _, p := range watched {
		if !there(p) {
			s.missing = append(s.missing, p)
		}
	}
	if len(s.missing) > 0 && !slices.ContainsFunc(proofs, there) {
		s.unknown = fmt.Sprintf("%s: none of the proved bundles that the state remembers is there (%d, the newest is %s): is it mounted?",
			s.store, len(watched), s.missing[len(s.missing)-1].Bundle)
	}
}

// Judged is a bundle of a store, and what it counts for.
type Judged struct {
	facts.Bundle
	Status Status `json:"status"`
	// Why says what keeps it from counting.
	Why string `json:"why,omitempty"`
	// Proof is the strongest one of exactly these bytes; Signer the key of the state that signed it.
	Proof  *facts.Proof `json:"proof,omitempty"`
	Signer string       `json:"signer,omitempty"`
	// Newest: it is the one that `latest` means.
	Newest bool `json:"newest,omitempty"`
	// Kept are the rules that keep it. Where none does, Goes says that the next removal takes it; else the policy is not asked
	// about it, and only a command removes it.
	Kept []string `json:"kept,omitempty"`
	Goes bool     `json:"goes,omitempty"`
}

// Judgement is what a store holds, judged.
type Judgement struct {
	// Unknown: what the store holds is not known, or must not be believed; why.
	Unknown string
	Store   string
	Bundles []Judged // oldest first
	Strays  []facts.Stray
	// Missing are proofs of bundles that are gone from the store.
	Missing []facts.Proof
}

// Judge says what each bundle in the store of a block counts for. In needs the store's content, the memory and the clock; a
// cluster that was not observed is taken from the memory.
func (s Spec) Judge(in providers.Input) Judgement {
	inventory := look(in, s.terms())
	out := Judgement{Unknown: inventory.unknown, Store: inventory.store, Strays: inventory.strays, Missing: inventory.missing}
	newest, any := inventory.newestProved()
	kept := map[string][]string{}
	goes := map[string]bool{}
	if decisions, err := decide(inventory, s.Keep, time.Duration(s.Store.LockFor)); err == nil {
		for _, d := range decisions {
			if goes[d.ID] = !d.Keep; d.Keep {
				kept[d.ID] = d.Reasons
			}
		}
	}
	for _, h := range slices.Concat(inventory.bundles, inventory.others) {
		out.Bundles = append(out.Bundles, Judged{Bundle: h.Bundle, Status: h.standing, Why: h.why, Proof: h.proof, Signer: h.signer,
			Newest: any && h.ID == newest.ID && h.standing == Proved, Kept: kept[h.ID], Goes: goes[h.ID]})
	}
	slices.SortStableFunc(out.Bundles, func(a, b Judged) int { return a.TakenAt.Compare(b.TakenAt) })
	return out
}
