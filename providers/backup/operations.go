package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/bounded"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
)

// Tools are what the operations act with. All fields are needed unless they say otherwise.
type Tools struct {
	// Look observes what a step needs, now.
	Look func(ctx context.Context, step providers.Step) (providers.Input, error)
	// Spec returns the block of an address, with its secrets.
	Spec func(address providers.Address) (Spec, bool)
	// Store opens the store of a block.
	Store func(Spec) (store.Store, error)
	// Etcd connects to the member on a node.
	Etcd etcd.Dialer
	// Files streams files of a node: a tar archive whose last entry is a protocol.CollectReport. The caller closes
	// it.
	Files func(ctx context.Context, node string, request protocol.CollectRequest) (io.ReadCloser, error)
	// Cold streams the data directory of a node's member of etcd, which must not run: a tar archive whose last
	// entry is a protocol.ColdReport. The caller closes it. Nil: none can be had.
	Cold func(ctx context.Context, node string) (io.ReadCloser, error)
	// SQLite streams the database of a node's k3s server, as protocol.ReceiveSQLite reads it. The caller closes it.
	SQLite func(ctx context.Context, node string) (io.ReadCloser, error)
	// Provider returns the objects of the cluster's own services that a bundle holds next to the snapshot, by name,
	// and what could not be read with the reason. Nil: there are none.
	Provider func(ctx context.Context) (objects map[string][]byte, failed map[string]string)
	// Drill says how the child that restores snapshots is run.
	Drill func() (drill.Options, error)
	// Here reports whether upkeep runs on this very node. Nil: it runs on none.
	Here func(facts.Node) bool
	// Remember changes the section of a resource in the state's memory; it returns when the change is stored.
	Remember func(ctx context.Context, owner facts.Address, change func(section json.RawMessage) (json.RawMessage, error)) error
	// Sign signs what a bundle's label says with the key of the state.
	Sign func(statement []byte) facts.Signature
	// Version is upkeep's, for the manifest.
	Version string
	Now     func() time.Time
}

// Operations returns the operations of this domain by name. They act: hand them to apply alone.
func Operations(t Tools) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationTake:  take{t},
		OperationProve: prove{t},
		OperationPrune: prune{t},
		OperationCold:  takeCold{t},
	}
}

// SnapshotPart is the name of etcd's snapshot in a bundle; the other parts are of nodes and of the cluster.
const (
	SnapshotPart      = "etcd/snapshot.db"
	ConfigurationPart = "cluster/kubeadm-config.yaml"
)

// ProviderPart is the name of the objects of a provider in a bundle: a list in JSON.
func ProviderPart(name string) string { return "provider/" + name + ".json" }

// NodePart is the name of a node's files in a bundle: a tar archive.
func NodePart(node string) string { return "nodes/" + node + ".tar" }

// canaries are keys that every cluster made by kubeadm has: their values are compared after a drill.
var canaries = []string{"/registry/namespaces/kube-system", "/registry/configmaps/kube-system/kubeadm-config"}

// open returns the block of a step and its store.
func (t Tools) open(step providers.Step) (Spec, store.Store, error) {
	spec, ok := t.Spec(step.Address.Resource())
	if !ok {
		return Spec{}, nil, fmt.Errorf("%s is not in the plan", step.Address.Resource())
	}
	s, err := t.Store(spec)
	if err != nil {
		return Spec{}, nil, fmt.Errorf("open the store %s: %w", spec.Store, err)
	}
	return spec, s, nil
}

// newID names a bundle that is taken now.
func (t Tools) newID(address providers.Address, clusterID string) (string, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("name the bundle: %w", err)
	}
	return NewID(address, clusterID, t.Now(), hex.EncodeToString(random[:])), nil
}

// identities reads the identity file of a block; none where it has none.
func identities(spec Spec) (bundle.Identities, error) {
	if spec.IdentityFile == "" {
		return bundle.Identities{}, nil
	}
	text, err := bounded.File(spec.IdentityFile, bounded.Keys)
	if err != nil {
		return bundle.Identities{}, fmt.Errorf("identity_file: %w", err)
	}
	ids, err := bundle.ParseIdentities(text)
	if err != nil {
		return bundle.Identities{}, fmt.Errorf("identity_file %s: %w", spec.IdentityFile, err)
	}
	return ids, nil
}

// save writes a bundle for the recipients of a block, signs it, and reads it back; with an identity it is
// decrypted. What was written to a disk of this machine would come back from memory and tell nothing of the disk,
// so without an identity it is not read: that the disk has it is all that can be known.
func (t Tools) save(ctx context.Context, s store.Store, spec Spec, id string, fill func(*bundle.Writer) (bundle.Manifest, error)) (bundle.Label, error) {
	to, err := spec.Recipients()
	if err != nil {
		return bundle.Label{}, fmt.Errorf("encrypt_to: %w", err)
	}
	ids, err := spec.opens()
	if err != nil {
		return bundle.Label{}, err
	}
	label, err := bundle.Save(ctx, s, id, bundle.Options{To: to, Sign: t.Sign}, fill)
	if err != nil {
		return label, fmt.Errorf("bundle %s into %s: %w", id, s, err)
	}
	if !readsBack(s, spec) {
		return label, nil
	}
	if err := readBack(ctx, s, label, ids); err != nil {
		return label, fmt.Errorf("bundle %s in %s is not what was written: %w", id, s, err)
	}
	return label, nil
}

// readsBack reports whether reading a bundle straight away tells anything: where it is elsewhere, or an identity
// can open it.
func readsBack(s store.Store, spec Spec) bool {
	c, here := s.(store.Creator)
	return !here || !c.Local() || spec.IdentityFile != ""
}

// storedIn says where a bundle is and how that is known.
func storedIn(s store.Store, spec Spec, l bundle.Label) string {
	if !readsBack(s, spec) {
		return fmt.Sprintf("stored %s in %s, and the disk has it", bytes(l.StoredSize), s)
	}
	return fmt.Sprintf("stored %s in %s and read it back", bytes(l.StoredSize), s)
}

// opens reads the identities that open the bundles of a block, and refuses those that open none: a bundle is worth
// taking only where somebody can read it.
func (s Spec) opens() (bundle.Identities, error) {
	ids, err := identities(s)
	if err != nil || ids.Empty() {
		return ids, err
	}
	if !ids.Among(s.EncryptTo) {
		return ids, fmt.Errorf("identity_file %s (%s): none of its identities belongs to a recipient of encrypt_to, so it opens no bundle of this block", s.IdentityFile, s.Position)
	}
	return ids, nil
}

// CheckIdentity says what is wrong with identity_file: it cannot be read, or opens no bundle of the block.
func (s Spec) CheckIdentity() error {
	_, err := s.opens()
	return err
}

// readBack reads a stored bundle to its end and compares it with its label; with an identity also each part with
// the manifest.
func readBack(ctx context.Context, s store.Store, l bundle.Label, ids bundle.Identities) (err error) {
	r, err := s.Get(ctx, bundle.Name(l.ID))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, _, err = bundle.Verify(r, l, ids, nil)
	return err
}
