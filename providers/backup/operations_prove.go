package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
)

// prove proves a bundle that is in the store.
type prove struct{ tools Tools }

// Run reads the bundle once, checks every part of it, drills its snapshot where the block wants that, and remembers the
// proof.
func (o prove) Run(ctx context.Context, step providers.Step, progress providers.Progress) (err error) {
	args, err := providers.ArgsOf[proveArgs](step)
	if err != nil {
		return err
	}
	spec, inventory, err := o.tools.open(step)
	if err != nil {
		return err
	}
	in, err := o.tools.Look(ctx, step)
	if err != nil {
		return err
	}
	ids, err := identities(spec)
	if err != nil {
		return err
	}
	label, err := bundle.ReadLabel(ctx, inventory, args.Bundle)
	if err != nil {
		return err
	}
	if label.Cold {
		return fmt.Errorf("bundle %s holds cold copies of stopped members, which nothing can prove", args.Bundle)
	}
	remembered, err := Remembered(in.Memory, spec.Address())
	if err != nil {
		return err
	}
	planned, err := providers.GroundOf[proveGround](step)
	if err != nil {
		return err
	}
	if label.StoredSHA256 != planned.SHA256 {
		return fmt.Errorf("bundle %s is not the one that this plan was made for; plan again", args.Bundle)
	}
	if cluster := clusterOf(in.World); cluster != "" && label.ClusterID != cluster {
		return fmt.Errorf("bundle %s belongs to cluster %s, and this is cluster %s", args.Bundle, label.ClusterID, cluster)
	}
	if bundle.SignedBy(label.Facts(), in.Memory.Signers, clockSlack) == "" && !slices.ContainsFunc(remembered, func(p facts.Proof) bool {
		known := p.LabelSHA256 == "" || p.LabelSHA256 == label.Facts().LabelSHA256
		return p.Bundle == label.ID && p.SHA256 == label.StoredSHA256 && known
	}) {
		return fmt.Errorf("bundle %s is not authentic: no key of this state signed it, and the state remembers no proof of it", args.Bundle)
	}
	var options drill.Options
	file := ""
	if spec.Verify == LevelRestore {
		if options, err = o.tools.drillOptions(spec, in); err != nil {
			return err
		}
		directory, remove, err := WorkDirectory(options)
		if err != nil {
			return err
		}
		options.Directory = directory
		defer func() { err = errors.Join(err, remove()) }()
		file = filepath.Join(directory, "snapshot.db")
	}
	stored, err := inventory.Get(ctx, bundle.Name(args.Bundle))
	if err != nil {
		return err
	}
	defer stored.Close()
	found, err := Check(ctx, stored, label, ids, file)
	if err != nil {
		return fmt.Errorf("bundle %s: %w", args.Bundle, err)
	}
	progress.Say("every part is as it was written")
	if file != "" {
		if found, err = Rehearse(ctx, options, file, label.Manifest); err != nil {
			return fmt.Errorf("bundle %s: %w", args.Bundle, err)
		}
		progress.Say("%s and holds %d keys", started(label.Manifest), found.Keys)
	}
	return o.tools.Remember(ctx, spec.Address(), adding(spec.Address(), facts.Proof{
		Bundle: args.Bundle, Address: spec.Address().String(), SHA256: label.StoredSHA256, Level: spec.Verify, At: o.tools.Now().UTC(),
		TakenAt: label.TakenAt, Store: spec.Store.String(), ClusterID: label.ClusterID, Revision: found.Revision, Keys: found.Keys,
		LabelSHA256: label.Facts().LabelSHA256,
	}))
}

