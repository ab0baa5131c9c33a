package window

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers/strictjson"
)

// Window is a block as it was decoded. It is made by New or by Restore, for it holds more than its JSON does.
type Window struct {
	Name string `json:"name"` // "weekly"; with its key where the block has for_each: `nights["eu"]`
	// Deny: nothing may start while it is open, whatever else is open.
	Deny     bool   `json:"deny,omitempty"`
	Timezone string `json:"timezone"` // of the IANA database
	// Either Cron and Duration, or From and Until.
	Cron     string          `json:"cron,omitempty"`
	Duration config.Duration `json:"duration,omitempty"`
	From     string          `json:"from,omitempty"`
	Until    string          `json:"until,omitempty"`
	// Overrun is what may go on past the edge: "node", the stretch of a node that has begun, or "plan", the plan
	// that has.
	Overrun string `json:"overrun,omitempty"`
	// MaxNodes is how many nodes may be in progress at a time in this window, over all blocks that use it; 0: their
	// own limits.
	MaxNodes int `json:"max_nodes,omitempty"`
	// AppliesTo chooses what the window is for without being named there.
	AppliesTo Selector        `json:"applies_to,omitzero"`
	Position  config.Position `json:"position,omitzero"`

	cron cron
	span span
	zone *time.Location
}

// What may go on past the edge.
const (
	OverrunNode = "node"
	OverrunPlan = "plan"
)

// Selector chooses resources and steps. What is empty chooses all.
type Selector struct {
	// Labels are those that the Kubernetes node of a step must have, all of them.
	Labels     map[string]string `json:"labels,omitempty"`
	Types      []string          `json:"types,omitempty"`      // "certificates"
	Blocks     []string          `json:"blocks,omitempty"`     // their addresses: "certificates.control_plane"
	Operations []string          `json:"operations,omitempty"` // "certificates.restart"
}

// Problem is what is wrong with an argument of a window.
type Problem struct {
	Argument string
	Err      error
}

// Address is how other blocks name the window.
func (w *Window) Address() string { return Type + "." + w.Name }

