package akash

import (
	"context"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
)

type define struct{ tools Tools }

// Run applies the definitions of the block, which must be the very text that the plan was made with.
func (o define) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return err
	}
	s, err := o.tools.spec(step)
	if err != nil {
		return err
	}
	if s.Definitions == nil {
		return fmt.Errorf("%s: the block no longer names definitions; plan again", step.ID)
	}
	text := s.Definitions.Text
	if s.Definitions.URL != "" {
		d := o.tools.Downloads.Download(ctx, facts.DownloadQuestion{URL: s.Definitions.URL})
		if d.Unknown != "" {
			return fmt.Errorf("fetching the definitions from %s: %s", s.Definitions.URL, d.Unknown)
		}
		text = d.Text
	}
	if found := digest([]byte(text)); found != args.SHA256 {
		return fmt.Errorf("the definitions have the SHA-256 %s, and the plan was made with %s; plan again", found,
			args.SHA256)
	}
	if _, err := readDefinitions(text); err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	return o.tools.Definers.ApplyDefinitions(ctx, []byte(text), progress)
}

type operate struct{ tools Tools }

// Run upgrades an operator with the values that it has, and goes back where the upgrade fails or its pods do not get
// ready.
func (o operate) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[operatorArgs](step)
	if err != nil {
		return err
	}
	ground, err := revision.Planned(step)
	if err != nil {
		return err
	}
	question := facts.ReleaseQuestion{Namespace: args.Namespace, Name: args.Release}
	was, err := o.tools.see(ctx, question)
	if err != nil {
		return err
	}
	if err := o.tools.Releases.Upgrade(ctx, Upgrade{
		Namespace: args.Namespace, Release: args.Release, Chart: args.Chart, SHA256: args.SHA256, Revision: *ground.Revision, Timeout: time.Duration(args.Timeout),
	}, progress); err != nil {
		return err
	}
	return o.tools.proveOrGoBack(ctx, was, progress, func() error {
		release, err := o.tools.see(ctx, question)
		if err != nil {
			return err
		}
		return operatorRuns(release, args)
	})
}
