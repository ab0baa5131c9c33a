package akash

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
)

// readProvider reads the release that a step works on, and its provider; unusable says why it cannot be worked on.
func readProvider(in providers.Input, step providers.Step) (release facts.Release, p provider,
	unusable *providers.Readiness) {
	_, release, unusable = read[releaseArgs](in, step)
	if unusable != nil {
		return release, p, unusable
	}
	p = providerOf(release)
	switch {
	case release.WorkloadsUnknown != "":
		unusable = new(providers.Unknown.Because("%s", release.WorkloadsUnknown))
	case !p.found:
		unusable = new(providers.Moved.Because("release %s has no StatefulSet", release.Name))
	case p.workload.Unknown != "":
		unusable = new(providers.Unknown.Because("%s", p.workload.Unknown))
	}
	return release, p, unusable
}

// podGround is what a restart relies on: the uid of the provider's pod.
type podGround struct {
	Pod string `json:"pod,omitempty"`
}

// Lines implements providers.Ground.
func (g podGround) Lines() []string { return []string{"pod = " + g.Pod} }

// restarting is the meaning of akash.restart: another pod, with the values of the release.
type restarting struct{}

func (restarting) Predict(in providers.Input, step providers.Step) facts.Update {
	release, p, unusable := readProvider(in, step)
	if unusable != nil {
		return facts.Update{}
	}
	w := p.workload
	w.Pods = freshPods(in, release, w)
	args, _, _ := read[releaseArgs](in, step)
	return renewedBy(in, args.Domain, revision.Replaced(withWorkload(release, w)))
}

// Needs: once another pod runs, its prices are measured, and the certificate that it serves is looked at.
func (restarting) Needs(in providers.Input, step providers.Step) providers.Needs {
	args, release, unusable := read[releaseArgs](in, step)
	ground, err := providers.GroundOf[podGround](step)
	pod := providerOf(release).pod
	left := unusable == nil && err == nil && pod != nil && pod.UID != ground.Pod && runs(release) == nil
	needs := measured(in, step, revision.Needs(in, step, false), left)
	needs.Public = append(needs.Public, mtlsQuestions(args.Domain)...)
	return needs
}

func (restarting) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := read[releaseArgs](in, step)
	if unusable != nil {
		return nil
	}
	if p := providerOf(release); p.pod != nil && p.pod.UID != facts.New {
		return podGround{Pod: p.pod.UID}
	}
	return nil
}

