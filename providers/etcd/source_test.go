package etcd

import (
	"strings"
	"testing"

	"upkeep/providers/facts"
)

// healthyMembers returns three members, led by the first.
func healthyMembers() facts.Etcd {
	var e facts.Etcd
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		e.Members = append(e.Members, facts.Member{
			ID: name[2:], Name: name, Node: name, Leader: "1", Version: "3.6.16", DBSize: 40, Quota: 100,
			RaftIndex: 100000, RaftApplied: 100000, HashRevision: 7, Hash: 42,
		})
	}
	return e
}

func TestSource(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts.Etcd)
		want   string // the member, or nothing
		why    string
	}{
		{"a follower before the leader", func(*facts.Etcd) {}, "cp2", "a healthy follower, 0 raft entries behind"},
		{"not a member that is down", func(e *facts.Etcd) { e.Members[1].Unknown = "refused" }, "cp3", "follower"},
		{"not a learner", func(e *facts.Etcd) { e.Members[1].Learner = true }, "cp3", "follower"},
		{"not one that is on no node of ours", func(e *facts.Etcd) { e.Members[1].Node = "" }, "cp3", "follower"},
		{"not one that is behind", func(e *facts.Etcd) { e.Members[1].RaftIndex, e.Members[1].RaftApplied = 90000, 90000 }, "cp3", "follower"},
		{"not one that has yet to apply", func(e *facts.Etcd) { e.Members[1].RaftApplied = 90000 }, "cp3", "follower"},
		{"not one without a leader", func(e *facts.Etcd) { e.Members[1].Leader = "" }, "cp3", "follower"},
		{"not one of a minority with a leader of its own", func(e *facts.Etcd) { e.Members[1].Leader = "2" }, "cp3", "follower"},
		{"not one with other data", func(e *facts.Etcd) { e.Members[1].Hash = 43 }, "cp3", "follower"},
		{"not one with alarm CORRUPT", func(e *facts.Etcd) { e.Alarms = []facts.Alarm{{Member: "2", Type: "CORRUPT"}} }, "cp3", "follower"},
		{"a full database is backed up", func(e *facts.Etcd) { e.Alarms = []facts.Alarm{{Member: "2", Type: "NOSPACE"}} }, "cp2", "follower"},
		{"the leader when no follower is fit", func(e *facts.Etcd) { e.Members[1].Unknown, e.Members[2].Learner = "refused", true }, "cp1", "the leader, as no follower is fit: cp2 does not answer: refused; cp3 is a learner"},
		{"a follower that alone is seen, since it has heard its leader", func(e *facts.Etcd) { e.Members[0].Unknown, e.Members[2].Unknown = "refused", "refused" }, "cp2", "follower"},
		{"the only member", func(e *facts.Etcd) { e.Members = e.Members[:1] }, "cp1", "the only member"},
		{"hashes of another compaction do not count", func(e *facts.Etcd) { e.Members[1].Hash, e.Members[1].CompactRevision = 43, 5 }, "cp2", "follower"},
		{"members that were not hashed", func(e *facts.Etcd) {
			for i := range e.Members {
				e.Members[i].HashRevision = 0
			}
		}, "cp2", "follower"},
		{"none when the cluster is corrupt", func(e *facts.Etcd) { e.Alarms = []facts.Alarm{{Member: "0", Type: "CORRUPT"}} }, "", "cp1 has alarm CORRUPT; cp2 has alarm CORRUPT"},
		{"none when two members disagree", func(e *facts.Etcd) { e.Members, e.Members[0].Hash = e.Members[:2], 1 }, "", "cp1 holds other data than most members at revision 7"},
		{"none without a leader", func(e *facts.Etcd) {
			for i := range e.Members {
				e.Members[i].Leader = "0"
			}
		}, "", "cp1 follows no leader"},
		{"none when nobody answered", func(e *facts.Etcd) { *e = facts.Etcd{Unknown: "no route"} }, "", "etcd could not be asked: no route"},
		{"none without members", func(e *facts.Etcd) { e.Members = nil }, "", "etcd named no members"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := healthyMembers()
			test.change(&e)
			member, why, err := Source(e)
			if err != nil {
				why = err.Error()
			}
			if member.Name != test.want || (test.want == "") != (err != nil) || !strings.Contains(why, test.why) {
				t.Errorf("Source = %q, %q, %v; want %q, %q", member.Name, why, err, test.want, test.why)
			}
		})
	}
}
