package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

// Spec is one `helm_release` block: what the operator declared. Plain data but for the sensitive values, which no JSON
// holds; see Seal.
type Spec struct {
	Name            string `json:"name"`
	Key             string `json:"key,omitempty"`
	Release         string `json:"release"`
	Namespace       string `json:"namespace"`
	CreateNamespace bool   `json:"create_namespace,omitempty"`
	Chart           Chart  `json:"chart"`
	// Values are the wanted values without the secret ones, of which Sealed says what stands for each, by its path.
	// Before Seal the texts are empty.
	Values map[string]any    `json:"values,omitempty"`
	Sealed map[string]string `json:"sealed,omitempty"`

	Wait      bool            `json:"wait"`
	Atomic    bool            `json:"atomic"`
	Timeout   config.Duration `json:"timeout"`
	GuardNone string          `json:"guard_none,omitempty"`
	Window    string          `json:"window"`
	Position  config.Position `json:"position"`
	// At is where arguments stand, by their path: "chart.version".
	At map[string]config.Position `json:"at,omitempty"`

	secrets map[string]config.Secret // JSON, by path
}

// Chart says which chart, and which versions of it.
type Chart struct {
	Source facts.ChartSource `json:"source"`
	// Version is an exact version or a constraint; empty, of a chart at a path, is the version that is there.
	Version string `json:"version,omitempty"`
}

// Address returns helm_release.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "helm_release", Name: s.Name, Key: s.Key}
}

// Needs asks for the release with what an upgrade would change, and for the cluster: pods on nodes that are down are not
// counted against a release.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: true,
		Releases: []facts.ReleaseQuestion{{
			Namespace: s.Namespace, Name: s.Release, Mask: slices.Sorted(maps.Keys(s.Sealed)),
			Offer: &facts.OfferQuestion{
				Source: s.Chart.Source, Constraint: s.Chart.Version, Exclude: excluded(s.Chart.Source.Name),
				// A chart at a path is what is to run; of a repository's, what runs may stay.
				Keep: s.Chart.Source.Path == "", Preview: true, Values: s.overlay(true),
			},
		}},
	}
}

// overlay returns the values that the block wants; the secret ones where reveal says so, else what stands for them.
func (s Spec) overlay(reveal bool) values.Tree {
	out := values.Clone(s.Values)
	for _, at := range slices.Sorted(maps.Keys(s.Sealed)) {
		var value any = s.Sealed[at]
		if reveal {
			value = nil
			if json.Unmarshal([]byte(s.secrets[at].Reveal()), &value) != nil {
				continue // a plan was restored and has no secrets yet
			}
		}
		put(out, values.Segments(at), value)
	}
	return out
}

// put sets one value in a tree, which the caller owns.
func put(tree values.Tree, path []string, value any) {
	for _, segment := range path[:len(path)-1] {
		below, ok := tree[segment].(values.Tree)
		if !ok {
			below = values.Tree{}
			tree[segment] = below
		}
		tree = below
	}
	tree[path[len(path)-1]] = value
}

// HoldsSecrets reports whether the block has secret values.
func (s Spec) HoldsSecrets() bool { return len(s.Sealed) > 0 }

// Seal takes the secret values of the same block from another reading of the configuration.
func (s Spec) Seal(from providers.Resource, mac func(secret []byte) string) (providers.Resource, error) {
	other, ok := from.(Spec)
	if !ok {
		return nil, fmt.Errorf("is a %T now", from)
	}
	sealed := make(map[string]string, len(s.Sealed))
	secrets := make(map[string]config.Secret, len(s.Sealed))
	for _, at := range slices.Sorted(maps.Keys(s.Sealed)) {
		secret, ok := other.secrets[at]
		if !ok {
			return nil, fmt.Errorf("the sensitive value %s is not in the configuration any more; make a new plan", at)
		}
		text := values.Sealed + mac([]byte(secret.Reveal()))
		if was := s.Sealed[at]; was != "" && was != text {
			return nil, fmt.Errorf("the sensitive value %s is another one than when the plan was made; make a new plan", at)
		}
		sealed[at], secrets[at] = text, secret
	}
	s.Sealed, s.secrets = sealed, secrets
	return s, nil
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("helm_release block in the plan: %w", err)
	}
	return s, nil
}

// where returns the place of an argument, else of the block.
func (s Spec) where(argument string) string {
	if at, ok := s.At[argument]; ok {
		return at.String()
	}
	return s.Position.String()
}

// minPatience is how long any operation on a release may be under way before it counts as interrupted: Helm's own time
// limit (`helm upgrade --timeout`, 5m) and as long again.
const minPatience = 10 * time.Minute

// patience is minPatience, or longer where the block lets an operation run longer.
func (s Spec) patience() time.Duration { return max(minPatience, 2*time.Duration(s.Timeout)) }
