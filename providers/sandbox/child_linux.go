package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Child makes this program the first process of a sandbox where it was started as that, and does not return then. Call
// it before anything else in main.
func Child() {
	if len(os.Args) != 1 || os.Args[0] != childName || os.Getpid() != 1 {
		return
	}
	runtime.LockOSThread() // what is dropped below is dropped for a thread, and the script is started from this one
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	syscall.CloseOnExec(reportFile)
	r := supervise()
	data, err := json.Marshal(r)
	if err == nil {
		_, err = os.NewFile(reportFile, "report").Write(data)
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// reportFile is where the report is written: the first of the extra files.
const reportFile = 3

func supervise() report {
	var o order
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&o); err != nil {
		return report{Unavailable: err.Error()}
	}
	if err := furnish(o); err != nil {
		return report{Unavailable: err.Error()}
	}
	if err := renounce(); err != nil {
		return report{Unavailable: err.Error()}
	}
	return watch(o)
}

// root is where the view is built before it becomes the root. Every Linux has it, and nothing in it is shown.
const root = "/tmp"

// furnish makes the root of the sandbox: the view, read-only, and an empty /tmp.
func furnish(o order) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return refused("make mounts private", err)
	}
	if err := syscall.Mount("sandbox", root, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755,size=4m"); err != nil {
		return refused("mount the root", err)
	}
	for _, directory := range []string{"/bin", "/usr", "/dev", "/proc", "/tmp"} {
		if err := os.MkdirAll(root+directory, 0o755); err != nil {
			return err
		}
	}
	for link, to := range map[string]string{"/usr/bin": "/bin", "/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, root+link); err != nil {
			return err
		}
	}
	paths := make([]string, 0, len(o.View))
	for path := range o.View {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if _, stubbed := o.Stubs[filepath.Base(path)]; stubbed && filepath.Dir(path) == "/bin" {
			continue
		}
		if err := show(o.View[path], root+path, syscall.MS_NODEV); err != nil {
			return err
		}
	}
	if err := show("/dev/null", root+"/dev/null", 0); err != nil {
		return err
	}
	for name, text := range o.Stubs {
		if err := os.WriteFile(root+"/bin/"+filepath.Base(name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(root+"/script", o.Script, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(root+"/order", o.Stdin, 0o644); err != nil {
		return err
	}
	if err := syscall.Mount("proc", root+"/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "subset=pid"); err != nil {
		return refused("mount /proc", err)
	}
	if err := syscall.Mount("tmp", root+"/tmp", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("mode=1777,size=%d", o.Limits.Memory/4)); err != nil {
		return refused("mount /tmp", err)
	}
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, ""); err != nil {
		return refused("make the root read-only", err)
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return refused("change the root", err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return refused("leave the root of the machine", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return syscall.Sethostname([]byte("sandbox"))
}

// refused names what the kernel does not allow, and what most often stands in the way.
func refused(what string, err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("cannot %s: %w; a container or AppArmor forbids it, run upkeep outside of the container or as root", what, err)
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

// show binds a file into the view, read-only.
func show(file, at string, flags uintptr) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	place, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := place.Close(); err != nil {
		return err
	}
	if err := syscall.Mount(file, at, "", syscall.MS_BIND, ""); err != nil {
		return refused("show "+file, err)
	}
	// What the machine has locked on the mount must stay, or the kernel refuses.
	var has unix.Statfs_t
	if err := unix.Statfs(at, &has); err != nil {
		return err
	}
	const locked = unix.ST_NODEV | unix.ST_NOEXEC | unix.ST_NOATIME | unix.ST_NODIRATIME
	keep := uintptr(has.Flags) & locked // the flags of statfs and of mount are the same bits, but for ST_RELATIME
	if has.Flags&unix.ST_RELATIME != 0 {
		keep |= unix.MS_RELATIME
	}
	flags |= keep | syscall.MS_REMOUNT | syscall.MS_BIND | syscall.MS_RDONLY | syscall.MS_NOSUID
	if err := syscall.Mount("", at, "", flags, ""); err != nil {
		return refused("make "+file+" read-only", err)
	}
	return nil
}

// renounce gives up every capability for what is started next, for good.
func renounce() error {
	for capability := uintptr(0); capability <= 63; capability++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
			if errors.Is(err, syscall.EINVAL) {
				break // the last one that the kernel has
			}
			return refused("drop capabilities", err)
		}
	}
	// What the script starts must not look into this process, which still has capabilities.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// begin starts the script with its limits; ulimit also binds what the script starts.
func begin(o order) (int, error) {
	input, err := os.Open("/order")
	if err != nil {
		return 0, err
	}
	defer input.Close()
	limits := fmt.Sprintf(`ulimit -c 0 -n 256 -v %d -t %d && exec /script`, o.Limits.Memory>>10, int(o.Limits.Time/time.Second)+1)
	return syscall.ForkExec("/bin/bash", []string{"bash", "--noprofile", "--norc", "-c", limits}, &syscall.ProcAttr{
		Dir: "/tmp", Env: o.Environment, Files: []uintptr{input.Fd(), 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// glance is how often the sandbox is looked at.
const glance = 5 * time.Millisecond

// watch runs the script and ends it at its limits.
func watch(o order) report {
	script, err := begin(o)
	if err != nil {
		return report{Unavailable: fmt.Sprintf("cannot start the script: %v", err)}
	}
	ended := make(chan int, 1)
	go reap(script, ended)
	late := time.NewTimer(o.Limits.Time)
	defer late.Stop()
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		select {
		case code := <-ended:
			return report{ExitCode: code}
		case <-late.C:
			return stop(OutOfTime)
		case <-look.C:
		}
		memory, tasks := usage()
		switch {
		case memory > o.Limits.Memory:
			return stop(OutOfMemory)
		case tasks > o.Limits.Processes:
			return stop(OutOfTasks)
		}
	}
}

// stop ends every process of the sandbox but this one.
func stop(why Ending) report {
	_ = syscall.Kill(-1, syscall.SIGKILL)
	return report{Ended: why}
}

// reap waits for all processes, which are this one's children sooner or later, and tells how the script ended.
func reap(script int, ended chan<- int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case pid == script && status.Signaled():
			ended <- 128 + int(status.Signal())
		case pid == script:
			ended <- status.ExitStatus()
		}
	}
}

// usage is how much memory the processes of the sandbox have, without this one and with what lies in /tmp, and how many
// they are.
func usage() (memory int64, tasks int) {
	processes, err := os.Open("/proc")
	if err != nil {
		return 0, 0
	}
	defer processes.Close()
	names, _ := processes.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == 1 {
			continue
		}
		tasks++
		memory += resident(pid)
	}
	var tmp unix.Statfs_t
	if unix.Statfs("/tmp", &tmp) == nil {
		memory += int64(tmp.Blocks-tmp.Bfree) * tmp.Bsize
	}
	return memory, tasks
}

// resident is the memory of a process in bytes that it shares with no file: proc(5), statm.
func resident(pid int) int64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, 256))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 3 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	return max(pages-shared, 0) * int64(os.Getpagesize())
}
