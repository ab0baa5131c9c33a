package backup

import (
	"archive/tar"
	stdbytes "bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// take takes one bundle and proves it.
type take struct{ tools Tools }

// Run streams a snapshot from a healthy member into a new bundle, adds the files of every node, proves what can be proved
// before the bundle appears under its name, reads the stored bundle back, and remembers the proof.
func (o take) Run(ctx context.Context, step providers.Step, progress providers.Progress) (err error) {
	spec, inventory, err := o.tools.open(step)
	if err != nil {
		return err
	}
	in, err := o.tools.Look(ctx, step)
	if err != nil {
		return err
	}
	if _, err := spec.opens(); err != nil { // before anything is read
		return err
	}
	from, why, err := source(in.World)
	if err != nil {
		return err
	}
	spec.Include = from.include(spec.Include)
	id, err := o.tools.newID(spec.Address(), clusterOf(in.World))
	if err != nil {
		return err
	}
	t := taker{Tools: o.tools, spec: spec, in: in, from: from, member: from.member, progress: progress}
	if spec.Verify == LevelRestore {
		if t.drill, err = o.tools.drillOptions(spec, in); err != nil {
			return err
		}
		var remove func() error
		if t.directory, remove, err = WorkDirectory(t.drill); err != nil {
			return err
		}
		t.drill.Directory = t.directory
		defer func() { err = errors.Join(err, remove()) }()
	}
	progress.Say("bundle %s from %s: %s", id, from.node, why)
	taken := o.tools.Now().UTC()
	label, err := o.tools.save(ctx, inventory, spec, id, func(w *bundle.Writer) (bundle.Manifest, error) {
		m, err := t.fill(ctx, w)
		m.ID, m.TakenAt = id, taken
		return m, err
	})
	if err != nil {
		return err
	}
	progress.Say("%s", storedIn(inventory, spec, label))
	return o.tools.Remember(ctx, spec.Address(), adding(spec.Address(), facts.Proof{
		Bundle: id, Address: spec.Address().String(), SHA256: label.StoredSHA256, Level: spec.Verify, At: o.tools.Now().UTC(), TakenAt: taken,
		Store: spec.Store.String(), ClusterID: label.ClusterID, Revision: label.Revision, Keys: label.Keys,
		LabelSHA256: label.Facts().LabelSHA256,
	}))
}

// drillOptions returns how snapshots are restored, and refuses a drill on a control plane that nobody allowed.
func (t Tools) drillOptions(spec Spec, in providers.Input) (drill.Options, error) {
	nodes, _ := in.Inventory.Select(spec.Nodes)
	for _, n := range nodes {
		if t.Here != nil && !spec.DrillOnControlPlane && t.Here(in.World.Node(n.Name)) {
			return drill.Options{}, fmt.Errorf("upkeep runs on %s, and a restore drill there takes as much memory and disk as etcd itself has; run upkeep elsewhere, or write drill_on_control_plane = true or verify = \"hash\" in the block of %s (%s)", n.Name, spec.Address(), spec.Position)
		}
	}
	return t.Drill()
}

// taker fills one bundle.
type taker struct {
	Tools
	spec      Spec
	in        providers.Input
	from      origin
	member    facts.Member // where it is etcd
	drill     drill.Options
	directory string // for a drill's file
	progress  providers.Progress
}

func (t taker) fill(ctx context.Context, w *bundle.Writer) (bundle.Manifest, error) {
	m := bundle.Manifest{
		Address: t.spec.Address().String(), Upkeep: t.Version, Datastore: "etcd", Member: t.member.Name,
		Authority: identityOf(t.in).Authority, KubeSystemUID: t.in.World.Kubernetes.UID, Versions: map[string]string{},
	}
	if v := t.in.World.Kubernetes.Version; v != "" {
		m.Versions["kubernetes"] = v
	}
	save := t.snapshot
	if t.from.sqlite() {
		save = t.copyDatabase
	}
	if err := save(ctx, w, &m); err != nil {
		return m, err
	}
	if err := t.nodes(ctx, w, &m); err != nil {
		return m, err
	}
	if err := t.provider(ctx, w, &m); err != nil {
		return m, err
	}
	return m, t.configuration(w, &m)
}

// provider adds the objects of the cluster's own services, such as an Akash provider's.
func (t taker) provider(ctx context.Context, w *bundle.Writer, m *bundle.Manifest) error {
	if t.Provider == nil || t.in.World.Kubernetes.Unknown != "" {
		return nil
	}
	objects, failed := t.Provider(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if err := add(w, ProviderPart(name), objects[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		m.Gaps = append(m.Gaps, bundle.Gap{What: name, Why: failed[name]})
	}
	return nil
}

// snapshot streams the snapshot into the bundle, and for a drill into a file beside it, and proves it.
func (t taker) snapshot(ctx context.Context, w *bundle.Writer, m *bundle.Manifest) (err error) {
	var snapshot etcd.Snapshot
	part, err := w.SummedPart(SnapshotPart, func() string { return snapshot.File })
	if err != nil {
		return err
	}
	into, file := io.Writer(part), ""
	if t.directory != "" {
		file = filepath.Join(t.directory, "snapshot.db")
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		into = io.MultiWriter(part, f)
	}
	// Members are asked for their hashes while the stream runs: a slow one takes longer than Kubernetes keeps a revision.
	asking, stop := context.WithCancel(ctx)
	defer stop()
	question := etcd.Question{Canaries: canaries}
	compared := make(chan comparison, 1)
	snapshot, err = etcd.StreamSnapshot(ctx, t.member.Node, t.Etcd, into, func(begun etcd.Snapshot) {
		question.Revision = begun.RevisionAtStart
		go func() { compared <- t.compareMembers(asking, question) }()
	})
	if err != nil {
		stop()
		if question.Revision > 0 {
			<-compared
		}
		return err
	}
	if err := part.Close(); err != nil {
		stop()
		<-compared
		return err
	}
	t.progress.Say("snapshot of %s from %s, SHA-256 as the member sent it", bytes(snapshot.Size), t.member.Node)
	members := <-compared
	if members.err != nil {
		return members.err
	}
	for _, line := range members.said {
		t.progress.Say("%s", line)
	}
	saved := members.saved
	if snapshot.ClusterID != t.in.World.Etcd.ClusterID {
		return fmt.Errorf("the member on %s belongs to cluster %s, and this is cluster %s", t.member.Node, snapshot.ClusterID, t.in.World.Etcd.ClusterID)
	}
	m.ClusterID, m.MemberID, m.Versions["etcd"] = snapshot.ClusterID, snapshot.Member, snapshot.Version
	m.Revision, m.Keys, m.Hash, m.HashRevision = saved.Revision, saved.Keys, saved.Hash, saved.Revision
	m.Members, m.Alarms = membersNow(t.in.World.Etcd)
	if file == "" {
		return nil
	}
	found, err := drill.Verify(ctx, t.drill, file, "")
	if err != nil {
		return err
	}
	if found.Revision < saved.Revision {
		return fmt.Errorf("the snapshot ends at revision %d, and the member had %d before", found.Revision, saved.Revision)
	}
	return t.rehearse(ctx, file, question, saved)
}

// membersNow returns the members and the alarms of etcd, for the manifest.
func membersNow(e facts.Etcd) (members []bundle.Member, alarms []string) {
	names := map[string]string{}
	for _, m := range e.Members {
		members = append(members, bundle.Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, Learner: m.Learner})
		names[m.ID] = m.Name
	}
	for _, a := range e.Alarms {
		alarms = append(alarms, strings.TrimSpace(a.Type+" on member "+names[a.Member]+" "+a.Member))
	}
	return members, alarms
}

// comparison is what the members hold at one revision, and what is to be said of it.
type comparison struct {
	saved etcd.Contents
	said  []string
	err   error
}

// compareMembers asks the source and every other member that answers for what they hold at one revision, all at once, and
// wants the same of all.
func (t taker) compareMembers(ctx context.Context, q etcd.Question) (out comparison) {
	members := []facts.Member{t.member}
	for _, other := range t.in.World.Etcd.Members {
		if other.ID != t.member.ID && other.Node != "" && other.Unknown == "" && !other.Learner {
			members = append(members, other)
		}
	}
	held, silence := make([]etcd.Contents, len(members)), make([]error, len(members))
	var asked sync.WaitGroup
	for i, m := range members {
		asked.Go(func() { held[i], silence[i] = etcd.Read(ctx, m.Node, t.Etcd, q) })
	}
	asked.Wait()
	out.saved = held[0]
	switch {
	case ctx.Err() != nil:
		out.err = context.Cause(ctx)
		return out
	case silence[0] != nil:
		out.err = fmt.Errorf("what %s holds cannot be compared: %w", t.member.Name, silence[0])
		return out
	}
	same, silent := 1, []string(nil)
	for i, other := range members[1:] {
		if err := silence[i+1]; err != nil {
			silent = append(silent, err.Error())
			continue
		}
		if different := etcd.Differences(out.saved, held[i+1]); len(different) > 0 {
			out.err = fmt.Errorf("members %s and %s hold different data; no bundle is taken, since nobody knows which is right: %s",
				t.member.Name, other.Name, strings.Join(different, "; "))
			return out
		}
		same++
	}
	if len(silent) > 0 {
		out.said = append(out.said, "not compared: "+strings.Join(silent, "; "))
	}
	out.said = append(out.said, fmt.Sprintf("revision %d, %d keys, the same on %s", out.saved.Revision, out.saved.Keys, count(same, "member")))
	return out
}

// rehearse restores the snapshot, starts etcd from it and compares.
func (t taker) rehearse(ctx context.Context, file string, q etcd.Question, saved etcd.Contents) error {
	restored, err := drill.Drill(ctx, t.drill, file, q, saved.CompactRevision)
	if err != nil {
		return err
	}
	if different := etcd.Differences(saved, restored); len(different) > 0 {
		return fmt.Errorf("the restored copy is not what was saved: %s", strings.Join(different, "; "))
	}
	t.progress.Say("restored it: etcd started from it and holds the same %d keys, hash %08x", restored.Keys, restored.Hash)
	return os.Remove(file)
}

// configuration adds kubeadm's configuration as the cluster has it.
func (t taker) configuration(w *bundle.Writer, m *bundle.Manifest) error {
	k := t.in.World.Kubernetes
	if t.from.sqlite() {
		return nil // kubeadm made none of it
	}
	if k.ClusterConfiguration == "" {
		for _, why := range []string{k.ClusterConfigurationUnknown, k.Unknown} {
			if why != "" {
				m.Gaps = append(m.Gaps, bundle.Gap{What: "kubeadm's configuration", Why: why})
				break
			}
		}
		return nil
	}
	return add(w, ConfigurationPart, []byte(k.ClusterConfiguration))
}

func add(w *bundle.Writer, name string, data []byte) error {
	part, err := w.Part(name)
	if err != nil {
		return err
	}
	if _, err := part.Write(data); err != nil {
		return err
	}
	return part.Close()
}

// archiveLimit bounds what is held in memory of one node's files; the helper sends no more than half of it.
const archiveLimit = 64 << 20

// nodes adds the files of each node. What of a node is missing is a gap with its reason, never an error: the snapshot is
// worth having without it.
func (t taker) nodes(ctx context.Context, w *bundle.Writer, m *bundle.Manifest) error {
	nodes, incomplete := t.in.Inventory.Select(t.spec.Nodes)
	if incomplete != "" {
		m.Gaps = append(m.Gaps, bundle.Gap{What: "nodes that are not known", Why: incomplete})
	}
	reports := map[string]protocol.CollectReport{}
	for _, n := range nodes {
		archive, report, err := t.collect(ctx, n.Name)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			m.Gaps = append(m.Gaps, bundle.Gap{What: "keys and configuration of " + n.Name, Why: err.Error()})
			t.progress.Say("a gap: keys and configuration of %s: %v", n.Name, err)
			continue
		}
		if err := add(w, NodePart(n.Name), archive); err != nil {
			return err
		}
		reports[n.Name] = report
		for _, gap := range report.Gaps {
			m.Gaps = append(m.Gaps, bundle.Gap{What: n.Name, Why: gap})
		}
		t.progress.Say("%s of %s", count(report.Files, "file"), n.Name)
	}
	for _, p := range t.spec.Include {
		for _, node := range t.from.missed(p, missing(reports, p), len(reports)) {
			m.Gaps = append(m.Gaps, bundle.Gap{What: p + " of " + node, Why: "there is no such path"})
		}
	}
	for _, n := range nodes {
		if report, ok := reports[n.Name]; ok && report.Files == 0 {
			m.Gaps = append(m.Gaps, bundle.Gap{What: "keys and configuration of " + n.Name, Why: "none of the paths of include is there"})
		}
	}
	return nil
}

// missing returns the nodes that lack a path, sorted.
func missing(reports map[string]protocol.CollectReport, path string) (nodes []string) {
	for node, report := range reports {
		if slices.Contains(report.Missing, path) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// collect reads a node's archive, whole, and its report.
func (t taker) collect(ctx context.Context, node string) (archive []byte, report protocol.CollectReport, err error) {
	if why := t.in.World.Node(node).Unknown; why != "" {
		return nil, report, errors.New(why)
	}
	stream, err := t.Files(ctx, node, protocol.CollectRequest{Paths: t.spec.Include})
	if err != nil {
		return nil, report, err
	}
	defer stream.Close()
	archive, err = io.ReadAll(io.LimitReader(stream, archiveLimit+1))
	switch {
	case err != nil:
		return nil, report, err
	case len(archive) > archiveLimit:
		return nil, report, fmt.Errorf("it sent more than %s", bytes(archiveLimit))
	}
	if report, err = readReport(archive); err != nil {
		return nil, report, err
	}
	var admitted stdbytes.Buffer
	leftOut, err := admit(&admitted, stdbytes.NewReader(archive), true)
	report.Gaps = append(report.Gaps, leftOut...)
	return admitted.Bytes(), report, err
}

// readReport reads the report at the end of an archive, and every entry before it: an archive that is cut off has none.
func readReport(archive []byte) (report protocol.CollectReport, err error) {
	in := tar.NewReader(stdbytes.NewReader(archive))
	for {
		entry, err := in.Next()
		if err == io.EOF {
			return report, errors.New("what it sent is cut off")
		}
		if err != nil {
			return report, fmt.Errorf("what it sent is no archive: %w", err)
		}
		if entry.Name != protocol.CollectReportName {
			continue
		}
		if err := decodeReport(in, &report); err != nil {
			return report, fmt.Errorf("its report cannot be read: %w", err)
		}
		if _, err := in.Next(); err != io.EOF {
			return report, errors.New("something follows its report")
		}
		return report, nil
	}
}
