// Package strictjson reads JSON that decides something.
//
// A key that stands twice in one object is an error here: RFC 8259, section 4, leaves open which of the two counts, so
// a person, a signer and a program may each read another one. In what becomes a struct, keys that differ in case alone
// are the same key, since encoding/json takes them for the same field. Something behind the value is an error, too.
// Everything else is as in encoding/json. It is not part of package strict, which links a reader of YAML.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// TwiceError says that a key stands twice in one object.
type TwiceError struct {
	// Key is empty where the key itself may be a secret: it is no plain word.
	Key string
	// At is where the second one begins, in bytes from the beginning of the text.
	At int
}

func (e *TwiceError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("a key stands twice in one object (byte %d)", e.At)
	}
	return fmt.Sprintf("the key %q stands twice in one object (byte %d)", e.Key, e.At)
}

// ErrFollows says that something stands behind the value.
var ErrFollows = errors.New("something follows the JSON value")

// Decode reads one value.
func Decode(text []byte, into any) error {
	if err := Twice(text, into); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// DecodeKnown reads one value, and refuses fields that into does not have.
func DecodeKnown(text []byte, into any) error {
	if err := Twice(text, into); err != nil {
		return err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		return err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return ErrFollows
	}
	return nil
}

// Twice returns a *TwiceError where a key stands twice in an object of a text. into is what the text will be read into;
// nil means any value. What is no JSON is not judged: the one who decodes it says so.
func Twice(text []byte, into any) error {
	s := scan{text: text, fields: map[reflect.Type]map[string]reflect.Type{}}
	var of reflect.Type
	if into != nil {
		of = reflect.TypeOf(into)
	}
	s.value(of, 0)
	if s.twice == nil {
		return nil
	}
	return s.twice
}
