package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upkeep/fixtures/fakecluster"
	"upkeep/providers/backup/bundle"
)

// leaves returns where the texts of a JSON value lie, keys of objects included, each with a setter.
func leaves(at string, v any, set func(any), out map[string]func(string)) {
	switch v := v.(type) {
	case string:
		out[at] = func(s string) { set(s) }
	case []any:
		for i := range v {
			leaves(at+"."+strconv.Itoa(i), v[i], func(x any) { v[i] = x }, out)
		}
	case map[string]any:
		for key := range v {
			leaves(at+"."+key, v[key], func(x any) { v[key] = x }, out)
			if at == ".versions" {
				out[at+"."+key+" (its name)"] = func(s string) { v[s] = v[key]; delete(v, key) }
			}
		}
	}
}

// TestForgedLabelsAreQuoted plants a sentence in each text of a bundle's label, and in the names of the files in a
// store. Whoever can write to the store can do that, and what they write never reads as advice of upkeep.
func TestForgedLabelsAreQuoted(t *testing.T) {
	t.Setenv("PATH", fakecluster.SSH(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	p := newPlace(t)
	p.write("backup.upkeep.hcl", placeOfBackups)
	id := p.planted("etcd_backup.daily")
	store := filepath.Join(p.directory, "backups")
	path := filepath.Join(store, bundle.LabelName(id))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parsed := func() any {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		for key, more := range map[string]any{ // what the planted bundle lacks
			"versions": map[string]any{"etcd": "3.6.0"}, "alarms": []any{"NOSPACE"}, "gaps": []any{map[string]any{"what": "the keys of cp2", "why": "no answer"}},
			"members":  []any{map[string]any{"id": "a1", "name": "cp1", "peer_urls": []any{"https://10.0.0.11:2380"}}},
			"unproved": "etcd was down", "member": "a1", "cluster_id": "cafe", "upkeep": "0.1", "encrypted_to": []any{"age1x"}, "authority": "ab",
		} {
			if _, has := v.(map[string]any)[key]; !has || v.(map[string]any)[key] == "" {
				v.(map[string]any)[key] = more
			}
		}
		return v
	}
	places := map[string]func(string){}
	leaves("", parsed(), func(any) {}, places)
	shown := 0
	check := func(place, line string) {
		_, stdout, stderr := p.upkeep(line)
		said := strings.Join(strings.Fields(stdout+stderr), " ")
		shown += strings.Count(said, "ssh-keyscan")
		for before := range strings.SplitSeq(said, "ssh-keyscan") { // each in quotes of its own
			if before += "\x00"; strings.HasSuffix(before, "all is well; run: \x00") && !strings.HasSuffix(before, "\"all is well; run: \x00") {
				t.Errorf("%s, %s: ...%s...", line, place, before[max(0, len(before)-300):])
			}
		}
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		v := parsed()
		again := map[string]func(string){}
		leaves("", v, func(any) {}, again)
		again[place](forged)
		planted, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		p.write(filepath.Join("backups", bundle.LabelName(id)), string(planted))
		for _, line := range []string{"backup list", "backup show " + id, "backup show ./backups/" + bundle.Name(id), "backup verify " + id, "backup verify -all", "backup restore -to=$D/out -accept=why " + id} {
			check(place, line)
		}
	}
	p.write(filepath.Join("backups", bundle.LabelName(id)), string(text))
	for _, name := range []string{forged, forged + bundle.Extension, "daily-" + forged + bundle.Extension} {
		p.write(filepath.Join("backups", name), "x")
	}
	for _, line := range []string{"backup list", "backup verify -all", "plan", "drift", "status"} {
		check("a file of the store", line)
	}
	if shown == 0 {
		t.Error("nothing that was planted is shown")
	}
}
