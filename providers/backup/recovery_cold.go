package backup

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/providers/backup/bundle"
	"upkeep/providers/node/protocol"
)

// RecoveredCold is the data directory of a member of etcd as it lay, stopped, on a node.
type RecoveredCold struct {
	Node          string `json:"node"`
	DataDirectory string `json:"data_directory"`
	// From is where it lay; it belongs there, on that node and on no other.
	From     string `json:"from"`
	MemberID string `json:"member_id"`
	// Term and Index are of the last entry of its log. Newest: none goes further.
	Term   uint64 `json:"term"`
	Index  uint64 `json:"index"`
	Newest bool   `json:"newest,omitempty"`
}

// coldCheck reads the data directories in a bundle and compares each file with what its node read.
type coldCheck struct {
	reports map[string]protocol.ColdReport
	broken  map[string]error
}

// part reads one part; any other part than a data directory is left alone.
func (c *coldCheck) part(part *bundle.PartReader) error {
	node, ok := coldNode(part.Name())
	if !ok {
		return nil
	}
	return c.read(part, node, nil)
}

// coldNode returns the node in the name of a part.
func coldNode(part string) (string, bool) {
	name, ok := strings.CutPrefix(part, coldParts)
	node, tar := strings.CutSuffix(name, ".tar")
	return node, ok && tar && checkComponent("node", node) == nil
}

// read reads the data directory of a node. One that is not whole is remembered, and is an error only where the manifest, which
// comes later, does not say so too.
func (c *coldCheck) read(part io.Reader, node string, use func(name string, file io.Reader) error) error {
	if c.reports == nil {
		c.reports, c.broken = map[string]protocol.ColdReport{}, map[string]error{}
	}
	report, err := readCold(part, use)
	if err == nil {
		c.reports[node] = report
		return nil
	}
	c.broken[node] = err
	_, err = io.Copy(io.Discard, part)
	return err
}

// against compares what was read with the manifest: a part that is not whole is a gap of it, and something is whole.
func (c *coldCheck) against(m bundle.Manifest) error {
	for _, node := range slices.Sorted(maps.Keys(c.broken)) {
		gap := func(g bundle.Gap) bool { return g.What == coldGap(node) }
		if !slices.ContainsFunc(m.Gaps, gap) {
			return fmt.Errorf("%w: the data of the member on %s: %w", bundle.ErrDamaged, node, c.broken[node])
		}
	}
	if len(c.reports) == 0 {
		return fmt.Errorf("%w: it has no member's data", bundle.ErrManifest)
	}
	return nil
}

// coldRecovery writes the data directories of a bundle of cold copies.
type coldRecovery struct {
	coldCheck
	directory string
}

// part writes a data directory below etcd/, as an etcd starts from it.
func (c *coldRecovery) part(part *bundle.PartReader) error {
	node, ok := coldNode(part.Name())
	if !ok {
		return fmt.Errorf("%w: %q is no node's", bundle.ErrForeign, part.Name())
	}
	at := filepath.Join(c.directory, "etcd", node)
	for _, below := range []string{"member/snap", "member/wal"} {
		if err := os.MkdirAll(filepath.Join(at, filepath.FromSlash(below)), 0o700); err != nil {
			return err
		}
	}
	var local error // why it could not be written here
	err := c.read(part, node, func(name string, file io.Reader) error {
		local = create(filepath.Join(at, filepath.FromSlash(name)), func(w io.Writer) error { _, err := io.Copy(w, file); return err })
		return local
	})
	if err != nil {
		return err
	}
	if _, whole := c.reports[node]; whole {
		return nil
	}
	var cannot *os.PathError
	if errors.As(local, &cannot) {
		return local
	}
	return os.RemoveAll(at)
}

// found describes what was written, by node.
func (c *coldRecovery) found(directory string) (out []RecoveredCold) {
	for _, node := range slices.Sorted(maps.Keys(c.reports)) {
		r := c.reports[node]
		out = append(out, RecoveredCold{
			Node: node, DataDirectory: filepath.Join(directory, "etcd", node), From: r.Directory, MemberID: r.MemberID, Term: r.Term, Index: r.Index,
		})
	}
	for i := range out {
		further := func(o RecoveredCold) bool {
			return o.Term > out[i].Term || o.Term == out[i].Term && o.Index > out[i].Index
		}
		out[i].Newest = !slices.ContainsFunc(out, further)
	}
	return out
}
