package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"upkeep/providers/strictjson"
)

// reading reads a facts file node by node: a file of 10,000 nodes has 160 MiB, of which nothing is needed once it is
// read.
type reading struct {
	*json.Decoder
	strict strictjson.Reader
	text   json.RawMessage // the value that was read last
	pool   pool
	// wrong is the first mistake after which the text could be read on: that of a newer file is its version.
	wrong error
}

// readFile reads a facts file and refuses words that it does not know. The version is right even where it returns an
// error, as far as the file can be read.
func readFile(in io.Reader) (file, error) {
	var f file
	r := reading{Decoder: json.NewDecoder(in), pool: pool{}}
	err := r.object(strings.EqualFold, func(key string) error {
		switch {
		case strings.EqualFold(key, "facts_version"):
			return r.value(&f.Version)
		case strings.EqualFold(key, "world"):
			return r.world(&f.World)
		case strings.EqualFold(key, "state"):
			return r.value(&f.State)
		case strings.EqualFold(key, "seals"):
			return r.value(&f.Seals)
		}
		return r.unknown(key)
	})
	if err == nil {
		if _, end := r.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the facts")
		}
	}
	if r.wrong != nil {
		err = r.wrong
	}
	if err != nil {
		return f, fmt.Errorf("not a facts file: %w", err)
	}
	return f, nil
}

// object reads an object, or null for one without fields. For each key, field reads the value; same says which keys are
// one.
func (r *reading) object(same func(a, b string) bool, field func(key string) error) error {
	switch begin, err := r.Token(); {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != json.Delim('{'):
		return fmt.Errorf("%v stands where an object should begin", begin)
	}
	var before []string
	for r.More() {
		key, err := r.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(key)
		if same != nil && r.wrong == nil {
			if slices.ContainsFunc(before, func(other string) bool { return same(other, name) }) {
				r.mistake(r.again(name))
			}
			before = append(before, name)
		}
		if err := field(name); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

// value reads a value. What is no JSON ends the reading; every other mistake is noted.
func (r *reading) value(into any) error {
	if err := r.Decode(&r.text); err != nil {
		return err
	}
	r.mistake(r.decode(r.text, into))
	return nil
}

// decode decodes a text that ends where the file was read to.
func (r *reading) decode(text []byte, into any) error {
	err := r.strict.DecodeKnown(text, into)
	if twice := (*strictjson.TwiceError)(nil); errors.As(err, &twice) {
		twice.At += int(r.InputOffset()) - len(text)
	}
	return err
}

func (r *reading) mistake(err error) {
	if r.wrong == nil {
		r.wrong = err
	}
}

func (r *reading) unknown(key string) error {
	r.mistake(fmt.Errorf("unknown field %q", key))
	return r.Decode(&r.text)
}

func (r *reading) again(key string) error { return strictjson.Again(key, int(r.InputOffset())) }

func (r *reading) world(w *World) error {
	return r.object(strings.EqualFold, func(key string) error {
		if strings.EqualFold(key, "nodes") {
			return r.nodes(w)
		}
		if err := r.Decode(&r.text); err != nil {
			return err
		}
		one, err := json.Marshal(map[string]json.RawMessage{key: r.text})
		if err != nil {
			return err
		}
		r.mistake(r.decode(one, w))
		return nil
	})
}

func (r *reading) nodes(w *World) error {
	w.Nodes = map[string]*Node{}
	return r.object(nil, func(name string) error {
		if _, again := w.Nodes[name]; again {
			r.mistake(r.again(name))
		}
		var node *Node
		if err := r.Decode(&r.text); err != nil {
			return fmt.Errorf("node %.80q: %w", name, err)
		}
		if err := r.decode(r.text, &node); err != nil {
			r.mistake(fmt.Errorf("node %.80q: %w", name, err))
		}
		r.pool.share(node)
		w.Nodes[name] = node
		return nil
	})
}
