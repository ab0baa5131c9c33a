// Package health judges etcd by what its members said: what is wrong with it, and what may be done at the same time.
//
// It is the only judge of etcd, for every domain: two that look at one cluster say the same of it. It asks nobody and
// decides nothing about a domain's work; it is pure. What it promises: a member that did not answer is never healthy,
// and a member that cannot vote is never counted towards a majority.
package health

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// Backlog is how far a healthy member may be behind, in raft entries. etcd itself refuses requests when commit and
// apply are further apart than this (maxGapBetweenApplyAndCommitIndex, etcd v3.6 server/etcdserver/v3_server.go).
const Backlog = 5000

// Kind is one way in which etcd is not healthy.
type Kind string

// The kinds of trouble. Those that other observers report, too, share their word with facts.EtcdCause.
const (
	Unreachable Kind = "unreachable"     // no member answered, or none was named
	Unstarted   Kind = "unstarted"       // a member was added and never started
	Silent      Kind = facts.EtcdSilent  // a member does not answer
	Leaderless  Kind = "leaderless"      // a member follows no leader
	Divided     Kind = "divided"         // a member follows another leader than the others
	Failing     Kind = "failing"         // a member reports an error of its own
	Behind      Kind = facts.EtcdLag     // a member has not applied what the newest has
	Differs     Kind = facts.EtcdHash    // a member holds other data than another one
	Alarm       Kind = facts.EtcdAlarm   // an alarm is raised
	Learner     Kind = facts.EtcdLearner // a member has no vote; it is otherwise judged as every member
)

// Trouble is one thing that is wrong with etcd.
type Trouble struct {
	Kind Kind
	// ID and Member are the member's id and name (its id where it has no name); empty for etcd itself. Node is the
	// configured node that the member runs on, where that is known.
	ID, Member, Node string
	What             string // in words: "member cp2 does not answer: connection refused"
	Detail           string // what a caller needs apart from the words: the alarm's type
	// Unknown: nothing could be asked, so nothing is known.
	Unknown bool
	// Out: the member costs its vote and nothing more is known to be wrong.
	Out bool
	// Lasting: the trouble does not pass by itself.
	Lasting bool
}

// Cause names the trouble for a plan, which shows one finding of each cause; empty where no other observer reports it.
func (t Trouble) Cause() string {
	switch t.Kind {
	case Unreachable:
		if t.Unknown && t.Member == "" && t.Detail == "" {
			return facts.EtcdCause("", facts.EtcdSilent)
		}
		return ""
	case Unstarted:
		return facts.EtcdCause(t.ID, facts.EtcdSilent)
	case Alarm:
		return facts.EtcdCause(t.ID, facts.EtcdAlarm+"/"+t.Detail)
	case Silent, Behind, Differs, Learner:
		return facts.EtcdCause(t.ID, string(t.Kind))
	default:
		return ""
	}
}

// Troubles returns what is wrong with etcd, in the order of its members; none where all is well. A healthy etcd has a
// leader that every member follows, answers, raises no alarm, and holds one hash at one revision.
func Troubles(e facts.Etcd) []Trouble {
	if e.Unknown != "" {
		return []Trouble{{Kind: Unreachable, What: "etcd could not be asked: " + e.Unknown, Unknown: true}}
	}
	if len(e.Members) == 0 {
		return []Trouble{{Kind: Unreachable, What: "etcd named no members", Detail: "no members", Unknown: true}}
	}
	j := judge{names: make(map[string]string, len(e.Members)), hashes: map[moment]facts.Member{}}
	for _, m := range e.Members {
		j.names[m.ID] = m.Name
		j.newest = max(j.newest, m.RaftIndex)
		if j.leader == "" && Follows(m) {
			j.leader = m.Leader
		}
	}
	for _, m := range e.Members {
		j.member(m)
	}
	for _, a := range e.Alarms {
		name := j.name(a.Member)
		j.out = append(j.out, Trouble{
			Kind: Alarm, ID: a.Member, Member: name, Detail: a.Type, Lasting: true,
			What: fmt.Sprintf("alarm %s is raised on member %s", a.Type, name),
		})
	}
	return j.out
}

// moment is what hashes must share to be compared.
type moment struct{ revision, compacted int64 }

type judge struct {
	names  map[string]string // by id
	newest uint64
	leader string
	hashes map[moment]facts.Member
	out    []Trouble
}

