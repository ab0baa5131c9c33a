package revision

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/helm/versions"
)

// ruleDowngrade is the consent that an older version of a chart needs: a person says with -override=downgrade=REASON
// that it is meant. What an older chart makes of the objects and the data of a newer one is known to nobody.
const ruleDowngrade = "downgrade"

// Downgrade returns the consent that a step needs which brings an older version of a chart.
func Downgrade() providers.Consent {
	return providers.Consent{Rule: ruleDowngrade, Demands: "no chart replaced by an older version"}
}

// HoldDowngrade makes a step wait for a person's word where it brings an older version of a chart than the one that
// runs. It returns the finding about that, without an address; false where it is no downgrade.
func HoldDowngrade(s *providers.Step, chart, running, wanted string) (providers.Finding, bool) {
	if !versions.Older(wanted, running) {
		return providers.Finding{}, false
	}
	s.Consents = append(s.Consents, Downgrade())
	summary := fmt.Sprintf("chart %s: downgrade from %s to %s", chart, running, wanted)
	s.Why = append(s.Why, summary)
	return providers.Finding{
		ID: "CHART_DOWNGRADE", Severity: providers.SeverityWarning, Object: chart, Summary: summary,
		Hint: "apply -override='downgrade=REASON' says that the downgrade is meant",
	}, true
}
