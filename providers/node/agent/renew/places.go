package renew

import (
	"path"

	"upkeep/providers/node/agent/disk"
)

// Places returns the directories of the files that a renewal of these kubeconfigs may exchange, or that an intent on the
// node names: what repairing and undoing write to. A path that is none is left out; the request itself is refused for it.
//
// The directories of the node's layout are among them.
func Places(d *disk.Disk, kubeconfigs []string) []string {
	var out []string
	add := func(p string) {
		if _, err := disk.Clean(p); err == nil {
			out = append(out, path.Dir(p))
		}
	}
	for _, p := range kubeconfigs {
		add(p)
	}
	l := layoutOf(d)
	for _, e := range l.Entries() {
		if e.Renewable() {
			add(e.Path)
		}
	}
	dir, err := d.Dir(path.Join(Dir, "intents"))
	if err != nil {
		return out // none, or the request says why
	}
	entries, _ := dir.List()
	for _, e := range entries {
		sub, err := dir.Sub(e.Name)
		if err != nil {
			continue
		}
		record, _ := readIntent(sub, l) // one that cannot be read names nothing
		for _, g := range record.Groups {
			for _, f := range g.Files {
				add(f.Path)
			}
		}
	}
	return out
}
