package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/urfave/cli/v3"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
	"upkeep/providers/node/protocol"
	"upkeep/providers/observe"
	"upkeep/providers/public"
	"upkeep/state"
)

// workspace is one configuration directory, read.
type workspace struct {
	env       environment
	directory string // absolute
	types     []providers.Type
	desired   config.Desired
	// sources are the files of the configuration, and those that it reads.
	sources []string
	// secrets is the configuration as it was read, with the secrets that desired may lack.
	secrets config.Desired
	// mac makes what stands for a secret, under key: that of the state, or the one that the state will have.
	mac func([]byte) string
	key state.Key
	// approval is the id of the approved plan that a run is for, where the plan is made anew; empty: its own id.
	approval string
	// releases talks to Helm; one for the whole command, since it keeps what it has fetched.
	releases *releases
	// prices runs bid price scripts; nil where the command line does not ask for it.
	prices observe.Prices
}

// configurationFlags are the flags of every command that reads the configuration.
func configurationFlags() []cli.Flag {
	return append(variableFlags(), &cli.BoolFlag{Name: "no-color", Usage: "print without colour"})
}

// observationFlags are the flags of every command that looks at the world.
func observationFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "parallelism", Value: 32, Usage: "ask at most `N` nodes at a time"},
	}
}

// measureInPod is the flag of the commands that may ask a running pod what only the pod can tell. It has a name of its own in
// the cluster's permissions, too: whoever may run commands in the provider's container can read the key of its wallet.
const measureInPod = "measure-in-pod"

func measureFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: measureInPod, Usage: "also ask the running pod of each akash_provider for prices, balance and last bid; needs a role that can read the wallet",
	}
}

func measuresInPod(cmd *cli.Command) bool {
	return hasFlag(cmd, measureInPod) && cmd.Bool(measureInPod)
}

// directoryOf returns the configuration directory a command works in: the current one, see enter.
func directoryOf(*cli.Command) (string, error) { return os.Getwd() }

// open reads the configuration. Diagnostics are printed; an error among them ends the command.
func open(env environment, cmd *cli.Command) (workspace, error) {
	directory, err := directoryOf(cmd)
	if err != nil {
		return workspace{}, err
	}
	w := workspace{env: env, directory: directory, types: domains(), releases: &releases{}}
	result, err := load(env, cmd, directory, w.types)
	if err != nil {
		return workspace{}, err
	}
	if err := result.print(env, cmd); err != nil {
		return workspace{}, err
	}
	w.desired, w.secrets = result.desired, result.desired
	w.sources = append(slices.Sorted(maps.Keys(result.sources)), result.read...)
	w.key = state.New().Key // until a state is read; then see useKey
	w.mac = macOf(w.key)
	return w, nil
}

// resources returns the declared resources.
func (w workspace) resources() []providers.Resource {
	return providers.Declared[providers.Resource](w.desired)
}

// observer wires the adapters for the desired state.
func (w workspace) observer(nodes *wiring.Nodes, progress func(observe.Progress)) *observe.Observer {
	o := &observe.Observer{
		Nodes: nodes, Etcd: etcdMembers{}, Stores: storesOf(w.desired, nodes, protocol.Run{}), Files: w.files(), Now: w.env.now, Progress: progress,
		Endpoints: nodes.Endpoints(), Prices: w.prices, Public: public.Ports{Now: w.env.now},
		Here: w.env.here,
	}
	if cluster := w.desired.Cluster; cluster != nil {
		o.Kubernetes = kubernetes{kube.Cluster{Kubeconfig: cluster.Kubeconfig, Context: cluster.Context}, clusterCharts{w.releases, *cluster}}
		o.Helm = w.releases.of(w.desired, w.mac, w.directory)
	}
	return o
}

// observeAll observes everything that the resources of a configuration need. It changes nothing, on this machine neither.
func (w workspace) observeAll(ctx context.Context, cmd *cli.Command) (facts.World, error) {
	nodes, err := newNodes(w.desired, cmd.Int("parallelism"))
	if err != nil {
		return facts.World{}, err
	}
	if w.prices, err = measuring(cmd); err != nil {
		return facts.World{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	progress := newObservationProgress(w.env, cmd.Bool("no-color"))
	defer progress.end()
	observer := w.observer(nodes, progress.report)
	observer.Measure, observer.Further = measuresInPod(cmd), furtherNeeds(cmd, w.desired)
	world, err := observer.Resources(ctx, w.desired, providers.Declared[providers.Resource](w.desired))
	if err != nil {
		return facts.World{}, fmt.Errorf("observing: %w", err)
	}
	return world, nil
}
