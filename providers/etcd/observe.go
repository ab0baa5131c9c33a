// Package etcd talks to etcd over a dialer that it is given: members, health, hashes, and single keys.
//
// It is the only adapter that links the etcd client. TLS ends on the node: the dialer returns a connection that already
// carries plain HTTP/2, so no client key ever reaches this package. It decides nothing and changes nothing.
package etcd

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// requestTimeout bounds one request to one member.
const requestTimeout = 10 * time.Second

// Dialer connects to the member that runs on a node.
//
// Its errors name the node.
type Dialer func(ctx context.Context, node string) (net.Conn, error)

// Observe asks the members on the given nodes. It does not fail: a member that does not answer has Unknown set, and so
// has the result itself when none does.
func Observe(ctx context.Context, nodes []string, dial Dialer) facts.Etcd {
	if len(nodes) == 0 {
		return facts.Etcd{Unknown: "no node with an etcd member is known"}
	}
	answers := make([]answer, len(nodes))
	var group errgroup.Group
	for i, node := range nodes {
		group.Go(func() error {
			answers[i] = ask(ctx, node, dial)
			return nil
		})
	}
	_ = group.Wait() // ask keeps its error in the answer
	defer func() {
		for _, a := range answers {
			a.close()
		}
	}()
	hashAtOneRevision(ctx, answers)
	return merge(answers)
}

// answer is what one member said.
type answer struct {
	node   string
	client *clientv3.Client
	err    error

	members []*pb.Member
	alarms  []*pb.AlarmMember
	status  *clientv3.StatusResponse
	hash    *clientv3.HashKVResponse
}

// votes reports whether a member with a vote answered.
func (a answer) votes() bool { return a.err == nil && !a.status.IsLearner }

func (a answer) close() {
	if a.client != nil {
		a.client.Close()
	}
}

// maintenance returns the maintenance API on the connection that is open already: the client's own would dial, and each
// dial is a session on the node.
func (a answer) maintenance() clientv3.Maintenance {
	return clientv3.NewMaintenanceFromMaintenanceClient(pb.NewMaintenanceClient(a.client.ActiveConnection()), a.client)
}

func ask(ctx context.Context, node string, dial Dialer) answer {
	a := answer{node: node}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if a.client, a.err = open(ctx, node, dial); a.err != nil {
		return a
	}
	fail := func(what string, err error) answer {
		a.err = fmt.Errorf("%s: etcd %s: %s", node, what, reason(err))
		return a
	}
	var err error
	if a.status, err = a.maintenance().Status(ctx, node); err != nil {
		return fail("status", err)
	}
	if a.status.IsLearner {
		return a // a learner answers nothing else (etcd v3.6 server/etcdserver/api/v3rpc/interceptor.go, isRPCSupportedForLearner)
	}
	if a.status.Leader == 0 {
		// Without a leader nothing that goes through raft is answered; which members there are the member knows by
		// itself.
		list, err := a.client.MemberList(ctx, clientv3.WithSerializable())
		if err != nil {
			return fail("member list", err)
		}
		a.members = list.Members
		return a
	}
	// A linearizable read (etcd 3.5 and later, server/etcdserver/server.go MemberList): a member answers it once it has
	// applied what its leader had committed when it was asked, and within the time limit, or counts as silent.
	list, err := a.client.MemberList(ctx)
	if err != nil {
		return fail("member list", err)
	}
	a.members = list.Members
	alarms, err := a.maintenance().AlarmList(ctx)
	if err != nil {
		return fail("alarm list", err)
	}
	a.alarms = alarms.Alarms
	return a
}

