package planner

import "upkeep/providers"

// FindingDocs declares the findings that belong to no domain; docs/findings has a page for each.
func FindingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: WrongCluster, Class: providers.ClassChanged},
		{ID: fleetSize, Class: providers.ClassChanged},
		{ID: ignoreEnded, Class: providers.ClassExpiring},
		{ID: ApprovalStale, Class: providers.ClassChanged},
		{ID: workInProgress, Class: providers.ClassUnknown},
	}
}