func (j *judge) name(id string) string {
	if name := j.names[id]; name != "" {
		return name
	}
	return id
}

func (j *judge) member(m facts.Member) {
	name := j.name(m.ID)
	add := func(kind Kind, format string, args ...any) *Trouble {
		j.out = append(j.out, Trouble{Kind: kind, ID: m.ID, Member: name, Node: m.Node, What: fmt.Sprintf(format, args...)})
		return &j.out[len(j.out)-1]
	}
	if m.Learner {
		add(Learner, "member %s is a learner and has no vote", name)
	}
	switch {
	case m.Name == "":
		add(Unstarted, "member %s was added and never started", m.ID).Out = true
		return
	case m.Unknown != "":
		add(Silent, "member %s does not answer: %s", name, m.Unknown).Out = true
		return
	case !Follows(m):
		// Such a member reports that itself, too, and lags: that is all one trouble.
		add(Leaderless, "member %s follows no leader", name).Out = true
	default:
		if m.Leader != j.leader {
			add(Divided, "member %s follows leader %s, others %s", name, j.name(m.Leader), j.name(j.leader))
		}
		for _, e := range m.Errors {
			add(Failing, "member %s reports: %s", name, plain.Said(e))
		}
		if behind := j.newest - min(j.newest, m.RaftApplied); behind > Backlog {
			add(Behind, "member %s is %d raft entries behind", name, behind)
		}
	}
	if m.HashRevision == 0 {
		return
	}
	at := moment{m.HashRevision, m.CompactRevision}
	if other, ok := j.hashes[at]; !ok {
		j.hashes[at] = m
	} else if other.Hash != m.Hash {
		add(Differs, "members %s and %s hold different data at revision %d", j.name(other.ID), name, m.HashRevision)
	}
}

// Follows reports whether a member that answers follows a leader.
func Follows(m facts.Member) bool { return strings.Trim(m.Leader, "0") != "" }

// Blocker is what may be done while etcd is unchanged.
type Status struct {
	// Sick says why nothing may be done to any control plane; empty: etcd holds. Then every trouble is a learner or a
	// member that costs its vote, and the voters that are left are a majority and follow one leader.
	Sick string
	// Lasting: what Sick says does not pass by itself.
	Lasting bool
	Out     []Trouble // the members that cost their vote
}

// Judge says what may be done. A member that does not answer costs its vote and nothing more, and a learner that is
// well costs nothing; anything else that is wrong with etcd is wrong with what all members share.
func Judge(e facts.Etcd) Status {
	var s Status
	var sick []Trouble
	for _, t := range Troubles(e) {
		switch {
		case t.Kind == Learner:
		case t.Out:
			s.Out = append(s.Out, t)
		default:
			sick = append(sick, t)
			s.Lasting = s.Lasting || t.Lasting
		}
	}
	words := Words(sick)
	voters, answer := 0, 0
	for _, m := range e.Members {
		if m.Learner {
			continue
		}
		voters++
		if m.Unknown == "" && Follows(m) {
			answer++
		}
	}
	if words == "" && answer <= voters/2 {
		words = fmt.Sprintf("%d of %d members answer and follow a leader, which is no majority", answer, voters)
	}
	if words == "" {
		return s
	}
	s.Sick = words
	if len(s.Out) > 0 {
		s.Sick += "; " + Words(s.Out)
	}
	return s
}

// Elsewhere returns the members that cost their vote and do not run on a node.
func (s Status) Elsewhere(node string) []Trouble {
	return slices.DeleteFunc(slices.Clone(s.Out), func(t Trouble) bool { return t.Node == node })
}

// Words joins what troubles say.
func Words(troubles []Trouble) string {
	out := make([]string, len(troubles))
	for i, t := range troubles {
		out[i] = t.What
	}
	return strings.Join(out, "; ")
}

// Worse says what is wrong with etcd that was not before; empty when nothing is.
func Worse(before, after facts.Etcd) string {
	was := Troubles(before)
	is := slices.DeleteFunc(Troubles(after), func(t Trouble) bool {
		return t.Kind == Learner || t.Out && slices.ContainsFunc(was, func(old Trouble) bool { return old.Out && old.Member == t.Member })
	})
	if len(is) == 0 {
		return Judge(after).Sick
	}
	return Words(is)
}
