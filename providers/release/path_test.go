package release_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/release"
)

// TestReleaseIsKept goes the whole way, from what is found to a second plan that has nothing to do.
func TestReleaseIsKept(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*testing.T, *world)
		version string
		values  map[string]any
		// What the first plan finds and does, and what the release has at the end.
		findings, steps []string
		disruptive      bool
		wantVersion     string
		wantValues      map[string]any
	}{
		{
			name: "an absent release is installed", prepare: func(*testing.T, *world) {},
			version: ">= 0.15.0", values: map[string]any{"deviceListStrategy": "volume-mounts"},
			findings: []string{"RELEASE_MISSING nvdp"}, steps: []string{"release.upgrade"},
			wantVersion: "0.16.2", wantValues: map[string]any{"deviceListStrategy": "volume-mounts"},
		},
		{
			name:    "a version that is known to be bad is left, past another one",
			prepare: func(t *testing.T, w *world) { w.install(t, "0.16.0", map[string]any{"runtimeClassName": "nvidia"}) },
			version: "< 0.16.2",
			findings: []string{
				"CHART_KNOWN_BAD 0.16.0", "CHART_VERSION_DIFFERS nvidia-device-plugin", "CHART_DOWNGRADE nvidia-device-plugin",
			},
			steps: []string{"release.upgrade"}, disruptive: true,
			wantVersion: "0.15.0", wantValues: map[string]any{"runtimeClassName": "nvidia"},
		},
		{
			name:        "a version that fits stays although there is a newer one",
			prepare:     func(t *testing.T, w *world) { w.install(t, "0.15.0", map[string]any{"runtimeClassName": "nvidia"}) },
			version:     ">= 0.15",
			wantVersion: "0.15.0", wantValues: map[string]any{"runtimeClassName": "nvidia"},
		},
		{
			name: "values that are not mentioned stay",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.16.2", map[string]any{"runtimeClassName": "nvidia", "image": map[string]any{"tag": "3.10.0", "pullPolicy": "Always"}})
			},
			version: "~0.16", values: map[string]any{"image": map[string]any{"tag": "3.10.1"}},
			findings: []string{"RELEASE_VALUE_DIFFERS image.tag"}, steps: []string{"release.upgrade"}, disruptive: true,
			wantVersion: "0.16.2",
			wantValues:  map[string]any{"runtimeClassName": "nvidia", "image": map[string]any{"tag": "3.10.1", "pullPolicy": "Always"}},
		},
		{
			name:    "a null takes a default of the chart away, once",
			prepare: func(t *testing.T, w *world) { w.install(t, "0.16.2", nil) },
			version: "0.16.2", values: map[string]any{"command": nil, "image": map[string]any{"pullPolicy": nil}, "nodeSelector": map[string]any{}},
			findings: []string{"RELEASE_VALUE_DIFFERS command", "RELEASE_VALUE_DIFFERS image.pullPolicy", "RELEASE_VALUE_DIFFERS nodeSelector"},
			steps:    []string{"release.upgrade"}, disruptive: true, wantVersion: "0.16.2",
			wantValues: map[string]any{"command": nil, "image": map[string]any{"pullPolicy": nil}, "nodeSelector": map[string]any{}},
		},
		{
			name: "an object that somebody has changed is brought back",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.16.2", nil)
				w.change(t, "spec", "template", "spec", "runtimeClassName")
				w.change(t, "spec", "template", "metadata", "labels", "app.kubernetes.io/instance")
			},
			version: "0.16.2", findings: []string{"RELEASE_DRIFT DaemonSet nvdp-nvidia-device-plugin"}, steps: []string{"release.upgrade"}, disruptive: true,
			wantVersion: "0.16.2",
		},
		{
			name: "an object that somebody has deleted comes back",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.16.2", nil)
				if err := w.Delete("apps/v1", "DaemonSet", namespace, daemonSet); err != nil {
					t.Fatal(err)
				}
			},
			version: "0.16.2", findings: []string{"RELEASE_DRIFT DaemonSet nvdp-nvidia-device-plugin"}, steps: []string{"release.upgrade"},
			wantVersion: "0.16.2",
		},
		{
			name: "an interrupted upgrade is repaired and made again, from the values that were in force",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.15.0", map[string]any{"runtimeClassName": "nvidia"})
				interrupted := w.spec("0.16.2", map[string]any{"runtimeClassName": "other", "command": []any{"sleep"}})
				if result := w.execute(t, w.plan(t, interrupted), interrupted); result.Outcome != apply.Complete {
					t.Fatalf("%+v", result)
				}
				setStatus(t, w, 1, facts.ReleaseDeployed, clock.Add(-2*time.Hour))
				setStatus(t, w, 2, facts.ReleasePendingUpgrade, clock.Add(-time.Hour))
			},
			version: "0.16.2", values: map[string]any{"deviceListStrategy": "cdi-cri"},
			findings: []string{"RELEASE_PENDING nvdp", "RELEASE_VALUE_DIFFERS deviceListStrategy", "RELEASE_DRIFT DaemonSet nvdp-nvidia-device-plugin"},
			steps:    []string{"release.repair", "release.upgrade"}, disruptive: true,
			wantVersion: "0.16.2", wantValues: map[string]any{"runtimeClassName": "nvidia", "deviceListStrategy": "cdi-cri"},
		},
		{
			name: "an interrupted install is ended, with the values that it had",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.16.2", map[string]any{"runtimeClassName": "other"})
				setStatus(t, w, 1, facts.ReleasePendingInstall, clock.Add(-time.Hour))
			},
			version: "0.16.2", findings: []string{"RELEASE_PENDING nvdp"}, steps: []string{"release.repair", "release.upgrade"},
			wantVersion: "0.16.2", wantValues: map[string]any{"runtimeClassName": "other"},
		},
		{
			name: "a failed upgrade is made again",
			prepare: func(t *testing.T, w *world) {
				w.install(t, "0.16.0", nil)
				s := w.spec("0.16.2", nil)
				s.Atomic = false
				w.FailOnce("wait", errors.New("timed out waiting for the condition"))
				if result := w.execute(t, w.plan(t, s), s); result.Outcome == apply.Complete {
					t.Fatal("the upgrade did not fail")
				}
			},
			version: "0.16.2", findings: []string{"RELEASE_FAILED nvdp"}, steps: []string{"release.upgrade"}, disruptive: true,
			wantVersion: "0.16.2",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			test.prepare(t, w)
			s := w.spec(test.version, test.values)
			p := w.plan(t, s)
			if diff := cmp.Diff(test.findings, ids(p.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s%+v", diff, p.Findings)
			}
			if diff := cmp.Diff(test.steps, operationsOf(p)); diff != "" {
				t.Fatalf("steps (-want +got):\n%s", diff)
			}
			if left := ids(p.Remaining); len(left) > 0 || len(p.Refusals) > 0 {
				t.Fatalf("the plan leaves %v and is refused for %v", left, p.Refusals)
			}
			if n := len(p.Steps); n > 0 {
				if got := p.Steps[n-1].Disruption != ""; got != test.disruptive {
					t.Errorf("disruption %q", p.Steps[n-1].Disruption)
				}
				if result := w.execute(t, p, s); result.Outcome != apply.Complete {
					t.Fatalf("outcome %s: %+v", result.Outcome, result.Steps)
				}
			}
			again := w.plan(t, s)
			if len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
				t.Errorf("a second plan has %v and %v", operationsOf(again), ids(again.Findings))
			}
			if got := again.Objects[0]; got.Status != "ok" || !strings.HasPrefix(got.Detail, "nvidia-device-plugin-"+test.wantVersion+",") {
				t.Errorf("the release is %s: %s", got.Status, got.Detail)
			}
			kept, _ := w.values(t)
			if test.wantValues == nil {
				test.wantValues = map[string]any{}
			}
			if diff := cmp.Diff(test.wantValues, kept); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func setStatus(t *testing.T, w *world, revision int, status string, at time.Time) {
	t.Helper()
	if err := w.SetStatus(namespace, name, revision, status, at); err != nil {
		t.Fatal(err)
	}
}

// TestFailedUpgradeGoesBack: an upgrade whose objects never get ready leaves the release as it was, and says so.
func TestFailedUpgradeGoesBack(t *testing.T) {
	w := open(t)
	w.install(t, "0.15.0", map[string]any{"runtimeClassName": "nvidia"})
	s := w.spec("0.16.2", map[string]any{"runtimeClassName": "other"})
	p := w.plan(t, s)
	w.FailOnce("wait", errors.New("timed out waiting for the condition"))
	result := w.execute(t, p, s)
	last := result.Steps[len(result.Steps)-1]
	if last.Outcome != apply.Failed || !strings.Contains(last.Why, "timed out waiting") || !strings.Contains(last.Why, "rolled back to revision 1") {
		t.Fatalf("the upgrade ended %s: %s", last.Outcome, last.Why)
	}
	if kept, revision := w.values(t); kept["runtimeClassName"] != "nvidia" || revision != 3 {
		t.Errorf("values %v at revision %d", kept, revision)
	}
	if again := w.plan(t, w.spec("0.15.0", map[string]any{"runtimeClassName": "nvidia"})); len(again.Steps) > 0 {
		t.Errorf("what was before is not back: %v", ids(again.Findings))
	}
}

// TestFailedInstallIsUninstalled: nothing half-made is left.
func TestFailedInstallIsUninstalled(t *testing.T) {
	w := open(t)
	s := w.spec("0.16.2", nil)
	p := w.plan(t, s)
	w.FailOnce("wait", errors.New("timed out waiting for the condition"))
	result := w.execute(t, p, s)
	if last := result.Steps[0]; last.Outcome != apply.Failed || !strings.Contains(last.Why, "was uninstalled") {
		t.Fatalf("the install ended %s: %s", last.Outcome, last.Why)
	}
	if w.Get("apps/v1", "DaemonSet", namespace, daemonSet) != nil {
		t.Error("the DaemonSet of the failed install is still there")
	}
}

// TestUpgradeIsNotProved: what Helm calls deployed is looked at in the cluster.
func TestUpgradeIsNotProved(t *testing.T) {
	w := open(t)
	w.install(t, "0.15.0", nil)
	s := w.spec("0.16.2", nil)
	p := w.plan(t, s)
	w.broken["gpu2"] = true
	result := w.execute(t, p, s)
	if last := result.Steps[0]; last.Outcome != apply.Failed || !strings.Contains(last.Why, `1 of 2 pods ready (nvdp-nvidia-device-plugin-gpu2: "ctr CrashLoopBackOff")`) {
		t.Fatalf("the upgrade ended %s: %s", last.Outcome, last.Why)
	}
	if got := ids(w.plan(t, s).Findings); cmp.Diff([]string{"RELEASE_NOT_READY DaemonSet nvdp-nvidia-device-plugin"}, got) != "" {
		t.Errorf("found %v", got)
	}
	w.nodes[1].Ready = false // the node itself is down: no fault of the release
	if got := ids(w.plan(t, s).Findings); len(got) > 0 {
		t.Errorf("with the node down, found %v", got)
	}
}

// TestStepIsRefused: the ground of a step is looked at again just before it.
func TestStepIsRefused(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*testing.T, *world)
		outcome apply.StepOutcome
		want    string
	}{
		{"somebody else has upgraded it", func(t *testing.T, w *world) {
			s := w.spec("0.15.0", map[string]any{"runtimeClassName": "other"})
			w.execute(t, w.plan(t, s), s)
		}, apply.Refused, "is at revision 2, and the plan was made for 1"},
		{"somebody is at it", func(t *testing.T, w *world) {
			setStatus(t, w, 1, facts.ReleasePendingRollback, clock)
		}, apply.Refused, "revision 1 of nvdp is pending-rollback"},
		{"it is so already", func(t *testing.T, w *world) {
			s := w.spec("0.16.2", nil)
			w.execute(t, w.plan(t, s), s)
		}, apply.Skipped, "revision 2 is deployed with chart version 0.16.2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.install(t, "0.15.0", nil)
			s := w.spec("0.16.2", nil)
			p := w.plan(t, s)
			test.change(t, w)
			_, was := w.values(t)
			result := w.execute(t, p, s)
			if last := result.Steps[0]; last.Outcome != test.outcome || !strings.Contains(last.Why, test.want) {
				t.Errorf("the upgrade ended %s: %s", last.Outcome, last.Why)
			}
			if _, is := w.values(t); is != was {
				t.Errorf("it was at revision %d and is at %d", was, is)
			}
		})
	}
}

