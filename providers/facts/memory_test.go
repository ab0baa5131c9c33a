package facts

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSections(t *testing.T) {
	a, b := Address{Type: "etcd_backup", Name: "daily"}, Address{Type: "etcd_backup", Name: "sites", Key: `b"er]lin`, Node: "cp1"}
	before := Memory{Sections: Sections{a: json.RawMessage(`{"version":1}`)}}
	after := before.WithSections(Sections{b: json.RawMessage(`{"version":2,"text":"a b"}`)})
	if len(before.Sections) != 1 || len(after.Sections) != 2 {
		t.Errorf("before %v, after %v", before, after)
	}
	data, err := json.MarshalIndent(after, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var read Memory
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, read); diff != "" {
		t.Errorf("sections changed by being stored (-want +got):\n%s", diff)
	}
	if gone := after.WithSections(Sections{b: nil}); !cmp.Equal(before, gone) || len(after.Sections) != 2 {
		t.Errorf("removed: %v", gone)
	}
	for name, text := range map[string]string{"an owner that is none": `{"sections":{"nowhere":{}}}`, "no object": `{"sections":[]}`} {
		if err := json.Unmarshal([]byte(text), &read); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestDecodeSection(t *testing.T) {
	owner := Address{Type: "etcd_backup", Name: "daily"}
	for name, test := range map[string]struct{ section, want string }{
		"nothing":         {"", ""},
		"this version":    {`{"version":2,"count":3}`, ""},
		"an older":        {`{"version":1,"count":3}`, ""},
		"a newer":         {`{"version":3,"other":3}`, "upgrade upkeep"},
		"no version":      {`{"count":3}`, "has no version"},
		"an unknown part": {`{"version":2,"other":3}`, "other"},
		"two":             {`{"version":2}{}`, "cannot be read"},
		"no JSON":         {`{`, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var into struct {
				Version, Count int
			}
			err := DecodeSection(owner, json.RawMessage(test.section), 2, &into)
			var newer *NewerSectionError
			switch {
			case test.want == "" && (err != nil || test.section != "" && into.Count != 3):
				t.Errorf("%v, %+v", err, into)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "etcd_backup.daily")):
				t.Errorf("%v", err)
			case errors.As(err, &newer) != (name == "a newer"):
				t.Errorf("%T", err)
			}
		})
	}
}
