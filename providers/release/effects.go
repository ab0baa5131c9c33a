package release

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// releaseGround is what the steps on a release rely on.
type releaseGround struct {
	// Revision is the newest one; 0 where there is no release, and nil where it was not known.
	Revision *int `json:"revision,omitempty"`
	// Status is Helm's word for the newest revision; only what mends it relies on that.
	Status string `json:"status,omitempty"`
}

// Lines implements providers.Ground.
func (g releaseGround) Lines() (out []string) {
	if g.Revision != nil {
		out = append(out, "revision = "+spelled(*g.Revision))
	}
	if g.Status != "" {
		out = append(out, "status = "+g.Status)
	}
	return out
}

// spelled writes a revision; there is none where there is no release.
func spelled(revision int) string {
	if revision == 0 {
		return "none"
	}
	return strconv.Itoa(revision)
}

func arguments[A any](step providers.Step) (args A, err error) {
	if err := step.Decode(&args); err != nil {
		return args, fmt.Errorf("arguments of %s: %w", step.ID, err)
	}
	return args, nil
}

// read decodes the arguments of a step and looks its release up. The readiness is set where the release is not known.
func read[A any](in providers.Input, step providers.Step, names func(A) releaseArgs) (args A, release facts.Release, unusable *providers.Readiness) {
	args, err := arguments[A](step)
	if err != nil {
		return args, release, &providers.Readiness{State: providers.Unknown, Why: err.Error(), Final: true}
	}
	n := names(args)
	release = in.World.Release(n.Namespace, n.Release)
	if release.Unknown != "" {
		return args, release, &providers.Readiness{State: providers.Unknown, Why: fmt.Sprintf("release %s/%s: %s", n.Namespace, n.Release, release.Unknown)}
	}
	return args, release, nil
}

func readMend(in providers.Input, step providers.Step) (mendArgs, facts.Release, *providers.Readiness) {
	return read(in, step, func(a mendArgs) releaseArgs { return a.releaseArgs })
}

func readUpgrade(in providers.Input, step providers.Step) (upgradeArgs, facts.Release, *providers.Readiness) {
	return read(in, step, func(a upgradeArgs) releaseArgs { return a.releaseArgs })
}

func done(format string, args ...any) providers.Readiness {
	return providers.Readiness{State: providers.Done, Why: fmt.Sprintf(format, args...)}
}

func moved(format string, args ...any) providers.Readiness {
	return providers.Readiness{State: providers.Moved, Why: fmt.Sprintf(format, args...)}
}

// revisionOf is the newest revision of a release; 0 where there is none.
func revisionOf(release facts.Release) int {
	if release.Missing {
		return 0
	}
	return release.Revision
}

// revisionMoved says how a release is not the one that the plan was made for; "" when it is.
func revisionMoved(release facts.Release, step providers.Step) string {
	ground, err := providers.GroundOf[releaseGround](step)
	switch has := revisionOf(release); {
	case err != nil:
		return err.Error()
	case ground.Revision == nil || *ground.Revision == has:
		return ""
	case release.Missing:
		return fmt.Sprintf("release %s/%s is gone; make a new plan, which installs it", release.Namespace, release.Name)
	case *ground.Revision == 0:
		return fmt.Sprintf("somebody has installed release %s/%s meanwhile, at revision %d; make a new plan", release.Namespace, release.Name, has)
	default:
		return fmt.Sprintf("release %s/%s is at revision %d, and the plan was made for %d: somebody else upgraded it; make a new plan", release.Namespace, release.Name, has, *ground.Revision)
	}
}

// changed returns an update with one release replaced.
func changed(r facts.Release) facts.Update { return facts.Update{Releases: []facts.Release{r}} }

// mending is the meaning of release.mend: Helm's record of an interrupted operation is marked as failed.
type mending struct{}

func (mending) Predict(in providers.Input, step providers.Step) facts.Update {
	_, release, unusable := readMend(in, step)
	if unusable != nil || release.Missing {
		return facts.Update{}
	}
	release.History = slices.Clone(release.History)
	last := len(release.History) - 1
	release.Status, release.Description = facts.ReleaseFailed, "Interrupted"
	if last >= 0 {
		release.History[last].Status = facts.ReleaseFailed
	}
	return changed(release)
}

