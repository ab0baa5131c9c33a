package akash

import (
	"fmt"
	"math"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
)

// The arguments of steps. They hold no times and no revisions: those are in the step's
// ground, so that the same due work has the same arguments on any day.
type (
	// releaseArgs name the release and the StatefulSet that runs the provider.
	releaseArgs struct {
		revision.Args
		Workload string `json:"workload,omitempty"`
		// Domain is the provider's, where the block names one: a restart is then held to the certificate that is served.
		Domain string `json:"domain,omitempty"`
	}

	archiveArgs struct {
		releaseArgs
		Directory string `json:"directory"`
		// File is what its values are kept in.
		File string `json:"file"`
	}

	upgradeArgs struct {
		releaseArgs
		Chart Chart `json:"chart"`
		// SHA256 is the digest of the chart's archive that the plan was made with; empty where the source has none.
		SHA256 string `json:"sha256,omitempty"`
		// Values are laid over those of the release. A sensitive value is what stands for it; the script is not here.
		Values map[string]any `json:"values,omitempty"`
		// Script is the SHA-256 of the script; empty where it stays as it is. Policy stands before it; nil: none.
		Script  string          `json:"script,omitempty"`
		Policy  *price.Policy   `json:"policy,omitempty"`
		Timeout config.Duration `json:"timeout"`
		// Rolls: the provider restarts by it.
		Rolls bool `json:"rolls"`
		// Operators are the releases that must be deployed at a major version of their charts by then.
		Operators map[string]string `json:"operators,omitempty"`
	}
)

// Estimates in seconds where no earlier run is remembered. A provider's pod pulls its image, waits for its RPC node and
// refreshes its certificate before it is ready; its liveness probe alone waits 240 seconds (akash.md 2.3).
const (
	archiveEstimate = 1
	stopEstimate    = 30
	startEstimate   = 90
	replaceEstimate = 40
	upgradeEstimate = 120
	restartEstimate = 90
)

func (r *review) args() releaseArgs { return r.spec.args(r.provider) }

// args name the release of a block and the StatefulSet that runs its provider.
func (s Spec) args(p provider) releaseArgs {
	return releaseArgs{
		Args: revision.Args{Namespace: s.Namespace, Release: s.Release}, Workload: p.workload.Name, Domain: s.Domain,
	}
}

// step appends a step, to run after the one before it.
func (r *review) step(verb, operation string, args any, estimate float64) *providers.Step {
	return r.append(providers.NewStep(r.in, r.address, verb, operation, args, estimate))
}

func (r *review) append(s providers.Step) *providers.Step {
	s.Position = r.spec.Position.String()
	if n := len(r.out.Steps); n > 0 {
		s.After = []string{r.out.Steps[n-1].ID}
	}
	r.out.Steps = append(r.out.Steps, s)
	return &r.out.Steps[len(r.out.Steps)-1]
}

