package apply

import (
	"context"
	"fmt"
	"time"

	"upkeep/providers"
)

// prove looks until what was predicted is so, or the time to settle is over. It holds no session while it waits.
func (r *run) prove(ctx context.Context, before providers.Input, step providers.Step, report providers.Progress) error {
	settle := max(r.Limits.withDefaults().Settle, step.SettleDuration())
	end := r.now().Add(settle)
	told := ""
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := r.proveNow(ctx, before, step)
		if err == nil {
			return nil
		}
		if r.now().Add(pause).After(end) {
			return fmt.Errorf("it ran, and its effect was not proved within %s: %w", settle, err)
		}
		if text := err.Error(); text != told {
			report("not proved yet: " + text)
			told = text
		}
		if r.tasks.Sleep(ctx, pause) != nil {
			return fmt.Errorf("it ran, and was not proved before the end: %w", err)
		}
	}
}

func (r *run) proveNow(ctx context.Context, before providers.Input, step providers.Step) error {
	after, err := r.observe(ctx, step)
	if err != nil {
		return err
	}
	if err := sameCluster(r.plan.Request.Identity(), identityOf(after)); err != nil {
		return err
	}
	return r.Effects[step.Operation].Proved(before, after, step)
}
