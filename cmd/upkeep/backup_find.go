package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/bounded"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
	"upkeep/state"
)

// inventories is the backup stores of a configuration, seen with what the state remembers of their bundles.
type inventories struct {
	env        environment
	desired    config.Desired
	stores     stores
	addresses  []providers.Address
	remembered state.State
	// keys are the public keys that the operator gave, in the configuration or as flags.
	keys []string
}

// openInventories reads the configuration and the state. It asks no node, but one that a store is on.
func openInventories(ctx context.Context, env environment, cmd *cli.Command, name string) (inventories, error) {
	s, w, err := openRemembered(ctx, env, cmd)
	if err != nil {
		return inventories{}, err
	}
	if s.addresses, err = chooseBackups(w, name); err != nil {
		return inventories{}, err
	}
	nodes, err := newNodes(w.desired, 1)
	if err != nil {
		return inventories{}, err
	}
	s.stores = storesOf(w.desired, nodes, protocol.Run{})
	return s, nil
}

// openRemembered reads the configuration and the state, and opens no store: a file needs no block.
func openRemembered(ctx context.Context, env environment, cmd *cli.Command) (inventories, workspace, error) {
	w, err := open(env, cmd)
	if err != nil {
		return inventories{}, w, err
	}
	s := inventories{env: env, desired: w.desired}
	if s.remembered, err = readState(ctx, w); err != nil {
		return s, w, err
	}
	s.keys, err = publicKeys(cmd, w.desired)
	return s, w, err
}

