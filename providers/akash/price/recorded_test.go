package price

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	seen := map[Version]int{}
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
