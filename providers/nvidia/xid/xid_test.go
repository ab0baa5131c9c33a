package xid

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	type short struct {
		Known                  bool
		Immediate, Investigate string
		Class                  Class
	}
	for name, c := range map[string]struct {
		code int
		want short
		says string
	}{
		"off the bus":             {79, short{true, "RESTART_BM", "CONTACT_SUPPORT", Reboot}, "`systemctl reboot`"},
		"contained memory error":  {94, short{true, "RESTART_APP", "IGNORE", App}, "kubectl delete pod"},
		"uncontained":             {95, short{true, "RESET_GPU", "IGNORE", Reset}, "nvidia-smi --gpu-reset -i INDEX"},
		"remapped, nothing due":   {63, short{true, "IGNORE", "IGNORE", Reset}, "at the next reset"},
		"names its own action":    {154, short{true, "XID_154", "", Follow}, "outranks"},
		"a cable":                 {54, short{true, "CHECK_MECHANICALS", "CONTACT_SUPPORT", Hands}, "power cables"},
		"in the catalog, no word": {162, short{true, "", "", Unclear}, "names no action"},
		"only in the header":      {173, short{true, "", "", Unclear}, "names no action"},
		"unused by NVIDIA":        {1, short{Class: Unclear}, "journalctl -k -b -g Xid"},
		"newer than the table":    {999, short{Class: Unclear}, "nvidia-bug-report.sh"},
		"negative":                {-79, short{Class: Unclear}, "ask NVIDIA"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Lookup(c.code)
			if diff := cmp.Diff(c.want, short{e.Known, e.Immediate, e.Investigate, e.Class}); diff != "" {
				t.Errorf("Xid %d (-want +got):\n%s", c.code, diff)
			}
			if !strings.Contains(e.Remedy, c.says) {
				t.Errorf("Xid %d: the remedy does not say %q:\n%s", c.code, c.says, e.Remedy)
			}
			if e.Code != c.code || e.Kind != GPU {
				t.Errorf("Xid %d is answered as %s %d", c.code, e.Kind, e.Code)
			}
		})
	}
}

// TestEveryEntrySaysWhatToDo holds for each row what a reader needs: a meaning, a class, something to do and a source. An action
// of NVIDIA's that no remedy is written for would leave them empty.
func TestEveryEntrySaysWhatToDo(t *testing.T) {
	codes := Codes()
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Fatalf("the codes do not ascend, so some are never found: %v", codes)
	}
	for _, code := range codes {
		e := Lookup(code)
		if !e.Known || e.Meaning == "" || e.Class == "" || e.Remedy == "" || e.Source == "" {
			t.Errorf("Xid %d: %+v", code, e)
		}
		if (e.Immediate == "") != (e.Class == Unclear) && e.Immediate != "WORKFLOW_NVLINK5_ERR" {
			t.Errorf("Xid %d: action %q, class %s", code, e.Immediate, e.Class)
		}
	}
	for code := range special {
		if !slices.Contains(codes, code) {
			t.Errorf("there is a remedy of Xid %d, but no row", code)
		}
	}
	for code := range others {
		if !slices.Contains(codes, code) {
			t.Errorf("other tools are quoted on Xid %d, but it has no row", code)
		}
	}
}

// TestCallersCannotChangeTheTable: what one caller does to an answer, the next does not see.
func TestCallersCannotChangeTheTable(t *testing.T) {
	want := Lookup(79).Others[0]
	Lookup(79).Others[0] = "changed"
	if got := Lookup(79).Others[0]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLookupSwitch(t *testing.T) {
	for code, want := range map[int]struct {
		known bool
		class Class
		says  string
	}{
		26006: {true, Reset, "nvidia-smi --gpu-reset"},
		12033: {true, Unclear, "severity"},
		28006: {false, Unclear, "unclassified"},
	} {
		e := LookupSwitch(code)
		if e.Kind != Switch || e.Known != want.known || e.Class != want.class || !strings.Contains(e.Remedy, want.says) {
			t.Errorf("SXid %d: %+v", code, e)
		}
	}
}