// plan turns what is due into steps, in the order in which they must run: a provider that an interrupted run left
// stopped is started before anything else; the release is repaired before it is read by anything else, what it was is
// kept before it is changed, and a restart proves what the upgrade could not.
func (r *review) plan() {
	replaced := slices.Contains(r.in.Replace, r.address)
	// A chart that is as declared, with nothing due, needs none of the things that an upgrade needs.
	upgrade := len(r.due) > 0 && len(r.blocked) == 0 && r.spec.Chart != nil && r.repair.Action != pending.Wait
	if r.provider.stoppedByUs() && !(upgrade && r.mustReplace()) {
		s := r.step("start", OperationStart, r.args(), startEstimate)
		r.fillStart(s)
	}
	if r.repair.Action == pending.Unlock {
		r.planRepair("repair", r.args().Args, r.repair)
	}
	if replaced {
		r.restart = append(r.restart, "-replace names "+r.address.String())
	}
	switch {
	case len(r.due) > 0 && r.spec.Chart == nil:
		r.add(providers.Finding{
			ID: "RELEASE_UPGRADE_BLOCKED", Severity: providers.SeverityError, Waits: true, Object: r.release.Name,
			Summary: "an upgrade is due, and the block does not say which chart", Hint: "add the block chart with the version that runs, " + r.release.Chart.Version,
		})
	case len(r.due) > 0 && len(r.blocked) > 0:
		r.add(revision.Blocked(r.release.Name, r.due, r.blocked))
	}
	if n := len(r.out.Findings) - 1; n > 0 && r.out.Findings[n].ID == "RELEASE_UPGRADE_BLOCKED" {
		r.out.Findings = slices.Insert(r.out.Findings[:n], 0, r.out.Findings[n]) // first: the others say what is in the way
	}
	if r.repair.Action != pending.Wait && (upgrade || !r.chartChanges()) {
		r.planDefinitions()
		r.planOperators()
	}
	if upgrade {
		r.planArchive("archive", r.args(), r.release)
		if r.mustReplace() {
			r.planReplace()
		}
		if rolled := r.planUpgrade(); !rolled {
			r.planRestart()
		}
		return
	}
	if len(r.restart) > 0 && r.repair.Action != pending.Wait && r.provider.found && r.provider.workload.Replicas > 0 {
		r.planRestart()
	}
}

func (r *review) planRepair(verb string, of revision.Args, m pending.Repair) {
	r.append(revision.PlanRepair(r.in, r.address, verb, OperationRepair, of, m, r.spec.patience()))
}

// The files of an archive: the guide's names for what it keeps of the provider. The values of any other release are in
// RELEASE.yaml.
const (
	valuesFile = "provider.yaml"
	scriptFile = "old-bid-price-script.sh"
)

// planArchive keeps what an upgrade of a release replaces, unless the archive has that already.
func (r *review) planArchive(verb string, of releaseArgs, release facts.Release) {
	a := r.in.World.Archives[facts.ReleaseKey(of.Namespace, of.Release)]
	if e, ok := a.Entry(release.Revision); ok && archived(e, release) {
		return
	}
	args, summary := archiveArgs{of, r.spec.Archive, valuesFile}, "save the current values and bid script"
	if of.Release != r.spec.Release {
		args.File, summary = of.Release+".yaml", "save the current values of "+of.Release
	}
	s := r.step(verb, OperationArchive, args, archiveEstimate)
	s.Summary = summary
	s.Why = []string{"what an upgrade replaces is kept first (archive = " + quote(r.spec.Archive) + ")"}
	s.Changes = []providers.Change{{What: args.File, After: fmt.Sprintf("values of revision %d, mode 0600",
		release.Revision)}}
	s.Proof = "the archive has the revision"
	if body, ok := scriptOf(release.Values); ok {
		s.Changes = append(s.Changes, providers.Change{What: scriptFile, After: r.scriptText(body)})
		s.Proof = "the archive has revision and script"
	}
	s.Undo = "nothing to undo: nothing in the cluster changes"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
}

// archived reports whether an entry is of this very revision and script.
func archived(e facts.ArchiveEntry, release facts.Release) bool {
	script := ""
	if body, ok := scriptOf(release.Values); ok {
		script = digest([]byte(body))
	}
	return e.Script == script && e.Release == release.Updated.UTC().Format(timeOfRelease)
}

// timeOfRelease is how an archive writes when a revision was made.
const timeOfRelease = "2006-01-02T15:04:05Z"

func (r *review) planReplace() {
	s := r.step("replace", OperationReplace, r.args(), replaceEstimate)
	s.Summary = "stop the provider and delete its StatefulSet, which the upgrade creates again"
	s.Why = []string{fmt.Sprintf("version %s of the chart changes what Kubernetes does not let be changed: %s",
		r.spec.Chart.Version, quoted(r.release.Offer.Preview.Forbidden))}
	s.Disruption, s.Unaffected = "the provider is stopped until the upgrade has ended: no new bids", unaffected(r.in.World.Tenancies)
	r.guard(s)
	s.Proof = "StatefulSet " + r.provider.workload.Name + " and its pod are deleted"
	s.Undo, s.Reversal = revision.Rollback(r.release)
}

