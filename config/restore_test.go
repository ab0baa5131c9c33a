package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func roundTrip(t testing.TB, d Desired) Desired {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Restore(data, testTypes())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func diffDesired(a, b Desired) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

func TestRestoreReadsBackWhatLoadMade(t *testing.T) {
	desired, _, diags := Load("testdata/valid/provider", Options{Types: testTypes(), Environ: testEnviron})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if diff := diffDesired(desired, roundTrip(t, desired)); diff != "" {
		t.Error(diff)
	}
	if _, ok := roundTrip(t, desired).Resources[0].Value.(certs); !ok {
		t.Error("the value has not its type again")
	}
}

func TestRestoreRefuses(t *testing.T) {
	const state = `"state":{"backend":"local","local":{"path":"x"}}`
	for name, test := range map[string]struct{ data, want string }{
		"nothing":             {``, "EOF"},
		"not an object":       {`[]`, "cannot unmarshal"},
		"trailing data":       {`{` + state + `} {}`, "something follows"},
		"unknown field":       {`{` + state + `,"nodez":[]}`, "unknown field"},
		"unknown type":        {`{` + state + `,"resources":[{"type":"x","name":"a","value":{}}]}`, `no block type "x"`},
		"no value":            {`{` + state + `,"resources":[{"type":"certs","name":"a"}]}`, "there is no value"},
		"bad value":           {`{` + state + `,"resources":[{"type":"certs","name":"a","value":{"renew_before":"soon"}}]}`, "certs.a"},
		"bad resource name":   {`{` + state + `,"resources":[{"type":"certs","name":"a b","value":{}}]}`, "not a name"},
		"resource twice":      {`{` + state + `,"resources":[{"type":"certs","name":"a","value":{"renew_before":"1d"}},{"type":"certs","name":"a","value":{"renew_before":"1d"}}]}`, "certs.a occurs twice"},
		"state backend":       {`{"state":{"backend":"floppy"}}`, "not a state backend"},
		"options of another":  {`{"state":{"backend":"floppy","local":{"path":"x"}}}`, "options of \"local\""},
		"state without path":  {`{"state":{"backend":"local"}}`, "has no path"},
		"node twice":          {`{` + state + `,"nodes":[{"name":"a","block":"a","host":"h","connection":""},{"name":"a","block":"b","host":"h","connection":""}]}`, "occurs twice"},
		"option as host":      {`{` + state + `,"nodes":[{"name":"a","block":"a","host":"-oProxyCommand=x","connection":""}]}`, "not a host"},
		"missing connection":  {`{` + state + `,"nodes":[{"name":"a","block":"a","host":"h","connection":"c"}]}`, "no connection"},
		"two primaries":       {`{` + state + `,"nodes":[{"name":"a","block":"a","host":"h","connection":"","primary":true},{"name":"b","block":"b","host":"h","connection":"","primary":true}]}`, "more than one"},
		"option as user":      {`{` + state + `,"connections":[{"name":"c","transport":"ssh","access":"full","user":"-l"}]}`, "not a user name"},
		"option as jump host": {`{` + state + `,"connections":[{"name":"c","transport":"ssh","access":"full","proxy_jump":"a,-b"}]}`, "not a list of jump hosts"},
		"transport":           {`{` + state + `,"connections":[{"name":"c","transport":"telnet","access":"full"}]}`, "not a transport"},
		"unknown window":      {`{` + state + `,"resources":[{"type":"certs","name":"a","meta":{"windows":["maintenance_window.weekly"]},"value":{"renew_before":"1d"}}]}`, `there is no window "maintenance_window.weekly"`},
		"unknown guard":       {`{` + state + `,"resources":[{"type":"certs","name":"a","meta":{"without":[{"guard":"x","reason":"y"}]},"value":{"renew_before":"1d"}}]}`, `the guard "x" is unknown`},
		"guard, no reason":    {`{` + state + `,"resources":[{"type":"certs","name":"a","meta":{"without":[{"guard":"backup","reason":" "}]},"value":{"renew_before":"1d"}}]}`, `"backup" is waived without a reason`},
		"out without owner":   {`{` + state + `,"outs":[{"node":"a","reason":"r","owner":"","until":"2027-01-31"}]}`, "node a: the reason or the owner is missing"},
		"out until never":     {`{` + state + `,"outs":[{"node":"a","reason":"r","owner":"o","until":"never"}]}`, `node a: "never" is not a date`},
		"option as out":       {`{` + state + `,"outs":[{"node":"-x","reason":"r","owner":"o","until":"2027-01-31"}]}`, `"-x" is not the name of a node`},
		"out twice":           {`{` + state + `,"outs":[{"node":"a","reason":"r","owner":"o","until":"2027-01-31"},{"node":"a","reason":"r","owner":"o","until":"2027-01-31"}]}`, `out "a": it occurs twice`},
		"ignore of nothing":   {`{` + state + `,"ignores":[{"name":"i","finding":"","reason":"r","owner":"o","until":"2027-01-31"}]}`, `"" is not the id of a finding`},
		"fleet without label": {`{` + state + `,"fleets":[{"name":"c","address":"InternalIP","connection":"","selector":""}]}`, "selector is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Restore([]byte(test.data), testTypes())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	got := string(Format([]byte("node \"a\" {\nhost=\"a\"\n      primary   = true\n}\n")))
	if want := "node \"a\" {\n  host    = \"a\"\n  primary = true\n}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	files := []string{"testdata/valid/provider/provider.upkeep.hcl", "testdata/valid/provider/gpu/gpu.upkeep.hcl"}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(src), string(Format(src))); diff != "" {
			t.Errorf("%s is not formatted:\n%s", file, diff)
		}
	}
}
