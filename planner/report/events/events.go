// Package events writes the events of a command as Terraform's machine-readable stream, one JSON object a line.
//
// It decides nothing and reads nothing; the clock that stamps events is given to it.
package events

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"upkeep/planner/report"
	"upkeep/providers"
)

// uiVersion is the version of Terraform's machine-readable UI that Stream follows
// (https://developer.hashicorp.com/terraform/internals/machine-readable-ui).
const uiVersion = "1.2"

// Stream writes the events of a command as Terraform's -json stream: one JSON object a line, the first of type "version".
// It may be used by several goroutines. The first error of the writer is kept and returned by every later call.
type Stream struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
	err error
}

// New returns a stream that stamps its events with a clock.
func New(w io.Writer, now func() time.Time) *Stream { return &Stream{w: w, now: now} }

// Hook is the step that an event is about.
type Hook struct {
	Step      string
	Address   providers.Address
	Operation string
	Action    string // "create", "update", "delete" or "no-op", as in providers.Step
	Summary   string
}

// HookOf returns the hook of a step.
func HookOf(s providers.Step) Hook {
	return Hook{Step: s.ID, Address: s.Address, Operation: s.Operation, Action: s.Action, Summary: s.Summary}
}

type (
	event struct {
		Level     string    `json:"@level"`
		Message   string    `json:"@message"`
		Module    string    `json:"@module"`
		Timestamp time.Time `json:"@timestamp"`
		Type      string    `json:"type"`
		// Exactly what the type has is set.
		Upkeep     string           `json:"upkeep,omitempty"`
		UI         string           `json:"ui,omitempty"`
		Change     *eventChange     `json:"change,omitempty"`
		Changes    *eventCounts     `json:"changes,omitempty"`
		Hook       *eventHook       `json:"hook,omitempty"`
		Diagnostic *eventDiagnostic `json:"diagnostic,omitempty"`
	}
	eventResource struct {
		Addr            string  `json:"addr"`
		Module          string  `json:"module"`
		Resource        string  `json:"resource"`
		ImpliedProvider string  `json:"implied_provider"`
		ResourceType    string  `json:"resource_type"`
		ResourceName    string  `json:"resource_name"`
		ResourceKey     *string `json:"resource_key"`
	}
	eventChange struct {
		Resource eventResource `json:"resource"`
		Action   string        `json:"action"`
		Reason   string        `json:"reason,omitempty"`
	}
	eventCounts struct {
		Add       int    `json:"add"`
		Change    int    `json:"change"`
		Import    int    `json:"import"`
		Remove    int    `json:"remove"`
		Operation string `json:"operation"`
	}
	eventHook struct {
		Resource       eventResource `json:"resource"`
		Action         string        `json:"action"`
		IDKey          string        `json:"id_key,omitempty"`
		IDValue        string        `json:"id_value,omitempty"`
		ElapsedSeconds *int64        `json:"elapsed_seconds,omitempty"`
		// Operation, Summary and Line are upkeep's own.
		Operation string `json:"operation,omitempty"`
		Summary   string `json:"summary,omitempty"`
		Line      string `json:"line,omitempty"`
	}
	eventDiagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
		Address  string `json:"address,omitempty"`
	}
)

func (e *Stream) write(ev event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	if ev.Level == "" {
		ev.Level = "info"
	}
	ev.Module = "upkeep.ui"
	ev.Timestamp = e.now().UTC()
	out := json.NewEncoder(e.w)
	out.SetEscapeHTML(false)
	e.err = out.Encode(ev)
	return e.err
}

// Version is the first event of every stream.
func (e *Stream) Version(version string) error {
	return e.write(event{Type: "version", Message: "upkeep " + version, Upkeep: version, UI: uiVersion})
}

// Planned writes a planned_change for each address of a plan, and its change_summary.
func (e *Stream) Planned(p report.PlanJSON) error {
	steps := map[string]providers.Step{}
	for _, s := range p.Upkeep.Steps {
		if _, seen := steps[s.Address.String()]; !seen {
			steps[s.Address.String()] = s
		}
	}
	for _, c := range p.ResourceChanges {
		action := c.Change.Actions[0]
		if len(c.Change.Actions) > 1 {
			action = "replace"
		}
		err := e.write(event{
			Type: "planned_change", Message: c.Address + ": Plan to " + action,
			Change: &eventChange{Resource: resource(steps[c.Address].Address), Action: verb(action)},
		})
		if err != nil {
			return err
		}
	}
	s := p.Upkeep.Summary
	return e.ChangeSummary("plan", report.Counts{Add: s.Add, Change: s.Change, Remove: s.Destroy})
}

