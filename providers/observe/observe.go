// Package observe fans the needs of resources out through the adapters, in stages, and merges what comes back into one
// world.
//
// Kubernetes comes first where nodes or their roles must be discovered, then the nodes, then etcd through
// the nodes that run a member. What
// resources need once all that is answered (providers.Staged) comes last; most need nothing then, and it costs
// nothing.
// It knows no domain and no distribution, decides nothing and changes nothing. It does not fail for one node: what
// cannot be observed is in the world with its reason.
package observe

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/plain"
)

// Nodes asks a node. Implementations limit how many they ask at a time.
type Nodes interface {
	Observe(ctx context.Context, node config.Node, question facts.Question) (facts.Node, error)
	// Etcd connects to the etcd member that runs on a node; TLS ends there.
	Etcd(ctx context.Context, node config.Node) (net.Conn, error)
	// Stored asks what a node has of the cluster's own configuration.
	Stored(ctx context.Context, node config.Node) (facts.ConfigurationSources, error)
	// Reach connects through a node to an etcd that runs elsewhere.
	Reach(ctx context.Context, node config.Node, endpoint facts.EtcdEndpoint) (net.Conn, error)
}

// Kubernetes asks the API server.
type Kubernetes interface {
	Observe(ctx context.Context) facts.Kubernetes
	// Match returns the names of the nodes that a label selector selects.
	Match(selector string, nodes []facts.KubernetesNode) ([]string, error)
	// FromEtcd says under which key etcd has what the API server did not tell; "" where that is nothing. complete adds it
	// to the facts, or says why it could not be read there either.
	FromEtcd(known facts.Kubernetes) (key string, complete func(stored []byte, err error) facts.Kubernetes)
	// FromNodes adds what nodes have of it.
	FromNodes(known facts.Kubernetes, answers []facts.ConfigurationAnswer) facts.Kubernetes
	// Tenancies asks for the leases of an Akash provider's tenants.
	Tenancies(ctx context.Context) facts.Tenancies
	// Residents asks for the pods that matter when their node is taken down.
	Residents(ctx context.Context) facts.Residents
	// Maintenance asks which nodes other programs have for their work.
	Maintenance(ctx context.Context) facts.Maintenance
	// Drain asks what draining a node would do.
	Drain(ctx context.Context, question facts.DrainQuestion) facts.Drain
	Definition(ctx context.Context, name string) facts.Definition
	Secret(ctx context.Context, question facts.SecretQuestion) facts.Existence
	HostPorts(ctx context.Context, ports []int) facts.HostPorts
}

// Etcd asks etcd members through a dialer.
type Etcd interface {
	Observe(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd
	Get(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error),
		key string) ([]byte, error)
}

// Stores asks backup stores.
type Stores interface {
	Observe(ctx context.Context, question facts.BackupsQuestion) facts.Backups
}

// Helm asks for releases: one by its name, or all of a chart.
type Helm interface {
	Observe(ctx context.Context, question facts.ReleaseQuestion) facts.Release
	Chart(ctx context.Context, name string) facts.Installed
}

// Files asks for what lies outside the cluster: archives on this machine, texts behind URLs.
type Files interface {
	Archive(ctx context.Context, question facts.ArchiveQuestion) facts.Archive
	Download(ctx context.Context, question facts.DownloadQuestion) facts.Download
}

// Prices runs bid price scripts and says what they answered.
type Prices interface {
	Measure(ctx context.Context, question facts.PriceQuestion) facts.PriceMeasurement
}

// Public asks what anybody sees of a host from where upkeep runs.
type Public interface {
	Ask(ctx context.Context, question facts.PublicQuestion) facts.Public
}

// Observer holds the adapters, one for each part of providers.Needs.
type Observer struct {
	Nodes      Nodes
	Kubernetes Kubernetes // nil when the configuration declares no cluster
	Etcd       Etcd
	Stores     Stores
	Helm       Helm // nil as Kubernetes is
	Files      Files
	// Prices is nil where nobody asked for measuring: nothing is run then, and nothing is said of prices.
	Prices Prices
	Public Public
	// Measure: running parts are asked what only they can tell (providers.Staged).
	Measure bool
	// Further is what is wanted besides what resources need; Resources asks for it.
	Further []providers.Needs
	// Here is the machine that upkeep runs on.
	Here facts.Here
	// Endpoints are etcds that the configuration names; where there are any, etcd is asked there and nowhere else.
	Endpoints []Endpoint
	Now       func() time.Time
	// Progress, if set, is told when a node has answered. It may be called from several goroutines at once.
	Progress func(Progress)
}

