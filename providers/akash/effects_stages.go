package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
	"upkeep/providers/plain"
)

// defining is the meaning of akash.crds: the cluster has the definitions of a text.
type defining struct{}

// definitionsGround is what changing definitions relies on: the digests of those that are there, by name.
type definitionsGround struct {
	Digests map[string]string `json:"digests,omitempty"`
}

// Lines implements providers.Ground.
func (g definitionsGround) Lines() (out []string) {
	for _, name := range sortedKeys(g.Digests) {
		out = append(out, "digest of "+name+" = "+g.Digests[name])
	}
	return out
}

// unfit says why a definition cannot be told from what is wanted; "" where it can be.
func (a definitionsArgs) unfit(in providers.Input) string {
	for _, wanted := range a.Definitions {
		if live := in.World.Definition(wanted.Name); live.Unknown != "" {
			return fmt.Sprintf("%s: %s", wanted.Name, live.Unknown)
		}
	}
	return ""
}

// missing returns nil where the cluster serves every definition as it is wanted.
func (a definitionsArgs) missing(in providers.Input) error {
	for _, wanted := range a.Definitions {
		live := in.World.Definition(wanted.Name)
		switch {
		case live.Unknown != "":
			return fmt.Errorf("%s: %s", wanted.Name, live.Unknown)
		case live.Missing:
			return fmt.Errorf("%s is not in the cluster", wanted.Name)
		case live.Digest != wanted.Digest:
			return fmt.Errorf("%s is not as %s has it", wanted.Name, a.Tag)
		case !live.Established || !slices.Equal(live.Served, wanted.Served):
			return fmt.Errorf("the API server serves %q of %s, and not %q", strings.Join(live.Served, ", "), wanted.Name,
				strings.Join(wanted.Served, ", "))
		}
	}
	return nil
}

func (defining) Predict(in providers.Input, step providers.Step) facts.Update {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return facts.Update{}
	}
	var out facts.Update
	for _, wanted := range args.Definitions {
		out.Definitions = append(out.Definitions, facts.Definition{
			Name: wanted.Name, Established: true, Served: wanted.Served, Stored: in.World.Definition(wanted.Name).Stored, Digest: wanted.Digest,
		})
	}
	return out
}

// Needs: of the definitions that it changes.
func (defining) Needs(_ providers.Input, step providers.Step) providers.Needs {
	needs := providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}}
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return needs
	}
	for _, wanted := range args.Definitions {
		needs.Kubernetes.Definitions = append(needs.Kubernetes.Definitions, wanted.Name)
	}
	return needs
}

func (defining) Ground(in providers.Input, step providers.Step) providers.Ground {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return nil
	}
	out := definitionsGround{Digests: map[string]string{}}
	for _, wanted := range args.Definitions {
		if live := in.World.Definition(wanted.Name); live.Unknown == "" && !live.Missing {
			out.Digests[wanted.Name] = live.Digest
		}
	}
	return out
}

func (defining) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if why := args.unfit(in); why != "" {
		return providers.Unknown.Because("%s", why)
	}
	if args.missing(in) == nil {
		return providers.Done.Because("the cluster has the definitions of %s", args.Tag)
	}
	ground, err := providers.GroundOf[definitionsGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	for _, wanted := range args.Definitions {
		live := in.World.Definition(wanted.Name)
		if was, ok := ground.Digests[wanted.Name]; ok && live.Digest != was && live.Digest != wanted.Digest {
			return providers.Moved.Because("somebody has changed %s since the plan was made; make a new plan", wanted.Name)
		}
		for _, version := range live.Stored {
			if !slices.Contains(wanted.Versions, version) {
				return providers.Moved.Because("objects of %s may be stored as %s, which %s does not have; make a new plan",
					wanted.Name, version, args.Tag)
			}
		}
	}
	return providers.Readiness{State: providers.Holds}
}

func (defining) Proved(_, after providers.Input, step providers.Step) error {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return err
	}
	return args.missing(after)
}

// operating is the meaning of akash.operator: an operator runs with the version of its chart that goes with the
// provider's.
type operating struct{}

func (operating) Predict(in providers.Input, step providers.Step) facts.Update {
	args, release, unusable := read[operatorArgs](in, step)
	if unusable != nil {
		return facts.Update{}
	}
	release = revision.Upgraded(release, release.Chart.Name, args.Chart.Version, values.Clone(release.StartsFrom()),
		in.Now)
	release.Objects, release.Workloads = nil, slices.Clone(release.Workloads)
	for i, w := range release.Workloads {
		release.Workloads[i] = revision.Settled(w, args.Rolls, in.Now)
	}
	return revision.Replaced(release)
}

func (operating) Needs(in providers.Input, step providers.Step) providers.Needs {
	return revision.Needs(in, step, true)
}

func (operating) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := read[operatorArgs](in, step)
	if unusable != nil {
		return nil
	}
	return revision.Of(release)
}

func (operating) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := read[operatorArgs](in, step)
	if unusable != nil {
		return *unusable
	}
	if operatorRuns(release, args) == nil {
		return providers.Done.Because("%s runs with chart version %s", release.Name, release.Chart.Version)
	}
	if why := revision.Refused(release, step, args.Chart.Version, args.SHA256); why != "" {
		return providers.Moved.Because("%s", why)
	}
	return providers.Readiness{State: providers.Holds}
}

// operatorRuns returns nil where an operator is deployed with a version of its chart, and its pods are ready.
func operatorRuns(release facts.Release, args operatorArgs) error {
	switch {
	case release.Status != facts.ReleaseDeployed:
		return fmt.Errorf("revision %d of %s is %s", release.Revision, release.Name, release.Status)
	case !sameVersion(release.Chart.Version, args.Chart.Version):
		return fmt.Errorf("the chart of %s has version %s, not %s", release.Name, release.Chart.Version, args.Chart.Version)
	case release.WorkloadsUnknown != "":
		return fmt.Errorf("what runs of %s is not known: %s", release.Name, release.WorkloadsUnknown)
	}
	for _, w := range release.Workloads {
		switch {
		case w.Unknown != "":
			return fmt.Errorf("%s %s: %s", w.Kind, w.Name, w.Unknown)
		case w.Missing:
			return fmt.Errorf("%s %s is not there", w.Kind, w.Name)
		case !w.Settled || w.Ready < w.Replicas || w.Updated < w.Replicas:
			return fmt.Errorf("%s %s has %d of %d pods ready and %d updated%s", w.Kind, w.Name, w.Ready, w.Replicas, w.Updated,
				troubles(w))
		}
	}
	return nil
}

// troubles says what keeps pods of a workload from running.
func troubles(w facts.Workload) string {
	text := ""
	for _, pod := range w.Pods {
		if pod.Problem != "" {
			text += "; pod " + pod.Name + ": " + plain.Said(pod.Problem)
		}
	}
	return text
}

func (operating) Proved(before, after providers.Input, step providers.Step) error {
	args, was, is, err := beforeAndAfter[operatorArgs](before, after, step)
	if err != nil {
		return err
	}
	if err := operatorRuns(is, args); err != nil {
		return err
	}
	if is.Revision <= was.Revision {
		return fmt.Errorf("%s is still at revision %d", is.Name, is.Revision)
	}
	for _, c := range values.Diff(was.StartsFrom(), is.Values) {
		return fmt.Errorf("%s of %s changed, and was not to", c.Path, is.Name)
	}
	return nil
}
