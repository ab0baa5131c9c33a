package akash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
)

// Releases works on Helm releases. No method is called for a release that is pending but Repair.
type Releases interface {
	Observe(ctx context.Context, question facts.ReleaseQuestion) facts.Release
	// Values returns the values that an upgrade starts from, secrets and all, and the newest revision.
	Values(ctx context.Context, namespace, name string) (map[string]any, int, error)
	Upgrade(ctx context.Context, u Upgrade, progress func(string)) error
	// Rollback makes an earlier revision the newest one, and waits until its objects are ready.
	Rollback(ctx context.Context, namespace, name string, to int, progress func(string)) error
	revision.Repairer
}

// Upgrade is what a release is to become. It is undone where it fails.
type Upgrade struct {
	Namespace, Release string
	Chart              Chart
	SHA256             string // of the chart's archive; empty: not checked
	// Values are laid over those of the release; they hold secrets.
	Values map[string]any
	// Remove are the paths of what the release has that is taken out first.
	Remove []string
	// Mask are the paths of values whose texts must be in no error.
	Mask []string
	// Revision is the last one that the caller has seen: at another one nothing is done.
	Revision int
	Timeout  time.Duration
}

// Workloads works on the provider's StatefulSet.
type Workloads interface {
	// Stop scales a StatefulSet to 0 under a mark, which it writes in the same request, and waits until its pods are gone.
	Stop(ctx context.Context, namespace, name string, mark map[string]string) error
	// Start scales it to a number of replicas and takes annotations away in the same request, and waits until it is ready.
	Start(ctx context.Context, namespace, name string, replicas int, unmark []string) error
	// DeletePod deletes a pod, if it is still the one with that uid.
	DeletePod(ctx context.Context, namespace, name, uid string) error
	// DeleteStatefulSet deletes a StatefulSet, if it is still the one with that uid; its volumes stay.
	DeleteStatefulSet(ctx context.Context, namespace, name, uid string) error
}

// Archives keeps what an upgrade replaces.
type Archives interface {
	// Keep writes files that only their owner can read, and the entry last: without it the files count as half written.
	Keep(ctx context.Context, question facts.ArchiveQuestion, entry facts.ArchiveEntry,
		files map[string][]byte) (directory string, err error)
}

// Downloads fetches texts.
type Downloads interface {
	Download(ctx context.Context, question facts.DownloadQuestion) facts.Download
}

// Definers changes the kinds of the cluster.
type Definers interface {
	// ApplyDefinitions applies the custom resource definitions of a text by server-side apply, and waits until they are
	// served.
	ApplyDefinitions(ctx context.Context, text []byte, progress func(string)) error
}

// Tools are what the operations work with.
type Tools struct {
	Releases  Releases
	Workloads Workloads
	Archives  Archives
	Downloads Downloads
	Definers  Definers
	// YAML writes values as `helm get values` does.
	YAML func(map[string]any) ([]byte, error)
	// Specs are the declared blocks with their sensitive values, by address.
	Specs map[providers.Address]Spec
	// Run names the run, for marks.
	Run string
	// Now is the clock; Sleep waits.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

// Operations returns the operations of this domain by name. They change the cluster: hand them to apply alone.
func Operations(t Tools) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationRepair:  revision.Repair{Releases: t.Releases},
		OperationArchive: archive{t},
		OperationStop:    stop{t},
		OperationStart:   start{t},
		OperationReplace: replace{t},
		OperationUpgrade: upgrade{t},
		OperationRestart: restart{t},

		OperationDefinitions: define{t},
		OperationOperator:    operate{t},
	}
}

// proofTimeout is how long the pod may take, after the upgrade, to have the values in its environment.
const proofTimeout = 60 * time.Second

func (t Tools) spec(step providers.Step) (Spec, error) {
	s, ok := t.Specs[step.Address.Resource()]
	if !ok {
		return s, fmt.Errorf("%s: the configuration has no %s", step.ID, step.Address.Resource())
	}
	return s, nil
}

// observe looks at the provider's release without asking for charts.
func (t Tools) observe(ctx context.Context, s Spec) (facts.Release, error) {
	return t.see(ctx, s.question())
}

// see looks at a release that must be there.
func (t Tools) see(ctx context.Context, question facts.ReleaseQuestion) (facts.Release, error) {
	r := t.Releases.Observe(ctx, question)
	switch {
	case r.Unknown != "":
		return r, fmt.Errorf("release %s/%s: %s", question.Namespace, question.Name, r.Unknown)
	case r.Missing:
		return r, fmt.Errorf("release %s/%s does not exist", question.Namespace, question.Name)
	}
	return r, nil
}

// proveOrGoBack waits until what an upgrade of a release left is proved. Where that takes too long, it goes back to the
// revision that was deployed before, if one was.
func (t Tools) proveOrGoBack(ctx context.Context, was facts.Release, progress providers.Progress,
	proved func() error) error {
	failure := t.await(ctx, proved)
	back, canGoBack := was.LastDeployed()
	if failure == nil || !canGoBack {
		return failure
	}
	progress.Say("%v; going back to revision %d", failure, back.Revision)
	if err := t.Releases.Rollback(context.WithoutCancel(ctx), was.Namespace, was.Name, back.Revision,
		progress); err != nil {
		return fmt.Errorf("%w; going back to revision %d failed as well: %w", failure, back.Revision, err)
	}
	return fmt.Errorf("%w; %s was rolled back to revision %d", failure, was.Name, back.Revision)
}

// await asks again until something is proved, for proofTimeout at most.
func (t Tools) await(ctx context.Context, proved func() error) error {
	end := t.Now().Add(proofTimeout)
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		err := proved()
		if err == nil {
			return nil
		}
		if t.Now().Add(pause).After(end) {
			return fmt.Errorf("the upgrade ended well, and %s after it %w", proofTimeout, err)
		}
		if waited := t.Sleep(ctx, pause); waited != nil {
			return errors.Join(err, waited)
		}
	}
}

