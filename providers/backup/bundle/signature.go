package bundle

import (
	"encoding/json"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// statementIntro begins every statement, so that a signature of one is a signature of nothing else.
const statementIntro = "upkeep bundle 1\n"

// Statement is what the signature of a bundle signs: which bundle it is, of which cluster and block, when it was taken, and
// the digests of its bytes and of the manifest inside. Everything else that a label says is in that manifest, too.
func Statement(b facts.Bundle) []byte {
	text, err := json.Marshal(struct {
		Format         int       `json:"format"`
		ID             string    `json:"id"`
		Authority      string    `json:"authority"`
		ClusterID      string    `json:"cluster_id"`
		Address        string    `json:"address"`
		TakenAt        time.Time `json:"taken_at"`
		StoredSHA256   string    `json:"stored_sha256"`
		ManifestSHA256 string    `json:"manifest_sha256"`
	}{b.Format, b.ID, b.Authority, b.ClusterID, b.Address, b.TakenAt.UTC(), b.SHA256, b.ManifestSHA256})
	if err != nil {
		return nil // a time that no label can hold; nothing signs nothing
	}
	return append([]byte(statementIntro), text...)
}

// SignedBy returns the public key that signed a bundle, where it is one of the signers and was in use when the bundle says
// that it was taken; empty: nothing says who wrote it.
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

// signed returns the label with its signature.
func (l Label) signed(sign func(statement []byte) facts.Signature) Label {
	if sign != nil {
		l.Signature = sign(Statement(l.Facts()))
	}
	return l
}

// Facts returns what a label says of its bundle.
func (l Label) Facts() facts.Bundle {
	b := facts.Bundle{
		ID: l.ID, TakenAt: l.TakenAt, Address: l.Address, Size: l.StoredSize, SHA256: l.StoredSHA256, Encrypted: len(l.EncryptedTo) > 0,
		Format: l.Format, Authority: l.Authority, ManifestSHA256: l.ManifestSHA256, Signature: l.Signature,
		ClusterID: l.ClusterID, Member: l.Member, Revision: l.Revision, Keys: l.Keys, Version: l.Versions["etcd"],
		Cold: l.Cold,
	}
	for _, gap := range l.Gaps {
		b.Gaps = append(b.Gaps, plain.Told(gap.What)+": "+plain.Told(gap.Why))
	}
	return b
}
