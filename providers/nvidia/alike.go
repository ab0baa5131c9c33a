package nvidia

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
)

// kin is what nodes with GPUs of one model should have in common.
type kin struct{ node, model, kernel, system string }

// kinOf lists a node once for each model that it has. A node whose models are unknown has none.
func (r *review) kinOf(n config.Node) (all []kin) {
	v := r.in.World.Node(n.Name)
	if v.Unknown != "" || v.System.Unknown != "" {
		return nil
	}
	models, _ := v.NVIDIA.Devices.Models()
	for _, model := range models {
		all = append(all, kin{n.Name, model, v.System.Kernel, v.System.OS})
	}
	return all
}

// reviewKin reports what differs between nodes with GPUs of one model: a driver that works on one of them is no proof
// for the others then. It is a note, since a fleet differs while it is brought up to date.
func (r *review) reviewKin(all []kin) {
	var models []string
	for _, k := range all {
		models = append(models, k.model)
	}
	slices.Sort(models)
	for _, model := range slices.Compact(models) {
		for _, common := range []struct {
			what string
			of   func(kin) string
		}{
			{"kernels", func(k kin) string { return k.kernel }},
			{"releases of the operating system", func(k kin) string { return k.system }},
		} {
			if told := differing(all, model, common.of); told != "" {
				r.add(providers.Finding{ID: "GPU_NODES_DIFFER", Severity: providers.SeverityNote, Object: "nodes with " + model,
					Summary: fmt.Sprintf("they run different %s: %s", common.what, told)})
			}
		}
	}
}

// differing tells which nodes with a model have which value, the value of the most nodes first; it is empty where all
// have one. An empty value is unknown and differs from nothing.
func differing(all []kin, model string, of func(kin) string) string {
	nodes := map[string][]string{}
	var values []string
	for _, k := range all {
		value := of(k)
		if k.model != model || value == "" {
			continue
		}
		if nodes[value] == nil {
			values = append(values, value)
		}
		nodes[value] = append(nodes[value], k.node)
	}
	if len(values) < 2 {
		return ""
	}
	slices.SortFunc(values, func(a, b string) int {
		if n := len(nodes[b]) - len(nodes[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	var told []string
	for _, value := range values {
		told = append(told, value+" on "+some(nodes[value]))
	}
	return strings.Join(told, "; ")
}

// some names at most five nodes.
func some(nodes []string) string {
	const most = 5
	if len(nodes) <= most {
		return strings.Join(nodes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(nodes[:most], ", "), len(nodes)-most)
}
