package report

import (
	"slices"
	"time"

	"upkeep/providers/facts"
)

// BundlesJSON is what backup stores hold, seen with the proofs that the state remembers.
type BundlesJSON struct {
	FormatVersion string      `json:"format_version"` // "1.0"
	Timestamp     time.Time   `json:"timestamp"`
	Stores        []StoreJSON `json:"stores"`
}

// StoreJSON is the store of one etcd_backup.
type StoreJSON struct {
	Address string `json:"address"`
	Store   string `json:"store"`
	// Unknown: the store could not be listed; why.
	Unknown string        `json:"unknown,omitempty"`
	Bundles []BundleJSON  `json:"bundles"` // newest first
	Strays  []facts.Stray `json:"strays"`
}

// BundleJSON is one bundle, with the strongest proof of exactly the bytes that the store has.
type BundleJSON struct {
	facts.Bundle
	AgeSeconds int64        `json:"age_seconds"`
	Proof      *facts.Proof `json:"proof,omitempty"`
}

// Bundles joins stores, by address, and proofs.
func Bundles(addresses []string, stores map[string]facts.Backups, proofs []facts.Proof, now time.Time) BundlesJSON {
	out := BundlesJSON{FormatVersion: "1.0", Timestamp: now.UTC(), Stores: []StoreJSON{}}
	for _, address := range addresses {
		found := stores[address]
		s := StoreJSON{Address: address, Store: found.Store, Unknown: found.Unknown, Bundles: []BundleJSON{}, Strays: present(found.Strays)}
		for _, b := range slices.Backward(found.Bundles) {
			s.Bundles = append(s.Bundles, Bundle(b, proofs, now))
		}
		out.Stores = append(out.Stores, s)
	}
	return out
}

// Bundle joins a bundle and the proofs.
func Bundle(b facts.Bundle, proofs []facts.Proof, now time.Time) BundleJSON {
	out := BundleJSON{Bundle: b, AgeSeconds: int64(now.Sub(b.TakenAt) / time.Second)}
	for _, p := range proofs {
		if !b.Cold && p.Bundle == b.ID && p.SHA256 == b.SHA256 && (out.Proof == nil || p.Level == "restore") {
			out.Proof = &p
		}
	}
	return out
}
