package release

import (
	"encoding/json"
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/strictjson"
)

// Spec is one `helm_release` block: what the operator declared. Plain data except for the sensitive values, which no
// JSON holds; see Seal.
type Spec struct {
	Name            string `json:"name"`
	Key             string `json:"key,omitempty"`
	Release         string `json:"release"`
	Namespace       string `json:"namespace"`
	CreateNamespace bool   `json:"create_namespace,omitempty"`
	Chart           Chart  `json:"chart"`
	// The values that are laid over those of the release.
	values.Wanted

	Wait     bool            `json:"wait"`
	Atomic   bool            `json:"atomic"`
	Timeout  config.Duration `json:"timeout"`
	Position config.Position `json:"position"`
	// At is where arguments stand, by their path: "chart.version".
	At map[string]config.Position `json:"at,omitempty"`
}

// Chart says which chart, and which versions of it.
type Chart struct {
	Source facts.ChartSource `json:"source"`
	// Version is an exact version or a constraint; empty, of a chart at a path, is the version that is there.
	Version string `json:"version,omitempty"`
	// SHA256 is that of the chart's archive; empty: any.
	SHA256 string `json:"sha256,omitempty"`
	// Access are the credentials of the repository; nil: it asks for none.
	Access *providers.ChartAccess `json:"-"`
}

// Address returns helm_release.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "helm_release", Name: s.Name, Key: s.Key}
}

// Owns is the release: no other block may work on it.
func (s Spec) Owns() []string { return []string{providers.ReleaseThing(s.Namespace, s.Release)} }

func owns(value any) []string {
	if s, ok := value.(Spec); ok {
		return s.Owns()
	}
	return nil
}

// Needs asks for the release with what an upgrade would change, and for the cluster: pods on nodes that are down are
// not counted against a release.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true},
		Helm: providers.HelmNeeds{Releases: []facts.ReleaseQuestion{{
			Namespace: s.Namespace, Name: s.Release, Mask: s.Paths(), Show: s.Show(), Known: s.Known(), Keys: s.Keys(),
			Offer: &facts.OfferQuestion{
				Source: s.Chart.Source, Constraint: s.Chart.Version, SHA256: s.Chart.SHA256, Exclude: excluded(s.Chart.Source.Name),
				// A chart at a path is what is to run; of a repository's, what runs may stay.
				Keep: s.Chart.Source.Path == "", Preview: true, Values: s.All(), Remove: s.SecretMaps(),
			},
		}}},
	}
}

// Seal takes the secret values of the same block from another reading of the configuration.
func (s Spec) Seal(from providers.Resource, mac func(secret []byte) string) (providers.Resource, error) {
	other, ok := from.(Spec)
	if !ok {
		return nil, fmt.Errorf("is a %T now", from)
	}
	sealed, err := s.Wanted.Seal(other.Wanted, mac)
	if err != nil {
		return nil, err
	}
	s.Wanted, s.Chart.Access = sealed, other.Chart.Access
	return s, nil
}

// Resealed takes what stood for the secrets when facts were recorded.
func (s Spec) Resealed(seals map[string]string) providers.Resource {
	s.Wanted = s.Wanted.Resealed(seals)
	return s
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
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

func (s Spec) patience() time.Duration { return pending.Patience(time.Duration(s.Timeout)) }
