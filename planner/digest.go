package planner

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/planner/window"
	"upkeep/providers"
)

// digestVersion stands first in what is digested: another meaning of the same words needs another version.
const digestVersion = "upkeep plan 2"

// digests are those of a plan: of what is done for each resource, by address, and of all that.
//
// Of a resource they cover the targets (the CA of the cluster, the lineage of the state) and of each step: id, node
// with its machine id, operation, arguments as the domain gives them for the digest, needs with waivers and with who
// provides the guard and for what, consents, window, lanes by definition, repair and rest, and which steps of the
// resource come before it.
//
// Outside stand turn and place within a lane, the steps of guards (whether one is needed is judged at apply), the
// clock, reasons and other text, positions, estimates and what a step relies on. So the same due work has the same
// digest on any machine and any day, and what differs is named by resource.
type digests struct {
	plan      string
	resources map[string]string
}

// digestStep is what of a step enters the digest of its resource.
type digestStep struct {
	ID        string              `json:"id"`
	Node      string              `json:"node,omitempty"`
	Machine   string              `json:"machine,omitempty"`
	Operation string              `json:"operation"`
	Args      any                 `json:"args"`
	Guards    []digestNeed        `json:"guards,omitempty"`
	Consents  []providers.Consent `json:"consents,omitempty"`
	Window    any                 `json:"window,omitempty"`
	Lanes     []providers.Lane    `json:"lanes,omitempty"`
	Repairs   bool                `json:"repairs,omitempty"`
	Rest      bool                `json:"rest,omitempty"`
	After     []string            `json:"after,omitempty"`
}

// digestWindows are the windows of a step as they are defined; openings follow from the clock, and stay outside.
type digestWindows struct {
	Allow []*window.Window `json:"allow,omitempty"`
	Deny  []*window.Window `json:"deny,omitempty"`
	// Together: see window.Calendar.
	Together bool `json:"together,omitempty"`
}

// digestedWindow is the word "always" where a step may begin at any time.
func digestedWindow(c window.Calendar) any {
	if !c.Bound() {
		return window.Always
	}
	bare := func(windows []*window.Window) (out []*window.Window) {
		for _, w := range windows {
			definition := *w
			definition.Position = config.Position{}
			out = append(out, &definition)
		}
		return out
	}
	return digestWindows{Allow: bare(c.Allow), Deny: bare(c.Deny), Together: c.Together}
}

type digestNeed struct {
	providers.Need
	By []digestBracket `json:"by,omitempty"`
}

// digestBracket is what of a bracket enters a digest: neither its steps nor what it guards.
type digestBracket struct {
	Guard     string `json:"guard"`
	Of        string `json:"of"`
	Target    string `json:"target,omitempty"`
	Condition bool   `json:"condition,omitempty"`
}

// digester holds what the digest of each step of a plan needs.
type digester struct {
	domains
	request  Request
	brackets []providers.Bracket
	index    providers.BracketIndex
	resource map[string]providers.Address // of each step, by id
}

// digest works out the digests of the steps and brackets of a request.
func (d domains) digest(r Request, steps []providers.Step, brackets []providers.Bracket) (digests, error) {
	g := digester{domains: d, request: r, brackets: brackets, index: providers.IndexBrackets(brackets), resource: map[string]providers.Address{}}
	for _, step := range steps {
		g.resource[step.ID] = step.Address.Resource()
	}
	byResource := map[string][]digestStep{}
	for _, step := range steps {
		if g.guard(step.ID) {
			continue
		}
		s, err := g.step(step)
		if err != nil {
			return digests{}, err
		}
		address := step.Address.Resource().String()
		byResource[address] = append(byResource[address], s)
	}
	out := digests{resources: map[string]string{}}
	for address, list := range byResource {
		slices.SortFunc(list, func(a, b digestStep) int { return cmp.Compare(a.ID, b.ID) })
		digest, err := sum("resource", address, r.Identity().Authority, r.Lineage, list)
		if err != nil {
			return digests{}, fmt.Errorf("digest of %s: %w", address, err)
		}
		out.resources[address] = digest
	}
	all := make([]digestBracket, 0, len(brackets))
	for _, b := range brackets {
		all = append(all, digested(b))
	}
	slices.SortFunc(all, compareBrackets)
	var err error
	out.plan, err = sum("plan", out.resources, all) // Go writes the keys of maps sorted
	return out, err
}