// Check reads a bundle once and checks all of it, its snapshot's own checksum included. Where file is not empty the snapshot
// is written there, in the clear, 0600. A bundle that cannot be opened is an error that wraps bundle.ErrLocked.
func Check(ctx context.Context, stored io.Reader, label bundle.Label, ids bundle.Identities, file string) (etcd.Contents, error) {
	seen := false
	cold := coldCheck{}
	m, opened, err := bundle.Verify(stored, label, ids, func(part *bundle.PartReader) (err error) {
		if part.Name() != SnapshotPart && part.Name() != DatabasePart {
			return cold.part(part)
		}
		seen = true
		into := io.Discard
		if file != "" {
			f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			into = f
		}
		if err := checked(into, part); err != nil {
			return err
		}
		return ctx.Err()
	})
	switch {
	case err != nil:
		return etcd.Contents{}, err
	case !opened:
		return etcd.Contents{}, fmt.Errorf("%w: give identity_file", bundle.ErrLocked)
	case m.Cold:
		return etcd.Contents{}, cold.against(m)
	case !seen:
		return etcd.Contents{}, fmt.Errorf("%w: it has neither a snapshot of etcd nor a database of k3s", bundle.ErrManifest)
	}
	return etcd.Contents{Revision: m.Revision, Keys: m.Keys}, nil
}

// CheckSnapshot reads a snapshot as etcdctl writes it and checks its own checksum. Where file is not empty it is written there,
// 0600.
func CheckSnapshot(snapshot io.Reader, file string) (err error) {
	into, check := io.Discard, etcd.NewChecker()
	if file != "" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		into = f
	}
	if _, err := io.Copy(io.MultiWriter(into, check), snapshot); err != nil {
		return err
	}
	_, err = check.Finish()
	return err
}

// Rehearse restores a bundle's snapshot, starts etcd from it, and compares it with the bundle's manifest.
func Rehearse(ctx context.Context, o drill.Options, file string, m bundle.Manifest) (etcd.Contents, error) {
	if m.Datastore == DatastoreSQLite {
		return rehearseDatabase(ctx, o, file, m)
	}
	found, err := drill.Verify(ctx, o, file, "")
	if err != nil {
		return etcd.Contents{}, err
	}
	restored, err := drill.Drill(ctx, o, file, etcd.Question{Revision: found.Revision, Canaries: canaries}, 0)
	if err != nil {
		return etcd.Contents{}, err
	}
	var different []string
	if restored.Revision < m.Revision {
		different = append(different, fmt.Sprintf("revision: saved %d, restored %d", m.Revision, restored.Revision))
	}
	if restored.Revision == m.Revision && restored.Keys != m.Keys {
		different = append(different, fmt.Sprintf("keys: saved %d, restored %d", m.Keys, restored.Keys))
	}
	return restored, differ(different)
}

// differ makes an error of what is not as it was saved; nil where there is nothing.
func differ(different []string) error {
	if len(different) == 0 {
		return nil
	}
	return fmt.Errorf("the restored copy is not what was saved: %s", strings.Join(different, "; "))
}

// prune removes what the plan names.
type prune struct{ tools Tools }

// Run removes bundles one after the other, oldest first; an error leaves those that follow.
func (o prune) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[pruneArgs](step)
	if err != nil {
		return err
	}
	_, inventory, err := o.tools.open(step)
	if err != nil {
		return err
	}
	owner := step.Address.Resource()
	remember := func(change func(facts.Address, json.RawMessage, ...string) (json.RawMessage, error)) error {
		if len(args.Remove) == 0 {
			return nil
		}
		return o.tools.Remember(ctx, owner, func(old json.RawMessage) (json.RawMessage, error) { return change(owner, old, args.Remove...) })
	}
	if err := remember(Going); err != nil {
		return err
	}
	for _, id := range args.Remove {
		if err := bundle.Remove(ctx, inventory, id); err != nil {
			return fmt.Errorf("remove bundle %s: %w", id, err)
		}
		progress.Say("removed %s", id)
	}
	for _, name := range args.Leftovers {
		if err := inventory.Remove(ctx, name); err != nil {
			return fmt.Errorf("clear away %s: %w", name, err)
		}
		progress.Say("cleared away %s", name)
	}
	return remember(Without)
}
