package backup

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// quotaNear is how much of its quota a database may fill before it is said. etcd raises NOSPACE at the whole of it and then
// takes no writes (etcd operations guide, "Space quota").
const quotaNear = 0.8

// backlog is how far a healthy member may be behind, in raft entries: etcd itself refuses requests when commit and apply are
// further apart (maxGapBetweenApplyAndCommitIndex, etcd v3.6 server/etcdserver/v3_server.go).
const backlog = 5000

// reviewEtcd reports what is wrong with etcd.
func (r *review) reviewEtcd() {
	e := r.in.World.Etcd
	report := func(id string, severity providers.Severity, object, hint, format string, args ...any) {
		r.add(providers.Finding{ID: id, Severity: severity, Object: object, Hint: hint, Summary: fmt.Sprintf(format, args...)})
	}
	// because says of the finding that was just added what its cause is.
	because := func(member, what string) {
		r.out.Findings[len(r.out.Findings)-1].Cause = facts.EtcdCause(member, what)
	}
	if e.Unknown != "" {
		r.add(providers.Finding{ID: "ETCD_UNREACHABLE", Severity: providers.SeverityError, Unknown: true,
			Summary: e.Unknown, Hint: r.unreachableHint()})
		because("", facts.EtcdSilent)
		return
	}
	voters, versions := 0, map[string][]string{}
	var newest uint64
	for _, m := range e.Members {
		newest = max(newest, m.RaftIndex)
	}
	for _, m := range e.Members {
		if !m.Learner {
			voters++
		}
		switch {
		case m.Name == "":
			report("ETCD_MEMBER_UNSTARTED", providers.SeverityWarning, m.ID,
				"a member that was added and never started counts for the quorum: start it, or `etcdctl member remove "+m.ID+"`",
				"member %s was added and never started", m.ID)
			because(m.ID, facts.EtcdSilent)
			continue
		case m.Unknown != "":
			r.add(providers.Finding{ID: "ETCD_MEMBER_UNREACHABLE", Severity: providers.SeverityError, Object: m.Name, Unknown: true,
				Address: r.onNode(m.Node), Summary: fmt.Sprintf("member %s does not answer: %s", m.Name, m.Unknown)})
			because(m.ID, facts.EtcdSilent)
			continue
		case m.Learner:
			report("ETCD_LEARNER", providers.SeverityNote, m.Name, "`etcdctl member promote "+m.ID+"` once it has caught up", "member %s is a learner and has no vote", m.Name)
			because(m.ID, facts.EtcdLearner)
		}
		if m.Version != "" {
			versions[m.Version] = append(versions[m.Version], m.Name)
		}
		if m.Quota > 0 && float64(m.DBSize) > quotaNear*float64(m.Quota) {
			report("ETCD_QUOTA_NEAR", providers.SeverityWarning, m.Name, "compact and defragment one member after another, or raise --quota-backend-bytes",
				"the database of %s fills %d%% of its quota of %s", m.Name, 100*m.DBSize/m.Quota, bytes(m.Quota))
		}
		if behind := newest - min(newest, m.RaftApplied); behind > backlog {
			report("ETCD_LAG", providers.SeverityWarning, m.Name, "no snapshot is taken from it; look at its disk and its network", "member %s is %d raft entries behind", m.Name, behind)
			because(m.ID, facts.EtcdLag)
		}
	}
	if voters > 0 && voters%2 == 0 {
		report("ETCD_EVEN_MEMBERS", providers.SeverityWarning, "", "an even count survives no more failures than one less, and has more that can fail: add a member or remove one",
			"etcd has %d voting members", voters)
	}
	if len(versions) > 1 {
		var words []string
		for version, members := range versions {
			words = append(words, version+" on "+strings.Join(members, ", "))
		}
		slices.Sort(words)
		report("ETCD_VERSION_SKEW", providers.SeverityWarning, "", "finish the upgrade: a cluster works by the rules of its oldest member", "members are of different versions: %s", strings.Join(words, "; "))
	}
	for _, a := range e.Alarms {
		hint := "free space, then `etcdctl alarm disarm`: until then etcd takes no writes"
		if a.Type == "CORRUPT" {
			hint = "no snapshot is taken from it: replace the member with an empty one"
		}
		report("ETCD_ALARM", providers.SeverityError, memberName(e, a.Member), hint, "alarm %s is raised on member %s", a.Type, memberName(e, a.Member))
		because(a.Member, facts.EtcdAlarm+"/"+a.Type)
	}
	r.reviewHashes(e)
}

// reviewHashes compares what members hold at the same revision.
func (r *review) reviewHashes(e facts.Etcd) {
	type moment struct{ revision, compacted int64 }
	first := map[moment]facts.Member{}
	for _, m := range e.Members {
		at := moment{m.HashRevision, m.CompactRevision}
		if m.Unknown != "" || m.HashRevision == 0 {
			continue
		}
		if other, ok := first[at]; !ok {
			first[at] = m
		} else if other.Hash != m.Hash {
			r.add(providers.Finding{ID: "ETCD_HASH_DIFFERS", Severity: providers.SeverityError, Object: m.Name, Cause: facts.EtcdCause(m.ID, facts.EtcdHash),
				Summary: fmt.Sprintf("members %s and %s hold different data at revision %d", other.Name, m.Name, m.HashRevision),
				Hint:    "one of them is corrupt, and a client gets other answers from it: find out which is alone with its hash (`etcdctl endpoint hashkv --cluster`) and replace it"})
		}
	}
}

func (r *review) onNode(node string) providers.Address {
	if node == "" || strings.Contains(node, "://") { // the endpoint of an etcd elsewhere is no node
		return r.address
	}
	return r.address.On(node)
}

func memberName(e facts.Etcd, id string) string {
	for _, m := range e.Members {
		if m.ID == id && m.Name != "" {
			return m.Name
		}
	}
	return id
}

// bytes writes a size as people say it.
func bytes(n int64) string {
	const unit = 1 << 10
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit && exponent < 3 {
		value /= unit
		exponent++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[exponent])
}