// Needs: of the release alone, as it is.
func (mending) Needs(in providers.Input, step providers.Step) providers.Needs {
	return asItIs(providers.NeedsOfResource(in, step))
}

// asItIs leaves out what an upgrade would change: the chart is not rendered for it.
func asItIs(needs providers.Needs) providers.Needs {
	needs.Helm.Releases = slices.Clone(needs.Helm.Releases)
	for i := range needs.Helm.Releases {
		needs.Helm.Releases[i].Offer = nil
	}
	return needs
}

func (mending) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := readMend(in, step)
	if unusable != nil || release.Missing {
		return nil
	}
	return releaseGround{Revision: &release.Revision, Status: release.Status}
}

func (mending) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := readMend(in, step)
	if unusable != nil {
		return *unusable
	}
	switch why := revisionMoved(release, step); {
	case release.Missing:
		return done("there is no such release any more")
	case !release.Pending():
		return done("the release is %s", release.Status)
	case why != "":
		return moved("%s", why)
	}
	if decided := pending.Decide(release, in.Now, time.Duration(args.Patience)); decided.Action != args.Action {
		return moved("%s", decided.Why)
	}
	return providers.Readiness{State: providers.Holds}
}

func (mending) Proved(_, after providers.Input, step providers.Step) error {
	_, release, unusable := readMend(after, step)
	switch {
	case unusable != nil:
		return errors.New(unusable.Why)
	case release.Pending():
		return fmt.Errorf("revision %d of %s is still %s", release.Revision, release.Name, release.Status)
	}
	return nil
}

// upgrading is the meaning of release.upgrade: the release is installed or upgraded.
type upgrading struct{}

func (upgrading) Predict(in providers.Input, step providers.Step) facts.Update {
	args, release, unusable := readUpgrade(in, step)
	if unusable != nil {
		return facts.Update{}
	}
	release.Values, release.Kept = values.Merge(startsFrom(release), args.Values), nil
	release.History = slices.Clone(release.History)
	last := release.Revision
	for i := range release.History {
		last = max(last, release.History[i].Revision)
		if release.History[i].Status == facts.ReleaseDeployed {
			release.History[i].Status = facts.ReleaseSuperseded
		}
	}
	release.Missing, release.Revision = false, last+1
	release.Status, release.Description, release.Updated = facts.ReleaseDeployed, "Upgrade complete", in.Now
	release.Chart = facts.ChartVersion{Name: args.Chart, Version: args.Version}
	if o := release.Offer; o != nil {
		offer := *o
		if versions.Equal(o.Chosen.Version, args.Version) {
			release.Chart.AppVersion = o.Chosen.AppVersion
		}
		if o.Preview != nil {
			preview := *o.Preview
			preview.Objects, preview.Rolls, preview.Forbidden, preview.Absent, preview.Values = nil, nil, nil, nil, release.Values
			offer.Preview = &preview
		}
		release.Offer = &offer
	}
	release.History = append(release.History, facts.ReleaseRevision{Revision: release.Revision, Status: release.Status, Chart: release.Chart, Updated: in.Now})
	release.Objects = slices.DeleteFunc(slices.Clone(release.Objects), mendable)
	release.Workloads = slices.Clone(release.Workloads)
	for i := range release.Workloads {
		release.Workloads[i] = settled(release.Workloads[i], args.Rolls, in.Now)
	}
	return changed(release)
}

// settled returns a workload as it is once all of its pods are ready; they are new ones where it is one of rolls.
func settled(w facts.Workload, rolls []string, now time.Time) facts.Workload {
	if w.Unknown != "" {
		return w
	}
	w.Missing, w.Settled = false, true
	w.Ready, w.Updated = w.Replicas, w.Replicas
	w.Pods = slices.Clone(w.Pods)
	for i := range w.Pods {
		p := &w.Pods[i]
		p.Ready, p.Problem, p.Phase = true, "", "Running"
		if slices.Contains(rolls, w.Kind+" "+w.Name) {
			p.UID, p.Template, p.Created = facts.New, facts.New, now
		}
	}
	return w
}

