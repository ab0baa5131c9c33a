// Package strict reads YAML that decides something.
//
// A key that stands twice in one mapping is an error here. Readers differ in which of the two counts: a person sees the
// first, most libraries take the last, and some programs refuse the file. Everything else is as in sigs.k8s.io/yaml.
package strict

import (
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"
)

// TwiceError says that a key stands twice in one mapping.
type TwiceError struct {
	// Key is empty where the key itself may be a secret: it is no plain word.
	Key string
	// Line is that of the second one, counted from 1 in the text that was read.
	Line string
}

func (e *TwiceError) Error() string {
	if e.Key == "" {
		return "a key stands twice in one mapping (line " + e.Line + "); remove one of the two"
	}
	return fmt.Sprintf("the key %q stands twice in one mapping (line %s); remove one of the two", e.Key, e.Line)
}

var (
	twice = regexp.MustCompile(`line (\d+): key (.*) already set in map`)
	word  = regexp.MustCompile(`^"([A-Za-z0-9._/-]{1,64})"$`)
)

// YAML decodes one document by its JSON tags. An error of the YAML library may quote what it is about; a *TwiceError
// quotes no value.
func YAML(text []byte, into any) error {
	if _, err := yaml.YAMLToJSONStrict(text); err != nil {
		if found := twice.FindStringSubmatch(err.Error()); found != nil {
			e := &TwiceError{Line: found[1]}
			if plain := word.FindStringSubmatch(found[2]); plain != nil {
				e.Key = plain[1]
			}
			return e
		}
	}
	return yaml.Unmarshal(text, into) // which also makes texts of numbers where texts are wanted
}