// Progress says how far observation is.
type Progress struct {
	Node    string // that has just answered, or not
	Unknown string // why it did not
	Done    int
	Total   int
}

// Observe observes what the needs ask for.
func (o *Observer) Observe(ctx context.Context, desired config.Desired, needs []providers.Needs) (facts.World, error) {
	world := o.unasked()
	o.stage(ctx, desired, nil, needs, &world)
	world.ObservedAt = o.Now().UTC()
	return world, context.Cause(ctx)
}

// Resources observes what resources need, and then what those of them that are providers.Staged need in their second
// stage.
func (o *Observer) Resources(ctx context.Context, desired config.Desired, resources []providers.Resource) (facts.World, error) {
	needs := slices.Clone(o.Further)
	for _, resource := range resources {
		needs = append(needs, resource.Needs())
	}
	world := o.unasked()
	o.stage(ctx, desired, nil, needs, &world)
	if ctx.Err() == nil {
		if second := SecondNeeds(desired, world, resources, o.Measure); len(second) > 0 {
			o.stage(ctx, desired, needs, second, &world)
		}
	}
	world.ObservedAt = o.Now().UTC()
	return world, context.Cause(ctx)
}

// For observes what needs asks for, which is asked twice: with what is known already, and with the answers to that.
func (o *Observer) For(ctx context.Context, desired config.Desired, known providers.Input, needs func(providers.Input) providers.Needs) (facts.World, error) {
	first := []providers.Needs{needs(known)}
	world := o.unasked()
	o.stage(ctx, desired, nil, first, &world)
	if ctx.Err() == nil {
		known.World, known.Inventory = world, providers.NewInventory(desired, world)
		o.stage(ctx, desired, first, []providers.Needs{needs(known)}, &world)
	}
	world.ObservedAt = o.Now().UTC()
	return world, context.Cause(ctx)
}

// SecondNeeds returns what resources need once their first needs are answered, in declared order. Pure.
func SecondNeeds(desired config.Desired, world facts.World, resources []providers.Resource, measure bool) []providers.Needs {
	var out []providers.Needs
	inventory := sync.OnceValue(func() providers.Inventory { return providers.NewInventory(desired, world) })
	for _, resource := range resources {
		if staged, ok := resource.(providers.Staged); ok {
			out = append(out, staged.SecondNeeds(world, inventory(), measure))
		}
	}
	return out
}

// notAsked is why what nobody asked for is unknown.
const notAsked = "not asked"

func (o *Observer) unasked() facts.World {
	return facts.World{
		Here:       o.Here,
		Nodes:      map[string]*facts.Node{},
		Kubernetes: facts.Kubernetes{Unknown: notAsked},
		Etcd:       facts.Etcd{Unknown: notAsked},
	}
}

// stage asks for what needs want to know, and nothing that earlier needs were answered already; the world has those
// answers.
func (o *Observer) stage(ctx context.Context, desired config.Desired, earlier, needs []providers.Needs, world *facts.World) {
	first := len(earlier) == 0
	newly := func(wanted func(providers.Needs) bool) bool {
		return slices.ContainsFunc(needs, wanted) && !slices.ContainsFunc(earlier, wanted)
	}
	discovers := discovers(desired)
	var kubernetes sync.WaitGroup
	if discovers && first || newly(func(n providers.Needs) bool { return n.Kubernetes.Cluster }) &&
		!(discovers && !first) {
		kubernetes.Go(func() { world.Kubernetes = o.kubernetes(ctx) })
	}
	if discovers && first {
		kubernetes.Wait()
		world.Fleets = o.fleets(desired, world.Kubernetes)
	}
	inventory := providers.NewInventory(desired,
		facts.World{Fleets: world.Fleets, Kubernetes: fleetAddresses(desired, world)})
	var stores sync.WaitGroup
	stores.Go(func() { o.backups(ctx, needs, world) })
	stores.Go(func() { o.releases(ctx, earlier, needs, world) })
	stores.Go(func() { o.tenancies(ctx, needs, world) })
	stores.Go(func() { o.residents(ctx, needs, world) })
	stores.Go(func() { o.maintenance(ctx, needs, world) })
	stores.Go(func() { o.drains(ctx, needs, world) })
	stores.Go(func() { o.platform(ctx, needs, world) })
	stores.Go(func() { o.files(ctx, needs, world) })
	stores.Go(func() { o.public(ctx, needs, world) })
	o.nodes(ctx, inventory, earlier, needs, world)
	kubernetes.Wait()
	stores.Wait()
	if newly(func(n providers.Needs) bool { return n.Etcd }) {
		o.etcd(ctx, inventory, world)
	}
	// Everything that anybody answered comes in here.
	plain.In(world, plain.Text)
}

