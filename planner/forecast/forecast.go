// Package forecast turns the course of a cluster into what a person wants to know of the year ahead, month by month:
// what upkeep will do in which window, what a person must do, what no window reaches in time, and what is never used.
//
// It is pure: the same plan and course give the same forecast. It does not walk: planner.Walk does. A forecast is no
// promise: it supposes that upkeep applies what is due, that every step succeeds, and that nothing else happens.
package forecast

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"upkeep/planner"
	"upkeep/providers"
)

// Forecast is the time ahead, as data.
type Forecast struct {
	FormatVersion string    `json:"format_version"` // "1.0"
	Version       string    `json:"upkeep_version,omitempty"`
	From          time.Time `json:"from"`
	Until         time.Time `json:"until"`
	Timezone      string    `json:"timezone"` // of the months
	// Unknown is what could not be checked: nothing is forecast of it.
	Unknown []planner.Unknown `json:"unknown,omitempty"`
	// Repeats is work that comes again and again, which Months leave out.
	Repeats []Repeat `json:"repeats,omitempty"`
	Months  []Month  `json:"months,omitempty"`
	// Missed is what no window reaches in time, or at all.
	Missed []Missed `json:"missed,omitempty"`
	// Unused are the addresses of windows in which nothing begins.
	Unused []string `json:"unused,omitempty"`
}

// Repeat is one operation that a block does many times.
type Repeat struct {
	Address   string    `json:"address"`
	Operation string    `json:"operation"`
	Summary   string    `json:"summary"` // of the first time
	Times     int       `json:"times"`
	First     time.Time `json:"first"`
	Every     float64   `json:"every_seconds"` // the median
	Window    string    `json:"window,omitempty"`
}

// Month is what happens in one month.
type Month struct {
	Name    string  `json:"month"` // "2026-12"
	Entries []Entry `json:"entries"`
}

// What an entry is about.
const (
	Upkeep = "upkeep" // upkeep does it
	Person = "person" // a person must
	Ends   = "ends"   // something leaves support
)

// Entry is one thing that happens.
type Entry struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	Ends time.Time `json:"ends,omitzero"` // of work
	// Address is the block; Nodes are those that it is about.
	Address string   `json:"address,omitempty"`
	Nodes   []string `json:"nodes,omitempty"`
	// Window is where the work waited for one; Due since when it was due.
	Window string    `json:"window,omitempty"`
	Due    time.Time `json:"due,omitzero"`
	// What says what is done, one summary a line; or what is found.
	What        []string `json:"what"`
	Disruptions []string `json:"disruptions,omitempty"`
	// Finding, Severity and Objects are of what a person must do.
	Finding  string             `json:"finding,omitempty"`
	Severity providers.Severity `json:"severity,omitempty"`
	Objects  []string           `json:"objects,omitempty"`
	Hint     string             `json:"hint,omitempty"`
	Source   string             `json:"source,omitempty"` // of a date of support
}

// Missed is work that no window reaches, or reaches too late.
type Missed struct {
	Address string    `json:"address"`
	Nodes   []string  `json:"nodes,omitempty"`
	Window  string    `json:"window,omitempty"`
	Due     time.Time `json:"due"`
	Late    time.Time `json:"late,omitzero"` // when it was too late
	What    string    `json:"what"`
	Why     string    `json:"why"`
}

// often is how many times an operation of a block must come to be told in one line.
const often = 4

