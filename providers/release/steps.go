package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// The arguments of steps. They hold no times and no revisions: those are in the step's
// ground, so that the same due work has the same arguments on any day.
type (
	upgradeArgs struct {
		revision.Args
		// Install: there is no such release.
		Install         bool              `json:"install,omitempty"`
		CreateNamespace bool              `json:"create_namespace,omitempty"`
		Source          facts.ChartSource `json:"source"`
		Chart           string            `json:"chart"`
		Version         string            `json:"version"`
		// SHA256 is the digest of the chart's archive that the plan was made with.
		SHA256 string `json:"sha256,omitempty"`
		// Values are laid over those of the release. What stands for a secret one is here in its place.
		Values  map[string]any  `json:"values,omitempty"`
		Wait    bool            `json:"wait,omitempty"`
		Atomic  bool            `json:"atomic,omitempty"`
		Timeout config.Duration `json:"timeout"`
		// Rolls are the workloads whose pods restart by it: "DaemonSet nvdp".
		Rolls []string `json:"rolls,omitempty"`
	}
)

// upgradeEstimate is in seconds, where no earlier run is remembered. Most of an upgrade is pods that pull an image and start.
const upgradeEstimate = 60

func (r *review) args() revision.Args {
	return revision.Args{Namespace: r.spec.Namespace, Release: r.spec.Release}
}

// step appends a step, to run after the one before it.
func (r *review) step(s providers.Step) *providers.Step {
	s.Position = r.spec.Position.String()
	if n := len(r.out.Steps); n > 0 {
		s.After = []string{r.out.Steps[n-1].ID}
	}
	r.out.Steps = append(r.out.Steps, s)
	return &r.out.Steps[len(r.out.Steps)-1]
}

// plan turns what is due into steps: a release that is pending is repaired before it is changed.
func (r *review) plan() {
	if slices.Contains(r.in.Replace, r.address) {
		r.due = append(r.due, "-replace names "+r.address.String())
	}
	if r.repair.Action == pending.Unlock {
		r.step(revision.PlanRepair(r.in, r.address, "repair", OperationRepair, r.args(), r.repair, r.spec.patience()))
	}
	switch {
	case len(r.due) == 0:
	case len(r.blocked) > 0:
		blocked := revision.Blocked(r.spec.Release, r.due, r.blocked)
		blocked.Address, blocked.Position = r.address, r.spec.Position.String()
		r.out.Findings = slices.Insert(r.out.Findings, 0, blocked) // first: the others say what is in the way
	default:
		r.planUpgrade()
	}
}

func (r *review) planUpgrade() {
	args := upgradeArgs{
		Args: r.args(), Install: r.release.Missing, Source: r.spec.Chart.Source, Chart: r.chartName(), Version: r.chosen.Version,
		SHA256: r.release.Offer.Digest, Values: r.spec.Masked(), Wait: r.spec.Wait, Atomic: r.spec.Atomic, Timeout: r.spec.Timeout,
	}
	args.CreateNamespace = args.Install && r.spec.CreateNamespace
	if !args.Install {
		args.Rolls = r.rolls()
	}
	s := r.step(providers.NewStep(r.in, r.address, "upgrade", OperationUpgrade, args, upgradeEstimate))
	s.Limit = pending.Limit(time.Duration(args.Timeout)).Seconds()
	verb := "upgrade"
	s.Undo, s.Reversal = revision.Rollback(r.release)
	if args.Install {
		verb, s.Action = "install", "create"
		s.Undo = fmt.Sprintf("helm -n %s uninstall %s", r.spec.Namespace, r.spec.Release)
		s.Reversal = providers.Reversal{Way: providers.ReverseUninstall}
	}
	if versions.Older(args.Version, r.release.Chart.Version) && !args.Install {
		verb = "downgrade"
		if finding, is := revision.HoldDowngrade(s, args.Chart, r.release.Chart.Version, args.Version); is {
			r.add(finding, "chart.version")
		}
	}
	s.Summary = fmt.Sprintf("%s %s with chart %s-%s", verb, r.spec.Release, args.Chart, args.Version)
	s.Why = append(slices.Clone(r.due), s.Why...)
	s.Changes = r.changes(args)
	s.Proof = fmt.Sprintf("the release is deployed with chart version %s and these values; everything else in them is as before; its objects are in the cluster as rendered", args.Version)
	if args.Wait {
		s.Proof += "; its workloads are ready"
	}
	if s.Disruption = r.disruption(args); s.Disruption != "" {
		s.Guards = []providers.Need{{Name: guardBackup}}
	}
}

// rolls are the workloads whose pods restart, sorted: those whose template changes, and those whose template in the
// cluster is not the rendered one.
func (r *review) rolls() []string {
	found := map[string]bool{}
	for _, name := range r.preview().Rolls {
		found[name] = true
	}
	for _, name := range revision.OtherTemplate(r.release) {
		found[name] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// disruption says what an upgrade interrupts. An install interrupts nothing.
func (r *review) disruption(args upgradeArgs) string {
	if args.Install {
		return ""
	}
	var parts []string
	if len(args.Rolls) > 0 {
		parts = append(parts, "the pods of "+strings.Join(args.Rolls, ", ")+" restart")
	}
	var deleted []string
	for _, o := range r.preview().Objects {
		if o.Action == "delete" {
			deleted = append(deleted, o.Kind+" "+o.Name)
		}
	}
	if len(deleted) > 0 {
		parts = append(parts, "the upgrade deletes "+strings.Join(deleted, ", ")+", which the new chart does not have")
	}
	return strings.Join(parts, "; ")
}

// changes says what an upgrade changes: the chart, then values path by path, then objects.
func (r *review) changes(args upgradeArgs) []providers.Change {
	var out []providers.Change
	if running := r.release.Chart.Version; args.Install || !versions.Equal(running, args.Version) {
		out = append(out, providers.Change{What: "chart version", Before: running, After: args.Version, Always: true})
	}
	for _, c := range values.Diff(r.before, r.after) {
		change := providers.Change{What: c.Path, Before: values.Text(c.Before), After: values.Text(c.After)}
		if values.IsSealed(c.Before) || values.IsSealed(c.After) {
			change.Before, change.After = c.Hidden()
		}
		out = append(out, change)
	}
	out = append(out, revision.ObjectChanges(r.preview().Objects)...)
	for _, o := range drifted(r.release) {
		out = append(out, providers.Change{What: o.Kind + " " + o.Name, Before: "not as rendered", After: "as rendered"})
	}
	return out
}
