package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
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
			return fmt.Errorf("the API server serves %q of %s, and not %q", strings.Join(live.Served, ", "), wanted.Name, strings.Join(wanted.Served, ", "))
		}
	}
	return nil
}

func (defining) Predict(in providers.Input, step providers.Step) facts.Update {
	args, err := arguments[definitionsArgs](step)
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
	args, err := arguments[definitionsArgs](step)
	if err != nil {
		return needs
	}
	for _, wanted := range args.Definitions {
		needs.Kubernetes.Definitions = append(needs.Kubernetes.Definitions, wanted.Name)
	}
	return needs
}

func (defining) Ground(in providers.Input, step providers.Step) providers.Ground {
	args, err := arguments[definitionsArgs](step)
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
	args, err := arguments[definitionsArgs](step)
	if err != nil {
		return providers.Readiness{State: providers.Unknown, Why: err.Error(), Final: true}
	}
	if why := args.unfit(in); why != "" {
		return providers.Readiness{State: providers.Unknown, Why: why}
	}
	if args.missing(in) == nil {
		return done("the cluster has the definitions of %s", args.Tag)
	}
	ground, err := providers.GroundOf[definitionsGround](step)
	if err != nil {
		return providers.Readiness{State: providers.Unknown, Why: err.Error(), Final: true}
	}
	for _, wanted := range args.Definitions {
		live := in.World.Definition(wanted.Name)
		if was, ok := ground.Digests[wanted.Name]; ok && live.Digest != was && live.Digest != wanted.Digest {
			return moved("somebody has changed %s since the plan was made; make a new plan", wanted.Name)
		}
		for _, version := range live.Stored {
			if !slices.Contains(wanted.Versions, version) {
				return moved("objects of %s may be stored as %s, which %s does not have; make a new plan", wanted.Name, version, args.Tag)
			}
		}
	}
	return holds()
}

func (defining) Proved(_, after providers.Input, step providers.Step) error {
	args, err := arguments[definitionsArgs](step)
	if err != nil {
		return err
	}
	return args.missing(after)
}

// operating is the meaning of akash.operator: an operator runs with the version of its chart that goes with the provider's.
type operating struct{}

func readOperator(in providers.Input, step providers.Step) (operatorArgs, facts.Release, *providers.Readiness) {
	return read(in, step, func(a operatorArgs) releaseArgs { return a.releaseArgs })
}

func (operating) Predict(in providers.Input, step providers.Step) facts.Update {
	args, release, unusable := readOperator(in, step)
	if unusable != nil {
		return facts.Update{}
	}
	release = afterUpgrade(in, release, args.Chart.Version, values.Clone(release.StartsFrom()))
	release.Workloads = slices.Clone(release.Workloads)
	for i := range release.Workloads {
		w := &release.Workloads[i]
		w.Missing, w.Settled = false, true
		w.Ready, w.Updated = w.Replicas, w.Replicas
		w.Pods = slices.Clone(w.Pods)
		for j := range w.Pods {
			w.Pods[j].Ready, w.Pods[j].Problem, w.Pods[j].Phase = true, "", "Running"
			if args.Rolls {
				w.Pods[j].UID, w.Pods[j].Template, w.Pods[j].Created = facts.New, facts.New, in.Now
			}
		}
	}
	return changed(release)
}

func (operating) Needs(in providers.Input, step providers.Step) providers.Needs {
	return needsOf(in, step, true)
}

func (operating) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := readOperator(in, step)
	if unusable != nil {
		return nil
	}
	return releaseGround{Revision: release.Revision}
}

func (operating) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := readOperator(in, step)
	if unusable != nil {
		return *unusable
	}
	if operatorRuns(release, args) == nil {
		return done("%s runs with chart version %s", release.Name, release.Chart.Version)
	}
	switch why := revisionMoved(release, step); {
	case why != "":
		return moved("%s", why)
	case release.Pending():
		return moved("revision %d of %s is %s: an operation is under way, or was interrupted; make a new plan, which mends it", release.Revision, release.Name, release.Status)
	}
	if o := release.Offer; o != nil && o.Digest != "" && args.SHA256 != "" && o.Digest != args.SHA256 {
		return moved("the archive of chart version %s has another content than when the plan was made (SHA-256 %s, was %s)", args.Chart.Version, o.Digest, args.SHA256)
	}
	return holds()
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
			return fmt.Errorf("%s %s has %d of %d pods ready and %d updated%s", w.Kind, w.Name, w.Ready, w.Replicas, w.Updated, troubles(w))
		}
	}
	return nil
}

// troubles says what keeps pods of a workload from running.
func troubles(w facts.Workload) string {
	text := ""
	for _, pod := range w.Pods {
		if pod.Problem != "" {
			text += "; pod " + pod.Name + ": " + pod.Problem
		}
	}
	return text
}

func (operating) Proved(before, after providers.Input, step providers.Step) error {
	args, was, is, err := beforeAndAfter(before, after, step, readOperator)
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
