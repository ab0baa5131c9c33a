package backup

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// quotaNear is how much of its quota a database may fill before it is said. etcd raises NOSPACE at the whole of it and then
// takes no writes (etcd operations guide, "Space quota").
const quotaNear = 0.8

// reviewEtcd reports what is wrong with etcd, and what will be.
func (r *review) reviewEtcd() {
	e := r.in.World.Etcd
	for _, t := range health.Troubles(e) {
		if f, ok := r.etcdFinding(t); ok {
			f.Cause = t.Cause()
			r.add(f)
		}
	}
	if e.Unknown == "" {
		r.reviewMembers(e)
	}
}

// etcdFinding says of one trouble what it means for backups; false where it means nothing for them.
func (r *review) etcdFinding(t health.Trouble) (providers.Finding, bool) {
	f := providers.Finding{Severity: providers.SeverityError, Object: t.Member, Summary: t.What, Unknown: t.Unknown}
	switch t.Kind {
	case health.Unreachable:
		f.ID, f.Summary, f.Hint = "ETCD_UNREACHABLE", r.in.World.Etcd.Unknown, r.unreachableHint()
		return f, r.in.World.Etcd.Unknown != ""
	case health.Unstarted:
		f.ID, f.Severity = "ETCD_MEMBER_UNSTARTED", providers.SeverityWarning
		f.Hint = "a member that was added and never started counts for the quorum: start it, or `etcdctl member remove " + t.ID + "`"
	case health.Silent:
		f.ID, f.Unknown, f.Address = "ETCD_MEMBER_UNREACHABLE", true, r.onNode(t.Node)
	case health.Learner:
		f.ID, f.Severity = "ETCD_LEARNER", providers.SeverityNote
		f.Hint = "`etcdctl member promote " + t.ID + "` once it has caught up"
	case health.Behind:
		f.ID, f.Severity = "ETCD_LAG", providers.SeverityWarning
		f.Hint = "no snapshot is taken from it; look at its disk and its network"
	case health.Differs:
		f.ID = "ETCD_HASH_DIFFERS"
		f.Hint = "one of them is corrupt, and a client gets other answers from it: find out which is alone with its hash (`etcdctl endpoint hashkv --cluster`) and replace it"
	case health.Alarm:
		f.ID, f.Hint = "ETCD_ALARM", "free space, then `etcdctl alarm disarm`: until then etcd takes no writes"
		if t.Detail == "CORRUPT" {
			f.Hint = "no snapshot is taken from it: replace the member with an empty one"
		}
	default:
		return f, false // Source says it where it matters: no snapshot is taken from such a member
	}
	return f, true
}

// reviewMembers reports what no member suffers from yet: a quota that fills, an even number, an upgrade left half done.
func (r *review) reviewMembers(e facts.Etcd) {
	report := func(id, object, hint, format string, args ...any) {
		r.add(providers.Finding{ID: id, Severity: providers.SeverityWarning, Object: object, Hint: hint, Summary: fmt.Sprintf(format, args...)})
	}
	voters, versions := 0, map[string][]string{}
	for _, m := range e.Members {
		if !m.Learner {
			voters++
		}
		if m.Version != "" {
			versions[m.Version] = append(versions[m.Version], m.Name)
		}
		if m.Quota > 0 && float64(m.DBSize) > quotaNear*float64(m.Quota) {
			report("ETCD_QUOTA_NEAR", m.Name, "compact and defragment one member after another, or raise --quota-backend-bytes",
				"the database of %s fills %d%% of its quota of %s", m.Name, 100*m.DBSize/m.Quota, bytes(m.Quota))
		}
	}
	if voters > 0 && voters%2 == 0 {
		report("ETCD_EVEN_MEMBERS", "", "an even count survives no more failures than one less, and has more that can fail: add a member or remove one",
			"etcd has %d voting members", voters)
	}
	for _, u := range e.Unusable {
		if !r.asksAt(u.At) {
			continue
		}
		r.add(providers.Finding{
			ID: "ETCD_ENDPOINT_UNUSABLE", Severity: providers.SeverityWarning, Address: r.onNode(u.At), Object: u.At,
			Summary: fmt.Sprintf("%s leads to no member of etcd: %s", u.At, u.Why),
			Hint:    "the members that answer are used; correct the address or the roles, or start what should answer there",
		})
	}
	if len(versions) > 1 {
		var words []string
		for version, members := range versions {
			words = append(words, version+" on "+strings.Join(members, ", "))
		}
		slices.Sort(words)
		report("ETCD_VERSION_SKEW", "", "finish the upgrade: a cluster works by the rules of its oldest member", "members are of different versions: %s", strings.Join(words, "; "))
	}
}

// asksAt reports whether this block wants etcd asked at a node or URL. Of a node that nothing is known of, that is said already.
func (r *review) asksAt(at string) bool {
	if len(r.spec.Endpoints) > 0 || strings.Contains(at, "://") {
		return slices.ContainsFunc(r.spec.Endpoints, func(e facts.EtcdEndpoint) bool { return e.URL == at })
	}
	n := r.in.World.Nodes[at]
	return n == nil || n.Unknown == ""
}

func (r *review) onNode(node string) providers.Address {
	if node == "" || strings.Contains(node, "://") { // the endpoint of an etcd elsewhere is no node
		return r.address
	}
	return r.address.On(node)
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