// TestUpgradeIsBlocked: what stands in the way of an upgrade is said, and none is planned.
func TestUpgradeIsBlocked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*testing.T, *world, *release.Spec)
		want   []string
		says   string
	}{
		{"a version that the repository does not have", func(_ *testing.T, _ *world, s *release.Spec) { s.Chart.Version = ">= 9" },
			[]string{"RELEASE_UPGRADE_BLOCKED nvdp", "CHART_VERSION_DIFFERS nvidia-device-plugin", "CHART_UNKNOWN "}, `no version fits ">= 9"`},
		{"only versions that are known to be bad", func(_ *testing.T, _ *world, s *release.Spec) { s.Chart.Version = ">= 0.16.0, < 0.16.2" },
			[]string{"RELEASE_UPGRADE_BLOCKED nvdp", "CHART_VERSION_DIFFERS nvidia-device-plugin", "CHART_UNKNOWN "}, "is known to be bad (0.16.0, 0.16.1)"},
		{"a release of another chart", func(_ *testing.T, w *world, s *release.Spec) {
			s.Chart = release.Chart{Source: facts.ChartSource{Repository: w.repository, Name: "provider"}, Version: "9.2.2"}
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_OTHER_CHART nvdp"}, "it is a release of chart nvidia-device-plugin, and the block declares provider"},
		{"values that the chart cannot render", func(_ *testing.T, _ *world, s *release.Spec) {
			s.Values = map[string]any{"image": "text"}
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_VALUE_DIFFERS image", "CHART_UNKNOWN "}, "the chart cannot be rendered"},
		{"somebody may be at it", func(t *testing.T, w *world, _ *release.Spec) {
			setStatus(t, w, 1, facts.ReleasePendingUpgrade, clock.Add(-time.Minute))
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_PENDING nvdp"}, "another operation on the release may be in progress"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.install(t, "0.15.0", map[string]any{"image": map[string]any{"tag": "3.10.1"}})
			s := w.spec("0.15.0", nil)
			test.change(t, w, &s)
			p := w.plan(t, s)
			var got []string
			text := ""
			for i, id := range ids(p.Findings) {
				if f := p.Findings[i]; f.ID == "CHART_UNKNOWN" {
					id = "CHART_UNKNOWN " // its object is the repository, on another port each time
				}
				got = append(got, id)
			}
			for _, f := range p.Findings {
				text += f.Summary + "\n"
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("nothing says %q:\n%s", test.says, text)
			}
			if len(p.Steps) > 0 {
				t.Errorf("steps %v", operationsOf(p))
			}
		})
	}
}

// TestRepositoryIsDown: what holds goes on holding; what is due waits.
func TestRepositoryIsDown(t *testing.T) {
	w := open(t)
	w.install(t, "0.16.2", nil)
	s := w.spec(">= 0.16.2", nil)
	s.Chart.Source.Repository = "http://127.0.0.1:1"
	p := w.plan(t, s)
	if got := p.Findings; len(got) != 1 || got[0].ID != "CHART_UNKNOWN" || got[0].Severity != providers.SeverityWarning || !got[0].Unknown {
		t.Errorf("found %+v", got)
	}
}

// TestReplaceUpgradesAgain: -replace makes a revision although nothing is due, and once.
func TestReplaceUpgradesAgain(t *testing.T) {
	w := open(t)
	w.install(t, "0.16.2", nil)
	s := w.spec("0.16.2", nil)
	p := build(t, w.observe(t, s), []providers.Address{s.Address()}, s)
	if result := w.execute(t, p, s); result.Outcome != apply.Complete || len(result.Steps) != 1 {
		t.Fatalf("%+v", result)
	}
	if _, revision := w.values(t); revision != 2 {
		t.Errorf("revision %d", revision)
	}
}

// TestDisruptiveUpgradeNeedsABackup, unless the block says why not.
func TestDisruptiveUpgradeNeedsABackup(t *testing.T) {
	w := open(t)
	w.install(t, "0.16.0", nil)
	s := w.spec("0.16.2", nil)
	if p := buildWith(t, config.Meta{}, w.observe(t, s), nil, s); len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], `need the guard "backup"`) && !strings.Contains(p.Refusals[0], `needs the guard "backup"`) {
		t.Errorf("refusals %q", p.Refusals)
	}
}

// TestSpecSurvivesAPlanFile: a block in a plan file plans the same.
func TestSpecSurvivesAPlanFile(t *testing.T) {
	w := open(t)
	w.install(t, "0.15.0", nil)
	s := w.spec("0.16.2", map[string]any{"runtimeClassName": "nvidia"})
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := release.Type().Restore(data)
	if err != nil {
		t.Fatal(err)
	}
	seen := w.observe(t, s)
	a, b := build(t, seen, nil, s), build(t, seen, nil, restored.(release.Spec))
	if diff := cmp.Diff(a.Steps, b.Steps); diff != "" || a.Digest != b.Digest {
		t.Errorf("steps (-declared +restored):\n%s", diff)
	}
}
