package release

import (
	"encoding/json"
	"testing"

	"upkeep/providers"
)

// TestArgumentsAreChecked: those of a plan file come from disk.
func TestArgumentsAreChecked(t *testing.T) {
	step := providers.Step{ID: "a", Args: json.RawMessage(`{"timeout": 3}`)}
	if ready := (upgrading{}).Ready(providers.Input{}, step); ready.State != providers.Unknown || !ready.Final {
		t.Errorf("%+v", ready)
	}
	if err := (upgrade{}).Run(t.Context(), step, nil); err == nil {
		t.Error("it ran")
	}
}

// TestWordsAreQuoted: nothing in a runbook is more than a word.
func TestWordsAreQuoted(t *testing.T) {
	for word, want := range map[string]string{"nvdp": "nvdp", "": "''", "a b": "'a b'", "$(id)": "'$(id)'", "it's": `'it'\''s'`} {
		if got := providers.ShellWord(word); got != want {
			t.Errorf("%q: %s", word, got)
		}
	}
}