// unaffected says what an interruption of the provider means to tenants: nothing, by akash.md 4.3.
func unaffected(t *facts.Tenancies) string {
	if t == nil || t.Unknown != "" {
		return "tenants keep running (" + leasesText(t) + ")"
	}
	text, verb := plural(len(t.Leases), "active lease"), " keep running"
	if gpus := t.GPUs(); gpus > 0 {
		text += " (" + plural(gpus, "GPU") + ")"
	}
	if len(t.Leases) == 1 {
		verb = " keeps running"
	}
	return text + verb
}

// planUpgrade plans the upgrade, and reports whether the provider restarts by it.
func (r *review) planUpgrade() bool {
	scriptChanges := r.known && !r.hasScript()
	chartChanges := r.release.Chart.Version != r.spec.Chart.Version
	args := upgradeArgs{releaseArgs: r.args(), Chart: *r.spec.Chart, Values: r.wanted(), Timeout: r.spec.Timeout}
	args.Rolls = r.mustReplace() || rolls(r.release, r.provider.workload.Name, scriptChanges, chartChanges,
		r.pricesDiffer(), r.respelled(), r.spec.Chart.Version)
	delete(args.Values, valueScript)
	if r.known {
		args.Script, args.Policy = digest([]byte(r.script)), r.spec.Policy
	}
	if o := r.release.Offer; o != nil {
		args.SHA256 = o.Digest
	}
	if chartChanges {
		args.Operators = r.operatorsWanted
	}
	s := r.step("upgrade", OperationUpgrade, args, upgradeEstimate)
	s.Limit = limit(args.Timeout)
	verb, chart := "upgrade", chartName(r.spec.Chart.Source, r.release.Chart.Name)
	if finding, is := revision.HoldDowngrade(s, chart, r.release.Chart.Version, r.spec.Chart.Version); is {
		verb = "downgrade"
		r.add(finding, "chart.version")
	}
	s.Summary = fmt.Sprintf("%s %s with chart %s-%s", verb, r.spec.Release, chart, r.spec.Chart.Version)
	s.Why = append(slices.Clone(r.due), s.Why...)
	s.Changes = r.upgradeChanges(scriptChanges, chartChanges)
	s.Proof = fmt.Sprintf("the release is deployed with chart version %s and these values; everything else in them is as before", r.spec.Chart.Version)
	s.Undo, s.Reversal = revision.Rollback(r.release)
	if args.Rolls {
		s.Disruption, s.Unaffected = outage(s.Estimate), unaffected(r.in.World.Tenancies)
		s.Proof += "; the running pod has them in its environment" + r.measuredProof()
	}
	r.guard(s) // also where the restart is a step of its own
	if !chartChanges {
		return r.finishUpgrade(s, args)
	}
	for _, managed := range r.managed {
		r.out.Orders = append(r.out.Orders, providers.Order{Step: s.ID, After: managed})
	}
	s.Why = append(s.Why, r.brought...)
	return r.finishUpgrade(s, args)
}

// limit is how long the operation of an upgrade may take, in seconds: Helm's part, and the proof in the pods.
func limit(timeout config.Duration) float64 {
	return (pending.Limit(time.Duration(timeout)) + proofTimeout).Seconds()
}

// finishUpgrade holds the prices of an upgrade to max_change, and reports whether the provider restarts by it.
func (r *review) finishUpgrade(s *providers.Step, args upgradeArgs) bool {
	s.Money = r.money()
	r.holdPrices(s)
	return args.Rolls
}

func chartName(source facts.ChartSource, running string) string {
	if source.Name != "" {
		return source.Name
	}
	return running
}

