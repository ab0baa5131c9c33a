package release

import (
	"upkeep/providers"
	"upkeep/providers/helm/catalogue"
)

// findingDocs declares every finding of this domain; docs/findings has a page for each.
func findingDocs() []providers.FindingDoc {
	return append(catalogue.Findings(), []providers.FindingDoc{
		{ID: "RELEASE_MISSING", Class: providers.ClassNotApplied},
		{ID: "RELEASE_NOT_READY", Class: providers.ClassUnhealthy},
		{ID: "RELEASE_OTHER_CHART", Class: providers.ClassNotApplied},
		{ID: "CHART_KNOWN_BAD", Class: providers.ClassUnhealthy},
		{ID: "CHART_CRDS", Class: providers.ClassNotApplied},
	}...)
}
