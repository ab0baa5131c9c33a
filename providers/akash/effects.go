package akash

import (
	"errors"
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
	"upkeep/providers/plain"
)

// read reads the arguments of a step and looks up its release, which must be there. The readiness is set where the step
// cannot be judged.
func read[A interface{ Named() revision.Args }](in providers.Input, step providers.Step) (args A,
	release facts.Release, unusable *providers.Readiness) {
	args, release, unusable = revision.Read[A](in, step)
	if unusable == nil && release.Missing {
		unusable = new(providers.Moved.Because("release %s/%s does not exist", release.Namespace, release.Name))
	}
	return args, release, unusable
}

// beforeAndAfter reads a step's release as it was before the step and as it is after it.
func beforeAndAfter[A interface{ Named() revision.Args }](before, after providers.Input, step providers.Step) (args A,
	was, is facts.Release, err error) {
	args, was, unusable := read[A](before, step)
	if unusable == nil {
		_, is, unusable = read[A](after, step)
	}
	if unusable != nil {
		err = errors.New(unusable.Why)
	}
	return args, was, is, err
}

// withWorkload returns a release with its provider's StatefulSet replaced; the release's own list is not written into.
func withWorkload(r facts.Release, w facts.Workload) facts.Release {
	r.Workloads = slices.Clone(r.Workloads)
	for i := range r.Workloads {
		if r.Workloads[i].Kind == w.Kind && r.Workloads[i].Name == w.Name {
			r.Workloads[i] = w
		}
	}
	return r
}

// freshPods returns the pods of a workload as they are after a restart with the values of a release.
func freshPods(in providers.Input, r facts.Release, w facts.Workload) []facts.Pod {
	pod := facts.Pod{Name: w.Name + "-0", Containers: []facts.Container{{Name: containerName}}}
	if len(w.Pods) > 0 {
		pod = w.Pods[0]
	}
	pod.UID, pod.Template, pod.Phase, pod.Problem, pod.Ready, pod.Deleting, pod.Created = facts.New, facts.New, "Running", "", true, false, in.Now
	pod.Containers = slices.Clone(pod.Containers)
	for i := range pod.Containers {
		c := &pod.Containers[i]
		c.Started, c.Restarts, c.Ready = in.Now, 0, true
		if c.Name == containerName {
			*c = withVariables(*c, r.Values)
		}
	}
	return []facts.Pod{pod}
}

// upgrading is the meaning of akash.upgrade.
type upgrading struct{}

// wantedOf are the values that an upgrade lays over those of the release; script is what stands in the script's place
// in a prediction.
func wantedOf(args upgradeArgs, script string) values.Tree {
	out := values.Clone(args.Values)
	if args.Script != "" {
		out[valueScript] = script
	}
	return out
}

// scriptText finds the text of the script that an upgrade brings: whoever predicts has the preview's or a download's.
// Where neither has it, a text stands for it that only the digest of the arguments decides.
func predictedScript(in providers.Input, release facts.Release, args upgradeArgs) string {
	if has, ok := scriptOf(release.Values); ok && digest([]byte(has)) == args.Script {
		return encodeScript(has)
	}
	if o := release.Offer; o != nil && o.Preview != nil {
		if text, ok := scriptOf(o.Preview.Values); ok && digest([]byte(text)) == args.Script {
			return encodeScript(text)
		}
	}
	for _, url := range sortedKeys(in.World.Downloads) {
		if text, err := compiled(args.Policy, in.World.Downloads[url].Text); err == nil && digest([]byte(text)) == args.Script {
			return encodeScript(text)
		}
	}
	return facts.New
}

func (upgrading) Predict(in providers.Input, step providers.Step) facts.Update {
	args, release, unusable := read[upgradeArgs](in, step)
	if unusable != nil {
		return facts.Update{}
	}
	kept := release.Values
	if o := release.Offer; o != nil && o.Preview != nil && o.Preview.Unknown == "" && release.Status != facts.ReleaseDeployed {
		kept = o.Preview.Values
	}
	release = revision.Upgraded(release, release.Chart.Name, args.Chart.Version, values.Merge(kept, wantedOf(args,
		predictedScript(in, release, args))), in.Now)
	release.Objects = nil
	p := providerOf(release)
	if args.Rolls && p.found {
		w := p.workload
		w.Missing, w.Annotations = false, nil
		w.Replicas, w.Ready, w.Updated = max(1, w.Replicas), max(1, w.Replicas), max(1, w.Replicas)
		w.Pods = freshPods(in, release, w)
		return renewedBy(in, args.Domain, revision.Replaced(withWorkload(release, w)))
	}
	return revision.Replaced(release)
}

// Needs: the operators come before the provider, and the gateway's ports must be free. Once the pod has the new
// prices, they are measured.
func (upgrading) Needs(in providers.Input, step providers.Step) providers.Needs {
	args, release, unusable := read[upgradeArgs](in, step)
	left := unusable == nil && args.Rolls && upgraded(release, args) == nil && runs(release) == nil
	return measured(in, step, providers.NeedsOfResource(in, step), left)
}

func (upgrading) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := read[upgradeArgs](in, step)
	if unusable != nil {
		return nil
	}
	return revision.Of(release)
}

