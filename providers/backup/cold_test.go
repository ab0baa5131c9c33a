package backup_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
)

const noAnswer = "no member answered: cp1: connection refused"

// stop makes the members of a world silent, and those on the named nodes stopped. cp2's log goes furthest.
func stop(world *facts.World, nodes ...string) {
	cluster := world.Etcd.ClusterID
	world.Etcd = facts.Etcd{Unknown: noAnswer}
	for i, name := range []string{"cp1", "cp2", "cp3"} {
		n := *world.Nodes[name]
		n.EtcdData = facts.EtcdData{Directory: "/var/lib/etcd", Running: true}
		if slices.Contains(nodes, name) {
			n.EtcdData = facts.EtcdData{Directory: "/var/lib/etcd", ClusterID: cluster, MemberID: string("abc"[i]), Term: 3, Index: []uint64{90, 99, 95}[i], Size: 64 << 20}
		}
		world.Nodes[name] = &n
	}
}

// outage is a cluster of which no member answers, with bundles in the store.
func outage(nodes []string, bundles ...stored) providers.Input {
	in := input(bundles...)
	in.Memory.Cluster.EtcdClusterID = in.World.Etcd.ClusterID
	stop(&in.World, nodes...)
	return in
}

func isCold(b *facts.Bundle) { b.Cold = true }

var every = []string{"cp1", "cp2", "cp3"}

