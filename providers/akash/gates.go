package akash

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// The versions of the chart that change what an upgrade needs (akash.md 2.1, 2.4, 2.6).
const (
	firstWithTargets   = "6.0.5"  // price_target_* are read
	firstWithConfigMap = "11.6.4" // prices are in a ConfigMap alone: a change of them restarts nothing ...
	firstWithInline    = "12.1.3" // ... until they are inline again
	firstWithInventory = "9.0.0"  // the inventory operator labels nodes
	firstWithClaim     = "12.0.0" // volumeClaimTemplates: the StatefulSet cannot be changed in place
	firstWithAct       = "15.0.0" // orders are priced in uact
	firstWithGateway   = "16.0.0" // Gateway API
)

// before reports whether a version is older than another one. A text that is no version is not.
func before(version, other string) bool {
	v, err := semver.NewVersion(version)
	o, otherErr := semver.NewVersion(other)
	return err == nil && otherErr == nil && v.LessThan(o)
}

// crosses reports whether an upgrade leads over a version.
func crosses(from, to, gate string) bool { return before(from, gate) && !before(to, gate) }

// restartsByItself says whether a change of prices alone restarts the provider with a version of the chart: akash.md
// 2.4.
func restartsByItself(version string) bool {
	return before(version, firstWithConfigMap) || !before(version, firstWithInline)
}

// reviewChart compares the chart with the wanted version, and says what is in the way of an upgrade.
func (r *review) reviewChart() {
	if r.spec.Chart == nil {
		r.reviewDefinitions("", "")
		return
	}
	from, to := r.release.Chart.Version, r.spec.Chart.Version
	changes := from != to
	if changes {
		summary := fmt.Sprintf("chart %s -> %s", from, to)
		newest := ""
		if o := r.release.Offer; o != nil && before(to, o.Newest) {
			newest = "; " + o.Newest + " is the newest"
		}
		r.add(providers.Finding{ID: "CHART_VERSION_DIFFERS", Severity: providers.SeverityError, Object: r.release.Chart.Name,
			Summary: summary + newest}, "chart.version")
		r.due = append(r.due, fmt.Sprintf("%s (%s)", summary, r.spec.where("chart.version")))
	}
	if len(r.spec.Targets)+len(r.spec.GPU) > 0 && before(to, firstWithTargets) {
		r.add(providers.Finding{
			ID: "CHART_TOO_OLD", Severity: providers.SeverityError, Object: to,
			Summary: fmt.Sprintf("version %s does not read price_target_*; %s is the first that does", to, firstWithTargets),
		}, "chart.version")
		r.block("version " + to + " of the chart has no price targets")
	}
	r.reviewOffer(changes)
	if changes {
		r.reviewGates(from, to)
		return
	}
	r.reviewDefinitions(from, to)
	r.reviewOperators(to)
}

// chartChanges reports whether the block wants another version of the chart than the release has.
func (r *review) chartChanges() bool {
	return r.spec.Chart != nil && r.release.Chart.Version != r.spec.Chart.Version
}

// reviewOffer looks at what the source of the chart has, and at what an upgrade would change.
func (r *review) reviewOffer(changes bool) {
	o := r.release.Offer
	unknown := func(what, why string) {
		severity := providers.SeverityWarning
		if changes || len(r.due) > 0 {
			severity = providers.SeverityError
		}
		r.add(providers.Finding{ID: "CHART_UNKNOWN", Severity: severity, Unknown: true, Object: r.spec.Chart.Source.String(),
			Summary: what + ": " + why}, "chart.version")
		r.block(what)
	}
	switch {
	case o == nil:
		unknown("what an upgrade would change is not known", "the facts hold no chart")
		return
	case o.Unknown != "":
		unknown("the chart cannot be had", o.Unknown)
		return
	case o.ChosenUnknown != "":
		unknown("the chart cannot be had", o.ChosenUnknown)
		return
	case r.spec.Chart.Source.Path == "" && o.Source != r.spec.Chart.Source:
		unknown("what an upgrade would change is not known", fmt.Sprintf("the facts are about the chart %s: observe again",
			o.Source))
		return
	case !sameVersion(o.Chosen.Version, r.spec.Chart.Version):
		unknown("what an upgrade would change is not known",
			fmt.Sprintf("the facts are about version %s of the chart, and the block says %s: observe again", o.Chosen.Version,
				r.spec.Chart.Version))
		return
	case o.Preview == nil:
		unknown("what an upgrade would change is not known", "the facts hold no preview")
		return
	case o.Preview.Unknown != "":
		unknown("the chart cannot be rendered", o.Preview.Unknown)
		return
	}
	if before(r.spec.Chart.Version, o.Newest) {
		r.add(providers.Finding{
			ID: "CHART_OUTDATED", Severity: providers.SeverityNote, Object: r.spec.Chart.Version,
			Summary: fmt.Sprintf("version %s is the newest of %s", o.Newest, r.spec.Chart.Source.Name),
		}, "chart.version")
	}
}

