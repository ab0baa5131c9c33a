package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"upkeep/providers/strictjson"
)

// reading reads a facts file node by node: a decoder that is given all of a file at once copies all of it, and a file
// of 10,000 nodes has 160 MiB.
type reading struct {
	*json.Decoder
	pool pool
}

// readFile reads a facts file and refuses words that it does not know.
func readFile(data []byte) (file, error) {
	var f file
	if err := strictjson.Twice(data, &f); err != nil {
		return file{}, fmt.Errorf("not a facts file: %w", err)
	}
	r := reading{json.NewDecoder(bytes.NewReader(data)), pool{}}
	r.DisallowUnknownFields()
	err := r.object(func(key string) error {
		switch {
		case strings.EqualFold(key, "facts_version"):
			return r.Decode(&f.Version)
		case strings.EqualFold(key, "world"):
			return r.world(&f.World)
		case strings.EqualFold(key, "state"):
			return r.Decode(&f.State)
		case strings.EqualFold(key, "seals"):
			return r.Decode(&f.Seals)
		}
		return unknownField(key)
	})
	if err != nil {
		return file{}, fmt.Errorf("not a facts file: %w", err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return file{}, errors.New("not a facts file: something follows the facts")
	}
	return f, nil
}

func unknownField(key string) error { return fmt.Errorf("unknown field %q", key) }

// object reads an object, or null for one without fields. For each key, field reads the value.
func (r reading) object(field func(key string) error) error {
	switch begin, err := r.Token(); {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != json.Delim('{'):
		return fmt.Errorf("%v stands where an object should begin", begin)
	}
	for r.More() {
		key, err := r.Token()
		if err != nil {
			return err
		}
		if err := field(fmt.Sprint(key)); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

func (r reading) world(w *World) error {
	return r.object(func(key string) error {
		if strings.EqualFold(key, "nodes") {
			return r.nodes(w)
		}
		var value json.RawMessage
		if err := r.Decode(&value); err != nil {
			return err
		}
		one, err := json.Marshal(map[string]json.RawMessage{key: value})
		if err != nil {
			return err
		}
		field := json.NewDecoder(bytes.NewReader(one))
		field.DisallowUnknownFields()
		return field.Decode(w)
	})
}

func (r reading) nodes(w *World) error {
	if w.Nodes == nil {
		w.Nodes = map[string]*Node{}
	}
	return r.object(func(name string) error {
		if _, again := w.Nodes[name]; again {
			return fmt.Errorf("node %.80q stands twice", name)
		}
		var node *Node
		if err := r.Decode(&node); err != nil {
			return fmt.Errorf("node %.80q: %w", name, err)
		}
		r.pool.share(node)
		w.Nodes[name] = node
		return nil
	})
}
