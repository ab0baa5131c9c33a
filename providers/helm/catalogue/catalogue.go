// Package catalogue declares what can be found about any Helm release, whichever domain looks at it: a finding id has
// one class, one meaning and one page in docs/findings.
//
// It is a list alone, and pure. It decides nothing: each domain says for itself when something is found, and declares
// what it alone can find.
package catalogue

import "upkeep/providers"

// Findings returns the findings about Helm releases. The caller may keep the list.
func Findings() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: "RELEASE_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "RELEASE_PENDING", Class: providers.ClassUnhealthy},
		{ID: "RELEASE_FAILED", Class: providers.ClassUnhealthy},
		{ID: "RELEASE_DRIFT", Class: providers.ClassChanged},
		{ID: "RELEASE_VALUE_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "RELEASE_UPGRADE_BLOCKED", Class: providers.ClassNotApplied},
		{ID: "CHART_VERSION_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "CHART_DOWNGRADE", Class: providers.ClassNotApplied},
		{ID: "CHART_OUTDATED", Class: providers.ClassExpiring},
		{ID: "CHART_UNKNOWN", Class: providers.ClassUnknown},
	}
}