// upgradeChanges says what an upgrade changes, path by path, then what GPUs cost.
func (r *review) upgradeChanges(scriptChanges, chartChanges bool) []providers.Change {
	var out []providers.Change
	if chartChanges {
		out = append(out, providers.Change{What: "chart version", Before: r.release.Chart.Version,
			After: r.spec.Chart.Version, Always: true})
	}
	if scriptChanges {
		old := "none"
		if body, ok := scriptOf(r.release.Values); ok {
			old = r.scriptText(body)
		}
		out = append(out, providers.Change{What: valueScript, Before: old, After: r.scriptText(r.script), Always: true})
	}
	out = append(out, r.priceChanges()...)
	if r.will.alike() {
		out = append(out, policyChanges(r.was.setting.Policy, r.will.setting.Policy)...)
	}
	for _, c := range values.Diff(r.release.Values, r.after) {
		if c.Path == valueScript {
			continue
		}
		change := providers.Change{What: c.Path, Before: values.Text(c.Before), After: values.Text(c.After)}
		if r.spec.isSealed(c.Path) || values.IsSealed(c.Before) || values.IsSealed(c.After) {
			change.Before, change.After = c.Hidden()
		}
		out = append(out, change)
	}
	if o := r.release.Offer; o != nil && o.Preview != nil {
		out = append(out, revision.ObjectChanges(o.Preview.Objects)...)
	}
	return append(out, providers.Change{What: "leases touched", Before: leasesText(r.in.World.Tenancies),
		After: "none is touched"})
}

// guard makes a step wait for a proved backup, unless the block goes without one.
func (r *review) guard(s *providers.Step) {
	s.Guards = append(s.Guards, providers.Need{Name: guardBackup})
}

func (r *review) planRestart() {
	s := r.step("restart", OperationRestart, r.args(), restartEstimate)
	s.Summary = "restart the provider, so that it has the values of the release"
	s.Why = slices.Clone(r.restart)
	if len(r.due) > 0 && r.spec.Chart != nil {
		why := fmt.Sprintf("version %s of the chart does not restart the provider when prices change", r.spec.Chart.Version)
		if restartsByItself(r.spec.Chart.Version) {
			why = "what the upgrade changes is not known to restart the provider by itself"
		}
		s.Why = append(s.Why, why)
	}
	s.Disruption, s.Unaffected = outage(s.Estimate), unaffected(r.in.World.Tenancies)
	r.guard(s)
	s.Proof = "another pod runs, and it has the values of the release in its environment" + r.measuredProof()
	if r.certificateDue {
		if len(r.restart) == 1 && len(r.due) == 0 {
			s.Summary = "restart the provider, which renews its certificate"
		}
		s.Proof += "; " + mtlsQuestions(r.spec.Domain)[0].Key() + " serves a new certificate"
	}
	s.Undo = "nothing to undo: the pod runs the same program with the values of the release"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
}

// outage says what a restart of the provider interrupts, for about how many seconds.
func outage(seconds float64) string {
	return "the provider restarts: no new bids for about " + plural(max(1, int(math.Ceil(seconds/60))), "minute")
}

// measuredProof is what the proof of a step that restarts the provider measures in its pod.
func (r *review) measuredProof() string {
	if !r.will.scripted {
		return ""
	}
	return "; its bid price script is measured with three sample orders"
}

func (r *review) fillStart(s *providers.Step) {
	fillStart(s, r.provider.workload.Name)
	s.Why = []string{"upkeep stopped it (" + r.provider.workload.Annotations[MarkAnnotation] + ") and was interrupted before it started it again"}
}

func fillStart(s *providers.Step, workload string) {
	s.Repairs = true
	s.Summary = "start the provider again"
	s.Proof = "StatefulSet " + workload + " has its former replicas and a ready pod, and has no mark"
	s.Undo = "nothing to undo"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
}

func quote(text string) string { return `"` + text + `"` }
