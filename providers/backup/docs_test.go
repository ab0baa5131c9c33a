package backup_test

import (
	"slices"
	"strings"
	"testing"

	"upkeep/providers/backup"
)

// TestFindingsAreDocumented: each finding says what it means and what to do, once.
func TestFindingsAreDocumented(t *testing.T) {
	var ids []string
	for _, doc := range backup.Type().Findings {
		if doc.Title == "" || doc.Meaning == "" || doc.Remedy == "" || slices.Contains(ids, doc.ID) {
			t.Errorf("%+v", doc)
		}
		ids = append(ids, doc.ID)
	}
	if !slices.IsSortedFunc(ids, strings.Compare) {
		t.Errorf("the ids are not sorted: %v", ids)
	}
}
