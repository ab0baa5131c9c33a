package nvidia

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/nvidia/kernellog"
	"upkeep/providers/strictjson"
)

// Spec is one `gpu_health` block: what the operator declared. Plain data; it survives JSON.
type Spec struct {
	Name  string           `json:"name"`
	Key   string           `json:"key,omitempty"`
	Nodes config.Selection `json:"nodes"`
	// Models are those of provider-configs; empty: every node of the selection.
	Models     []string `json:"models,omitempty"`
	Quarantine bool     `json:"quarantine,omitempty"`
	// Classes are the classes of faults that a node is cordoned for, in the order of FaultClasses.
	Classes []string `json:"classes,omitempty"`
	// MaxQuarantined bounds the cordoned nodes of all blocks together; 0: see budget.
	MaxQuarantined int             `json:"max_quarantined,omitempty"`
	Repeat         Repeat          `json:"repeat,omitzero"`
	Ignores        []Ignore        `json:"ignores,omitempty"`
	Position       config.Position `json:"position"`
}

// Repeat says when the faults of one GPU are too many; the zero value: never.
type Repeat struct {
	Faults int             `json:"faults,omitempty"`
	Within config.Duration `json:"within,omitempty"`
}

// Ignore is a Xid that a person has accepted for a while.
type Ignore struct {
	Code   int          `json:"code"`
	Nodes  []string     `json:"nodes,omitempty"`
	Reason string       `json:"reason"`
	Owner  string       `json:"owner"`
	Until  config.Until `json:"until"`
}

// Address returns gpu_health.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "gpu_health", Name: s.Name, Key: s.Key}
}

// Needs asks each selected node what it is, and what its driver said since it booted, and the cluster for its
// nodes.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true, Residents: true, Maintenance: true},
		Nodes: []providers.NodeNeed{{
			Nodes: s.Nodes, Question: facts.Question{NVIDIA: true, KernelLog: &facts.KernelLogQuestion{}},
		}},
	}
}

// modelPattern is what provider-configs calls a model: lower case, no spaces, no dashes.
var modelPattern = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

const (
	mostQuarantined = 10000
	mostFaults      = 100
	// longestWithin is how long the record of what was seen is kept (state/seen, Kept).
	longestWithin = config.Duration(90 * 24 * time.Hour)
	highestCode   = 99999 // a driver writes SXids with five digits
)

func decode(b config.Block) (any, hcl.Diagnostics) {
	s := Spec{
		Name: b.Name, Key: b.Key, Nodes: b.Selection("nodes"), Models: b.Strings("models"),
		Quarantine: b.Bool("quarantine"),
		Position:   config.PositionOf(b.DefRange, b.Directory),
	}
	var diags hcl.Diagnostics
	for _, m := range s.Models {
		if !modelPattern.MatchString(m) {
			diags = append(diags, b.Diagnose("models", "Invalid model", fmt.Sprintf("%q is not the name of a model. "+
				"provider-configs writes models in lower case, without spaces and dashes, such as \"h100\" or \"rtx4090\".", m)))
		}
	}
	given := b.Strings("classes")
	for _, class := range given {
		if !slices.Contains(FaultClasses(), class) {
			diags = append(diags,
				b.Diagnose("classes", "Unknown class", fmt.Sprintf("There is no class %q. Classes are %s.", class,
					strings.Join(FaultClasses(), ", "))))
		}
	}
	for _, class := range FaultClasses() {
		if slices.Contains(given, class) {
			s.Classes = append(s.Classes, class)
		}
	}
	switch {
	case s.Quarantine && len(given) == 0:
		diags = append(diags,
			b.Diagnose("quarantine", "No classes",
				"quarantine = true needs \"classes\": the faults that a node is cordoned for. "+
					"Write for example classes = [\"lost\", \"reboot\"]."))
	case !s.Quarantine && len(given) > 0:
		diags = append(diags,
			b.Diagnose("classes", "Nothing to choose",
				"\"classes\" says what a node is cordoned for, and quarantine is not set. "+
					"Write quarantine = true, or remove classes."))
	}
	if b.Given("max_quarantined") {
		limit, more := b.Integer("max_quarantined", 1, mostQuarantined)
		diags = append(diags, more...)
		s.MaxQuarantined = limit
		if !s.Quarantine {
			diags = append(diags, b.Diagnose("max_quarantined", "Nothing to bound",
				"quarantine is not set, so no node is cordoned. "+
					"Write quarantine = true, or remove max_quarantined."))
		}
	}
	diags = append(diags, s.readRepeat(b)...)
	diags = append(diags, s.readIgnores(b)...)
	return s, diags
}

func (s *Spec) readRepeat(b config.Block) hcl.Diagnostics {
	nested, is := b.Nested("repeat")
	if !is {
		return nil
	}
	faults, diags := nested.Integer("faults", 2, mostFaults)
	within, more := nested.DurationWithin("within", config.Duration(time.Hour), longestWithin)
	s.Repeat = Repeat{Faults: faults, Within: within}
	return append(diags, more...)
}

func (s *Spec) readIgnores(b config.Block) (diags hcl.Diagnostics) {
	for n := 0; ; n++ {
		nested, is := b.Nested(fmt.Sprintf("ignore.%d", n))
		if !is {
			return diags
		}
		code, more := nested.Integer("xid", 1, highestCode)
		diags = append(diags, more...)
		i := Ignore{
			Code: code, Nodes: nested.Strings("nodes"), Reason: strings.TrimSpace(nested.String("reason")),
			Owner: strings.TrimSpace(nested.String("owner")),
		}
		for _, word := range []struct{ name, value string }{{"reason", i.Reason}, {"owner", i.Owner}} {
			if word.value == "" {
				diags = append(diags,
					nested.Diagnose(word.name, "Empty text", fmt.Sprintf("%q is empty. Say why, and who is responsible.",
						word.name)))
			}
		}
		until, err := config.ParseUntil(nested.String("until"))
		if err != nil {
			diags = append(diags, nested.Diagnose("until", "Invalid date", err.Error()+"."))
		}
		i.Until = until
		s.Ignores = append(s.Ignores, i)
	}
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
		return nil, fmt.Errorf("gpu_health block in the plan: %w", err)
	}
	return s, nil
}

// ignored reports whether a person has accepted a Xid on this node. The last day has not passed.
func (e *examination) ignored(f kernellog.Fault) bool {
	return slices.ContainsFunc(e.Ignores, func(i Ignore) bool {
		return f.Kind != kernellog.NVRM && i.Code == f.Code && !e.Clock.Passed(i.Until.Ends()) &&
			(len(i.Nodes) == 0 || slices.Contains(i.Nodes, e.Node.Name))
	})
}
