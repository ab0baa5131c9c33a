package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"upkeep/providers/backup/bundle"
)

// WholeBundleJSON is one bundle in full.
type WholeBundleJSON struct {
	BundleJSON
	Store string       `json:"store"`
	Label bundle.Label `json:"label"`
}

// WholeBundleText writes a bundle, one thing a line.
func WholeBundleText(w io.Writer, b WholeBundleJSON) error {
	p := &page{}
	line := func(name, format string, args ...any) { p.line(pad(name, 11), clean(fmt.Sprintf(format, args...))) }
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
	line("stored", "%s, SHA-256 %s", Bytes(l.StoredSize), l.StoredSHA256)
	if len(l.EncryptedTo) == 0 {
		line("encrypted", "no")
	} else {
		line("encrypted", "to %s", strings.Join(l.EncryptedTo, ", "))
	}
	for _, part := range l.Parts {
		line("part", "%-28s %s", part.Name, Bytes(part.Size))
	}
	for _, gap := range l.Gaps {
		line("lacks", "%s: %s", gap.What, gap.Why)
	}
	switch {
	case b.Damaged != "":
		line("damaged", "%s", b.Damaged)
	case b.Cold:
		line("proved", "no: %s", strings.TrimPrefix(unprovedCold, "unproved: "))
		line("because", "%s", l.Unproved)
	case b.Proof == nil:
		line("proved", "no: the state remembers no proof of these bytes")
	default:
		line("proved", "by %s on %s", b.Proof.Level, b.Proof.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return p.flush(w)
}
