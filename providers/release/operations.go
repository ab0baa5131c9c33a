package release

import (
	"context"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
)

// Releases works on Helm releases. No method is called for a release that is pending but Repair.
type Releases interface {
	// Upgrade installs or upgrades a release. With Atomic it leaves one that failed as it was before, and its error says
	// so.
	Upgrade(ctx context.Context, u Upgrade, progress func(string)) error
	revision.Repairer
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
	// Remove are the paths of what the release has that is taken out first.
	Remove []string
	// Mask are the paths of values whose texts must be in no error.
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

// Operations returns the operations of this domain by name. They change the cluster: hand them to apply alone.
func Operations(t Tools) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationRepair:  revision.Repair{Releases: t.Releases},
		OperationUpgrade: upgrade{t},
	}
}

type upgrade struct{ tools Tools }

// Run installs or upgrades with the very version and archive of the plan.
func (o upgrade) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[upgradeArgs](step)
	if err != nil {
		return err
	}
	ground, err := revision.Planned(step)
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
	if o.tools.Releases == nil {
		return providers.ErrNoCluster
	}
	return o.tools.Releases.Upgrade(ctx, Upgrade{
		Namespace: args.Namespace, Release: args.Release, Install: args.Install, CreateNamespace: args.CreateNamespace,
		Source: args.Source, Version: args.Version, SHA256: args.SHA256,
		Values: wanted, Remove: s.SecretMaps(), Mask: s.Paths(), Revision: *ground.Revision,
		Wait: args.Wait, Atomic: args.Atomic, Timeout: time.Duration(args.Timeout),
	}, progress)
}