// New checks a window and makes it ready for use. It returns all that is wrong, each with its argument.
func New(w Window) (*Window, []Problem) {
	var problems []Problem
	wrong := func(argument, format string, args ...any) {
		problems = append(problems, Problem{argument, fmt.Errorf(format, args...)})
	}
	var err error
	if w.zone, err = loadZone(w.Timezone); err != nil {
		wrong("timezone", "%w", err)
	}
	switch {
	case w.Cron != "" && (w.From != "" || w.Until != ""):
		wrong("cron", "a window opens by \"cron\" and \"duration\", or by \"from\" and \"until\"; this has both")
	case w.Cron != "":
		if w.cron, err = parseCron(w.Cron); err != nil {
			wrong("cron", "%w", err)
		} else if n := len(w.cron.minutes); n > mostADay {
			wrong("cron", "%q opens %d times a day, and %d is the most; write a longer duration", w.Cron, n, mostADay)
		}
		if w.Duration < config.Duration(time.Minute) {
			wrong("duration", "a window that opens by \"cron\" needs a duration of at least a minute, such as \"4h\"")
		} else if w.Duration > config.Duration(longest) {
			wrong("duration", "%s is longer than a year; write \"from\" and \"until\", or window = \"always\" in the block", w.Duration)
		}
	case w.From != "" && w.Until != "":
		if w.span, err = parseSpan(w.From, w.Until); err != nil {
			wrong("until", "%w", err)
		}
		if w.Duration != 0 {
			wrong("duration", "\"duration\" belongs to \"cron\"; this window ends at \"until\"")
		}
	case w.From != "" || w.Until != "":
		wrong(map[bool]string{true: "from", false: "until"}[w.From != ""], "\"from\" and \"until\" are needed both")
	default:
		wrong("", "nothing says when it opens; write cron = \"0 2 * * SUN\" and duration = \"4h\", or \"from\" and \"until\"")
	}
	switch {
	case w.Overrun == "":
		w.Overrun = OverrunNode
	case w.Overrun != OverrunNode && w.Overrun != OverrunPlan:
		wrong("overrun", "%q is neither %q nor %q", w.Overrun, OverrunNode, OverrunPlan)
	}
	for _, key := range slices.Sorted(maps.Keys(w.AppliesTo.Labels)) {
		if err := checkLabel(key, w.AppliesTo.Labels[key]); err != nil {
			wrong("applies_to", "%w", err)
		}
	}
	if w.MaxNodes < 0 {
		wrong("max_nodes", "at least one node must be allowed, and this says %d", w.MaxNodes)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return &w, nil
}

// longest is how long one opening may be, and mostADay how often a window may open on a day: every five minutes is no
// maintenance window, and more would make it dear to look years ahead.
const (
	longest  = 366 * 24 * time.Hour
	mostADay = 24 * 60 / 5
)

// Restore reads back the JSON of a window.
func Restore(data json.RawMessage) (any, error) {
	var w Window
	if err := strictjson.Decode(data, &w); err != nil {
		return nil, err
	}
	out, problems := New(w)
	if len(problems) > 0 {
		var all []error
		for _, p := range problems {
			all = append(all, fmt.Errorf("%s: %w", p.Argument, p.Err))
		}
		return nil, errors.Join(all...)
	}
	return out, nil
}

// Subject is what a window may hold for: a step or, where Operation and Node are empty, a block as such.
type Subject struct {
	Type    string // "certificates"
	Address string // of the block: "certificates.control_plane"
	// Operation of the step: "certificates.restart". It stands for what the step interrupts.
	Operation string
	// Node is where the step runs; empty: the step is for no node. Labels are those of the Kubernetes node.
	Node   string
	Labels map[string]string
	// LabelsUnknown: Kubernetes was not asked for the labels of nodes, or did not tell them.
	LabelsUnknown bool
}

// Applies reports whether the selector chooses a subject. A block as such is not chosen by operations or labels, which
// only its steps have. A node whose labels are unknown may have those of the selector, so it is chosen.
func (s Selector) Applies(to Subject) bool {
	return (len(s.Types) == 0 || slices.Contains(s.Types, to.Type)) &&
		(len(s.Blocks) == 0 || slices.Contains(s.Blocks, to.Address)) &&
		(len(s.Operations) == 0 || slices.Contains(s.Operations, to.Operation)) &&
		(len(s.Labels) == 0 || s.labelled(to))
}

func (s Selector) labelled(to Subject) bool {
	if to.Node == "" || to.LabelsUnknown {
		return to.Node != ""
	}
	for key, value := range s.Labels {
		if has, is := to.Labels[key]; !is || has != value {
			return false
		}
	}
	return true
}

// String tells what the selector chooses: "types certificates; operations certificates.restart".
func (s Selector) String() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"types", s.Types}, {"blocks", s.Blocks}, {"operations", s.Operations}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+" "+strings.Join(p.names, ", "))
		}
	}
	if len(s.Labels) > 0 {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
			pairs = append(pairs, key+"="+s.Labels[key])
		}
		parts = append(parts, "nodes with the labels "+strings.Join(pairs, ", "))
	}
	return strings.Join(parts, "; ")
}

// Empty reports whether it chooses everything.
func (s Selector) Empty() bool {
	return len(s.Types)+len(s.Blocks)+len(s.Operations)+len(s.Labels) == 0
}

// Openings returns when the window is open at some time from `from` until just before `until`: in order, apart, and
// not cut off at these ends. Openings that meet or overlap are one; of one that has been open for longer than the
// window's duration and some days, the beginning is not looked for.
func (w *Window) Openings(from, until time.Time) []Opening {
	if !from.Before(until) {
		return nil
	}
	var out []Opening
	add := func(start, end int64) bool {
		if start >= until.Unix() {
			return false
		}
		out = join(out, Opening{time.Unix(start, 0).UTC(), time.Unix(end, 0).UTC()})
		return true
	}
	clock := wall{loc: w.zone}
	if w.Cron == "" {
		for year := from.In(w.zone).Year() - 2; year <= until.In(w.zone).Year()+1; year++ {
			if start, end, ok := w.span.in(year); ok && !add(clock.instant(start), clock.instant(end)) {
				break
			}
		}
		return since(out, from)
	}
	length := int64(time.Duration(w.Duration) / time.Second)
	last := dayOf(until.In(w.zone)).number + 1
	for d := dayOf(from.Add(-time.Duration(w.Duration) - 2*24*time.Hour).In(w.zone)); d.number <= last; d = d.next() {
		if !w.cron.on(d) {
			continue
		}
		for _, minute := range w.cron.minutes {
			start := clock.instant(d.at(minute))
			if !add(start, start+length) {
				return since(out, from)
			}
		}
	}
	return since(out, from)
}
