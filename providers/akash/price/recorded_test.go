package price

import (
	"bufio"
	"bytes"
	cmp0 "cmp"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/scripttools"
)

// shellCase is one order with the environment that the scripts were given.
type shellCase struct {
	Name, Versions, AKT, Order string
	Env                        map[string]string
	Whitelist                  *string // nil: it cannot be fetched
	API                        bool    // AKT is what an API answers, and not what the script kept
}

// noAKT says whether the script has no price of AKT: what it does without one is not the order's fault.
func (c shellCase) noAKT() bool {
	price, _, err := akt(c.AKT)
	return err != nil || !price.ok
}

// bcComplains is what bc says of its own on top of what the script says.
const bcComplains = "(standard_in) 1: syntax error\n"

// recorded is what a real script answered to it.
type recorded struct {
	Case           string
	Version        Version
	JQ             string // as jq --version says
	Stdout, Stderr string
	ExitCode       int `json:"exit_code"`
}

func (c shellCase) setting(v Version) Setting {
	s := Setting{Version: v, AKT: c.AKT}
	for _, target := range numericTargets() {
		s.Targets.Set(target.Key, c.Env[target.Variable])
	}
	s.Targets.GPUMappings = c.Env[MappingsVariable]
	s.Targets.Debug = c.Env["DEBUG_BID_SCRIPT"]
	if c.Env["WHITELIST_URL"] != "" {
		s.Owner, s.Whitelist = c.Env["AKASH_OWNER"], &Whitelist{Missing: c.Whitelist == nil}
		if c.Whitelist != nil {
			s.Whitelist.Text = *c.Whitelist
		}
	}
	return s
}

func shellCases(t testing.TB) map[string]shellCase {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []shellCase
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]shellCase{}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}

// testdata/record.sh recorded what the scripts of akash-network/helm-charts answered. The engine answers the same:
// the output and exit code to the letter, and of the error output what the script says of its own.
func TestAnswersAreThoseOfTheScripts(t *testing.T) {
	cases := shellCases(t)
	data, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	seen, jq := map[Version]int{}, ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var want recorded
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		c, ok := cases[want.Case]
		if !ok {
			t.Fatalf("there is no case %q; record again", want.Case)
		}
		seen[want.Version]++
		if want.JQ == "" || want.JQ != cmp0.Or(jq, want.JQ) {
			t.Fatalf("%s/%s was answered with %q, and others with %q; record again", want.Version, want.Case, want.JQ, jq)
		}
		jq = want.JQ
		t.Run(string(want.Version)+"/"+want.Case, func(t *testing.T) {
			got, err := Price(mustOrder(t, c.Order), c.setting(want.Version))
			if err != nil {
				t.Fatal(err)
			}
			if got.Stdout != want.Stdout || got.ExitCode != want.ExitCode {
				t.Errorf("answers %q, exit %d; the script %q, exit %d (%s)", got.Stdout, got.ExitCode, want.Stdout, want.ExitCode, want.Stderr)
			}
			if got.ExitCode != 0 && !strings.HasSuffix(strings.ReplaceAll(want.Stderr, bcComplains, ""), got.Stderr) {
				t.Errorf("complains %q; the script %q", got.Stderr, want.Stderr)
			}
			if noise := want.Stderr != got.Stderr; noise != (len(got.Faults) > 0) && !c.noAKT() {
				t.Errorf("has faults %q; the script says %q", got.Faults, want.Stderr)
			}
		})
	}
	asked := map[Version]int{}
	for _, c := range cases {
		versions := strings.Fields(c.Versions)
		if c.Versions == "all" {
			versions = nil
			for _, v := range Versions() {
				versions = append(versions, string(v))
			}
		}
		for _, v := range versions {
			asked[Version(v)]++
		}
	}
	if diff := cmp.Diff(asked, seen); diff != "" || len(seen) != len(Versions()) {
		t.Errorf("cases without a recorded answer, or answers without a case (-cases +answers)\n%s", diff)
	}
}

// The real scripts still answer what is recorded of them, byte for byte. They are not this project's to hold:
// UPKEEP_BID_SCRIPTS names a directory with them as VERSION.sh. Another jq may print other digits, so the comparison needs
// the one that answered.
func TestScriptsAnswerAsRecorded(t *testing.T) {
	data, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var first recorded
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if err := json.Unmarshal(line, &first); err != nil {
		t.Fatal(err)
	}
	if first.JQ != scripttools.JQ {
		t.Errorf("the answers are those of %q, and the tests say %q", first.JQ, scripttools.JQ)
	}
	scripttools.Need(t, first.JQ)
	directory := os.Getenv("UPKEEP_BID_SCRIPTS")
	if directory == "" {
		t.Skip("UPKEEP_BID_SCRIPTS names no directory with the published scripts")
	}
	const every = 16 // all of them take minutes
	out := t.TempDir() + "/recorded.jsonl"
	if said, err := exec.CommandContext(t.Context(), "bash", "testdata/record.sh", directory, out, strconv.Itoa(every)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	again, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	all, answered := strings.Split(strings.TrimSpace(string(data)), "\n"), strings.Split(strings.TrimSpace(string(again)), "\n")
	if want := (len(all) + every - 1) / every; len(answered) != want {
		t.Errorf("%d answers, want %d", len(answered), want)
	}
	for _, line := range answered {
		if !slices.Contains(all, line) {
			t.Errorf("this is not recorded: %s", line)
		}
	}
}