// publicKeys returns those of the configuration and of the flag -public-key.
func publicKeys(cmd *cli.Command, desired config.Desired) ([]string, error) {
	keys := slices.Clone(desired.State.PublicKeys)
	if hasFlag(cmd, "public-key") {
		for _, key := range cmd.StringSlice("public-key") {
			if _, err := facts.ParsePublicKey(key); err != nil {
				return nil, fmt.Errorf("-public-key: %w", err)
			}
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// judge says what the bundles of a store count for: as plan does, and by the operator's own public keys as well.
func (s inventories) judge(spec backup.Spec, found facts.Backups) backup.Judgement {
	memory := s.remembered.Memory.Clone()
	for _, key := range s.keys {
		if !slices.ContainsFunc(memory.Signers, func(known facts.Signer) bool { return known.Key == key }) {
			memory.Signers = append(memory.Signers, facts.Signer{Key: key})
		}
	}
	return spec.Judge(providers.Input{
		World: facts.World{Backups: map[string]facts.Backups{spec.Address().String(): found}}, Memory: memory, Now: s.env.now(),
	})
}

// foundBundle is one bundle of a store of the configuration, or a file.
type foundBundle struct {
	desired config.Desired
	spec    backup.Spec
	label   bundle.Label
	judged  backup.Judged
	// named: it was named in full, not as `latest` nor by a part of its name.
	named bool
	// stateless: there is no state, which could remember a proof; signed: its signer is a key that the operator gave.
	stateless, signed bool
	// place names where it is; get opens it.
	place string
	get   func(context.Context) (io.ReadCloser, error)
	// plain: it is no bundle but a snapshot as etcdctl writes it.
	plain bool
}

// latest is the name of the newest bundle that counts.
const latest = "latest"

// findBundle looks for the bundle that the one argument of a command names: a file, or an id in all stores of the configuration.
func findBundle(ctx context.Context, env environment, cmd *cli.Command, identityFile string) (foundBundle, error) {
	if cmd.Args().Len() != 1 {
		return foundBundle{}, usage(cmd, "backup %s takes one bundle; `upkeep backup list` lists them, and `latest` is the newest", cmd.Name)
	}
	wanted := cmd.Args().First()
	if isPath(wanted) {
		return openFile(ctx, env, cmd, wanted, identityFile)
	}
	s, err := openInventories(ctx, env, cmd, "")
	if err != nil {
		return foundBundle{}, err
	}
	var found []foundBundle
	var silent []error
	for _, address := range s.addresses {
		in, err := s.bundles(ctx, address, wanted, identityFile)
		if err != nil {
			silent = append(silent, fmt.Errorf("%s: %w", address, err))
		}
		found = append(found, in...)
	}
	if wanted == latest {
		return newestOf(found, silent, s)
	}
	return named(wanted, found, silent)
}

// isPath reports whether an argument names a file instead of a bundle of a store.
func isPath(argument string) bool {
	if strings.HasSuffix(argument, bundle.Extension) || strings.ContainsRune(argument, filepath.Separator) {
		return true
	}
	info, err := os.Stat(argument)
	return err == nil && info.Mode().IsRegular()
}

// look judges what the store of a block holds. Where only bundles are gone it is judged, too.
func (s inventories) look(ctx context.Context, spec backup.Spec) (backup.Judgement, error) {
	address := spec.Address().String()
	observed := s.stores.Observe(ctx, facts.BackupsQuestion{Address: address})
	if observed.Unknown != "" {
		return backup.Judgement{}, fmt.Errorf("%s: %s", address, observed.Unknown)
	}
	return s.judge(spec, observed), nil
}

// bundles returns the bundles of one store, oldest first. One whose label is lost is read where it is the one that is wanted.
func (s inventories) bundles(ctx context.Context, address providers.Address, wanted, identityFile string) ([]foundBundle, error) {
	spec, _ := s.stores.spec(address)
	opened, err := s.stores.open(spec)
	if err != nil {
		return nil, err
	}
	observed := s.stores.Observe(ctx, facts.BackupsQuestion{Address: address.String()})
	if observed.Unknown != "" {
		return nil, errors.New(observed.Unknown)
	}
	labels, err := labelsOf(ctx, opened, spec, wanted, identityFile)
	if err != nil {
		return nil, err
	}
	if _, lost := labels[wanted]; lost && !slices.ContainsFunc(observed.Bundles, func(b facts.Bundle) bool { return b.ID == wanted }) {
		observed.Bundles = append(observed.Bundles, labels[wanted].Facts())
	}
	judgement := s.judge(spec, observed)
	var out []foundBundle
	for _, j := range judgement.Bundles {
		out = append(out, foundBundle{
			desired: s.desired, spec: spec, label: labels[j.ID], judged: j, stateless: !s.remembered.Exists(), signed: slices.Contains(s.keys, j.Signer),
			place: opened.String(), get: func(ctx context.Context) (io.ReadCloser, error) { return opened.Get(ctx, bundle.Name(j.ID)) },
		})
	}
	if judgement.Unknown != "" {
		return out, errors.New(judgement.Unknown)
	}
	return out, nil
}

// labelsOf reads the labels of a store; of the wanted bundle, where its label is lost, the manifest inside.
func labelsOf(ctx context.Context, s store.Store, spec backup.Spec, wanted, identityFile string) (map[string]bundle.Label, error) {
	found, _, err := bundle.Find(ctx, s)
	if err != nil {
		return nil, err
	}
	labels := map[string]bundle.Label{}
	for _, f := range found {
		switch {
		case f.Label.ID != "":
			labels[f.ID] = f.Label
		case f.ID == wanted && slices.Contains(f.Names, bundle.Name(f.ID)):
			stored, err := s.Get(ctx, bundle.Name(f.ID))
			if err != nil {
				return nil, err
			}
			label, err := withoutLabel(stored, f.ID, spec.IdentityFile, identityFile)
			if err := errors.Join(err, stored.Close()); err != nil {
				return nil, fmt.Errorf("bundle %s: %w; %w", f.ID, f.Problem, err)
			}
			labels[f.ID] = label
		case f.ID == wanted:
			return nil, fmt.Errorf("bundle %s: %w", f.ID, f.Problem)
		}
	}
	return labels, nil
}

// withoutLabel reads a bundle whose label is lost, and wants it to be the one of its name.
func withoutLabel(stored io.Reader, id, declared, given string) (bundle.Label, error) {
	if given == "" {
		given = declared
	}
	ids, err := identities(given)
	if err != nil {
		return bundle.Label{}, err
	}
	label, err := bundle.Inspect(stored, ids)
	switch {
	case errors.Is(err, bundle.ErrLocked):
		return label, fmt.Errorf("its label is missing, and only its manifest says what it is: %w; give the file with its age identity: -identity=FILE", err)
	case err != nil:
		return label, fmt.Errorf("its label is missing: %w", err)
	case label.ID != id:
		return label, fmt.Errorf("its label is missing, and its manifest is of %s", label.ID)
	}
	return label, nil
}

// newestOf returns the bundle that `latest` means.
func newestOf(found []foundBundle, silent []error, s inventories) (newest foundBundle, err error) {
	if len(silent) > 0 {
		return newest, errors.Join(silent...)
	}
	any := false
	better := func(f foundBundle) {
		if !any || f.judged.TakenAt.After(newest.judged.TakenAt) {
			newest, any = f, true
		}
	}
	for _, f := range found {
		if f.judged.Newest {
			better(f)
		}
	}
	if !any && !s.remembered.Exists() { // no state remembers proofs: what the operator's key signed was proved before
		for _, f := range found {
			if f.judged.Status == backup.Unproved && f.signed {
				better(f)
			}
		}
	}
	switch {
	case any:
		return newest, nil
	case len(found) == 0:
		return newest, errors.New("there is no bundle yet; `upkeep backup take` takes one")
	}
	last := found[len(found)-1]
	for _, f := range found {
		if f.judged.TakenAt.After(last.judged.TakenAt) {
			last = f
		}
	}
	return newest, fmt.Errorf("no bundle is authentic, proved and of this cluster, so there is no %s. The newest one is %s: %s (%s). `upkeep backup list` lists them all",
		latest, last.judged.ID, last.judged.Status, last.judged.Why)
}

// named returns the bundle with an id, or the only one whose id begins so; what stands for block and cluster may be left out.
func named(wanted string, found []foundBundle, silent []error) (foundBundle, error) {
	exact := func(f foundBundle) bool { return f.judged.ID == wanted }
	short := func(f foundBundle) bool { return begins(f.judged.ID, wanted) }
	for _, matches := range []func(foundBundle) bool{exact, short} {
		byID := map[string]foundBundle{}
		for _, f := range found {
			// Blocks that share a store see one bundle twice: its own block's word counts.
			if known, twice := byID[f.judged.ID]; matches(f) && (!twice || known.judged.Status == backup.OtherBlock) {
				byID[f.judged.ID] = f
			}
		}
		for _, f := range byID {
			if f.named = f.judged.ID == wanted; len(byID) == 1 {
				return f, nil
			}
		}
		if len(byID) > 1 {
			return foundBundle{}, fmt.Errorf("%d bundles begin with %q; write more of the name, as `upkeep backup list` prints it", len(byID), wanted)
		}
	}
	if len(silent) > 0 {
		return foundBundle{}, errors.Join(silent...)
	}
	return foundBundle{}, fmt.Errorf("no store of this configuration has a bundle %q; `upkeep backup list` lists them", wanted)
}

// begins reports whether an id, or what follows one of its dashes, begins with a text: BLOCK-CLUSTER-TIME-RANDOM.
func begins(id, text string) bool {
	for rest, more := id, true; more; _, rest, more = strings.Cut(rest, "-") {
		if strings.HasPrefix(rest, text) {
			return true
		}
	}
	return false
}

// openFile opens a bundle, or a plain snapshot of etcd, that is a file. It needs no configuration; where there is one, what it
// and its state know counts.
func openFile(ctx context.Context, env environment, cmd *cli.Command, path, identityFile string) (out foundBundle, err error) {
	out = foundBundle{place: path, named: true, stateless: true, get: func(context.Context) (io.ReadCloser, error) { return os.Open(path) }}
	s := inventories{env: env}
	if directory, err := directoryOf(cmd); err != nil {
		return out, err
	} else if files, err := filepath.Glob(filepath.Join(directory, "*.upkeep.hcl")); err == nil && len(files) > 0 {
		if s, _, err = openRemembered(ctx, env, cmd); err != nil {
			return out, err
		}
		out.desired, out.stateless = s.desired, !s.remembered.Exists()
	} else if s.keys, err = publicKeys(cmd, config.Desired{}); err != nil {
		return out, err
	}
	if err := bounded.Check(path, math.MaxInt64); err != nil { // a bundle is as large as its cluster
		return out, err
	}
	file, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer file.Close()
	id, _, isBundle := bundle.ParseName(filepath.Base(path))
	if !isBundle {
		out.plain = true
		out.judged = backup.Judged{Bundle: facts.Bundle{ID: filepath.Base(path)}, Status: backup.NotAuthentic, Why: "it is a plain snapshot of etcd, which nobody signed"}
		return out, nil
	}
	text, err := bounded.File(filepath.Join(filepath.Dir(path), bundle.LabelName(id)), bundle.LabelLimit)
	switch {
	case errors.Is(err, os.ErrNotExist):
		out.label, err = withoutLabel(file, id, "", identityFile)
	case err == nil:
		out.label, err = bundle.ParseLabel(text)
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	out.spec = specOf(out.desired, out.label)
	// A file lies in no store: it is judged as if it lay in its block's.
	for _, j := range s.judge(out.spec, facts.Backups{Bundles: []facts.Bundle{out.label.Facts()}}).Bundles {
		out.judged, out.signed = j, slices.Contains(s.keys, j.Signer)
	}
	return out, nil
}

// specOf returns the block that took a bundle; where the configuration has none, one that wants nothing.
func specOf(desired config.Desired, label bundle.Label) backup.Spec {
	for _, spec := range backup.Declared(desired) {
		if spec.Address().String() == label.Address {
			return spec
		}
	}
	address, err := facts.ParseAddress(label.Address)
	if err != nil {
		address = facts.Address{Type: "etcd_backup"}
	}
	return backup.Spec{Name: address.Name, Key: address.Key, Verify: backup.LevelHash}
}

// admit says whether a bundle may be restored: what counts, or what the operator names in full and gives a reason for.
func (f foundBundle) admit(reason string) error {
	if f.judged.Status == backup.Proved || f.judged.Status == backup.Unproved && f.signed && f.stateless {
		return nil
	}
	if f.named && reason != "" {
		return nil
	}
	text := fmt.Sprintf("bundle %s is %s: %s", f.judged.ID, f.judged.Status, f.judged.Why)
	if f.judged.Status == backup.NotAuthentic {
		text += ". Nothing proves who wrote it. If it was made with a state that is lost, give the public key of that state: -public-key=ed25519:..."
	}
	return errors.New(text + ". To restore it all the same, write its full name and say why: -accept=REASON")
}

// view is what `list` and `show` print of a bundle.
func view(env environment, j backup.Judged) report.BundleJSON {
	return report.BundleJSON{
		Bundle: j.Bundle, AgeSeconds: int64(env.now().Sub(j.TakenAt).Seconds()), Status: string(j.Status), Why: j.Why, Proof: j.Proof,
		Signer: j.Signer, Newest: j.Newest, Kept: j.Kept, Goes: j.Goes,
	}
}

func publicKeyFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "public-key", Usage: "believe bundles that this `KEY` signed, as `upkeep state public-key` prints it; may be repeated"}
}
