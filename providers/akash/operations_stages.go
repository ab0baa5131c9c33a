package akash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

type define struct{ tools Tools }

// Run applies the definitions of the block, which must be the very text that the plan was made with.
func (o define) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := arguments[definitionsArgs](step)
	if err != nil {
		return err
	}
	s, err := o.tools.spec(step)
	if err != nil {
		return err
	}
	if s.Definitions == nil {
		return fmt.Errorf("%s: the block names no definitions any more; plan again", step.ID)
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
		return fmt.Errorf("the definitions have the SHA-256 %s, and the plan was made with %s; plan again", found, args.SHA256)
	}
	if _, err := readDefinitions(text); err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	return o.tools.Definers.ApplyDefinitions(ctx, []byte(text), progress)
}

type operate struct{ tools Tools }

// Run upgrades an operator with the values that it has, and goes back where the upgrade fails or its pods do not get ready.
func (o operate) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := arguments[operatorArgs](step)
	if err != nil {
		return err
	}
	text, _ := expected(step, expectRevision)
	revision, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s: the plan does not say which revision it was made for; plan again", step.ID)
	}
	was := o.observe(ctx, args)
	back, canGoBack := was.LastDeployed()
	if err := o.tools.Releases.Upgrade(ctx, Upgrade{
		Namespace: args.Namespace, Release: args.Release, Chart: args.Chart, SHA256: args.SHA256, Revision: revision, Timeout: upgradeTimeout,
	}, progress); err != nil {
		return err
	}
	failure := o.prove(ctx, args)
	if failure == nil || !canGoBack {
		return failure
	}
	say(progress, fmt.Sprintf("%v; going back to revision %d", failure, back.Revision))
	if err := o.tools.Releases.Rollback(context.WithoutCancel(ctx), args.Namespace, args.Release, back.Revision, progress); err != nil {
		return fmt.Errorf("%w; going back to revision %d failed as well: %w", failure, back.Revision, err)
	}
	return fmt.Errorf("%w; %s was rolled back to revision %d", failure, args.Release, back.Revision)
}

func (o operate) observe(ctx context.Context, args operatorArgs) facts.Release {
	return o.tools.Releases.Observe(ctx, facts.ReleaseQuestion{Namespace: args.Namespace, Name: args.Release})
}

// prove waits until the operator runs.
func (o operate) prove(ctx context.Context, args operatorArgs) error {
	end := o.tools.Now().Add(proofTimeout)
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		release := o.observe(ctx, args)
		err := operatorRuns(release, args)
		if release.Unknown != "" {
			err = errors.New(release.Unknown)
		}
		if err == nil {
			return nil
		}
		if o.tools.Now().Add(pause).After(end) {
			return fmt.Errorf("the upgrade ended well, and %s after it %w", proofTimeout, err)
		}
		if waited := o.tools.Sleep(ctx, pause); waited != nil {
			return errors.Join(err, waited)
		}
	}
}
