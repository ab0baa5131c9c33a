package node

import (
	"os"

	"golang.org/x/sys/unix"
)

// widen lets a pipe hold 1 MiB, the most that any user may have (pipe(7)); it holds 64 KiB else, and whoever writes a snapshot
// into it waits at each of them. Where the kernel refuses, that is what happens.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}
