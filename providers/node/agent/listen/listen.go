// Package listen finds out which processes of a node listen on some TCP ports.
//
// It reads /proc and opens no connection: a port that answers would say nothing of who holds it, and one that is filtered
// would look free. It sees the network of the node, not those of its pods: the sockets of a pod that shares the node's
// network are among them, a port that is only forwarded to a pod is not.
package listen

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"upkeep/providers/facts"
)

// tables list the TCP sockets of the network that this process is in. A session is started by the node's own ssh server, so
// that is the network at whose address the node was reached.
var tables = []string{"proc/self/net/tcp", "proc/self/net/tcp6"}

// maxTable is more than the sockets of any node fill: at 150 to 180 bytes a socket, some 800,000 of them.
const maxTable = 128 << 20

// Collect returns who listens on the ports. files is the file system of the node, from its root on. It always answers: what
// could not be read is unknown with its reason.
func Collect(files fs.FS, ports []int) facts.Listeners {
	ports = slices.Clone(ports)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	sockets := []socket{}
	for _, name := range tables {
		found, err := readTable(files, name, ports)
		if errors.Is(err, fs.ErrNotExist) && name != tables[0] {
			continue // a kernel without IPv6
		}
		if err != nil {
			return facts.Listeners{Unknown: err.Error()}
		}
		sockets = append(sockets, found...)
	}
	answer := facts.Listeners{Ports: ports}
	of, err := owners(files, sockets)
	if err != nil {
		return facts.Listeners{Unknown: err.Error()}
	}
	for _, s := range sockets {
		owner := of[s.inode]
		answer.Found = append(answer.Found, facts.Listener{Port: s.port, Address: s.address.String(), PID: owner.pid, Process: owner.name})
	}
	slices.SortFunc(answer.Found, func(a, b facts.Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address), cmp.Compare(a.PID, b.PID))
	})
	// Several sockets of one process on one port are one listener (SO_REUSEPORT).
	answer.Found = slices.Compact(answer.Found)
	return answer
}

func readTable(files fs.FS, name string, ports []int) ([]socket, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: maxTable}
	found, err := listening(bufio.NewReader(limited), ports)
	switch {
	case err != nil:
		return nil, fmt.Errorf("/%s: %w", name, err)
	case limited.N == 0:
		return nil, fmt.Errorf("/%s is larger than %d MiB", name, maxTable>>20)
	}
	return found, nil
}

// process is one that has a socket open; the zero value is one that is not seen.
type process struct {
	pid  int
	name string
}

// owners returns the process that has each socket open: the one with the lowest id, which is the parent where children
// inherited it. A process that goes away while it is looked at has nothing open.
func owners(files fs.FS, sockets []socket) (map[uint64]process, error) {
	out := map[uint64]process{}
	missing := map[string]uint64{}
	for _, s := range sockets {
		missing["socket:["+strconv.FormatUint(s.inode, 10)+"]"] = s.inode
	}
	if len(missing) == 0 {
		return out, nil
	}
	entries, err := fs.ReadDir(files, "proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		at := "proc/" + strconv.Itoa(pid)
		descriptors, err := fs.ReadDir(files, at+"/fd")
		if err != nil {
			continue
		}
		for _, descriptor := range descriptors {
			target, err := fs.ReadLink(files, path.Join(at, "fd", descriptor.Name()))
			if err != nil {
				continue
			}
			inode, wanted := missing[target]
			if !wanted {
				continue
			}
			out[inode] = process{pid: pid, name: nameOf(files, at)}
			if delete(missing, target); len(missing) == 0 {
				return out, nil
			}
		}
	}
	return out, nil
}

// nameOf returns what the process calls itself. That is up to the process: nothing of it but what can be printed is kept.
func nameOf(files fs.FS, at string) string {
	data, err := fs.ReadFile(files, at+"/comm")
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(bytes.ToValidUTF8(bytes.TrimSpace(data), nil)))
}
