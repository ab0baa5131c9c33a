package report

import (
	"slices"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// ResourceChange is what changes at one address, as Terraform's plans have it.
type ResourceChange struct {
	Address      string      `json:"address"`
	Mode         string      `json:"mode"`
	Type         string      `json:"type"`
	Name         string      `json:"name"`
	Index        string      `json:"index,omitempty"`
	ProviderName string      `json:"provider_name"`
	Change       ValueChange `json:"change"`
}

// ValueChange is a change of values. Values that are known only after apply are in AfterUnknown instead of After.
type ValueChange struct {
	Actions         []string          `json:"actions"`
	Before          map[string]string `json:"before"`
	After           map[string]string `json:"after"`
	AfterUnknown    map[string]bool   `json:"after_unknown"`
	BeforeSensitive bool              `json:"before_sensitive"`
	AfterSensitive  bool              `json:"after_sensitive"`
}

// Values are the values after apply, as far as known before it.
type Values struct {
	RootModule struct {
		Resources []Resource `json:"resources,omitempty"`
	} `json:"root_module"`
}

// Resource is one address with its values.
type Resource struct {
	Address       string            `json:"address"`
	Mode          string            `json:"mode"`
	Type          string            `json:"type"`
	Name          string            `json:"name"`
	Index         string            `json:"index,omitempty"`
	ProviderName  string            `json:"provider_name"`
	SchemaVersion int               `json:"schema_version"`
	Values        map[string]string `json:"values"`
}

const (
	managed = "managed"
	// ProviderName is what stands where Terraform names the provider of a resource.
	ProviderName = "upkeep"
)

func changeAt(a providers.Address) ResourceChange {
	return ResourceChange{
		Address: a.String(), Mode: managed, Type: a.Type, Name: a.Name, Index: a.Key, ProviderName: ProviderName,
		Change: ValueChange{Before: map[string]string{}, After: map[string]string{}, AfterUnknown: map[string]bool{}},
	}
}

// changes folds the steps of each address into one change, in the order in which the addresses first appear.
func changes(steps []providers.Step) ([]ResourceChange, Values) {
	out := []ResourceChange{}
	index := map[providers.Address]int{}
	verbs := [][]string{}
	for _, step := range steps {
		i, seen := index[step.Address]
		if !seen {
			i = len(out)
			index[step.Address] = i
			out = append(out, changeAt(step.Address))
			verbs = append(verbs, nil)
		}
		verbs[i] = append(verbs[i], step.Action)
		c := &out[i].Change
		for _, change := range flat(step.Changes) {
			if _, again := c.Before[change.What]; !again && change.Before != "" && !c.AfterUnknown[change.What] {
				c.Before[change.What] = change.Before
			}
			delete(c.AfterUnknown, change.What)
			delete(c.After, change.What)
			if change.After == facts.New {
				c.AfterUnknown[change.What] = true
			} else if change.After != "" {
				c.After[change.What] = change.After
			}
		}
	}
	var values Values
	for i := range out {
		c := &out[i]
		c.Change.Actions = Actions(verbs[i])
		switch c.Change.Actions[0] {
		case "create":
			if len(c.Change.Actions) == 1 {
				c.Change.Before = nil
			}
		case "delete":
			if len(c.Change.Actions) == 1 {
				c.Change.After = nil
			}
		}
		if c.Change.After != nil {
			values.RootModule.Resources = append(values.RootModule.Resources, Resource{
				Address: c.Address, Mode: c.Mode, Type: c.Type, Name: c.Name, Index: c.Index, ProviderName: c.ProviderName, Values: c.Change.After,
			})
		}
	}
	return out, values
}

// flat writes each field of a Kubernetes object as a change of its own, named by object and path. What is sensitive has no value.
func flat(changes []providers.Change) []providers.Change {
	var out []providers.Change
	for _, c := range changes {
		if c.Object == "" {
			out = append(out, c)
			continue
		}
		out = append(out, providers.Change{What: c.What, After: c.Object})
		for _, f := range c.Fields {
			change := providers.Change{What: c.What + " " + f.Path, Before: f.Before, After: f.After}
			if f.Sensitive {
				change.Before, change.After = sensitive, sensitive
			}
			out = append(out, change)
		}
	}
	return out
}

// sensitive stands where a value is not told.
const sensitive = "(sensitive)"

// Actions says what the steps of one address are together, in Terraform's words.
func Actions(verbs []string) []string {
	create, destroy := slices.Contains(verbs, "create"), slices.Contains(verbs, "delete")
	switch {
	case create && destroy:
		return []string{"delete", "create"}
	case create:
		return []string{"create"}
	case destroy:
		return []string{"delete"}
	case slices.Contains(verbs, "update"):
		return []string{"update"}
	default:
		return []string{"no-op"}
	}
}

// drift lists the addresses that are not as declared; what does not hold there is in After, by finding and object.
func drift(findings []providers.Finding) []ResourceChange {
	out := []ResourceChange{}
	index := map[providers.Address]int{}
	for _, f := range findings {
		if f.Unknown || f.Severity == providers.SeverityNote {
			continue
		}
		i, seen := index[f.Address]
		if !seen {
			i = len(out)
			index[f.Address] = i
			change := changeAt(f.Address)
			change.Change.Actions = []string{"update"}
			out = append(out, change)
		}
		key := f.ID
		if f.Object != "" {
			key += " " + f.Object
		}
		out[i].Change.After[key] = f.Summary
	}
	return out
}

// Check is the state of one declared block: whether all that it asks for holds.
type Check struct {
	Address   CheckAddress    `json:"address"`
	Status    string          `json:"status"` // "pass", "fail" or "unknown"
	Instances []CheckInstance `json:"instances"`
}

// CheckAddress names a block.
type CheckAddress struct {
	Kind      string `json:"kind"`
	ToDisplay string `json:"to_display"`
	Mode      string `json:"mode"`
	Type      string `json:"type"`
	Name      string `json:"name"`
}

// CheckInstance is one instance of a block, or the block on one node.
type CheckInstance struct {
	Address  InstanceAddress `json:"address"`
	Status   string          `json:"status"`
	Problems []Problem       `json:"problems,omitempty"`
}

// InstanceAddress names an instance.
type InstanceAddress struct {
	ToDisplay   string `json:"to_display"`
	InstanceKey string `json:"instance_key,omitempty"`
}

// Problem is one thing that does not hold.
type Problem struct {
	Message string `json:"message"`
}

// checks returns one check for each block, with an instance for each address that has objects or findings.
func checks(p planner.Plan) []Check {
	out := []Check{}
	blocks := map[providers.Address]int{}
	instances := map[providers.Address]int{}
	block := func(a providers.Address) *Check {
		key := providers.Address{Type: a.Type, Name: a.Name}
		i, seen := blocks[key]
		if !seen {
			i = len(out)
			blocks[key] = i
			out = append(out, Check{
				Address: CheckAddress{Kind: "resource", ToDisplay: key.String(), Mode: managed, Type: a.Type, Name: a.Name},
				Status:  "pass", Instances: []CheckInstance{},
			})
		}
		return &out[i]
	}
	instance := func(a providers.Address) *CheckInstance {
		c := block(a)
		i, seen := instances[a]
		if !seen {
			i = len(c.Instances)
			instances[a] = i
			c.Instances = append(c.Instances, CheckInstance{Address: InstanceAddress{ToDisplay: a.String(), InstanceKey: a.Key}, Status: "pass"})
		}
		return &c.Instances[i]
	}
	for _, d := range p.Request.Desired.Resources {
		if _, ok := d.Value.(providers.Resource); ok {
			block(providers.Address{Type: d.Type, Name: d.Name})
		}
	}
	for _, object := range p.Objects {
		instance(object.Address)
	}
	for _, f := range p.Findings {
		if f.Severity == providers.SeverityNote {
			continue
		}
		at := instance(f.Address)
		text := f.ID + ": " + f.Summary
		if f.Object != "" {
			text = f.ID + " " + f.Object + ": " + f.Summary
		}
		at.Problems = append(at.Problems, Problem{text})
		at.Status = worse(at.Status, f)
		c := block(f.Address)
		c.Status = worse(c.Status, f)
	}
	return out
}

// worse returns the status after one more finding. A failure that is known outweighs what is unknown.
func worse(status string, f providers.Finding) string {
	switch {
	case !f.Unknown:
		return "fail"
	case status == "fail":
		return status
	default:
		return "unknown"
	}
}
