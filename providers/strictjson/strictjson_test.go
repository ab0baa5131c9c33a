package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/strictjson"
)

type inner struct {
	ID    string            `json:"id"`
	Names map[string]string `json:"names"`
}

type outer struct {
	inner
	Digest string            `json:"digest"`
	List   []inner           `json:"list"`
	By     map[string]*inner `json:"by"`
	Raw    json.RawMessage   `json:"raw"`
	Any    any               `json:"any"`
}

func many(more string) string {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, `"k%d": "", `, i)
	}
	return text.String() + more
}

func TestTwice(t *testing.T) {
	for name, test := range map[string]struct{ text, key string }{
		"none":                       {`{"id": "a", "digest": "b", "names": {"a": "1", "A": "2"}}`, ""},
		"in two objects":             {`{"list": [{"id": "a"}, {"id": "b"}], "id": "c"}`, ""},
		"words in texts":             {`{"id": "\"id\": {\"id\"", "digest": "}"}`, ""},
		"in any case of a map":       {`{"any": {"a": 1, "A": 2}, "by": {"x": {}, "X": {}}}`, ""},
		"twice":                      {`{"id": "a", "digest": "b", "id": "c"}`, "id"},
		"twice alike":                {`{"digest": "b", "digest": "b"}`, "digest"},
		"in another case":            {`{"digest": "a", "Digest": "b"}`, "Digest"},
		"in another alphabet's case": {`{"li\u017ft": [], "list": []}`, "list"},
		"escaped":                    {`{"digest": "a", "d\u0069gest": "b"}`, "digest"},
		"in a list":                  {`{"list": [{}, {"id": "a", "ID": "b"}]}`, "ID"},
		"in a map":                   {`{"by": {"x": {}, "x": {}}}`, "x"},
		"in a map's value":           {`{"by": {"x": {"id": "", "iD": ""}}}`, "iD"},
		"in what is embedded":        {`{"names": {"a": "", "a": ""}}`, "a"},
		"in what is read later":      {`{"raw": {"a": 1, "b": {"c": 1, "c": 1}}}`, "c"},
		"in anything":                {`{"any": [[{"a": 1, "a": 1}]]}`, "a"},
		"in a field nobody knows":    {`{"more": {"a": 1, "a": 1}}`, "a"},
		"the last of many":           {`{"names": {` + many(`"k3": ""`) + `}}`, "k3"},
		"the last of many fields":    {`{` + many(`"K3": ""`) + `}`, "K3"},
		"one of many, once":          {`{"names": {` + many(`"K3": ""`) + `}}`, ""},
		"no plain word":              {`{"any": {"p w!": 1, "p w!": 2}}`, "-"},
		"no UTF-8":                   {"{\"any\": {\"\xff\": 1, \"\xfe\": 2}}", "-"},
		"behind an empty object":     {`{"list": [{}], "by": {}, "by": {}}`, "by"},
	} {
		t.Run(name, func(t *testing.T) {
			var got, want outer
			if err := json.Unmarshal([]byte(test.text), &want); err != nil {
				t.Fatal(err)
			}
			err := strictjson.Decode([]byte(test.text), &got)
			var twice *strictjson.TwiceError
			switch {
			case test.key == "":
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(outer{})); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
			case !errors.As(err, &twice):
				t.Fatalf("%v", err)
			case test.key != "-" && twice.Key != test.key, test.key == "-" && twice.Key != "":
				t.Errorf("%q", twice.Key)
			case test.text[twice.At] != '"' || strings.Contains(err.Error(), "p w!"):
				t.Errorf("byte %d: %v", twice.At, err)
			}
		})
	}
}

func TestDecodeKnown(t *testing.T) {
	var got inner
	if err := strictjson.DecodeKnown([]byte(` {"id": "a"} `), &got); err != nil || got.ID != "a" {
		t.Errorf("%v %+v", err, got)
	}
	for text, want := range map[string]string{
		`{"id": "a", "more": 1}`:    "unknown field",
		`{"id": "a"} {}`:            "something follows",
		`{"id": "a"`:                "unexpected EOF",
		`{"id": "a", "more": 1} x`:  "unknown field",
		`{"id": "a", "id": "a"`:     "stands twice",
		``:                          "EOF",
		`{"id": {"a": 1, "a": 1}}`:  "stands twice",
		`{"names": {"a": 1, "b": }`: "invalid character",
	} {
		if err := strictjson.DecodeKnown([]byte(text), &got); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}

// FuzzTwice: no text makes it panic, and what it lets through reads as it is written: as many keys come out as stand in
// the text.
func FuzzTwice(f *testing.F) {
	for _, text := range []string{`{"id": "a", "ID": "b"}`, `[{"a": {}}, "x\"", 1e9, null]`, `{"a": {"b": [`, "{\"\xff\": 1}", `{"a"`, `"\`, `{,}`, `[,]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var into any
		err := strictjson.Decode(text, &into)
		if err != nil {
			if json.Valid(text) && !errors.As(err, new(*strictjson.TwiceError)) {
				t.Errorf("%v", err)
			}
			return
		}
		written, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		if read, wrote := keys(t, text), keys(t, written); read != wrote {
			t.Errorf("%d keys stand in the text, and %d are read", read, wrote)
		}
	})
}

// keys counts the keys of a text.
func keys(t *testing.T, text []byte) (count int) {
	in := json.NewDecoder(strings.NewReader(string(text)))
	var open []json.Delim
	key := false
	for {
		token, err := in.Token()
		if err != nil {
			return count
		}
		inside := len(open) > 0 && open[len(open)-1] == '{'
		switch token {
		case json.Delim('{'), json.Delim('['):
			open, key = append(open, token.(json.Delim)), token == json.Delim('{')
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
			key = len(open) > 0 && open[len(open)-1] == '{'
			continue
		}
		if inside && key {
			count, key = count+1, false
			continue
		}
		key = inside
	}
}
