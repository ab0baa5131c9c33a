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
	limit := r.within(settle)
	told := ""
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := r.proveNow(ctx, before, step)
		if err == nil {
			return nil
		}
		if limit.ends(pause) {
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

// deadline is when looking again and again ends. Pauses count beside the clock: one that stands still, or is set back,
// never comes to an end by itself.
type deadline struct {
	now  func() time.Time
	end  time.Time
	left time.Duration
}

func (r *run) within(d time.Duration) deadline { return deadline{r.now, r.now().Add(d), d} }

// ends reports whether the next pause leads beyond the deadline, and else counts the pause.
func (d *deadline) ends(pause time.Duration) bool {
	d.left -= pause
	return d.left < 0 || d.now().Add(pause).After(d.end)
}
