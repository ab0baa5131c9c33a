package runbook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/runbook"
	"upkeep/planner/schedule"
	"upkeep/providers"
	domain "upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node"
)

const day = 24 * 3600 * 1e9

func shell(n config.Node, c config.Connection) (string, error) {
	return node.ShellCommand(node.TargetOf(n, c))
}

// made returns the runbook of three control planes, two of which are due; change may spoil the world.
func made(t *testing.T, change func(*planner.Request)) report.RunbookJSON {
	t.Helper()
	w := worlds.ControlPlanes(3, plans.Now)
	worlds.Age(plans.Now, 12*day, w.Nodes["cp1"], "apiserver")
	worlds.Age(plans.Now, 12*day, w.Nodes["cp2"], "admin.conf", "scheduler.conf")
	request := planner.Request{Now: plans.Now, World: w, Desired: config.Desired{
		Nodes:       worlds.Nodes(3),
		Cluster:     &config.Cluster{Kubeconfig: "/home/ops/.kube/config"},
		Connections: []config.Connection{{Name: "bastion", User: "ops", Port: 2222, Become: true, ProxyJump: "ops@bastion", KnownHosts: "/etc/upkeep/known_hosts"}},
		Resources: []config.Declared{{Type: "certificates", Name: "control_plane", Meta: config.Meta{Without: []config.Waiver{{Guard: "backup", Reason: "a lab"}}}, Value: domain.Spec{
			Name: "control_plane", Layout: "auto", Nodes: config.Selection{Roles: []string{"control-plane"}}, RenewBefore: config.Duration(30 * day),
			Kubeconfigs: []string{worlds.Copy}, Position: config.Position{File: "provider.upkeep.hcl", Line: 20},
		}}},
	}}
	request.Desired.Nodes[1].Connection = "bastion"
	request.Desired.Nodes[1].Primary = true
	if change != nil {
		change(&request)
	}
	types := []providers.Type{domain.Type()}
	plan, err := planner.Build(request, types)
	if err != nil {
		t.Fatal(err)
	}
	plan.ID, plan.UpkeepVersion = "0123456789abcdef", "0.1.0"
	r, err := report.Runbook(plan, types[0].Effects, shell)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func markdown(t *testing.T, r report.RunbookJSON) string {
	t.Helper()
	var out strings.Builder
	if err := runbook.Markdown(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var runbooks = map[string]func(*planner.Request){
	"runbook": nil,
	"runbook-nothing": func(r *planner.Request) {
		r.World = worlds.ControlPlanes(3, plans.Now)
	},
	"runbook-troubled": func(r *planner.Request) {
		r.Desired.Resources[0].Meta = config.Meta{}
		r.World.Nodes["cp3"] = &facts.Node{Name: "cp3", Unknown: "ssh: <no answer>\x1b[2J in 10s"}
		r.Desired.Connections[0].Access = "restricted"
		r.Recorded = true
	},
}

// Whoever follows a runbook has not seen the terminal: that nothing proves its plan, and how much room there is, stand
// in it.
func TestRunbookSaysWhoMadeItAndHowMuchRoomThereIs(t *testing.T) {
	r := made(t, nil)
	if text := markdown(t, r); strings.Contains(text, "NOT VERIFIED") || strings.Contains(text, "places") {
		t.Errorf("a runbook of a plan just made says:\n%s", text)
	}
	r.Unverified = "this plan was not made with this state: <b>\x1b"
	r.Lanes = []planner.LaneNodes{
		{Lane: providers.Lane{Name: "control-plane", Width: 1}, Taken: []schedule.Taken{{Node: "cp9", Why: "cordoned"}}},
		{Lane: providers.Lane{Name: "nvidia_driver.workers", Width: 3}, Taken: []schedule.Taken{{Node: "gpu1", Why: "not ready"}}},
		{Lane: providers.Lane{Name: "nvidia_driver.others", Width: 2}},
	}
	text := markdown(t, r)
	for _, want := range []string{
		"**NOT VERIFIED:** this plan was not made with this state: &lt;b>",
		"cp9 (cordoned) takes 1 of 1 place in the lane control-plane. No other node of this lane can start.",
		"At most 3 nodes of the lane nvidia_driver.workers at a time. gpu1 (not ready) takes 1 of 3 places",
		"At most 2 nodes of the lane nvidia_driver.others at a time.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the runbook lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("it holds control characters")
	}
}

func TestRunbook(t *testing.T) {
	for name, change := range runbooks {
		t.Run(name, func(t *testing.T) {
			got := markdown(t, made(t, change))
			golden.Compare(t, name+".md", got)
			if strings.Contains(got, "\x1b") {
				t.Error("it holds control characters")
			}
		})
	}
}

// TestRunbookBlocks: the blocks are all the commands of all steps in their order, and a shell can read each.
func TestRunbookBlocks(t *testing.T) {
	for name, change := range runbooks {
		t.Run(name, func(t *testing.T) {
			r := made(t, change)
			text := markdown(t, r)
			var want []string
			for _, s := range r.Steps {
				for _, c := range s.Commands {
					want = append(want, c.Run)
				}
			}
			blocks := runbook.Blocks(text)
			if len(blocks) != len(want) {
				t.Fatalf("%d blocks, want %d", len(blocks), len(want))
			}
			for i, b := range blocks {
				if !strings.Contains(b, want[i]) {
					t.Errorf("block %d does not hold its command:\n%s", i, b)
				}
				syntax(t, b)
				body := b[strings.Index(b, "\n")+1 : strings.LastIndex(strings.TrimSuffix(b, "\n"), "\n")+1]
				syntax(t, body)
			}
			undo := runbook.Blocks(strings.ReplaceAll(strings.ReplaceAll(text, "```sh\n", "```taken\n"), "```sh undo\n", "```sh\n"))
			for _, b := range undo {
				syntax(t, b)
			}
		})
	}
}

func syntax(t *testing.T, script string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), "sh", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sh -n: %v: %s\n%s", err, out, script)
	}
}

// typed is an effect whose commands are given.
type typed struct {
	providers.Effect
	commands []providers.Command
}

func (e typed) ByHand(providers.Input, providers.Step) []providers.Command { return e.commands }
func (typed) Predict(providers.Input, providers.Step) (none facts.Update)  { return none }
func one(commands ...providers.Command) map[string]providers.Effect {
	return map[string]providers.Effect{"x.y": typed{commands: commands}}
}
func onePlan() planner.Plan {
	p := plans.Empty()
	p.Steps = []providers.Step{{ID: "a", Operation: "x.y", Node: "here", Address: providers.Address{Type: "x", Name: "y"}, Summary: "do it"}}
	p.Request.Desired.Nodes = []config.Node{{Name: "here", Connection: "local"}}
	p.Request.Desired.Connections = []config.Connection{{Name: "local", Transport: "local"}}
	return p
}

// run executes a runbook's only block as it stands.
func run(t *testing.T, c providers.Command) (string, error) {
	t.Helper()
	r, err := report.Runbook(onePlan(), one(c), shell)
	if err != nil {
		t.Fatal(err)
	}
	blocks := runbook.Blocks(markdown(t, r))
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", blocks[0])
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRunbookBlocksAreExecutedAsTheyStand(t *testing.T) {
	tests := []struct {
		name, run, want string
		fails           bool
	}{
		{name: "lines", run: "echo one\necho two", want: "one\ntwo\n"},
		{name: "the first error ends it", run: "echo one\nfalse\necho two", want: "one\n", fails: true},
		{name: "an unset variable ends it", run: "echo $nothing_of_this_name\necho two", fails: true, want: ""},
		{name: "no command reads the script", run: "cat\necho done", want: "done\n"},
		{name: "a line like the end of the here-document", run: "cat <<'EOF'\ntext\nEOF\necho done", want: "text\ndone\n"},
		{name: "a fence inside", run: "cat <<'END'\n```\n````sh\nEND", want: "```\n````sh\n"},
		{name: "quotes", run: `echo 'a "b"' "c 'd' $((1+1))"`, want: "a \"b\" c 'd' 2\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, node := range []string{"here", ""} {
				got, err := run(t, providers.Command{Node: node, Run: test.run})
				if test.fails {
					if err == nil || !strings.HasPrefix(got, test.want) || strings.Contains(got, "two") {
						t.Errorf("on %q: %q, %v", node, got, err)
					}
				} else if got != test.want || err != nil {
					t.Errorf("on %q: %q, %v; want %q", node, got, err, test.want)
				}
			}
		})
	}
}

