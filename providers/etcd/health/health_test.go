package health_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// three is a healthy etcd.
func three() facts.Etcd {
	member := func(id, name string) facts.Member {
		return facts.Member{ID: id, Name: name, Node: name, Leader: "a", RaftIndex: 9000, RaftApplied: 9000, Hash: 42, HashRevision: 7}
	}
	return facts.Etcd{ClusterID: "c1", Members: []facts.Member{member("a", "cp1"), member("b", "cp2"), member("c", "cp3")}}
}

func TestJudge(t *testing.T) {
	type verdict struct {
		Troubles []string // kind and words
		Sick     string
		Lasting  bool
		Out      []string // members
	}
	for name, test := range map[string]struct {
		change func(*facts.Etcd)
		want   verdict
	}{
		"well": {func(*facts.Etcd) {}, verdict{}},
		"nobody answers": {func(e *facts.Etcd) { *e = facts.Etcd{Unknown: "refused"} }, verdict{
			Troubles: []string{"unreachable: etcd could not be asked: refused"}, Sick: "etcd could not be asked: refused",
		}},
		"no members": {func(e *facts.Etcd) { e.Members = nil }, verdict{
			Troubles: []string{"unreachable: etcd named no members"}, Sick: "etcd named no members",
		}},
		"one is silent": {func(e *facts.Etcd) { e.Members[2].Unknown = "refused" }, verdict{
			Troubles: []string{"silent: member cp3 does not answer: refused"}, Out: []string{"cp3"},
		}},
		"two are silent": {func(e *facts.Etcd) { e.Members[1].Unknown, e.Members[2].Unknown = "refused", "refused" }, verdict{
			Troubles: []string{"silent: member cp2 does not answer: refused", "silent: member cp3 does not answer: refused"},
			Sick:     "1 of 3 members answer and follow a leader, which is no majority; member cp2 does not answer: refused; member cp3 does not answer: refused",
			Out:      []string{"cp2", "cp3"},
		}},
		"a learner is well": {func(e *facts.Etcd) { e.Members[2].Learner = true }, verdict{
			Troubles: []string{"learner: member cp3 is a learner and has no vote"},
		}},
		"a learner does not make up a majority": {func(e *facts.Etcd) { e.Members[2].Learner, e.Members[1].Unknown = true, "refused" }, verdict{
			Troubles: []string{"silent: member cp2 does not answer: refused", "learner: member cp3 is a learner and has no vote"},
			Sick:     "1 of 2 members answer and follow a leader, which is no majority; member cp2 does not answer: refused",
			Out:      []string{"cp2"},
		}},
		"a learner that does not catch up": {func(e *facts.Etcd) { e.Members[2].Learner, e.Members[2].RaftApplied = true, 3000 }, verdict{
			Troubles: []string{"learner: member cp3 is a learner and has no vote", "lag: member cp3 is 6000 raft entries behind"},
			Sick:     "member cp3 is 6000 raft entries behind",
		}},
		"one was never started": {func(e *facts.Etcd) {
			e.Members = append(e.Members, facts.Member{ID: "d", Unknown: "unstarted"})
		}, verdict{Troubles: []string{"unstarted: member d was added and never started"}, Out: []string{"d"}}},
		"one follows nobody, and what it reports of that is one trouble": {func(e *facts.Etcd) {
			e.Members[2].Leader, e.Members[2].Errors, e.Members[2].RaftApplied = "0", []string{"etcdserver: no leader"}, 0
		}, verdict{Troubles: []string{"leaderless: member cp3 follows no leader"}, Out: []string{"cp3"}}},
		"one follows another": {func(e *facts.Etcd) { e.Members[2].Leader = "c" }, verdict{
			Troubles: []string{"divided: member cp3 follows leader cp3, others cp1"}, Sick: "member cp3 follows leader cp3, others cp1",
		}},
		"one has not applied what it has": {func(e *facts.Etcd) { e.Members[0].RaftApplied = 9000 - health.Backlog - 1 }, verdict{
			Troubles: []string{"lag: member cp1 is 5001 raft entries behind"}, Sick: "member cp1 is 5001 raft entries behind",
		}},
		"one is as far behind as it may be": {func(e *facts.Etcd) { e.Members[0].RaftApplied = 9000 - health.Backlog }, verdict{}},
		"other data at one revision": {func(e *facts.Etcd) { e.Members[1].Hash = 43 }, verdict{
			Troubles: []string{"hash: members cp1 and cp2 hold different data at revision 7"}, Sick: "members cp1 and cp2 hold different data at revision 7",
		}},
		"hashes after other compactions say nothing": {func(e *facts.Etcd) { e.Members[1].Hash, e.Members[1].CompactRevision = 43, 5 }, verdict{}},
		"an alarm lasts": {func(e *facts.Etcd) { e.Alarms = []facts.Alarm{{Member: "b", Type: "NOSPACE"}} }, verdict{
			Troubles: []string{"alarm: alarm NOSPACE is raised on member cp2"}, Sick: "alarm NOSPACE is raised on member cp2", Lasting: true,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := three()
			test.change(&e)
			var got verdict
			for _, trouble := range health.Troubles(e) {
				got.Troubles = append(got.Troubles, string(trouble.Kind)+": "+trouble.What)
			}
			standing := health.Judge(e)
			got.Sick, got.Lasting = standing.Sick, standing.Lasting
			for _, trouble := range standing.Out {
				got.Out = append(got.Out, trouble.Member)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWorse(t *testing.T) {
	silent := func(e *facts.Etcd, i int) { e.Members[i].Unknown = "refused" }
	before, after := three(), three()
	silent(&before, 2)
	silent(&after, 2)
	if got := health.Worse(before, after); got != "" {
		t.Errorf("as before: %q", got)
	}
	silent(&after, 0)
	if got, want := health.Worse(before, after), "member cp1 does not answer: refused"; got != want {
		t.Errorf("one more is silent: %q, want %q", got, want)
	}
	learner := three()
	learner.Members[1].Learner = true
	if got := health.Worse(three(), learner); got != "" {
		t.Errorf("a learner that is well: %q", got)
	}
}
