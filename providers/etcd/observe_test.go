package etcd

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"upkeep/providers/facts"
)

// memberServer is a gRPC server that answers as one member does; it speaks etcd's own protocol, so that the client
// under test is the real one.
type memberServer struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	pb.UnimplementedKVServer

	id, leader uint64
	revision   int64
	hash       uint32
	members    []*pb.Member
	alarms     []*pb.AlarmMember
	values     map[string]string
	hashedAt   *int64
	// compactions are the compact revisions that the member's hashes are of, one answer after another; the last stays.
	compactions *[]int64
	// left: the member does not catch up with its leader in time, so that a linearizable read does not end.
	left bool
	// learner: the member has no vote, and refuses what a learner refuses.
	learner bool
	// elsewhere is added to the cluster's id: not 0 is another cluster.
	elsewhere uint64
}

// refuses is what a learner answers to all but a status (etcd v3.6, server/etcdserver/api/v3rpc/interceptor.go).
func (m memberServer) refuses() error {
	if !m.learner {
		return nil
	}
	return status.Error(codes.Unavailable, "etcdserver: rpc not supported for learner")
}

func (m memberServer) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: 0xc1 + m.elsewhere, MemberId: m.id, Revision: m.revision, RaftTerm: 2}
}

func (m memberServer) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if err := m.refuses(); err != nil {
		return nil, err
	}
	if m.left && r.Linearizable {
		return nil, status.Error(codes.DeadlineExceeded, "etcdserver: request timed out")
	}
	return &pb.MemberListResponse{Header: m.header(), Members: m.members}, nil
}

func (m memberServer) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	return &pb.StatusResponse{Header: m.header(), Version: "3.6.16", Leader: m.leader, RaftTerm: 2, RaftIndex: 10, RaftAppliedIndex: 9, DbSize: 4096, DbSizeQuota: 8192, IsLearner: m.learner}, nil
}

func (m memberServer) Alarm(context.Context, *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	return &pb.AlarmResponse{Header: m.header(), Alarms: m.alarms}, m.refuses()
}

func (m memberServer) HashKV(_ context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	if err := m.refuses(); err != nil {
		return nil, err
	}
	*m.hashedAt = r.Revision
	out := &pb.HashKVResponse{Header: m.header(), Hash: m.hash, HashRevision: r.Revision}
	if m.compactions != nil {
		out.CompactRevision = (*m.compactions)[0]
		if len(*m.compactions) > 1 {
			*m.compactions = (*m.compactions)[1:]
		}
	}
	return out, nil
}

func (m memberServer) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	out := &pb.RangeResponse{Header: m.header()}
	if v, ok := m.values[string(r.Key)]; ok {
		out.Kvs = append(out.Kvs, &mvccpb.KeyValue{Key: r.Key, Value: []byte(v)})
	}
	return out, nil
}