// stepDigests are the digests of single steps by id, without those of guards, and without what else is due: not which
// steps come before.
func (d domains) stepDigests(r Request, steps []providers.Step, brackets []providers.Bracket) (map[string]string, error) {
	g := digester{domains: d, request: r, brackets: brackets, index: providers.IndexBrackets(brackets)}
	out := map[string]string{}
	for _, step := range steps {
		if g.guard(step.ID) {
			continue
		}
		s, err := g.step(step)
		if err != nil {
			return nil, err
		}
		s.After = nil
		if out[step.ID], err = sum("step", r.Identity().Authority, r.Lineage, s); err != nil {
			return nil, fmt.Errorf("digest of step %s: %w", step.ID, err)
		}
	}
	return out, nil
}

// guard reports whether a step is one of a guard.
func (g digester) guard(id string) bool { return len(g.index.Begins[id])+len(g.index.Ends[id]) > 0 }

func (g digester) step(step providers.Step) (digestStep, error) {
	args, err := g.digestArgs(step)
	if err != nil {
		return digestStep{}, fmt.Errorf("step %s: digest its arguments: %w", step.ID, err)
	}
	s := digestStep{
		ID: step.ID, Node: step.Node, Operation: step.Operation, Args: args,
		Consents: step.Consents, Window: digestedWindow(g.marks.calendar(step)), Repairs: step.Repairs, Rest: step.Rest,
	}
	if step.Node != "" {
		s.Machine = g.request.World.Node(step.Node).System.MachineID
	}
	for _, need := range step.Guards {
		n := digestNeed{Need: need}
		for _, i := range g.index.Guarded[step.ID] {
			if g.brackets[i].Guard == need.Name {
				n.By = append(n.By, digested(g.brackets[i]))
			}
		}
		slices.SortFunc(n.By, compareBrackets)
		s.Guards = append(s.Guards, n)
	}
	for _, lane := range step.Lanes {
		if !strings.HasPrefix(lane.Name, providers.NodeLanePrefix) { // that of the node follows from the node
			s.Lanes = append(s.Lanes, lane)
		}
	}
	for _, id := range step.After {
		if g.resource[id] == step.Address.Resource() && !g.guard(id) {
			s.After = append(s.After, id)
		}
	}
	slices.Sort(s.After)
	return s, nil
}

// digestArgs returns what of a step's arguments its digest covers: what the domain says, else all, with numbers as
// written.
func (d domains) digestArgs(step providers.Step) (any, error) {
	args := step.Args
	if digestArgs, resource := d.argsOf[step.Operation], d.resources[step.Address.Resource()]; digestArgs != nil && resource != nil {
		var err error
		if args, err = digestArgs(resource, step); err != nil {
			return nil, err
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	in := json.NewDecoder(bytes.NewReader(args))
	in.UseNumber()
	var value any
	err := in.Decode(&value)
	return value, err
}

func digested(b providers.Bracket) digestBracket {
	return digestBracket{Guard: b.Guard, Of: b.Of.String(), Target: b.Target, Condition: b.Condition}
}

func compareBrackets(a, b digestBracket) int {
	return cmp.Or(cmp.Compare(a.Guard, b.Guard), cmp.Compare(a.Of, b.Of), cmp.Compare(a.Target, b.Target))
}

// sum returns "sha256:" and the digest of some values, each on a line as JSON.
func sum(values ...any) (string, error) {
	hash := sha256.New()
	out := json.NewEncoder(hash)
	for _, value := range append([]any{digestVersion}, values...) {
		if err := out.Encode(value); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
