package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"upkeep/providers/strictjson"
)

// stored is the state as it is in storage: the only place where the key is written.
type stored struct {
	State
	Key        string `json:"key"`
	SigningKey string `json:"signing_key,omitempty"`
}

// Encode returns the state as stored: indented JSON that ends in a newline. The result holds the keys; it goes to
// a backend's storage (mode 0600) and nowhere else.
func Encode(s State) ([]byte, error) {
	data, err := json.MarshalIndent(stored{State: s, Key: hex.EncodeToString(s.Key.secret[:]), SigningKey: hex.EncodeToString(s.Signing.seed[:])}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return append(data, '\n'), nil
}

var lineagePattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Decode reads what Encode wrote. Anything it does not understand in full is an error: a *NewerError for a newer
// version, else a *CorruptError. Unknown fields are refused, since writing the state again would drop them. Backends
// set Where.
func Decode(data []byte) (State, error) {
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		if len(data) == 0 {
			err = errors.New("it is empty")
		}
		return State{}, &CorruptError{Cause: err}
	}
	switch {
	case head.Version == nil:
		return State{}, &CorruptError{Cause: errors.New("it has no version")}
	case *head.Version > Version:
		return State{}, &NewerError{Found: *head.Version}
	case *head.Version < 1:
		return State{}, &CorruptError{Cause: fmt.Errorf("there never was a version %d", *head.Version)}
	}

	var s stored
	var err error
	if *head.Version == 1 {
		s, err = decodeFirst(data)
	} else {
		err = strictly(data, &s)
	}
	if err != nil {
		return State{}, &CorruptError{Cause: err}
	}
	if !lineagePattern.MatchString(s.Lineage) {
		return State{}, &CorruptError{Cause: errors.New("its lineage is not a UUID")}
	}
	if len(s.Runs) > KeptRuns {
		return State{}, &CorruptError{Cause: fmt.Errorf("it holds %d runs; %d are kept", len(s.Runs), KeptRuns)}
	}
	if !decodeKey(s.State.Key.secret[:], s.Key) {
		return State{}, &CorruptError{Cause: errors.New("its key is not 64 hexadecimal digits")}
	}
	switch {
	case *head.Version < 3: // which had none
		s.Version = Version
		s.State = s.State.withSigningKey(firstSigningKey(s.State.Key), time.Time{})
	case !decodeKey(s.State.Signing.seed[:], s.SigningKey):
		return State{}, &CorruptError{Cause: errors.New("its signing key is not 64 hexadecimal digits")}
	case !s.State.signs():
		return State{}, &CorruptError{Cause: errors.New("its signing key is not the last one of its signers")}
	}
	return s.State, nil
}

// decodeKey reads a key of 32 bytes.
func decodeKey(into []byte, text string) bool {
	if len(text) != 2*len(into) {
		return false
	}
	n, err := hex.Decode(into, []byte(text))
	return err == nil && n == len(into)
}

// strictly decodes one JSON value, all of which it understands.
func strictly(data []byte, into any) error {
	return withoutContent(strictjson.DecodeKnown(data, into))
}

// withoutContent keeps decoding errors from quoting the file, which holds the key.
func withoutContent(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is not JSON at byte %d", syntax.Offset)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("its field %q holds a %s", strings.TrimPrefix(kind.Field, "State."), kind.Value)
	}
	return err
}

// CorruptError says that a stored state could not be understood. It was left unchanged.
type CorruptError struct {
	Where string // as the user knows it: a path
	Cause error
}

// Error implements error.
func (e *CorruptError) Error() string {
	where := e.Where
	if where == "" {
		where = "the state"
	}
	return fmt.Sprintf("state %s is corrupt: %v; it was left untouched; put back a copy of it, or start with an empty memory (the cluster is observed again either way): mv %s %s.corrupt",
		where, e.Cause, where, where)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

// NewerError says that a stored state was written by a newer upkeep. It was left unchanged.
type NewerError struct {
	Where string
	Found int
}

// Error implements error.
func (e *NewerError) Error() string {
	return fmt.Sprintf("state %s has format version %d, and this upkeep reads up to %d; it was left untouched; upgrade upkeep to the version that wrote it, or a newer one (see `upkeep version`)", e.Where, e.Found, Version)
}

// At returns err with its place filled in, where it is one of Decode's errors.
func At(where string, err error) error {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return &CorruptError{Where: where, Cause: corrupt.Cause}
	}
	var newer *NewerError
	if errors.As(err, &newer) {
		return &NewerError{Where: where, Found: newer.Found}
	}
	return err
}
