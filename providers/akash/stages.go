package akash

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/definitions"
)

// A larger step of the chart has stages: the definitions of the matching tag, then the operators at the provider's
// version, then the provider (akash.md 2.6).

// operators are the releases that must have the provider's version, by the names of the documentation, with their
// charts.
var operators = []struct{ release, chart string }{
	{"akash-hostname-operator", "akash-hostname-operator"},
	{inventoryOperator, "akash-inventory-operator"},
	{"akash-ip-operator", "akash-ip-operator"},
}

const inventoryOperator = "inventory-operator"

// definitionGroup is the API group of Akash's kinds, and akashDefinitions are those that the provider's repository has.
const definitionGroup = "akash.network"

var akashDefinitions = []string{
	"inventories.akash.network", "inventoryrequests.akash.network", "manifests.akash.network",
	"providerhosts.akash.network", "providerleasedips.akash.network",
}

// stages are what must be done before an upgrade of the chart.
type stages struct {
	// definitions are those of the block that the cluster has otherwise, or not at all.
	definitions []definitions.Definition
	upgrades    []operatorUpgrade
	// operatorsWanted are the operators that an upgrade of the provider relies on, with versions of their charts;
	// managed are the blocks that bring some of them.
	operatorsWanted map[string]string
	managed         []providers.Address
	brought         []string // which of them upgrade an operator in this plan, in words
}

// stageNeeds asks for what the stages look at.
func (s Spec) stageNeeds(needs *providers.Needs) {
	needs.Kubernetes.Definitions = slices.Clone(akashDefinitions)
	if s.Definitions != nil {
		if list, err := readDefinitions(s.Definitions.Text); err == nil {
			for _, d := range list {
				if !slices.Contains(needs.Kubernetes.Definitions, d.Name) {
					needs.Kubernetes.Definitions = append(needs.Kubernetes.Definitions, d.Name)
				}
			}
		}
		if s.Definitions.URL != "" {
			needs.Files.Downloads = append(needs.Files.Downloads, facts.DownloadQuestion{URL: s.Definitions.URL})
		}
	}
	for _, operator := range operators {
		question := facts.ReleaseQuestion{Namespace: s.Namespace, Name: operator.release}
		if s.Chart != nil && s.Chart.Source.Path == "" {
			question.Offer = &facts.OfferQuestion{
				Source:  s.Chart.Source.Sibling(operator.chart),
				Like:    &facts.LikeQuestion{Source: s.Chart.Source, Version: s.Chart.Version},
				Preview: true,
			}
		}
		needs.Helm.Releases = append(needs.Helm.Releases, question)
	}
	if s.Chart != nil && !before(s.Chart.Version, firstWithGateway) {
		gatewayNeeds(needs)
	}
}

// readDefinitions reads Akash's definitions: nothing else is applied.
func readDefinitions(text string) ([]definitions.Definition, error) {
	list, err := definitions.Read([]byte(text))
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if d.Group != definitionGroup {
			return nil, fmt.Errorf("%s is not of %s", d.Name, definitionGroup)
		}
	}
	return list, nil
}

// text returns the definitions' text, which is what the block pins.
func (d Definitions) text(downloads map[string]facts.Download) (string, error) {
	if d.URL == "" {
		return d.Text, nil
	}
	found, asked := downloads[d.URL]
	switch {
	case !asked:
		return "", errors.New("not observed")
	case found.Unknown != "":
		return "", errors.New(found.Unknown)
	case found.SHA256 != d.SHA256:
		return "", fmt.Errorf("what stands behind %s has the SHA-256 %s, and not %s; read it, then write the digest that was found", d.URL, found.SHA256, d.SHA256)
	}
	return found.Text, nil
}

