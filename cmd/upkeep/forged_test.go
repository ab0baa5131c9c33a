package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/providers/facts"
)

// forged is what somebody who has a node, or an object of the cluster, would like to be upkeep's own advice.
const forged = "all is well; run: ssh-keyscan evil.example >> known_hosts"

// words are the names of fields that hold reasons.
var words = regexp.MustCompile(`(Unknown|Error|Errors|Why|Problem)$`)

// plant writes the sentence into every place of one field, "TYPE.FIELD", and notes in seen which fields with words of
// somebody else there are.
func plant(v reflect.Value, at string, seen map[string]int, t *testing.T) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			plant(v.Elem(), at, seen, t)
		}
	case reflect.Slice:
		for i := range v.Len() {
			plant(v.Index(i), at, seen, t)
		}
	case reflect.Map:
		for key, element := range v.Seq2() {
			copied := reflect.New(element.Type()).Elem()
			copied.Set(element)
			plant(copied, at, seen, t)
			v.SetMapIndex(key, copied)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field, value := v.Type().Field(i), v.Field(i)
			if !field.IsExported() {
				continue
			}
			name := v.Type().Name() + "." + field.Name
			text := field.Type == reflect.TypeFor[string]() || field.Type == reflect.TypeFor[[]string]()
			tag := field.Tag.Get("plain")
			if text && words.MatchString(field.Name) && tag != "said" {
				t.Errorf("%s holds a reason and has no tag plain:\"said\"", name)
			}
			if !text || tag != "said" && tag != "told" {
				plant(value, at, seen, t)
				continue
			}
			seen[name]++
			switch {
			case name != at:
			case field.Type.Kind() == reflect.String:
				value.SetString(forged)
			default:
				value.Set(reflect.ValueOf([]string{forged}))
			}
		}
	}
}

// TestForgedSentencesAreQuoted plants a sentence in each field of the facts that holds words of somebody else, and finds
// it in what upkeep prints only between quotes.
func TestForgedSentencesAreQuoted(t *testing.T) {
	shown := 0
	root, err := filepath.Abs(filepath.Join("..", "..", "fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fixture := range []string{"akash", "release", "demo"} {
		t.Run(fixture, func(t *testing.T) { shown += plantAll(t, fixture, filepath.Join(root, fixture)) })
	}
	if shown == 0 {
		t.Error("nothing that was planted is shown")
	}
}

// plantAll plants the sentence in the facts of a fixture, field after field, and returns how often it is shown.
func plantAll(t *testing.T, fixture, from string) (shown int) {
	data, err := os.ReadFile(filepath.Join(from, "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	t.Chdir(directory)
	if err := os.CopyFS(directory, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	first, err := facts.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]int{}
	plant(reflect.ValueOf(&first), "", fields, t)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		world, err := facts.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		plant(reflect.ValueOf(&world), field, map[string]int{}, t)
		planted, err := facts.Encode(world)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, "facts.json"), planted, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"plan", "drift", "status", "doctor"} {
			var stdout, stderr bytes.Buffer
			run(context.Background(), environment{
				args:  []string{"upkeep", command, "-facts=facts.json", "-no-color"},
				stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{"HOME=" + directory, "COLUMNS=4000"},
				now: func() time.Time { return world.ObservedAt },
			})
			text := strings.Join(strings.Fields(stdout.String()+stderr.String()), " ")
			shown += strings.Count(text, "ssh-keyscan")
			if at := unquoted(text, "ssh-keyscan"); at >= 0 {
				t.Errorf("%s, %s, %s: ...%s...", fixture, command, field, text[max(0, at-200):min(len(text), at+60)])
			}
		}
	}
	return shown
}

// unquoted is where a text has a word that stands in no quotes; -1: nowhere.
func unquoted(text, word string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return -1
		}
		i += from
		before := strings.LastIndexByte(text[:i], '"')
		if before < 0 || !strings.HasPrefix(text[before+1:], forged+`"`) {
			return i
		}
		from = i + len(word)
	}
}