// A shell that does not get all of a script, as when the connection is lost, does none of it.
func TestACutScriptDoesNothing(t *testing.T) {
	r, err := report.Runbook(onePlan(), one(providers.Command{Node: "here", Run: "echo one\necho two\necho three"}), shell)
	if err != nil {
		t.Fatal(err)
	}
	block := runbook.Blocks(markdown(t, r))[0]
	lines := strings.SplitAfter(block, "\n")
	body := lines[1 : len(lines)-2]
	for cut := 1; cut < len(body); cut++ {
		cmd := exec.CommandContext(t.Context(), "sh", "-s")
		cmd.Stdin = strings.NewReader(strings.Join(body[:cut], ""))
		if out, err := cmd.Output(); len(out) > 0 || err == nil {
			t.Errorf("after %d of %d lines it said %q, %v", cut, len(body), out, err)
		}
	}
}

func TestRunbookRefuses(t *testing.T) {
	p := onePlan()
	if _, err := report.Runbook(p, nil, shell); err == nil || !strings.Contains(err.Error(), `"x.y"`) {
		t.Errorf("an unknown operation: %v", err)
	}
	if _, err := report.Runbook(p, one(providers.Command{Node: "elsewhere"}), shell); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("an unknown node: %v", err)
	}
	fails := func(config.Node, config.Connection) (string, error) { return "", errors.New("bad host") }
	if _, err := report.Runbook(p, one(providers.Command{Node: "here"}), fails); err == nil || !strings.Contains(err.Error(), "bad host") {
		t.Errorf("a node that no command reaches: %v", err)
	}
}