// discovers reports whether nodes depend on Kubernetes: those of fleets, and declared ones whose roles only it can
// tell.
func discovers(desired config.Desired) bool {
	return len(desired.Fleets) > 0 ||
		desired.Cluster != nil && slices.ContainsFunc(desired.Nodes, func(n config.Node) bool { return len(n.Roles) == 0 })
}

// fleetAddresses keeps the goroutine that reads Kubernetes and the reader of fleets apart: nothing of
// Kubernetes is needed to resolve nodes that are declared with their roles.
func fleetAddresses(desired config.Desired, world *facts.World) facts.Kubernetes {
	if !discovers(desired) {
		return facts.Kubernetes{}
	}
	return world.Kubernetes
}

// Questions merges, per node of the inventory, all that is asked of it: one question, so one round trip.
func Questions(inventory providers.Inventory, needs []providers.Needs) map[string]facts.Question {
	questions := map[string]facts.Question{}
	for _, n := range needs {
		for _, need := range n.Nodes {
			nodes, _ := inventory.Select(need.Nodes) // an incomplete selection is the domain's to report
			for _, node := range nodes {
				questions[node.Name] = questions[node.Name].Merge(need.Question)
			}
		}
	}
	return questions
}

var noCluster = providers.ErrNoCluster.Error()

func (o *Observer) kubernetes(ctx context.Context) facts.Kubernetes {
	if o.Kubernetes == nil {
		return facts.Kubernetes{Unknown: noCluster}
	}
	return o.Kubernetes.Observe(ctx)
}

func (o *Observer) fleets(desired config.Desired, kubernetes facts.Kubernetes) map[string]facts.Fleet {
	out := map[string]facts.Fleet{}
	for _, fleet := range desired.Fleets {
		if kubernetes.Unknown != "" {
			out[fleet.Name] = facts.Fleet{Unknown: "Kubernetes: " + kubernetes.Unknown}
			continue
		}
		members, err := o.Kubernetes.Match(fleet.Selector, kubernetes.Nodes)
		if err != nil {
			out[fleet.Name] = facts.Fleet{Unknown: err.Error()}
			continue
		}
		out[fleet.Name] = facts.Fleet{Members: members}
	}
	return out
}

// nodes asks each node what needs want to know of it, together with what it was asked earlier: an answer is one
// look. A
// node that has not answered before is not asked again, nor one that has answered all of it.
func (o *Observer) nodes(ctx context.Context, inventory providers.Inventory, earlier, needs []providers.Needs, world *facts.World) {
	before, questions := Questions(inventory, earlier), Questions(inventory, needs)
	for name, question := range questions {
		answered, asked := before[name]
		silent := false
		if n := world.Nodes[name]; n != nil { // not world.Node, which would copy what others are writing
			silent = n.Unknown != ""
		}
		switch whole := answered.Merge(question); {
		case asked && (silent || reflect.DeepEqual(whole, answered)):
			delete(questions, name)
		default:
			questions[name] = whole
		}
	}
	var mu sync.Mutex
	var group errgroup.Group
	done := 0
	for _, node := range inventory.Nodes {
		question, asked := questions[node.Name]
		if !asked {
			continue
		}
		group.Go(func() error {
			observed := o.node(ctx, node, question)
			mu.Lock()
			defer mu.Unlock()
			world.Nodes[node.Name] = &observed
			done++
			if o.Progress != nil {
				o.Progress(Progress{Node: node.Name, Unknown: observed.Unknown, Done: done, Total: len(questions)})
			}
			return nil
		})
	}
	_ = group.Wait() // a node that failed is in the world, with its reason
}

