package providers

// Way is the kind of thing that takes a step back.
type Way string

// The ways. A step whose domain names none is taken back by hand as Step.Undo says, and not at all where Undo is empty.
const (
	// ReverseNone: the step leaves nothing behind that needs to be taken back.
	ReverseNone Way = "not needed"
	// ReverseArchive: an archive on the step's node, taken before the first change, is restored.
	ReverseArchive Way = "archive"
	// ReverseRollback: Helm goes back to the revision To.
	ReverseRollback Way = "rollback"
	// ReverseUninstall: Helm removes what the step installs.
	ReverseUninstall Way = "uninstall"
	// ReverseByHand: a person does what Step.Undo says.
	ReverseByHand Way = "by hand"
	// ReverseNever: what the step removes is lost.
	ReverseNever Way = "never"
)

// Reversal is how a step is taken back.
type Reversal struct {
	Way Way `json:"way,omitempty"`
	// To is the revision that a rollback goes back to.
	To string `json:"to,omitempty"`
}

// Reversed is how the step is taken back, also where its domain says only in words how.
func (s Step) Reversed() Reversal {
	switch {
	case s.Reversal.Way != "":
		return s.Reversal
	case s.Action == "no-op":
		return Reversal{Way: ReverseNone}
	case s.Undo == "":
		return Reversal{Way: ReverseNever}
	}
	return Reversal{Way: ReverseByHand}
}
