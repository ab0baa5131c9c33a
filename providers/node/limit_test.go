package node

import (
	"context"
	"testing"
	"time"

	"upkeep/providers/node/protocol"
)

// CallRow is CallFenced by a row that the table does not have.
func (c *Client) CallRow(ctx context.Context, t Target, row protocol.Row, request, result any, progress func(string)) error {
	return c.call(ctx, t, row, row.Name, request, result, progress, nil)
}

// A request carries what is left to its step, bounded by its row; the client waits for as long as that, and a little longer.
func TestARequestSaysHowLongItMayTake(t *testing.T) {
	named := protocol.Run{Lineage: "l", Generation: 1, Plan: "p", Step: "s"}
	row := protocol.Row{Name: "m", Limit: 15 * time.Minute, Unit: &protocol.Unit{Most: time.Hour}}
	for _, test := range []struct {
		name    string
		left    time.Duration // until the context ends; 0: it does not
		row     protocol.Row
		run     protocol.Run
		limit   int
		patient time.Duration
	}{
		{"no step", 0, row, named, 0, 18*time.Minute + 30*time.Second},
		{"a short one", 10 * time.Minute, row, named, 600, 13*time.Minute + 30*time.Second},
		{"a long one", 40 * time.Minute, row, named, 2400, 43*time.Minute + 30*time.Second},
		{"too long a one", 5 * time.Hour, row, named, 3600, time.Hour + 3*time.Minute + 30*time.Second},
		{"at its end", time.Nanosecond, row, named, 1, time.Second + 3*time.Minute + 30*time.Second},
		{"no run", 40 * time.Minute, row, protocol.Run{}, 0, 18*time.Minute + 30*time.Second},
		{"in the session", 40 * time.Minute, protocol.Row{Name: "m", Limit: 30 * time.Second}, named, 0, 30 * time.Second},
		{"unknown to the table", 40 * time.Minute, protocol.Row{}, named, 0, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			if test.left > 0 {
				bounded, cancel := context.WithTimeout(ctx, test.left)
				defer cancel()
				ctx = bounded
			}
			request := timed(ctx, test.row, protocol.RepairRequest{Run: test.run, Step: test.run.Step, Intent: "i"})
			want := protocol.RepairRequest{Run: test.run, Step: test.run.Step, Intent: "i"}
			want.Run.Limit = test.limit
			// Time passes between the making of the context and the look at it.
			if got := request.(protocol.RepairRequest); got.Run.Limit == test.limit-1 && test.limit > 1 {
				want.Run.Limit--
				test.patient -= time.Second
			}
			if request != any(want) {
				t.Errorf("request %+v, want %+v", request, want)
			}
			if got := New(Options{}).patience(test.row, runOf(request)); got != test.patient {
				t.Errorf("it is waited for %s, want %s", got, test.patient)
			}
		})
	}
	c := New(Options{AnswerTimeout: time.Second, MutationTimeout: 2 * time.Second})
	if a, b := c.patience(protocol.Row{Name: "m", Limit: time.Minute}, named), c.patience(row, named); a != time.Second || b != 2*time.Second {
		t.Errorf("with options: %s and %s", a, b)
	}
	if got := timed(context.Background(), row, "no request"); got != any("no request") || runOf(got) != (protocol.Run{}) {
		t.Errorf("%v", got)
	}
}
