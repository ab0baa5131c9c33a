package observe

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// releasesAtOnce bounds how many releases are asked for at a time: each reads its records, objects and pods from the API.
const releasesAtOnce = 8

// ReleaseQuestions merges what is asked of each release into one question, in the order in which releases are first asked
// for. A release belongs to one resource, and the others only look at it: where two want to know another offer of the same
// release, the one that asks for a version like another chart's gives way, else the first one is asked.
func ReleaseQuestions(needs []providers.Needs) []facts.ReleaseQuestion {
	var out []facts.ReleaseQuestion
	at := map[string]int{}
	for _, n := range needs {
		for _, question := range n.Releases {
			key := facts.ReleaseKey(question.Namespace, question.Name)
			i, asked := at[key]
			if !asked {
				at[key] = len(out)
				out = append(out, question)
				continue
			}
			out[i].Mask = union(out[i].Mask, question.Mask)
			out[i].MaskNames = union(out[i].MaskNames, question.MaskNames)
			out[i].Environment = union(out[i].Environment, question.Environment)
			if len(out[i].EnvironmentCommand) == 0 {
				out[i].EnvironmentCommand = question.EnvironmentCommand
			}
			if out[i].Offer == nil || out[i].Offer.Like != nil && question.Offer != nil && question.Offer.Like == nil {
				out[i].Offer = question.Offer
			}
		}
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (o *Observer) releases(ctx context.Context, needs []providers.Needs) map[string]*facts.Release {
	questions := ReleaseQuestions(needs)
	if len(questions) == 0 {
		return nil
	}
	out := make(map[string]*facts.Release, len(questions))
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(releasesAtOnce)
	for _, question := range questions {
		group.Go(func() error {
			found := facts.Release{Unknown: noCluster}
			if o.Releases != nil {
				found = o.Releases.Observe(ctx, question)
			}
			found.Namespace, found.Name = question.Namespace, question.Name
			mu.Lock()
			defer mu.Unlock()
			out[facts.ReleaseKey(question.Namespace, question.Name)] = &found
			return nil
		})
	}
	_ = group.Wait() // a release that could not be read is in the world, with its reason
	return out
}

func (o *Observer) tenancies(ctx context.Context, needs []providers.Needs) *facts.Tenancies {
	if !slices.ContainsFunc(needs, func(n providers.Needs) bool { return n.Tenancies }) {
		return nil
	}
	if o.Tenants == nil {
		return &facts.Tenancies{Unknown: noCluster}
	}
	found := o.Tenants.Observe(ctx)
	return &found
}

// files asks for archives and downloads, each once.
func (o *Observer) files(ctx context.Context, needs []providers.Needs) (map[string]facts.Archive, map[string]facts.Download) {
	var archives map[string]facts.Archive
	var downloads map[string]facts.Download
	for _, n := range needs {
		for _, question := range n.Archives {
			if archives == nil {
				archives = map[string]facts.Archive{}
			}
			key := facts.ReleaseKey(question.Namespace, question.Release)
			if _, asked := archives[key]; !asked {
				archives[key] = o.Files.Archive(ctx, question)
			}
		}
		for _, question := range n.Downloads {
			if downloads == nil {
				downloads = map[string]facts.Download{}
			}
			if _, asked := downloads[question.URL]; !asked {
				downloads[question.URL] = o.Files.Download(ctx, question)
			}
		}
	}
	return archives, downloads
}

// platform asks what the cluster offers to charts, each thing once.
func (o *Observer) platform(ctx context.Context, needs []providers.Needs, world *facts.World) {
	for _, n := range needs {
		for _, name := range n.Definitions {
			if _, asked := world.Definitions[name]; asked {
				continue
			}
			if world.Definitions == nil {
				world.Definitions = map[string]facts.Definition{}
			}
			found := facts.Definition{Unknown: noCluster}
			if o.Platform != nil {
				found = o.Platform.Definition(ctx, name)
			}
			found.Name = name
			world.Definitions[name] = found
		}
		for _, question := range n.Secrets {
			key := facts.SecretKey(question.Namespace, question.Name)
			if _, asked := world.Secrets[key]; asked {
				continue
			}
			if world.Secrets == nil {
				world.Secrets = map[string]facts.Existence{}
			}
			found := facts.Existence{Unknown: noCluster}
			if o.Platform != nil {
				found = o.Platform.Secret(ctx, question)
			}
			world.Secrets[key] = found
		}
		for _, name := range n.Charts {
			if _, asked := world.Charts[name]; asked {
				continue
			}
			if world.Charts == nil {
				world.Charts = map[string]facts.Installed{}
			}
			found := facts.Installed{Unknown: noCluster}
			if o.Platform != nil {
				found = o.Platform.Chart(ctx, name)
			}
			world.Charts[name] = found
		}
	}
}
