package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// Recovery asks for the content of a bundle, made ready for the machines of a cluster that is to come back.
type Recovery struct {
	// Stored is the bundle as its store has it, Label what lies next to it there.
	Stored     io.Reader
	Label      bundle.Label
	Identities bundle.Identities
	// Plain: Stored is no bundle but a snapshot as etcdctl writes it, and there is no label.
	Plain bool
	// Directory must not exist or be empty. It appears complete, 0700, or not at all.
	Directory string
	// Members are those of the restored cluster; none: those that the nodes in the bundle ran.
	Members []drill.Peer
	// Token is new for each recovery, so that members of the old cluster are strangers.
	Token string
	// Bump and MarkCompacted are as in drill.Restoration.
	Bump          uint64
	MarkCompacted bool
	Drill         drill.Options
	// Progress is told what is in progress.
	Progress func(line string)
	// Writes is told the path that is written into until all is there; nil: nobody is.
	Writes func(directory string)
}

// Recovered is what is in the directory of a recovery afterwards.
type Recovered struct {
	Manifest bundle.Manifest `json:"manifest"`
	// Snapshot is the path of etcd's snapshot; Configuration that of kubeadm's configuration, empty where the bundle has none.
	Snapshot      string `json:"snapshot,omitempty"`
	Configuration string `json:"configuration,omitempty"`
	// Cold are the data directories of a bundle of cold copies; there is then no Snapshot, and there are no Members.
	Cold []RecoveredCold `json:"cold,omitempty"`
	// Database is the path of k3s's database, where the bundle has one and no snapshot.
	Database string `json:"database,omitempty"`
	// Members have a data directory each; Nodes an archive of keys and configuration each.
	Members []RecoveredMember `json:"members"`
	Nodes   []RecoveredNode   `json:"nodes"`
}

// RecoveredMember is a data directory that an etcd of this name starts from.
type RecoveredMember struct {
	drill.Peer
	DataDirectory string `json:"data_directory"`
}

// RecoveredNode is the keys and the configuration of one node: a tar archive whose paths are relative to /.
type RecoveredNode struct {
	Name    string `json:"name"`
	Archive string `json:"archive"`
}

// Recover reads a bundle, checks all of it, and writes what a cluster needs to come back: for each member a data directory,
// for each node an archive of its keys and configuration. It starts nothing and touches no machine but this one.
//
// What it writes is in the clear: every Secret of the cluster and the keys of its authorities. The directory is its owner's
// alone, and it is the caller's to remove.
func Recover(ctx context.Context, r Recovery) (out Recovered, err error) {
	for _, m := range r.Members {
		if err := checkComponent("member", m.Name); err != nil {
			return out, err
		}
	}
	whole, err := emptyDirectory(r.Directory)
	if err != nil {
		return out, err
	}
	r.sayLeft(whole)
	partial, err := os.MkdirTemp(filepath.Dir(whole), "."+filepath.Base(whole)+partialMark)
	if err != nil {
		return out, err
	}
	if r.Writes != nil {
		r.Writes(partial)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	cold := coldRecovery{directory: partial}
	nodes, manifest, err := r.unpack(ctx, partial, &cold)
	if err != nil {
		return out, err
	}
	r.say("every part is as it was written")
	if manifest.Cold && len(r.Members) > 0 {
		return out, errors.New("the bundle holds cold copies of stopped members, each with the member that it is of: -member is for bundles with a snapshot")
	}
	if manifest.Datastore == DatastoreSQLite {
		if err := r.recoverDatabase(ctx, partial, manifest); err != nil {
			return out, err
		}
	} else if len(r.Members) == 0 && !manifest.Cold {
		if r.Members, err = membersOf(partial, nodes); err != nil {
			return out, err
		}
	}
	for _, m := range r.Members { // they name directories, and may come from the bundle
		if err := checkComponent("member", m.Name); err != nil {
			return out, err
		}
	}
	for _, m := range r.Members {
		if _, err := drill.Restore(ctx, r.Drill, drill.Restoration{
			File: filepath.Join(partial, snapshotFile), DataDirectory: filepath.Join(partial, "etcd", m.Name),
			Name: m.Name, Cluster: r.Members, Token: r.Token, Bump: r.Bump, MarkCompacted: r.MarkCompacted,
		}); err != nil {
			return out, fmt.Errorf("data directory of member %s: %w", m.Name, err)
		}
		r.say("wrote the data directory of " + m.Name)
	}
	if err := os.Remove(whole); err != nil && !errors.Is(err, os.ErrNotExist) { // it is empty
		return out, err
	}
	if err := os.Rename(partial, whole); err != nil {
		return out, err
	}
	out = r.describe(whole, manifest, nodes)
	out.Cold = cold.found(whole)
	return out, nil
}

// partialMark stands behind the name of a directory that is not complete yet.
const partialMark = ".part-"

// sayLeft says what earlier recoveries into a directory left behind when they were killed: it is in the clear. Another
// one may be in progress, so nothing is removed.
func (r Recovery) sayLeft(whole string) {
	entries, err := os.ReadDir(filepath.Dir(whole))
	if err != nil {
		return // making the new directory says it
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "."+filepath.Base(whole)+partialMark) {
			r.say("a restore that did not end left keys and Secrets in the clear; where none is in progress: rm -r " +
				providers.ShellWord(filepath.Join(filepath.Dir(whole), e.Name())))
		}
	}
}

