package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

func backupShowCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "show what a bundle holds, what it counts for, and the line that restores it",
		ArgsUsage:   "BUNDLE",
		Description: bundleArgument + " Reads the bundle's label alone; `upkeep backup verify` reads the bundle.",
		Flags:       append(configurationFlags(), identityFlag(), publicKeyFlag(), jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			b, err := findBundle(ctx, env, cmd, cmd.String("identity"))
			if err != nil {
				return err
			}
			if b.plain {
				return fmt.Errorf("%s is a plain snapshot of etcd and says nothing of itself; `upkeep backup verify -level=restore %s` reads it", b.place, b.place)
			}
			shown := bundleView{BundleJSON: view(env, b.judged), Store: b.place, Label: b.label}
			var bad error // it is shown all the same
			if shown.Bad() {
				bad = exit{exitError, fmt.Errorf("bundle %s is %s: %s", b.judged.ID, b.judged.Status, b.judged.Why)}
			}
			if cmd.Bool("json") {
				return errors.Join(report.JSON(env.stdout, shown), bad)
			}
			if err := text.Fields(env.stdout, shown.fields()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "\nRestore it:\n  %s\n", b.restoreLine(cmd.Args().First()))
			return errors.Join(err, bad)
		},
	}
}

// bundleArgument says what the commands about one bundle take.
const bundleArgument = "BUNDLE is an id that `upkeep backup list` prints or the beginning of one, `latest`, or the path of a .upkeep-bundle file."

// restoreLine is the command that restores a bundle.
func (f foundBundle) restoreLine(argument string) string {
	if argument == latest || !isPath(argument) {
		argument = f.judged.ID
	}
	line := "upkeep backup restore -to=DIR"
	if len(f.label.EncryptedTo) > 0 && f.spec.IdentityFile == "" {
		line += " -identity=FILE"
	}
	if f.admit("") != nil {
		line += " -accept=REASON"
	}
	return line + " " + argument
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
	l, told := b.Label, plain.Told // whoever wrote the label chose its words
	line("bundle", "%s in %s", l.ID, b.Store)
	line("taken", "%s by %s, upkeep %s", l.TakenAt.UTC().Format("2006-01-02 15:04:05 UTC"), told(l.Address), told(l.Upkeep))
	if l.Cold {
		line("etcd", "cluster %s, as stopped members left it", told(l.ClusterID))
	} else {
		line("etcd", "cluster %s, member %s, revision %d, %d keys", told(l.ClusterID), told(l.Member), l.Revision, l.Keys)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Versions)) {
		line("version", "%s %s", told(name), told(l.Versions[name]))
	}
	line("stored", "%s, SHA-256 %s", text.Bytes(l.StoredSize), l.StoredSHA256)
	if len(l.EncryptedTo) == 0 {
		line("encrypted", "no")
	} else {
		line("encrypted", "to %s", told(strings.Join(l.EncryptedTo, ", ")))
	}
	for _, part := range l.Parts {
		line("part", "%-28s %s", told(part.Name), text.Bytes(part.Size))
	}
	for _, gap := range l.Gaps {
		line("lacks", "%s: %s", told(gap.What), told(gap.Why))
	}
	for _, alarm := range l.Alarms {
		line("alarm", "%s was raised when it was taken; docs/disaster-recovery.md says what to do with it", told(alarm))
	}
	for _, m := range l.Members {
		line("member", "%s %s %s", told(m.ID), told(m.Name), told(strings.Join(m.PeerURLs, " ")))
	}
	switch {
	case b.Signer != "":
		line("signed", "by %s", facts.KeyFingerprint(b.Signer))
	case b.Signature.IsZero():
		line("signed", "no")
	default:
		line("signed", "by %s, which no key of this state or of its operator is", facts.KeyFingerprint(b.Signature.Key))
	}
	if b.Proof != nil {
		line("proved", "by %s on %s", b.Proof.Level, b.Proof.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	} else {
		line("proved", "no: the state remembers no proof of these bytes")
	}
	if b.Why != "" {
		line("counts", "no, it is %s: %s", b.Status, b.Why)
	} else {
		line("counts", "yes")
	}
	if l.Unproved != "" {
		line("because", "%s", told(l.Unproved))
	}
	if len(b.Kept) > 0 {
		line("kept", "%s", strings.Join(b.Kept, ", "))
	}
	return out
}
