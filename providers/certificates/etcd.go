package certificates

import (
	"fmt"
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
}

// etcdTroubles returns why etcd is not wholly healthy; none when it is. A leader, every member answering and voting, no
// alarm, no error, no lag, one hash for one revision.
func etcdTroubles(e facts.Etcd) []etcdTrouble {
	if e.Unknown != "" {
		return []etcdTrouble{{what: "etcd could not be asked: " + e.Unknown, unknown: true}}
	}
	if len(e.Members) == 0 {
		return []etcdTrouble{{what: "etcd named no members", unknown: true}}
	}
	var out []etcdTrouble
	trouble := func(member, format string, args ...any) {
		out = append(out, etcdTrouble{member: member, what: fmt.Sprintf(format, args...)})
	}
	names := make(map[string]string, len(e.Members))
	var newest uint64
	leader := ""
	for _, m := range e.Members {
		names[m.ID] = m.Name
		newest = max(newest, m.RaftIndex)
		if leader == "" {
			leader = m.Leader
		}
	}
	hashes := map[int64]facts.Member{}
	for _, m := range e.Members {
		name := m.Name
		if name == "" {
			name = m.ID
		}
		if m.Unknown != "" {
			trouble(name, "member %s does not answer: %s", name, m.Unknown)
			continue
		}
		if m.Learner {
			trouble(name, "member %s is a learner and has no vote", name)
		}
		switch {
		case m.Leader == "" || strings.Trim(m.Leader, "0") == "":
			trouble(name, "member %s follows no leader", name)
		case m.Leader != leader:
			trouble(name, "member %s follows leader %s, others %s", name, memberName(names, m.Leader), memberName(names, leader))
		}
		for _, e := range m.Errors {
			trouble(name, "member %s reports: %s", name, e)
		}
		switch {
		case newest-m.RaftIndex > applyBacklog:
			trouble(name, "member %s is %d raft entries behind", name, newest-m.RaftIndex)
		case m.RaftIndex > m.RaftApplied && m.RaftIndex-m.RaftApplied > applyBacklog:
			trouble(name, "member %s has %d raft entries still to apply", name, m.RaftIndex-m.RaftApplied)
		}
		if m.HashRevision != 0 {
			if other, ok := hashes[m.HashRevision]; ok && other.Hash != m.Hash {
				trouble(name, "members %s and %s hold different data at revision %d", other.Name, name, m.HashRevision)
			} else if !ok {
				hashes[m.HashRevision] = m
			}
		}
	}
	for _, a := range e.Alarms {
		trouble(memberName(names, a.Member), "alarm %s is raised on member %s", a.Type, memberName(names, a.Member))
	}
	return out
}

func memberName(names map[string]string, id string) string {
	if n := names[id]; n != "" {
		return n
	}
	return id
}

// etcdRefusal says in one line why etcd stands in the way; empty when it does not.
func etcdRefusal(e facts.Etcd) string {
	troubles := etcdTroubles(e)
	words := make([]string, len(troubles))
	for i, t := range troubles {
		words[i] = t.what
	}
	return strings.Join(words, "; ")
}