func (upgrading) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := read[upgradeArgs](in, step)
	if unusable != nil {
		return *unusable
	}
	if upgraded(release, args) == nil && len(drifted(release, args.Workload)) == 0 {
		return providers.Done.Because("revision %d is deployed with chart version %s and these values", release.Revision,
			release.Chart.Version)
	}
	p := providerOf(release)
	switch why := revision.Refused(release, step, args.Chart.Version, args.SHA256); {
	case why != "":
		return providers.Moved.Because("%s", why)
	case p.stoppedByUs() && !p.workload.Missing:
		return providers.Moved.Because("upkeep keeps the provider stopped for another step (%s); plan again when that has ended", p.workload.Annotations[MarkAnnotation])
	case p.found && !p.workload.Missing && p.workload.Unknown == "" && p.workload.Replicas == 0:
		return providers.Moved.Because("somebody has stopped the provider; an upgrade would start it")
	}
	for _, name := range sortedKeys(args.Operators) {
		if why := behind(in.World.Release(args.Namespace, name), args.Operators[name]); why != "" {
			return providers.Moved.Because("%s; the operators come before the provider", why)
		}
	}
	if stepsOverGateway(release.Chart.Version, args.Chart.Version) {
		if answer := portsReady(in); answer != nil {
			return *answer
		}
	}
	return providers.Readiness{State: providers.Holds}
}

// upgraded returns nil where a release is what an upgrade makes of it.
func upgraded(release facts.Release, args upgradeArgs) error {
	switch {
	case release.Status != facts.ReleaseDeployed:
		return fmt.Errorf("revision %d of %s is %s", release.Revision, release.Name, release.Status)
	case release.Chart.Version != args.Chart.Version:
		return fmt.Errorf("the chart of %s has version %s, not %s", release.Name, release.Chart.Version, args.Chart.Version)
	}
	if args.Script != "" {
		body, _ := scriptOf(release.Values)
		if found := digest([]byte(body)); found != args.Script && release.Values[valueScript] != facts.New {
			return fmt.Errorf("the script of %s has the SHA-256 %s, not %s", release.Name, found, args.Script)
		}
	}
	for _, c := range values.Diff(release.Values, values.Merge(release.Values, args.Values)) {
		if text, ok := c.After.(string); ok && (c.Path == valueGPU || decimal(text) != nil) && sameValue(c.Path, c.Before,
			text) {
			continue
		}
		return fmt.Errorf("%s in %s is not as wanted", c.Path, release.Name)
	}
	return nil
}

// Proved holds the release to the values and the chart, everything that was not to change to what it was, and the pod
// to the release where the upgrade restarts it.
func (upgrading) Proved(before, after providers.Input, step providers.Step) error {
	args, was, is, err := beforeAndAfter[upgradeArgs](before, after, step)
	if err != nil {
		return err
	}
	if err := upgraded(is, args); err != nil {
		return err
	}
	if is.Revision <= was.Revision {
		return fmt.Errorf("%s is still at revision %d", is.Name, is.Revision)
	}
	if was.Status == facts.ReleaseDeployed {
		ignore := values.Clone(args.Values)
		if args.Script != "" {
			ignore[valueScript] = ""
		}
		for _, c := range values.Diff(values.Merge(was.Values, ignore), values.Merge(is.Values, ignore)) {
			return fmt.Errorf("%s of %s changed, and was not to", c.Path, is.Name)
		}
	}
	if is.ObjectsUnknown != "" {
		return fmt.Errorf("the objects of %s cannot be compared: %s", is.Name, is.ObjectsUnknown)
	}
	for _, o := range drifted(is, args.Workload) {
		if o.Unknown != "" {
			return fmt.Errorf("%s %s: %s", o.Kind, o.Name, o.Unknown)
		}
		return fmt.Errorf("%s %s is still not as it was rendered", o.Kind, o.Name)
	}
	if !args.Rolls {
		return nil
	}
	if err := runs(is); err != nil {
		return err
	}
	return provedPrices(after.World, is)
}

// ready returns nil where the provider has a ready pod of its newest template.
func ready(release facts.Release) error {
	p := providerOf(release)
	c := container(p.pod)
	switch {
	case release.WorkloadsUnknown != "":
		return fmt.Errorf("what runs of %s is not known: %s", release.Name, release.WorkloadsUnknown)
	case !p.found || p.workload.Missing:
		return fmt.Errorf("the StatefulSet of %s is not there", release.Name)
	case p.workload.Unknown != "":
		return fmt.Errorf("StatefulSet %s: %s", p.workload.Name, p.workload.Unknown)
	case c == nil:
		return fmt.Errorf("StatefulSet %s has no pod", p.workload.Name)
	case !p.pod.Ready:
		return fmt.Errorf("pod %s is not ready: %s %s", p.pod.Name, p.pod.Phase, plain.Said(p.pod.Problem))
	case p.workload.Updated < p.workload.Replicas:
		return fmt.Errorf("StatefulSet %s has not replaced its pod yet", p.workload.Name)
	}
	return nil
}

// runs returns nil where the provider runs with the values of its release.
func runs(release facts.Release) error {
	if err := ready(release); err != nil {
		return err
	}
	p := providerOf(release)
	c := container(p.pod)
	wrong, stale := mismatches(release, *c)
	if len(wrong) > 0 {
		m := wrong[0]
		return fmt.Errorf("pod %s has %s = %q, and the release says %q", p.pod.Name, m.variable, m.has, m.wanted)
	}
	if stale != "" {
		return fmt.Errorf("pod %s started before its ConfigMap changed, so its %s cannot be told", p.pod.Name, stale)
	}
	return nil
}