// gate reports what a change of version needs first; the upgrade is then not planned.
func (r *review) gate(object, summary, hint string) {
	r.add(providers.Finding{ID: "CHART_GATE", Severity: providers.SeverityError, Object: object, Summary: summary,
		Hint: hint}, "chart.version")
	r.block(summary)
}

// unseen is gate for what could not be observed: it may be there, and counts as not.
func (r *review) unseen(object, summary, hint string) {
	r.add(providers.Finding{ID: "CHART_GATE", Severity: providers.SeverityError, Unknown: true, Object: object,
		Summary: summary, Hint: hint}, "chart.version")
	r.block(summary)
}

// reviewGates holds a change of version to what it needs beforehand.
func (r *review) reviewGates(from, to string) {
	if before(to, from) && (crosses(to, from, firstWithClaim) || crosses(to, from, firstWithGateway)) {
		r.gate(to, fmt.Sprintf("version %s cannot be gone back to from %s: the objects of the newer one do not fit", to,
			from),
			"stay at "+from+", or install the provider again")
		return
	}
	// Each of the two is proved in the running pod before the next begins, and what the second one changes can be seen
	// only from there: the objects of the first, and the program that it brings.
	if crosses(from, to, firstWithGateway) && crosses(from, to, firstWithClaim) {
		r.gate(firstWithGateway, fmt.Sprintf("from %s to %s is more than one step", from, to),
			"go to the last 14.x of the chart first, which replaces the StatefulSet, and from there to the last 15.x; then, with the Gateway API in place, to "+to)
		return
	}
	r.reviewDefinitions(from, to)
	r.reviewOperators(to)
	r.reviewInventory(from, to)
	if crosses(from, to, firstWithAct) {
		r.reviewProgram(firstWithAct, "0.11", firstActApp, "go to the last 14.x of the chart first")
	}
	if stepsOverGateway(from, to) {
		r.reviewGateway()
	}
	if o := r.release.Offer; o != nil && o.Preview != nil {
		for _, forbidden := range o.Preview.Forbidden {
			if !r.replaces(forbidden) {
				r.gate(forbidden, "Kubernetes does not let this be changed in place: "+forbidden,
					"delete that object by hand where nothing is lost by it, then plan again")
			}
		}
	}
}

// replaces reports whether a forbidden change is the one that replacing the StatefulSet makes.
func (r *review) replaces(forbidden string) bool {
	return r.provider.found && strings.HasPrefix(forbidden, "StatefulSet "+r.provider.workload.Name+":")
}

// mustReplace reports whether the StatefulSet stands in the way of the upgrade.
func (r *review) mustReplace() bool {
	o := r.release.Offer
	if o == nil || o.Preview == nil || r.provider.workload.Missing {
		return false
	}
	return slices.ContainsFunc(o.Preview.Forbidden, r.replaces)
}

// appVersion is the version of the program that the wanted chart brings, as far as it is known.
func (r *review) appVersion() string {
	if o := r.release.Offer; o != nil && o.Chosen.AppVersion != "" {
		return o.Chosen.AppVersion
	}
	return unknownVersion
}

func major(version string) string {
	v, err := semver.NewVersion(version)
	if err != nil {
		return version
	}
	return fmt.Sprint(v.Major())
}

// rolls says whether the upgrade restarts the provider by itself. respelled: the preview is of other values than the
// upgrade lays over the release's: see respelled.
func rolls(release facts.Release, workload string, scriptChanges, chartChanges, pricesChange, respelled bool,
	version string) bool {
	if scriptChanges || chartChanges && !(version != "" && before(version, firstWithTargets)) {
		return true
	}
	o := release.Offer
	if o == nil || o.Preview == nil || o.Preview.Unknown != "" {
		return restartsByItself(version)
	}
	if !slices.Contains(o.Preview.Rolls, "StatefulSet "+workload) {
		return false
	}
	return !respelled || pricesChange || !restartsByItself(version)
}
