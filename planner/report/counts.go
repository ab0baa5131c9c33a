package report

import "fmt"

// Counts are the numbers of a change summary.
type Counts struct{ Add, Change, Remove int }

// PlanSentence is the sentence that tools look for after a plan.
func PlanSentence(c Counts) string {
	return fmt.Sprintf("Plan: %d to add, %d to change, %d to destroy.", c.Add, c.Change, c.Remove)
}

// ApplySentence is the sentence that tools look for after an apply.
func ApplySentence(c Counts) string {
	return fmt.Sprintf("Apply complete! Resources: %d added, %d changed, %d destroyed.", c.Add, c.Change, c.Remove)
}
