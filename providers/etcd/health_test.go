package etcd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

func TestTroubles(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts.Etcd)
		want   []Trouble
	}{
		{"healthy", func(*facts.Etcd) {}, nil},
		{"not asked", func(e *facts.Etcd) { *e = facts.Etcd{Unknown: "no route"} }, []Trouble{{TroubleUnknown, "", "etcd could not be asked: no route"}}},
		{"no members", func(e *facts.Etcd) { e.Members = nil }, []Trouble{{TroubleUnknown, "", "etcd named no members"}}},
		{"silent", func(e *facts.Etcd) { e.Members[0].Unknown = "refused" }, []Trouble{{TroubleUnknown, "cp1", "cp1 does not answer: refused"}}},
		{"unstarted, and so even", func(e *facts.Etcd) {
			e.Members = append(e.Members, facts.Member{ID: "4", PeerURLs: []string{"https://10.0.0.4:2380"}, Unknown: "unstarted"})
		}, []Trouble{
			{TroubleUnstarted, "member 4", "member 4, at https://10.0.0.4:2380, is in the list of members but has never started"},
			{TroubleEven, "", "4 voting members survive the loss of 1, as 3 would"},
		}},
		{"a learner does not vote", func(e *facts.Etcd) { e.Members[2].Learner = true }, []Trouble{
			{TroubleLearner, "cp3", "cp3 is a learner and has no vote"}, {TroubleEven, "", "2 voting members survive the loss of 0, as 1 would"},
		}},
		{"no leader", func(e *facts.Etcd) { e.Members[1].Leader = "" }, []Trouble{{TroubleLeader, "cp2", "cp2 follows no leader"}}},
		{"two leaders", func(e *facts.Etcd) { e.Members[1].Leader = "2" }, []Trouble{{TroubleLeader, "cp2", "cp2 follows a leader that most members do not"}}},
		{"lag", func(e *facts.Etcd) { e.Members[1].RaftApplied = 1 }, []Trouble{{TroubleLag, "cp2", "cp2 is 99999 raft entries behind"}}},
		{"other data", func(e *facts.Etcd) { e.Members[1].Hash = 1 }, []Trouble{{TroubleHash, "cp2", "cp2 holds other data than most members at revision 7"}}},
		{"near the quota", func(e *facts.Etcd) { e.Members[1].DBSize = 85 }, []Trouble{{TroubleQuota, "cp2", "cp2: the database takes 85% of its quota of 100 bytes"}}},
		{"an alarm", func(e *facts.Etcd) { e.Alarms = []facts.Alarm{{Member: "2", Type: "NOSPACE"}} }, []Trouble{{TroubleAlarm, "cp2", "alarm NOSPACE is raised on cp2"}}},
		{"another minor version", func(e *facts.Etcd) { e.Members[1].Version = "3.5.21" }, []Trouble{{TroubleSkew, "", "members run etcd 3.5 and 3.6"}}},
		{"another patch is no skew", func(e *facts.Etcd) { e.Members[1].Version = "3.6.17" }, nil},
		{"its own words", func(e *facts.Etcd) { e.Members[1].Errors = []string{"etcdserver: no leader"} }, []Trouble{{TroubleMember, "cp2", "cp2 reports: etcdserver: no leader"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := healthyMembers()
			test.change(&e)
			if diff := cmp.Diff(test.want, Troubles(e)); diff != "" {
				t.Errorf("troubles (-want +got):\n%s", diff)
			}
		})
	}
}
