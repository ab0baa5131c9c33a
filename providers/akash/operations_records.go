package akash

import (
	"context"
	"fmt"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

type archive struct{ tools Tools }

// Run keeps the values, secrets and all, in files that only their owner can read: they are what the guide's
// provider.yaml is, and a release that is lost comes back out of them.
func (o archive) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[archiveArgs](step)
	if err != nil {
		return err
	}
	s, err := o.tools.spec(step)
	if err != nil {
		return err
	}
	question := s.question()
	question.Namespace, question.Name, question.Environment = args.Namespace, args.Release, nil
	release, err := o.tools.see(ctx, question)
	if err != nil {
		return err
	}
	tree, revision, err := o.tools.Releases.Values(ctx, args.Namespace, args.Release)
	if err != nil {
		return err
	}
	if revision != release.Revision {
		return fmt.Errorf("release %s/%s changed from revision %d to %d during the step", args.Namespace, args.Release,
			release.Revision, revision)
	}
	entry := facts.ArchiveEntry{
		Revision: revision, Chart: release.Chart.Name + "-" + release.Chart.Version, Release: release.Updated.UTC().Format(timeOfRelease),
	}
	files := map[string][]byte{}
	// The script of the last revision is what the entry stands for; the values are those that an upgrade starts from.
	if body, ok := scriptOf(release.Values); ok {
		files[scriptFile] = []byte(body)
		entry.Script = digest([]byte(body))
	}
	tree = values.Clone(tree)
	delete(tree, valueScript)
	if files[args.File], err = o.tools.YAML(tree); err != nil {
		return fmt.Errorf("writing the values of %s/%s down: %w", args.Namespace, args.Release, err)
	}
	directory, err := o.tools.Archives.Keep(ctx, facts.ArchiveQuestion{Directory: args.Directory,
		Namespace: args.Namespace, Release: args.Release}, entry, files)
	if err != nil {
		return err
	}
	progress.Say("kept in %s", directory)
	return nil
}
