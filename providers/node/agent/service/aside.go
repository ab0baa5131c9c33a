package service

import (
	"fmt"
	"path"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// rename is another name for a file in its directory.
type rename struct{ from, to string }

func (f rename) run(d *disk.Disk) error {
	dir, err := d.Dir(path.Dir(f.from))
	if err != nil {
		return err
	}
	return dir.Rename(path.Base(f.from), path.Base(f.to))
}

// expired says how certificates are set aside, by their names in the node's layout: only those that a start leaves as
// they are, and only once they have expired by the node's own clock. One that is not there is set aside already.
func (r *Restarter) expired(names []string) (out []rename, err error) {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	found := pki.Collect(r.Disk, facts.CertificatesQuestion{Layout: "auto"})
	for _, name := range names {
		if !layout.Stays(name) {
			return nil, fmt.Errorf("%s is no certificate that is set aside: a start renews it", name)
		}
		f, ok := found.File(name)
		if !ok {
			continue
		}
		leaf, ok := f.Leaf()
		switch {
		case !ok:
			return nil, fmt.Errorf("%s cannot be read: %s", f.Path, f.Unknown)
		case now().Before(leaf.NotAfter):
			return nil, fmt.Errorf("%s has not expired: it is valid until %s", f.Path, leaf.NotAfter.UTC().Format(time.RFC3339))
		}
		mark := ".expired-" + leaf.NotAfter.UTC().Format(time.DateOnly)
		for _, p := range []string{f.Path, f.KeyPath} {
			if p != "" && r.Disk.Exists(p) {
				out = append(out, rename{p, p + mark})
			}
		}
	}
	return out, nil
}
