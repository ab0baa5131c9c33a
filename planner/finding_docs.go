package planner

import (
	"upkeep/providers"
	"upkeep/providers/floor"
)

// FindingDocs declares the findings that belong to no domain; docs/findings has a page for each.
func FindingDocs() []providers.FindingDoc {
	return append(floor.Findings(), []providers.FindingDoc{
		{ID: WrongCluster, Class: providers.ClassChanged},
		{ID: fleetSize, Class: providers.ClassChanged},
		{ID: ignoreEnded, Class: providers.ClassExpiring},
		{ID: ApprovalStale, Class: providers.ClassChanged},
		{ID: workInProgress, Class: providers.ClassUnknown},
		{ID: nodeNew, Class: providers.ClassChanged},
		{ID: nodeReplaced, Class: providers.ClassChanged},
	}...)
}
