package node

import (
	"context"
	"math"
	"time"

	"upkeep/providers/node/protocol"
)

// runOf returns the run that a request names.
func runOf(request any) protocol.Run {
	if r, ok := request.(protocol.Changing); ok {
		return r.BelongsTo()
	}
	return protocol.Run{}
}

// timed returns a request that says how long it may take: what is left of the context, in whole seconds.
func timed(ctx context.Context, row protocol.Row, request any) any {
	end, bounded := ctx.Deadline()
	r, ok := request.(protocol.Changing)
	if !bounded || !ok || row.Unit == nil || r.BelongsTo() == (protocol.Run{}) {
		return request
	}
	run := r.BelongsTo()
	run.Limit = max(1, int(math.Ceil(min(time.Until(end), row.Unit.Most).Seconds())))
	return r.InRun(run)
}

// patience is how long an answer is waited for: a little longer than the helper waits, which has more to say of why.
func (c *Client) patience(row protocol.Row, run protocol.Run) time.Duration {
	switch {
	case row.Unit == nil && row.Name != "":
		return orElse(c.options.AnswerTimeout, row.Limit)
	case row.Name == "":
		return c.enterTimeout()
	}
	return orElse(c.options.MutationTimeout, row.Patience(run)+endPatience)
}

// endPatience is how much longer an answer is waited for than the helper waits.
const endPatience = 30 * time.Second

// enterTimeout bounds the wait for a free session.
func (c *Client) enterTimeout() time.Duration {
	return orElse(c.options.MutationTimeout, 10*time.Minute)
}
