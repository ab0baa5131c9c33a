package cold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// Where data directories are where nothing says so: kubeadm's and kubespray's default, and k3s's only place (k3s v1.30,
// pkg/etcd/etcd.go). envFile is where kubespray says it.
const (
	usual   = "/var/lib/etcd"
	k3s     = "/var/lib/rancher/k3s/server/db/etcd"
	envFile = "/etc/etcd.env"
)

// directory returns where the node's member keeps its data, and whether there is any. A manifest that was moved away, which is
// how a static pod is stopped, leaves the usual place.
func directory(d *disk.Disk) (string, bool) {
	for _, at := range places(d) {
		if path.IsAbs(at) && path.Clean(at) == at && d.Exists(path.Join(at, protocol.ColdDatabase)) {
			return at, true
		}
	}
	return "", false
}

func places(d *disk.Disk) (out []string) {
	for _, pod := range controlplane.StaticPods(d) {
		if pod.Component == "etcd" && pod.Flags["data-dir"] != "" {
			out = append(out, pod.Flags["data-dir"])
		}
	}
	if text, _, err := d.Read(envFile, pki.MaxFile); err == nil {
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "ETCD_DATA_DIR="); ok {
				out = append(out, strings.Trim(value, `"'`))
			}
		}
	}
	return append(out, usual, k3s)
}

// ErrRunning is wrapped by the error about a member whose database a process has open.
var ErrRunning = errors.New("etcd runs, or something else has its database open")

// hold takes the lock on a member's database that etcd takes for as long as it runs (bbolt, bolt_unix.go: flock, exclusive).
// While it is held, an etcd that is started waits for it before it touches anything in its directory (etcd v3.6,
// server/etcdserver/bootstrap.go: the database is opened before the log is). The caller closes the file.
func hold(d *disk.Disk, at string) (*os.File, error) {
	dir, err := d.Dir(path.Join(at, path.Dir(protocol.ColdDatabase)))
	if err != nil {
		return nil, err
	}
	f, _, err := dir.Open(path.Base(protocol.ColdDatabase))
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path.Join(at, protocol.ColdDatabase), err)
	}
	return f, nil
}

// file is one file of a data directory.
type file struct {
	name string // relative to the data directory
	info disk.Info
}

// list returns the files that a member starts from: its database first, then raft's snapshots, then its log.
func list(d *disk.Disk, at string) (files []file, err error) {
	for _, below := range []string{"member/snap", "member/wal"} {
		dir, err := d.Dir(path.Join(at, below))
		if err != nil {
			return nil, err
		}
		entries, err := dir.List()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			f := file{path.Join(below, e.Name), e.Info}
			if protocol.CheckCold(f.name) != nil {
				continue
			}
			if f.name == protocol.ColdDatabase {
				files = append([]file{f}, files...)
				continue
			}
			files = append(files, f)
		}
	}
	if len(files) > fileLimit {
		return nil, fmt.Errorf("%s has %d files, more than %d", at, len(files), fileLimit)
	}
	return files, nil
}

// locate reads the end of a member's log: the last file of it that has an entry, and whose it is.
func locate(d *disk.Disk, at string, files []file) (position, error) {
	var found position
	for i := len(files) - 1; i >= 0; i-- {
		if !strings.HasSuffix(files[i].name, ".wal") {
			break
		}
		p, err := read(d, path.Join(at, files[i].name))
		if err != nil {
			return p, fmt.Errorf("%s: %w", path.Join(at, files[i].name), err)
		}
		if found = p; p.index != 0 {
			break
		}
	}
	if found.cluster == 0 {
		return found, fmt.Errorf("%s has no write-ahead log: %w", at, fs.ErrNotExist)
	}
	return found, nil
}

func read(d *disk.Disk, p string) (position, error) {
	dir, err := d.Dir(path.Dir(p))
	if err != nil {
		return position{}, err
	}
	f, info, err := dir.Open(path.Base(p))
	if err != nil {
		return position{}, err
	}
	defer f.Close()
	return readLog(f, info.Size)
}

// Look says what lies on the node. It writes nothing, and keeps no member from starting for longer than it takes to read the
// end of a log.
func Look(d *disk.Disk) facts.EtcdData {
	at, there := directory(d)
	if !there {
		return facts.EtcdData{}
	}
	out := facts.EtcdData{Directory: at}
	lock, err := hold(d, at)
	switch {
	case errors.Is(err, ErrRunning):
		out.Running = true
		return out
	case err != nil:
		out.Unknown = err.Error()
		return out
	}
	defer lock.Close()
	files, err := list(d, at)
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	for _, f := range files {
		out.Size += f.info.Size
	}
	p, err := locate(d, at, files)
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	out.ClusterID, out.MemberID, out.Term, out.Index = hexID(p.cluster), hexID(p.member), p.term, p.index
	return out
}