func TestColdDiff(t *testing.T) {
	const (
		unreachable = "ETCD_UNREACHABLE : " + noAnswer
		none        = `BACKUP_NONE : there is no bundle, max_age = "1d"`
		unproved    = `BACKUP_NONE : no bundle is proved, max_age = "1d"`
		stale       = `BACKUP_STALE : the last proved bundle is 31h old, max_age = "1d"`
		copied      = "BACKUP_UNPROVED c: it holds cold copies of stopped members of etcd, which nothing can prove"
		all         = "backup.cold: copy the data of stopped members of etcd, unproved, from cp1, cp2, cp3"
		take        = "backup.take: take and prove a bundle"
	)
	lost := outage(every)
	lost.World.Nodes["cp3"] = &facts.Node{Name: "cp3", Unknown: "no answer in 10s"}
	unreadable := outage([]string{"cp1"})
	unreadable.World.Nodes["cp2"].EtcdData = facts.EtcdData{Directory: "/var/lib/etcd", Unknown: "input/output error"}
	elsewhere := outage([]string{"cp1"})
	elsewhere.World.Nodes["cp2"].EtcdData = facts.EtcdData{}
	answers := input()
	answers.World.Nodes["cp3"].EtcdData = facts.EtcdData{Directory: "/var/lib/etcd", ClusterID: answers.World.Etcd.ClusterID}
	replaced := outage(every, stored{id: "c", age: time.Hour, change: isCold})
	replaced.Replace = []providers.Address{{Type: "etcd_backup", Name: "daily"}}
	old := stored{id: "a", age: 31 * time.Hour, proved: "restore"}
	for name, test := range map[string]struct {
		in           providers.Input
		found, steps []string
		warning      string
		gaps         []string // "NODE: why", of the step
	}{
		"all are stopped":               {in: outage(every), found: []string{unreachable, none}, steps: []string{all}, warning: "the data of the stopped members (cp1, cp2, cp3) is copied as it lies, which counts for no guard"},
		"beside an old proved one":      {in: outage(every, old), found: []string{unreachable, stale}, steps: []string{all}, warning: "counts for no guard"},
		"beside a young proved one":     {in: outage(every, stored{id: "a", age: time.Hour, proved: "restore"}), found: []string{unreachable}},
		"copied already":                {in: outage(every, old, stored{id: "c", age: time.Hour, change: isCold}), found: []string{unreachable, stale, copied}, warning: "cold copies of the stopped members are in c, 1h old, and count for no guard"},
		"copied too long ago":           {in: outage(every, stored{id: "c", age: 25 * time.Hour, change: isCold}), found: []string{unreachable, unproved, copied}, steps: []string{all}, warning: "is copied"},
		"copied, and damaged since":     {in: outage(every, stored{id: "c", age: time.Hour, change: func(b *facts.Bundle) { b.Cold, b.Damaged = true, "it is cut off" }}), found: []string{unreachable, unproved, "BUNDLE_DAMAGED c: it is cut off"}, steps: []string{all}, warning: "is copied"},
		"copied, and asked for":         {in: replaced, found: []string{unreachable, unproved, copied}, steps: []string{all}, warning: "is copied"},
		"some run and do not answer":    {in: outage([]string{"cp2"}), found: []string{unreachable, none}, steps: []string{"backup.cold: copy the data of stopped members of etcd, unproved, from cp2"}, warning: "(cp2)", gaps: []string{"cp1: etcd runs there", "cp3: etcd runs there"}},
		"a node is lost":                {in: lost, found: []string{unreachable, none}, steps: []string{"backup.cold: copy the data of stopped members of etcd, unproved, from cp1, cp2"}, warning: "(cp1, cp2)", gaps: []string{"cp3: no answer in 10s"}},
		"a disk cannot be read":         {in: unreadable, found: []string{unreachable, none}, steps: []string{"backup.cold: copy the data of stopped members of etcd, unproved, from cp1"}, warning: "(cp1)", gaps: []string{"cp2: input/output error", "cp3: etcd runs there"}},
		"no data on a node":             {in: elsewhere, found: []string{unreachable, none}, steps: []string{"backup.cold: copy the data of stopped members of etcd, unproved, from cp1"}, warning: "(cp1)", gaps: []string{"cp2: no data directory", "cp3: etcd runs there"}},
		"all run and none answers":      {in: outage(nil), found: []string{unreachable, none}, steps: []string{take}, warning: "apply will refuse to take a bundle until etcd has a member to take it from"},
		"one is stopped, others answer": {in: answers, found: []string{none}, steps: []string{take + ", from cp2"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := declared().Diff(test.in)
			found, steps := summary(out)
			slices.Sort(found)
			slices.Sort(test.found)
			if diff := cmp.Diff(test.found, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got := strings.Join(out.Warnings, "\n"); !strings.Contains(got, test.warning) || (got == "") != (test.warning == "") {
				t.Errorf("warnings %q, want %q", got, test.warning)
			}
			var gaps []string
			for _, s := range out.Steps {
				for _, c := range s.Changes {
					if why, gap := strings.CutPrefix(c.After, "a gap: "); gap {
						gaps = append(gaps, strings.TrimPrefix(c.What, "data of the member on ")+": "+why)
					}
				}
			}
			if !slices.EqualFunc(gaps, test.gaps, strings.HasPrefix) {
				t.Errorf("gaps %q, want %q", gaps, test.gaps)
			}
			if strings.Contains(found[0], "ETCD_UNREACHABLE") && len(test.steps) == 1 && test.steps[0] == all && !strings.Contains(out.Findings[0].Hint, "cold copies can be had") {
				t.Errorf("hint %q", out.Findings[0].Hint)
			}
		})
	}
}

// A bundle of cold copies is no backup: no guard is satisfied by it, whatever the state remembers; nothing proves it; and no
// proved bundle is removed for it, nor is it counted among them.
func TestColdCountsForNothing(t *testing.T) {
	in := input(stored{id: "a", age: 30 * time.Hour, proved: "restore"}, stored{id: "c", age: time.Hour, proved: "restore", change: isCold})
	spec := declared(func(s *backup.Spec) { s.IdentityFile = "/root/key.txt" })
	step := spec.Guards()[backup.Guard].Before(in, []providers.Step{{ID: "x"}})[0]
	if ready := backup.Type().Effects[backup.OperationTake].Ready(in, step); ready.State != providers.Holds {
		t.Errorf("the guard is satisfied: %+v", ready)
	}
	for _, s := range spec.Diff(in).Steps {
		if s.Operation != backup.OperationTake {
			t.Errorf("beside a take: %s", s.Summary)
		}
	}
	proving := spec.Diff(input(stored{id: "c", age: time.Hour})).Steps[0]
	if proving.Operation != backup.OperationProve {
		t.Fatalf("%+v", proving)
	}
	if ready := backup.Type().Effects[backup.OperationProve].Ready(input(stored{id: "c", age: time.Hour, change: isCold}), proving); ready.State != providers.Moved {
		t.Errorf("it can be proved: %+v", ready)
	}
	outage := outage(every, stored{id: "c", age: time.Hour, change: isCold})
	if ready := backup.Type().Effects[backup.OperationTake].Ready(outage, step); ready.State == providers.Done || ready.State == providers.Holds {
		t.Errorf("in the dark: %+v", ready)
	}
}

func TestColdKeeping(t *testing.T) {
	for name, test := range map[string]struct {
		bundles []stored
		keep    keep.Policy
		want    []string // removed
	}{
		"cold ones push no proved one out": {[]stored{{id: "a", age: 40 * time.Hour, proved: "restore"}, {id: "b", age: 20 * time.Hour, proved: "restore"},
			{id: "c", age: 3 * time.Hour, change: isCold}, {id: "d", age: 2 * time.Hour, change: isCold}}, keep.Policy{Last: 2}, nil},
		"proved ones push no cold one out that is newer": {[]stored{{id: "a", age: 40 * time.Hour, proved: "restore"}, {id: "b", age: 20 * time.Hour, proved: "restore"},
			{id: "c", age: 3 * time.Hour, change: isCold}, {id: "d", age: 2 * time.Hour, change: isCold}}, keep.Policy{Last: 1}, []string{"a"}},
		"once a proved one is newer the policy counts": {[]stored{{id: "c", age: 30 * time.Hour, change: isCold}, {id: "d", age: 20 * time.Hour, change: isCold},
			{id: "b", age: time.Hour, proved: "restore"}}, keep.Policy{Last: 1}, []string{"c"}},
		"once one is taken, too": {[]stored{{id: "c", age: 30 * time.Hour, change: isCold}, {id: "d", age: time.Hour, change: isCold}}, keep.Policy{Last: 1}, []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var removed []string
			for _, s := range declared(func(s *backup.Spec) { s.Keep = test.keep }).Diff(input(test.bundles...)).Steps {
				for _, c := range s.Changes {
					if strings.HasPrefix(c.After, "removed") {
						removed = append(removed, strings.TrimPrefix(c.What, "bundle "))
					}
				}
			}
			if !slices.Equal(removed, test.want) {
				t.Errorf("removed %q, want %q", removed, test.want)
			}
		})
	}
}

