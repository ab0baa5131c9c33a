package state_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/twice"
	"upkeep/providers/facts"
	"upkeep/state"
)

func sample() state.State {
	s := state.New()
	s.Serial, s.Generation = 7, 9
	s.Memory = facts.Memory{Signers: s.Memory.Signers, Durations: map[string]float64{"certificates.renew": 2.5, "certificates.restart": 12}, Sections: facts.Sections{
		{Type: "etcd_backup", Name: "sites", Key: "berlin"}: json.RawMessage(`{"version":1,"what":["ever"]}`),
	}}
	return s.WithRun(state.RunRecord{PlanID: "p1", Digest: "sha256:ab", Who: "ops@admin", Generation: 8, Outcome: "complete", Done: 3,
		StartedAt: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), EndedAt: time.Date(2026, 11, 22, 2, 1, 0, 0, time.UTC)})
}

func TestEncodeDecode(t *testing.T) {
	want := sample()
	data, err := state.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := state.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a state changed by being stored (-want +got):\n%s", diff)
	}
	again, err := state.Encode(got)
	if err != nil || string(again) != string(data) {
		t.Errorf("the same state has two encodings:\n%s\n%s (%v)", data, again, err)
	}
}

// The file was written by the last upkeep that wrote version 1.
func TestDecodeVersion1(t *testing.T) {
	data, err := os.ReadFile("testdata/version1.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := state.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]struct {
		Version int
		Proofs  []struct{ Bundle, SHA256 string }
	}
	text, err := json.Marshal(got.Memory.Sections)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &sections); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for address, section := range sections {
		found[address] = fmt.Sprint(section)
	}
	want := map[string]string{"etcd_backup.daily": "{1 [{daily-1 aa} {daily-2 cc}]}", `etcd_backup.sites["berlin"]`: "{1 [{weekly-1 bb}]}"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if got.Version != state.Version || got.Serial != 12 || got.Memory.Durations["backup.take"] != 41.5 || len(got.Memory.Overrides) != 1 || len(got.Runs) != 1 ||
		got.Memory.Cluster.EtcdClusterID != "cdf818194e3a8c32" {
		t.Errorf("read %+v", got)
	}
	// What was converted is written as this version, and stays what it is.
	written, err := state.Encode(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := state.Decode(written); err != nil || !cmp.Equal(got, again) {
		t.Errorf("written and read again: %v\n%s", err, cmp.Diff(got, again))
	}
	broken := strings.Replace(string(data), `"address": "etcd_backup.daily"`, `"address": "nowhere"`, 1)
	var corrupt *state.CorruptError
	if _, err := state.Decode([]byte(broken)); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "daily-1") {
		t.Errorf("a proof of nothing: %v", err)
	}
}

func TestKeyIsNeverShown(t *testing.T) {
	s := sample()
	stored, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Key     string
		Signing string `json:"signing_key"`
	}
	if err := json.Unmarshal(stored, &file); err != nil || len(file.Key) != 64 || len(file.Signing) != 64 {
		t.Fatalf("the stored keys are %q, %q (%v)", file.Key, file.Signing, err)
	}
	shown, err := json.Marshal(map[string]any{"state": s, "key": s.Key, "pointer": &s.Key, "signing": s.Signing})
	if err != nil {
		t.Fatal(err)
	}
	text := string(shown) + fmt.Sprintf("%v %+v %#v %s %x %q %d", s, s, s, s.Key, s.Key, s.Key, &s.Key) + fmt.Sprintf("%v %x %#v", s.Signing, s.Signing, &s.Signing) + fmt.Sprint(&state.ConflictError{Stored: s, Proposed: s})
	decimal := fmt.Sprint([]byte(file.Key[:4]))
	for _, secret := range []string{file.Key, strings.ToUpper(file.Key), decimal, file.Signing, fmt.Sprint([]byte(file.Signing[:4]))} {
		if strings.Contains(text, secret) {
			t.Errorf("the key stands in %s", text)
		}
	}
	if mac := s.Key.MAC("test", []byte("value")); strings.Contains(mac, file.Key) || mac == s.Key.MAC("other", []byte("value")) || mac != s.Key.MAC("test", []byte("value")) {
		t.Errorf("MAC %s must depend on purpose and value alone", mac)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := state.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %q in the sample", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for name, test := range map[string]struct{ data, want string }{
		"empty":              {"", "it is empty"},
		"truncated":          {string(good[:len(good)/2]), "unexpected end"},
		"zeros":              {strings.Repeat("\x00", 512), "invalid character"},
		"no version":         {"{}", "it has no version"},
		"version 0":          {with(`"version": 4`, `"version": 0`), "never was a version 0"},
		"newer":              {with(`"version": 4`, `"version": 5`), "format version 5"},
		"unknown field":      {with(`"serial": 7`, `"serial": 7, "more": 1`), "more"},
		"lineage":            {with(`"lineage": "`, `"lineage": "x`), "lineage"},
		"short key":          {strings.Replace(string(good), hexKey(good), "abcd", 1), "64 hexadecimal digits"},
		"short signing key":  {with(`"signing_key": "`, `"signing_key": "0`), "signing key is not 64"},
		"other signing key":  {with(`"signing_key": "`+secretOf(good), `"signing_key": "`+strings.Repeat("0", 64)), "not the last one of its signers"},
		"long key":           {with("\n  \"key\": \"", "\n  \"key\": \"00"), "64 hexadecimal digits"},
		"two states":         {string(good) + string(good), "invalid character '{' after top-level value"},
		"not a number":       {with(`"serial": 7`, `"serial": "seven"`), `"serial" holds a string`},
		"an array of states": {"[" + string(good) + "]", "cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := state.Decode([]byte(test.data))
			var corrupt *state.CorruptError
			var newer *state.NewerError
			if !errors.As(err, &corrupt) && !errors.As(err, &newer) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if text := state.At("/srv/s.json", err).Error(); !strings.Contains(text, test.want) || !strings.Contains(text, "/srv/s.json") || !strings.Contains(text, "left untouched") {
				t.Errorf("the refusal says %q; it must name the file, say that it was left and hold %q", text, test.want)
			}
		})
	}
}