// ChangeSummary says what is planned (operation "plan") or was done (operation "apply").
func (e *Stream) ChangeSummary(operation string, c report.Counts) error {
	message := report.PlanSentence(c)
	if operation == "apply" {
		message = report.ApplySentence(c)
	}
	return e.write(event{
		Type: "change_summary", Message: message, Changes: &eventCounts{Add: c.Add, Change: c.Change, Remove: c.Remove, Operation: operation},
	})
}

// ApplyStart says that a step acts from now on.
func (e *Stream) ApplyStart(h Hook) error {
	ev := event{Type: "apply_start", Message: h.Address.String() + ": " + doing(h.Action) + "... [step=" + h.Step + "]", Hook: h.data()}
	ev.Hook.Summary = h.Summary
	return e.write(ev)
}

// ApplyProgress says that a step is still in progress; line may be empty.
func (e *Stream) ApplyProgress(h Hook, elapsed time.Duration, line string) error {
	message := fmt.Sprintf("%s: Still %s... [%s elapsed]", h.Address, lower(doing(h.Action)), elapsedText(elapsed))
	if line != "" {
		message += " " + line
	}
	ev := event{Type: "apply_progress", Message: message, Hook: h.data()}
	ev.Hook.Line = line
	ev.Hook.ElapsedSeconds = whole(elapsed)
	return e.write(ev)
}

// ApplyComplete says that a step is proved.
func (e *Stream) ApplyComplete(h Hook, elapsed time.Duration) error {
	ev := event{Type: "apply_complete", Message: fmt.Sprintf("%s: %s complete after %s [step=%s]", h.Address, noun(h.Action), elapsedText(elapsed), h.Step), Hook: h.data()}
	ev.Hook.ElapsedSeconds = whole(elapsed)
	return e.write(ev)
}

// ApplyErrored says that a step failed or was refused; what went wrong follows as a diagnostic.
func (e *Stream) ApplyErrored(h Hook, elapsed time.Duration) error {
	ev := event{Type: "apply_errored", Level: "error", Message: fmt.Sprintf("%s: %s errored after %s", h.Address, noun(h.Action), elapsedText(elapsed)), Hook: h.data()}
	ev.Hook.ElapsedSeconds = whole(elapsed)
	return e.write(ev)
}

// Diagnostic writes an error or a warning (severity "error", "warning"); the address may be empty.
func (e *Stream) Diagnostic(severity, summary, detail, address string) error {
	level := "error"
	title := "Error: "
	if severity == "warning" {
		level, title = "warn", "Warning: "
	}
	return e.write(event{Type: "diagnostic", Level: level, Message: title + summary, Diagnostic: &eventDiagnostic{severity, summary, detail, address}})
}

// Log writes a line of no type of its own.
func (e *Stream) Log(message string) error { return e.write(event{Type: "log", Message: message}) }

func (h Hook) data() *eventHook {
	return &eventHook{Resource: resource(h.Address), Action: verb(h.Action), IDKey: "step", IDValue: h.Step, Operation: h.Operation}
}

func resource(a providers.Address) eventResource {
	r := eventResource{Addr: a.String(), Resource: a.String(), ImpliedProvider: report.ProviderName, ResourceType: a.Type, ResourceName: a.Name}
	if a.Key != "" {
		r.ResourceKey = &a.Key
	}
	return r
}

// verb is an action in the words of the machine-readable UI.
func verb(action string) string {
	if action == "no-op" {
		return "noop"
	}
	return action
}

func doing(action string) string {
	switch action {
	case "create":
		return "Creating"
	case "delete":
		return "Destroying"
	case "no-op":
		return "Reading"
	default:
		return "Modifying"
	}
}

func noun(action string) string {
	switch action {
	case "create":
		return "Creation"
	case "delete":
		return "Destruction"
	case "no-op":
		return "Read"
	default:
		return "Modifications"
	}
}

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

func whole(d time.Duration) *int64 {
	s := int64(d / time.Second)
	return &s
}

func elapsedText(d time.Duration) string { return d.Truncate(time.Second).String() }