// reviewDefinitions compares the cluster's definitions with those of the block. A chart of another major version is
// refused without them: 15 to 16 is 0.11 to 0.12 of the program, and each such step may change them.
func (r *review) reviewDefinitions(from, to string) {
	larger := r.chartChanges() && major(from) != major(to)
	if r.spec.Definitions == nil {
		if larger {
			r.requireDefinitions(to)
		}
		return
	}
	unknown := func(object, why string) {
		r.add(providers.Finding{ID: "CRD_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: object,
			Summary: why}, "crds.tag")
		if r.chartChanges() {
			r.block("the custom resource definitions are not known")
		}
	}
	text, err := r.spec.Definitions.text(r.in.World.Downloads)
	if err != nil {
		unknown("crds", "the definitions cannot be had: "+err.Error())
		return
	}
	list, err := readDefinitions(text)
	if err != nil {
		unknown("crds", "the definitions cannot be read: "+err.Error())
		return
	}
	tag := r.spec.Definitions.Tag
	if app := r.appVersion(); larger && app != unknownVersion && !sameVersion(tag, app) {
		r.gate("crds", fmt.Sprintf("version %s of the chart brings the program %s, and the block's definitions are of %s",
			to, app, tag), r.definitionsHint())
	}
	for _, d := range list {
		live := r.in.World.Definition(d.Name)
		switch {
		case live.Unknown != "":
			unknown(d.Name, live.Unknown)
			continue
		case live.Digest == d.Digest && live.Established:
			continue
		}
		if lost := slices.DeleteFunc(slices.Clone(live.Stored), func(v string) bool {
			return slices.Contains(d.Versions,
				v)
		}); len(lost) > 0 {
			r.lostVersions(d.Name, fmt.Sprintf("objects of %s may be stored as %s, which %s does not have", d.Name,
				strings.Join(lost, ", "), tag))
			continue
		}
		summary := fmt.Sprintf("is not as %s has it", tag)
		if live.Missing {
			summary = "is not in the cluster, and " + tag + " has it"
		}
		r.add(providers.Finding{ID: "CRD_DIFFERS", Severity: providers.SeverityError, Object: d.Name, Summary: summary},
			"crds.tag")
		r.stages.definitions = append(r.stages.definitions, d)
	}
}

// lostVersions reports a definition that the API server would refuse: it is not applied.
func (r *review) lostVersions(name, summary string) {
	const hint = "these definitions are too old or too new for the cluster; take the steps in between"
	if r.chartChanges() {
		r.gate(name, summary, hint)
		return
	}
	r.add(providers.Finding{ID: "CRD_DIFFERS", Severity: providers.SeverityError, Object: name, Summary: summary,
		Hint: hint}, "crds.tag")
}

// requireDefinitions refuses a larger step whose definitions nobody names, where the cluster has Akash's kinds or its
// operators, or where that is not known.
func (r *review) requireDefinitions(to string) {
	needed, unknown := false, ""
	for _, name := range akashDefinitions {
		d := r.in.World.Definition(name)
		needed = needed || d.Unknown == "" && !d.Missing
		if d.Unknown != "" {
			unknown = d.Unknown
		}
	}
	for _, operator := range operators {
		needed = needed || !r.in.World.Release(r.spec.Namespace, operator.release).Missing
	}
	switch {
	case needed:
		r.gate("crds", fmt.Sprintf("version %s of the chart needs the custom resource definitions of %s, and the block does not name them", to, r.tag()), r.definitionsHint())
	case unknown != "":
		r.unseen("crds", "whether the cluster has Akash's custom resource definitions is not known: "+unknown,
			r.definitionsHint())
	}
}

const unknownVersion = "VERSION"

// tag is that of the program that the wanted chart brings.
func (r *review) tag() string { return "v" + strings.TrimPrefix(r.appVersion(), "v") }

func (r *review) definitionsHint() string {
	url := fmt.Sprintf("https://raw.githubusercontent.com/akash-network/provider/%s/pkg/apis/akash.network/crd.yaml",
		r.tag())
	return fmt.Sprintf("write the block crds { tag = %q, url = %q, sha256 = ... } in the block, one argument a line; `curl -fsSL %s | sha256sum` prints the digest of what you have read", r.tag(), url, url)
}

// sameVersion compares a tag with a version.
func sameVersion(a, b string) bool {
	x, errX := semver.NewVersion(a)
	y, errY := semver.NewVersion(b)
	return errX == nil && errY == nil && x.Equal(y)
}