func TestNext(t *testing.T) {
	current := sample()
	unchanged, changed, err := state.Next(current, current.Clone())
	if err != nil || changed || !cmp.Equal(unchanged, current) {
		t.Errorf("no change: changed %v, %v, %v", changed, err, cmp.Diff(current, unchanged))
	}
	proposed := current.Clone()
	proposed.Memory.Durations["certificates.renew"] = 3
	next, changed, err := state.Next(current, proposed)
	want := proposed
	want.Serial++
	if err != nil || !changed || !cmp.Equal(want, next) {
		t.Errorf("a change: changed %v, %v, %v", changed, err, cmp.Diff(want, next))
	}
	for name, edit := range map[string]func(*state.State){
		"lineage":    func(s *state.State) { s.Lineage = state.New().Lineage },
		"serial":     func(s *state.State) { s.Serial-- },
		"generation": func(s *state.State) { s.Generation-- },
	} {
		stale := current.Clone()
		edit(&stale)
		var conflict *state.ConflictError
		if _, _, err := state.Next(current, stale); !errors.As(err, &conflict) {
			t.Errorf("another %s: got %v, want a conflict", name, err)
		}
	}
}

func TestWithRun(t *testing.T) {
	var s state.State
	for i := range state.KeptRuns + 5 {
		s = s.WithRun(state.RunRecord{PlanID: fmt.Sprint("p", i), Outcome: "started"})
	}
	if len(s.Runs) != state.KeptRuns || s.Runs[0].PlanID != "p5" {
		t.Fatalf("kept %d runs from %s on, want the last %d", len(s.Runs), s.Runs[0].PlanID, state.KeptRuns)
	}
	before := s.Clone()
	after := s.WithRun(state.RunRecord{PlanID: "p10", Outcome: "complete"})
	if run, _ := after.Run("p10"); len(after.Runs) != state.KeptRuns || run.Outcome != "complete" || after.Runs[state.KeptRuns-1].PlanID != "p10" {
		t.Errorf("a second record of a plan must replace the first, as the newest: %+v", after.Runs)
	}
	if diff := cmp.Diff(before, s); diff != "" {
		t.Errorf("WithRun changed its receiver:\n%s", diff)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := state.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte(`{"version":1,"lineage":"00000000-0000-4000-8000-000000000000","key":""}`))
	f.Add([]byte(`{"version":99}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := state.Decode(data)
		if err != nil {
			var corrupt *state.CorruptError
			var newer *state.NewerError
			if !errors.As(err, &corrupt) && !errors.As(err, &newer) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := state.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := state.Decode(again)
		if err != nil {
			t.Fatalf("what was read cannot be stored and read again: %v", err)
		}
		if third, err := state.Encode(back); err != nil || string(third) != string(again) {
			t.Fatalf("a state changes by being stored twice: %v\n%s\n%s", err, again, third)
		}
	})
}

func TestOpen(t *testing.T) {
	opened := ""
	kind := func(name string) state.Type {
		return state.Type{Name: name, Open: func(_ config.State, directory string) (state.Backend, error) {
			opened = name + " in " + directory
			return nil, nil
		}}
	}
	if _, err := state.Open(config.State{Backend: "two"}, "/here", kind("one"), kind("two")); err != nil || opened != "two in /here" {
		t.Errorf("opened %s, %v", opened, err)
	}
	_, err := state.Open(config.State{Backend: "three", Position: config.Position{File: "a.upkeep.hcl", Line: 3}}, "/here", kind("one"), kind("two"))
	if want := `a.upkeep.hcl:3: there is no state backend "three"; this upkeep has "one" and "two"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestStateKeysStandOnce: the state holds the keys that sign, and the proofs.
func TestStateKeysStandOnce(t *testing.T) {
	good, err := state.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	texts := twice.Texts(good)
	for _, text := range append(texts, []byte(strings.Replace(string(good), `"serial":`, `"Serial": 1, "serial":`, 1))) {
		var corrupt *state.CorruptError
		if _, err := state.Decode(text); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(texts) < 5 {
		t.Errorf("%d objects", len(texts))
	}
}
