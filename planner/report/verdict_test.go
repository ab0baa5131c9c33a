package report_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/facts"
)

func finding(severity providers.Severity, change func(*providers.Finding)) func(*planner.Plan) {
	f := providers.Finding{ID: "X", Severity: severity, Address: plans.Certificates.On("cp1"), Object: "apiserver", Summary: "why"}
	if change != nil {
		change(&f)
	}
	return func(p *planner.Plan) { p.Findings, p.Remaining = append(p.Findings, f), append(p.Remaining, f) }
}

func step(p *planner.Plan) {
	p.Steps = append(p.Steps, providers.Step{ID: "s", Address: plans.Certificates.On("cp1"), Node: "cp1", Action: "update"})
}

// Every plan has one verdict, whatever else holds beside what decides.
func TestVerdict(t *testing.T) {
	unknown := func(f *providers.Finding) { f.Unknown = true }
	waits := func(f *providers.Finding) { f.Waits = true }
	for name, test := range map[string]struct {
		changes []func(*planner.Plan)
		want    report.Verdict
		drift   report.Verdict
	}{
		"quiet":                      {nil, report.Well, report.Well},
		"a note":                     {[]func(*planner.Plan){finding("note", nil)}, report.Well, report.Well},
		"steps":                      {[]func(*planner.Plan){step}, report.Changes, report.Well},
		"something for a person":     {[]func(*planner.Plan){finding("warning", nil)}, report.Drifted, report.Drifted},
		"something broken, no step":  {[]func(*planner.Plan){finding("error", nil)}, report.Failed, report.Drifted},
		"something broken and steps": {[]func(*planner.Plan){finding("error", nil), step}, report.Changes, report.Drifted},
		"what is due waits":          {[]func(*planner.Plan){finding("warning", waits), step}, report.Failed, report.Drifted},
		"a part is unknown":          {[]func(*planner.Plan){finding("error", unknown)}, report.Unsure, report.Unsure},
		"a part is unknown, steps":   {[]func(*planner.Plan){finding("error", unknown), step}, report.Unsure, report.Unsure},
		"unknown and drift":          {[]func(*planner.Plan){finding("error", unknown), finding("error", nil)}, report.Unsure, report.Unsure},
		"a node is unknown":          {[]func(*planner.Plan){plans.UnknownNode}, report.Unsure, report.Unsure},
		"not complete":               {[]func(*planner.Plan){func(p *planner.Plan) { p.Complete = false }}, report.Unsure, report.Unsure},
		"refused and unknown":        {[]func(*planner.Plan){plans.UnknownNode, step, func(p *planner.Plan) { p.Refusals = []string{"no backup"} }}, report.Failed, report.Unsure},
		"refused foreseeably":        {[]func(*planner.Plan){step, func(p *planner.Plan) { p.ExpectedRefusals = []planner.ExpectedRefusal{{Step: "s", Why: "w"}} }}, report.Failed, report.Well},
	} {
		t.Run(name, func(t *testing.T) {
			p := plans.Quiet(func(p *planner.Plan) {
				for _, change := range test.changes {
					change(p)
				}
			})
			shown := report.Plan(p)
			if shown.Upkeep.Status != test.want || report.Drift(p).Status != test.drift {
				t.Errorf("plan %s, drift %s; want %s, %s", shown.Upkeep.Status, report.Drift(p).Status, test.want, test.drift)
			}
			if bad := test.want == report.Failed || test.want == report.Unsure; shown.Errored != bad {
				t.Errorf("errored %t of a plan that is %s", shown.Errored, test.want)
			}
			if shown.Upkeep.Summary.Unknown != len(shown.Upkeep.Unknown) {
				t.Errorf("%d unknown beside a list of %+v", shown.Upkeep.Summary.Unknown, shown.Upkeep.Unknown)
			}
		})
	}
}