// serve starts the members on pipes and returns a dialer to them; a name that is not there refuses.
func serve(t *testing.T, members map[string]memberServer) Dialer {
	listeners := map[string]*pipeListener{}
	for name, member := range members {
		server := grpc.NewServer()
		pb.RegisterClusterServer(server, member)
		pb.RegisterMaintenanceServer(server, member)
		pb.RegisterKVServer(server, member)
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		listeners[name] = l
		go server.Serve(l)
		t.Cleanup(server.Stop)
	}
	return func(ctx context.Context, node string) (net.Conn, error) {
		l := listeners[node]
		if l == nil {
			return nil, errors.New(node + ": connection refused")
		}
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestObserve(t *testing.T) {
	list := []*pb.Member{
		{ID: 0xb, Name: "cp2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"https://10.0.0.2:2379"}},
		{ID: 0xa, Name: "cp1", PeerURLs: []string{"https://10.0.0.1:2380"}, ClientURLs: []string{"https://10.0.0.1:2379"}},
	}
	var at1, at2 int64
	cp1 := memberServer{id: 0xa, leader: 0xa, revision: 7, hash: 42, members: list, hashedAt: &at1}
	cp2 := memberServer{id: 0xb, leader: 0xa, revision: 5, hash: 42, members: list, hashedAt: &at2}
	var elsewhere int64
	foreign := memberServer{id: 0xf, leader: 0xf, revision: 9, hash: 1, elsewhere: 1, hashedAt: &elsewhere}
	left := cp2
	left.left = true
	learner := cp2
	learner.learner = true
	learns := []*pb.Member{{ID: 0xb, Name: "cp2", PeerURLs: list[0].PeerURLs, ClientURLs: list[0].ClientURLs, IsLearner: true}, list[1]}
	beside := cp1
	beside.members = learns
	alarmed := cp1
	alarmed.alarms = []*pb.AlarmMember{{MemberID: 0xb, Alarm: pb.AlarmType_NOSPACE}}

	member := func(id, name, ip string, revision int64) facts.Member {
		return facts.Member{
			ID: id, Name: name, Node: name, PeerURLs: []string{"https://" + ip + ":2380"}, ClientURLs: []string{"https://" + ip + ":2379"},
			Leader: "a", Version: "3.6.16", DBSize: 4096, Quota: 8192, RaftTerm: 2, RaftIndex: 10, RaftApplied: 9, Hash: 42, HashRevision: revision,
		}
	}
	at := func(m facts.Member, node string) facts.Member {
		m.Node = node
		return m
	}
	tests := []struct {
		name    string
		members map[string]memberServer
		nodes   []string
		want    facts.Etcd
	}{
		{
			name: "every member, hashed at the lowest revision", members: map[string]memberServer{"cp1": cp1, "cp2": cp2}, nodes: []string{"cp1", "cp2"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{member("a", "cp1", "10.0.0.1", 5), member("b", "cp2", "10.0.0.2", 5)}},
		},
		{
			name:    "a member that is down is unknown, tied to its node by name, and the alarm is told",
			members: map[string]memberServer{"cp1": alarmed}, nodes: []string{"cp1", "cp2"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{
				member("a", "cp1", "10.0.0.1", 7),
				{ID: "b", Name: "cp2", Node: "cp2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"https://10.0.0.2:2379"}, Unknown: "cp2: connection refused"},
			}, Alarms: []facts.Alarm{{Member: "b", Type: "NOSPACE"}}},
		},
		{
			name:    "members that are asked at endpoints are tied to them, down or not",
			members: map[string]memberServer{"https://10.0.0.1:2379": cp1}, nodes: []string{"https://10.0.0.1:2379", "https://10.0.0.2:2379"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{
				at(member("a", "cp1", "10.0.0.1", 7), "https://10.0.0.1:2379"),
				{ID: "b", Name: "cp2", Node: "https://10.0.0.2:2379", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"https://10.0.0.2:2379"}, Unknown: "https://10.0.0.2:2379: connection refused"},
			}},
		},
		{
			name:    "an endpoint that is no member's and is down is unusable",
			members: map[string]memberServer{"https://10.0.0.1:2379": cp1, "https://etcd2:2379": cp2},
			nodes:   []string{"https://10.0.0.9:2379", "https://10.0.0.2:2379", "https://10.0.0.1:2379", "https://etcd2:2379"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{
				at(member("a", "cp1", "10.0.0.1", 5), "https://10.0.0.1:2379"), at(member("b", "cp2", "10.0.0.2", 5), "https://etcd2:2379"),
			}, Unusable: []facts.UnusableEndpoint{{At: "https://10.0.0.9:2379", Why: "connection refused"}, {At: "https://10.0.0.2:2379", Why: "connection refused"}}},
		},
		{
			name:    "a node that is of no member, and one of another cluster, are unusable",
			members: map[string]memberServer{"cp1": cp1, "cp2": cp2, "cp4": foreign}, nodes: []string{"cp1", "cp2", "cp3", "cp4"},
			want: facts.Etcd{
				ClusterID: "c1", Members: []facts.Member{member("a", "cp1", "10.0.0.1", 5), member("b", "cp2", "10.0.0.2", 5)},
				Unusable: []facts.UnusableEndpoint{{At: "cp3", Why: "connection refused"}, {At: "cp4", Why: "it is of cluster c2, and cp1 is of cluster c1"}},
			},
		},
		{
			name: "a member on no configured node is unknown", members: map[string]memberServer{"cp1": cp1}, nodes: []string{"cp1"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{
				member("a", "cp1", "10.0.0.1", 7),
				{ID: "b", Name: "cp2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"https://10.0.0.2:2379"}, Unknown: "not reached through any configured node"},
			}},
		},
		{
			// Else it would be compared with itself alone where no other member is seen, and a snapshot taken from it: see
			// Source.
			name: "a member that does not catch up with its leader is unknown", members: map[string]memberServer{"cp1": cp1, "cp2": left}, nodes: []string{"cp1", "cp2"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{
				member("a", "cp1", "10.0.0.1", 7),
				{ID: "b", Name: "cp2", Node: "cp2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"https://10.0.0.2:2379"}, Unknown: "cp2: etcd member list: \"etcdserver: request timed out\""},
			}},
		},
		{
			name: "a learner that is well is a member that answers", members: map[string]memberServer{"cp1": beside, "cp2": learner}, nodes: []string{"cp2", "cp1"},
			want: facts.Etcd{ClusterID: "c1", Members: []facts.Member{member("a", "cp1", "10.0.0.1", 7), func() facts.Member {
				m := member("b", "cp2", "10.0.0.2", 0)
				m.Learner, m.Hash = true, 0
				return m
			}()}},
		},
		{
			name: "a learner alone knows nothing of the others", members: map[string]memberServer{"cp2": learner}, nodes: []string{"cp1", "cp2"},
			want: facts.Etcd{Unknown: "no member answered: cp1: connection refused; cp2: it is a learner, which knows nothing of the others"},
		},
		{
			name: "nobody answers", nodes: []string{"cp1"},
			want: facts.Etcd{Unknown: "no member answered: cp1: connection refused"},
		},
		{name: "no nodes", want: facts.Etcd{Unknown: "no node with an etcd member is known"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Observe(context.Background(), test.nodes, serve(t, test.members))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("etcd (-want +got):\n%s", diff)
			}
		})
	}
}

// A compaction that one member has seen and the other not yet makes their hashes differ; that is no finding.
func TestHashesAreOfOneCompaction(t *testing.T) {
	list := []*pb.Member{{ID: 0xa, Name: "cp1"}, {ID: 0xb, Name: "cp2"}}
	for _, test := range []struct {
		name     string
		cp1, cp2 []int64
		want     int64 // the compact revision that both hashes are of; 0 is no hash
	}{
		{"the same at once", []int64{4}, []int64{4}, 4},
		{"the same at the second look", []int64{4, 5}, []int64{5}, 5},
		{"never the same", []int64{4}, []int64{5}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var at1, at2 int64
			got := Observe(context.Background(), []string{"cp1", "cp2"}, serve(t, map[string]memberServer{
				"cp1": {id: 0xa, leader: 0xa, revision: 7, hash: 1, members: list, hashedAt: &at1, compactions: &test.cp1},
				"cp2": {id: 0xb, leader: 0xa, revision: 7, hash: 2, members: list, hashedAt: &at2, compactions: &test.cp2},
			}))
			for _, m := range got.Members {
				if m.CompactRevision != test.want || (m.Hash != 0) != (test.want != 0) {
					t.Errorf("%s: hash %d of compaction %d, want %d", m.Name, m.Hash, m.CompactRevision, test.want)
				}
			}
		})
	}
}

func TestGet(t *testing.T) {
	dial := serve(t, map[string]memberServer{"cp2": {id: 0xb, values: map[string]string{"/a": "1"}}})
	got, err := Get(context.Background(), []string{"cp1", "cp2"}, dial, "/a")
	if err != nil || string(got) != "1" {
		t.Errorf("Get = %q, %v; the second node has it", got, err)
	}
	if _, err := Get(context.Background(), []string{"cp2"}, dial, "/b"); err == nil {
		t.Error("a key that is not there was found")
	}
}

// pipeListener accepts the far ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
