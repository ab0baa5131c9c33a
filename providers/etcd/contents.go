package etcd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/status"
)

// ErrCompacted: the member no longer keeps the revision that was asked for. Kubernetes compacts every five minutes, so a
// revision can be asked for within that time of being the newest.
var ErrCompacted = errors.New("the revision has been compacted away")

// Question is what to ask of one revision.
type Question struct {
	// Revision is asked for; 0 is the newest at that moment.
	Revision int64 `json:"revision"`
	// Prefix is counted next to all keys; empty is KubernetesPrefix.
	Prefix string `json:"prefix,omitempty"`
	// Canaries are keys whose values are compared.
	Canaries []string `json:"canaries,omitempty"`
}

// KubernetesPrefix is where the API server keeps its objects unless its flag --etcd-prefix says otherwise.
const KubernetesPrefix = "/registry/"

// Contents is what one member holds at one revision, told by numbers: two members that agree on it hold the same.
type Contents struct {
	Revision int64 `json:"revision"`
	// Hash is the HashKV of the revision. It covers what a compaction at CompactRevision left, so it can be compared only
	// with one of the same CompactRevision.
	Hash            uint32 `json:"hash"`
	CompactRevision int64  `json:"compact_revision"`
	// Keys are all keys alive at the revision; PrefixKeys are those that begin with Prefix.
	Keys       int64    `json:"keys"`
	Prefix     string   `json:"prefix"`
	PrefixKeys int64    `json:"prefix_keys"`
	Canaries   []Canary `json:"canaries,omitempty"` // in the order asked
}

// Canary is one key at one revision. Its value may be a secret: only its hash is told.
type Canary struct {
	Key         string `json:"key"`
	Found       bool   `json:"found"`
	ModRevision int64  `json:"mod_revision,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
}

// Read asks the member on a node for what it holds at one revision, without a round through raft: the answer is that
// member's own. Where the revision is compacted away the error is ErrCompacted.
func Read(ctx context.Context, node string, dial Dialer, q Question) (Contents, error) {
	client, err := open(ctx, node, dial)
	if err != nil {
		return Contents{}, err
	}
	defer client.Close()
	out, err := read(ctx, answer{node: node, client: client}, q)
	switch {
	case errors.Is(err, ErrCompacted):
		return Contents{}, fmt.Errorf("%s: revision %d: %w", node, q.Revision, err)
	case err != nil:
		return Contents{}, fmt.Errorf("%s: %w", node, err)
	}
	return out, nil
}

func read(ctx context.Context, a answer, q Question) (Contents, error) {
	if q.Prefix == "" {
		q.Prefix = KubernetesPrefix
	}
	// The hash covers the complete database: there is no limit that suits every size, so the caller's is the only one.
	hashed, err := a.maintenance().HashKV(ctx, a.node, q.Revision)
	if err != nil {
		return Contents{}, told("hash", err)
	}
	out := Contents{Revision: hashed.HashRevision, Hash: hashed.Hash, CompactRevision: hashed.CompactRevision, Prefix: q.Prefix}
	if out.Revision == 0 { // before etcd 3.6 the answer does not name its revision
		if out.Revision = q.Revision; out.Revision == 0 {
			out.Revision = hashed.Header.Revision
		}
	}
	kv := clientv3.NewKVFromKVClient(pb.NewKVClient(a.client.ActiveConnection()), a.client)
	at := []clientv3.OpOption{clientv3.WithRev(out.Revision), clientv3.WithSerializable()}
	count := func(key, end string) (int64, error) {
		response, err := kv.Get(ctx, key, append(slices.Clip(at), clientv3.WithRange(end), clientv3.WithCountOnly())...)
		if err != nil {
			return 0, told("count of "+key, err)
		}
		return response.Count, nil
	}
	if out.Keys, err = count("\x00", "\x00"); err != nil {
		return Contents{}, err
	}
	if out.PrefixKeys, err = count(q.Prefix, clientv3.GetPrefixRangeEnd(q.Prefix)); err != nil {
		return Contents{}, err
	}
	for _, key := range q.Canaries {
		response, err := kv.Get(ctx, key, at...)
		if err != nil {
			return Contents{}, told("key "+key, err)
		}
		c := Canary{Key: key}
		if len(response.Kvs) > 0 {
			sum := sha256.Sum256(response.Kvs[0].Value)
			c.Found, c.ModRevision, c.SHA256 = true, response.Kvs[0].ModRevision, hex.EncodeToString(sum[:])
		}
		out.Canaries = append(out.Canaries, c)
	}
	return out, nil
}

// told puts an answer of etcd in our words.
func told(what string, err error) error {
	// The client wraps some answers and passes others on as they came.
	if errors.Is(err, rpctypes.ErrCompacted) || status.Convert(err).Message() == rpctypes.ErrorDesc(rpctypes.ErrGRPCCompacted) {
		return ErrCompacted
	}
	return fmt.Errorf("etcd %s: %s", what, reason(err))
}

// Differences says where what was restored differs from what was saved, one sentence each; none when they agree. Hashes of
// different compact revisions are not compared, and no sentence is made of that: see Comparable.
func Differences(saved, restored Contents) []string {
	var out []string
	differ := func(what string, was, is any) {
		if was != is {
			out = append(out, fmt.Sprintf("%s: saved %v, restored %v", what, was, is))
		}
	}
	differ("revision", saved.Revision, restored.Revision)
	differ("keys", saved.Keys, restored.Keys)
	if saved.Prefix == restored.Prefix {
		differ("keys below "+saved.Prefix, saved.PrefixKeys, restored.PrefixKeys)
	}
	if Comparable(saved, restored) {
		differ("hash", saved.Hash, restored.Hash)
	}
	for _, was := range saved.Canaries {
		i := slices.IndexFunc(restored.Canaries, func(c Canary) bool { return c.Key == was.Key })
		switch {
		case i < 0:
			out = append(out, was.Key+" was not read in the restored copy")
		case restored.Canaries[i] != was:
			out = append(out, was.Key+" is not what was saved")
		}
	}
	return out
}

// Comparable tells whether the hashes of two contents can be compared.
func Comparable(a, b Contents) bool {
	return a.Revision == b.Revision && a.CompactRevision == b.CompactRevision
}
