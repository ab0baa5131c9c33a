// Command watch runs on a lab node and says what is touched there, as it happens: every change below the directories that
// it is given, and every container that ends or starts. It changes nothing but one label of a containerd namespace, by
// which it knows that it hears containerd.
//
// One JSON object a line; the first is {"what":"ready"}. It ends with its standard input.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Event is one line of output.
type Event struct {
	Time time.Time `json:"time"`
	What string    `json:"what"` // "ready", "file", "container"
	// Name is the file's path, or containerd's topic: /tasks/exit, /tasks/start.
	Name string `json:"name,omitempty"`
	// ID is the container's.
	ID string `json:"id,omitempty"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

// output writes events of several sources, one at a time.
type output struct {
	sync.Mutex
	to *json.Encoder
}

func (o *output) tell(what, name, id string, at time.Time) error {
	o.Lock()
	defer o.Unlock()
	return o.to.Encode(Event{Time: at.UTC(), What: what, Name: name, ID: id})
}

func run(directories []string, in io.Reader, to io.Writer) error {
	out := &output{to: json.NewEncoder(to)}
	files, err := newTree(directories)
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	go func() { ended <- files.follow(out) }()
	heard, wait, err := followContainers(out)
	if err != nil {
		return err
	}
	go func() { ended <- wait() }()
	if err := makeHeard(heard); err != nil {
		return err
	}
	if err := out.tell("ready", "", "", time.Now()); err != nil {
		return err
	}
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	return <-ended
}

// tree watches directories and all below them by inotify(7).
type tree struct {
	fd    int
	paths map[int32]string
}

// changes are the events that mean a touch. Opening and reading are none.
const changes = syscall.IN_ATTRIB | syscall.IN_CLOSE_WRITE | syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MODIFY | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO

func newTree(directories []string) (*tree, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	t := &tree{fd: fd, paths: map[int32]string{}}
	for _, directory := range directories {
		if err := t.add(directory); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tree) add(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root {
			return nil // gone again
		}
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		watch, err := syscall.InotifyAddWatch(t.fd, path, changes)
		if err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		t.paths[int32(watch)] = path
		return nil
	})
}

func (t *tree) follow(out *output) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := syscall.Read(t.fd, buffer)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		at := time.Now()
		for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
			watch := int32(binary.NativeEndian.Uint32(rest))
			mask, length := binary.NativeEndian.Uint32(rest[4:]), binary.NativeEndian.Uint32(rest[12:])
			name := string(bytes.TrimRight(rest[syscall.SizeofInotifyEvent:][:length], "\x00"))
			rest = rest[syscall.SizeofInotifyEvent+length:]
			if mask&syscall.IN_Q_OVERFLOW != 0 {
				return errors.New("inotify lost events")
			}
			if mask&syscall.IN_IGNORED != 0 {
				continue
			}
			path := filepath.Join(t.paths[watch], name)
			if mask&syscall.IN_ISDIR != 0 && mask&(syscall.IN_CREATE|syscall.IN_MOVED_TO) != 0 {
				if err := t.add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			if err := out.tell("file", path, "", at); err != nil {
				return err
			}
		}
	}
}

// followContainers reads `ctr events`. heard is closed at the first event of any kind.
func followContainers(out *output) (heard chan struct{}, wait func() error, err error) {
	command := exec.Command("ctr", "-n", "k8s.io", "events")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	command.Stderr = os.Stderr
	lines, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	heard = make(chan struct{})
	return heard, func() error {
		first := sync.OnceFunc(func() { close(heard) })
		scanner := bufio.NewScanner(lines)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			first()
			if err := tellContainer(out, scanner.Text()); err != nil {
				return err
			}
		}
		return errors.Join(scanner.Err(), command.Wait(), errors.New("ctr events ended"))
	}, nil
}

// tellContainer passes on the end or start of a container's first process. A line is "DATE TIME +0000 UTC NAMESPACE TOPIC JSON".
func tellContainer(out *output, line string) error {
	fields := strings.SplitN(line, " ", 7)
	if len(fields) < 7 || fields[5] != "/tasks/exit" && fields[5] != "/tasks/start" {
		return nil
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700", strings.Join(fields[:3], " "))
	if err != nil {
		return fmt.Errorf("ctr events: %w", err)
	}
	var about struct {
		Container string `json:"container_id"`
		ID        string `json:"id"`
	}
	if err := json.Unmarshal([]byte(fields[6]), &about); err != nil {
		return fmt.Errorf("ctr events: %w", err)
	}
	if about.ID != "" && about.ID != about.Container {
		return nil // a process beside the first one: a probe
	}
	return out.tell("container", fields[5], about.Container, at)
}

// makeHeard makes containerd say something until it is heard, so that nothing after it is missed.
func makeHeard(heard chan struct{}) error {
	for range 50 {
		if text, err := exec.Command("ctr", "namespaces", "label", "k8s.io", "upkeep-acceptance="+fmt.Sprint(time.Now().UnixNano())).CombinedOutput(); err != nil {
			return fmt.Errorf("ctr namespaces label: %w: %s", err, text)
		}
		select {
		case <-heard:
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	return errors.New("containerd's events are not heard")
}
