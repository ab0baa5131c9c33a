package planner_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// This file is a small domain of two block types. A "widget" wants a version on nodes (it stands in System.Kernel) and
// restarts them (a new boot id); a "vault" provides the guards "copy" (with an end) and "seal".

type widget struct {
	Name      string           `json:"name"`
	Key       string           `json:"key,omitempty"`
	Nodes     config.Selection `json:"nodes"`
	Version   string           `json:"version"`
	Guards    []string         `json:"guards,omitempty"`
	GuardNone string           `json:"-"` // the reason why the block asks for none of Guards
	Prefers   []string         `json:"prefers,omitempty"`
	Serial    string           `json:"serial,omitempty"`
	Requires  []string         `json:"requires,omitempty"` // further steps that set waits for
	// Consents are what set asks for.
	Consents []providers.Consent `json:"consents,omitempty"`
}

// needs are the guards that the widget must have, and those that it would like.
func (w widget) needs() []providers.Need {
	var out []providers.Need
	for _, name := range w.Guards {
		out = append(out, providers.Need{Name: name})
	}
	for _, name := range w.Prefers {
		out = append(out, providers.Need{Name: name, Optional: true})
	}
	return out
}

// lanes is the lane "Serial", in which one node at a time is under way.
func (w widget) lanes() []providers.Lane {
	if w.Serial == "" {
		return nil
	}
	return []providers.Lane{{Name: w.Serial, Width: 1, Strict: true}}
}

func (w widget) Address() providers.Address {
	return providers.Address{Type: "widget", Name: w.Name, Key: w.Key}
}

func (w widget) Needs() providers.Needs {
	return providers.Needs{Nodes: []providers.NodeNeed{{Nodes: w.Nodes, Question: facts.Question{ControlPlane: true}}}}
}

type setArgs struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

func (w widget) Diff(in providers.Input) providers.Outcome {
	var out providers.Outcome
	nodes, incomplete := in.Inventory.Select(w.Nodes)
	if incomplete != "" {
		out.Findings = append(out.Findings, providers.Finding{ID: "FLEET_UNKNOWN", Severity: providers.SeverityError, Summary: incomplete, Unknown: true})
	}
	for _, node := range nodes {
		address := w.Address().On(node.Name)
		seen := in.World.Node(node.Name)
		if seen.Unknown != "" {
			out.Findings = append(out.Findings, providers.Finding{
				ID: "NODE_UNREACHABLE", Severity: providers.SeverityError, Address: address, Summary: seen.Unknown, Unknown: true,
			})
			continue
		}
		object := providers.Object{Address: address, Name: "version", Status: "ok"}
		replace := slices.ContainsFunc(in.Replace, func(a providers.Address) bool { return a.Covers(address) })
		if seen.System.Kernel != w.Version || replace {
			object.Status = "due"
			if seen.System.Kernel != w.Version {
				out.Findings = append(out.Findings, providers.Finding{
					ID: "VERSION_DIFFERS", Severity: providers.SeverityWarning, Address: address, Object: "version",
					Summary: fmt.Sprintf("%s, wanted %s", seen.System.Kernel, w.Version),
				})
			}
			args, _ := json.Marshal(setArgs{w.Version, in.Now})
			set := providers.Step{
				ID: address.String() + "/set", Address: address, Node: node.Name, Operation: "widget.set", Args: args, Action: "update",
				Summary: "set the version", Why: []string{"it is " + seen.System.Kernel + " at " + in.Now.String()}, After: w.Requires,
				Changes: []providers.Change{{What: "version", Before: seen.System.Kernel, After: w.Version}},
				Guards:  w.needs(), Consents: w.Consents, Window: "always", Lanes: w.lanes(), Estimate: 2, Position: "a.upkeep.hcl:7",
			}
			restart := providers.Step{
				ID: address.String() + "/restart", Address: address, Node: node.Name, Operation: "widget.restart", Action: "update",
				Summary: "restart", Disruption: node.Name, Rest: true, Changes: []providers.Change{{What: "boot_id", Before: seen.System.BootID, After: facts.New}},
				Guards: w.needs(), Window: "always", Lanes: w.lanes(), After: []string{set.ID}, Estimate: 3, Position: "a.upkeep.hcl:7",
			}
			out.Steps = append(out.Steps, set, restart)
		}
		out.Objects = append(out.Objects, object)
	}
	return out
}

type setEffect struct{}

func (setEffect) Predict(in providers.Input, s providers.Step) facts.Update {
	args, err := providers.ArgsOf[setArgs](s)
	if err != nil {
		return facts.Update{}
	}
	node := in.World.Node(s.Node)
	node.System.Kernel = args.Version
	return facts.Update{Nodes: []facts.Node{node}}
}

