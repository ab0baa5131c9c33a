package journal

import "fmt"

// SpilledError says that a journal takes no more records, and that what the run still records is kept in a file on this
// machine (package spill). Nothing new may be started; what is in progress may be finished.
type SpilledError struct {
	Cause error  // why the journal takes no more
	Path  string // the file; empty where none could be made
	// Lost is why the file does not take records either; nil: it does.
	Lost error
}

// Error implements error.
func (e *SpilledError) Error() string {
	switch {
	case e.Path == "":
		return fmt.Sprintf("the journal cannot be written: %v; there is no place for its records on this machine either: %v; nothing more was started; run the same `upkeep apply` again when the cause is fixed: apply looks at what was done", e.Cause, e.Lost)
	case e.Lost != nil:
		return fmt.Sprintf("the journal cannot be written: %v; its records were kept in %s until that failed, too: %v; nothing more was started; run the same `upkeep apply` again when the cause is fixed: apply looks at what was done", e.Cause, e.Path, e.Lost)
	}
	return fmt.Sprintf("the journal cannot be written: %v; no new step was started; records since then are in %s; run the same `upkeep apply` again when the cause is fixed: apply adds these records to the journal", e.Cause, e.Path)
}

// Unwrap returns the cause.
func (e *SpilledError) Unwrap() error { return e.Cause }
