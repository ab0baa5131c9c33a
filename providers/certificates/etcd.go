package certificates

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// applyBacklog is how far a healthy member may be behind, in raft entries. etcd itself refuses requests when commit and
// apply are further apart than this (maxGapBetweenApplyAndCommitIndex, etcd v3.6 server/etcdserver/v3_server.go).
const applyBacklog = 5000

// etcdTrouble is one reason why etcd is not healthy.
type etcdTrouble struct {
	member, what string
	unknown      bool
	// out: the member takes no part, since it does not answer or follows no leader, and nothing else is known to be wrong with
	// it; node is where it runs.
	out  bool
	node string
	// lasting: it does not pass by itself.
	lasting bool
	cause   string // as findings have it; empty: nobody else reports it
}

// etcdTroubles returns why etcd is not wholly healthy; none when it is. A leader, every member answering and voting, no
// alarm, no error, no lag, one hash for one revision.
func etcdTroubles(e facts.Etcd) []etcdTrouble {
	if e.Unknown != "" {
		return []etcdTrouble{{what: "etcd could not be asked: " + e.Unknown, unknown: true, cause: facts.EtcdCause("", facts.EtcdSilent)}}
	}
	if len(e.Members) == 0 {
		return []etcdTrouble{{what: "etcd named no members", unknown: true}}
	}
	var out []etcdTrouble
	trouble := func(member, format string, args ...any) {
		out = append(out, etcdTrouble{member: member, what: fmt.Sprintf(format, args...)})
	}
	because := func(id, what string) { out[len(out)-1].cause = facts.EtcdCause(id, what) }
	names := make(map[string]string, len(e.Members))
	var newest uint64
	leader := ""
	for _, m := range e.Members {
		names[m.ID] = m.Name
		newest = max(newest, m.RaftIndex)
		if leader == "" && leads(m) {
			leader = m.Leader
		}
	}
	hashes := map[int64]facts.Member{}
	for _, m := range e.Members {
		name := m.Name
		if name == "" {
			name = m.ID
		}
		if m.Learner {
			trouble(name, "member %s is a learner and has no vote", name)
			because(m.ID, facts.EtcdLearner)
		}
		if m.Unknown != "" {
			out = append(out, etcdTrouble{member: name, what: fmt.Sprintf("member %s does not answer: %s", name, m.Unknown), out: true, node: m.Node})
			because(m.ID, facts.EtcdSilent)
			continue
		}
		if m.Leader != leader && leads(m) {
			trouble(name, "member %s follows leader %s, others %s", name, memberName(names, m.Leader), memberName(names, leader))
		}
		if !leads(m) {
			trouble(name, "member %s follows no leader", name)
			out[len(out)-1].out, out[len(out)-1].node = true, m.Node
		} else {
			for _, e := range m.Errors { // one without a leader reports that, too, and lags
				trouble(name, "member %s reports: %s", name, e)
			}
		}
		switch {
		case !leads(m):
		case newest-m.RaftIndex > applyBacklog:
			trouble(name, "member %s is %d raft entries behind", name, newest-m.RaftIndex)
			because(m.ID, facts.EtcdLag)
		case m.RaftIndex > m.RaftApplied && m.RaftIndex-m.RaftApplied > applyBacklog:
			trouble(name, "member %s has %d raft entries still to apply", name, m.RaftIndex-m.RaftApplied)
			because(m.ID, facts.EtcdLag)
		}
		if m.HashRevision != 0 {
			if other, ok := hashes[m.HashRevision]; ok && other.Hash != m.Hash {
				trouble(name, "members %s and %s hold different data at revision %d", other.Name, name, m.HashRevision)
				because(m.ID, facts.EtcdHash)
			} else if !ok {
				hashes[m.HashRevision] = m
			}
		}
	}
	for _, a := range e.Alarms {
		trouble(memberName(names, a.Member), "alarm %s is raised on member %s", a.Type, memberName(names, a.Member))
		out[len(out)-1].lasting = true
		because(a.Member, facts.EtcdAlarm+"/"+a.Type)
	}
	return out
}

// leads reports whether a member that answers follows a leader.
func leads(m facts.Member) bool { return strings.Trim(m.Leader, "0") != "" }

func memberName(names map[string]string, id string) string {
	if n := names[id]; n != "" {
		return n
	}
	return id
}

// etcdStanding is what may be done while etcd is as it is.
type etcdStanding struct {
	// sick says why nothing may be done to any control plane; empty: etcd holds. Then every trouble is a member that takes no
	// part, and those that do are a majority of the voters and follow one leader.
	sick string
	// lasting: sick does not pass by itself.
	lasting bool
	out     []etcdTrouble // the members that take no part
}

// etcdStands judges etcd. A member that takes no part costs its vote and nothing more; anything else that is wrong with etcd
// is wrong with what all members share.
func etcdStands(e facts.Etcd) etcdStanding {
	var s etcdStanding
	var words []string
	troubles := etcdTroubles(e)
	for _, t := range troubles {
		if t.out {
			s.out = append(s.out, t)
			continue
		}
		words, s.lasting = append(words, t.what), s.lasting || t.lasting
	}
	voters, answer := 0, 0
	for i := range e.Members {
		if e.Members[i].Learner {
			continue
		}
		voters++
		if e.Members[i].Unknown == "" && leads(e.Members[i]) {
			answer++
		}
	}
	if len(words) == 0 && answer <= voters/2 {
		words = append(words, fmt.Sprintf("%d of %d members answer and follow a leader, which is no majority", answer, voters))
	}
	if len(words) > 0 {
		for _, t := range s.out {
			words = append(words, t.what)
		}
		s.sick = strings.Join(words, "; ")
	}
	return s
}

// beside returns the members that take no part and do not run on a node.
func (s etcdStanding) beside(node string) []etcdTrouble {
	return slices.DeleteFunc(slices.Clone(s.out), func(t etcdTrouble) bool { return t.node == node })
}

// words joins what troubles say.
func words(troubles []etcdTrouble) string {
	out := make([]string, len(troubles))
	for i, t := range troubles {
		out[i] = t.what
	}
	return strings.Join(out, "; ")
}

// etcdWorse says what is wrong with etcd that was not before; empty when nothing is.
func etcdWorse(before, after facts.Etcd) string {
	was := etcdTroubles(before)
	is := slices.DeleteFunc(etcdTroubles(after), func(t etcdTrouble) bool {
		return t.out && slices.ContainsFunc(was, func(old etcdTrouble) bool { return old.out && old.member == t.member })
	})
	if len(is) == 0 {
		return etcdStands(after).sick
	}
	return words(is)
}