func (setEffect) Needs(in providers.Input, s providers.Step) providers.Needs {
	return providers.NeedsOfNode(in, s)
}

func (setEffect) Ground(in providers.Input, s providers.Step) providers.Ground {
	boot := in.World.Node(s.Node).System.BootID
	if boot == facts.New {
		return nil
	}
	return bootGround{s.Node, boot}
}

// bootGround is the boot that a step is made for.
type bootGround struct {
	Node   string `json:"node"`
	BootID string `json:"boot_id"`
}

func (g bootGround) Lines() []string { return []string{"boot id of " + g.Node + " = " + g.BootID} }

func (setEffect) Ready(in providers.Input, s providers.Step) providers.Readiness {
	args, err := providers.ArgsOf[setArgs](s)
	if err != nil {
		return providers.Readiness{State: providers.Unknown, Why: err.Error()}
	}
	node := in.World.Node(s.Node)
	switch {
	case node.Unknown != "":
		return providers.Readiness{State: providers.Unknown, Why: node.Unknown}
	case node.System.Kernel == args.Version:
		return providers.Readiness{State: providers.Done, Why: "it has the version"}
	}
	return providers.Readiness{State: providers.Holds}
}

func (setEffect) Proved(_, after providers.Input, s providers.Step) error {
	args, err := providers.ArgsOf[setArgs](s)
	if err != nil {
		return err
	}
	node := after.World.Node(s.Node)
	return cmp.Or(unknownErr(node), errorIf(node.System.Kernel != args.Version, "the version is "+node.System.Kernel))
}

func (setEffect) ByHand(providers.Input, providers.Step) []providers.Command { return nil }

type restartEffect struct{ setEffect }

func (restartEffect) Predict(in providers.Input, s providers.Step) facts.Update {
	node := in.World.Node(s.Node)
	node.System.BootID = facts.New
	return facts.Update{Nodes: []facts.Node{node}}
}

func (restartEffect) Ready(in providers.Input, s providers.Step) providers.Readiness {
	if node := in.World.Node(s.Node); node.Unknown != "" {
		return providers.Readiness{State: providers.Unknown, Why: node.Unknown}
	}
	return providers.Readiness{State: providers.Holds}
}

func (restartEffect) Proved(before, after providers.Input, s providers.Step) error {
	node := after.World.Node(s.Node)
	return cmp.Or(unknownErr(node), errorIf(node.System.BootID == before.World.Node(s.Node).System.BootID, "the boot id is the same"))
}

// vaultEffect counts in Kubernetes.Version what the vault did.
type vaultEffect struct{ word string }

func (v vaultEffect) Predict(in providers.Input, _ providers.Step) facts.Update {
	k := in.World.Kubernetes
	k.Version += v.word
	return facts.Update{Kubernetes: &k}
}
func (vaultEffect) Needs(in providers.Input, s providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, s)
}
func (vaultEffect) Ground(in providers.Input, _ providers.Step) providers.Ground {
	return vaultGround{in.World.Kubernetes.Version}
}
func (vaultEffect) Ready(providers.Input, providers.Step) providers.Readiness {
	return providers.Readiness{State: providers.Holds}
}
func (vaultEffect) Proved(before, after providers.Input, _ providers.Step) error {
	return errorIf(before.World.Kubernetes.Version == after.World.Kubernetes.Version, "the vault did nothing")
}
func (vaultEffect) ByHand(providers.Input, providers.Step) []providers.Command { return nil }

// vaultGround is what the vault did before.
type vaultGround struct {
	Vault string `json:"vault"`
}

func (g vaultGround) Lines() []string { return []string{"vault = " + g.Vault} }

// vault is a guard that begins with one step and, where it has an end, ends with another.
type vault struct {
	name  string
	needs []string
	ends  bool
}

func (v vault) step(verb string) providers.Step {
	return providers.Step{
		ID: "vault.main/" + v.name + "-" + verb, Address: providers.Address{Type: "vault", Name: "main"}, Operation: "vault." + verb,
		Action: "create", Summary: verb + " " + v.name, Guards: needsOf(v.needs...), Window: "always", Estimate: 1,
	}
}

func needsOf(names ...string) (out []providers.Need) {
	for _, name := range names {
		out = append(out, providers.Need{Name: name})
	}
	return out
}

// guard is the vault as a guard.
func (v vault) guard() providers.Guard { return providers.Guard{Before: v.Before, After: v.After} }

