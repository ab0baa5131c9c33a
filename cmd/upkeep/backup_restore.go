package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd/drill"
)

func backupRestoreCommand(env environment) *cli.Command {
	flags := append(configurationFlags(), identityFlag(),
		&cli.StringFlag{Name: "to", Usage: "write into the new directory `DIR`"},
		&cli.StringSliceFlag{Name: "member", Usage: "a member of the restored cluster, `NAME=PEERURL[,PEERURL]`; may be repeated. Default: those that the nodes in the bundle ran"},
		&cli.Uint64Flag{Name: "bump-revision", Value: drill.SuggestedBump, Usage: "add `N` to the newest revision, so that no revision that a client has seen is used a second time; 0: do not"},
		&cli.BoolFlag{Name: "mark-compacted", Value: true, Usage: "end every watch from before, so that clients list anew; goes together with -bump-revision"},
		jsonFlag(),
	)
	return &cli.Command{
		Name: "restore", Usage: "write data directories and keys from a bundle, for a cluster that is to come back",
		ArgsUsage: "BUNDLE",
		Description: "BUNDLE is an id that `upkeep backup list` prints, `latest`, or the path of a .upkeep-bundle file, which needs neither configuration nor store. " +
			"Writes, for each member, a data directory that its etcd starts from (of a k3s server with SQLite: its database), and for each node an archive of its keys and configuration. It starts nothing and touches no " +
			"running member: docs/disaster-recovery.md says how to go on. What it writes is in the clear, every Secret of the cluster included: remove it afterwards.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.String("to") == "" {
				return usage(cmd, "backup restore needs the directory to write into: -to=DIR")
			}
			r := backup.Recovery{
				Directory: cmd.String("to"), Bump: cmd.Uint64("bump-revision"), MarkCompacted: cmd.Bool("mark-compacted"),
				Progress: func(line string) { fmt.Fprintln(env.stderr, line) },
			}
			if r.Bump == 0 && !cmd.IsSet("mark-compacted") {
				r.MarkCompacted = false
			}
			var err error
			if r.Members, err = peers(cmd.StringSlice("member")); err != nil {
				return err
			}
			if r.Token, err = newToken(); err != nil {
				return err
			}
			if r.Drill, err = drillOptions(); err != nil {
				return err
			}
			stored, err := openBundle(ctx, env, cmd, &r)
			if err != nil {
				return err
			}
			defer stored.Close()
			r.Stored = stored
			if bumped := cmd.IsSet("bump-revision") || cmd.IsSet("mark-compacted"); bumped && (r.Label.Cold || r.Label.Datastore == backup.DatastoreSQLite) {
				return fmt.Errorf("bundle %s holds no snapshot of etcd, and only one of etcd can be given other revisions: leave -bump-revision and -mark-compacted out; docs/disaster-recovery.md says what to restart instead", r.Label.ID)
			}
			ctx, release, err := cleanUpOnSignal(ctx, env, "Interrupt: the restore stops, and what it has written is removed.")
			if err != nil {
				return err
			}
			defer release()
			r.Stored = readerUntil{ctx, stored}
			recovered, err := backup.Recover(ctx, r)
			if err != nil && ctx.Err() != nil {
				return errInterrupted
			}
			if err != nil {
				return fmt.Errorf("bundle %s: %w", r.Label.ID, err)
			}
			if cmd.Bool("json") {
				return report.JSON(env.stdout, recovered)
			}
			return writeRecovered(env, cmd.String("to"), recovered)
		},
	}
}

// writeCold says which data directories there are of members that did not run, and which of them to use.
func writeCold(text *strings.Builder, cold []backup.RecoveredCold, inside func(string) string) {
	if len(cold) == 0 {
		return
	}
	var newest string
	for _, c := range cold {
		mark := ""
		if c.Newest {
			mark = ", the newest"
			newest = c.Node
		}
		fmt.Fprintf(text, "  %-28s data of member %s, as it lay in %s of %s: raft term %d, index %d%s\n", inside(c.DataDirectory), c.MemberID, c.From, c.Node, c.Term, c.Index, mark)
	}
	fmt.Fprintf(text, "These are cold copies of stopped members: nothing proves that etcd starts from them. Where they are more than half of the members, put each back on the "+
		"node that it is of, and start them all. Where they are not, start the newest alone (%s) with --force-new-cluster, once, and let the others join it with empty directories. "+
		"Never mix them with a directory from a snapshot.\n", newest)
}

