package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/closedport"
	"upkeep/fixtures/fakecluster"
	"upkeep/fixtures/worlds"
	"upkeep/providers/facts"
)

// place is a configuration directory beside a simulated cluster of three control planes.
type place struct {
	t         *testing.T
	directory string
	cluster   *fakecluster.Cluster
}

var placeNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const placeConfiguration = `
cluster {
  kubeconfig = "kubeconfig"
}

node "cp" {
  for_each = { cp1 = "10.0.0.11", cp2 = "10.0.0.12", cp3 = "10.0.0.13" }
  host     = each.value
  roles    = ["control-plane", "etcd"]
}

defaults {
  window = "always"
}

certificates "control_plane" {
  nodes       = role("control-plane")
  kubeconfigs = ["/root/.kube/config"]
  WITHOUT
}
`

func newPlace(t *testing.T) place {
	t.Helper()
	directory := t.TempDir()
	t.Chdir(directory) // -chdir changes the directory of this process
	now := func() time.Time { return placeNow }
	world := filepath.Join(directory, "cluster")
	t.Setenv("CLUSTER", world)
	t.Setenv("NOW", placeNow.Format(time.RFC3339))
	server := httptest.NewServer(fakecluster.Open(world, now).Kubernetes())
	t.Cleanup(server.Close)
	cluster, err := fakecluster.Create(world, 3, now, server.URL, filepath.Join(directory, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	p := place{t: t, directory: directory, cluster: cluster}
	p.write("fleet.upkeep.hcl", strings.Replace(placeConfiguration, "WITHOUT", `without     = { backup = "a job of its own" }`, 1))
	return p
}

func (p place) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.directory, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) order(node string, words ...string) {
	p.t.Helper()
	if err := p.cluster.Order(node, words...); err != nil {
		p.t.Fatal(err)
	}
}

// due leaves certificates of a node some time.
func (p place) due(left time.Duration, node string, names ...string) {
	p.t.Helper()
	if err := p.cluster.Change(func(world *facts.World) error {
		worlds.Age(placeNow, left, world.Nodes[node], names...)
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
}

// upkeep runs a command, whose words name files of the place by $D, and returns its exit code and what it printed.
func (p place) upkeep(line string) (code int, stdout, stderr string) {
	p.t.Helper()
	var out, complaints bytes.Buffer
	args := []string{"upkeep", "-chdir=" + p.directory}
	for _, word := range strings.Fields(line) {
		args = append(args, strings.ReplaceAll(word, "$D", p.directory))
	}
	code = run(context.Background(), environment{
		args: args, stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, environ: os.Environ(), now: func() time.Time { return placeNow },
	})
	return code, out.String(), complaints.String()
}

// situation is a state of a cluster and a configuration, and the exit code of each command in it. What a command prints where its
// code is 1 never has a sentence of a healthy run.
type situation struct {
	make func(place)
	// exempt are the flags by which a plan leaves out what the situation is about.
	exempt string
	// The codes: of plan, of plan -detailed-exitcode, ...
	plan, detailed, drift, status, observe, doctor, marks, apply int
}

const cp3Ignored = `
ignore "rma" {
  finding = "NODE_UNREACHABLE"
  nodes   = ["cp3"]
  reason  = "RMA 1234"
  owner   = "ops"
  until   = "2027-01-31"
}
`

// cp3Out takes the node out, and accepts that etcd lacks its member, which is another matter.
const cp3Out = `
out "cp3" {
  reason = "RMA 1234"
  owner  = "ops"
  until  = "2027-01-31"
}

ignore "member" {
  finding = "ETCD_UNHEALTHY"
  reason  = "RMA 1234"
  owner   = "ops"
  until   = "2027-01-31"
}
`

var situations = map[string]situation{
	"healthy": {make: func(place) {}},
	"due":     {make: func(p place) { p.due(12*24*time.Hour, "cp1", "apiserver") }, detailed: 2, drift: 2, doctor: 2},
	"expired": {make: func(p place) { p.due(-time.Hour, "cp1", "apiserver") }, detailed: 2, drift: 2, status: 1, doctor: 2},
	"its window is shut": {
		make: func(p place) {
			text := strings.Replace(placeConfiguration, "WITHOUT", "without = { backup = \"a job of its own\" }\n  window = maintenance_window.w", 1)
			p.write("fleet.upkeep.hcl", text+"maintenance_window \"w\" {\n  cron = \"0 2 1 1 *\"\n  duration = \"4h\"\n  timezone = \"UTC\"\n}\n")
			p.due(12*24*time.Hour, "cp1", "scheduler.conf")
		},
		detailed: 2, drift: 2, doctor: 2, apply: 5,
	},
	"a node does not answer": {
		make: func(p place) { p.order("cp3", "down") },
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 1, marks: 1, apply: 3,
	},
	"a node does not answer, and work is due": {
		make: func(p place) { p.order("cp3", "down"); p.due(12*24*time.Hour, "cp1", "scheduler.conf") },
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 1, marks: 1, apply: 3,
	},
	"no node answers": {
		make: func(p place) { p.order("cp1", "down"); p.order("cp2", "down"); p.order("cp3", "down") },
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 1, marks: 1, apply: 1,
	},
	"the API does not answer": {
		make: func(p place) {
			port, release, err := closedport.Hold()
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(release)
			text, err := os.ReadFile(filepath.Join(p.directory, "kubeconfig"))
			if err != nil {
				p.t.Fatal(err)
			}
			begin := bytes.Index(text, []byte("http"))
			end := begin + bytes.IndexAny(text[begin:], "\"\n ")
			p.write("kubeconfig", string(text[:begin])+fmt.Sprintf("http://127.0.0.1:%d", port)+string(text[end:]))
		},
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 1, apply: 3,
		marks: 1, // nodes may carry marks that nobody can see
	},
	"a configuration file cannot be read": {
		make: func(p place) {
			if err := os.Symlink("absent", filepath.Join(p.directory, "more.upkeep.hcl")); err != nil {
				p.t.Fatal(err)
			}
		},
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 0, marks: 1, apply: 1,
	},
	"a rule refuses the plan": {
		make: func(p place) {
			p.write("fleet.upkeep.hcl", strings.Replace(placeConfiguration, "WITHOUT", "", 1))
			p.due(12*24*time.Hour, "cp1", "apiserver")
		},
		plan: 1, detailed: 1, drift: 2, doctor: 2, apply: 1,
	},
	"upkeep is still at work": {
		make: func(p place) {
			if err := p.cluster.Change(func(world *facts.World) error {
				world.Nodes["cp1"].Work.InProgress = []facts.Request{{Plan: "p1", Step: "certificates.control_plane@cp1/renew", Method: "certificates.renew", Began: placeNow}}
				return nil
			}); err != nil {
				p.t.Fatal(err)
			}
		},
		plan: 1, detailed: 1, drift: 1, status: 1, observe: 1, doctor: 1, apply: 3,
	},
	"left out: a node that does not answer": {
		make: func(p place) { p.order("cp3", "down") }, exempt: " -exclude=certificates.control_plane@cp3",
		status: 1, observe: 1, doctor: 1, marks: 1,
	},
	"ignored: a node that does not answer": {
		make: func(p place) { p.order("cp3", "down"); p.write("ignore.upkeep.hcl", cp3Ignored) }, doctor: 1,
	},
	"out: a node that does not answer": {
		make: func(p place) { p.order("cp3", "down"); p.write("out.upkeep.hcl", cp3Out) }, doctor: 1,
	},
}

// healthy are the sentences of a run that found nothing.
var healthy = []string{"No changes", "No drift", "Nothing is wrong", "Nothing is due", "0 to add, 0 to change, 0 to destroy", "No marks", "findings remain", `"status": "none"`, `"errored": false`}

// TestExitCodes walks every command that looks at a cluster through every situation: its exit code, its JSON and its text say the
// same.
func TestExitCodes(t *testing.T) {
	t.Setenv("PATH", fakecluster.SSH(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, s := range situations {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			s.make(p)
			unreadable := 0
			if _, err := os.Readlink(filepath.Join(p.directory, "more.upkeep.hcl")); err == nil {
				unreadable = 1
			}
			planned := map[bool]int{true: s.plan, false: 0}[s.plan != 0]
			for _, c := range []struct {
				line string
				want int
			}{
				{"plan" + s.exempt, s.plan},
				{"plan -detailed-exitcode" + s.exempt, s.detailed},
				{"plan -json" + s.exempt, s.plan},
				{"plan -out=$D/a.plan" + s.exempt, s.plan},
				{"drift" + s.exempt, s.drift},
				{"drift -json" + s.exempt, s.drift},
				{"status", s.status},
				{"observe -out=$D/facts.json", s.observe},
				{"rehearse" + s.exempt, planned},
				{"doctor -kubeconfig=kubeconfig 10.0.0.11 10.0.0.12 10.0.0.13", s.doctor},
				{"marks", s.marks},
				{"status -json", s.status},
				{"rehearse -json" + s.exempt, planned},
				{"marks -json", s.marks},
				{"state show", unreadable},
				{"state show -json", unreadable},
				{"state public-key -json", unreadable},
				{"backup list -json", 1}, // nothing is declared
				{"price -json", 1},
				{"explain CERT_EXPIRES_SOON", 0},
				{"explain NO_SUCH_FINDING", 1},
			} {
				code, stdout, stderr := p.upkeep(c.line)
				if code != c.want {
					t.Errorf("%s: exit %d, want %d\n%s%s", c.line, code, c.want, stdout, stderr)
				}
				if strings.Contains(c.line, " -json") {
					checkStatus(t, c.line, code, stdout)
				}
				if code != 1 {
					continue
				}
				for _, sentence := range healthy {
					if strings.Contains(stdout, sentence) {
						t.Errorf("%s exits 1 and says %q:\n%s", c.line, sentence, stdout)
					}
				}
			}
			p.saved(s)
			if code, stdout, stderr := p.upkeep("apply -auto-approve" + s.exempt); code != s.apply {
				t.Errorf("apply: exit %d, want %d\n%s%s", code, s.apply, stdout, stderr)
			} else if code != 0 && strings.Contains(stdout, "No changes") {
				t.Errorf("apply: exit %d, and it says:\n%s", code, stdout)
			}
		})
	}
}

// checkStatus holds the status of a command's JSON to its exit code. A plan's stands beside what Terraform has in its JSON.
func checkStatus(t *testing.T, line string, code int, stdout string) {
	t.Helper()
	var shown struct {
		Status string `json:"status"`
		Upkeep struct {
			Status string `json:"status"`
		} `json:"upkeep"`
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
		t.Errorf("%s: %v\n%s", line, err, stdout)
		return
	}
	status := shown.Status + shown.Upkeep.Status
	if strings.HasPrefix(line, "state ") && code == 0 {
		return // what is remembered has no verdict
	}
	if want := map[int][]string{0: {"none", "changes", "drift"}, 1: {"error", "unknown"}, 2: {"changes", "drift"}}[code]; !slices.Contains(want, status) {
		t.Errorf("%s exits %d, and its status is %q", line, code, status)
	}
}

// saved checks what was written: a plan and facts of what could be seen are there also where not everything could be, and their
// commands end as those that made them.
func (p place) saved(s situation) {
	p.t.Helper()
	if _, err := os.Stat(filepath.Join(p.directory, "more.upkeep.hcl")); errors.Is(err, os.ErrNotExist) {
		if _, dangling := os.Readlink(filepath.Join(p.directory, "more.upkeep.hcl")); dangling == nil {
			return // nothing could be read, so nothing was written
		}
	}
	for _, line := range []string{"show $D/a.plan", "show -json $D/a.plan", "rehearse $D/a.plan", "plan -facts=$D/facts.json" + s.exempt} {
		code, stdout, stderr := p.upkeep(line)
		if code != s.plan {
			p.t.Errorf("%s: exit %d, want %d\n%s%s", line, code, s.plan, stdout, stderr)
		}
		if strings.HasPrefix(line, "plan -facts") && !strings.HasPrefix(stdout, "FROM RECORDED FACTS of 2026-11-22 12:00:00 UTC: for review, not for apply\n") {
			p.t.Errorf("%s begins with\n%.200s", line, stdout)
		}
		if line == "show -json $D/a.plan" {
			var shown struct {
				Errored bool `json:"errored"`
				Upkeep  struct {
					Status  string `json:"status"`
					Summary struct {
						Unknown int `json:"unknown"`
					} `json:"summary"`
					Unknown []struct {
						Exempt string `json:"exempt"`
					} `json:"unknown"`
				} `json:"upkeep"`
			}
			if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
				p.t.Fatal(err)
			}
			counts := 0
			for _, u := range shown.Upkeep.Unknown {
				if u.Exempt == "" {
					counts++
				}
			}
			if bad := s.plan != 0; shown.Errored != bad || (shown.Upkeep.Status == "unknown" || shown.Upkeep.Status == "error") != bad || counts != shown.Upkeep.Summary.Unknown {
				p.t.Errorf("JSON of a plan that exits %d: errored %t, status %s, %d unknown of %+v", s.plan, shown.Errored, shown.Upkeep.Status, shown.Upkeep.Summary.Unknown, shown.Upkeep.Unknown)
			}
		}
	}
}

// Of several exit codes the first in the order of precedence counts, however they were joined, and what was told already is not
// told again.
func TestPrecedenceOfExitCodes(t *testing.T) {
	plain := errors.New("the lock could not be given back")
	for name, test := range map[string]struct {
		err  error
		code int
		text string
	}{
		"nothing":                    {nil, 0, ""},
		"an error":                   {plain, 1, "upkeep: the lock could not be given back\n"},
		"told":                       {exit{code: 3}, 3, ""},
		"told, and an error":         {errors.Join(exit{code: 3}, plain), 1, "upkeep: the lock could not be given back\n"},
		"an error outweighs changes": {errors.Join(exit{code: 2}, exit{code: 1}), 1, ""},
		"a window outweighs waits":   {errors.Join(exit{code: 3}, exit{code: 5}), 5, ""},
		"stale outweighs an error":   {errors.Join(plain, exit{4, errors.New("another digest")}), 4, "upkeep: the lock could not be given back\nanother digest\n"},
		"locked outweighs stale":     {errors.Join(exit{code: 4}, exit{code: 6}), 6, ""},
		"an interrupt outweighs all": {errors.Join(exit{code: 6}, fmt.Errorf("observing: %w", context.Canceled)), 130, "upkeep: observing: context canceled\n"},
		"wrapped":                    {fmt.Errorf("state: %w", exit{6, errors.New("locked")}), 6, "upkeep: state: locked\n"},
		"joined twice":               {errors.Join(errors.Join(exit{code: 2}, exit{code: 4}), exit{code: 3}), 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			if code := conclude(environment{stderr: &said}, test.err); code != test.code || said.String() != test.text {
				t.Errorf("exit %d, %q; want %d, %q", code, said.String(), test.code, test.text)
			}
		})
	}
}
