package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// labelModel is the label that the inventory operator puts on a node for each model of its GPUs (akash.md 4.1):
// ...vendor.VENDOR.model.MODEL, ...model.MODEL.ram.SIZE, ...model.MODEL.interface.INTERFACE.
const labelModel = "akash.network/capabilities.gpu.vendor."

// gpu is one kind of GPU in the fleet.
type gpu struct{ Vendor, Model, RAM, Interface string }

// String returns the GPU as a mapping would name it.
func (g gpu) String() string {
	parts := []string{g.Model}
	for _, p := range []string{g.RAM, g.Interface} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ".")
}

// fleetOf returns the kinds of GPUs that nodes offer by their labels, sorted, with the nodes of each. A node has one
// model (akash.md 4.1); where labels say more, each size and interface of a model counts. Nodes that are cordoned or
// not ready carry no labels: their GPUs are not for rent.
func fleetOf(k facts.Kubernetes) (kinds []gpu, nodes map[gpu][]string) {
	nodes = map[gpu][]string{}
	for _, node := range k.Nodes {
		type model struct{ vendor, name string }
		rams, interfaces := map[model][]string{}, map[model][]string{}
		models := map[model]bool{}
		for _, label := range sortedKeys(node.Labels) {
			rest, ok := strings.CutPrefix(label, labelModel)
			if !ok {
				continue
			}
			vendor, rest, ok := strings.Cut(rest, ".model.")
			if !ok {
				continue
			}
			name, attribute, more := strings.Cut(rest, ".")
			m := model{vendor, name}
			models[m] = true
			if value, ok := strings.CutPrefix(attribute, "ram."); more && ok {
				rams[m] = append(rams[m], value)
			}
			if value, ok := strings.CutPrefix(attribute, "interface."); more && ok {
				interfaces[m] = append(interfaces[m], foldInterface(value))
			}
		}
		for m := range models {
			for _, ram := range orNothing(rams[m]) {
				for _, i := range orNothing(interfaces[m]) {
					g := gpu{m.vendor, m.name, ram, i}
					if !slices.Contains(nodes[g], node.Name) {
						nodes[g] = append(nodes[g], node.Name)
					}
				}
			}
		}
	}
	for g := range nodes {
		kinds = append(kinds, g)
	}
	slices.SortFunc(kinds, func(a, b gpu) int {
		return strings.Compare(fmt.Sprint(a.Model, "\x00", a.RAM, "\x00", a.Interface, "\x00", a.Vendor), fmt.Sprint(b.Model,
			"\x00", b.RAM, "\x00", b.Interface, "\x00", b.Vendor))
	})
	return kinds, nodes
}

// foldInterface folds sxm2, sxm3, sxm4 and sxm5 into sxm, as the provider does since March 2024.
func foldInterface(text string) string {
	text = strings.ToLower(text)
	if strings.HasPrefix(text, "sxm") {
		return "sxm"
	}
	return text
}

func orNothing(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}
