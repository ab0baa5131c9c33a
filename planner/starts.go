package planner

import (
	"time"

	"upkeep/planner/window"
	"upkeep/providers"
)

// starts tells when resources may act. It looks openings up once for each calendar and some months, so it is for one
// goroutine.
type starts struct {
	metas metas
	known map[string]started
}

// started are the openings of a calendar, good for questions until a time.
type started struct {
	providers.Start
	until time.Time
}

func startsOf(m metas) *starts { return &starts{metas: m, known: map[string]started{}} }

// of is when the disruptive steps of a resource may begin at a time or later, whatever they interrupt.
func (s *starts) of(resource providers.Address, now time.Time) providers.Start {
	c := window.Of(s.metas.windows, s.metas.of[resource].Windows,
		window.Subject{Type: resource.Type, Address: resource.String()})
	if !c.Bound() {
		return providers.Start{}
	}
	name := c.Name()
	out, known := s.known[name]
	if known && now.Before(out.until) {
		return out.Start
	}
	out = started{providers.Start{Bound: true}, now.Add(horizon / 4)}
	end := now.Add(horizon)
	found := c.Openings(now, end)
	if n := len(found); n < 2 || found[n-2].From.Before(out.until) {
		for _, o := range c.Next(end, 2) { // of a window that opens once a year, the next but one lies beyond
			if len(found) == 0 || o.From.After(found[len(found)-1].From) {
				found = append(found, o)
			}
		}
	}
	out.Openings = make([]providers.Opening, 0, len(found))
	for _, o := range found {
		out.Openings = append(out.Openings, providers.Opening{From: o.From, Until: o.Until})
	}
	s.known[name] = out
	return out.Start
}
