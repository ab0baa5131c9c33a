package release

import (
	"upkeep/providers"
	"upkeep/providers/helm/catalogue"
)

// findingDocs documents every finding of this domain; docs/findings holds a page for each, checked fresh by a test.
func findingDocs() []providers.FindingDoc {
	return append(catalogue.Findings(), []providers.FindingDoc{
		{
			ID: "RELEASE_MISSING", Title: "The release is not installed",
			Meaning: "Helm has no record of the release in the namespace that the block names, or says that it was uninstalled.",
			Remedy:  "upkeep installs it. Where that is not meant, correct `release` and `namespace`: `helm list -A` lists releases.",
		},
		{
			ID: "RELEASE_NOT_READY", Title: "A workload of the release is not ready",
			Meaning: "A Deployment, StatefulSet or DaemonSet of the release has fewer ready pods than it wants, or pods of an older template. Pods of a DaemonSet on nodes that are down themselves are not counted.",
			Remedy:  "upkeep upgrades only what is not as declared, so look at the pods: `kubectl -n NAMESPACE describe pod POD`, then their logs. `helm -n NAMESPACE history RELEASE` lists the revisions to go back to.",
		},
		{
			ID: "RELEASE_OTHER_CHART", Title: "The release is of another chart",
			Meaning: "Under the declared name runs a release of another chart. An upgrade would delete all of its objects and make others.",
			Remedy:  "upkeep leaves it alone. Correct `release`, `namespace` or `chart`; where the other chart is meant, uninstall the release first.",
		},
		{
			ID: "CHART_KNOWN_BAD", Title: "A version of the chart is known to be bad",
			Meaning: "This version of the chart breaks what it installs, whatever its values; the finding says how.",
			Remedy:  "upkeep never chooses such a version, and replaces one that runs by the newest that fits the declared constraint. An exact one must be written otherwise.",
		},
		{
			ID: "CHART_CRDS", Title: "The chart has definitions that Helm does not upgrade",
			Meaning: "Helm installs the custom resource definitions in a chart's folder `crds` with the release and never touches them again. A newer version of the chart may need newer ones.",
			Remedy:  "Read the notes of the chart's version. `helm show crds CHART --version VERSION | kubectl apply --server-side -f -` brings them up to date.",
		},
	}...)
}
