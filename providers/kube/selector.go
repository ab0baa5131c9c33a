package kube

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"upkeep/providers/facts"
)

// CheckSelector says what is wrong with a label selector. A selector on a label that operator-inventory manages
// is a
// *ManagedLabelError.
func CheckSelector(selector string) error {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return err
	}
	requirements, _ := parsed.Requirements()
	for _, r := range requirements {
		if Managed(r.Key()) {
			return &ManagedLabelError{Label: r.Key()}
		}
	}
	return nil
}

// Managed reports whether Akash's operator-inventory writes a label of nodes: every label that begins with
// akash.network, and nvidia.com/gpu.present (akash-network/provider, operator/inventory). It takes all of them away
// from a node that is cordoned or not Ready, and writes them again afterwards.
func Managed(label string) bool {
	return label == "akash.network" || strings.HasPrefix(label, "akash.network/") || label == "nvidia.com/gpu.present"
}

// ManagedLabelError says that a selector uses a label that disappears when its node is cordoned.
type ManagedLabelError struct {
	Label string
}

// Error implements error.
func (e *ManagedLabelError) Error() string {
	return fmt.Sprintf("operator-inventory of Akash manages the label %s", e.Label)
}

// Diagnosis is what a person reads who wrote the selector.
func (e *ManagedLabelError) Diagnosis() (summary, detail string) {
	return "A label that disappears", fmt.Sprintf("operator-inventory of Akash manages the label %s. "+
		"It removes the label from a node that is cordoned or not Ready. Such nodes would leave the set. "+
		"Give the nodes a label of your own, and select by that label: kubectl label node NODE example.net/gpu=true. "+
		"To choose by the model of the GPU, write models = [\"h100\"] in the gpu_health block.", e.Label)
}

// Match returns the names of the nodes that a label selector selects, sorted.
func Match(selector string, nodes []facts.KubernetesNode) ([]string, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", selector, err)
	}
	var names []string
	for _, n := range nodes {
		if parsed.Matches(labels.Set(n.Labels)) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
