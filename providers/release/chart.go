package release

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
)

// chartName is the name of the wanted chart; empty where only the chart itself could tell and is not known.
func (r *review) chartName() string {
	if name := r.spec.Chart.Source.Name; name != "" {
		return name
	}
	if o := r.release.Offer; o != nil {
		return o.Chosen.Name
	}
	return ""
}

// reviewChart chooses the version that is to run and compares it with the one that does.
func (r *review) reviewChart() {
	running, wanted := r.release.Chart, r.spec.Chart
	if name := r.chartName(); !r.release.Missing && name != "" && running.Name != name {
		summary := fmt.Sprintf("it is a release of chart %s, and the block declares %s", running.Name, name)
		r.add(providers.Finding{ID: "RELEASE_OTHER_CHART", Severity: providers.SeverityError, Object: r.release.Name, Summary: summary})
		r.due = append(r.due, summary)
		r.block("it is a release of another chart")
		return
	}
	known, isBad := bad(running.Name, running.Version)
	if isBad {
		r.add(providers.Finding{ID: "CHART_KNOWN_BAD", Severity: providers.SeverityError, Object: running.Version, Summary: known.String()}, "chart.version")
	}
	why := r.choose()
	fits := versions.Fits(running.Version, wanted.Version, excluded(running.Name))
	if !r.release.Missing && (!fits || wanted.Source.Path != "" && r.chosen.Version != "" && !versions.Equal(running.Version, r.chosen.Version)) {
		r.differs(known, isBad)
	}
	r.reviewOffer(why)
}

// differs reports that another version is to run.
func (r *review) differs(known badVersion, isBad bool) {
	summary := fmt.Sprintf("chart %s -> ", r.release.Chart.Version)
	switch exact := versions.Equal(r.spec.Chart.Version, r.chosen.Version); {
	case r.chosen.Version == "":
		summary += r.spec.Chart.Version
	case exact || r.spec.Chart.Version == "":
		summary += r.chosen.Version
	default:
		summary += fmt.Sprintf("%s, the newest that %q allows", r.chosen.Version, r.spec.Chart.Version)
	}
	r.add(providers.Finding{ID: "CHART_VERSION_DIFFERS", Severity: providers.SeverityError, Object: r.release.Chart.Name, Summary: summary}, "chart.version")
	r.due = append(r.due, fmt.Sprintf("%s (%s)", summary, r.spec.where("chart.version")))
	if isBad {
		r.due = append(r.due, known.String())
	}
}

// choose chooses the version that is to run out of those that the source has, and says why none could be.
func (r *review) choose() (why string) {
	o := r.release.Offer
	switch {
	case o == nil:
		return "the facts hold no chart"
	case r.spec.Chart.Source.Path == "" && o.Source != r.spec.Chart.Source:
		return fmt.Sprintf("the facts are of the chart %s", o.Source)
	case o.Unknown != "":
		return o.Unknown
	}
	running, exclude := r.release.Chart.Version, excluded(r.spec.Chart.Source.Name)
	if r.release.Missing || r.spec.Chart.Source.Path != "" {
		running = "" // a path has one version: where it is a bad one, that is told of it
	}
	chosen, err := versions.Keep(o.Versions, running, r.spec.Chart.Version, exclude)
	if err != nil {
		return err.Error()
	}
	r.chosen = chosen
	return ""
}

// preview is what an upgrade to the chosen version would change; nil where that is not known.
func (r *review) preview() *facts.ReleasePreview {
	o := r.release.Offer
	if o == nil || o.Preview == nil || o.Preview.Unknown != "" || r.chosen.Version == "" || !versions.Equal(o.Preview.Chart.Version, r.chosen.Version) {
		return nil
	}
	return o.Preview
}

// reviewOffer looks at what the source of the chart has, and at what an upgrade would change. noChoice says why no
// version was chosen.
func (r *review) reviewOffer(noChoice string) {
	unknown := func(what, why string) {
		severity := providers.SeverityWarning
		if len(r.due) > 0 {
			severity = providers.SeverityError
		}
		r.add(providers.Finding{ID: "CHART_UNKNOWN", Severity: severity, Unknown: true, Object: r.spec.Chart.Source.String(), Summary: what + ": " + why}, "chart.version")
		r.block(what)
	}
	if noChoice != "" {
		unknown("the chart cannot be had", noChoice)
		return
	}
	o := r.release.Offer
	if known, is := bad(r.chartName(), r.chosen.Version); is {
		r.add(providers.Finding{
			ID: "CHART_KNOWN_BAD", Severity: providers.SeverityError, Object: r.chosen.Version, Summary: known.String(), Hint: "take " + known.instead,
		}, "chart.version")
		r.block("version " + known.version + " is known to be bad")
	}
	switch {
	case o.Preview != nil && o.Preview.Unknown != "":
		unknown("the chart cannot be rendered", o.Preview.Unknown)
		return
	case r.preview() == nil:
		unknown("what an upgrade would change is not known", "the facts hold no preview of version "+r.chosen.Version)
		return
	}
	if newest, ok := versions.Newest(r.good(o.Versions)); ok {
		if order, err := versions.Compare(r.chosen.Version, newest.Version); err == nil && order < 0 {
			r.add(providers.Finding{
				ID: "CHART_OUTDATED", Severity: providers.SeverityNote, Object: r.chosen.Version,
				Summary: fmt.Sprintf("version %s is the newest of %s", newest.Version, r.chartName()),
			}, "chart.version")
		}
	}
	r.reviewChange()
}

// good are the versions that are not known to be bad.
func (r *review) good(list []facts.ChartVersion) []facts.ChartVersion {
	var out []facts.ChartVersion
	for _, v := range list {
		if _, is := bad(r.chartName(), v.Version); !is {
			out = append(out, v)
		}
	}
	return out
}

// reviewChange says what is in the way of an upgrade that is due.
func (r *review) reviewChange() {
	p := r.preview()
	if len(r.due) == 0 || p == nil {
		return
	}
	for _, forbidden := range p.Forbidden {
		r.block("Kubernetes does not let this be changed in place: " + forbidden + "; delete that object by hand where nothing is lost by it, then plan again")
	}
	// A first install brings the definitions of the chart's own kinds with it.
	if len(p.Absent) > 0 && !(r.release.Missing && len(p.CRDs) > 0) {
		r.block("the cluster does not have what the chart uses: " + strings.Join(p.Absent, ", "))
	}
	if len(p.CRDs) > 0 && !r.release.Missing && !versions.Equal(r.release.Chart.Version, r.chosen.Version) {
		r.add(providers.Finding{
			ID: "CHART_CRDS", Severity: providers.SeverityNote, Object: r.chosen.Version,
			Summary: fmt.Sprintf("Helm does not upgrade what is in the chart's folder crds: %s", strings.Join(p.CRDs, ", ")),
		}, "chart.version")
	}
}
