package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/bounded"
	"upkeep/providers/etcd"
	"upkeep/providers/plain"
)

// identityFlag names the file that opens encrypted bundles.
func identityFlag() cli.Flag {
	return &cli.StringFlag{Name: "identity", Usage: "open encrypted bundles with the age identities in `FILE`; default: identity_file of the block"}
}

// verified is what `backup verify` found.
type verified struct {
	Bundle string `json:"bundle"`
	Store  string `json:"store"`
	// Blocker is what the bundle counts for; Why says what keeps it from counting.
	Status string `json:"status"`
	Why    string `json:"why,omitempty"`
	// Authentic: a key signed it, or the state remembers a proof of exactly these bytes (Remembered).
	Authentic  bool `json:"authentic"`
	Remembered bool `json:"remembered"`
	// Opened: each part and the snapshot's own checksum were compared. Restored: an etcd was started from the snapshot.
	Opened   bool `json:"opened"`
	Restored bool `json:"restored"`
	// Cold: it holds cold copies of stopped members, and no snapshot.
	Cold     bool  `json:"cold,omitempty"`
	Revision int64 `json:"revision,omitempty"`
	Keys     int64 `json:"keys,omitempty"`
	// Datastore is "etcd", or "sqlite" for k3s without etcd: Restored then says that SQLite opened the database.
	Datastore string `json:"datastore,omitempty"`
	// Error is what is wrong with it.
	Error string `json:"error,omitempty"`
}

func backupVerifyCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "read a bundle to its end and compare everything",
		ArgsUsage: "BUNDLE",
		Description: bundleArgument + " A snapshot that etcdctl wrote is taken, too. Compares the stored bytes with what was signed and with the proof that the state remembers; with an age identity " +
			"also each part and the snapshot's own checksum; with -level=restore also starts an etcd from it and compares what that holds. With -all every bundle of every store. " +
			"Exits 1 where a bundle is damaged, or where nothing proves who wrote it and of which cluster it is.",
		Flags: append(configurationFlags(), identityFlag(), publicKeyFlag(),
			&cli.BoolFlag{Name: "all", Usage: "verify every bundle of every store"},
			&cli.StringFlag{Name: "level", Value: backup.LevelHash, Usage: "`LEVEL` of the check: hash or restore"}, jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			level := cmd.String("level")
			if level != backup.LevelHash && level != backup.LevelRestore {
				return usage(cmd, "-level=%s: the levels are hash and restore", level)
			}
			if cmd.Bool("all") {
				return verifyAll(ctx, env, cmd, level)
			}
			b, err := findBundle(ctx, env, cmd, cmd.String("identity"))
			if err != nil {
				return err
			}
			sweepWorkDirectories(env, b.desired)
			v, err := verify(ctx, b, cmd.String("identity"), level)
			if err != nil {
				return fmt.Errorf("bundle %s in %s: %w", b.judged.ID, b.place, err)
			}
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, v)
			} else {
				_, err = fmt.Fprintln(env.stdout, v)
			}
			if err == nil && !v.holds() {
				return exit{exitError, fmt.Errorf("bundle %s is %s: %s", v.Bundle, v.Status, v.Why)}
			}
			return err
		},
	}
}

