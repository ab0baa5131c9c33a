package listen

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

const (
	head4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"
	head6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	tail  = " 00000000:00000000 00:00000000 00000000     0        0 "
)

// line is one socket of a table, as the kernel prints it.
func line(local, state string, inode int) string {
	return "   0: " + local + " 00000000:0000 " + state + tail + strconv.Itoa(inode) + " 1 00000000a700fdcf 100 0 0 10 0\n"
}

const any6 = "00000000000000000000000000000000"

func tree(tcp, tcp6 string) fstest.MapFS {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	link := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: fs.ModeSymlink} }
	return fstest.MapFS{
		"proc/self/net/tcp": text(head4 + tcp), "proc/self/net/tcp6": text(head6 + tcp6),
		"proc/meminfo":  text("x"),
		"proc/812/comm": text("haproxy\n"), "proc/812/fd/0": link("/dev/null"), "proc/812/fd/7": link("socket:[71]"), "proc/812/fd/8": link("socket:[72]"),
		// A worker that inherited its parent's socket, and calls itself what it likes.
		"proc/1200/comm": text("\x1b[31mngi\xffnx\n"), "proc/1200/fd/3": link("socket:[71]"), "proc/1200/fd/4": link("socket:[74]"),
		"proc/90/comm": text("kthreadd\n"),
	}
}

func TestCollect(t *testing.T) {
	asked := []int{8443, 443, 80, 443}
	sorted := []int{80, 443, 8443}
	haproxy := func(port int, address string) facts.Listener {
		return facts.Listener{Port: port, Address: address, PID: 812, Process: "haproxy"}
	}
	tests := []struct {
		name      string
		tcp, tcp6 string
		without   string
		want      facts.Listeners
	}{
		{"nobody listens", "", "", "", facts.Listeners{Ports: sorted}},
		{"every address, and loopback", line("00000000:01BB", "0A", 71) + line("0100007F:0050", "0A", 72), "", "", facts.Listeners{Ports: sorted, Found: []facts.Listener{
			haproxy(80, "127.0.0.1"), haproxy(443, "0.0.0.0"),
		}}},
		{"IPv6", "", line(any6+":01BB", "0A", 71) + line("00000000000000000000000001000000:0050", "0A", 72) + line("0000000000000000FFFF00000300A8C0:20FB", "0A", 74), "", facts.Listeners{Ports: sorted, Found: []facts.Listener{
			haproxy(80, "::1"), haproxy(443, "::"), {Port: 8443, Address: "192.168.0.3", PID: 1200, Process: "[31mnginx"},
		}}},
		{"connections and other ports are nobody's business", line("00000000:01BB", "01", 71) + line("00000000:0016", "0A", 72), "", "", facts.Listeners{Ports: sorted}},
		{"two sockets of one process are one listener", line("00000000:01BB", "0A", 71) + line("00000000:01BB", "0A", 72), "", "", facts.Listeners{Ports: sorted, Found: []facts.Listener{haproxy(443, "0.0.0.0")}}},
		{"a process that cannot be seen", line("00000000:01BB", "0A", 7), "", "", facts.Listeners{Ports: sorted, Found: []facts.Listener{{Port: 443, Address: "0.0.0.0"}}}},
		{"a kernel without IPv6", line("00000000:01BB", "0A", 71), "", "proc/self/net/tcp6", facts.Listeners{Ports: sorted, Found: []facts.Listener{haproxy(443, "0.0.0.0")}}},
		{"no table", "", "", "proc/self/net/tcp", facts.Listeners{Unknown: "open proc/self/net/tcp: file does not exist"}},
		{"a table that is none", "0: x\n", "", "", facts.Listeners{Unknown: `/proc/self/net/tcp: is no table of TCP sockets: "0: x"`}},
		{"an address that is none", line("0100007:0050", "0A", 72), "", "", facts.Listeners{Unknown: `/proc/self/net/tcp: is no table of TCP sockets: address "0100007:0050"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := tree(test.tcp, test.tcp6)
			delete(files, test.without)
			if diff := cmp.Diff(test.want, Collect(files, asked)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCollectHere asks the kernel for a socket of this very process.
func TestCollectHere(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d, err := disk.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	comm, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(os.Getpid()), "comm"))
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	want := facts.Listeners{Ports: []int{port}, Found: []facts.Listener{{Port: port, Address: "127.0.0.1", PID: os.Getpid(), Process: strings.TrimSpace(string(comm))}}}
	if diff := cmp.Diff(want, Collect(d.Files(), []int{port})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzListening: whatever a table holds, it is read or refused; what is read is what was asked for, and a table without a line
// has nothing.
func FuzzListening(f *testing.F) {
	f.Add([]byte(head4 + line("0100007F:0050", "0A", 72)))
	f.Add([]byte(head6 + line(any6+":01BB", "0A", 71) + line("0000000000000000FFFF00000300A8C0:20FB", "0A", 74)))
	f.Add([]byte(head4 + line("0100007F", "0A", 72)))
	f.Add([]byte(head4))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, table []byte) {
		found, err := listening(strings.NewReader(string(table)), []int{80, 443, 8443})
		if err != nil && found != nil {
			t.Fatalf("%v with %v", found, err)
		}
		if len(found) > strings.Count(string(table), listenState) {
			t.Fatalf("%d sockets of %q", len(found), table)
		}
		for _, s := range found {
			if s.port != 80 && s.port != 443 && s.port != 8443 || !s.address.IsValid() || s.address.Is4In6() {
				t.Fatalf("%+v", s)
			}
		}
	})
}
