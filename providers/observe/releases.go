package observe

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// releasesAtOnce bounds how many releases are asked for at a time: each reads its records, objects and pods from the
// API.
const releasesAtOnce = 8

// ReleaseQuestions merges what is asked of each release into one question, in the order in which releases are first
// asked for. A release belongs to one resource, and the others only look at it: where two want to know another offer of
// the same release, the one that asks for a version like another chart's gives way, else the first one is asked.
func ReleaseQuestions(needs []providers.Needs) []facts.ReleaseQuestion {
	var out []facts.ReleaseQuestion
	at := map[string]int{}
	for _, n := range needs {
		for _, question := range n.Helm.Releases {
			key := facts.ReleaseKey(question.Namespace, question.Name)
			i, asked := at[key]
			if !asked {
				at[key] = len(out)
				out = append(out, question)
				continue
			}
			out[i].Mask = union(out[i].Mask, question.Mask)
			out[i].Show = union(out[i].Show, question.Show)
			out[i].Known = union(out[i].Known, question.Known)
			out[i].Keys = union(out[i].Keys, question.Keys)
			out[i].MaskNames = union(out[i].MaskNames, question.MaskNames)
			out[i].Environment = union(out[i].Environment, question.Environment)
			if len(out[i].EnvironmentCommand) == 0 {
				out[i].EnvironmentCommand = question.EnvironmentCommand
			}
			if out[i].Measure == nil {
				out[i].Measure = question.Measure
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

// releases asks each release, together with what it was asked earlier; not one that has answered all of it.
func (o *Observer) releases(ctx context.Context, earlier, needs []providers.Needs, world *facts.World) {
	answered := map[string]facts.ReleaseQuestion{}
	for _, question := range ReleaseQuestions(earlier) {
		answered[facts.ReleaseKey(question.Namespace, question.Name)] = question
	}
	questions := slices.DeleteFunc(ReleaseQuestions(slices.Concat(earlier, needs)), func(q facts.ReleaseQuestion) bool {
		before, asked := answered[facts.ReleaseKey(q.Namespace, q.Name)]
		return asked && reflect.DeepEqual(before, q)
	})
	if len(questions) == 0 {
		return
	}
	if world.Releases == nil {
		world.Releases = make(map[string]*facts.Release, len(questions))
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(releasesAtOnce)
	for _, question := range questions {
		group.Go(func() error {
			found := facts.Release{Unknown: noCluster}
			if o.Helm != nil {
				found = o.Helm.Observe(ctx, question)
			}
			found.Namespace, found.Name = question.Namespace, question.Name
			mu.Lock()
			defer mu.Unlock()
			world.Releases[facts.ReleaseKey(question.Namespace, question.Name)] = &found
			return nil
		})
	}
	_ = group.Wait() // a release that could not be read is in the world, with its reason
}

func (o *Observer) tenancies(ctx context.Context, needs []providers.Needs, world *facts.World) {
	if world.Tenancies != nil || !slices.ContainsFunc(needs, func(n providers.Needs) bool { return n.Kubernetes.Tenancies }) {
		return
	}
	found := facts.Tenancies{Unknown: noCluster}
	if o.Kubernetes != nil {
		found = o.Kubernetes.Tenancies(ctx)
	}
	world.Tenancies = &found
}

func (o *Observer) residents(ctx context.Context, needs []providers.Needs, world *facts.World) {
	asked := slices.ContainsFunc(needs, func(n providers.Needs) bool { return n.Kubernetes.Residents })
	if world.Residents != nil || !asked {
		return
	}
	found := facts.Residents{Unknown: noCluster}
	if o.Kubernetes != nil {
		found = o.Kubernetes.Residents(ctx)
	}
	world.Residents = &found
}

func (o *Observer) maintenance(ctx context.Context, needs []providers.Needs, world *facts.World) {
	asked := slices.ContainsFunc(needs, func(n providers.Needs) bool { return n.Kubernetes.Maintenance })
	if world.Maintenance != nil || !asked {
		return
	}
	found := facts.Maintenance{Unknown: noCluster}
	if o.Kubernetes != nil {
		found = o.Kubernetes.Maintenance(ctx)
	}
	world.Maintenance = &found
}

// drains asks what draining nodes would do, each once, several at a time. What was asked with a dry run is not asked
// without.
func (o *Observer) drains(ctx context.Context, needs []providers.Needs, world *facts.World) {
	asked := map[string]facts.DrainQuestion{}
	for _, n := range needs {
		for _, question := range n.Kubernetes.Drains {
			question.Try = question.Try || asked[question.Node].Try
			if known, is := world.Drains[question.Node]; !is || question.Try && !known.Tried {
				asked[question.Node] = question
			}
		}
	}
	if len(asked) == 0 {
		return
	}
	if world.Drains == nil {
		world.Drains = make(map[string]facts.Drain, len(asked))
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(drainsAtOnce)
	for name, question := range asked {
		group.Go(func() error {
			found := facts.Drain{Unknown: noCluster}
			if o.Kubernetes != nil {
				found = o.Kubernetes.Drain(ctx, question)
			}
			mu.Lock()
			defer mu.Unlock()
			world.Drains[name] = found
			return nil
		})
	}
	_ = group.Wait() // pods that could not be read are in the world, with the reason
}

// drainsAtOnce bounds the requests to the API server.
const drainsAtOnce = 8

// files asks for archives, downloads and measured prices, each once.
func (o *Observer) files(ctx context.Context, needs []providers.Needs, world *facts.World) {
	for _, n := range needs {
		for _, question := range n.Files.Archives {
			key := facts.ReleaseKey(question.Namespace, question.Release)
			once(&world.Archives, key, func() facts.Archive { return o.Files.Archive(ctx, question) })
		}
		for _, question := range n.Files.Downloads {
			once(&world.Downloads, question.URL, func() facts.Download { return o.Files.Download(ctx, question) })
		}
		for _, question := range n.Prices {
			if o.Prices != nil {
				once(&world.Prices, question.Key(), func() facts.PriceMeasurement { return o.Prices.Measure(ctx, question) })
			}
		}
	}
}

// public asks for what anybody sees of hosts, each once, all at the same time: one that does not answer takes its
// time.
func (o *Observer) public(ctx context.Context, needs []providers.Needs, world *facts.World) {
	var questions []facts.PublicQuestion
	asked := map[string]bool{}
	for _, n := range needs {
		for _, question := range n.Public {
			key := question.Key()
			if _, known := world.Public[key]; !known && !asked[key] {
				asked[key] = true
				questions = append(questions, question)
			}
		}
	}
	found := make([]facts.Public, len(questions))
	var group sync.WaitGroup
	for i, question := range questions {
		found[i].Unknown = notAsked
		if o.Public != nil {
			group.Go(func() { found[i] = o.Public.Ask(ctx, question) })
		}
	}
	group.Wait()
	for i, question := range questions {
		once(&world.Public, question.Key(), func() facts.Public { return found[i] })
	}
}

// once fills in what a map does not have yet.
func once[A any](into *map[string]A, key string, ask func() A) {
	if _, asked := (*into)[key]; asked {
		return
	}
	if *into == nil {
		*into = map[string]A{}
	}
	(*into)[key] = ask()
}

// platform asks what the cluster offers to charts, each thing once.
func (o *Observer) platform(ctx context.Context, needs []providers.Needs, world *facts.World) {
	var ports []int
	for _, n := range needs {
		for _, name := range n.Kubernetes.Definitions {
			once(&world.Definitions, name, func() facts.Definition {
				found := facts.Definition{Unknown: noCluster}
				if o.Kubernetes != nil {
					found = o.Kubernetes.Definition(ctx, name)
				}
				found.Name = name
				return found
			})
		}
		for _, question := range n.Kubernetes.Secrets {
			once(&world.Secrets, facts.SecretKey(question.Namespace, question.Name), func() facts.Existence {
				if o.Kubernetes == nil {
					return facts.Existence{Unknown: noCluster}
				}
				return o.Kubernetes.Secret(ctx, question)
			})
		}
		for _, name := range n.Helm.Charts {
			once(&world.Charts, name, func() facts.Installed {
				if o.Helm == nil {
					return facts.Installed{Unknown: noCluster}
				}
				return o.Helm.Chart(ctx, name)
			})
		}
		ports = append(ports, n.Kubernetes.HostPorts...)
	}
	o.hostPorts(ctx, ports, world)
}

// hostPorts asks for all ports at once, and for those that were asked earlier with them: one list of pods tells of all.
func (o *Observer) hostPorts(ctx context.Context, ports []int, world *facts.World) {
	var asked []int
	if world.HostPorts != nil {
		asked = world.HostPorts.Ports
	}
	whole := slices.Concat(asked, ports)
	slices.Sort(whole)
	whole = slices.Compact(whole)
	if slices.Equal(whole, asked) {
		return
	}
	found := facts.HostPorts{Unknown: noCluster}
	if o.Kubernetes != nil {
		found = o.Kubernetes.HostPorts(ctx, whole)
	}
	found.Ports = whole
	world.HostPorts = &found
}
