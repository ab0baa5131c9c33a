package akash

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

// The steps that change no object of the cluster: Helm's record of a release, and the archive.

// mending is the meaning of akash.mend: Helm's record of an interrupted operation is marked as failed.
type mending struct{}

func readMend(in providers.Input, step providers.Step) (mendArgs, facts.Release, *providers.Readiness) {
	return read(in, step, func(a mendArgs) releaseArgs { return a.releaseArgs })
}

func (mending) Predict(in providers.Input, step providers.Step) facts.Update {
	_, release, unusable := readMend(in, step)
	if unusable != nil || !release.Pending() {
		return facts.Update{}
	}
	release.Status, release.Description = facts.ReleaseFailed, "Interrupted"
	release.History = slices.Clone(release.History)
	if last := len(release.History) - 1; last >= 0 {
		release.History[last].Status = facts.ReleaseFailed
	}
	return changed(release)
}

func (mending) Needs(in providers.Input, step providers.Step) providers.Needs {
	return needsOf(in, step, false)
}

func (mending) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := readMend(in, step)
	if unusable != nil {
		return nil
	}
	return releaseGround{Revision: release.Revision, Status: release.Status}
}

func (mending) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := readMend(in, step)
	if unusable != nil {
		return *unusable
	}
	switch why := revisionMoved(release, step); {
	case !release.Pending():
		return done("the release is %s", release.Status)
	case why != "":
		return moved("%s", why)
	}
	if decided := pending.Decide(release, in.Now, time.Duration(args.Patience)); decided.Action == pending.Wait {
		return moved("%s", decided.Why)
	}
	return holds()
}

func (mending) Proved(before, after providers.Input, step providers.Step) error {
	_, release, unusable := readMend(after, step)
	switch {
	case unusable != nil:
		return errors.New(unusable.Why)
	case release.Pending():
		return fmt.Errorf("revision %d of %s is still %s", release.Revision, release.Name, release.Status)
	}
	return nil
}

// archiving is the meaning of akash.archive.
type archiving struct{}

func readArchive(in providers.Input, step providers.Step) (archiveArgs, facts.Release, *providers.Readiness) {
	return read(in, step, func(a archiveArgs) releaseArgs { return a.releaseArgs })
}

func (archiving) Predict(in providers.Input, step providers.Step) facts.Update {
	_, release, unusable := readArchive(in, step)
	if unusable != nil {
		return facts.Update{}
	}
	key := facts.ReleaseKey(release.Namespace, release.Name)
	archive := in.World.Archives[key]
	entry := facts.ArchiveEntry{
		Revision: release.Revision, Chart: release.Chart.Name + "-" + release.Chart.Version, Release: release.Updated.UTC().Format(timeOfRelease),
	}
	if body, ok := scriptOf(release.Values); ok {
		entry.Script = digest([]byte(body))
	}
	archive.Unknown = ""
	archive.Entries = slices.DeleteFunc(slices.Clone(archive.Entries), func(e facts.ArchiveEntry) bool { return e.Revision == release.Revision })
	archive.Entries = append(archive.Entries, entry)
	slices.SortFunc(archive.Entries, func(a, b facts.ArchiveEntry) int { return a.Revision - b.Revision })
	return facts.Update{Archives: map[string]facts.Archive{key: archive}}
}

// Needs: the release, and what its archive holds.
func (archiving) Needs(in providers.Input, step providers.Step) providers.Needs {
	needs := needsOf(in, step, false)
	for _, question := range providers.NeedsOfResource(in, step).Files.Archives {
		for _, release := range needs.Helm.Releases {
			if question.Namespace == release.Namespace && question.Release == release.Name {
				needs.Files.Archives = append(needs.Files.Archives, question)
			}
		}
	}
	return needs
}

func (archiving) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := readArchive(in, step)
	if unusable != nil {
		return nil
	}
	return releaseGround{Revision: release.Revision}
}

func (archiving) Ready(in providers.Input, step providers.Step) providers.Readiness {
	_, release, unusable := readArchive(in, step)
	if unusable != nil {
		return *unusable
	}
	archive := in.World.Archives[facts.ReleaseKey(release.Namespace, release.Name)]
	switch why := revisionMoved(release, step); {
	case why != "":
		return moved("%s", why)
	case archive.Unknown != "":
		return providers.Readiness{State: providers.Unknown, Why: archive.Unknown}
	}
	if e, ok := archive.Entry(release.Revision); ok && archived(e, release) {
		return done("revision %d is in the archive", release.Revision)
	}
	return holds()
}

func (archiving) Proved(before, after providers.Input, step providers.Step) error {
	_, release, unusable := readArchive(before, step)
	if unusable != nil {
		return errors.New(unusable.Why)
	}
	archive := after.World.Archives[facts.ReleaseKey(release.Namespace, release.Name)]
	if archive.Unknown != "" {
		return fmt.Errorf("the archive cannot be read: %s", archive.Unknown)
	}
	e, ok := archive.Entry(release.Revision)
	if !ok || !archived(e, release) {
		return fmt.Errorf("the archive does not hold revision %d with its script", release.Revision)
	}
	return nil
}
