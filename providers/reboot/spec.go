package reboot

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

// When a node is due.
const (
	Required  = "required"          // packages ask for it, or another kernel boots next
	OlderThan = "kernel_older_than" // it runs an older kernel than Spec.Kernel
)

// Spec is one `node_reboot` block: what the operator declared. Plain data; it survives JSON.
type Spec struct {
	Name  string           `json:"name"`
	Key   string           `json:"key,omitempty"`
	Nodes config.Selection `json:"nodes"`
	// Models are those of provider-configs; empty: every node of the selection.
	Models   []string        `json:"models,omitempty"`
	When     string          `json:"when"`
	Kernel   string          `json:"kernel,omitempty"`
	Policy   downtime.Policy `json:"policy"`
	Limits   downtime.Limits `json:"limits,omitzero"`
	Position config.Position `json:"position"`
}

// Address returns node_reboot.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "node_reboot", Name: s.Name, Key: s.Key}
}

// Needs asks each selected node what it runs and what boots next, which every node says, and the cluster for its nodes
// and who is on them.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true, Tenancies: true, Residents: true, Maintenance: true},
		Nodes:      []providers.NodeNeed{{Nodes: s.Nodes, Question: facts.Question{NVIDIA: len(s.Models) > 0, Boot: true}}},
	}
}

// SecondNeeds asks what draining the nodes would do that are due, and for etcd where one of them is a control plane.
func (s Spec) SecondNeeds(world facts.World, inventory providers.Inventory, _ bool) (needs providers.Needs) {
	in := providers.Input{World: world, Inventory: inventory}
	objects := in.Objects()
	nodes, _ := inventory.Select(s.Nodes)
	for _, n := range nodes {
		object := objects[n.Name]
		if object == nil || !providers.HasModel(world.Node(n.Name), s.Models) {
			continue
		}
		if due, _ := s.due(world.Node(n.Name)); len(due) > 0 {
			needs.Kubernetes.Drains = append(needs.Kubernetes.Drains, facts.DrainQuestion{Node: object.Name})
			needs.Etcd = needs.Etcd || providers.IsPlane(n, *object)
		}
	}
	return needs
}

// modelPattern is what provider-configs calls a model; kernelPattern the release of a kernel, as `uname -r` prints it.
var (
	modelPattern  = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	kernelPattern = regexp.MustCompile(`^[0-9][A-Za-z0-9.+~_-]{0,63}$`)
)

func decode(b config.Block) (any, hcl.Diagnostics) {
	s := Spec{
		Name: b.Name, Key: b.Key, Nodes: b.Selection("nodes"), Models: b.Strings("models"), When: b.String("when"),
		Kernel: b.String("kernel"), Position: config.PositionOf(b.DefRange, b.Directory),
	}
	var diags hcl.Diagnostics
	s.Policy, s.Limits, diags = downtime.Read(b)
	for _, m := range s.Models {
		if !modelPattern.MatchString(m) {
			diags = append(diags, b.Diagnose("models", "Invalid model", fmt.Sprintf("%q is not the name of a model. "+
				"provider-configs writes models in lower case, without spaces and dashes, such as \"h100\" or \"rtx4090\".", m)))
		}
	}
	switch {
	case s.When == OlderThan && s.Kernel == "":
		diags = append(diags, b.Diagnose("when", "No kernel",
			"when = \"kernel_older_than\" needs \"kernel\": the release below which a node reboots. "+
				"Write for example kernel = \"6.8.0-60\"."))
	case s.When == Required && s.Kernel != "":
		diags = append(diags, b.Diagnose("kernel", "Nothing to compare",
			"\"kernel\" belongs to when = \"kernel_older_than\". Write that, or remove kernel."))
	case s.Kernel != "" && !kernelPattern.MatchString(s.Kernel):
		diags = append(diags, b.Diagnose("kernel", "Invalid kernel", fmt.Sprintf("%q is not the release of a kernel. "+
			"Write what `uname -r` prints, or the beginning of that: \"6.8.0-60\".", s.Kernel)))
	}
	return s, diags
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
		return nil, fmt.Errorf("node_reboot block in the plan: %w", err)
	}
	return s, nil
}

// due says why a node must be rebooted; nothing where it need not be. unknown says why that cannot be told.
func (s Spec) due(n facts.Node) (why []string, unknown string) {
	if n.Unknown != "" {
		return nil, n.Unknown
	}
	if s.When == OlderThan {
		switch running := n.System.Kernel; {
		case running == "":
			return nil, "the running kernel: " + n.System.Unknown
		case facts.CompareKernels(running, s.Kernel) < 0:
			return []string{fmt.Sprintf("%s runs kernel %s", n.Name, running)}, ""
		}
		return nil, ""
	}
	if next := n.Boot.Next; next != "" && n.System.Kernel != "" && next != n.System.Kernel {
		why = append(why, fmt.Sprintf("kernel %s boots next, and %s runs %s", next, n.Name, n.System.Kernel))
	}
	if n.Boot.Reboot.Required {
		text := "packages on " + n.Name + " ask for a reboot"
		if since := n.Boot.Reboot.Since; !since.IsZero() {
			text += " since " + since.UTC().Format("2006-01-02")
		}
		if names := n.Boot.Reboot.Packages; len(names) > 0 {
			text += ": " + providers.Few(names)
		}
		why = append(why, text)
	}
	switch {
	case len(why) > 0:
		return why, ""
	case n.Boot.Unknown != "":
		return nil, n.Boot.Unknown
	case n.Boot.Reboot.Unknown != "":
		return nil, n.Boot.Reboot.Unknown
	}
	return nil, ""
}
