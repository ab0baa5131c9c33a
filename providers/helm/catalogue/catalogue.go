// Package catalogue documents what can be found about any Helm release, whichever domain looks at it: a finding id has one
// meaning and one page.
//
// It is words alone, and pure. It decides nothing: each domain says for itself when something is found, and documents what
// it alone can find.
package catalogue

import "upkeep/providers"

// Findings returns the documents of the findings about Helm releases. The caller may keep the list.
func Findings() []providers.FindingDoc {
	return []providers.FindingDoc{
		{
			ID: "RELEASE_UNKNOWN", Title: "A release or its objects could not be read",
			Meaning: "Helm's records, which are Secrets in the release's namespace, or objects of the release could not be read.",
			Remedy:  "Look at the rights of the user in `cluster.kubeconfig`: `kubectl auth can-i list secrets -n NAMESPACE`.",
		},
		{
			ID: "RELEASE_PENDING", Title: "An operation on the release has begun and not ended",
			Meaning: "Helm was interrupted while it installed, upgraded or rolled back, or somebody is at it right now. Until that is over Helm refuses everything else: \"another operation (install/upgrade/rollback) is in progress\".",
			Remedy:  "When it has been so for ten minutes (longer where `timeout` is), upkeep marks the interrupted revision as failed and upgrades again; nothing in the cluster is deleted. Until then wait, and plan again. An `akash_provider` does so for its operators, too; the change of its chart waits for them.",
		},
		{
			ID: "RELEASE_FAILED", Title: "The last revision of the release failed",
			Meaning: "The last install, upgrade or rollback failed and was not undone, so some of its objects may be new and others old.",
			Remedy:  "upkeep upgrades again, from the values of the revision that was last deployed. Where it cannot, the finding says why; `helm rollback` then goes back to the revision that worked.",
		},
		{
			ID: "RELEASE_DRIFT", Title: "An object is not as it was rendered",
			Meaning: "Somebody has changed or deleted an object of the release in the cluster, past Helm. Helm's own record does not show it.",
			Remedy:  "upkeep upgrades to the same chart and values, which brings the object back. Where the change is meant, make it a value of the chart.",
		},
		{
			ID: "RELEASE_VALUE_DIFFERS", Title: "A value of the release is not as declared",
			Meaning: "The block's `values` name something that the release has otherwise. Values that the block does not mention are left alone.",
			Remedy:  "upkeep upgrades the release with the declared value.",
		},
		{
			ID: "RELEASE_UPGRADE_BLOCKED", Title: "An upgrade is due and cannot be planned",
			Meaning: "Something is to be changed, and something else is in the way of it; the finding says what. `apply` does what else is due and ends with exit code 3; where there is nothing else, with 1.",
			Remedy:  "Take away what is in the way, as the other findings of the block say, and plan again.",
		},
		{
			ID: "CHART_VERSION_DIFFERS", Title: "The release has another version of the chart",
			Meaning: "The release was last upgraded to another version than the one that the block declares, or to one that does not fit the declared constraint, or that is known to be bad.",
			Remedy:  "upkeep upgrades to the declared version; with a constraint, to the newest version that fits it. An `akash_provider` goes in stages where one step is not enough.",
		},
		{
			ID: "CHART_OUTDATED", Title: "There is a newer version of the chart",
			Meaning: "The repository has a newer version of the chart than the one that is to run.",
			Remedy:  "Nothing is due. Read what changed between the two, then declare the version that is wanted.",
		},
		{
			ID: "CHART_UNKNOWN", Title: "The chart could not be fetched or rendered",
			Meaning: "Without the chart it cannot be told what an upgrade would change, so none is planned.",
			Remedy:  "Look at the chart's source and version; `helm pull` says more about a repository that does not answer.",
		},
	}
}