// verifyAll verifies every bundle of every store, and fails where one does not hold or a store is not known.
func verifyAll(ctx context.Context, env environment, cmd *cli.Command, level string) error {
	if cmd.Args().Len() > 1 {
		return usage(cmd, "backup verify -all takes one name of an etcd_backup, and there are %d arguments", cmd.Args().Len())
	}
	s, err := openInventories(ctx, env, cmd, cmd.Args().First())
	if err != nil {
		return err
	}
	sweepWorkDirectories(env, s.desired)
	all, wrong := []verified{}, []error(nil)
	for _, address := range s.addresses {
		found, err := s.bundles(ctx, address, "", "")
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", address, err))
		}
		for _, b := range found {
			if s.ownedByAnother(b) {
				continue // its own block's turn verifies it
			}
			v, err := verify(ctx, b, cmd.String("identity"), level)
			if err == nil && !v.holds() {
				err = fmt.Errorf("it is %s: %s", v.Status, v.Why)
			}
			if err != nil {
				v.Error = err.Error()
				wrong = append(wrong, fmt.Errorf("bundle %s in %s: %w", b.judged.ID, b.place, err))
			}
			if all = append(all, v); err == nil && !cmd.Bool("json") {
				fmt.Fprintln(env.stdout, v)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	if len(all) == 0 && len(wrong) == 0 {
		wrong = append(wrong, errors.New("nothing was verified: no store has a bundle; `upkeep backup take` takes one"))
	}
	if cmd.Bool("json") {
		answer := verifiedAll{"1.0", statusOf(all, wrong), holding(all), all, errorTexts(wrong)}
		if err := report.JSON(env.stdout, answer); err != nil {
			return err
		}
	} else if len(all) > 0 {
		fmt.Fprintf(env.stdout, "%d of %d bundles hold.\n", holding(all), len(all))
	}
	if len(wrong) > 0 {
		return exit{exitError, errors.Join(wrong...)}
	}
	return nil
}

// verifiedAll is the answer of `backup verify -all -json`.
type verifiedAll struct {
	FormatVersion string `json:"format_version"`
	// Status is "none" where every bundle holds, "unknown" where a store could not be read or has none, else "error".
	Status  report.Verdict `json:"status"`
	Holding int            `json:"holding"`
	Bundles []verified     `json:"bundles"`
	// Errors say what does not hold, and which store could not be read.
	Errors []string `json:"errors"`
}

func statusOf(all []verified, wrong []error) report.Verdict {
	switch {
	case holding(all) < len(all):
		return report.Failed
	case len(wrong) > 0:
		return report.Unsure
	}
	return report.Well
}

func errorTexts(errs []error) []string {
	out := []string{}
	for _, err := range errs {
		out = append(out, plain.Line(err.Error()))
	}
	return out
}

func holding(all []verified) (n int) {
	for _, v := range all {
		if v.Error == "" {
			n++
		}
	}
	return n
}

// ownedByAnother reports whether a bundle in a store that blocks share is of another block that is verified, too.
func (s inventories) ownedByAnother(b foundBundle) bool {
	return b.judged.Status == backup.OtherBlock &&
		slices.ContainsFunc(s.addresses, func(a providers.Address) bool { return a.String() == b.judged.Address })
}

// holds reports whether it is what somebody whom the state or its operator knows wrote for this cluster.
func (v verified) holds() bool {
	switch backup.Status(v.Status) {
	case backup.Proved, backup.Unproved, backup.Cold, backup.Unencrypted:
		return true
	}
	return false
}

// identities reads an identity file; none is fine.
func identities(path string) (bundle.Identities, error) {
	if path == "" {
		return bundle.Identities{}, nil
	}
	text, err := bounded.Given(path, bounded.Keys)
	if err != nil {
		return bundle.Identities{}, fmt.Errorf("reading the age identity: %w", err)
	}
	ids, err := bundle.ParseIdentities(text)
	if err != nil {
		return bundle.Identities{}, fmt.Errorf("%s: %w", path, err)
	}
	return ids, nil
}

func verify(ctx context.Context, b foundBundle, identityFile, level string) (v verified, err error) {
	v = verified{
		Bundle: b.judged.ID, Store: b.place, Status: string(b.judged.Status), Why: b.judged.Why, Cold: b.label.Cold, Datastore: b.label.Datastore,
		Authentic: b.judged.Signer != "" || b.judged.Proof != nil, Remembered: b.judged.Proof != nil,
	}
	switch {
	case b.judged.Status == backup.Damaged && b.judged.Damaged == "": // relabelled: its bytes say nothing of that
		return v, fmt.Errorf("%w: %s", bundle.ErrLabel, b.judged.Why)
	case v.Cold && level == backup.LevelRestore:
		return v, errors.New("it holds cold copies of stopped members: no snapshot is in it that could be restored, and nothing can prove it; -level=hash compares every file with what its node read")
	}
	if identityFile == "" {
		identityFile = b.spec.IdentityFile
	}
	ids, err := identities(identityFile)
	if err != nil {
		return v, err
	}
	v.Opened = b.plain || len(b.label.EncryptedTo) == 0 || !ids.Empty()
	if level == backup.LevelRestore && !v.Opened {
		return v, fmt.Errorf("%w; give the file with its age identity: -identity=FILE", bundle.ErrLocked)
	}
	stored, err := b.get(ctx)
	if err != nil {
		return v, err
	}
	defer stored.Close()
	if !v.Opened {
		return v, bundle.VerifyStored(stored, b.label.StoredSize, b.label.StoredSHA256)
	}
	found, err := v.open(ctx, stored, b, ids, level)
	v.Revision, v.Keys = found.Revision, found.Keys
	return v, err
}

// open checks every part, and restores the snapshot where that is asked for.
func (v *verified) open(ctx context.Context, stored io.Reader, b foundBundle, ids bundle.Identities, level string) (found etcd.Contents, err error) {
	check := func(file string) (etcd.Contents, error) {
		if b.plain {
			return etcd.Contents{}, backup.CheckSnapshot(stored, file)
		}
		return backup.Check(ctx, stored, b.label, ids, file)
	}
	if level != backup.LevelRestore {
		return check("")
	}
	options, err := drillOptions()
	if err != nil {
		return found, err
	}
	directory, remove, err := backup.WorkDirectory(options)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	options.Directory = directory
	file := filepath.Join(directory, "snapshot.db")
	if _, err := check(file); err != nil {
		return found, err
	}
	if found, err = backup.Rehearse(ctx, options, file, b.label.Manifest); err != nil {
		return found, err
	}
	v.Restored = true
	return found, nil
}

// String says it in sentences.
func (v verified) String() string {
	text := fmt.Sprintf("Bundle %s in %s:\n  stored bytes  as its label says", v.Bundle, v.Store)
	switch {
	case v.Remembered:
		text += ", and as the state remembers them from their proof"
	case v.Authentic:
		text += ", which a known key signed; the state remembers no proof of them"
	default:
		text += "; nothing proves who wrote them"
	}
	switch {
	case v.Opened && v.Cold:
		text += "\n  parts         as the manifest inside says\n  data          every file of each stopped member as its node read it; unproved, and nothing can prove it"
	case v.Restored && v.Datastore == backup.DatastoreSQLite:
		text += fmt.Sprintf("\n  parts         as the manifest inside says\n  database      opened: every page and index is intact, revision %d, %d keys", v.Revision, v.Keys)
	case v.Opened && v.Datastore == backup.DatastoreSQLite:
		text += "\n  parts         as the manifest inside says\n  database      as long as its header says; not opened: -level=restore"
	case v.Restored:
		text += fmt.Sprintf("\n  parts         as the manifest inside says\n  snapshot      restored: etcd started from it, revision %d, %d keys", v.Revision, v.Keys)
	case v.Opened:
		text += fmt.Sprintf("\n  parts         as the manifest inside says\n  snapshot      checksum holds, revision %d, %d keys; not restored: -level=restore", v.Revision, v.Keys)
	default:
		text += "\n  parts         not opened: give the age identity with -identity=FILE"
	}
	return text
}