// openBundle opens the bundle that the argument names and fills in what is known of it.
func openBundle(ctx context.Context, env environment, cmd *cli.Command, r *backup.Recovery) (io.ReadCloser, error) {
	identityFile := cmd.String("identity")
	if path := cmd.Args().First(); cmd.Args().Len() == 1 && strings.HasSuffix(path, bundle.Extension) {
		var err error
		if r.Identities, err = identities(identityFile); err != nil {
			return nil, err
		}
		label, err := os.ReadFile(strings.TrimSuffix(path, bundle.Extension) + bundle.LabelExtension)
		if err != nil {
			return nil, fmt.Errorf("the label of the bundle must lie beside it: %w", err)
		}
		if r.Label, err = bundle.ParseLabel(label); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return os.Open(path)
	}
	b, err := findBundle(ctx, env, cmd)
	if err != nil {
		return nil, err
	}
	sweepWorkshops(env, b.desired)
	if identityFile == "" {
		identityFile = b.spec.IdentityFile
	}
	if r.Identities, err = identities(identityFile); err != nil {
		return nil, err
	}
	r.Label = b.label
	return b.store.Get(ctx, bundle.Name(b.label.ID))
}

// peers reads -member.
func peers(flags []string) ([]drill.Peer, error) {
	var out []drill.Peer
	for _, text := range flags {
		name, urls, ok := strings.Cut(text, "=")
		if !ok || name == "" || urls == "" {
			return nil, fmt.Errorf("-member=%s: write NAME=PEERURL, such as -member=cp1=https://10.0.0.11:2380", text)
		}
		out = append(out, drill.Peer{Name: name, PeerURLs: strings.Split(urls, ",")})
	}
	return out, nil
}

// newToken names a cluster that was not there before.
func newToken() (string, error) {
	var token [8]byte
	if _, err := rand.Read(token[:]); err != nil {
		return "", fmt.Errorf("naming the restored cluster: %w", err)
	}
	return "restored-" + hex.EncodeToString(token[:]), nil
}

func writeRecovered(env environment, directory string, r backup.Recovered) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Restored bundle %s of %s into %s:\n", r.Manifest.ID, r.Manifest.TakenAt.UTC().Format("2006-01-02 15:04:05 UTC"), directory)
	whole, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	inside := func(path string) string { return strings.TrimPrefix(path, whole+string(filepath.Separator)) }
	for _, m := range r.Members {
		fmt.Fprintf(&text, "  %-28s data directory of member %s (%s)\n", inside(m.DataDirectory), m.Name, strings.Join(m.PeerURLs, ", "))
	}
	writeCold(&text, r.Cold, inside)
	for _, n := range r.Nodes {
		fmt.Fprintf(&text, "  %-28s keys and configuration of %s; unpack at /\n", inside(n.Archive), n.Name)
	}
	if r.Database != "" {
		fmt.Fprintf(&text, "  %-28s the database of k3s: put it, alone, into /var/lib/rancher/k3s/server/db/\n", inside(r.Database))
	}
	if r.Snapshot != "" {
		fmt.Fprintf(&text, "  %-28s the snapshot itself\n", inside(r.Snapshot))
	}
	if r.Configuration != "" {
		fmt.Fprintf(&text, "  %-28s kubeadm's configuration of the cluster\n", inside(r.Configuration))
	}
	for _, gap := range r.Manifest.Gaps {
		fmt.Fprintf(&text, "The bundle lacks %s: %s\n", gap.What, gap.Why)
	}
	if r.Database != "" {
		text.WriteString("Stop k3s, unpack the keys, put the database in the place of state.db, state.db-wal and state.db-shm, start k3s.\n")
	}
	text.WriteString("Nothing was started. docs/disaster-recovery.md says how to go on. All of this is in the clear: remove it when the cluster is back.\n")
	_, err = io.WriteString(env.stdout, text.String())
	return err
}
