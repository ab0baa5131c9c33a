package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/providers/bounded"
	"upkeep/providers/facts"
)

// member is one entry of a chart's archive.
type member struct {
	name, text string
	kind       byte // a regular file when zero
	link       string
}

// archiveOf packs members as they are named.
func archiveOf(t *testing.T, members ...member) []byte {
	t.Helper()
	return pack(t, (*tar.Writer).Close, members)
}

// pack is archiveOf with another end: after Flush, more may follow.
func pack(t *testing.T, end func(*tar.Writer) error, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	w := tar.NewWriter(zipped)
	for _, m := range members {
		kind := m.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		header := &tar.Header{Name: m.name, Typeflag: kind, Linkname: m.link, Size: int64(len(m.text)), Mode: 0o644}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(w); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// filled is archiveOf with more behind the end of the archive, in the same stream.
func filled(t *testing.T, more []byte, members ...member) []byte {
	t.Helper()
	unzipped, err := bounded.Gunzip(archiveOf(t, members...), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	for _, part := range [][]byte{unzipped, more} {
		if _, err := zipped.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func chartYAML(name string) string { return "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n" }

// nested is a chart with as many dependencies, each an archive of its own with as many bytes.
func nested(t *testing.T, dependencies, bytes int) []byte {
	t.Helper()
	members := []member{{name: "x/Chart.yaml", text: chartYAML("x")}}
	var files []member
	for j := range bytes >> 20 {
		files = append(files, member{name: fmt.Sprintf("d/f%d", j), text: strings.Repeat("\x00", 1<<20)})
	}
	// They differ in their first file alone. All others are compressed once: gzip reads one text behind the other.
	others := string(archiveOf(t, files...))
	for i := range dependencies {
		name := fmt.Sprintf("d%d", i)
		first := pack(t, (*tar.Writer).Flush, []member{{name: "d/Chart.yaml", text: chartYAML(name)}})
		members = append(members, member{name: "x/charts/" + name + ".tgz", text: string(first) + others})
	}
	return archiveOf(t, members...)
}

// TestArchives: an archive that Helm, tar and a person read in different ways is no chart, and neither is one that
// fills the memory. Nothing is written anywhere.
func TestArchives(t *testing.T) {
	sound := member{name: "x/Chart.yaml", text: chartYAML("x")}
	with := func(more ...member) []byte { return archiveOf(t, append([]member{sound}, more...)...) }
	sub := member{name: "d/Chart.yaml", text: chartYAML("d")}
	linked := archiveOf(t, sub, member{name: "d/a", kind: tar.TypeSymlink, link: "/etc"})
	symlink := member{name: "x/a", kind: tar.TypeSymlink, link: "/etc/shadow"}
	hardlink := member{name: "x/a", kind: tar.TypeLink, link: "x/Chart.yaml"}
	one, other := member{name: "x/values.yaml", text: "a: 1\n"}, member{name: "x/values.yaml", text: "a: 2\n"}
	large := member{name: "x/a", text: strings.Repeat("\x00", 6<<20)}
	for name, test := range map[string]struct {
		archive []byte
		want    string
	}{
		"sound":                    {with(member{name: "x/templates/a.yaml", text: "a: 1\n"}), ""},
		"with directories":         {archiveOf(t, member{name: "x/", kind: tar.TypeDir}, sound), ""},
		"empty":                    {archiveOf(t), "no files in chart archive"},
		"no archive":               {[]byte("404: Not Found"), "invalid header"},
		"cut off":                  {archiveOf(t, sound)[:60], "unexpected EOF"},
		"a link":                   {with(symlink), "is not a regular file"},
		"a hard link":              {with(hardlink), "is not a regular file"},
		"a device":                 {with(member{name: "x/files/a", kind: tar.TypeChar}), "is not a regular file"},
		"a pipe":                   {with(member{name: "x/files/a", kind: tar.TypeFifo}), "is not a regular file"},
		"a file twice":             {with(one, other), "stands twice in chart x"},
		"a file twice, spelt":      {with(one, member{name: "y/./values.yaml"}), "stands twice in chart x"},
		"another Chart.yaml":       {with(member{name: "y/Chart.yaml", text: chartYAML("y")}), "stands twice in chart"},
		"out":                      {with(member{name: "x/../../a", text: "a"}), "references parent directory"},
		"absolute":                 {with(member{name: "x//etc/a", text: "a"}), "absolute paths"},
		"of Windows":               {with(member{name: `x\c:\a`, text: "a"}), "illegally named"},
		"a dependency with a link": {with(member{name: "x/charts/d.tgz", text: string(linked)}), "is not a regular file"},
		"a large file":             {with(large), "larger than the maximum file size"},
		"many in each other":       {nested(t, 4, 30<<20), "than 100 MiB"},
		"more than fits in memory": {nested(t, 16, 30<<20), "fill the memory: more than 256 MiB are in use"},
		"two streams":              {append(with(), with(member{name: "x/values.yaml", text: "a: 1\n"})...), "something follows the compressed data"},
		"a stream cut in two":      {append(pack(t, (*tar.Writer).Flush, []member{sound}), archiveOf(t, one)...), "something follows the compressed data"},
		"bytes behind":             {append(with(), "x"...), "something follows the compressed data"},
		"a record filled up":       {filled(t, make([]byte, 8<<10), sound), ""},
		"a file behind the end":    {filled(t, []byte("x"), sound), "something follows the end of the archive"},
		"many empty entries":       {filled(t, make([]byte, 2*directoryLimit), sound), "more than 209715200 bytes"},
		"a dependency in two":      {with(member{name: "x/charts/d.tgz", text: string(archiveOf(t, sub)) + string(archiveOf(t))}), "something follows the compressed data"},
		"aliases of YAML":          {with(member{name: "x/values.yaml", text: aliases()}), "excessive aliasing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x-1.0.0.tgz")
			if err := os.WriteFile(path, test.archive, 0o600); err != nil {
				t.Fatal(err)
			}
			charts := NewCharts()
			if usual := charts.unpackingBounds(); usual.memory != 1<<30 {
				t.Errorf("%d MiB are allowed", usual.memory>>20)
			}
			charts.unpacking.time = 5 * time.Minute // two take seconds, many more on a busy machine
			if strings.Contains(test.want, "fill the memory") {
				charts.unpacking.memory = 256 << 20 // a quarter of it is filled in a quarter of the time
			}
			_, err := charts.fetch(t.Context(), facts.ChartSource{Path: path}, "1.0.0", "")
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name the chart", err)
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
				t.Errorf("beside the archive there are %v", left)
			}
		})
	}
}

// aliases is YAML in which each line refers to the one before ten times.
func aliases() string {
	var out strings.Builder
	out.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		list := strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10)
		fmt.Fprintf(&out, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(list, ", "))
	}
	return out.String()
}
