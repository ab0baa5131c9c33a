package planner_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/places"
	"upkeep/planner"
)

func FuzzDecode(f *testing.F) {
	r := testRequest(2, func(w *widget) { w.Guards = []string{"seal"} })
	p, err := planner.Build(r, testTypes())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(f, p))
	f.Add([]byte(`{"format_version":"2.0","request":{"desired":{}}}`))
	f.Add([]byte(`{"format_version":"2.0","request":{"desired":{"resources":[{"type":"widget","value":null}]}},"steps":[{"args":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		decodesToItself(t, data)
	})
}

// decodesToItself decodes a plan file. One that is accepted must decode to the same plan when it is written again.
func decodesToItself(t *testing.T, data []byte) (p planner.Plan, accepted bool) {
	t.Helper()
	p, err := planner.Decode(data, testTypes())
	if err != nil {
		return p, false
	}
	if _, err := planner.Rebuild(p, testTypes()); err != nil {
		t.Errorf("what Decode accepts, Rebuild refuses: %v", err)
	}
	again, err := planner.Decode(encode(t, p), testTypes())
	if err != nil {
		t.Fatalf("what Encode wrote, Decode refuses: %v", err)
	}
	if !bytes.Equal(encode(t, p), encode(t, again)) {
		t.Error("a plan does not survive its file")
	}
	return p, true
}

// FuzzPlanFields: a plan file in which up to four places say something else is refused, or it decodes to itself. As
// long as its request is as it was, what is accepted is the plan that was made: none of its work comes from elsewhere
// in the file.
func FuzzPlanFields(f *testing.F) {
	r := testRequest(1, func(w *widget) { w.Guards = []string{"seal"} })
	r.Overrides = []planner.Override{{Rule: "window", Reason: "a lab"}}
	made, err := planner.Build(r, testTypes())
	if err != nil {
		f.Fatal(err)
	}
	text := encode(f, made)
	if made, err = planner.Decode(text, testTypes()); err != nil {
		f.Fatal(err)
	}
	values := []string{"", `null`, `-1`, `"x"`, `["cp1"]`, `{}`, `0`}
	for i := range places.Count(text) {
		if i%5 == 0 { // a fuzzer reads all of them before it starts
			f.Add([]byte{byte(i >> 8), byte(i)}, []byte(values[i%len(values)]))
		}
	}
	request := requestIn(f, text)
	f.Fuzz(func(t *testing.T, where, value []byte) {
		changed := text
		for place := range slices.Chunk(where[:min(len(where), 8)&^1], 2) {
			changed = places.Replace(changed, int(place[0])<<8|int(place[1]), value)
		}
		p, accepted := decodesToItself(t, changed)
		if !accepted || !bytes.Equal(requestIn(t, changed), request) {
			return
		}
		p.FormatVersion, p.ID, p.UpkeepVersion, p.CreatedAt = made.FormatVersion, made.ID, made.UpkeepVersion, made.CreatedAt
		if !bytes.Equal(encode(t, made), encode(t, p)) {
			t.Errorf("the same request, and another plan (-made +decoded):\n%s", cmp.Diff(made, p))
		}
	})
}

// requestIn is the request of a plan file, with its members in the order of their names.
func requestIn(t testing.TB, data []byte) []byte {
	t.Helper()
	var file struct {
		Request any `json:"request"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil
	}
	text, err := json.Marshal(file.Request)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
