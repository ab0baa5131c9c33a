package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/plain"
)

func backupRestoreCommand(env environment) *cli.Command {
	flags := append(configurationFlags(), identityFlag(), publicKeyFlag(),
		&cli.StringFlag{Name: "accept", Usage: "restore a bundle that does not count, named in full, for this `REASON`"},
		&cli.StringFlag{Name: "to", Usage: "write into the new directory `DIR`"},
		&cli.StringSliceFlag{Name: "member", Usage: "a member of the restored cluster, `NAME=PEERURL[,PEERURL]`; may be repeated. Default: those that the nodes in the bundle ran"},
		&cli.Uint64Flag{Name: "bump-revision", Value: drill.SuggestedBump, Usage: "add `N` to the newest revision, so that no revision that a client has seen is used a second time; 0: do not"},
		&cli.BoolFlag{Name: "mark-compacted", Value: true, Usage: "end every earlier watch, so that clients list again; used with -bump-revision"},
		jsonFlag(),
	)
	return &cli.Command{
		Name: "restore", Usage: "write data directories and keys from a bundle, to bring a cluster back",
		ArgsUsage: "BUNDLE",
		Description: bundleArgument + " A file needs neither configuration nor store; a snapshot that etcdctl wrote is taken, too. " +
			"`latest` is the newest bundle that is authentic, proved and of this cluster. Any other one needs its full name and a reason: -accept=REASON. " +
			"Writes for each member a data directory that its etcd starts from; for a k3s server with SQLite its database. Writes for each node an archive of its keys and configuration. It starts nothing and touches no " +
			"running member: docs/disaster-recovery.md says how to go on. What it writes is in the clear, every Secret of the cluster included: remove it afterwards.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.String("to") == "" {
				return usage(cmd, "backup restore needs the directory to write into: -to=DIR")
			}
			if cmd.String("accept") != "" && cmd.Args().First() == latest {
				return usage(cmd, "-accept is for a bundle that is named in full, and `latest` is none")
			}
			r := backup.Recovery{
				Directory: cmd.String("to"), Bump: cmd.Uint64("bump-revision"), MarkCompacted: cmd.Bool("mark-compacted"),
				Progress: func(line string) { fmt.Fprintln(env.stderr, plain.Line(line)) },
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
			b, err := findBundle(ctx, env, cmd, cmd.String("identity"))
			if err != nil {
				return err
			}
			if err := b.admit(cmd.String("accept")); err != nil {
				return err
			}
			if b.judged.Status != backup.Proved {
				fmt.Fprintf(env.stderr, "Note: bundle %s is %s: %s\n", b.judged.ID, b.judged.Status, b.judged.Why)
			}
			sweepWorkDirectories(env, b.desired)
			identityFile := cmd.String("identity")
			if identityFile == "" {
				identityFile = b.spec.IdentityFile
			}
			if r.Identities, err = identities(identityFile); err != nil {
				return err
			}
			r.Label, r.Plain = b.label, b.plain
			if bumped := cmd.IsSet("bump-revision") || cmd.IsSet("mark-compacted"); bumped && (r.Label.Cold || r.Label.Datastore == backup.DatastoreSQLite) {
				return fmt.Errorf("bundle %s holds no snapshot of etcd, and only one of etcd can be given other revisions: leave -bump-revision and -mark-compacted out; docs/disaster-recovery.md says what to restart instead", r.Label.ID)
			}
			written := &halfWritten{}
			r.Writes = written.note
			ctx, release, err := cleanUpOnSignal(ctx, env, "Interrupt: the restore stops, and what it has written is removed. "+
				"Interrupt again to stop at once.", written.left)
			if err != nil {
				return err
			}
			defer release()
			stored, err := b.get(ctx) // a store that hangs waits no longer than ctx
			if err != nil && ctx.Err() != nil {
				return errInterrupted
			}
			if err != nil {
				return err
			}
			defer stored.Close()
			r.Stored = readerUntil{ctx, stored}
			recovered, err := backup.Recover(ctx, r)
			if err != nil && ctx.Err() != nil {
				return written.interrupted()
			}
			if b.plain {
				recovered.Manifest.ID = b.place
			}
			if err != nil {
				return fmt.Errorf("bundle %s: %w", b.judged.ID, err)
			}
			if cmd.Bool("json") {
				return report.JSON(env.stdout, recovered)
			}
			return writeRecovered(env, cmd.String("to"), recovered)
		},
	}
}

