// Package bundle is the format of a backup: how one is written in a single pass, and how it is read and checked.
//
// A bundle is one file, ID.upkeep-bundle: a tar archive, encrypted with age for the recipients that were given. Parts
// (etcd's snapshot, a tar of each node's PKI, …) are in it as pieces of at most 8 MiB, because the size of a snapshot is
// not known before its end, and a tar wants sizes first: etcd/snapshot.db.000001, etcd/snapshot.db.000002. After the last
// part come manifest.json, which says what the bundle is and holds the SHA-256 of each part, and manifest.json.sha256.
// A person needs no upkeep to read it:
//
//	age -d -i key.txt ID.upkeep-bundle | tar x
//	sha256sum -c manifest.json.sha256
//	cat etcd/snapshot.db.?????? >snapshot.db
//
// Next to it lies its label, ID.upkeep-bundle.json: the manifest without the digests of encrypted parts (who could guess a
// part could prove the guess by them), and the size and SHA-256 of the bundle as stored. A label is written last, so
// that a bundle without one is not complete. It is signed (see Statement): the one who can write to the store can write labels,
// and only a state's key can sign them.
//
// The package knows no etcd, no store and no policy. It promises that memory does not grow with a bundle's size, that no
// plaintext touches a disk here, that every change of a stored bundle is found, and that no error or printed value holds
// an identity or a piece of a part.
package bundle

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/strictjson"
)

// Format is the version of the format that this package writes. It reads no other.
const Format = 1

const (
	// Extension ends the name of a bundle, LabelExtension that of its label.
	Extension      = ".upkeep-bundle"
	LabelExtension = Extension + ".json"
)

// Name returns the name of the bundle in a store, LabelName that of its label.
func Name(id string) string { return id + Extension }

// LabelName returns the name of a bundle's label in a store.
func LabelName(id string) string { return id + LabelExtension }

// ParseName returns the id in the name of a bundle or of a label; ok is false for any other name.
func ParseName(name string) (id string, label, ok bool) {
	id, label = strings.CutSuffix(name, LabelExtension)
	if !label {
		if id, ok = strings.CutSuffix(name, Extension); !ok {
			return "", false, false
		}
	}
	return id, label, CheckID(id) == nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// CheckID refuses what is not the id of a bundle.
func CheckID(id string) error {
	if !idPattern.MatchString(id) || strings.Contains(id, "..") || strings.HasSuffix(id, Extension) {
		return fmt.Errorf("%q is not the id of a bundle", id)
	}
	return nil
}

// Manifest says what a bundle is. All of it is in the bundle's label as well, except as Label says: no secrets here.
type Manifest struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"`
	TakenAt time.Time `json:"taken_at"`
	// Address is the resource that took it: "etcd_backup.daily".
	Address string `json:"address"`
	// Upkeep is the version of upkeep that wrote it.
	Upkeep string `json:"upkeep"`

	// Datastore is "etcd", or "sqlite" for k3s without etcd.
	Datastore string `json:"datastore,omitempty"`
	// ClusterID and MemberID are etcd's, in hexadecimal; Member is the member's name.
	ClusterID string `json:"cluster_id,omitempty"`
	MemberID  string `json:"member_id,omitempty"`
	Member    string `json:"member,omitempty"`
	// Authority is the SHA-256 of the cluster's CA.
	Authority string `json:"authority,omitempty"`
	// KubeSystemUID is the UID of the namespace kube-system.
	KubeSystemUID string `json:"kube_system_uid,omitempty"`
	// Revision is the snapshot's; Keys how many keys it has.
	Revision int64 `json:"revision,omitempty"`
	Keys     int64 `json:"keys,omitempty"`
	// Hash is HashKV of the member at HashRevision.
	Hash         uint32 `json:"hash,omitempty"`
	HashRevision int64  `json:"hash_revision,omitempty"`
	// Versions are those of "etcd", "kubernetes", … when it was taken.
	Versions map[string]string `json:"versions,omitempty"`
	// Cold is true where the data directories of stopped members were copied instead of a snapshot taken.
	Cold bool `json:"cold,omitempty"`
	// Unproved is why nothing can prove it; empty: what it holds says more.
	Unproved string `json:"unproved,omitempty"`

	// Members are etcd's when it was taken, and Alarms what was raised then: a snapshot carries the alarms of its member.
	Members []Member `json:"members,omitempty"`
	Alarms  []string `json:"alarms,omitempty"`

	// Gaps are what should be in it and is not.
	Gaps []Gap `json:"gaps,omitempty"`
	// Parts are in the order in which they were written. The Writer fills them in.
	Parts []Part `json:"parts"`
}

