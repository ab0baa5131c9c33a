package etcd

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// A Trouble is one thing that is not as it should be with etcd.
type Trouble struct {
	// Kind is one of the constants below; a finding's id can be made of it.
	Kind string
	// Member is the name of the member, or its id where it has none; empty for the whole.
	Member string
	Text   string
}

// The kinds of trouble. TroubleUnknown is not known to be one, and not known to be none.
const (
	TroubleUnknown   = "unknown"   // the member, or all of etcd, did not answer
	TroubleUnstarted = "unstarted" // in the member list, but has never joined: it counts for the quorum and gives nothing
	TroubleLearner   = "learner"   // has no vote
	TroubleLeader    = "leader"    // follows no leader, or another than most
	TroubleLag       = "lag"       // is behind, beyond what etcd itself tolerates
	TroubleHash      = "hash"      // holds other data than most members
	TroubleAlarm     = "alarm"     // NOSPACE, CORRUPT
	TroubleQuota     = "quota"     // the database is near its quota
	TroubleEven      = "even"      // an even number of voting members survives no more failures than one fewer
	TroubleSkew      = "skew"      // members of different minor versions, as during an upgrade, or after one that was left off
	TroubleMember    = "errors"    // what the member itself reports
)

// quotaShare is the share of its quota, in percent, from which a database is near it: at 100 etcd refuses all writes. The
// number is ours; it leaves time to compact and defragment.
const quotaShare = 80

// Troubles returns all that is wrong with etcd as it was observed, in the order of its members, and none when it is
// healthy. It is pure.
func Troubles(e facts.Etcd) []Trouble {
	if e.Unknown != "" {
		return []Trouble{{Kind: TroubleUnknown, Text: "etcd could not be asked: " + e.Unknown}}
	}
	if len(e.Members) == 0 {
		return []Trouble{{Kind: TroubleUnknown, Text: "etcd named no members"}}
	}
	var out []Trouble
	voting := 0
	var versions []string
	for _, m := range e.Members {
		out = append(out, memberTroubles(e, m)...)
		if !m.Learner {
			voting++
		}
		if minor := minorOf(m.Version); m.Version != "" && !slices.Contains(versions, minor) {
			versions = append(versions, minor)
		}
	}
	for _, a := range e.Alarms {
		name := a.Member
		for _, m := range e.Members {
			if m.ID == a.Member {
				name = called(m)
			}
		}
		out = append(out, Trouble{TroubleAlarm, name, fmt.Sprintf("alarm %s is raised on %s", a.Type, name)})
	}
	if voting%2 == 0 {
		out = append(out, Trouble{Kind: TroubleEven, Text: fmt.Sprintf("%d voting members survive the loss of %d, as %d would", voting, max(0, (voting-1)/2), max(0, voting-1))})
	}
	if slices.Sort(versions); len(versions) > 1 {
		out = append(out, Trouble{Kind: TroubleSkew, Text: "members run etcd " + strings.Join(versions, " and ")})
	}
	return out
}

func memberTroubles(e facts.Etcd, m facts.Member) []Trouble {
	name := called(m)
	var out []Trouble
	add := func(kind, format string, args ...any) {
		out = append(out, Trouble{kind, name, fmt.Sprintf(format, args...)})
	}
	if m.Learner {
		add(TroubleLearner, "%s is a learner and has no vote", name)
	}
	switch {
	case m.Name == "":
		add(TroubleUnstarted, "%s, at %s, is in the list of members but has never started", name, strings.Join(m.PeerURLs, ", "))
		return out
	case m.Unknown != "":
		add(TroubleUnknown, "%s does not answer: %s", name, m.Unknown)
		return out
	}
	switch {
	case m.Leader == "" || strings.Trim(m.Leader, "0") == "":
		add(TroubleLeader, "%s follows no leader", name)
	case !most(e, m, func(o facts.Member) bool { return o.Leader == m.Leader }):
		add(TroubleLeader, "%s follows a leader that most members do not", name)
	}
	if lag := behind(e, m); lag > backlog {
		add(TroubleLag, "%s is %d raft entries behind", name, lag)
	}
	if m.HashRevision != 0 && !mostHash(e, m) {
		add(TroubleHash, "%s holds other data than most members at revision %d", name, m.HashRevision)
	}
	if m.Quota > 0 && m.DBSize*100 >= m.Quota*quotaShare {
		add(TroubleQuota, "%s: the database takes %d%% of its quota of %d bytes", name, m.DBSize*100/m.Quota, m.Quota)
	}
	for _, text := range m.Errors {
		add(TroubleMember, "%s reports: %s", name, text)
	}
	return out
}

// minorOf cuts "3.6.16" to "3.6".
func minorOf(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
