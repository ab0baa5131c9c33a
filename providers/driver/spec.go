package driver

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
	"upkeep/providers/strictjson"
)

// What the operator may write.
const (
	Auto        = "auto"
	Open        = "open"
	Proprietary = "proprietary"
	Server      = "server"
	Desktop     = "desktop"
	Refuse      = "refuse"
	Change      = "change"
	Host        = "host"
	None        = "none"
)

// Spec is one `nvidia_driver` block: what the operator declared. Plain data; it survives JSON.
type Spec struct {
	Name  string           `json:"name"`
	Key   string           `json:"key,omitempty"`
	Nodes config.Selection `json:"nodes"`
	// Models are those of provider-configs; empty: every node of the selection.
	Models []string `json:"models,omitempty"`
	// Version is a version in all its parts, or a branch.
	Version      string `json:"version"`
	KernelModule string `json:"kernel_module"`
	Track        string `json:"track"`
	Held         string `json:"held"`
	// Validate is how the GPUs prove themselves at the end, and Unvalidated why they do not.
	Validate    string `json:"validate,omitempty"`
	Unvalidated string `json:"unvalidated,omitempty"`
	// MaxSameModel is how many nodes of one model may be out of service at a time; 0: one. Soak is how long the first one
	// of each model runs before the others of the model begin.
	MaxSameModel int             `json:"max_same_model,omitempty"`
	Soak         config.Duration `json:"soak,omitempty"`
	Policy       downtime.Policy `json:"policy"`
	Limits       downtime.Limits `json:"limits,omitzero"`
	Position     config.Position `json:"position"`
}

// Address returns nvidia_driver.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "nvidia_driver", Name: s.Name, Key: s.Key}
}

// question is what a node is asked of its driver.
func (s Spec) question() facts.Question {
	return facts.Question{NVIDIA: true, Boot: true, Floor: true, History: true,
		Apt: &facts.AptQuestion{Branch: branchOf(s.Version)}}
}

// Needs asks each selected node what it has and what apt offers, and the cluster for its nodes and who is on them.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true, Tenancies: true, Residents: true, Maintenance: true},
		Nodes:      []providers.NodeNeed{{Nodes: s.Nodes, Question: s.question()}},
	}
}

// SecondNeeds asks of the nodes that are due what apt would do for them, what draining them would do, and for etcd
// where
// one of them is a control plane.
func (s Spec) SecondNeeds(world facts.World, inventory providers.Inventory, _ bool) (needs providers.Needs) {
	in := providers.Input{World: world, Inventory: inventory}
	objects := in.Objects()
	nodes := s.nodes(in)
	version, _ := s.resolveVersion(in, nodes)
	if version == "" {
		return needs
	}
	for _, n := range nodes {
		v := judge(s, version, world.Node(n.Name))
		if object := objects[n.Name]; object != nil && len(v.why) > 0 {
			needs.Kubernetes.Drains = append(needs.Kubernetes.Drains, facts.DrainQuestion{Node: object.Name})
			needs.Etcd = needs.Etcd || providers.IsPlane(n, *object)
		}
		if change := v.packages.change; len(v.why) > 0 && len(v.problems) == 0 && !change.Empty() {
			question := s.question()
			question.Apt.Change = &change
			needs.Nodes = append(needs.Nodes, providers.NodeNeed{Nodes: config.Selection{Names: []string{n.Name}},
				Question: question})
		}
	}
	return needs
}

// nodes are those of the selection with the models of the block.
func (s Spec) nodes(in providers.Input) (out []config.Node) {
	nodes, _ := in.Inventory.Select(s.Nodes)
	for _, n := range nodes {
		if providers.HasModel(in.World.Node(n.Name), s.Models) {
			out = append(out, n)
		}
	}
	return out
}

var (
	modelPattern   = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	branchPattern  = regexp.MustCompile(`^[0-9]{3}$`)
	versionPattern = regexp.MustCompile(`^[0-9]{3}\.[0-9]{1,4}(\.[0-9]{1,4})?$`)
)

// The bounds of max_same_model and soak.
const (
	mostNodes   = 10000
	longestSoak = config.Duration(30 * 24 * 3600e9)
)

func decode(b config.Block) (any, hcl.Diagnostics) {
	s := Spec{
		Name: b.Name, Key: b.Key, Nodes: b.Selection("nodes"), Models: b.Strings("models"), Version: b.String("version"),
		KernelModule: b.String("kernel_module"), Track: b.String("track"), Held: b.String("held"),
		Validate: b.String("validate"), Unvalidated: b.String("validate_reason"),
		Position: config.PositionOf(b.DefRange, b.Directory),
	}
	var diags, more hcl.Diagnostics
	s.Policy, s.Limits, diags = downtime.Read(b)
	diags = append(diags, s.validation(b)...)
	s.MaxSameModel, more = b.Integer("max_same_model", 1, mostNodes)
	diags = append(diags, more...)
	s.Soak, more = b.DurationWithin("soak", 0, longestSoak)
	diags = append(diags, more...)
	for _, m := range s.Models {
		if !modelPattern.MatchString(m) {
			diags = append(diags, b.Diagnose("models", "Invalid model", fmt.Sprintf("%q is not the name of a model. "+
				"provider-configs writes models in lower case, without spaces and dashes, such as \"h100\" or \"rtx4090\".", m)))
		}
	}
	if !branchPattern.MatchString(s.Version) && !versionPattern.MatchString(s.Version) {
		diags = append(diags, b.Diagnose("version", "Invalid version",
			fmt.Sprintf("%q is neither a version nor a branch of NVIDIA's driver. "+
				"Write a version with all its parts, such as \"580.126.20\", without the revision of the package. "+
				"Or write a branch, such as \"580\".", s.Version)))
	}
	return s, diags
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
		return nil, fmt.Errorf("nvidia_driver block in the plan: %w", err)
	}
	return s, nil
}