// What could not be checked is listed once, with its parts, and says who exempted it.
func TestUnknowns(t *testing.T) {
	at := func(node, object string) providers.Finding {
		return providers.Finding{ID: "X", Severity: "error", Unknown: true, Address: plans.Certificates.On(node), Object: object, Summary: "permission denied"}
	}
	p := plans.Quiet(plans.UnknownNode)
	p.Findings = []providers.Finding{at("cp2", "apiserver"), at("cp1", "a"), at("cp1", "b"), at("", "")}
	p.Ignored = []planner.Ignored{{Finding: at("cp3", "c"), By: "rma"}, {Finding: at("cp9", "out")}}
	p.Request.Exclude = []providers.Address{plans.Driver}
	p.LeftOut = []providers.Finding{{ID: "Y", Unknown: true, Address: plans.Driver, Summary: "no answer"}}
	want := []planner.Unknown{
		{Name: "cp2", Why: "ssh: no answer in 10s", Exempt: "-exclude"}, // no resource of this plan asks it
		{Name: "cp1", Why: "permission denied", Objects: []string{"a", "b"}},
		{Name: "certificates.control_plane", Why: "permission denied"},
		{Name: "cp3", Why: "permission denied", Objects: []string{"c"}, Exempt: "ignore.rma"},
		{Name: "nvidia_driver.workers", Why: "no answer", Exempt: "-exclude"},
	}
	if diff := cmp.Diff(want, report.Unknowns(p)); diff != "" {
		t.Error(diff)
	}
	if n := report.Plan(p).Upkeep.Summary.Unknown; n != 2 {
		t.Errorf("%d count", n)
	}
}

// status judges what it shows: an expired certificate is an error, whatever else is said of it, and so is a broken
// thing that has no line of its own.
func TestStatusVerdict(t *testing.T) {
	object := func(status string, left time.Duration) func(*planner.Plan) {
		return func(p *planner.Plan) {
			p.Objects = append(p.Objects, providers.Object{Address: plans.Certificates.On("cp1"), Name: "apiserver", Status: status, Expires: plans.Now.Add(left)})
		}
	}
	ignored := func(p *planner.Plan) {
		p.Ignored = []planner.Ignored{{By: "rma", Finding: providers.Finding{ID: "X", Address: plans.Certificates.On("cp1"), Object: "apiserver"}}}
	}
	for name, test := range map[string]struct {
		changes []func(*planner.Plan)
		want    report.Verdict
		status  string
		level   report.Level
	}{
		"well":                    {[]func(*planner.Plan){object("ok", time.Hour)}, report.Well, "ok", report.LevelOK},
		"due":                     {[]func(*planner.Plan){object("due", time.Hour)}, report.Drifted, "due", report.LevelWarning},
		"due and expired":         {[]func(*planner.Plan){object("due", 0)}, report.Failed, "expired", report.LevelError},
		"well and expired":        {[]func(*planner.Plan){object("ok", -time.Hour)}, report.Failed, "expired", report.LevelError},
		"a problem":               {[]func(*planner.Plan){object("problem", time.Hour)}, report.Failed, "problem", report.LevelError},
		"unknown":                 {[]func(*planner.Plan){object("unknown", time.Hour)}, report.Unsure, "unknown", report.LevelUnknown},
		"a node does not answer":  {[]func(*planner.Plan){object("ok", time.Hour), plans.UnknownNode}, report.Unsure, "ok", report.LevelOK},
		"ignored":                 {[]func(*planner.Plan){object("problem", time.Hour), ignored}, report.Well, "problem", report.LevelError},
		"broken, without a line":  {[]func(*planner.Plan){object("ok", time.Hour), finding("error", func(f *providers.Finding) { f.Object = "etcd" })}, report.Failed, "ok", report.LevelOK},
		"broken, on its own line": {[]func(*planner.Plan){object("problem", time.Hour), finding("error", nil)}, report.Failed, "problem", report.LevelError},
	} {
		t.Run(name, func(t *testing.T) {
			s := report.Status(plans.Quiet(func(p *planner.Plan) {
				for _, change := range test.changes {
					change(p)
				}
			}))
			if s.Status != test.want || s.Objects[0].Status != test.status || s.Objects[0].Severity != test.level {
				t.Errorf("%s; the object is %s, %s", s.Status, s.Objects[0].Status, s.Objects[0].Severity)
			}
			if lines := name == "broken, without a line"; (len(s.Errors) > 0) != lines {
				t.Errorf("errors without a line: %+v", s.Errors)
			}
		})
	}
}

