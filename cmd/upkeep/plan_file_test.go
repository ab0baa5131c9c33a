package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/planner"
	"upkeep/state"
	"upkeep/state/local"
)

// planned is a directory with a configuration, its state, and a plan file that was made with it. Every ssh leaves a canary.
type planned struct {
	directory, canary string
	plan              planner.Plan
	signed            []byte
	key               state.Key
	now               time.Time
}

// planOfThree plans for the three control planes of the demo, as a command with access to the state does.
func planOfThree(t *testing.T) planned {
	t.Helper()
	p := planned{directory: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	for _, name := range []string{"provider.upkeep.hcl", "facts.json"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		p.write(t, name, data)
	}
	programs := t.TempDir()
	p.canary = filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(filepath.Join(programs, "ssh"), []byte("#!/bin/sh\n: > '"+p.canary+"'\nexit 255\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs)

	backend, err := local.New(filepath.Join(p.directory, "upkeep.state.json"), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := backend.Lock(t.Context(), state.LockRequest{Operation: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	p.key = lock.State().Key
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	_, said := p.upkeep(t, "plan", "-facts=facts.json", "-out=recorded.plan")
	recorded, err := loadPlan(filepath.Join(p.directory, "recorded.plan"), domains())
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	recorded.Request.Recorded, recorded.Request.Lineage = false, lock.State().Lineage
	built, err := planner.Build(recorded.Request, domains())
	if err != nil {
		t.Fatal(err)
	}
	built.ID, built.UpkeepVersion = recorded.ID, recorded.UpkeepVersion
	p.plan = built
	if p.signed, err = planner.EncodeSigned(built, p.key.MAC); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p planned) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.directory, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// upkeep runs a command in the directory and returns its exit code and what it said.
func (p planned) upkeep(t *testing.T, args ...string) (int, string) {
	t.Helper()
	t.Chdir(p.directory)
	var said bytes.Buffer
	code := run(context.Background(), environment{
		args: append([]string{"upkeep"}, args...), stdin: strings.NewReader(""), stdout: &said, stderr: &said,
		environ: []string{"NO_COLOR=1", "HOME=" + p.directory}, now: func() time.Time { return p.now },
	})
	return code, said.String()
}

// files are the files of the directory and what is in them.
func (p planned) files(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := filepath.WalkDir(p.directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			out[path] = "directory"
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// refuses wants apply to refuse a plan file before it runs, reads or writes anything that the file names.
func (p planned) refuses(t *testing.T, what string, file []byte) {
	t.Helper()
	p.write(t, "edited.plan", file)
	before := p.files(t)
	code, said := p.upkeep(t, "apply", "-auto-approve", "-expect="+p.plan.Digest, "edited.plan")
	if code != exitStale || !strings.Contains(said, "this plan was not made with this state") {
		t.Errorf("%s: apply exits %d:\n%s", what, code, said)
	}
	if _, err := os.Stat(p.canary); err == nil {
		t.Fatalf("%s: apply ran ssh", what)
	}
	if diff := cmp.Diff(before, p.files(t)); diff != "" {
		t.Errorf("%s: apply changed files (-before +after):\n%s", what, diff)
	}
}

// Whatever is changed in a plan file, apply refuses it before it looks at anything that the file says: no command runs, no
// file is written, nobody is asked. The digest of the review is given, as a careful operator does, and helps the file in
// nothing.
func TestNoFieldOfAPlanFileIsBelieved(t *testing.T) {
	p := planOfThree(t)
	origin := p.signed[bytes.LastIndex(p.signed, []byte(`,"origin":`)):]
	tried := edits(t, p.signed)
	for path, edited := range tried {
		p.refuses(t, path, edited)
	}
	for _, field := range []string{
		".id", ".digest", ".created_at", ".origin", ".applyable", ".request.lineage", ".request.directory", ".request.desired.state.local.path",
		".request.desired.cluster.kubeconfig", ".request.desired.connections[].proxy_jump", ".request.desired.nodes[].host", ".request.desired.resources[].value.renew_before",
		".request.world.nodes.n1.host", ".steps[].args.names[]",
	} {
		if tried[field] == nil {
			t.Errorf("%s was not edited, so nothing is known of it", field)
		}
	}

	// Files that were never signed, with an origin from elsewhere.
	recorded := p.plan
	recorded.Request.Recorded = true
	unsigned, err := planner.EncodeSigned(recorded, p.key.MAC)
	if err != nil {
		t.Fatal(err)
	}
	p.refuses(t, "a plan from recorded facts", unsigned)
	unrecorded := bytes.Replace(unsigned, []byte(`,"recorded":true`), nil, 1)
	p.refuses(t, "one that says it is not", unrecorded)
	p.refuses(t, "with the origin of another", append(bytes.TrimSuffix(unsigned, []byte("}\n")), origin...))
	p.refuses(t, "nothing but an origin", origin)
	p.refuses(t, "nothing", nil)
	other, err := planner.EncodeSigned(p.plan, state.New().Key.MAC)
	if err != nil {
		t.Fatal(err)
	}
	p.refuses(t, "a plan of another state", other)
	if err := os.Remove(filepath.Join(p.directory, "upkeep.state.json")); err != nil {
		t.Fatal(err)
	}
	p.refuses(t, "without a state", p.signed)
}

// edits returns a JSON file with one text, number or boolean changed, for each place of one; of the elements of a list, the
// first has each place. Every other byte is as it was.
func edits(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	in := json.NewDecoder(bytes.NewReader(file))
	token := func() (json.Token, int) {
		before := in.InputOffset()
		read, err := in.Token()
		if err != nil {
			t.Fatal(err)
		}
		return read, int(before) + len(file[before:in.InputOffset()]) - len(bytes.TrimLeft(file[before:in.InputOffset()], ",: \n"))
	}
	var walk func(path string)
	walk = func(path string) {
		read, start := token()
		if delimiter, ok := read.(json.Delim); ok {
			for in.More() {
				below := path + "[]"
				if delimiter == '{' {
					key, _ := token()
					below = path + "." + key.(string)
				}
				walk(below)
			}
			token()
			return
		}
		var changed string
		switch v := read.(type) {
		case string:
			changed = `"` + v + `x"`
			if v == "" || strings.ContainsAny(v, "\"\\\n<>&") {
				changed = `"x"`
			}
		case bool:
			changed = fmt.Sprint(!v)
		default: // a number, or null
			changed = strings.Replace(string(file[start:in.InputOffset()])+"1", "null1", "1", 1)
		}
		if out[path] == nil {
			out[path] = slices.Concat(file[:start], []byte(changed), file[in.InputOffset():])
		}
	}
	walk("")
	return out
}

// The canary is one: a plan that this state and this configuration vouch for does ask the nodes.
func TestAPlanOfThisStateAsksItsNodes(t *testing.T) {
	p := planOfThree(t)
	p.write(t, "tonight.plan", p.signed)
	code, said := p.upkeep(t, "apply", "-expect="+p.plan.Digest, "tonight.plan")
	if code != exitError {
		t.Errorf("apply exits %d:\n%s", code, said)
	}
	if _, err := os.Stat(p.canary); err != nil {
		t.Errorf("apply asked nobody:\n%s", said)
	}
}

// A plan from another configuration is refused before anything that either names is used, and what differs is named.
func TestAPlanOfAnotherConfigurationIsRefused(t *testing.T) {
	for what, edit := range map[string][2]string{
		"cluster.kubeconfig":                      {"/home/ops/.kube/config", "/tmp/kubeconfig"},
		"connection.bastion.proxy_jump":           {"ops@bastion", "eve@bastion"},
		"connection.bastion.ssh_config":           {"become     = true", "become     = true\n  ssh_config = \"evil\""},
		"node.n2.host":                            {"10.77.0.12", "10.77.0.99"},
		"certificates.control_plane.renew_before": {`"30d"`, `"31d"`},
		"certificates.control_plane.without":      {"until upkeep takes it over", "by somebody"},
		"node.n1, node.n4":                        {"n1 =", "n4 ="},
	} {
		t.Run(what, func(t *testing.T) {
			p := planOfThree(t)
			p.write(t, "tonight.plan", p.signed)
			text, err := os.ReadFile(filepath.Join(p.directory, "provider.upkeep.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.ReplaceAll(text, []byte(edit[0]), []byte(edit[1]))
			if bytes.Equal(text, changed) {
				t.Fatalf("the configuration has no %q", edit[0])
			}
			p.write(t, "provider.upkeep.hcl", changed)
			before := p.files(t)
			code, said := p.upkeep(t, "apply", "-expect="+p.plan.Digest, "tonight.plan")
			if want := fmt.Sprintf("this plan was made from another configuration: %s differ", what); code != exitStale || !strings.Contains(said, want) {
				t.Errorf("apply exits %d, want 4 and %q:\n%s", code, want, said)
			}
			if _, err := os.Stat(p.canary); err == nil {
				t.Error("apply ran ssh")
			}
			if diff := cmp.Diff(before, p.files(t)); diff != "" {
				t.Errorf("apply changed files (-before +after):\n%s", diff)
			}
		})
	}
}

// The same configuration in another directory is the same: a plan goes with it, and with a comment more.
func TestAPlanGoesWithItsConfiguration(t *testing.T) {
	p := planOfThree(t)
	elsewhere := p
	elsewhere.directory = t.TempDir()
	for name, text := range p.files(t) {
		if text != "directory" {
			elsewhere.write(t, filepath.Base(name), []byte(text))
		}
	}
	elsewhere.write(t, "tonight.plan", p.signed)
	text, err := os.ReadFile(filepath.Join(p.directory, "provider.upkeep.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere.write(t, "provider.upkeep.hcl", append([]byte("# A comment.\n\n"), text...))
	code, said := elsewhere.upkeep(t, "apply", "-expect="+p.plan.Digest, "tonight.plan")
	if _, err := os.Stat(p.canary); err != nil {
		t.Errorf("apply exits %d and asked nobody:\n%s", code, said)
	}
}

// digests compares the digests of two plan files.
func digests(ts *testscript.TestScript, _ bool, args []string) {
	var plans [2]struct {
		Digest  string
		Digests map[string]string
	}
	for i := range plans {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[i])), &plans[i]))
		if len(plans[i].Digests) == 0 {
			ts.Fatalf("%s does nothing, so it has no digest to compare", args[i])
		}
	}
	want := args[2:]
	if got := planner.Differing(plans[0].Digests, plans[1].Digests); !slices.Equal(got, want) {
		ts.Fatalf("these resources differ: %v; want %v", got, want)
	}
	if (plans[0].Digest == plans[1].Digest) != (len(want) == 0) {
		ts.Fatalf("the digests of the plans are %s and %s", plans[0].Digest, plans[1].Digest)
	}
}
