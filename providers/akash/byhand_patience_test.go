package akash

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/providers"
)

// A person is told to wait as long as upkeep itself would, whatever time limit the block declares.
func TestARunbookWaitsAsLongAsUpkeepDoes(t *testing.T) {
	for _, timeout := range []time.Duration{0, 30 * time.Minute} {
		patience := Spec{Timeout: config.Duration(timeout)}.patience()
		args, err := json.Marshal(mendArgs{Patience: config.Duration(patience)})
		if err != nil {
			t.Fatal(err)
		}
		commands := mending{}.ByHand(providers.Input{}, providers.Step{Operation: OperationMend, Args: args})
		if len(commands) != 1 || !strings.HasSuffix(commands[0].Stop, "younger than "+patience.String()) {
			t.Errorf("with timeout %s the runbook says %+v, want %s", timeout, commands, patience)
		}
	}
}
