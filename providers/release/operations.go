package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

// Releases works on Helm releases. No method is called for a release that is pending but Mend.
type Releases interface {
	// Upgrade installs or upgrades a release. With Atomic it leaves one that failed as it was before, and its error says so.
	Upgrade(ctx context.Context, u Upgrade, progress func(string)) error
	Mend(ctx context.Context, namespace, name string, m pending.Mending) error
}

// Upgrade is what a release is to become.
type Upgrade struct {
	Namespace, Release string
	// Install allows to install a release that is not there; CreateNamespace its namespace, too.
	Install, CreateNamespace bool
	Source                   facts.ChartSource
	Version                  string // exact
	SHA256                   string // of the chart's archive; empty: not checked
	// Values are laid over those of the release; they may hold secrets.
	Values map[string]any
	// Mask are the paths of values whose texts must stand in no error.
	Mask []string
	// Revision is the last one that the plan was made for: at another one nothing is done. 0 where there is no release.
	Revision     int
	Wait, Atomic bool
	Timeout      time.Duration
}

// Tools are what the operations work with.
type Tools struct {
	Releases Releases // nil where the configuration has no cluster
	// Specs are the declared blocks with their secret values, by address.
	Specs map[providers.Address]Spec
}

// releases returns what works on releases.
func (t Tools) releases() (Releases, error) {
	if t.Releases == nil {
		return nil, errors.New("the configuration has no cluster block; write cluster { kubeconfig = \"~/.kube/config\" }")
	}
	return t.Releases, nil
}

// Operations returns the operations of this domain by name. They change the cluster: hand them to apply alone.
func Operations(t Tools) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationMend:    mend{t},
		OperationUpgrade: upgrade{t},
	}
}

// planned returns what a step was planned for.
func planned(step providers.Step) (releaseGround, error) {
	ground, err := providers.GroundOf[releaseGround](step)
	if err == nil && ground.Revision == nil {
		err = fmt.Errorf("%s: the plan does not say which revision it was made for; plan again", step.ID)
	}
	return ground, err
}

type mend struct{ tools Tools }

func (o mend) Run(ctx context.Context, step providers.Step, _ providers.Progress) error {
	args, err := arguments[mendArgs](step)
	if err != nil {
		return err
	}
	ground, err := planned(step)
	if err != nil {
		return err
	}
	if ground.Status == "" {
		return fmt.Errorf("%s: the plan does not say in which state the release was; plan again", step.ID)
	}
	releases, err := o.tools.releases()
	if err != nil {
		return err
	}
	return releases.Mend(ctx, args.Namespace, args.Release, pending.Mending{Action: args.Action, Revision: *ground.Revision, Status: ground.Status})
}

type upgrade struct{ tools Tools }

// Run installs or upgrades with the very version and archive of the plan.
func (o upgrade) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := arguments[upgradeArgs](step)
	if err != nil {
		return err
	}
	ground, err := planned(step)
	if err != nil {
		return err
	}
	if known, is := bad(args.Chart, args.Version); is {
		return fmt.Errorf("%s: %s", step.ID, known)
	}
	s, ok := o.tools.Specs[step.Address.Resource()]
	if !ok {
		return fmt.Errorf("%s: the configuration has no %s", step.ID, step.Address.Resource())
	}
	wanted, err := s.Reveal(args.Values)
	if err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	releases, err := o.tools.releases()
	if err != nil {
		return err
	}
	return releases.Upgrade(ctx, Upgrade{
		Namespace: args.Namespace, Release: args.Release, Install: args.Install, CreateNamespace: args.CreateNamespace,
		Source: args.Source, Version: args.Version, SHA256: args.SHA256,
		Values: wanted, Mask: s.Paths(), Revision: *ground.Revision,
		Wait: args.Wait, Atomic: args.Atomic, Timeout: time.Duration(args.Timeout),
	}, progress)
}
