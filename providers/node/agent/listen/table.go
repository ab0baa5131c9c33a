package listen

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// socket is one listening socket of a table.
type socket struct {
	address netip.Addr
	port    int
	inode   uint64
}

// listenState is TCP_LISTEN of the kernel (include/net/tcp_states.h), as the tables have it.
const listenState = "0A"

// The columns of a line: "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..." (Linux,
// Documentation/networking/proc_net_tcp.rst; get_tcp4_sock in net/ipv4/tcp_ipv4.c). A colon joins what belongs together.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9
)

var errTable = errors.New("is no table of TCP sockets")

// listening reads /proc/net/tcp or /proc/net/tcp6 and returns the sockets that listen on one of the ports, in its order. A
// table that cannot be read to its end tells nothing.
func listening(r io.Reader, ports []int) ([]socket, error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		return nil, errors.Join(errTable, lines.Err())
	}
	if head := strings.Fields(lines.Text()); len(head) < 3 || head[0] != "sl" || head[1] != "local_address" {
		return nil, fmt.Errorf("%w: it begins with %q", errTable, lines.Text())
	}
	var out []socket
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= columnInode {
			return nil, fmt.Errorf("%w: %q", errTable, lines.Text())
		}
		if fields[columnState] != listenState {
			continue
		}
		at, err := endpoint(fields[columnLocal])
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ports, int(at.Port())) {
			continue
		}
		inode, err := strconv.ParseUint(fields[columnInode], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: inode %q", errTable, fields[columnInode])
		}
		out = append(out, socket{address: at.Addr(), port: int(at.Port()), inode: inode})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// endpoint reads ADDRESS:PORT of a table: the address in words of 32 bits, each as the memory of the machine has it, and the
// port as a number. 0100007F:0050 is 127.0.0.1:80.
func endpoint(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	data, err := hex.DecodeString(address)
	if err != nil || len(data) != 4 && len(data) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%w: address %q", errTable, text)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: port %q", errTable, text)
	}
	// The kernel prints each word as a number, so that its bytes come in the machine's order.
	for word := data; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	found, _ := netip.AddrFromSlice(data)
	return netip.AddrPortFrom(found.Unmap(), uint16(number)), nil
}
