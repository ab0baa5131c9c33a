package release

import (
	"errors"
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// upgrading is the meaning of release.upgrade: the release is installed or upgraded.
type upgrading struct{}

func (upgrading) Predict(in providers.Input, step providers.Step) facts.Update {
	args, release, unusable := revision.Read[upgradeArgs](in, step)
	if unusable != nil {
		return facts.Update{}
	}
	release = revision.Upgraded(release, args.Chart, args.Version, values.Merge(startsFrom(release), args.Values), in.Now)
	release.Objects = slices.DeleteFunc(slices.Clone(release.Objects), repairable)
	release.Workloads = slices.Clone(release.Workloads)
	for i, w := range release.Workloads {
		release.Workloads[i] = revision.Settled(w, slices.Contains(args.Rolls, w.Kind+" "+w.Name), in.Now)
	}
	return revision.Replaced(release)
}

// Needs: the release with what the upgrade would change.
func (upgrading) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (upgrading) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := revision.Read[upgradeArgs](in, step)
	if unusable != nil {
		return nil
	}
	return revision.Of(release)
}

func (upgrading) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := revision.Read[upgradeArgs](in, step)
	if unusable != nil {
		return *unusable
	}
	if upgraded(release, args) == nil && release.ObjectsUnknown == "" && len(drifted(release)) == 0 && !asked(in, step) {
		return providers.Done.Because("revision %d is deployed with chart version %s and these values", release.Revision, release.Chart.Version)
	}
	if why := revision.Refused(release, step, args.Version, args.SHA256); why != "" {
		return providers.Moved.Because("%s", why)
	}
	return providers.Readiness{State: providers.Holds}
}

// asked reports whether the upgrade was asked for although nothing is due, and has not been made since.
func asked(in providers.Input, step providers.Step) bool {
	_, release, unusable := revision.Read[upgradeArgs](in, step)
	return unusable == nil && slices.Contains(in.Replace, step.Address.Resource()) && len(step.Ground) > 0 && revision.Moved(release, step) == ""
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

// Proved holds the release to chart and values, the values that were not to change to what they were, the cluster to
// what the chart renders, and what runs to being ready, where the upgrade waits for it.
func (upgrading) Proved(before, after providers.Input, step providers.Step) error {
	args, was, unusable := revision.Read[upgradeArgs](before, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	_, is, unusable := revision.Read[upgradeArgs](after, step)
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
		if repairable(o) {
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
