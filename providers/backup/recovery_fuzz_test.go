package backup

import (
	"archive/tar"
	stdbytes "bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/providers/backup/bundle"
	"upkeep/providers/node/protocol"
)

// What entries of a node's archive are made of; the empty name, target and text stand for what the fuzzer gives.
var (
	fuzzNames = []string{
		"", "etc/kubernetes/", "etc/kubernetes/pki/ca.key", "etc/kubernetes/pki", "etc/kubernetes/manifests/etcd.yaml", "etc/etcd.env",
		"/etc/kubernetes/x", "etc/kubernetes/../shadow", protocol.CollectReportName,
		protocol.ColdDatabase, "member/wal/0000000000000000-0000000000000000.wal", "member/snap/../../x",
	}
	fuzzTypes = []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo}
	fuzzModes = []int64{0o600, 0o644, 0o777, 0o4755, 0o2755, 0o1777}
	fuzzTexts = []string{"", manifestOfCP1, environmentOf2, "key"}
	fuzzLinks = []string{"", "pki", "/etc/kubernetes/pki", "../shadow", "/etc/cron.d", "pki/../../shadow"}
)

const fuzzEntry = 4 // bytes: name, type and mode, target, text

// framed makes an archive, well framed, of at most 12 entries. Cold: its last entry is a report that fits.
func framed(t *testing.T, entries []byte, name, link, text string, cold bool) []byte {
	var out stdbytes.Buffer
	w := tar.NewWriter(&out)
	var report protocol.ColdReport
	pick := func(list []string, i byte, own string) string {
		if chosen := list[int(i)%len(list)]; chosen != "" {
			return chosen
		}
		return own
	}
	for e := range slices.Chunk(entries[:min(len(entries), 12*fuzzEntry)], fuzzEntry) {
		if len(e) < fuzzEntry {
			break
		}
		content := pick(fuzzTexts, e[3], text)
		h := &tar.Header{
			Name: pick(fuzzNames, e[0], name), Typeflag: fuzzTypes[int(e[1]&15)%len(fuzzTypes)], Mode: fuzzModes[int(e[1]>>4)%len(fuzzModes)],
			Uid: int(e[2] >> 4), ModTime: time.Unix(0, 0),
		}
		switch h.Typeflag {
		case tar.TypeReg:
			h.Size = int64(len(content))
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = pick(fuzzLinks, e[2]&15, link)
		}
		if w.WriteHeader(h) != nil { // no archive can hold such an entry
			w = tar.NewWriter(&out)
			continue
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
		sum := sha256.Sum256([]byte(content))
		report.Files = append(report.Files, protocol.ColdFile{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum[:])})
	}
	if cold {
		data, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: protocol.ColdReportName, Mode: 0o600, Size: int64(len(data))}) == nil {
			w.Write(data)
		}
	}
	w.Close()
	return out.Bytes()
}

// FuzzUnpack: whatever somebody puts into a bundle whose framing and sums are right, a restore writes plain files of the operator
// alone below its directory, and archives that root may unpack.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{2, 0, 0, 3, 4, 0, 0, 1}, "", "", "", []byte{9, 0, 0, 3, 10, 0, 0, 3})
	f.Add([]byte{5, 0, 0, 2, 3, 2, 3, 0}, "etc/kubernetes/l", "", "ETCD_NAME=../x\n", []byte{9, 0, 0, 3, 9, 0, 0, 3})
	f.Add([]byte{1, 1, 0, 0, 0, 0x32, 0, 0, 7, 0, 0, 3}, "etc/kubernetes/pki", "/etc", "", []byte{9, 2, 4, 0, 11, 0, 0, 3})
	f.Add([]byte{0, 0x30, 0, 3, 0, 0x30, 0, 3}, "etc/kubernetes/setuid", "", "", []byte{})
	f.Fuzz(func(t *testing.T, ofNode []byte, name, link, text string, ofMember []byte) {
		for _, cold := range []bool{false, true} {
			parts := []namedPart{{NodePart("cp1"), framed(t, ofNode, name, link, text, false)}, {ConfigurationPart, []byte(text)}}
			if cold {
				parts = append(parts, namedPart{coldParts + "cp1.tar", framed(t, ofMember, name, link, text, true)})
			} else {
				parts = append(parts, namedPart{SnapshotPart, snapshotOf(1)})
			}
			b := writeBundle(t, "daily-1", "", parts...)
			parent := t.TempDir()
			directory := filepath.Join(parent, "out")
			if err := os.Mkdir(directory, 0o700); err != nil {
				t.Fatal(err)
			}
			recovery := coldRecovery{directory: directory}
			nodes, _, err := Recovery{Stored: stdbytes.NewReader(b.data), Label: b.label}.unpack(t.Context(), directory, &recovery)
			checkUnpacked(t, parent)
			if err != nil {
				continue
			}
			members, err := membersOf(directory, nodes)
			for _, m := range members {
				if at := filepath.Join(directory, "etcd", m.Name); err == nil && checkComponent("member", m.Name) == nil && filepath.Dir(at) != filepath.Join(directory, "etcd") {
					t.Fatalf("member %q leads to %s", m.Name, at)
				}
			}
		}
	})
}

// checkUnpacked holds what lies in a directory to what a restore promises.
func checkUnpacked(t *testing.T, parent string) {
	t.Helper()
	err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		below, _ := filepath.Rel(parent, path)
		if below != "." && below != "out" && !strings.HasPrefix(below, "out"+string(filepath.Separator)) {
			t.Fatalf("%s was written", below)
		}
		if below == "." || d.IsDir() {
			return nil
		}
		if !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s has mode %v", below, info.Mode())
		}
		if !strings.HasPrefix(below, filepath.Join("out", "nodes")) {
			return nil
		}
		archive, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// What was admitted is admitted again, whole; an archive that broke off is no matter: the restore failed.
		if leftOut, err := admit(io.Discard, stdbytes.NewReader(archive), false); err == nil && len(leftOut) > 0 {
			t.Fatalf("%s holds %q", below, leftOut)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The fuzzer's bundles are read to their end: a framing that is refused at once would prove nothing.
func TestFuzzedBundlesAreWellFramed(t *testing.T) {
	archive := framed(t, []byte{9, 0, 0, 3, 10, 0, 0, 3}, "", "", "", true)
	b := writeBundle(t, "daily-1", "", namedPart{coldParts + "cp1.tar", archive})
	var cold coldCheck
	if _, _, err := bundle.Verify(stdbytes.NewReader(b.data), b.label, bundle.Identities{}, func(p *bundle.PartReader) error { return cold.part(p) }); err != nil {
		t.Fatal(err)
	}
	if len(cold.reports) != 1 || len(cold.broken) > 0 {
		t.Errorf("read %v, broken %v", cold.reports, cold.broken)
	}
}
