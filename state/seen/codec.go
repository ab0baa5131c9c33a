package seen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"upkeep/providers/strictjson"
)

// Encode returns what was seen as stored: JSON that ends in a newline.
func Encode(s Seen) ([]byte, error) {
	s.Version = Version
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode what was seen: %w", err)
	}
	return append(data, '\n'), nil
}

// Decode reads what Encode wrote. Anything that it does not understand is an *Error, also what a newer upkeep wrote.
func Decode(data []byte) (Seen, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Seen{}, &Error{Cause: inWords(err, data)}
	}
	switch {
	case head.Version > Version:
		return Seen{}, &Error{Newer: true, Cause: fmt.Errorf("it has format version %d, and this upkeep reads up to %d", head.Version, Version)}
	case head.Version < 1:
		return Seen{}, &Error{Cause: errors.New("it has no version")}
	}
	var s Seen
	if err := strictjson.DecodeKnown(data, &s); err != nil {
		return Seen{}, &Error{Cause: inWords(err, data)}
	}
	return s, nil
}

// inWords says what a decoder says, for people.
func inWords(err error, data []byte) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("it is empty")
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(data)):
		return fmt.Errorf("it ends in the middle, at byte %d", len(data))
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("its field %q is of the wrong kind, %s", kind.Field, kind.Value)
	}
	return err
}

// Error says that what was seen cannot be read. It was left untouched; only "first seen" and the like are lost with it.
type Error struct {
	Where string // as the user knows it: a path
	Newer bool   // a newer upkeep wrote it
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	where := e.Where
	if where == "" {
		where = "the record of what was seen"
	}
	next := fmt.Sprintf("put back a copy, or forget what was seen: mv %s %s.corrupt", where, where)
	if e.Newer {
		next = "upgrade upkeep to the version that wrote it, or a newer one (see `upkeep version`)"
	}
	return fmt.Sprintf("%s cannot be read: %v; it was left untouched; %s", where, e.Cause, next)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
