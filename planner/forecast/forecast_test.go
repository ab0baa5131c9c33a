package forecast_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/forecast"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var from = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func at(days int) time.Time { return from.Add(time.Duration(days) * day) }

func address(node string) providers.Address {
	return providers.Address{Type: "certificates", Name: "a"}.On(node)
}

func renew(node string, days int) planner.Ran {
	return planner.Ran{
		ID: address(node).String() + "/renew", Address: address(node), Operation: "certificates.renew", Summary: "renew apiserver", Disruption: "the API",
		Window: "weekly", Due: at(days - 3), Begins: at(days), Ends: at(days).Add(time.Minute),
	}
}

func backup(days int) planner.Ran {
	block := providers.Address{Type: "etcd_backup", Name: "daily"}
	return planner.Ran{ID: "etcd_backup.daily/take", Address: block, Operation: "backup.take", Summary: "take a bundle", Due: at(days), Begins: at(days), Ends: at(days).Add(time.Minute)}
}

func run(steps ...planner.Ran) planner.Run {
	return planner.Run{Begins: steps[0].Begins, Ends: steps[len(steps)-1].Ends, Steps: steps}
}

func finding(id, node, object string, severity providers.Severity) providers.Finding {
	return providers.Finding{ID: id, Address: address(node), Object: object, Severity: severity, Summary: "soon", Hint: "do something"}
}

func TestMake(t *testing.T) {
	kubernetes := func(versions ...string) planner.Plan {
		var p planner.Plan
		for i, v := range versions {
			p.Request.World.Kubernetes.Nodes = append(p.Request.World.Kubernetes.Nodes, facts.KubernetesNode{Name: "n" + string(rune('1'+i)), Version: v})
		}
		return p
	}
	for name, test := range map[string]struct {
		plan   planner.Plan
		course planner.Course
		want   forecast.Forecast
	}{
		"nothing": {},
		"work in its window, on two nodes": {
			course: planner.Course{Runs: []planner.Run{run(renew("cp1", 10), renew("cp2", 10))}},
			want: forecast.Forecast{Months: []forecast.Month{{Name: "2026-12", Entries: []forecast.Entry{{
				Kind: forecast.Upkeep, At: at(10), Ends: at(10).Add(time.Minute), Address: "certificates.a", Nodes: []string{"cp1", "cp2"}, Window: "weekly",
				Due: at(7), What: []string{"renew apiserver"}, Disruptions: []string{"the API"},
			}}}}},
		},
		"work that comes every day is told once": {
			course: planner.Course{Runs: []planner.Run{run(backup(0)), run(backup(1)), run(backup(2)), run(backup(3)), run(backup(5))}},
			want: forecast.Forecast{Repeats: []forecast.Repeat{{
				Address: "etcd_backup.daily", Operation: "backup.take", Summary: "take a bundle", Times: 5, First: at(0), Every: day.Seconds(),
			}}},
		},
		"what a person said for a while ends": {
			plan: planner.Plan{Request: planner.Request{Desired: config.Desired{
				Ignores: []config.Ignore{
					{Name: "rma", Finding: "NVIDIA_XID_63", Nodes: []string{"gpu7"}, Reason: "RMA 1234", Owner: "ops", Until: "2026-12-04"},
					{Name: "long", Finding: "A", Reason: "b", Owner: "ops", Until: "2028-01-01"},
					{Name: "over", Finding: "A", Reason: "b", Owner: "ops", Until: "2026-11-01"},
				},
				Outs: []config.Out{{Node: "gpu8", Reason: "RMA 1235", Owner: "ops", Until: "2026-12-05"}, {Node: "gpu9", Until: "2029-01-01"}},
			}}},
			want: forecast.Forecast{Months: []forecast.Month{{Name: "2026-12", Entries: []forecast.Entry{
				{
					Kind: forecast.Person, At: at(13).Add(-12 * time.Hour), Address: "ignore.rma", Nodes: []string{"gpu7"}, Finding: "IGNORE_ENDED",
					What: []string{`NVIDIA_XID_63 counts again; it was ignored for "RMA 1234", owner ops`},
				},
				{
					Kind: forecast.Ends, At: at(14).Add(-12 * time.Hour), Address: "out.gpu8",
					What: []string{`2026-12-05 was the last day out of node gpu8 ("RMA 1235", owner ops); take the node back or out again, or no plan can be made`},
				},
			}}}},
		},
		"what no step ends is a person's, of one day in one entry": {
			course: planner.Course{Found: []planner.Found{
				{Finding: finding("CA", "cp1", "ca", providers.SeverityWarning), Since: at(5)},
				{Finding: finding("CA", "cp2", "ca", providers.SeverityWarning), Since: at(5).Add(3 * time.Hour)},
				{Finding: finding("LEAF", "cp2", "apiserver", providers.SeverityWarning), Since: at(5), Gone: at(6), ByStep: true},
				{Finding: finding("NOTE", "cp2", "etcd", providers.SeverityNote), Since: at(5)},
			}},
			want: forecast.Forecast{Months: []forecast.Month{{Name: "2026-11", Entries: []forecast.Entry{{
				Kind: forecast.Person, At: at(5), Address: "certificates.a", Nodes: []string{"cp1", "cp2"}, Objects: []string{"ca"}, Finding: "CA",
				Severity: providers.SeverityWarning, What: []string{"soon"}, Hint: "do something",
			}}}}},
		},
		"too late, and never": {
			course: planner.Course{
				Found: []planner.Found{{Finding: finding("CERT_EXPIRED", "cp1", "apiserver", providers.SeverityError), Since: at(5), Waits: "yearly"}},
				Left:  []planner.Left{{Ran: renew("cp2", 9), Why: "no opening is long enough"}, {Ran: renew("cp3", 9)}},
			},
			want: forecast.Forecast{Missed: []forecast.Missed{
				{Address: "certificates.a", Nodes: []string{"cp1"}, Window: "yearly", Due: at(5), Late: at(5), What: "CERT_EXPIRED apiserver", Why: "no opening of yearly comes earlier"},
				{Address: "certificates.a", Nodes: []string{"cp2"}, Window: "weekly", Due: at(6), What: "renew apiserver", Why: "no opening is long enough"},
			}},
		},
		"releases leave support, or have": {
			plan: kubernetes("v1.35.4", "v1.34.1", "v1.36.0+k3s1", "v2.0.0"),
			want: forecast.Forecast{Months: []forecast.Month{
				{Name: "2026-11", Entries: []forecast.Entry{
					{Kind: forecast.Ends, At: from, Nodes: []string{"n2"}, What: []string{"2026-10-27 was the last day of support for Kubernetes 1.34"}, Source: "kubernetes.io/releases/1.34"},
					{Kind: forecast.Ends, At: from, Nodes: []string{"n4"}, What: []string{"this upkeep does not know when support ends for Kubernetes 2.0"}},
				}},
				{Name: "2027-03", Entries: []forecast.Entry{
					{Kind: forecast.Ends, At: at(99).Add(-12 * time.Hour), Nodes: []string{"n1"}, What: []string{"2027-02-28 is the last day of support for Kubernetes 1.35"}, Source: "kubernetes.io/releases/1.35"},
				}},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.course.From, test.course.Until = from, at(200)
			test.want.FormatVersion, test.want.From, test.want.Until, test.want.Timezone = "1.0", from, at(200), "UTC"
			if diff := cmp.Diff(test.want, forecast.Make(test.plan, test.course, time.UTC)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
