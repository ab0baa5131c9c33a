package drill

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
)

// SuggestedBump is added to the revisions of a restored cluster when the age of the snapshot is not known: more than a week
// of 1,500 writes a second. Source: etcd v3.6 documentation, "Disaster recovery", section "Restoring with revision bump".
const SuggestedBump = 1_000_000_000

// Peer is a member of the cluster that is restored.
type Peer struct {
	Name     string   `json:"name"`
	PeerURLs []string `json:"peer_urls"`
}

// Restoration is one member's data directory, as its etcd will start from it.
type Restoration struct {
	File string `json:"file"`
	// DataDirectory must not exist or be empty. It gets mode 0700; its owner is who runs upkeep, so etcd under another user
	// needs a chown afterwards.
	DataDirectory string `json:"data_directory"`
	// Name is the member's own; Cluster are all members, Name among them, the same list for each of them.
	Name    string `json:"name"`
	Cluster []Peer `json:"cluster"`
	// Token is the same for each member and new for each restoration, so that members of the old cluster are strangers.
	Token string `json:"token"`
	// Bump is added to the newest revision, and MarkCompacted makes clients forget what they watched. They go together: the
	// restored cluster is older than what its clients have seen. Controllers and kubelets keep watching from revisions
	// that the restored cluster would give out a second time, for other objects. With the bump no revision is used twice;
	// with the mark every watch from before ends and its client lists again. Sources: kubernetes/kubernetes#118501,
	// etcd-io/etcd#16028.
	Bump          uint64 `json:"bump,omitempty"`
	MarkCompacted bool   `json:"mark_compacted,omitempty"`
}

// Check says what is wrong with a restoration before anything is written.
func (r Restoration) Check() error {
	switch {
	case r.Name == "" || r.DataDirectory == "" || r.File == "":
		return fmt.Errorf("restoring needs a snapshot, a member's name and a data directory")
	case r.Token == "":
		return fmt.Errorf("restoring %s needs a token for the new cluster, the same for each of its members", r.Name)
	case r.Bump > 0 && !r.MarkCompacted:
		return fmt.Errorf("a bumped revision needs -mark-compacted as well: otherwise clients go on watching from revisions in between, which never happened")
	case r.MarkCompacted && r.Bump == 0:
		return fmt.Errorf("-mark-compacted needs -bump-revision as well, for example -bump-revision=%d: otherwise the newest objects' own revisions are compacted and used again", SuggestedBump)
	case r.Bump > 1<<40:
		return fmt.Errorf("a bump of %d leaves too few revisions for later; %d is a week of heavy writes", r.Bump, SuggestedBump)
	}
	names := map[string]bool{}
	for _, p := range r.Cluster {
		if names[p.Name] {
			return fmt.Errorf("member %s is named twice", p.Name)
		}
		names[p.Name] = true
		if len(p.PeerURLs) == 0 {
			return fmt.Errorf("member %s has no peer URL", p.Name)
		}
		for _, raw := range p.PeerURLs {
			if u, err := url.Parse(raw); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
				return fmt.Errorf("member %s: %q is no peer URL, which looks like https://10.0.0.11:2380", p.Name, raw)
			}
		}
	}
	if !names[r.Name] {
		return fmt.Errorf("member %s is not among the members of the cluster", r.Name)
	}
	return nil
}

// Restore writes one member's data directory from a snapshot, ready for its etcd to start, and tells what is in it. The
// snapshot's checksum must hold. It never touches a directory that holds anything, and leaves nothing of its own when it
// fails: the data directory appears complete.
func Restore(ctx context.Context, o Options, r Restoration) (Inspection, error) {
	if err := r.Check(); err != nil {
		return Inspection{}, err
	}
	if _, err := CheckFile(ctx, r.File); err != nil {
		return Inspection{}, err
	}
	var err error
	if r.File, err = filepath.Abs(r.File); err != nil {
		return Inspection{}, err
	}
	if r.DataDirectory, err = filepath.Abs(r.DataDirectory); err != nil {
		return Inspection{}, err
	}
	stage, err := prepare(r.DataDirectory)
	if err != nil {
		return Inspection{}, err
	}
	defer stage.abandon()
	target := r.DataDirectory
	r.DataDirectory = stage.path
	response, err := ask(ctx, o.Program, Request{Restore: &r})
	if err != nil {
		return Inspection{}, fmt.Errorf("restoring member %s into %s: %w", r.Name, target, err)
	}
	if response.Inspection == nil {
		return Inspection{}, fmt.Errorf("restoring member %s into %s: upkeep-etcd gave no answer", r.Name, target)
	}
	if err := stage.settle(); err != nil {
		return Inspection{}, err
	}
	return *response.Inspection, nil
}
