package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// The arguments of steps. They hold no times and no revisions: those are in the step's
// ground, so that the same due work has the same arguments on any day.
type (
	releaseArgs struct {
		Namespace string `json:"namespace"`
		Release   string `json:"release"`
	}

	mendArgs struct {
		releaseArgs
		Action pending.Action `json:"action"`
		// Patience is how long the pending operation may be under way before it counts as interrupted.
		Patience config.Duration `json:"patience"`
	}

	upgradeArgs struct {
		releaseArgs
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

// Estimates in seconds where no earlier run is remembered. Most of an upgrade is pods that pull an image and start.
const (
	mendEstimate    = 2
	upgradeEstimate = 60
)

func (r *review) args() releaseArgs {
	return releaseArgs{Namespace: r.spec.Namespace, Release: r.spec.Release}
}

// step appends a step, to run after the one before it.
func (r *review) step(verb, operation string, args any, estimate float64) *providers.Step {
	data, err := json.Marshal(args)
	if err != nil {
		panic("release: arguments are plain data: " + err.Error())
	}
	if remembered := r.in.Memory.Durations[operation]; remembered > 0 {
		estimate = remembered
	}
	s := providers.Step{
		ID: r.address.String() + "/" + verb, Address: r.address, Operation: operation, Args: data, Action: "update", Estimate: estimate,
		Position: r.spec.Position.String(),
	}
	if n := len(r.out.Steps); n > 0 {
		s.After = []string{r.out.Steps[n-1].ID}
	}
	r.out.Steps = append(r.out.Steps, s)
	return &r.out.Steps[len(r.out.Steps)-1]
}

// plan turns what is due into steps: a release that is pending is mended before it is changed.
func (r *review) plan() {
	if slices.Contains(r.in.Replace, r.address) {
		r.due = append(r.due, "-replace names "+r.address.String())
	}
	if r.mending.Action == pending.Unlock {
		r.planMend()
	}
	switch {
	case len(r.due) == 0:
	case len(r.blocked) > 0:
		blocked := providers.Finding{
			ID: "RELEASE_UPGRADE_BLOCKED", Severity: providers.SeverityError, Waits: true, Address: r.address, Object: r.spec.Release, Position: r.spec.Position.String(),
			Summary: fmt.Sprintf("an upgrade is due (%s) and is not planned: %s", r.due[0], strings.Join(r.blocked, "; ")),
		}
		r.out.Findings = slices.Insert(r.out.Findings, 0, blocked) // first: the others say what is in the way
	default:
		r.planUpgrade()
	}
}

func (r *review) planMend() {
	s := r.step("mend", OperationMend, mendArgs{r.args(), r.mending.Action, config.Duration(r.spec.patience())}, mendEstimate)
	s.Repairs = true // it changes Helm's record alone
	s.Summary = "mend the interrupted operation on the release"
	s.Why = []string{r.mending.Why, "Helm refuses every operation on a release that is pending"}
	s.Changes = []providers.Change{{What: fmt.Sprintf("status of revision %d", r.mending.Revision), Before: r.mending.Status, After: facts.ReleaseFailed}}
	s.Proof = "the release is not pending any more"
	s.Undo = "nothing to undo: only Helm's record of the interrupted revision changes"
}

func (r *review) planUpgrade() {
	args := upgradeArgs{
		releaseArgs: r.args(), Install: r.release.Missing, Source: r.spec.Chart.Source, Chart: r.chartName(), Version: r.chosen.Version,
		SHA256: r.release.Offer.Digest, Values: r.spec.Masked(), Wait: r.spec.Wait, Atomic: r.spec.Atomic, Timeout: r.spec.Timeout,
	}
	args.CreateNamespace = args.Install && r.spec.CreateNamespace
	if !args.Install {
		args.Rolls = r.rolls()
	}
	s := r.step("upgrade", OperationUpgrade, args, upgradeEstimate)
	s.Limit = pending.Limit(time.Duration(args.Timeout)).Seconds()
	verb := "upgrade"
	s.Undo = fmt.Sprintf("helm -n %s rollback %s %d", r.spec.Namespace, r.spec.Release, r.release.Revision)
	if deployed, ok := r.release.LastDeployed(); ok {
		s.Undo = fmt.Sprintf("helm -n %s rollback %s %d", r.spec.Namespace, r.spec.Release, deployed.Revision)
	}
	if args.Install {
		verb, s.Action = "install", "create"
		s.Undo = fmt.Sprintf("helm -n %s uninstall %s", r.spec.Namespace, r.spec.Release)
	}
	s.Summary = fmt.Sprintf("%s %s with chart %s-%s", verb, r.spec.Release, args.Chart, args.Version)
	s.Why = slices.Clone(r.due)
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
	for _, o := range drifted(r.release) {
		template := slices.ContainsFunc(o.Differences, func(d facts.FieldDifference) bool { return strings.HasPrefix(d.Path, "spec.template.") })
		if template && slices.ContainsFunc(r.release.Workloads, func(w facts.Workload) bool { return w.Kind == o.Kind && w.Name == o.Name }) {
			found[o.Kind+" "+o.Name] = true
		}
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
		parts = append(parts, "the pods of "+strings.Join(args.Rolls, ", ")+", which restart")
	}
	var deleted []string
	for _, o := range r.preview().Objects {
		if o.Action == "delete" {
			deleted = append(deleted, o.Kind+" "+o.Name)
		}
	}
	if len(deleted) > 0 {
		parts = append(parts, "what uses "+strings.Join(deleted, ", ")+", which the chart no longer has")
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
			change.Before, change.After = masked(c.Had), masked(c.Has)
			if c.Had && c.Has {
				change.After += ", another one"
			}
		}
		out = append(out, change)
	}
	for _, o := range r.preview().Objects {
		change := providers.Change{What: o.Kind + " " + o.Name, After: o.Action + "d", Always: o.Action == "delete"}
		switch {
		case o.Action == "keep":
			change.After = "kept, and no longer the release's"
		case len(o.Differences) == 1:
			change.After += " in " + o.Differences[0].Path
		case len(o.Differences) > 1:
			change.After += fmt.Sprintf(" in %d fields", len(o.Differences))
		}
		out = append(out, change)
	}
	for _, o := range drifted(r.release) {
		out = append(out, providers.Change{What: o.Kind + " " + o.Name, Before: "not as rendered", After: "as rendered"})
	}
	return out
}

func masked(has bool) string {
	if has {
		return "(sensitive)"
	}
	return ""
}
