package akash

import (
	"fmt"
	"time"

	"upkeep/providers"
)

// outageMargin is how much longer than estimated guarded work may take before a lease is lost: estimates are that.
const outageMargin = 2

// Guards returns the guard that this domain provides: while steps run that could close a tenant's lease, the provider
// is stopped, so that nobody closes one (akash.md 4.3).
func (s Spec) Guards() map[string]providers.Guard {
	g := leases{s}
	return map[string]providers.Guard{guardLeases: {Before: g.before, After: g.after}}
}

// leases stops the provider before the guarded steps where it would lose patience with a lease before they end, and
// starts it again afterwards.
type leases struct{ spec Spec }

func (g leases) before(in providers.Input, guarded []providers.Step) []providers.Step {
	why, ok := g.needed(in, guarded)
	if !ok {
		return nil
	}
	release := in.World.Release(g.spec.Namespace, g.spec.Release)
	p := providerOf(release)
	s := providers.NewStep(in, g.spec.Address(), "leases-stop", OperationStop, g.args(in), stopEstimate)
	s.Position = g.spec.Position.String()
	s.Summary = "stop the provider, so that the provider closes no lease"
	s.Why = []string{why}
	s.Changes = []providers.Change{{What: "replicas of " + p.workload.Name, Before: fmt.Sprint(p.workload.Replicas),
		After: "0, and marked"}}
	s.Disruption = "the provider is stopped: no new bids, no updates of deployments"
	s.Unaffected = unaffected(in.World.Tenancies)
	s.Proof = "no pod of the provider is left, and its StatefulSet carries the mark of this run"
	s.Undo = fmt.Sprintf("kubectl -n %s scale statefulset %s --replicas=%d", g.spec.Namespace, p.workload.Name, max(1,
		p.workload.Replicas))
	return []providers.Step{s}
}

func (g leases) after(in providers.Input, guarded []providers.Step) []providers.Step {
	if _, ok := g.needed(in, guarded); !ok {
		return nil
	}
	// Its id is not that of the step which starts what an interrupted run left stopped: that one waits for nothing.
	s := providers.NewStep(in, g.spec.Address(), "leases-start", OperationStart, g.args(in), startEstimate)
	s.Position = g.spec.Position.String()
	fillStart(&s, providerOf(in.World.Release(g.spec.Namespace, g.spec.Release)).workload.Name)
	s.Why = []string{"the work that the provider was stopped for has ended, however it ended"}
	return []providers.Step{s}
}

func (g leases) args(in providers.Input) releaseArgs {
	return g.spec.args(providerOf(in.World.Release(g.spec.Namespace, g.spec.Release)))
}

// needed says whether the provider must be stopped for some steps, and why. A provider that somebody else keeps
// stopped is left so. What cannot be told counts as danger.
func (g leases) needed(in providers.Input, guarded []providers.Step) (string, bool) {
	release := in.World.Release(g.spec.Namespace, g.spec.Release)
	if release.Unknown == "" {
		p := providerOf(release)
		switch {
		case release.Missing || release.WorkloadsUnknown == "" && !p.found:
			return "", false // no provider closes leases
		case p.found && p.workload.Replicas == 0 && !p.stoppedByUs() && p.workload.Unknown == "" && len(p.workload.Pods) == 0:
			return "", false
		}
	}
	var outage time.Duration
	for _, step := range guarded {
		outage += step.EstimateDuration()
	}
	outage *= outageMargin
	m := monitorOf(release)
	switch {
	case m.Unknown != "":
		return fmt.Sprintf("how long the provider waits before it closes a lease whose pods do not run is not known (%s)",
			m.Unknown), true
	case m.Deadline > outage:
		return "", false
	}
	return fmt.Sprintf("the provider closes a lease whose pods do not run for %s, and the guarded steps may take %s",
		m.Deadline.Round(time.Second), outage.Round(time.Second)), true
}
