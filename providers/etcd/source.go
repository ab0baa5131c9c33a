package etcd

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// Source picks the member to take a snapshot from, and says why it. It is pure.
//
// A source answers through a configured node, votes, follows the leader that most members follow, is caught up, and
// holds the data that most members hold. A follower is preferred, since the leader has work enough; among equals the
// first by name. Where no other member is seen, a lag cannot be; that it answers is then enough, since Observe counts a
// member as silent that does not catch up with its leader in time. A full database (alarm NOSPACE) can be backed up,
// and should be; a member with alarm CORRUPT never is. The error names, for each member, what is against it.
func Source(e facts.Etcd) (member facts.Member, why string, err error) {
	if e.Unknown != "" {
		return facts.Member{}, "", fmt.Errorf("no member to take a snapshot from: etcd could not be asked: %s", e.Unknown)
	}
	var followers, leaders []facts.Member
	var against []string
	for _, m := range e.Members {
		objection := objection(e, m)
		switch {
		case objection != "":
			against = append(against, called(m)+" "+objection)
		case m.ID == m.Leader:
			leaders = append(leaders, m)
		default:
			followers = append(followers, m)
		}
	}
	// Not every observation is sorted by a name that is there: an unstarted member has none.
	byName := func(a, b facts.Member) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) }
	slices.SortFunc(followers, byName)
	slices.SortFunc(leaders, byName)
	switch {
	case len(followers) > 0:
		return followers[0], fmt.Sprintf("a healthy follower, %d raft entries behind", behind(e, followers[0])), nil
	case len(leaders) > 0 && len(e.Members) == 1:
		return leaders[0], "the only member", nil
	case len(leaders) > 0:
		return leaders[0], "the leader, as no follower is fit: " + strings.Join(against, "; "), nil
	case len(against) == 0:
		return facts.Member{}, "", fmt.Errorf("no member to take a snapshot from: etcd named no members")
	}
	return facts.Member{}, "", fmt.Errorf("no member to take a snapshot from: %s", strings.Join(against, "; "))
}

// objection says what is against a member as a source; empty when nothing is.
func objection(e facts.Etcd, m facts.Member) string {
	for _, a := range e.Alarms {
		// The alarm of member 0 stands for the whole cluster: etcd could not tell which member is wrong.
		if a.Type == "CORRUPT" && (a.Member == m.ID || strings.Trim(a.Member, "0") == "") {
			return "has alarm CORRUPT"
		}
	}
	lag := behind(e, m)
	switch {
	case m.Unknown != "":
		return "does not answer: " + m.Unknown
	case m.Node == "":
		return "is on no configured node"
	case m.Learner:
		return "is a learner"
	case !health.Follows(m):
		return "follows no leader"
	case !most(e, m, func(o facts.Member) bool { return o.Leader == m.Leader }):
		return "follows a leader that most members do not"
	case lag > health.Backlog:
		return fmt.Sprintf("is %d raft entries behind", lag)
	case m.HashRevision != 0 && !mostHash(e, m):
		return fmt.Sprintf("holds other data than most members at revision %d", m.HashRevision)
	}
	return ""
}

// behind returns how many raft entries a member has not applied that the newest member has.
func behind(e facts.Etcd, m facts.Member) uint64 {
	newest := m.RaftIndex
	for _, o := range e.Members {
		newest = max(newest, o.RaftIndex)
	}
	return newest - min(newest, m.RaftApplied)
}

// most tells whether more members than not, of those that answered, are as m is.
func most(e facts.Etcd, m facts.Member, same func(facts.Member) bool) bool {
	agree, all := 0, 0
	for _, o := range e.Members {
		if o.Unknown == "" {
			all++
			if o.ID == m.ID || same(o) {
				agree++
			}
		}
	}
	return 2*agree > all
}

// mostHash tells whether m's data is that of most members whose hashes can be compared with its own.
func mostHash(e facts.Etcd, m facts.Member) bool {
	agree, all := 0, 0
	for _, o := range e.Members {
		if o.Unknown == "" && o.HashRevision == m.HashRevision && o.CompactRevision == m.CompactRevision {
			all++
			if o.Hash == m.Hash {
				agree++
			}
		}
	}
	return 2*agree > all
}

func called(m facts.Member) string {
	if m.Name == "" {
		return "member " + m.ID
	}
	return m.Name
}
