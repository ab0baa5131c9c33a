package facts

import "time"

// Backups is what one backup store holds, as its labels tell it. What a store says of itself is never proof: proofs are
// in the memory, and so are the keys that sign labels.
type Backups struct {
	// Unknown: the store could not be listed; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Store names the store in the operator's words, without credentials: "file /var/backups/upkeep".
	Store string `json:"store,omitempty"`
	// MachineID is /etc/machine-id of the machine that upkeep runs on; Identity says why the block's identity file opens
	// no bundle.
	MachineID string `json:"machine_id,omitempty"`
	Identity  string `json:"identity,omitempty"`
	// Bundles are complete bundles by their manifests, oldest first, then by id.
	Bundles []Bundle `json:"bundles,omitempty"`
	// Strays are objects in the store that are no complete bundle of this cluster, by name.
	Strays []Stray `json:"strays,omitempty"`
}

// Bundle is one backup: a snapshot of etcd, and the PKI and configuration of each control plane.
type Bundle struct {
	ID      string    `json:"id"`
	TakenAt time.Time `json:"taken_at"`
	// Address is the resource that took it: etcd_backup.daily.
	Address string `json:"address,omitempty"`
	// Size is in bytes and SHA256 in hexadecimal, both of the object as stored (encrypted where it is).
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Format is that of the bundle, Authority the SHA-256 of its cluster's CA, ManifestSHA256 of the manifest inside it.
	Format         int    `json:"format,omitempty"`
	Authority      string `json:"authority,omitempty"`
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
	// LabelSHA256 is that of all that the label says, except the signature.
	LabelSHA256 string `json:"label_sha256,omitempty"`
	// Signature is what the label says who wrote it. Nobody has checked it yet.
	Signature Signature `json:"signature,omitzero"`
	// Encrypted: it can be read with an age identity alone.
	Encrypted bool `json:"encrypted,omitempty"`
	// ClusterID and Member are etcd's, hexadecimal; Revision is the snapshot's, Keys how many keys it has.
	ClusterID string `json:"cluster_id,omitempty"`
	Member    string `json:"member,omitempty"`
	Revision  int64  `json:"revision,omitempty"`
	Keys      int64  `json:"keys,omitempty"`
	// Version is etcd's.
	Version string `json:"version,omitempty"`
	// Gaps are the things that are missing from it, each with its reason: the PKI of an unreachable control plane.
	Gaps []string `json:"gaps,omitempty"`
	// Cold: it holds the data directories of stopped members instead of a snapshot. Nothing can prove it.
	Cold bool `json:"cold,omitempty"`
	// Damaged says what is wrong with it where its object does not agree with its manifest.
	Damaged string `json:"damaged,omitempty"`
}

// Stray is an object in a store that is no complete bundle of this cluster.
type Stray struct {
	Name string `json:"name"`
	// Kind is "half-written", "damaged" or "foreign".
	Kind string `json:"kind"`
	What string `json:"what"`
}

// BackupsQuestion asks what the store of one resource holds.
type BackupsQuestion struct {
	// Address is the resource's: the key of the answer.
	Address string `json:"address"`
}

// Proof is the memory of a bundle that was proved. It stands for exactly the bytes whose SHA-256 it names.
type Proof struct {
	Bundle  string `json:"bundle"`
	Address string `json:"address"`
	SHA256  string `json:"sha256"`
	// Level is "hash" or "restore".
	Level   string    `json:"level"`
	At      time.Time `json:"at"`
	TakenAt time.Time `json:"taken_at"`
	// Store is where the bundle lay then, as Backups.Store names it; empty in proofs from before they said so.
	Store string `json:"store,omitempty"`
	// Going: the bundle is being removed by the policy; it is not missing when it is gone.
	Going bool `json:"going,omitempty"`
	// ClusterID is etcd's, hexadecimal; Revision and Keys are what was restored, or counted.
	ClusterID string `json:"cluster_id,omitempty"`
	Revision  int64  `json:"revision,omitempty"`
	Keys      int64  `json:"keys,omitempty"`
	// LabelSHA256 is that of the bundle's label then, as Bundle has it; empty in proofs from before they said so.
	LabelSHA256 string `json:"label_sha256,omitempty"`
}
