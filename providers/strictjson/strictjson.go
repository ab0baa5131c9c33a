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

// Again is the error for a key that comes for the second time, for those who walk over an object themselves.
func Again(key string, at int) *TwiceError {
	if !word.MatchString(key) {
		key = ""
	}
	return &TwiceError{key, at}
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
func DecodeKnown(text []byte, into any) error { return new(Reader).DecodeKnown(text, into) }

// Reader reads many values of the same types, and looks at each type once. The zero value is ready; it is not for use
// by two at a time.
type Reader struct {
	fields map[reflect.Type]map[string]reflect.Type
}

// DecodeKnown is the function DecodeKnown.
func (r *Reader) DecodeKnown(text []byte, into any) error {
	if err := r.twice(text, into); err != nil {
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
func Twice(text []byte, into any) error { return new(Reader).twice(text, into) }

func (r *Reader) twice(text []byte, into any) error {
	if r.fields == nil {
		r.fields = map[reflect.Type]map[string]reflect.Type{}
	}
	s := scan{text: text, fields: r.fields}
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
