package akash

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/vocabulary"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/strictjson"
)

// Spec is one `akash_provider` block: what the operator declared. Plain data except for the sensitive values, which
// no JSON holds; see Seal.
type Spec struct {
	Name      string `json:"name"`
	Key       string `json:"key,omitempty"`
	Release   string `json:"release"`
	Namespace string `json:"namespace"`
	// Chart is nil where the block has none: the chart then stays unchanged.
	Chart  *Chart  `json:"chart,omitempty"`
	Script *Script `json:"bid_script,omitempty"`
	// Definitions are nil where the block names none.
	Definitions *Definitions `json:"crds,omitempty"`
	// Targets are the price targets by the chart's value: "price_target_cpu" is a decimal. GPU is the mapping; nil where
	// it is not set.
	Targets map[string]string `json:"price_targets,omitempty"`
	GPU     map[string]string `json:"gpu,omitzero"`
	// Policy is what stands before the script; nil: none.
	Policy *price.Policy `json:"policy,omitempty"`
	// MaxChange is a percentage as a decimal; empty: prices may change by any amount.
	MaxChange string `json:"max_change,omitempty"`
	// The further values that are laid over those of the release.
	values.Wanted

	// Timeout is how long Helm waits for what one upgrade changes.
	Timeout config.Duration `json:"timeout"`
	Archive string          `json:"archive"`
	// Domain is the provider's, whose names and certificates are looked at; empty: they are not.
	Domain   string          `json:"domain,omitempty"`
	Position config.Position `json:"position"`
	// At is where arguments stand, by their path: "price_targets.gpu".
	At map[string]config.Position `json:"at,omitempty"`
}

// Chart says which chart, and which version of it.
type Chart struct {
	Source  facts.ChartSource `json:"source"`
	Version string            `json:"version"`
	// SHA256 is that of the chart's archive; empty: any.
	SHA256 string `json:"sha256,omitempty"`
	// Access are the credentials of the repository; nil: it asks for none.
	Access *providers.ChartAccess `json:"-"`
}

// Script says which bid price script.
type Script struct {
	// Published is the version of a published script; URL and SHA256 are then that script's.
	Published price.Version `json:"published,omitempty"`
	// File is as the operator wrote it, Text what stood in it; or URL, with the SHA-256 of what must stand behind it.
	File   string `json:"file,omitempty"`
	Text   string `json:"text,omitempty"`
	URL    string `json:"url,omitempty"`
	SHA256 string `json:"sha256"`

	ReplaceCustomised bool `json:"replace_customised,omitempty"`
}

// Definitions says which custom resource definitions the cluster shall have.
type Definitions struct {
	Tag string `json:"tag"`
	// File is as the operator wrote it, Text what stood in it; or URL, with the SHA-256 of what must stand behind it.
	File   string `json:"file,omitempty"`
	Text   string `json:"text,omitempty"`
	URL    string `json:"url,omitempty"`
	SHA256 string `json:"sha256"`
}

// Owns is the release: no other block may work on it.
func (s Spec) Owns() []string { return []string{providers.ReleaseThing(s.Namespace, s.Release)} }

func owns(value any) []string {
	if s, ok := value.(Spec); ok {
		return s.Owns()
	}
	return nil
}

// Address returns akash_provider.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "akash_provider", Name: s.Name, Key: s.Key}
}

// secretValues are the values of the chart that are secrets whatever their names (akash.md 10.7).
var secretValues = []string{"key", "keysecret", "authpem", "letsEncrypt.providers.cloudflare.apiToken",
	"letsEncrypt.providers.googleCloud.serviceAccount"}

// environment are the variables that are read from the running pod.
var environment = []string{"PRICE_TARGET_*", "AKASH_BID_PRICE_*", "AKASH_MONITOR_*", variableDeposit, "WHITELIST_URL",
	"DEBUG_BID_SCRIPT"}

// Needs asks for the cluster, the release with what an upgrade would change, the tenants' leases, what was archived,
// and the script where it is behind a URL.
func (s Spec) Needs() providers.Needs {
	question := s.question()
	if s.Chart != nil {
		wanted := s.priced(s.All())
		if s.Script != nil && s.Script.Text != "" {
			if text, err := compiled(s.Policy, s.Script.Text); err == nil { // a Diff reports the error
				wanted[valueScript] = encodeScript(text)
			}
		}
		question.Offer = &facts.OfferQuestion{Source: s.Chart.Source, Constraint: s.Chart.Version, SHA256: s.Chart.SHA256,
			Preview: true, Values: wanted, Remove: s.SecretMaps()}
	}
	needs := providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true, Tenancies: true},
		Helm:       providers.HelmNeeds{Releases: []facts.ReleaseQuestion{question}},
		Files: providers.FileNeeds{Archives: []facts.ArchiveQuestion{{Directory: s.Archive, Namespace: s.Namespace,
			Release: s.Release}}},
	}
	if s.Chart != nil {
		for _, operator := range operators {
			needs.Files.Archives = append(needs.Files.Archives, facts.ArchiveQuestion{Directory: s.Archive,
				Namespace: s.Namespace, Release: operator.release})
		}
	}
	needs.Public = publicQuestions(s.Domain)
	s.stageNeeds(&needs)
	if s.Script != nil && s.Script.URL != "" {
		needs.Files.Downloads = []facts.DownloadQuestion{{URL: s.Script.URL}}
	}
	return needs
}

// patience is how long somebody else's operation on the release, or on that of an operator, may be in progress.
func (s Spec) patience() time.Duration { return pending.Patience(time.Duration(s.Timeout)) }

// secretPaths are the values that are masked wherever they show.
func (s Spec) secretPaths() []string {
	return append(slices.Clone(secretValues), s.Paths()...)
}

// question asks for the release as everything here reads it. The values of prices and the script are no secrets.
func (s Spec) question() facts.ReleaseQuestion {
	show := append(append(price.ValueKeys(), valueScript, "whitelist_url"), s.Show()...)
	return facts.ReleaseQuestion{
		Namespace: s.Namespace, Name: s.Release,
		Mask: s.secretPaths(), Show: show, Known: s.Known(), Keys: append(vocabulary.Keys(), s.Keys()...),
		Environment: environment,
	}
}

// wanted returns the values that the block wants, without the script, with what stands for the secret ones in their
// place.
func (s Spec) wanted() values.Tree { return s.priced(s.Masked()) }

// priced adds the prices to values, which the caller owns.
func (s Spec) priced(tree values.Tree) values.Tree {
	for name, price := range s.Targets {
		tree[name] = price
	}
	if s.GPU != nil {
		tree[valueGPU] = price.Mappings(s.GPU)
	}
	return tree
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
	s.Wanted = sealed
	if s.Chart != nil && other.Chart != nil {
		chart := *s.Chart
		chart.Access = other.Chart.Access
		s.Chart = &chart
	}
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
		return nil, fmt.Errorf("akash_provider block in the plan: %w", err)
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
