package text

import (
	"fmt"
	"strings"
	"time"

	"upkeep/planner"
)

// nextDue says what time alone brings next.
func (p *page) nextDue(due *planner.NextDue, now time.Time) {
	if due == nil {
		return
	}
	var blocks []string
	for _, f := range due.Findings {
		what := f.ID + " " + f.Address.Resource().String()
		if len(blocks) == 0 || blocks[len(blocks)-1] != what {
			blocks = append(blocks, what)
		}
	}
	what := clean(few(blocks, ", ", 3, p.Verbose))
	if len(due.Steps) > 0 {
		what = strings.TrimPrefix(what+": ", ": ") + clean(few(due.Steps, ", ", 2, p.Verbose))
	}
	p.line()
	p.wrapped("", "Next due: ", fmt.Sprintf("in %s (%s), %s. The rest: `upkeep forecast`",
		span(due.At.Sub(now)), minuteAfter(due.At).Format("2006-01-02 15:04 UTC"), what))
}