// halfWritten is the directory that a restore writes into until it is complete.
type halfWritten struct{ directory atomic.Value }

func (h *halfWritten) note(directory string) { h.directory.Store(directory) }

// there returns the directory; empty where nothing is left of it.
func (h *halfWritten) there() string {
	directory, _ := h.directory.Load().(string)
	if _, err := os.Lstat(directory); directory == "" || err != nil {
		return ""
	}
	return directory
}

// left says what a restore leaves that ends at once.
func (h *halfWritten) left() string {
	directory := h.there()
	if directory == "" {
		return "Nothing was written."
	}
	return "Keys and Secrets that were restored so far are left in the clear. Remove them:\n  rm -r " +
		providers.ShellWord(directory)
}

// interrupted is the error of a restore that a signal has ended.
func (h *halfWritten) interrupted() error {
	if h.there() == "" {
		return errInterrupted
	}
	return exit{exitInterrupted, fmt.Errorf("%w, and the restore could not remove its files. %s", errInterrupted, h.left())}
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
	fmt.Fprintf(text, "These are cold copies of stopped members: nothing proves that etcd starts from them. With copies of more than half of the members, put each back on its "+
		"node and start all members. With fewer copies, start only the newest (%s), once, with --force-new-cluster. Then join the other members with empty directories. "+
		"Never mix them with a directory from a snapshot.\n", newest)
}

// memberName is what a member may be called: its data directory has the same name.
var memberName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// peers reads -member.
func peers(flags []string) ([]drill.Peer, error) {
	var out []drill.Peer
	for _, text := range flags {
		name, urls, ok := strings.Cut(text, "=")
		if !ok || name == "" || urls == "" {
			return nil, fmt.Errorf("-member=%s: write NAME=PEERURL, such as -member=cp1=https://10.0.0.11:2380", text)
		}
		if !memberName.MatchString(name) {
			return nil, fmt.Errorf("-member=%s: %q is not the name of a member: write letters, digits, points and hyphens", text, name)
		}
		for u := range strings.SplitSeq(urls, ",") {
			parsed, err := url.Parse(u)
			if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Port() == "" || parsed.User != nil {
				return nil, fmt.Errorf("-member=%s: %q is not a peer URL, such as https://10.0.0.11:2380", text, u)
			}
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
	plain.In(&r, plain.Line) // the manifest lay in the bundle
	var text strings.Builder
	if r.Manifest.TakenAt.IsZero() {
		fmt.Fprintf(&text, "Restored the snapshot %s into %s:\n", r.Manifest.ID, directory)
	} else {
		fmt.Fprintf(&text, "Restored bundle %s of %s into %s:\n", r.Manifest.ID, r.Manifest.TakenAt.UTC().Format("2006-01-02 15:04:05 UTC"), directory)
	}
	for _, alarm := range r.Manifest.Alarms {
		fmt.Fprintf(&text, "  Alarm %s was raised when it was taken, and the restored cluster has it, too: docs/disaster-recovery.md\n", plain.Told(alarm))
	}
	whole, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	inside := func(path string) string { return strings.TrimPrefix(path, whole+string(filepath.Separator)) }
	for _, m := range r.Members {
		fmt.Fprintf(&text, "  %-28s data directory of member %s (%s)\n", inside(m.DataDirectory), m.Name, plain.Told(strings.Join(m.PeerURLs, ", ")))
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
		fmt.Fprintf(&text, "The bundle lacks %s: %s\n", plain.Told(gap.What), plain.Told(gap.Why))
	}
	if r.Database != "" {
		text.WriteString("Stop k3s, unpack the keys, put the database in the place of state.db, state.db-wal and state.db-shm, start k3s.\n")
	}
	text.WriteString("Nothing was started. docs/disaster-recovery.md says how to go on. All of this is in the clear: remove it when the cluster is back.\n")
	_, err = io.WriteString(env.stdout, text.String())
	return err
}
