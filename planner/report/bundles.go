package report

import (
	"time"

	"upkeep/providers/facts"
)

// BundlesJSON is what backup stores hold, seen with the proofs that the state remembers.
type BundlesJSON struct {
	FormatVersion string `json:"format_version"` // "1.0"
	// Status is "error" where a bundle is damaged or not authentic, "unknown" where a store is not known, "drift" where
	// proved bundles are gone, or "none".
	Status    Verdict     `json:"status"`
	Timestamp time.Time   `json:"timestamp"`
	Stores    []StoreJSON `json:"stores"`
}

// Bundles judges what backup stores hold, at a time.
func Bundles(at time.Time, stores []StoreJSON) BundlesJSON {
	out := BundlesJSON{FormatVersion: "1.0", Status: Well, Timestamp: at, Stores: present(stores)}
	for _, s := range stores {
		switch {
		case s.Bad() > 0:
			out.Status = Failed
		case s.Unknown != "" && out.Status != Failed:
			out.Status = Unsure
		case len(s.Missing) > 0 && out.Status == Well:
			out.Status = Drifted
		}
	}
	return out
}

// Bad reports whether a bundle is not what somebody of this cluster wrote: it must not look like one that helps.
func (b BundleJSON) Bad() bool { return b.Status == "damaged" || b.Status == "not authentic" }

// Bad counts such bundles, and files that were one.
func (s StoreJSON) Bad() (n int) {
	for _, b := range s.Bundles {
		if b.Bad() {
			n++
		}
	}
	for _, stray := range s.Strays {
		if stray.Kind == "damaged" {
			n++
		}
	}
	return n
}

// StoreJSON is the store of one etcd_backup.
type StoreJSON struct {
	Address string `json:"address"`
	Store   string `json:"store"`
	// Unknown: the store could not be listed, or what it holds must not be believed; why.
	Unknown string        `json:"unknown,omitempty"`
	Bundles []BundleJSON  `json:"bundles"` // newest first
	Strays  []facts.Stray `json:"strays"`
	// Missing are proofs of bundles that are gone from the store.
	Missing []facts.Proof `json:"missing,omitempty"`
}

// BundleJSON is one bundle, and what it counts for.
type BundleJSON struct {
	facts.Bundle
	AgeSeconds int64 `json:"age_seconds"`
	// Status is "proved" for a bundle that counts; Why says what keeps another one from it.
	Status string       `json:"status"`
	Why    string       `json:"why,omitempty"`
	Proof  *facts.Proof `json:"proof,omitempty"`
	// Signer is the public key that signed it, where it is one of this state or of its operator.
	Signer string `json:"signer,omitempty"`
	Newest bool   `json:"newest,omitempty"`
	// Kept are the rules of `keep` that keep it; Goes: none does. Neither: `keep` is not asked about it.
	Kept []string `json:"kept,omitempty"`
	Goes bool     `json:"goes,omitempty"`
}