func TestRunbookIsTheSameAsJSON(t *testing.T) {
	r := made(t, nil)
	var out bytes.Buffer
	if err := report.JSON(&out, r); err != nil {
		t.Fatal(err)
	}
	var back report.RunbookJSON
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if markdown(t, back) != markdown(t, r) {
		t.Error("a runbook that went through JSON reads otherwise")
	}
}

// TestNoTextBecomesACommand: whatever stands in a plan, the blocks are its commands and nothing else.
func TestNoTextBecomesACommand(t *testing.T) {
	word := rapid.SampledFrom([]string{"```sh", "```", "````", "\n", "EOF", "reboot", "- ", "a", "<b>", "\x1b[2J", " ", "}", "'", "#"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string { return strings.Join(rapid.SliceOfN(word, 0, 8).Draw(t, label), "") }
		c := providers.Command{What: text("what"), Node: "here", Run: text("run"), See: text("see"), Stop: text("stop"), Undo: text("undo")}
		p := onePlan()
		s := &p.Steps[0]
		s.Summary, s.Why, s.Proof, s.Disruption, s.Window = text("summary"), []string{text("why")}, text("proof"), text("disruption"), text("window")
		s.Guards = []providers.Need{{Name: "backup", Waived: text("guard")}}
		p.Warnings, p.Refusals, p.ID = []string{text("warning")}, []string{text("refusal")}, text("id")
		p.Remaining = []providers.Finding{{ID: text("finding"), Summary: text("finding summary"), Severity: providers.SeverityError}}
		r, err := report.Runbook(p, one(c, c), shell)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := runbook.Markdown(&out, r); err != nil {
			t.Fatal(err)
		}
		blocks := runbook.Blocks(out.String())
		if len(blocks) != 2 || blocks[0] != blocks[1] {
			t.Fatalf("blocks %q of\n%s", blocks, out.String())
		}
		if want := strings.ReplaceAll(strings.TrimRight(c.Run, "\n"), "\x1b", "?"); !strings.Contains(blocks[0], want) || !strings.HasPrefix(blocks[0], "sh -s <<'EOF") {
			t.Fatalf("%q does not hold %q", blocks[0], want)
		}
		// The here-document ends where the block does, so that nothing of it is run where the operator is.
		first, rest, _ := strings.Cut(blocks[0], "\n")
		end := strings.Trim(strings.TrimPrefix(first, "sh -s <<"), "'")
		if strings.Index("\n"+rest, "\n"+end+"\n") != len(rest)-len(end)-1 {
			t.Fatalf("the here-document ends early: %q", blocks[0])
		}
	})
}

func FuzzRunbookBlocks(f *testing.F) {
	f.Add("```sh\necho\n```\n")
	f.Add("````sh\n```\n````\n```sh undo\n```")
	f.Add("```sh\nnever closed")
	f.Fuzz(func(t *testing.T, text string) {
		for _, b := range runbook.Blocks(text) {
			if !strings.Contains(text, b) {
				t.Errorf("a block that is not in the text: %q", b)
			}
		}
	})
}
