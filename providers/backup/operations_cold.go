package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/bounded"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// ColdPart is the name of the data directory of a node's stopped member in a bundle: a tar archive.
func ColdPart(node string) string { return coldParts + node + ".tar" }

const coldParts = "etcd/cold/"

// takeCold takes one bundle of cold copies.
type takeCold struct{ tools Tools }

// Run streams the data directory of each stopped member into a new bundle, adds the files of every node, and reads the stored
// bundle back. It remembers no proof, since there is none.
func (o takeCold) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	spec, inventory, err := o.tools.open(step)
	if err != nil {
		return err
	}
	in, err := o.tools.Look(ctx, step)
	if err != nil {
		return err
	}
	if !silentEtcd(in) {
		return errors.New("a member of etcd answers now, and a snapshot of it can be proved: plan again")
	}
	if _, err := spec.opens(); err != nil {
		return err
	}
	stopped, silent := stoppedMembers(in, spec.Nodes)
	if len(stopped) == 0 || o.tools.Cold == nil {
		return fmt.Errorf("no member is stopped: %s", join(silent))
	}
	cluster, err := oneCluster(stopped)
	if err != nil {
		return err
	}
	id, err := o.tools.newID(spec.Address(), cluster)
	if err != nil {
		return err
	}
	taken := o.tools.Now().UTC()
	t := taker{Tools: o.tools, spec: spec, in: in, progress: progress}
	label, err := o.tools.save(ctx, inventory, spec, id, func(w *bundle.Writer) (bundle.Manifest, error) {
		m, err := t.fillCold(ctx, w, stopped, silent)
		m.ID, m.TakenAt, m.ClusterID = id, taken, cluster
		return m, err
	})
	if err != nil {
		return err
	}
	progress.Say("%s; nothing proves it", storedIn(inventory, spec, label))
	return nil
}

func (t taker) fillCold(ctx context.Context, w *bundle.Writer, stopped []stoppedMember, silent []silentNode) (bundle.Manifest, error) {
	m := bundle.Manifest{
		Address: t.spec.Address().String(), Upkeep: t.Version, Datastore: "etcd", Cold: true,
		Unproved:  "cold copies of stopped members: no member of etcd answered (" + t.in.World.Etcd.Unknown + ")",
		Authority: identityOf(t.in).Authority, KubeSystemUID: t.in.World.Kubernetes.UID,
	}
	if v := t.in.World.Kubernetes.Version; v != "" {
		m.Versions = map[string]string{"kubernetes": v}
	}
	copied := 0
	for _, member := range stopped {
		why, err := t.copyMember(ctx, w, member)
		switch {
		case err != nil:
			return m, err
		case why != "":
			silent = append(silent, silentNode{member.node, why})
			t.progress.Say("a gap: %s: %s", coldGap(member.node), why)
		default:
			copied++
		}
	}
	if copied == 0 {
		return m, fmt.Errorf("not one member could be copied: %s", join(silent))
	}
	for _, n := range silent {
		m.Gaps = append(m.Gaps, bundle.Gap{What: coldGap(n.node), Why: n.why})
	}
	if err := t.nodes(ctx, w, &m); err != nil {
		return m, err
	}
	if err := t.provider(ctx, w, &m); err != nil {
		return m, err
	}
	return m, t.configuration(w, &m)
}

// copyMember streams one data directory into a part of its own, and hashes it once more on its way. What is wrong with the node
// is a gap; a part that broke off stays in the bundle without a report, which says that it is not whole. An error is one of
// the bundle.
func (t taker) copyMember(ctx context.Context, w *bundle.Writer, member stoppedMember) (gap string, err error) {
	stream, err := t.Cold(ctx, member.node)
	if err != nil {
		return err.Error(), context.Cause(ctx)
	}
	defer stream.Close()
	part, err := w.Part(ColdPart(member.node))
	if err != nil {
		return "", err
	}
	into := &remembering{w: part}
	report, err := readCold(io.TeeReader(stream, into), nil)
	switch {
	case into.err != nil:
		return "", into.err
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "its copy is incomplete: " + err.Error(), part.Close()
	case report.ClusterID != member.data.ClusterID:
		return "", fmt.Errorf("%s sent data of cluster %s, and had data of cluster %s", member.node, report.ClusterID, member.data.ClusterID)
	}
	total := int64(0)
	for _, f := range report.Files {
		total += f.Size
	}
	t.progress.Say("copied %s of the stopped member on %s, raft term %d, index %d", bytes(total), member.node, report.Term, report.Index)
	return "", part.Close()
}

// remembering is a writer that remembers why it failed.
type remembering struct {
	w   io.Writer
	err error
}

func (r *remembering) Write(b []byte) (n int, err error) {
	n, err = r.w.Write(b)
	r.err = errors.Join(r.err, err)
	return n, err
}

// coldReportLimit bounds the report at the end of an archive.
const coldReportLimit = 4 << 20

// readCold reads an archive of a stopped member to its end, hands each file to use where that is not nil, and compares what
// came with what the node says that it read.
func readCold(r io.Reader, use func(name string, file io.Reader) error) (report protocol.ColdReport, err error) {
	var came []protocol.ColdFile
	seen := map[string]bool{}
	in := tar.NewReader(r)
	for {
		entry, err := in.Next()
		if err == io.EOF {
			return report, errors.New("it is cut off")
		}
		if err != nil {
			return report, fmt.Errorf("it is no archive: %w", err)
		}
		if sparse(entry) {
			return report, fmt.Errorf("%.200q is a sparse file", entry.Name)
		}
		if entry.Name == protocol.ColdReportName {
			if err := decodeReport(in, &report); err != nil {
				return report, fmt.Errorf("its report cannot be read: %w", err)
			}
			break
		}
		if err := protocol.CheckCold(entry.Name); err != nil {
			return report, err
		}
		if entry.Typeflag != tar.TypeReg {
			return report, fmt.Errorf("%s is no file", entry.Name)
		}
		if seen[entry.Name] {
			return report, fmt.Errorf("%s is in it twice", entry.Name)
		}
		seen[entry.Name] = true
		sum := sha256.New()
		file := io.TeeReader(in, sum)
		if use != nil {
			if err := use(entry.Name, file); err != nil {
				return report, err
			}
		}
		if _, err := io.Copy(io.Discard, file); err != nil {
			return report, err
		}
		came = append(came, protocol.ColdFile{Name: entry.Name, Size: entry.Size, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	if _, err := in.Next(); err != io.EOF {
		return report, errors.New("something follows its report")
	}
	if err := bounded.Ended(r); err != nil {
		return report, err
	}
	return report, sameFiles(report.Files, came)
}

// sameFiles compares what a node says that it read with what came.
func sameFiles(read, came []protocol.ColdFile) error {
	if len(read) != len(came) || len(came) == 0 || came[0].Name != protocol.ColdDatabase {
		return errors.New("it does not hold the files that its report names, the database first")
	}
	for i := range read {
		if read[i] != came[i] {
			return fmt.Errorf("%s is not what the node read", came[i].Name)
		}
	}
	return nil
}

// decodeReport reads the report at the end of an archive.
func decodeReport(in io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(in, coldReportLimit+1))
	if err != nil {
		return err
	}
	if len(text) > coldReportLimit {
		return fmt.Errorf("it has more than %s", bytes(coldReportLimit))
	}
	return strictjson.Decode(text, into)
}