// Needs: the release with what the upgrade would change.
func (upgrading) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (upgrading) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := readUpgrade(in, step)
	if unusable != nil {
		return nil
	}
	revision := revisionOf(release)
	return releaseGround{Revision: &revision}
}

func (upgrading) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := readUpgrade(in, step)
	if unusable != nil {
		return *unusable
	}
	if upgraded(release, args) == nil && release.ObjectsUnknown == "" && len(drifted(release)) == 0 && !asked(in, step) {
		return done("revision %d is deployed with chart version %s and these values", release.Revision, release.Chart.Version)
	}
	switch why := revisionMoved(release, step); {
	case why != "":
		return moved("%s", why)
	case release.Pending():
		return moved("revision %d of %s is %s: an operation is under way, or was interrupted; make a new plan, which mends it", release.Revision, release.Name, release.Status)
	}
	if o := release.Offer; o != nil && o.Digest != "" && args.SHA256 != "" && o.Digest != args.SHA256 && versions.Equal(o.Chosen.Version, args.Version) {
		return moved("the archive of chart version %s has another content than when the plan was made (SHA-256 %s, was %s)", args.Version, o.Digest, args.SHA256)
	}
	return providers.Readiness{State: providers.Holds}
}

// asked reports whether the upgrade was asked for although nothing is due, and has not been made since.
func asked(in providers.Input, step providers.Step) bool {
	ground, unread := providers.GroundOf[releaseGround](step)
	release, err := arguments[upgradeArgs](step)
	return slices.Contains(in.Replace, step.Address.Resource()) && unread == nil && ground.Revision != nil && err == nil &&
		*ground.Revision == revisionOf(in.World.Release(release.Namespace, release.Release))
}

// upgraded returns nil where a release is what an upgrade makes of it, as Helm has recorded it.
func upgraded(release facts.Release, args upgradeArgs) error {
	switch {
	case release.Missing:
		return fmt.Errorf("there is no release %s in namespace %s", args.Release, args.Namespace)
	case release.Status != facts.ReleaseDeployed:
		return fmt.Errorf("revision %d of %s is %s", release.Revision, release.Name, release.Status)
	case release.Chart.Name != args.Chart:
		return fmt.Errorf("%s is of chart %s, not %s", release.Name, release.Chart.Name, args.Chart)
	case !versions.Equal(release.Chart.Version, args.Version):
		return fmt.Errorf("the chart of %s has version %s, not %s", release.Name, release.Chart.Version, args.Version)
	}
	for _, c := range values.Diff(release.Values, values.Merge(release.Values, args.Values)) {
		return fmt.Errorf("%s in %s is not as wanted", c.Path, release.Name)
	}
	return nil
}

// Proved holds the release to chart and values, the values that were not to change to what they were, the cluster to what
// the chart renders, and what runs to being ready, where the upgrade waits for it.
func (upgrading) Proved(before, after providers.Input, step providers.Step) error {
	args, was, unusable := readUpgrade(before, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	_, is, unusable := readUpgrade(after, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	if err := upgraded(is, args); err != nil {
		return err
	}
	if is.Revision <= was.Revision {
		return fmt.Errorf("%s is still at revision %d", is.Name, is.Revision)
	}
	for _, c := range values.Diff(values.Merge(startsFrom(was), args.Values), is.Values) {
		return fmt.Errorf("%s of %s changed, and was not to", c.Path, is.Name)
	}
	if is.ObjectsUnknown != "" {
		return fmt.Errorf("the objects of %s cannot be compared with the cluster: %s", is.Name, is.ObjectsUnknown)
	}
	for _, o := range is.Objects {
		if o.Unknown != "" {
			return fmt.Errorf("%s %s: %s", o.Kind, o.Name, o.Unknown)
		}
		if mendable(o) {
			return fmt.Errorf("%s %s is still not as it was rendered", o.Kind, o.Name)
		}
	}
	if !args.Wait {
		return nil
	}
	if is.WorkloadsUnknown != "" {
		return fmt.Errorf("what runs of %s is not known: %s", is.Name, is.WorkloadsUnknown)
	}
	for _, w := range is.Workloads {
		if why := unready(w, after.World.Kubernetes); why != "" {
			return errors.New(why)
		}
	}
	return nil
}
