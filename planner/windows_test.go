package planner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/planner/window"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// windowed is a request whose first block restarts something in the windows that it names.
func windowed(t *testing.T, named []string, windows ...window.Window) planner.Request {
	t.Helper()
	r := testRequest(1, nil)
	r.Desired.Resources = r.Desired.Resources[:1]
	r.Desired.Resources[0].Value = disrupting{fixed{args: "{}"}}
	r.Desired.Resources[0].Meta.Windows = named
	for _, w := range windows {
		made, problems := window.New(w)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: window.Type, Name: w.Name, Value: made})
	}
	return r
}

// disrupting is a widget that plans one disruptive step of a minute.
type disrupting struct{ fixed }

func (d disrupting) Diff(in providers.Input) providers.Outcome {
	out := d.fixed.Diff(in)
	out.Steps[0].Disruption, out.Steps[0].Estimate = "the widget", 60
	return out
}

// lasting takes half an hour.
type lasting struct{ disrupting }

func (d lasting) Diff(in providers.Input) providers.Outcome {
	out := d.disrupting.Diff(in)
	out.Steps[0].Estimate = 1800
	return out
}

func built(t *testing.T, r planner.Request) planner.Plan {
	t.Helper()
	p, err := planner.Build(r, testTypes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWindowsByLabel: a window that denies nodes of some label holds for the steps of those nodes and of no others, for
// all where Kubernetes does not tell, and says where no node has the label.
func TestWindowsByLabel(t *testing.T) {
	plan := func(labels map[string]string, unknown string) planner.Plan {
		r := windowed(t, nil, window.Window{Name: "race", Deny: true, Timezone: "UTC",
			From: "2020-01-01", Until: "2099-01-01",
			AppliesTo: window.Selector{Labels: map[string]string{"zone": "a"}}})
		r.Desired.Resources[0].Value = onNode{disrupting{fixed{args: "{}"}}}
		r.World.Kubernetes = facts.Kubernetes{Unknown: strings.TrimPrefix(unknown, "-")}
		if unknown == "" {
			r.World.Kubernetes.Nodes = []facts.KubernetesNode{{Name: r.Desired.Nodes[0].Name, Ready: true, Labels: labels}}
		}
		return built(t, r)
	}
	for name, test := range map[string]struct {
		labels  map[string]string
		unknown string
		window  string
		warns   string
	}{
		"the label":         {labels: map[string]string{"zone": "a"}, window: "always, not in race"},
		"another one":       {labels: map[string]string{"zone": "b"}, window: "always", warns: "no node has them"},
		"nobody knows":      {unknown: "no answer", window: "always, not in race", warns: "race denies the steps of every node"},
		"nobody asked":      {unknown: "-", window: "always, not in race", warns: "race denies the steps of every node"},
		"no label of a key": {labels: nil, window: "always", warns: "holds for nodes with the labels zone=a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(test.labels, test.unknown)
			if got := p.Steps[0].Window; got != test.window {
				t.Errorf("the step is in %q, want %q", got, test.window)
			}
			told := slices.ContainsFunc(p.Warnings, func(w string) bool {
				return test.warns != "" && strings.Contains(w, test.warns)
			})
			if told != (test.warns != "") {
				t.Errorf("warnings %q", p.Warnings)
			}
			// Deny never ends within the year, so nothing of a labelled node may be scheduled.
			if bound := len(p.Scheduled().Openings) > 0; bound != (test.window != "always") {
				t.Errorf("openings %v", p.Scheduled().Openings)
			}
		})
	}
}

// TestWindowsOfADigest: the definition of a window is inside, and what it opens on which day is not.
func TestWindowsOfADigest(t *testing.T) {
	named := []string{"maintenance_window.w"}
	weekly := window.Window{Name: "w", Timezone: "UTC", Cron: "0 2 * * SUN", Duration: config.Duration(4 * time.Hour), Position: config.Position{File: "a.upkeep.hcl", Line: 1}}
	first := built(t, windowed(t, named, weekly))
	digest := func(change func(*window.Window, *planner.Request)) string {
		w := weekly
		r := windowed(t, named, w)
		change(&w, &r)
		later := windowed(t, named, w)
		later.Now = r.Now
		later.Desired.Resources = append(later.Desired.Resources, r.Desired.Resources[2:]...)
		return built(t, later).Digest
	}
	for name, change := range map[string]func(*window.Window, *planner.Request){
		"another day":   func(_ *window.Window, r *planner.Request) { r.Now = r.Now.Add(50 * time.Hour) },
		"another place": func(w *window.Window, _ *planner.Request) { w.Position.Line = 40 },
	} {
		if got := digest(change); got != first.Digest {
			t.Errorf("%s changes the digest", name)
		}
	}
	for name, change := range map[string]func(*window.Window, *planner.Request){
		"another hour":     func(w *window.Window, _ *planner.Request) { w.Cron = "0 3 * * SUN" },
		"another duration": func(w *window.Window, _ *planner.Request) { w.Duration = config.Duration(5 * time.Hour) },
		"another zone":     func(w *window.Window, _ *planner.Request) { w.Timezone = "Europe/Berlin" },
		"a limit of nodes": func(w *window.Window, _ *planner.Request) { w.MaxNodes = 3 },
		"a window that denies": func(_ *window.Window, r *planner.Request) {
			deny, _ := window.New(window.Window{Name: "d", Deny: true, Timezone: "UTC", From: "12-18", Until: "01-07"})
			r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: window.Type, Name: "d", Value: deny})
		},
	} {
		if digest(change) == first.Digest {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

// TestWindowUses: what a plan says of its windows is what the schedule then does.
func TestWindowUses(t *testing.T) {
	now := testRequest(1, nil).Now
	clock := func(d time.Duration) string { return now.UTC().Add(d).Format("4 15 * * *") }
	for name, test := range map[string]struct {
		opens    time.Duration
		duration time.Duration
		open     bool
		// starts is when the plan can first do something, from now; negative: never.
		starts time.Duration
	}{
		"open":                   {-time.Minute, time.Hour, true, 0},
		"open, and nearly over":  {-time.Minute, 90 * time.Second, true, 24*time.Hour - time.Minute},
		"closed, and long":       {time.Hour, time.Hour, false, time.Hour},
		"closed, and just right": {time.Hour, time.Minute, false, time.Hour},
		"longer than any":        {time.Hour, 0, false, -1},
	} {
		t.Run(name, func(t *testing.T) {
			p := built(t, windowed(t, []string{"maintenance_window.w"}, window.Window{Name: "w", Timezone: "UTC", Cron: clock(test.opens), Duration: config.Duration(max(test.duration, time.Minute))}))
			if test.duration == 0 { // no window is shorter than a minute, so the step is longer
				r := p.Request
				r.Desired.Resources[0].Value = lasting{disrupting{fixed{args: "{}"}}}
				p = built(t, r)
			}
			fit := 1
			if test.starts < 0 {
				fit = 0
			}
			uses := p.WindowUses()
			if len(uses) != 1 || uses[0].Name != "w" || uses[0].Steps != 1 || uses[0].Fit != fit || uses[0].Open != test.open {
				t.Fatalf("%+v", uses)
			}
			start, ok := p.Start(p.CreatedAt)
			if ok != (test.starts >= 0) || ok && start.Sub(p.CreatedAt) != test.starts {
				t.Errorf("it can start after %s (%v), want %s", start.Sub(p.CreatedAt), ok, test.starts)
			}
			life := planner.MaxAge
			if ok {
				life = max(life, uses[0].Opening.Until.Sub(p.CreatedAt))
			}
			if p.Lifetime() != life {
				t.Errorf("it may be begun within %s, want %s", p.Lifetime(), life)
			}
			book, err := schedule.New(p.Scheduled(), nil)
			if err != nil {
				t.Fatal(err)
			}
			started := 0
			for _, d := range book.Next(p.CreatedAt, 0) {
				if d.Kind == schedule.Start {
					started++
				}
			}
			if want := test.starts == 0; (started > 0) != want {
				t.Errorf("%d started now, want some: %v", started, want)
			}
		})
	}
}

// TestAlwaysAndRepairs: a step waits for no window where its block says "always", and where it puts an outage right.
func TestAlwaysAndRepairs(t *testing.T) {
	weekly := window.Window{Name: "w", Timezone: "UTC", Cron: "0 2 30 1 *", Duration: config.Duration(time.Hour)}
	deny := window.Window{Name: "d", Deny: true, Timezone: "UTC", From: "01-01", Until: "12-30"}
	for name, test := range map[string]struct {
		named   []string
		windows []window.Window
		want    string
	}{
		"always":          {[]string{"always"}, []window.Window{weekly}, "always"},
		"nothing is said": {nil, []window.Window{weekly}, "always"},
		"always, denied":  {[]string{"always"}, []window.Window{weekly, deny}, "always, not in d"},
	} {
		t.Run(name, func(t *testing.T) {
			r := windowed(t, test.named, test.windows...)
			if got := built(t, r).Steps[0].Window; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			r.Desired.Resources[0].Value = repairing{disrupting{fixed{args: "{}"}}}
			if got := built(t, r).Steps[0].Window; got != "always" {
				t.Errorf("a repair waits for %q", got)
			}
		})
	}
}

type repairing struct{ disrupting }

func (d repairing) Diff(in providers.Input) providers.Outcome {
	out := d.disrupting.Diff(in)
	out.Steps[0].Repairs = true
	return out
}

// TestMaxNodes: a window bounds how many nodes are in progress, over all blocks that use it.
func TestMaxNodes(t *testing.T) {
	r := windowed(t, []string{"maintenance_window.w"}, window.Window{Name: "w", Timezone: "UTC", Cron: "0 2 * * *", Duration: config.Duration(time.Hour), MaxNodes: 2})
	r.Desired.Resources[0].Value = onNode{disrupting{fixed{args: "{}"}}}
	want := providers.Lane{Name: "window/w", Width: 2, Failures: providers.NeverCloses}
	if diff := cmp.Diff(want, built(t, r).Steps[0].Lanes[0]); diff != "" {
		t.Error(diff)
	}
}

type onNode struct{ disrupting }

func (d onNode) Diff(in providers.Input) providers.Outcome {
	out := d.disrupting.Diff(in)
	out.Steps[0].Node = in.Inventory.Nodes[0].Name
	out.Steps[0].Address = d.Address().On(out.Steps[0].Node)
	return out
}

// TestWidthOfAWindow: a lane whose block says no width is as wide as its windows allow, else 1.
func TestWidthOfAWindow(t *testing.T) {
	for name, test := range map[string]struct{ window, block, want int }{
		"the window says it":           {3, 0, 3},
		"nobody says it":               {0, 0, 1},
		"the block says it":            {3, 2, 2},
		"the block says more, and may": {2, 5, 5}, // the window has a lane of its own
	} {
		t.Run(name, func(t *testing.T) {
			w := window.Window{Name: "w", Timezone: "UTC", Cron: "0 2 * * *", Duration: config.Duration(time.Hour), MaxNodes: test.window}
			r := windowed(t, []string{"maintenance_window.w"}, w)
			r.Desired.Resources[0].Value = inLane{onNode{disrupting{fixed{args: "{}"}}}, test.block}
			lanes := built(t, r).Steps[0].Lanes
			if diff := cmp.Diff(providers.Lane{Name: "fleet", Width: test.want}, lanes[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type inLane struct {
	onNode
	width int
}

func (d inLane) Diff(in providers.Input) providers.Outcome {
	out := d.onNode.Diff(in)
	out.Steps[0].Lanes = []providers.Lane{{Name: "fleet", Width: d.width}}
	return out
}
