package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers/backup/bundle"
)

func backupShowCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show what a bundle holds",
		ArgsUsage:   "BUNDLE",
		Description: "BUNDLE is an id that `upkeep backup list` prints, or `latest`. Reads the bundle's label alone; `upkeep backup verify` reads the bundle.",
		Flags:       append(configurationFlags(), jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			b, err := findBundle(ctx, env, cmd)
			if err != nil {
				return err
			}
			shown := bundleView{BundleJSON: report.Bundle(bundleOf(b.label), b.proofs, env.now()), Store: b.store.String(), Label: b.label}
			if cmd.Bool("json") {
				return report.JSON(env.stdout, shown)
			}
			return text.Fields(env.stdout, shown.fields())
		},
	}
}

// bundleView is one bundle in full, as `backup show` prints it.
type bundleView struct {
	report.BundleJSON
	Store string       `json:"store"`
	Label bundle.Label `json:"label"`
}

// fields says what is in a bundle and what proves it.
func (b bundleView) fields() (out []text.Field) {
	line := func(name, format string, args ...any) {
		out = append(out, text.Field{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	l := b.Label
	line("bundle", "%s in %s", l.ID, b.Store)
	line("taken", "%s by %s, upkeep %s", l.TakenAt.UTC().Format("2006-01-02 15:04:05 UTC"), l.Address, l.Upkeep)
	if l.Cold {
		line("etcd", "cluster %s, as stopped members left it", l.ClusterID)
	} else {
		line("etcd", "cluster %s, member %s, revision %d, %d keys", l.ClusterID, l.Member, l.Revision, l.Keys)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Versions)) {
		line("version", "%s %s", name, l.Versions[name])
	}
	line("stored", "%s, SHA-256 %s", text.Bytes(l.StoredSize), l.StoredSHA256)
	if len(l.EncryptedTo) == 0 {
		line("encrypted", "no")
	} else {
		line("encrypted", "to %s", strings.Join(l.EncryptedTo, ", "))
	}
	for _, part := range l.Parts {
		line("part", "%-28s %s", part.Name, text.Bytes(part.Size))
	}
	for _, gap := range l.Gaps {
		line("lacks", "%s: %s", gap.What, gap.Why)
	}
	switch {
	case b.Damaged != "":
		line("damaged", "%s", b.Damaged)
	case b.Cold:
		line("proved", "no: cold copy of stopped members")
		line("because", "%s", l.Unproved)
	case b.Proof == nil:
		line("proved", "no: the state remembers no proof of these bytes")
	default:
		line("proved", "by %s on %s", b.Proof.Level, b.Proof.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return out
}