func (o *Observer) node(ctx context.Context, node config.Node, question facts.Question) facts.Node {
	unknown := func(why string) facts.Node {
		return facts.Node{Name: node.Name, Host: node.Host, Unknown: why}
	}
	if node.Host == "" {
		return unknown(fmt.Sprintf("its Kubernetes node has no address of the type that nodes.%s asks for", node.Block))
	}
	// What every node stands on is asked of each, whatever it is asked for.
	question.Floor, question.Boot = true, true
	began := o.Now()
	observed, err := o.Nodes.Observe(ctx, node, question)
	if err != nil {
		return unknown(err.Error())
	}
	observed.Skew = skew(observed.System.Clock, began, o.Now())
	// A node says what it is like, never who it is: one that lies must not stand in for another.
	observed.Name, observed.Host = node.Name, node.Host
	return observed
}

// backups asks each store that is asked for, once.
func (o *Observer) backups(ctx context.Context, needs []providers.Needs, world *facts.World) {
	out := world.Backups
	var mu sync.Mutex
	var group errgroup.Group
	asked := map[string]bool{}
	for address := range out {
		asked[address] = true
	}
	for _, n := range needs {
		for _, question := range n.Stores {
			if asked[question.Address] {
				continue
			}
			asked[question.Address] = true
			group.Go(func() error {
				found := o.Stores.Observe(ctx, question)
				mu.Lock()
				defer mu.Unlock()
				if out == nil {
					out = map[string]facts.Backups{}
				}
				out[question.Address] = found
				return nil
			})
		}
	}
	_ = group.Wait() // a store that failed is in the world, with its reason
	world.Backups = out
}

// etcd asks the members on the nodes that run one, or are said to, and fetches there what the API server did not tell.
func (o *Observer) etcd(ctx context.Context, inventory providers.Inventory, world *facts.World) {
	byName := map[string]config.Node{}
	var members, elsewhere []string
	for _, node := range inventory.Nodes {
		switch runs, where := layout.Member(world.Node(node.Name)); {
		case where != "":
			elsewhere = append(elsewhere, where)
		case runs || slices.Contains(node.Roles, "etcd"):
			members = append(members, node.Name)
			byName[node.Name] = node
		}
	}
	dial := func(ctx context.Context, node string) (net.Conn, error) {
		// A node that was asked and did not answer is not asked again. One that nobody asked about itself has a member all
		// the same.
		if asked := world.Nodes[node]; asked != nil && asked.Unknown != "" {
			return nil, fmt.Errorf("%s is unknown: %s", node, asked.Unknown)
		}
		return o.Nodes.Etcd(ctx, byName[node])
	}
	if len(o.Endpoints) > 0 {
		members, dial = o.endpoints(inventory, world)
	} else if len(members) == 0 && len(elsewhere) > 0 {
		world.Etcd = facts.Etcd{Unknown: strings.Join(elsewhere, "; ") + ", not in etcd"}
		return
	}
	world.Etcd = o.Etcd.Observe(ctx, members, dial)
	if o.Kubernetes == nil || world.Etcd.Unknown != "" && world.Kubernetes.Unknown == "" {
		return
	}
	key, complete := o.Kubernetes.FromEtcd(world.Kubernetes)
	switch {
	case key == "":
	case len(o.Endpoints) > 0 && world.Etcd.Unknown == "":
		world.Kubernetes = complete(o.Etcd.Get(ctx, members, dial, key))
	case len(o.Endpoints) == 0:
		world.Kubernetes = o.stored(ctx, members, byName, world)
	}
}

// skew says between which bounds a node's clock is ahead of this one: it answered at some moment of the session. Nil
// where the node did not say its time.
func skew(theirs, began, ended time.Time) *facts.Skew {
	if theirs.IsZero() {
		return nil
	}
	return &facts.Skew{Least: theirs.Sub(ended), Most: theirs.Sub(began)}
}