// Member is a member of etcd.
type Member struct {
	ID       string   `json:"id"` // hexadecimal
	Name     string   `json:"name"`
	PeerURLs []string `json:"peer_urls,omitempty"`
	Learner  bool     `json:"learner,omitempty"`
}

// Gap is something that should be in a bundle and is not.
type Gap struct {
	What string `json:"what"` // "PKI of cp3"
	Why  string `json:"why"`  // "ssh: no answer in 10s"
}

// Part is one part of a bundle.
type Part struct {
	Name string `json:"name"` // "etcd/snapshot.db", "nodes/cp1.tar"
	Size int64  `json:"size"`
	// SHA256 is in lower-case hexadecimal; empty in the label of an encrypted bundle.
	SHA256 string `json:"sha256,omitempty"`
}

// Part returns a part by its name.
func (m Manifest) Part(name string) (Part, bool) {
	for _, p := range m.Parts {
		if p.Name == name {
			return p, true
		}
	}
	return Part{}, false
}

// Label is what can be known of a bundle from outside.
type Label struct {
	Manifest
	// EncryptedTo are the age recipients; empty for a bundle that is not encrypted.
	EncryptedTo []string `json:"encrypted_to,omitempty"`
	// StoredSize and StoredSHA256 are those of the bundle as stored.
	StoredSize   int64  `json:"stored_size"`
	StoredSHA256 string `json:"stored_sha256"`
	// ManifestSHA256 is that of manifest.json inside. Bundles from before there were signatures lack both.
	ManifestSHA256 string          `json:"manifest_sha256,omitempty"`
	Signature      facts.Signature `json:"signature,omitzero"`
}

// What is wrong with a bundle. Errors about one wrap exactly one of these.
var (
	ErrForeign  = errors.New("this is no bundle of upkeep")
	ErrFormat   = errors.New("the bundle is of another version's format")
	ErrLocked   = errors.New("the bundle is encrypted, and no identity that was given opens it")
	ErrCut      = errors.New("the bundle is cut off")
	ErrDamaged  = errors.New("the bundle is damaged")
	ErrOrder    = errors.New("the bundle's parts are not in order")
	ErrManifest = errors.New("the bundle's manifest does not belong to its parts")
	ErrLabel    = errors.New("the label does not belong to the bundle")
)

// LabelLimit is the most bytes that a label or a manifest may have: some thousand nodes' worth.
const LabelLimit = 4 << 20

// Encode returns the label as stored.
func (l Label) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// ParseLabel reads a label and checks that it is complete. An error wraps ErrForeign or ErrFormat.
func ParseLabel(text []byte) (Label, error) {
	var l Label
	if len(text) > LabelLimit {
		return Label{}, fmt.Errorf("%w: a label of %d bytes", ErrForeign, len(text))
	}
	if err := strictjson.Decode(text, &l); err != nil {
		return Label{}, fmt.Errorf("%w: its label cannot be read: %w", ErrForeign, err)
	}
	if err := l.Manifest.check(); err != nil {
		return Label{}, err
	}
	if l.StoredSize <= 0 || !isDigest(l.StoredSHA256) {
		return Label{}, fmt.Errorf("%w: its label has no size and digest", ErrForeign)
	}
	if l.ManifestSHA256 != "" && !isDigest(l.ManifestSHA256) {
		return Label{}, fmt.Errorf("%w: the digest of the manifest in its label is none", ErrForeign)
	}
	for _, p := range l.Parts {
		if p.SHA256 != "" && !isDigest(p.SHA256) {
			return Label{}, fmt.Errorf("%w: its label has a digest that is none", ErrForeign)
		}
	}
	return l, nil
}

// check refuses a manifest that this package cannot have written.
func (m Manifest) check() error {
	switch {
	case m.Format > Format:
		return fmt.Errorf("%w: format %d, known is %d; read it with the upkeep that wrote it (%.40q)", ErrFormat, m.Format, Format, m.Upkeep)
	case m.Format != Format, CheckID(m.ID) != nil, m.TakenAt.IsZero():
		return fmt.Errorf("%w: format, id or time is missing", ErrForeign)
	}
	for i, p := range m.Parts {
		if checkPart(p.Name) != nil || p.Size < 0 {
			return fmt.Errorf("%w: %.40q is not a part", ErrForeign, p.Name)
		}
		if _, again := (Manifest{Parts: m.Parts[:i]}).Part(p.Name); again {
			return fmt.Errorf("%w: %s is in it twice", ErrForeign, p.Name)
		}
	}
	return nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}
