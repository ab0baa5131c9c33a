package backup

import (
	"archive/tar"
	stdbytes "bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/etcd/drill"
	"upkeep/providers/node/protocol"
)

// tarOf packs headers; each file holds its own name.
func tarOf(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var out stdbytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, h.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func namesIn(t testing.TB, archive []byte) (names []string) {
	t.Helper()
	for in := tar.NewReader(stdbytes.NewReader(archive)); ; {
		h, err := in.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

// hostile are entries that root must not put in place, each with a word of the reason.
var hostile = map[string]struct {
	header *tar.Header
	why    string
}{
	"a cron file":             {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/cron.d/x", Mode: 0o600}, "no place"},
	"up and out":              {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/../cron.d/x", Mode: 0o600}, "no place"},
	"far up":                  {&tar.Header{Typeflag: tar.TypeReg, Name: "../../../../escaped", Mode: 0o600}, "no place"},
	"setuid":                  {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/sh", Mode: 0o4755}, "mode is 04755"},
	"setgid directory":        {&tar.Header{Typeflag: tar.TypeDir, Name: "etc/kubernetes/d/", Mode: 0o2755}, "mode is 02755"},
	"sticky":                  {&tar.Header{Typeflag: tar.TypeDir, Name: "etc/kubernetes/d/", Mode: 0o1777}, "mode is 01777"},
	"a device":                {&tar.Header{Typeflag: tar.TypeBlock, Name: "etc/kubernetes/sda", Devmajor: 8, Mode: 0o666}, "no file"},
	"a character device":      {&tar.Header{Typeflag: tar.TypeChar, Name: "etc/kubernetes/mem", Devmajor: 1, Mode: 0o666}, "no file"},
	"a pipe":                  {&tar.Header{Typeflag: tar.TypeFifo, Name: "etc/kubernetes/pipe", Mode: 0o666}, "no file"},
	"a hard link":             {&tar.Header{Typeflag: tar.TypeLink, Name: "etc/kubernetes/shadow", Linkname: "etc/shadow", Mode: 0o600}, "no file"},
	"a link out":              {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/cron", Linkname: "/etc/cron.d", Mode: 0o777}, "out of these places"},
	"a relative link out":     {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/cron", Linkname: "../cron.d", Mode: 0o777}, "out of these places"},
	"a link that looks in":    {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/l", Linkname: "pki/../../cron.d/../kubernetes", Mode: 0o777}, "not plain"},
	"behind a link":           {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/ssl/x", Mode: 0o600}, "behind the link"},
	"twice":                   {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/pki/ca.key", Mode: 0o600}, "twice"},
	"below a file":            {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/pki/ca.key/x", Mode: 0o600}, "below the file /etc/kubernetes/pki/ca.key"},
	"a file over a directory": {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/pki", Mode: 0o600}, "other entries lie below it"},
	"a link over a directory": {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/pki", Linkname: "/var/lib/kubelet/pki", Mode: 0o777}, "other entries lie below it"},
	"twice, of another type":  {&tar.Header{Typeflag: tar.TypeDir, Name: "etc/kubernetes/pki/ca.key/", Mode: 0o700}, "twice"},
	"twice, over a link":      {&tar.Header{Typeflag: tar.TypeDir, Name: "etc/kubernetes/ssl/", Mode: 0o700}, "twice"},
	"an absolute name":        {&tar.Header{Typeflag: tar.TypeReg, Name: "/etc/passwd", Mode: 0o600}, "no place"},
	"an escape sequence":      {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/\x1b]0;x\x07", Mode: 0o600}, "cannot be shown"},
	"a text that turns":       {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/a\u202eb", Mode: 0o600}, "cannot be shown"},
	"a line of its own":       {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/a\nb", Mode: 0o600}, "cannot be shown"},
	"a link that turns":       {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/l", Linkname: "/etc/kubernetes/\x1b[2J", Mode: 0o777}, "cannot be shown"},
	"a long name":             {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/" + strings.Repeat("n", 256), Mode: 0o600}, "too long"},
	"64 KiB of a name":        {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes" + strings.Repeat("/abcdefg", 8<<10), Mode: 0o600}, "too long"},
	"GNU's long name":         {&tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/" + strings.Repeat("n", 300), Mode: 0o600, Format: tar.FormatGNU}, "too long"},
	"GNU's long link":         {&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/l", Linkname: strings.Repeat("n", 300), Mode: 0o777, Format: tar.FormatGNU}, "too long"},
	"a report that is a link": {&tar.Header{Typeflag: tar.TypeSymlink, Name: protocol.CollectReportName, Linkname: "/etc/shadow", Mode: 0o777}, "no place"},
}

// What a node or a bundle gives is put in place by root: what no take writes is left out, at take and at restore.
func TestAdmit(t *testing.T) {
	good := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc/kubernetes/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "etc/kubernetes/pki/ca.key", Mode: 0o600},
		{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/ssl", Linkname: "pki", Mode: 0o777},
		{Typeflag: tar.TypeSymlink, Name: "var/lib/kubelet/pki/current.pem", Linkname: "/var/lib/kubelet/pki/1.pem", Mode: 0o777},
	}
	report := &tar.Header{Typeflag: tar.TypeReg, Name: protocol.CollectReportName, Mode: 0o600}
	kept := []string{"etc/kubernetes/", "etc/kubernetes/pki/ca.key", "etc/kubernetes/ssl", "var/lib/kubelet/pki/current.pem"}
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			var out stdbytes.Buffer
			leftOut, err := admit(&out, stdbytes.NewReader(tarOf(t, append(append([]*tar.Header{}, good...), test.header, report)...)), false)
			if err != nil || len(leftOut) != 1 || !strings.Contains(leftOut[0], test.why) {
				t.Fatalf("left out %q, %v; want %q", leftOut, err, test.why)
			}
			if diff := cmp.Diff(kept, namesIn(t, out.Bytes())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("the report ends what a node sends", func(t *testing.T) {
		var out stdbytes.Buffer
		if leftOut, err := admit(&out, stdbytes.NewReader(tarOf(t, append(append([]*tar.Header{}, good...), report)...)), true); err != nil || len(leftOut) > 0 {
			t.Fatal(leftOut, err)
		}
		if diff := cmp.Diff(append(append([]string{}, kept...), protocol.CollectReportName), namesIn(t, out.Bytes())); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("capabilities stay behind", func(t *testing.T) {
		var out stdbytes.Buffer
		h := &tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/x", Mode: 0o700, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "all"}}
		if _, err := admit(&out, stdbytes.NewReader(tarOf(t, h)), false); err != nil || strings.Contains(out.String(), "SCHILY") {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}

// block writes one header as no well-behaved program does, with the checksum that it needs.
func block(name string, kind byte, size int, body string) []byte {
	header := make([]byte, 512)
	copy(header, name)
	copy(header[100:], "0000600\x000000000\x000000000\x00")
	copy(header[124:], fmt.Sprintf("%011o\x00%011o\x00        ", size, 0))
	header[156] = kind
	copy(header[257:], "ustar\x0000")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	text := append([]byte(body), make([]byte, (512-len(body)%512)%512)...)
	return append(header, text...)
}

// records is the body of an extended header (pax, "pax Extended Header Keyword/Value").
func records(pairs ...string) (text string) {
	for i := 0; i < len(pairs); i += 2 {
		rest := " " + pairs[i] + "=" + pairs[i+1] + "\n"
		length := len(rest) + 1
		for len(fmt.Sprint(length))+len(rest) != length {
			length++
		}
		text += fmt.Sprint(length) + rest
	}
	return text
}

// TestAdmitRaw: what only a hostile hand writes is admitted by what it comes to, or left out; never is more written than came.
func TestAdmitRaw(t *testing.T) {
	const key = "etc/kubernetes/pki/ca.key"
	extended := func(name, body string, pairs ...string) []byte {
		text := records(pairs...)
		return slices.Concat(block("x", 'x', len(text), text), block(name, '0', len(body), body))
	}
	hole := "1\n1099511627776\n0\n"
	hole += strings.Repeat("\x00", 512-len(hole))
	first, end := block(key, '0', 1, "k"), make([]byte, 1024)
	for name, test := range map[string]struct {
		archive []byte
		names   []string
		leftOut string // of the one entry that is; empty: none
		err     string
	}{
		"a plain one":                   {slices.Concat(first, end), []string{key}, "", ""},
		"a name overridden":             {slices.Concat(extended(key, "k", "path", "etc/cron.d/x"), end), nil, "in no place", ""},
		"a name overridden to the good": {slices.Concat(extended("etc/cron.d/x", "k", "path", key), end), []string{key}, "", ""},
		"a link overridden":             {slices.Concat(block("x", 'x', len(records("linkpath", "/etc/shadow")), records("linkpath", "/etc/shadow")), block("etc/kubernetes/l", '2', 0, ""), end), nil, "out of these places", ""},
		"a size overridden":             {slices.Concat(extended(key, "k", "size", "1099511627776"), end), []string{}, "", "unexpected EOF"},
		"a negative size":               {slices.Concat(extended(key, "k", "size", "-1"), end), nil, "", "no archive"},
		"an owner of none":              {slices.Concat(extended(key, "k", "uid", "-5"), end), nil, "its owner is none", ""},
		"holes":                         {slices.Concat(extended("GNUSparseFile.0/x", hole, "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", key, "GNU.sparse.realsize", "1099511627776"), end), nil, "a sparse file", ""},
		"a report of holes":             {slices.Concat(extended("GNUSparseFile.0/x", hole, "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", protocol.CollectReportName, "GNU.sparse.realsize", "1099511627776"), end), nil, "", ""},
		"a global header":               {slices.Concat(block("g", 'g', len(records("path", "etc/cron.d/x")), records("path", "etc/cron.d/x")), first, end), []string{key}, "in no place", ""},
		"a type of nobody":              {slices.Concat(block("etc/kubernetes/v", 'V', 0, ""), first, end), []string{key}, "it is no file", ""},
		"a contiguous file":             {slices.Concat(block("etc/kubernetes/v", '7', 1, "v"), first, end), []string{key}, "it is no file", ""},
		"a file as directory":           {slices.Concat(block("etc/kubernetes/pki", '0', 1, "x"), first, end), []string{"etc/kubernetes/pki"}, "below the file", ""},
		"a second archive":              {slices.Concat(first, end, block("etc/cron.d/x", '0', 1, "x"), end), nil, "", "something follows the end of the archive"},
		"a filled record":               {slices.Concat(first, end, make([]byte, 8<<10)), []string{key}, "", ""},
		"no end":                        {first, []string{key}, "", ""},
		"half a header":                 {slices.Concat(first, first[:100]), nil, "", "no archive"},
		"no archive":                    {[]byte(strings.Repeat("x", 1024)), nil, "", "no archive"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, report := range []bool{false, true} { // at restore and at take
				out := &limited{left: int64(len(test.archive)) + 4096}
				leftOut, err := admit(out, stdbytes.NewReader(test.archive), report)
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Errorf("%v, want %q", err, test.err)
					}
					continue
				}
				if name == "a report of holes" {
					test.leftOut = "in no place"
				}
				if err != nil || (test.leftOut == "") != (len(leftOut) == 0) || len(leftOut) > 1 || len(leftOut) == 1 && !strings.Contains(leftOut[0], test.leftOut) {
					t.Errorf("left out %q, %v; want %q", leftOut, err, test.leftOut)
				}
				if diff := cmp.Diff(test.names, namesIn(t, out.Bytes())); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
			// A copy of a stopped member has none of this at all.
			if _, err := readCold(stdbytes.NewReader(test.archive), nil); err == nil {
				t.Error("it passes as a member's data")
			}
		})
	}
	t.Run("a member's data", func(t *testing.T) {
		holes := extended("GNUSparseFile.0/x", hole, "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", protocol.ColdDatabase, "GNU.sparse.realsize", "1099511627776")
		database := block(protocol.ColdDatabase, '0', 1, "d")
		for want, archive := range map[string][]byte{"a sparse file": holes, "in it twice": slices.Concat(database, database)} {
			if _, err := readCold(stdbytes.NewReader(slices.Concat(archive, end)), nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	})
	t.Run("very many", func(t *testing.T) {
		leftOut, err := admit(io.Discard, stdbytes.NewReader(slices.Concat(slices.Repeat(block("etc/cron.d/x", '0', 1, "x"), 250), end)), false)
		if err != nil || len(leftOut) != mostLeftOut+1 || leftOut[mostLeftOut] != "150 more entries" {
			t.Errorf("%d are named, %v", len(leftOut), err)
		}
	})
}

// limited is a buffer that takes so many bytes.
type limited struct {
	stdbytes.Buffer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errors.New("more is written than came")
	}
	return l.Buffer.Write(p)
}

// FuzzAdmit: whatever an archive holds, what comes out of it stays in the places of a control plane when root unpacks it.
func FuzzAdmit(f *testing.F) {
	for _, h := range hostile {
		f.Add(tarOf(f, &tar.Header{Typeflag: tar.TypeReg, Name: "etc/kubernetes/pki/ca.key", Mode: 0o600}, &tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/kubernetes/ssl", Linkname: "pki", Mode: 0o777}, h.header))
	}
	f.Add(archiveOf(f, entry{"etc/kubernetes/manifests/etcd.yaml", manifestOfCP1}, entry{etcdEnvironment, environmentOf2}, entry{protocol.CollectReportName, "{}"}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		var out stdbytes.Buffer
		if _, err := admit(&out, stdbytes.NewReader(archive), false); err != nil {
			return
		}
		links := map[string]bool{}
		for in := tar.NewReader(stdbytes.NewReader(out.Bytes())); ; {
			h, err := in.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatalf("what was admitted is no archive: %v", err)
			}
			at := path.Join("/", h.Name)
			to := at
			if h.Typeflag == tar.TypeSymlink {
				if to = h.Linkname; !path.IsAbs(to) {
					to = path.Join(path.Dir(at), to)
				}
			} else if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
				t.Fatalf("%s is of type %q", h.Name, h.Typeflag)
			}
			for _, p := range []string{at, to} {
				if strings.Contains(h.Name, "..") && path.Clean("/"+h.Name) != at || protocol.CheckCollect(p) != nil {
					t.Fatalf("%q -> %q leads to %s", h.Name, h.Linkname, p)
				}
			}
			for up := path.Dir(at); up != "/"; up = path.Dir(up) {
				if links[up] {
					t.Fatalf("%s lies behind the link %s", at, up)
				}
			}
			links[at] = links[at] || h.Typeflag == tar.TypeSymlink
			if h.Mode&^0o777 != 0 || h.FileInfo().Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeDevice) != 0 {
				t.Fatalf("%s has mode %#o", h.Name, h.Mode)
			}
		}
	})
}

// FuzzMembers: whatever a node's archive says of its member, no name leads out of the directory of a restore.
func FuzzMembers(f *testing.F) {
	f.Add("etc/kubernetes/manifests/etcd.yaml", manifestOfCP1)
	f.Add("etc/kubernetes/manifests/etcd.yaml", strings.ReplaceAll(manifestOfCP1, "--name=cp1", "--name=../../../../escaped"))
	f.Add(etcdEnvironment, environmentOf2)
	f.Add(etcdEnvironment, "ETCD_NAME=..\nETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.0.0.12:2380\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		header := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(text))}
		if tar.NewWriter(io.Discard).WriteHeader(&header) != nil {
			return // no archive can hold a file of this name
		}
		directory := t.TempDir()
		if err := os.Mkdir(filepath.Join(directory, "nodes"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, "nodes", "cp1.tar"), archiveOf(t, entry{name, text}), 0o600); err != nil {
			t.Fatal(err)
		}
		members, err := membersOf(directory, []string{"cp1"})
		if err != nil {
			return
		}
		for _, m := range members {
			if at := filepath.Join(directory, "etcd", m.Name); checkComponent("member", m.Name) == nil && filepath.Dir(at) != filepath.Join(directory, "etcd") {
				t.Fatalf("member %q leads to %s", m.Name, at)
			}
		}
	})
}

// FuzzReadCold: a data directory that is read whole holds plain files of a member alone.
func FuzzReadCold(f *testing.F) {
	f.Add(tarOf(f, &tar.Header{Typeflag: tar.TypeReg, Name: protocol.ColdDatabase, Mode: 0o600}))
	f.Add(tarOf(f, &tar.Header{Typeflag: tar.TypeReg, Name: "member/snap/../../../x", Mode: 0o600}))
	f.Add(archiveOf(f, entry{protocol.ColdDatabase, "db"}, entry{protocol.ColdReportName, `{"files":[{"name":"` + protocol.ColdDatabase + `","size":2}]}`}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		var used []string
		_, _ = readCold(stdbytes.NewReader(archive), func(name string, file io.Reader) error {
			used = append(used, name)
			_, err := io.Copy(io.Discard, file)
			return err
		})
		for _, name := range used {
			if !filepath.IsLocal(name) || filepath.Clean(name) != name || !strings.HasPrefix(name, "member/") {
				t.Fatalf("%q is written", name)
			}
		}
	})
}

// A member's name is one plain component, wherever it comes from: the flag, or a manifest inside the bundle.
func TestRecoverRefusesNamesThatLeadOut(t *testing.T) {
	escaping := strings.ReplaceAll(manifestOfCP1, "--name=cp1", "--name=../../../../escaped")
	for name, test := range map[string]struct {
		members  []drill.Peer
		manifest string
	}{
		"the flag":             {[]drill.Peer{{Name: "../x", PeerURLs: []string{"https://10.0.0.11:2380"}}}, manifestOfCP1},
		"a manifest inside":    {nil, escaping},
		"the directory itself": {[]drill.Peer{{Name: ".", PeerURLs: []string{"https://10.0.0.11:2380"}}}, manifestOfCP1},
	} {
		t.Run(name, func(t *testing.T) {
			b := writeBundle(t, "daily-1", "", namedPart{SnapshotPart, snapshotOf(1)},
				namedPart{NodePart("cp1"), archiveOf(t, entry{"etc/kubernetes/manifests/etcd.yaml", test.manifest})})
			parent := t.TempDir()
			_, err := Recover(t.Context(), Recovery{Stored: stdbytes.NewReader(b.data), Label: b.label, Directory: filepath.Join(parent, "a", "out"), Members: test.members, Token: "x"})
			if err == nil || !strings.Contains(err.Error(), "is not the name of a member") {
				t.Fatalf("error %v", err)
			}
			for _, escaped := range []string{"escaped", "x", "a/out", "a/x"} {
				if _, err := os.Lstat(filepath.Join(parent, escaped)); err == nil {
					t.Errorf("%s was written", escaped)
				}
			}
		})
	}
}