// A rehearsal is what its plan is, unless one of its steps did not end well.
func TestRehearsalVerdict(t *testing.T) {
	endings := func(of ...planner.Ending) (r planner.Rehearsal) {
		for _, e := range of {
			r.Steps = append(r.Steps, planner.Rehearsed{Ending: e})
		}
		return r
	}
	for name, test := range map[string]struct {
		plan      func(*planner.Plan)
		rehearsal planner.Rehearsal
		want      report.Verdict
	}{
		"nothing to do":       {nil, endings(), report.Well},
		"all proved":          {step, endings(planner.Proved, planner.AlreadySo), report.Changes},
		"one failed":          {step, endings(planner.Proved, planner.Failed), report.Failed},
		"one refused":         {step, endings(planner.Refused, planner.Proved), report.Failed},
		"one not started":     {step, endings(planner.NotStarted), report.Failed},
		"a node is unknown":   {plans.UnknownNode, endings(planner.Proved), report.Unsure},
		"unknown, and failed": {plans.UnknownNode, endings(planner.Failed), report.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := report.Rehearsal(plans.Quiet(test.plan), test.rehearsal).Status; got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// What stores hold is unknown as soon as one of them is.
func TestBundlesVerdict(t *testing.T) {
	known, unknown := report.StoreJSON{Store: "a"}, report.StoreJSON{Store: "b", Unknown: "no answer"}
	gone := report.StoreJSON{Store: "c", Missing: []facts.Proof{{Bundle: "daily-1"}}}
	for name, test := range map[string]struct {
		stores []report.StoreJSON
		want   report.Verdict
	}{
		"no store":                {nil, report.Well},
		"known":                   {[]report.StoreJSON{known, known}, report.Well},
		"a bundle is gone":        {[]report.StoreJSON{gone, known}, report.Drifted},
		"one unknown":             {[]report.StoreJSON{unknown, known}, report.Unsure},
		"one unknown, a gone one": {[]report.StoreJSON{unknown, gone}, report.Unsure},
		"a gone one, one unknown": {[]report.StoreJSON{gone, unknown}, report.Unsure},
	} {
		t.Run(name, func(t *testing.T) {
			if got := report.Bundles(plans.Now, test.stores); got.Status != test.want || got.Stores == nil {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// Facts that were not observed just now say how old they are.
func TestAgeOfFacts(t *testing.T) {
	p := plans.Recorded()
	for after, want := range map[time.Duration]int64{0: 0, 30 * time.Second: 0, time.Hour: 3600, 6 * 24 * time.Hour: 6 * 24 * 3600} {
		now := plans.Now.Add(after)
		if a, b, c := report.Plan(p).At(now).Upkeep.AgeSeconds, report.Drift(p).At(now).AgeSeconds, report.Status(p).At(now).AgeSeconds; a != want || b != want || c != want {
			t.Errorf("after %s: %d, %d, %d", after, a, b, c)
		}
	}
	if age := report.Plan(p).At(time.Time{}).Upkeep.AgeSeconds; age != 0 {
		t.Errorf("at no known time: %d", age)
	}
}

// handEffect is an operation that a person can do.
type handEffect struct{ providers.Effect }

func (handEffect) ByHand(providers.Input, providers.Step) []providers.Command { return nil }
func (handEffect) Predict(providers.Input, providers.Step) facts.Update       { return facts.Update{} }

// A runbook has the steps in the order in which the schedule would start them, not in that of the plan's list.
func TestRunbookAsksTheSchedule(t *testing.T) {
	p := plans.Quiet(nil)
	p.Steps = []providers.Step{
		{ID: "second", Address: providers.Address{Type: "a", Name: "a"}, Operation: "x", After: []string{"first"}},
		{ID: "first", Address: providers.Address{Type: "b", Name: "b"}, Operation: "x"},
	}
	r, err := report.Runbook(p, map[string]providers.Effect{"x": handEffect{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Steps) != 2 || r.Steps[0].ID != "first" || r.Steps[1].ID != "second" {
		data, _ := json.Marshal(r.Steps)
		t.Errorf("%s", data)
	}
}