// hashAtOneRevision asks every voting member that answered for its hash at the lowest revision among them, so that the
// hashes can be compared while the cluster is written to.
func hashAtOneRevision(ctx context.Context, answers []answer) {
	revision := int64(0)
	for _, a := range answers {
		if a.votes() && (revision == 0 || a.status.Header.Revision < revision) {
			revision = a.status.Header.Revision
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// A compaction reaches the members one after another, and a hash from before it is no match for one from after it.
	// Compactions are minutes apart, so that a second look is enough.
	for range 2 {
		hashAt(ctx, answers, revision)
		if oneCompaction(answers) {
			return
		}
	}
	// Hashes that cannot be compared say nothing.
	for i := range answers {
		answers[i].hash = nil
	}
}

// hashAt asks every member that answered for its hash at a revision.
func hashAt(ctx context.Context, answers []answer, revision int64) {
	var group errgroup.Group
	for i := range answers {
		a := &answers[i]
		if !a.votes() {
			continue
		}
		group.Go(func() error {
			// A compaction of the very revision makes a hash unavailable; it is then left out, not an error of the member.
			a.hash, _ = a.maintenance().HashKV(ctx, a.node, revision)
			return nil
		})
	}
	_ = group.Wait() // a missing hash stays nil
}

// oneCompaction tells whether all hashes are of the same compaction.
func oneCompaction(answers []answer) bool {
	var first *clientv3.HashKVResponse
	for _, a := range answers {
		switch {
		case a.hash == nil:
		case first == nil:
			first = a.hash
		case a.hash.CompactRevision != first.CompactRevision:
			return false
		}
	}
	return true
}

// merge makes one view of the answers: the member list of the first that answered, each member's own words added.
func merge(answers []answer) facts.Etcd {
	var out facts.Etcd
	first := slices.IndexFunc(answers, answer.votes)
	if first < 0 {
		var reasons []string
		for _, a := range answers {
			if a.err == nil {
				reasons = append(reasons, a.node+": it is a learner, which knows nothing of the others")
			} else {
				reasons = append(reasons, a.err.Error())
			}
		}
		out.Unknown = "no member answered: " + strings.Join(reasons, "; ")
		return out
	}
	out.ClusterID = hexID(answers[first].status.Header.ClusterId)
	for _, m := range answers[first].members {
		member := facts.Member{
			ID: hexID(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner,
			Unknown: "not reached through any configured node",
		}
		for _, a := range answers {
			switch {
			case a.err == nil && a.status.Header.MemberId == m.ID:
				describe(&member, a)
			case a.err != nil && member.Node == "" && (a.node == m.Name || slices.Contains(m.ClientURLs, a.node)):
				// kubeadm names a member after its node; that is how a member that is down is tied to one. One that was asked
				// at an endpoint is tied to that.
				member.Node, member.Unknown = a.node, a.err.Error()
			}
		}
		if m.Name == "" {
			member.Unknown = "unstarted"
		}
		out.Members = append(out.Members, member)
	}
	for _, a := range answers {
		if why := a.unusable(answers[first], out.Members); why != "" {
			out.Unusable = append(out.Unusable, facts.UnusableEndpoint{At: a.node, Why: why})
		}
	}
	slices.SortFunc(out.Members, func(a, b facts.Member) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	for _, alarm := range answers[first].alarms {
		out.Alarms = append(out.Alarms, facts.Alarm{Member: hexID(alarm.MemberID), Type: alarm.Alarm.String()})
	}
	return out
}

// unusable says why an answer tells of no member of the cluster that another one is of; empty where it is told with a
// member.
func (a answer) unusable(of answer, members []facts.Member) string {
	switch {
	case a.err != nil && slices.ContainsFunc(members, func(m facts.Member) bool { return m.Node == a.node && m.Unknown != "" }):
		return ""
	case a.err != nil:
		return strings.TrimPrefix(a.err.Error(), a.node+": ")
	case a.status.Header.ClusterId != of.status.Header.ClusterId:
		return fmt.Sprintf("it is of cluster %s, and %s is of cluster %s", hexID(a.status.Header.ClusterId), of.node, hexID(of.status.Header.ClusterId))
	}
	return ""
}

func describe(m *facts.Member, a answer) {
	m.Node, m.Unknown = a.node, ""
	s := a.status
	if s.Leader != 0 {
		m.Leader = hexID(s.Leader)
	}
	m.Version, m.DBSize, m.Quota = s.Version, s.DbSize, s.DbSizeQuota
	m.RaftTerm, m.RaftIndex, m.RaftApplied = s.RaftTerm, s.RaftIndex, s.RaftAppliedIndex
	m.Errors = s.Errors
	m.Learner = m.Learner || s.IsLearner
	if a.hash != nil {
		m.Hash, m.HashRevision, m.CompactRevision = a.hash.Hash, a.hash.HashRevision, a.hash.CompactRevision
		if m.HashRevision == 0 { // before etcd 3.6 the answer does not name its revision
			m.HashRevision = a.hash.Header.Revision
		}
	}
}

// Get reads one key through the first node whose member answers.
func Get(ctx context.Context, nodes []string, dial Dialer, key string) ([]byte, error) {
	err := fmt.Errorf("no node with an etcd member is known")
	for _, node := range nodes {
		var value []byte
		if value, err = get(ctx, node, dial, key); err == nil {
			return value, nil
		}
	}
	return nil, fmt.Errorf("reading %s from etcd: %w", key, err)
}

func get(ctx context.Context, node string, dial Dialer, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	client, err := open(ctx, node, dial)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	response, err := client.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: etcd: %s", node, reason(err))
	}
	if len(response.Kvs) == 0 {
		return nil, fmt.Errorf("%s: no such key", node)
	}
	return response.Kvs[0].Value, nil
}

// open connects first and gives gRPC the one connection: a member that refuses is then an error at once and in its own
// words, where gRPC would dial again and again until the time is over.
func open(ctx context.Context, node string, dial Dialer, options ...grpc.DialOption) (*clientv3.Client, error) {
	conn, err := dial(ctx, node)
	if err != nil {
		return nil, err
	}
	once := make(chan net.Conn, 1)
	once <- conn
	client, err := clientv3.New(clientv3.Config{
		// The name is for errors alone: it is never resolved, and the connection is encrypted on the node.
		Endpoints: []string{"http://" + strings.TrimPrefix(node, "https://")},
		Logger:    zap.NewNop(),
		DialOptions: append([]grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
				select {
				case c := <-once:
					return c, nil
				default:
					return nil, fmt.Errorf("%s: the connection to etcd broke", node)
				}
			}),
		}, options...),
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}

func hexID(id uint64) string { return strconv.FormatUint(id, 16) }

// reason drops gRPC's wrapping, which repeats itself, and quotes what is left: a member may answer any sentence.
func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "desc = "); i >= 0 {
		text = text[i+len("desc = "):]
	}
	text = strings.Trim(text, `"`)
	switch text {
	case context.DeadlineExceeded.Error(), context.Canceled.Error():
		return text
	}
	return plain.Said(text)
}