func (v vault) Before(providers.Input, []providers.Step) []providers.Step {
	return []providers.Step{v.step("begin")}
}

func (v vault) After(providers.Input, []providers.Step) []providers.Step {
	if !v.ends {
		return nil
	}
	return []providers.Step{v.step("end")}
}

// store is the vault's block: it finds nothing and plans nothing of its own.
type store struct{}

func (store) Address() providers.Address                 { return providers.Address{Type: "vault", Name: "main"} }
func (store) Needs() providers.Needs                     { return providers.Needs{} }
func (store) Diff(providers.Input) (o providers.Outcome) { return o }
func (store) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{
		"copy": vault{name: "copy", ends: true}.guard(),
		"seal": vault{name: "seal", needs: []string{"copy"}}.guard(),
	}
}

// circular is a store whose guards need one another.
type circular struct{ store }

func (circular) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{
		"a": vault{name: "a", needs: []string{"b"}}.guard(), "b": vault{name: "b", needs: []string{"a"}}.guard(),
	}
}

func testTypes() []providers.Type {
	return []providers.Type{
		{
			BlockType: config.BlockType{Name: "widget", Restore: func(data json.RawMessage) (any, error) {
				var w widget
				err := json.Unmarshal(data, &w)
				return w, err
			}},
			Effects: map[string]providers.Effect{"widget.set": setEffect{}, "widget.restart": restartEffect{}},
			DigestArgs: func(_ providers.Resource, s providers.Step) (json.RawMessage, error) {
				var args struct {
					Version string `json:"version"`
				}
				if len(s.Args) == 0 {
					return nil, nil
				}
				err := json.Unmarshal(s.Args, &args)
				data, _ := json.Marshal(args)
				return data, err
			},
		},
		{
			BlockType: config.BlockType{Name: "vault", Restore: func(json.RawMessage) (any, error) { return store{}, nil }},
			Rules: []providers.Consent{
				{Rule: "backup", Demands: "no disruptive step without a proved backup"},
				{Rule: "leases", Demands: "no work that could close a tenant's lease"},
				{Rule: "max_change", Demands: "no price changed by more than max_change"},
			},
			Effects: map[string]providers.Effect{"vault.begin": vaultEffect{"b"}, "vault.end": vaultEffect{"e"}},
		},
	}
}

var testNow = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// testRequest has nodes cp1 to cpN with version 1 and one widget "w" on them that wants version 2, one node at a time.
func testRequest(n int, change func(*widget)) planner.Request {
	r := planner.Request{Now: testNow, World: facts.World{ObservedAt: testNow, Nodes: make(map[string]*facts.Node, n)}}
	r.Desired.State = config.State{Backend: "local", Local: &config.LocalState{Path: "upkeep.state.json"}}
	r.Desired.Nodes = make([]config.Node, 0, n)
	for i := range n {
		name := fmt.Sprintf("cp%d", i+1)
		r.Desired.Nodes = append(r.Desired.Nodes, config.Node{Name: name, Block: "cp", Host: "192.0.2.1", Roles: []string{"worker"}})
		r.World.Nodes[name] = &facts.Node{Name: name, System: facts.System{Kernel: "1", BootID: "boot-" + name}}
	}
	w := widget{Name: "w", Nodes: config.Selection{Roles: []string{"worker"}}, Version: "2", Serial: "control-plane"}
	if change != nil {
		change(&w)
	}
	declare(&r, w)
	declareVault(&r)
	return r
}

func declareVault(r *planner.Request) {
	r.Desired.Resources = append(r.Desired.Resources, config.Declared{
		Type: "vault", Name: "main", Position: config.Position{File: "a.upkeep.hcl", Line: 20}, Value: store{},
	})
}

func declare(r *planner.Request, w widget) {
	var meta config.Meta
	for _, guard := range w.Guards {
		if w.GuardNone != "" {
			meta.Without = append(meta.Without, config.Waiver{Guard: guard, Reason: w.GuardNone, Position: config.Position{File: "a.upkeep.hcl", Line: 8}})
		}
	}
	r.Desired.Resources = append(r.Desired.Resources, config.Declared{
		Meta: meta, Type: "widget", Name: w.Name, Key: w.Key, Position: config.Position{File: "a.upkeep.hcl", Line: 7}, Value: w,
	})
}

func unknownErr(n facts.Node) error { return errorIf(n.Unknown != "", n.Unknown) }

func errorIf(condition bool, text string) error {
	if condition {
		return errors.New(text)
	}
	return nil
}

func ids(steps []providers.Step) []string {
	out := []string{}
	for _, s := range steps {
		out = append(out, s.ID)
	}
	return out
}