// Make says what a course means. The plan is that of its beginning, for what is not known.
func Make(p planner.Plan, c planner.Course, zone *time.Location) Forecast {
	f := Forecast{FormatVersion: "1.0", From: c.From, Until: c.Until, Timezone: zone.String(), Unknown: unknown(p)}
	repeated := f.repeats(c)
	months := map[string]*Month{}
	add := func(e Entry) {
		name := e.At.In(zone).Format("2006-01")
		if months[name] == nil {
			months[name] = &Month{Name: name}
		}
		months[name].Entries = append(months[name].Entries, e)
	}
	for _, run := range c.Runs {
		for _, e := range work(run, repeated) {
			add(e)
		}
	}
	for _, e := range duties(c) {
		add(e)
	}
	for _, e := range support(p, c) {
		add(e)
	}
	for _, m := range months {
		slices.SortStableFunc(m.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
		f.Months = append(f.Months, *m)
	}
	slices.SortFunc(f.Months, func(a, b Month) int { return strings.Compare(a.Name, b.Name) })
	f.Missed = missed(c)
	for _, w := range c.Unused(p.Request) {
		f.Unused = append(f.Unused, w.Address())
	}
	return f
}

// unknown are the nodes of which nothing is known, and what else could not be checked.
func unknown(p planner.Plan) []planner.Unknown {
	out := slices.DeleteFunc(p.Unknown(), func(u planner.Unknown) bool { return u.Exempt != "" })
	known := map[string]bool{}
	for _, u := range out {
		known[u.Name] = true
	}
	for _, finding := range p.Findings {
		if !finding.Unknown || known[finding.Address.Node] {
			continue
		}
		name := finding.Address.String()
		if finding.Object != "" {
			name += " " + finding.Object
		}
		if !known[name] {
			known[name] = true
			out = append(out, planner.Unknown{Name: name, Why: finding.Summary})
		}
	}
	return out
}

// kind is one operation of one block.
type kind struct {
	address   providers.Address
	operation string
}

func kindOf(s planner.Ran) kind { return kind{s.Address.Resource(), s.Operation} }

// repeats finds the work that comes often and interrupts nothing, and returns it by what it is.
func (f *Forecast) repeats(c planner.Course) map[kind]bool {
	times := map[kind][]planner.Ran{}
	var order []kind
	disrupts := map[kind]bool{}
	for _, run := range c.Runs {
		for _, s := range run.Steps {
			k := kindOf(s)
			if len(times[k]) == 0 {
				order = append(order, k)
			}
			times[k] = append(times[k], s)
			disrupts[k] = disrupts[k] || s.Disruption != ""
		}
	}
	out := map[kind]bool{}
	for _, k := range order {
		all := times[k]
		if len(all) < often || disrupts[k] || all[0].ID != all[1].ID || all[0].Address.Node != "" {
			continue
		}
		out[k] = true
		var gaps []time.Duration
		for i := 1; i < len(all); i++ {
			gaps = append(gaps, all[i].Begins.Sub(all[i-1].Begins))
		}
		slices.Sort(gaps)
		f.Repeats = append(f.Repeats, Repeat{
			Address: k.address.String(), Operation: k.operation, Summary: all[0].Summary,
			Times: len(all), First: all[0].Begins,
			Every: gaps[len(gaps)/2].Round(time.Second).Seconds(), Window: all[0].Window,
		})
	}
	return out
}

// work is what a run does, an entry a block.
func work(run planner.Run, repeated map[kind]bool) (out []Entry) {
	place := map[providers.Address]int{}
	for _, s := range run.Steps {
		if repeated[kindOf(s)] {
			continue
		}
		block := s.Address.Resource()
		i, known := place[block]
		if !known {
			i = len(out)
			place[block] = i
			out = append(out, Entry{Kind: Upkeep, At: s.Begins, Address: block.String(), Due: s.Due})
		}
		e := &out[i]
		if s.Begins.Before(e.At) {
			e.At = s.Begins
		}
		if s.Due.Before(e.Due) {
			e.Due = s.Due
		}
		if s.Ends.After(e.Ends) {
			e.Ends = s.Ends
		}
		e.Window = cmp.Or(e.Window, s.Window)
		e.Nodes = with(e.Nodes, s.Address.Node)
		e.What = with(e.What, s.Summary)
		e.Disruptions = with(e.Disruptions, s.Disruption)
	}
	return out
}

// with adds a word that is not there yet.
func with(words []string, word string) []string {
	if word == "" || slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}

// duties are the findings that no step of upkeep's ends.
func duties(c planner.Course) (out []Entry) {
	type fold struct {
		id, address, severity string
		since                 int64
	}
	place := map[fold]int{}
	mine := map[string]bool{} // objects for which upkeep does something, or will
	for _, run := range c.Runs {
		for _, s := range run.Steps {
			mine[s.Address.String()] = true
		}
	}
	for _, l := range c.Left {
		if l.Why == "" {
			mine[l.Address.String()] = true
		}
	}
	for _, f := range c.Found {
		if f.ByStep || f.Finding.Unknown || f.Finding.Foretold || f.Finding.Severity == providers.SeverityNote || f.Waits != "" ||
			f.Finding.ByItself && f.Since.After(c.From) {
			continue
		}
		if f.Gone.IsZero() && f.Finding.Hint == "" && mine[f.Finding.Address.String()] {
			continue // its time only lies beyond the end
		}
		if !f.Gone.IsZero() && f.Finding.Hint == "" {
			continue // it became another one
		}
		k := fold{f.Finding.ID, f.Finding.Address.Resource().String(), string(f.Finding.Severity), f.Since.Unix()}
		i, known := place[k]
		if !known {
			i = len(out)
			place[k] = i
			out = append(out, Entry{
				Kind: Person, At: f.Since, Address: k.address, Finding: f.Finding.ID, Severity: f.Finding.Severity,
				What: []string{f.Finding.Summary}, Hint: f.Finding.Hint,
			})
		}
		out[i].Nodes = with(out[i].Nodes, f.Finding.Address.Node)
		out[i].Objects = with(out[i].Objects, f.Finding.Object)
	}
	return out
}

// missed is what no window reaches in time: the same on many nodes once.
func missed(c planner.Course) (out []Missed) {
	add := func(m Missed, node string) {
		i := slices.IndexFunc(out, func(o Missed) bool {
			return o.Address == m.Address && o.Window == m.Window && o.What == m.What && o.Why == m.Why &&
				o.Due.Equal(m.Due) && o.Late.Equal(m.Late)
		})
		if i < 0 {
			i = len(out)
			out = append(out, m)
		}
		out[i].Nodes = with(out[i].Nodes, node)
	}
	for _, f := range c.Found {
		if f.Waits != "" {
			add(Missed{
				Address: f.Finding.Address.Resource().String(), Window: f.Waits, Late: f.Since, Due: f.Since,
				What: strings.TrimSpace(f.Finding.ID + " " + f.Finding.Object),
				Why:  "no opening of " + f.Waits + " comes earlier",
			}, f.Finding.Address.Node)
		}
	}
	for _, l := range c.Left {
		if l.Why != "" {
			add(Missed{
				Address: l.Address.Resource().String(), Window: l.Window, Due: l.Due, What: l.Summary, Why: l.Why,
			}, l.Address.Node)
		}
	}
	return out
}