func (restarting) Ready(in providers.Input, step providers.Step) providers.Readiness {
	release, p, unusable := readProvider(in, step)
	switch {
	case unusable != nil:
		return *unusable
	case p.workload.Missing || p.workload.Replicas == 0:
		return providers.Moved.Because("the provider was stopped since the plan was made")
	}
	ground, err := providers.GroundOf[podGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if ground.Pod != "" && p.pod != nil && p.pod.UID != ground.Pod {
		if runs(release) == nil {
			return providers.Done.Because("pod %s started since the plan was made, and has the values of the release",
				p.pod.Name)
		}
	}
	return providers.Readiness{State: providers.Holds}
}

func (restarting) Proved(before, after providers.Input, step providers.Step) error {
	args, was, is, err := beforeAndAfter[releaseArgs](before, after, step)
	if err != nil {
		return err
	}
	if err := runs(is); err != nil {
		return err
	}
	old, now := providerOf(was).pod, providerOf(is).pod
	if old != nil && old.UID == now.UID {
		return fmt.Errorf("pod %s has not been replaced", now.Name)
	}
	if err := provedCertificate(before, after, args.Domain); err != nil {
		return err
	}
	return provedPrices(after.World, is)
}

// stopping is the meaning of akash.stop: the provider is scaled to 0, and marked.
type stopping struct{}

func (stopping) Predict(in providers.Input, step providers.Step) facts.Update {
	release, p, unusable := readProvider(in, step)
	if unusable != nil || p.workload.Replicas == 0 {
		return facts.Update{}
	}
	w := p.workload
	w.Annotations = maps.Clone(w.Annotations)
	if w.Annotations == nil {
		w.Annotations = map[string]string{}
	}
	w.Annotations[MarkAnnotation], w.Annotations[MarkReplicas] = facts.New, strconv.Itoa(w.Replicas)
	w.Replicas, w.Ready, w.Updated, w.Pods = 0, 0, 0, nil
	return revision.Replaced(withWorkload(release, w))
}

func (stopping) Needs(in providers.Input, step providers.Step) providers.Needs {
	return revision.Needs(in, step, false)
}

func (stopping) Ground(providers.Input, providers.Step) providers.Ground { return nil }

func (stopping) Ready(in providers.Input, step providers.Step) providers.Readiness {
	_, p, unusable := readProvider(in, step)
	switch {
	case unusable != nil:
		return *unusable
	case p.workload.Missing:
		return providers.Moved.Because("StatefulSet %s is not there", p.workload.Name)
	case p.workload.Replicas == 0 && len(p.workload.Pods) == 0 && p.stoppedByUs():
		return providers.Done.Because("the provider is stopped already, by upkeep")
	case p.workload.Replicas == 0 && len(p.workload.Pods) == 0:
		return providers.Done.Because("somebody has stopped the provider already")
	}
	return providers.Readiness{State: providers.Holds}
}

func (stopping) Proved(before, after providers.Input, step providers.Step) error {
	_, p, unusable := readProvider(after, step)
	switch {
	case unusable != nil:
		return errors.New(unusable.Why)
	case p.workload.Replicas != 0:
		return fmt.Errorf("StatefulSet %s still wants %d replicas", p.workload.Name, p.workload.Replicas)
	case len(p.workload.Pods) > 0:
		return fmt.Errorf("pod %s of the provider is still there", p.workload.Pods[0].Name)
	case !p.stoppedByUs():
		return fmt.Errorf("StatefulSet %s does not carry the mark of the run that stopped it", p.workload.Name)
	}
	return nil
}

// starting is the meaning of akash.start: the replicas that the mark names, and the mark taken away. A provider that
// carries no mark was not stopped by upkeep and is left as it is.
type starting struct{}

// replicasOf are the replicas that a mark names; 1 where it names none.
func replicasOf(w facts.Workload) int {
	n, err := strconv.Atoi(w.Annotations[MarkReplicas])
	if err != nil || n < 1 || n > 100 {
		return 1
	}
	return n
}

func (starting) Predict(in providers.Input, step providers.Step) facts.Update {
	release, p, unusable := readProvider(in, step)
	if unusable != nil || !p.stoppedByUs() {
		return facts.Update{}
	}
	w := p.workload
	w.Replicas = replicasOf(w)
	w.Ready, w.Updated = w.Replicas, w.Replicas
	w.Annotations = maps.Clone(w.Annotations)
	delete(w.Annotations, MarkAnnotation)
	delete(w.Annotations, MarkReplicas)
	w.Pods = freshPods(in, release, w)
	args, _, _ := read[releaseArgs](in, step)
	return renewedBy(in, args.Domain, revision.Replaced(withWorkload(release, w)))
}

func (starting) Needs(in providers.Input, step providers.Step) providers.Needs {
	return revision.Needs(in, step, false)
}

func (starting) Ground(providers.Input, providers.Step) providers.Ground { return nil }

func (starting) Ready(in providers.Input, step providers.Step) providers.Readiness {
	_, p, unusable := readProvider(in, step)
	switch {
	case unusable != nil:
		return *unusable
	case !p.stoppedByUs():
		return providers.Done.Because("the provider carries no mark of upkeep's: it was not stopped by it, or has been started")
	}
	return providers.Readiness{State: providers.Holds}
}

func (starting) Proved(before, after providers.Input, step providers.Step) error {
	_, release, unusable := read[releaseArgs](after, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	if p := providerOf(release); p.stoppedByUs() {
		return fmt.Errorf("StatefulSet %s still carries the mark of the run that stopped it", p.workload.Name)
	}
	return ready(release)
}

// replacing is the meaning of akash.replace: the StatefulSet and its pod are deleted, so that an upgrade can make
// another one.
type replacing struct{}

func (replacing) Predict(in providers.Input, step providers.Step) facts.Update {
	release, p, unusable := readProvider(in, step)
	if unusable != nil {
		return facts.Update{}
	}
	w := facts.Workload{Kind: p.workload.Kind, Name: p.workload.Name, Missing: true}
	return revision.Replaced(withWorkload(release, w))
}

func (replacing) Needs(in providers.Input, step providers.Step) providers.Needs {
	return revision.Needs(in, step, false)
}

func (replacing) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := read[releaseArgs](in, step)
	if unusable != nil {
		return nil
	}
	return revision.Of(release)
}

func (replacing) Ready(in providers.Input, step providers.Step) providers.Readiness {
	release, p, unusable := readProvider(in, step)
	if unusable != nil {
		return *unusable
	}
	switch why := revision.Refused(release, step, "", ""); {
	case why != "":
		return providers.Moved.Because("%s", why)
	case p.workload.Missing:
		return providers.Done.Because("StatefulSet %s does not exist", p.workload.Name)
	}
	return providers.Readiness{State: providers.Holds}
}

func (replacing) Proved(before, after providers.Input, step providers.Step) error {
	args, release, unusable := read[releaseArgs](after, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	if release.WorkloadsUnknown != "" {
		return fmt.Errorf("what runs of %s is not known: %s", release.Name, release.WorkloadsUnknown)
	}
	if w, ok := release.Workload("StatefulSet", args.Workload); ok && !w.Missing {
		return fmt.Errorf("StatefulSet %s is still there", args.Workload)
	}
	return nil
}
