package akash

import (
	"errors"
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
)

// archiving is the meaning of akash.archive.
type archiving struct{}

func (archiving) Predict(in providers.Input, step providers.Step) facts.Update {
	_, release, unusable := read[archiveArgs](in, step)
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
	archive.Entries = slices.DeleteFunc(slices.Clone(archive.Entries),
		func(e facts.ArchiveEntry) bool { return e.Revision == release.Revision })
	archive.Entries = append(archive.Entries, entry)
	slices.SortFunc(archive.Entries, func(a, b facts.ArchiveEntry) int { return a.Revision - b.Revision })
	return facts.Update{Archives: map[string]facts.Archive{key: archive}}
}

// Needs: the release, and what its archive holds.
func (archiving) Needs(in providers.Input, step providers.Step) providers.Needs {
	needs := revision.Needs(in, step, false)
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
	_, release, unusable := read[archiveArgs](in, step)
	if unusable != nil {
		return nil
	}
	return revision.Of(release)
}

func (archiving) Ready(in providers.Input, step providers.Step) providers.Readiness {
	_, release, unusable := read[archiveArgs](in, step)
	if unusable != nil {
		return *unusable
	}
	archive := in.World.Archives[facts.ReleaseKey(release.Namespace, release.Name)]
	switch why := revision.Moved(release, step); {
	case why != "":
		return providers.Moved.Because("%s", why)
	case archive.Unknown != "":
		return providers.Unknown.Because("%s", archive.Unknown)
	}
	if e, ok := archive.Entry(release.Revision); ok && archived(e, release) {
		return providers.Done.Because("revision %d is in the archive", release.Revision)
	}
	return providers.Readiness{State: providers.Holds}
}

func (archiving) Proved(before, after providers.Input, step providers.Step) error {
	_, release, unusable := read[archiveArgs](before, step)
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
