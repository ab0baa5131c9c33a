package report

import (
	"slices"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
)

// StatusJSON lists every object that is watched, healthy or not.
type StatusJSON struct {
	FormatVersion string `json:"format_version"` // "1.0"
	Version       string `json:"upkeep_version,omitempty"`
	// Status is "error", "unknown", "drift" (something is due) or "none".
	Status     Verdict   `json:"status"`
	Timestamp  time.Time `json:"timestamp"`
	ObservedAt time.Time `json:"observed_at"`
	Recorded   bool      `json:"recorded,omitempty"`
	// AgeSeconds is how old the facts are where they are shown, if they were not observed just for that.
	AgeSeconds int64            `json:"age_seconds,omitempty"`
	Identity   planner.Identity `json:"identity"`
	Nodes      []Node           `json:"nodes"`
	Out        []config.Out     `json:"out"`
	Objects    []Object         `json:"objects"`
	// Errors are the findings about what is broken and is none of the objects.
	Errors  []providers.Finding `json:"errors"`
	Unknown []planner.Unknown   `json:"unknown"`
	// Waits are the steps that an earlier apply left waiting.
	Waits []Wait `json:"waits,omitempty"`
	// Counts counts the objects by status.
	Counts map[string]int `json:"counts"`
	// NextDue is what time alone brings next; absent where nothing is in sight.
	NextDue *planner.NextDue `json:"next_due,omitempty"`
}

// Object is one watched object.
type Object struct {
	Address providers.Address `json:"address"`
	Node    string            `json:"node,omitempty"`
	Name    string            `json:"name"`
	Path    string            `json:"path,omitempty"`
	// Status is "ok", "due", "expired", "problem", "missing" or "unknown".
	Status string `json:"status"`
	// Severity is how bad that is.
	Severity Level `json:"severity"`
	// Exempt says who exempted the object: "ignore.NAME". Empty: it counts.
	Exempt string `json:"exempt,omitempty"`
	// Expires and LeftSeconds are absent where the object does not expire, or where that is unknown.
	Expires     time.Time `json:"expires,omitzero"`
	LeftSeconds *int64    `json:"left_seconds,omitempty"`
	Authority   string    `json:"authority,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	// FirstSeen is when something about it was first found; absent where that is not known, or nothing was.
	FirstSeen time.Time `json:"first_seen,omitzero"`
}

// Level is how bad something is, in the words that every format uses.
type Level string

// The levels, the worst first.
const (
	LevelError   Level = "error"
	LevelUnknown Level = "unknown"
	LevelWarning Level = "warning"
	LevelNote    Level = "note"
	LevelOK      Level = "ok"
)

// LevelOf is the level of a finding: what could not be checked is neither an error nor a warning.
func LevelOf(f providers.Finding) Level {
	switch {
	case f.Unknown:
		return LevelUnknown
	case f.Severity == providers.SeverityError:
		return LevelError
	case f.Severity == providers.SeverityWarning:
		return LevelWarning
	}
	return LevelNote
}

// expired is the status of an object whose time is over, whatever else is wrong with it.
const expired = "expired"

// levelOf is the level of an object by its status.
func levelOf(status string) Level {
	switch status {
	case "ok":
		return LevelOK
	case "due":
		return LevelWarning
	case "unknown":
		return LevelUnknown
	}
	return LevelError
}

// Status returns the objects of a plan, in the plan's order.
func Status(p planner.Plan) StatusJSON {
	all := Plan(p)
	s := StatusJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, Status: Well, Timestamp: p.CreatedAt, ObservedAt: all.Upkeep.ObservedAt, Recorded: all.Upkeep.Recorded,
		Identity: all.Upkeep.Identity, Nodes: all.Upkeep.Nodes, Out: all.Upkeep.Out, Objects: []Object{}, Errors: []providers.Finding{},
		Unknown: all.Upkeep.Unknown, Counts: map[string]int{},
	}
	levels := map[Level]int{}
	for _, o := range p.Objects {
		object := objectOf(o, p)
		s.Counts[object.Status]++
		if object.Exempt == "" {
			levels[object.Severity]++
		}
		s.Objects = append(s.Objects, object)
	}
	for _, f := range p.Findings {
		if LevelOf(f) == LevelError && !slices.ContainsFunc(s.Objects, func(o Object) bool { return o.shows(f) }) {
			s.Errors = append(s.Errors, f)
		}
	}
	switch {
	case levels[LevelError]+len(s.Errors) > 0:
		s.Status = Failed
	case levels[LevelUnknown] > 0, drifted(p) == Unsure:
		s.Status = Unsure
	case levels[LevelWarning] > 0:
		s.Status = Drifted
	}
	return s
}

func objectOf(o providers.Object, p planner.Plan) Object {
	object := Object{
		Address: o.Address, Node: o.Address.Node, Name: o.Name, Path: o.Path, Status: o.Status, Expires: o.Expires, Authority: o.Authority, Detail: o.Detail,
	}
	if !o.Expires.IsZero() {
		left := int64(o.Expires.Sub(p.Request.Now) / time.Second)
		object.LeftSeconds = &left
		if left <= 0 && o.Status != "unknown" && o.Status != "missing" {
			object.Status = expired
		}
	}
	object.Severity = levelOf(object.Status)
	if i := slices.IndexFunc(p.Ignored, func(i planner.Ignored) bool { return i.By != "" && object.shows(i.Finding) }); i >= 0 {
		object.Exempt = "ignore." + p.Ignored[i].By
	}
	return object
}

// shows reports whether the line of an object tells what a finding is about.
func (o Object) shows(f providers.Finding) bool {
	if o.Severity == LevelOK || f.Address != o.Address {
		return false
	}
	return f.Object == o.Name || f.Object == o.Path && o.Path != "" || f.Object == "" && o.Severity == LevelOf(f)
}

// At returns the report as shown at a time; see PlanJSON.At.
func (s StatusJSON) At(now time.Time) StatusJSON {
	s.AgeSeconds = ageOf(s.ObservedAt, now)
	return s
}
