package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
)

// identityFlag names the file that opens encrypted bundles.
func identityFlag() cli.Flag {
	return &cli.StringFlag{Name: "identity", Usage: "open encrypted bundles with the age identities in `FILE`; default: identity_file of the block"}
}

// verified is what `backup verify` found.
type verified struct {
	Bundle string `json:"bundle"`
	Store  string `json:"store"`
	// Remembered: the bytes are those that the state remembers a proof of.
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
}

func backupVerifyCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "read a bundle to its end and compare everything",
		ArgsUsage: "BUNDLE",
		Description: "BUNDLE is an id that `upkeep backup list` prints, or `latest`. Compares the stored bytes with the proof that the state remembers; with an age identity " +
			"also each part and the snapshot's own checksum; with -level=restore also starts an etcd from it and compares what that holds.",
		Flags: append(configurationFlags(), identityFlag(),
			&cli.StringFlag{Name: "level", Value: backup.LevelHash, Usage: "`LEVEL` of the check: hash or restore"}, jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			level := cmd.String("level")
			if level != backup.LevelHash && level != backup.LevelRestore {
				return usage(cmd, "-level=%s: the levels are hash and restore", level)
			}
			b, err := findBundle(ctx, env, cmd)
			if err != nil {
				return err
			}
			sweepWorkshops(env, b.desired)
			v, err := verify(ctx, b, cmd.String("identity"), level)
			if err != nil {
				return fmt.Errorf("bundle %s in %s: %w", b.label.ID, b.store, err)
			}
			if cmd.Bool("json") {
				return report.JSON(env.stdout, v)
			}
			_, err = fmt.Fprintln(env.stdout, v)
			return err
		},
	}
}

// identities reads an identity file; none is fine.
func identities(path string) (bundle.Identities, error) {
	if path == "" {
		return bundle.Identities{}, nil
	}
	text, err := os.ReadFile(path)
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
	v = verified{Bundle: b.label.ID, Store: b.store.String(), Cold: b.label.Cold, Datastore: b.label.Datastore}
	if v.Cold && level == backup.LevelRestore {
		return v, errors.New("it holds cold copies of stopped members: no snapshot is in it that could be restored, and nothing can prove it; -level=hash compares every file with what its node read")
	}
	if identityFile == "" {
		identityFile = b.spec.IdentityFile
	}
	ids, err := identities(identityFile)
	if err != nil {
		return v, err
	}
	v.Opened = len(b.label.EncryptedTo) == 0 || !ids.Empty()
	for _, p := range b.proofs {
		switch {
		case p.Bundle != b.label.ID || p.Address != b.spec.Address().String():
		case p.SHA256 == b.label.StoredSHA256:
			v.Remembered = true
		default:
			return v, fmt.Errorf("%w: the state remembers SHA-256 %.12s… for it, and its label says %.12s…", bundle.ErrLabel, p.SHA256, b.label.StoredSHA256)
		}
	}
	if level == backup.LevelRestore && !v.Opened {
		return v, fmt.Errorf("%w; give the file with its age identity: -identity=FILE", bundle.ErrLocked)
	}
	stored, err := b.store.Get(ctx, bundle.Name(b.label.ID))
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
	if level != backup.LevelRestore {
		return backup.Check(ctx, stored, b.label, ids, "")
	}
	options, err := drillOptions()
	if err != nil {
		return found, err
	}
	directory, remove, err := backup.Workshop(options)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	options.Directory = directory
	file := filepath.Join(directory, "snapshot.db")
	if _, err := backup.Check(ctx, stored, b.label, ids, file); err != nil {
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
	if v.Remembered {
		text += ", and as the state remembers them from their proof"
	} else {
		text += "; the state remembers no proof of them"
	}
	switch {
	case v.Opened && v.Cold:
		text += "\n  parts         as the manifest inside says\n  data          every file of each stopped member as its node read it; unproved, and nothing can prove it"
	case v.Restored && v.Datastore == backup.DatastoreSQLite:
		text += fmt.Sprintf("\n  parts         as the manifest inside says\n  database      opened: every page and index is whole, revision %d, %d keys", v.Revision, v.Keys)
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