// While nothing newer is proved, none goes.
func TestColdStayInTheDark(t *testing.T) {
	in := outage(every, stored{id: "a", age: 99 * time.Hour, proved: "restore"}, stored{id: "c", age: 30 * time.Hour, change: isCold}, stored{id: "d", age: 25 * time.Hour, change: isCold})
	for _, s := range declared(func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} }).Diff(in).Steps {
		if s.Operation == backup.OperationPrune {
			t.Errorf("%s: %+v", s.Summary, s.Changes)
		}
	}
}

func TestColdReady(t *testing.T) {
	planned := outage(every)
	step := declared().Diff(planned).Steps[0]
	mixed := outage(every)
	mixed.World.Nodes["cp2"].EtcdData.ClusterID = "cafe"
	unlisted := outage(every)
	unlisted.World.Backups = map[string]facts.Backups{"etcd_backup.daily": {Unknown: "connection refused"}}
	after := func(change func(*facts.Bundle)) providers.Input {
		return outage(every, stored{id: "c", age: time.Minute, change: change})
	}
	effect := backup.Type().Effects[backup.OperationCold]
	for name, test := range map[string]struct {
		in   providers.Input
		want providers.ReadyState
	}{
		"as planned":            {planned, providers.Holds},
		"one is stopped still":  {outage([]string{"cp3"}), providers.Holds},
		"a member answers":      {input(), providers.Moved},
		"they were started":     {outage(nil), providers.Unknown},
		"of two clusters":       {mixed, providers.Unknown},
		"copied already":        {after(isCold), providers.Done},
		"the store is not seen": {unlisted, providers.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := effect.Ready(test.in, step); got.State != test.want || got.Why == "" {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
	if err := effect.Proved(planned, after(isCold), step); err != nil {
		t.Error(err)
	}
	for name, is := range map[string]providers.Input{
		"nothing was added": planned, "it is no cold one": after(nil), "the store is not seen": unlisted,
		"it is damaged": after(func(b *facts.Bundle) { b.Cold, b.Damaged = true, "it is cut off" }),
	} {
		if err := effect.Proved(planned, is, step); err == nil {
			t.Errorf("%s, and it is proved", name)
		}
	}
}

func TestColdByHand(t *testing.T) {
	in := outage([]string{"cp1", "cp3"})
	in.World.Nodes["cp1"].EtcdData.Directory = "/srv/et'cd"
	all := ""
	for _, c := range backup.Type().Effects[backup.OperationCold].ByHand(in, declared().Diff(in).Steps[0]) {
		all += c.Node + ": " + c.Run + "\n"
		for _, script := range []string{c.Run, c.Undo} {
			check := exec.Command("sh", "-n")
			check.Stdin = strings.NewReader("set -eu\n" + script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", c.What, err, out, script)
			}
		}
	}
	for _, want := range []string{`cd '/srv/et'\''cd'`, "flock -sn 9", "age -r " + recipient, "etc/kubernetes"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "cp2: ") {
		t.Errorf("cp2 is not stopped:\n%s", all)
	}
}
