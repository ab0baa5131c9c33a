package revision_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/revision"
)

var (
	began   = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	address = providers.Address{Type: "helm_release", Name: "r"}
	named   = revision.Args{Namespace: "n", Release: "r"}
)

// release is one whose revisions have these statuses.
func release(statuses ...string) facts.Release {
	r := facts.Release{Namespace: "n", Name: "r", Missing: len(statuses) == 0, Updated: began}
	for i, status := range statuses {
		r.History = append(r.History, facts.ReleaseRevision{Revision: i + 1, Status: status})
		r.Revision, r.Status = i+1, status
	}
	return r
}

func input(age time.Duration, releases ...facts.Release) providers.Input {
	in := providers.Input{World: facts.World{Releases: map[string]*facts.Release{}}, Now: began.Add(age)}
	for _, r := range releases {
		in.World.Releases[facts.ReleaseKey(r.Namespace, r.Name)] = &r
	}
	return in
}

// planned is the step that repairs a release, as a plan has it.
func planned(t testing.TB, r facts.Release, patience time.Duration) providers.Step {
	t.Helper()
	in := input(1000*time.Hour, r)
	step := revision.PlanRepair(in, address, "repair", "release.repair", named, pending.Decide(r, in.Clock(), patience), patience)
	step, err := step.WithGround(revision.Repairing{}.Ground(in, step))
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func TestRepairReady(t *testing.T) {
	interrupted := release("deployed", "pending-upgrade")
	step := planned(t, interrupted, 10*time.Minute)
	later := release("deployed", "failed", "pending-upgrade")
	unknown := facts.Release{Namespace: "n", Name: "r", Unknown: "no answer"}
	broken := step
	broken.Args = []byte(`[]`)
	for _, test := range []struct {
		name    string
		step    providers.Step
		release facts.Release
		age     time.Duration
		want    providers.Readiness
	}{
		{"as planned", step, interrupted, time.Hour, providers.Readiness{State: providers.Holds}},
		{"repaired already", step, release("deployed", "failed"), time.Hour, providers.Readiness{State: providers.Done, Why: "the release is failed"}},
		{"uninstalled meanwhile", step, release(), time.Hour, providers.Readiness{State: providers.Done, Why: "the release no longer exists"}},
		{"another operation was interrupted", step, later, time.Hour, providers.Readiness{
			State: providers.Moved, Why: "release n/r is at revision 3, and the plan was made for 2: somebody else upgraded it; make a new plan",
		}},
		{"somebody may be at work", step, interrupted, time.Minute, providers.Readiness{
			State: providers.Moved, Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z; another Helm may still work until 2026-11-22T03:10:00Z",
		}},
		{"cannot be read", step, unknown, time.Hour, providers.Readiness{State: providers.Unknown, Why: "release n/r: no answer"}},
		{"arguments of something else", broken, interrupted, time.Hour, providers.Readiness{
			State: providers.Unknown, Final: true, Why: "arguments of helm_release.r/repair: json: cannot unmarshal array into Go value of type revision.RepairArgs; plan again",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, revision.Repairing{}.Ready(input(test.age, test.release), test.step)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The plan, the runbook and whoever applies the plan give somebody else's Helm the same time, whatever the block
// declares, and work on the same revision.
func TestARunbookWaitsAsLongAsUpkeepDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seconds := int64(time.Duration(pending.LongestTimeout) / time.Second)
		patience := pending.Patience(time.Duration(rapid.Int64Range(0, seconds).Draw(rt, "timeout")) * time.Second)
		age := time.Duration(rapid.Int64Range(0, 12*seconds).Draw(rt, "age in quarters")) * time.Second / 4
		interrupted := release("deployed", "pending-upgrade")
		step := planned(t, interrupted, patience)
		in := input(age, interrupted)
		waits := pending.Decide(interrupted, in.Clock(), patience).Action == pending.Wait
		ready := revision.Repairing{}.Ready(in, step)
		if waits != (ready.State == providers.Moved) || waits != (age < patience) {
			rt.Fatalf("%s after the operation began, with patience %s: %+v", age, patience, ready)
		}
		later := input(age, release("deployed", "failed", "pending-upgrade"))
		commands := revision.Repairing{}.ByHand(later, step)
		if len(commands) != 1 || !strings.HasSuffix(commands[0].Stop, "is younger than "+patience.String()) {
			rt.Fatalf("a person is told %+v, and upkeep waits %s", commands, patience)
		}
		first := planned(t, release("pending-install"), patience)
		if by := (revision.Repairing{}).ByHand(input(age, release("failed", "pending-install")), first); !strings.Contains(by[0].Run, "r.v1\n") {
			rt.Fatalf("a person works on another revision than the plan: %s", by[0].Run)
		}
	})
}

// What is predicted of a repair is proved by it, and nothing else changes.
func TestRepairProved(t *testing.T) {
	interrupted := release("deployed", "pending-upgrade")
	step := planned(t, interrupted, 10*time.Minute)
	before := input(time.Hour, interrupted)
	if err := (revision.Repairing{}).Proved(before, before, step); err == nil {
		t.Error("a release that is still pending is proved")
	}
	after := before
	after.World = before.World.Clone()
	after.Apply(revision.Repairing{}.Predict(before, step))
	want := release("deployed", "failed")
	want.Description = "Interrupted"
	if diff := cmp.Diff(want, after.World.Release("n", "r")); diff != "" {
		t.Errorf("predicted (-want +got):\n%s", diff)
	}
	if err := (revision.Repairing{}).Proved(before, after, step); err != nil {
		t.Errorf("what was predicted is not proved: %v", err)
	}
}

type repairer struct{ asked *[]any }

func (r repairer) Repair(_ context.Context, namespace, name string, m pending.Repair) error {
	*r.asked = append(*r.asked, namespace, name, m)
	return nil
}

func TestRepair(t *testing.T) {
	step := planned(t, release("deployed", "pending-upgrade"), 10*time.Minute)
	ungrounded, without := step, step
	ungrounded.Ground, without.Ground = nil, []byte(`{"revision": 2}`)
	for _, test := range []struct {
		name    string
		step    providers.Step
		cluster bool
		err     string
	}{
		{"as planned", step, true, ""},
		{"the plan names no revision", ungrounded, true, "helm_release.r/repair: the plan does not say which revision it was made for; plan again"},
		{"the plan names no state", without, true, "helm_release.r/repair: the plan does not say in which state the release was; plan again"},
		{"there is no cluster", step, false, providers.ErrNoCluster.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked []any
			operation := revision.Repair{}
			if test.cluster {
				operation.Releases = repairer{&asked}
			}
			err := operation.Run(t.Context(), test.step, nil)
			if test.err != "" {
				if err == nil || err.Error() != test.err || len(asked) > 0 {
					t.Fatalf("%v, and it asked for %v", err, asked)
				}
				return
			}
			want := []any{"n", "r", pending.Repair{Action: pending.Unlock, Revision: 2, Status: "pending-upgrade"}}
			if diff := cmp.Diff(want, asked); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	step := func(r facts.Release) providers.Step {
		s, err := providers.Step{ID: "x/upgrade"}.WithGround(revision.Of(r))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	deployed := release("superseded", "deployed")
	offered := deployed
	offered.Offer = &facts.ChartOffer{Digest: "bb", Chosen: facts.ChartVersion{Version: "1.2.3"}}
	for _, test := range []struct {
		name    string
		step    providers.Step
		release facts.Release
		want    string
	}{
		{"as planned", step(deployed), deployed, ""},
		{"installed as planned", step(release()), release(), ""},
		{"gone", step(deployed), release(), "release n/r does not exist; make a new plan, which installs it"},
		{"installed by somebody else", step(release()), deployed, "somebody installed release n/r at revision 2 after this plan was made; make a new plan"},
		{"upgraded by somebody else", step(release("deployed")), deployed, "release n/r is at revision 2, and the plan was made for 1: somebody else upgraded it; make a new plan"},
		{"pending", step(release("deployed", "pending-upgrade")), release("deployed", "pending-upgrade"), "revision 2 of r is pending-upgrade: an operation is in progress, or was interrupted; make a new plan, which repairs the release"},
		{"another archive", step(deployed), offered, "the archive of chart version 1.2.3 has another content than when the plan was made (SHA-256 bb, was aa)"},
		{"ground of something else", providers.Step{ID: "x/upgrade", Ground: []byte(`[]`)}, deployed, "ground of x/upgrade: json: cannot unmarshal array into Go value of type revision.Ground"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, revision.Refused(test.release, test.step, "1.2.3", "aa")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroundLines(t *testing.T) {
	for want, ground := range map[string]revision.Ground{
		"":                                       {},
		"revision = none":                        revision.Of(release()),
		"revision = 1":                           revision.Of(release("deployed")),
		"revision = 1\nstatus = pending-install": {Revision: new(1), Status: "pending-install"},
	} {
		if got := strings.Join(ground.Lines(), "\n"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// An upgrade is at the next revision that Helm has not given out, keeps what it does not know, and says whose program
// runs only where that is known.
func TestUpgraded(t *testing.T) {
	running := release("deployed", "failed")
	running.Chart = facts.ChartVersion{Name: "c", Version: "1.0.0", AppVersion: "v1"}
	offered := running
	offered.Offer = &facts.ChartOffer{
		Chosen:  facts.ChartVersion{Version: "2.0.0", AppVersion: "v2"},
		Preview: &facts.ReleasePreview{Rolls: []string{"Deployment d"}, Forbidden: []string{"x"}, Absent: []string{"y"}},
	}
	for _, test := range []struct {
		name, version, app string
		from               facts.Release
		revision           int
	}{
		{"installed", "2.0.0", "", release(), 1},
		{"installed after an uninstall that kept its history", "2.0.0", "", facts.Release{Missing: true, History: release("uninstalled").History}, 2},
		{"the same version", "1.0.0", "v1", running, 3},
		{"another version", "2.0.0", "", running, 3},
		{"the offered version", "2.0.0", "v2", offered, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			chart := facts.ChartVersion{Name: "c", Version: test.version, AppVersion: test.app}
			want := test.from
			want.Missing, want.Revision, want.Status, want.Description = false, test.revision, facts.ReleaseDeployed, "Upgrade complete"
			want.Chart, want.Updated, want.Values = chart, began, map[string]any{"a": 1.0}
			want.History = nil
			for _, h := range test.from.History {
				if h.Status == facts.ReleaseDeployed {
					h.Status = facts.ReleaseSuperseded
				}
				want.History = append(want.History, h)
			}
			want.History = append(want.History, facts.ReleaseRevision{Revision: test.revision, Status: facts.ReleaseDeployed, Chart: chart, Updated: began})
			if o := test.from.Offer; o != nil {
				want.Offer = &facts.ChartOffer{Chosen: o.Chosen, Preview: &facts.ReleasePreview{Values: want.Values}}
			}
			got := revision.Upgraded(test.from, "c", test.version, map[string]any{"a": 1.0}, began)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every step on a release finds its own release among those that its block asks for, and previews nothing unasked.
func TestNeeds(t *testing.T) {
	offer := &facts.OfferQuestion{Constraint: "1"}
	block := asking{providers.Needs{Etcd: true, Helm: providers.HelmNeeds{Releases: []facts.ReleaseQuestion{
		{Namespace: "n", Name: "other"}, {Namespace: "n", Name: "r", Offer: offer},
	}}}}
	in := providers.Input{Resources: map[providers.Address]providers.Resource{address: block}}
	step := providers.NewStep(in, address, "upgrade", "release.upgrade", named, 1)
	for _, preview := range []bool{true, false} {
		question := facts.ReleaseQuestion{Namespace: "n", Name: "r"}
		if preview {
			question.Offer = offer
		}
		want := providers.Needs{
			Kubernetes: providers.KubernetesNeeds{Cluster: true}, Helm: providers.HelmNeeds{Releases: []facts.ReleaseQuestion{question}},
		}
		if diff := cmp.Diff(want, revision.Needs(in, step, preview)); diff != "" {
			t.Errorf("preview %v (-want +got):\n%s", preview, diff)
		}
	}
	if block.needs.Helm.Releases[1].Offer == nil {
		t.Error("the block's own question was written into")
	}
}

type asking struct{ needs providers.Needs }

func (asking) Address() providers.Address             { return address }
func (a asking) Needs() providers.Needs               { return a.needs }
func (asking) Diff(providers.Input) providers.Outcome { return providers.Outcome{} }

func TestPlanRepairIsRemembered(t *testing.T) {
	r := release("deployed", "pending-upgrade")
	in := input(time.Hour, r)
	in.Memory.Durations = map[string]float64{"release.repair": 7}
	step := revision.PlanRepair(in, address, "repair", "release.repair", named, pending.Decide(r, in.Clock(), time.Minute), time.Minute)
	args, err := providers.ArgsOf[revision.RepairArgs](step)
	want := revision.RepairArgs{Args: named, Action: pending.Unlock, Patience: config.Duration(time.Minute)}
	if diff := cmp.Diff(want, args); diff != "" || err != nil || step.Estimate != 7 || !step.Repairs || step.ID != "helm_release.r/repair" {
		t.Errorf("%+v, %v (-want +got):\n%s", step, err, diff)
	}
	if _, err := providers.ArgsOf[revision.RepairArgs](providers.Step{ID: "x"}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("a step without arguments is read: %v", err)
	}
}