// Files of a recovery.
const (
	snapshotFile      = "snapshot.db"
	configurationFile = "kubeadm-config.yaml"
)

// emptyDirectory returns the absolute path of a directory that holds nothing.
func emptyDirectory(directory string) (string, error) {
	path, err := filepath.Abs(directory)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return path, os.MkdirAll(filepath.Dir(path), 0o700)
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", fmt.Errorf("%s is not empty, and a recovery overwrites nothing; name another directory", directory)
	}
	return path, nil
}

func (r Recovery) say(line string) {
	if r.Progress != nil {
		r.Progress(line)
	}
}

// unpack writes the parts of the bundle below a directory. Only when it returns without an error are they what was saved.
func (r Recovery) unpack(ctx context.Context, directory string, cold *coldRecovery) (nodes []string, m bundle.Manifest, err error) {
	snapshot := false
	for _, name := range []string{"etcd", "nodes"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			return nil, m, err
		}
	}
	if r.Plain {
		return nil, m, CheckSnapshot(r.Stored, filepath.Join(directory, snapshotFile))
	}
	m, opened, err := bundle.Verify(r.Stored, r.Label, r.Identities, func(part *bundle.PartReader) error {
		name, ofNode := strings.CutPrefix(part.Name(), "nodes/")
		switch {
		case part.Name() == SnapshotPart:
			snapshot = true
			check := etcd.NewChecker()
			if err := create(filepath.Join(directory, snapshotFile), func(w io.Writer) error {
				_, err := io.Copy(io.MultiWriter(w, check), part)
				return err
			}); err != nil {
				return err
			}
			_, err := check.Finish()
			return err
		case part.Name() == DatabasePart:
			snapshot = true
			if err := os.Mkdir(filepath.Join(directory, filepath.Dir(databaseFile)), 0o700); err != nil {
				return err
			}
			return create(filepath.Join(directory, databaseFile), func(w io.Writer) error { return checked(w, part) })
		case part.Name() == ConfigurationPart:
			return create(filepath.Join(directory, configurationFile), func(w io.Writer) error { _, err := io.Copy(w, part); return err })
		case ofNode && strings.HasSuffix(name, ".tar") && checkComponent("node", strings.TrimSuffix(name, ".tar")) == nil:
			nodes = append(nodes, strings.TrimSuffix(name, ".tar"))
			return create(filepath.Join(directory, "nodes", name), func(w io.Writer) error {
				leftOut, err := admit(w, part, false)
				for _, what := range leftOut {
					r.say("left out of the archive of " + strings.TrimSuffix(name, ".tar") + ": " + what)
				}
				return err
			})
		case strings.HasPrefix(part.Name(), coldParts):
			return cold.part(part)
		}
		return ctx.Err() // a part of a newer upkeep is checked and left out
	})
	switch {
	case err != nil:
		return nil, m, err
	case !opened:
		return nil, m, fmt.Errorf("%w; give the file with its age identity: -identity=FILE", bundle.ErrLocked)
	case m.Cold:
		return nodes, m, cold.against(m)
	case !snapshot:
		return nil, m, fmt.Errorf("%w: it has neither a snapshot of etcd nor a database of k3s", bundle.ErrManifest)
	}
	return nodes, m, nil
}

// create writes a new file that only its owner can read.
func create(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

func (r Recovery) describe(directory string, m bundle.Manifest, nodes []string) Recovered {
	out := Recovered{Manifest: m, Members: []RecoveredMember{}, Nodes: []RecoveredNode{}}
	switch {
	case m.Cold:
	case m.Datastore == DatastoreSQLite:
		out.Database = filepath.Join(directory, databaseFile)
	default:
		out.Snapshot = filepath.Join(directory, snapshotFile)
	}
	if _, there := m.Part(ConfigurationPart); there {
		out.Configuration = filepath.Join(directory, configurationFile)
	}
	for _, peer := range r.Members {
		out.Members = append(out.Members, RecoveredMember{peer, filepath.Join(directory, "etcd", peer.Name)})
	}
	for _, node := range nodes {
		out.Nodes = append(out.Nodes, RecoveredNode{node, filepath.Join(directory, "nodes", node+".tar")})
	}
	return out
}
