package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processIdentity tells a process apart from others with its PID: the boot, the PID namespace and the start time
// (field 22 of /proc/PID/stat, proc(5)). It is empty when there is no such process, or /proc does not say.
func processIdentity(pid int) string {
	space := processSpace()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || space == "" {
		return ""
	}
	// Field 2 is the command in parentheses and may itself hold blanks and parentheses.
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 || string(fields[0]) == "Z" {
		return ""
	}
	return space + "/" + string(fields[19])
}

func processSpace() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + space
}

// isDead reports whether the process that a lock of this host names is certainly gone. Two containers, or two machines,
// may share a host name: without the same boot and PID namespace nothing is certain, and the lock's expiry decides.
func isDead(pid int, identity string) bool {
	space := processSpace()
	if pid <= 0 || space == "" || !strings.HasPrefix(identity, space+"/") {
		return false
	}
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	// Something has the PID: the same process, its zombie, or a stranger. /proc may hide strangers (hidepid).
	if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil {
		return false
	}
	return processIdentity(pid) != identity
}
