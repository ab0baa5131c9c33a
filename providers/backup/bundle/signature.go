package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// statementIntro begins every statement, so that a signature of one is a signature of nothing else. partialIntro began
// those of a part of the label.
const (
	statementIntro = "upkeep bundle 2\n"
	partialIntro   = "upkeep bundle 1\n"
)

// partial is what tells bundles apart. Once it was all that was signed.
type partial struct {
	Format         int       `json:"format"`
	ID             string    `json:"id"`
	Authority      string    `json:"authority"`
	ClusterID      string    `json:"cluster_id"`
	Address        string    `json:"address"`
	TakenAt        time.Time `json:"taken_at"`
	StoredSHA256   string    `json:"stored_sha256"`
	ManifestSHA256 string    `json:"manifest_sha256"`
}

func partOf(b facts.Bundle) partial {
	return partial{b.Format, b.ID, b.Authority, b.ClusterID, b.Address, b.TakenAt.UTC(), b.SHA256, b.ManifestSHA256}
}

// Statement is what the signature of a bundle signs: all that its label says, by the digest of that, and again what
// tells bundles apart. Nothing that a label says stands outside.
func Statement(b facts.Bundle) []byte {
	return stated(statementIntro, struct {
		partial
		LabelSHA256 string `json:"label_sha256"`
	}{partOf(b), b.LabelSHA256})
}

func stated(intro string, of any) []byte {
	text, err := json.Marshal(of)
	if err != nil {
		return nil // a time that no label can hold; nothing signs nothing
	}
	return append([]byte(intro), text...)
}

// SignedBy returns the public key that signed a bundle, where it is one of the signers and was in use when the bundle
// says that it was taken; empty: nothing says who wrote it.
func SignedBy(b facts.Bundle, signers []facts.Signer, slack time.Duration) string {
	for _, s := range signers {
		late := !s.Until.IsZero() && b.TakenAt.After(s.Until.Add(slack))
		if s.Key != b.Signature.Key || late {
			continue
		}
		if statement := Statement(b); statement != nil && b.Signature.Signs(statement) {
			return s.Key
		}
	}
	return ""
}

// SignedInPart reports whether a key signed a bundle as an older upkeep did: a part of the label, which is not enough
// to believe the rest of it.
func SignedInPart(b facts.Bundle) bool {
	statement := stated(partialIntro, partOf(b))
	return statement != nil && b.Signature.Signs(statement)
}

// signed returns the label with its signature.
func (l Label) signed(sign func(statement []byte) facts.Signature) Label {
	if sign != nil {
		l.Signature = sign(Statement(l.Facts()))
	}
	return l
}

// digest is the SHA-256 of what a label says as this package understands it, except the signature. So it does not
// matter how the label is written, and what nobody understands is not signed.
func (l Label) digest() string {
	l.Signature, l.TakenAt = facts.Signature{}, l.TakenAt.UTC()
	text, err := json.Marshal(l)
	if err != nil {
		return "" // a time that no label can hold
	}
	// Bytes that are no UTF-8 are replaced as a reader of the label finds them.
	var read Label
	if err := json.Unmarshal(text, &read); err != nil {
		return ""
	}
	if text, err = json.Marshal(read); err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Facts returns what a label says of its bundle.
func (l Label) Facts() facts.Bundle {
	b := facts.Bundle{
		ID: l.ID, TakenAt: l.TakenAt, Address: l.Address, Size: l.StoredSize, SHA256: l.StoredSHA256, Encrypted: len(l.EncryptedTo) > 0,
		Format: l.Format, Authority: l.Authority, ManifestSHA256: l.ManifestSHA256, Signature: l.Signature,
		ClusterID: l.ClusterID, Member: l.Member, Revision: l.Revision, Keys: l.Keys, Version: l.Versions["etcd"],
		Cold: l.Cold, LabelSHA256: l.digest(),
	}
	for _, gap := range l.Gaps {
		b.Gaps = append(b.Gaps, plain.Told(gap.What)+": "+plain.Told(gap.Why))
	}
	return b
}