// look reads a step's arguments and its block, and looks at the release.
func look[A any](ctx context.Context, t Tools, step providers.Step) (args A, release facts.Release, err error) {
	if args, err = providers.ArgsOf[A](step); err != nil {
		return args, release, err
	}
	s, err := t.spec(step)
	if err != nil {
		return args, release, err
	}
	release, err = t.observe(ctx, s)
	return args, release, err
}

type upgrade struct{ tools Tools }

// Run upgrades, and goes back where the upgrade fails or where the pod does not get the values.
func (o upgrade) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[upgradeArgs](step)
	if err != nil {
		return err
	}
	s, err := o.tools.spec(step)
	if err != nil {
		return err
	}
	ground, err := revision.Planned(step)
	if err != nil {
		return err
	}
	wanted, err := o.values(ctx, s, args)
	if err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	was, err := o.tools.observe(ctx, s)
	if err != nil {
		return err
	}
	if err := o.tools.Releases.Upgrade(ctx, Upgrade{
		Namespace: args.Namespace, Release: args.Release, Chart: args.Chart, SHA256: args.SHA256,
		Values: wanted, Remove: s.SecretMaps(), Mask: s.secretPaths(),
		Revision: *ground.Revision, Timeout: time.Duration(args.Timeout),
	}, progress); err != nil {
		return err
	}
	if !args.Rolls {
		return nil
	}
	return o.tools.proveOrGoBack(ctx, was, progress, func() error {
		release, err := o.tools.observe(ctx, s)
		if err != nil {
			return err
		}
		if err := upgraded(release, args); err != nil {
			return err
		}
		return runs(release)
	})
}

// values returns the values to lay over those of the release: the plan's, the sensitive ones from the configuration,
// and the script. What is not what the plan was made with is an error.
func (o upgrade) values(ctx context.Context, s Spec, args upgradeArgs) (values.Tree, error) {
	out, err := s.Reveal(args.Values)
	if err != nil {
		return nil, err
	}
	if args.Script == "" {
		return out, nil
	}
	text := ""
	if s.Script != nil {
		text = s.Script.Text
		if s.Script.URL != "" {
			d := o.tools.Downloads.Download(ctx, facts.DownloadQuestion{URL: s.Script.URL})
			if d.Unknown != "" {
				return nil, fmt.Errorf("fetching the script from %s: %s", s.Script.URL, d.Unknown)
			}
			text = d.Text
		}
	}
	text, err = compiled(s.Policy, text)
	if err != nil {
		return nil, fmt.Errorf("putting the policy before the script: %w", err)
	}
	if found := digest([]byte(text)); found != args.Script {
		return nil, fmt.Errorf("the script has the SHA-256 %s, and the plan was made with %s; plan again", found, args.Script)
	}
	out[valueScript] = encodeScript(text)
	return out, nil
}

type restart struct{ tools Tools }

// Run deletes the pod, and only the one that the plan was made with: the StatefulSet makes another.
func (o restart) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, release, err := look[releaseArgs](ctx, o.tools, step)
	if err != nil {
		return err
	}
	ground, err := providers.GroundOf[podGround](step)
	if err != nil {
		return err
	}
	p := providerOf(release)
	if p.pod == nil {
		return nil // it is being made; the proof waits for it
	}
	if ground.Pod != "" && ground.Pod != p.pod.UID && runs(release) == nil {
		return nil
	}
	progress.Say("deleting pod %s, which its StatefulSet creates again", p.pod.Name)
	return o.tools.Workloads.DeletePod(ctx, args.Namespace, p.pod.Name, p.pod.UID)
}

type stop struct{ tools Tools }

func (o stop) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	return o.tools.stop(ctx, step)
}

// stop scales the provider down under the mark of this run. A mark that is there already stays: it names the replicas
// before it the first stop.
func (t Tools) stop(ctx context.Context, step providers.Step) error {
	args, release, err := look[releaseArgs](ctx, t, step)
	if err != nil {
		return err
	}
	p := providerOf(release)
	if !p.found || p.workload.Missing {
		return fmt.Errorf("release %s/%s has no StatefulSet", args.Namespace, args.Release)
	}
	mark := p.workload.Annotations
	if !p.stoppedByUs() {
		mark = map[string]string{MarkAnnotation: t.Run, MarkReplicas: strconv.Itoa(p.workload.Replicas)}
	}
	return t.Workloads.Stop(ctx, args.Namespace, p.workload.Name, map[string]string{MarkAnnotation: mark[MarkAnnotation],
		MarkReplicas: mark[MarkReplicas]})
}

type start struct{ tools Tools }

func (o start) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, release, err := look[releaseArgs](ctx, o.tools, step)
	if err != nil {
		return err
	}
	p := providerOf(release)
	if !p.stoppedByUs() {
		return nil
	}
	return o.tools.Workloads.Start(ctx, args.Namespace, p.workload.Name, replicasOf(p.workload), []string{MarkAnnotation,
		MarkReplicas})
}

type replace struct{ tools Tools }

// Run stops the provider under a mark before it deletes its StatefulSet, so that a run that ends in between is
// repaired.
func (o replace) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if err := o.tools.stop(ctx, step); err != nil {
		return err
	}
	progress.Say("the provider is stopped")
	args, release, err := look[releaseArgs](ctx, o.tools, step)
	if err != nil {
		return err
	}
	p := providerOf(release)
	return o.tools.Workloads.DeleteStatefulSet(ctx, args.Namespace, p.workload.Name, p.workload.UID)
}
