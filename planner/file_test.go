package planner_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/twice"
	"upkeep/planner"
	"upkeep/providers"
)

func encode(t testing.TB, p planner.Plan) []byte {
	t.Helper()
	data, err := planner.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPlanFileRoundTrip(t *testing.T) {
	r := testRequest(3, func(w *widget) { w.Guards = []string{"seal"}; w.Key = `a "b"` })
	r.Targets = []providers.Address{{Type: "widget", Name: "w"}}
	r.Lineage, r.Serial, r.Directory = "lineage", 7, "/etc/upkeep"
	p := build(t, r)
	p.ID, p.UpkeepVersion = "20261122-1", "0.1.0"
	got, err := planner.Decode(encode(t, p), testTypes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if !bytes.Equal(encode(t, p), encode(t, got)) {
		t.Error("encoded again, the plan has other bytes")
	}
}

func TestPlanFileRefused(t *testing.T) {
	good := string(encode(t, build(t, testRequest(2, nil))))
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the file does not contain %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct{ data, want string }{
		"empty":                   {"", "not a plan file"},
		"text":                    {"hello", "not a plan file"},
		"other JSON":              {`{"a":1}`, "no format_version"},
		"cut off":                 {good[:len(good)/2], "not a plan file"},
		"an older major version":  {replace(`"format_version":"2.0"`, `"format_version":"1.0"`), "format version 1.0, and this upkeep reads 2.x: make a new plan with `upkeep plan -out=FILE`"},
		"a newer major version":   {replace(`"format_version":"2.0"`, `"format_version":"3.0"`), "format version 3.0, and this upkeep reads 2.x: make a new plan"},
		"a word we do not know":   {replace(`"format_version":"2.0"`, `"format_version":"2.0","extra":1`), "unknown field"},
		"an unknown block type":   {replace(`"type":"widget"`, `"type":"gadget"`), `has no block type "gadget"`},
		"something behind":        {good + "{}", "not a plan file"},
		"facts of another node":   {replace(`"cp1":{"name":"cp1"`, `"cp1":{"name":"cp2"`), `facts of node "cp1" are not its own`},
		"no facts":                {replace(`"cp1":{"name":"cp1"`, `"cp9":null,"cp1":{"name":"cp1"`), `facts of node "cp9"`},
		"a step that went":        {replace(`"operation":"widget.restart"`, `"operation":"widget.set"`), "give sha256:"},
		"another argument":        {replace(`"args":{"version":"2"`, `"args":{"version":"3"`), "give sha256:"},
		"another desired version": {replace(`"version":"2","serial"`, `"version":"9","serial"`), "give sha256:"},
		"another digest":          {replace(`"digest":"sha256:`, `"digest":"sha256:0`), "give sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planner.Decode([]byte(test.data), testTypes())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			if !strings.Contains(err.Error(), "upkeep") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
	_, err := planner.Decode([]byte(replace(`"digest":"sha256:`, `"digest":"sha256:0`)), testTypes())
	if digest := (*planner.DigestError)(nil); !errors.As(err, &digest) {
		t.Errorf("%T is not a DigestError", err)
	}
	if _, err := planner.Decode([]byte(replace(`"format_version":"2.0"`, `"format_version":"2.7","extra":1`)), testTypes()); err != nil {
		t.Errorf("a newer minor version is refused: %v", err)
	}
}

// What a file says of a step beside its work (what it relies on, its turn) is not believed.
func TestPlanFileStepsAreBuiltAgain(t *testing.T) {
	p := build(t, testRequest(1, nil))
	changed := p
	changed.Steps = append([]providers.Step{}, p.Steps...)
	changed.Steps[1].Turn, changed.Steps[1].Ground, changed.Steps[1].GroundText, changed.Steps[1].Summary = 9, []byte(`{"boot_id":"another"}`), nil, "harmless"
	got, err := planner.Decode(encode(t, changed), testTypes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Error(diff)
	}
}

func TestDigestStability(t *testing.T) {
	base := build(t, testRequest(2, nil))
	for name, test := range map[string]struct {
		change func(*planner.Request)
		same   bool
	}{
		"another day":       {func(r *planner.Request) { r.Now = r.Now.Add(24 * time.Hour) }, true},
		"observed later":    {func(r *planner.Request) { r.World.ObservedAt = r.World.ObservedAt.Add(time.Hour) }, true},
		"another position":  {func(r *planner.Request) { r.Desired.Resources[0].Position.Line = 99 }, true},
		"another directory": {func(r *planner.Request) { r.Directory = "/elsewhere" }, true},
		"another boot":      {func(r *planner.Request) { r.World.Nodes["cp1"].System.BootID = "x" }, true},
		"another version":   {func(r *planner.Request) { r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Version = "3" }) }, false},
		"another order":     {func(r *planner.Request) { r.Desired.Nodes[1].Primary = true }, true},
		"one node is done":  {func(r *planner.Request) { r.World.Nodes["cp1"].System.Kernel = "2" }, false},
		"a guard": {func(r *planner.Request) {
			r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Guards = []string{"x"} })
		}, false},
		"a guard gone without": {func(r *planner.Request) {
			r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Guards = []string{"x"} })
			r.Desired.Resources[0].Meta.Without = []config.Waiver{{Guard: "x", Reason: "y"}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, nil)
			test.change(&r)
			if p := build(t, r); (p.Digest == base.Digest) != test.same {
				t.Errorf("digest %s, was %s", p.Digest, base.Digest)
			}
		})
	}
}

func with(r *planner.Request, change func(*widget)) widget {
	w := r.Desired.Resources[0].Value.(widget)
	change(&w)
	return w
}

// TestPlanFileKeysStandOnce: a key that stands twice is an error wherever it stands in a plan file. Who reviews a file with
// another program sees what upkeep sees.
func TestPlanFileKeysStandOnce(t *testing.T) {
	good := encode(t, build(t, testRequest(2, func(w *widget) { w.Guards = []string{"seal"} })))
	texts := twice.Texts(good)
	for i, text := range texts {
		if _, err := planner.Decode(text, testTypes()); err == nil || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("object %d: %v", i, err)
		}
	}
	if len(texts) < 20 {
		t.Errorf("%d objects", len(texts))
	}
	for _, key := range []string{"digest", "steps", "request", "id"} {
		folded := bytes.Replace(good, []byte(`"`+key+`":`), []byte(`"`+strings.ToUpper(key)+`":null,"`+key+`":`), 1)
		if _, err := planner.Decode(folded, testTypes()); bytes.Equal(folded, good) || err == nil || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("%s in another case: %v", key, err)
		}
	}
}
