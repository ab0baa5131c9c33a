package planner

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// File returns a plan file as kept: its text, signed as EncodeSigned signs it and packed as Pack packs it. The text
// itself is never in memory: with 10,000 nodes it has 160 MiB.
func File(p Plan, mac MAC) ([]byte, error) {
	var file packer
	if err := writeSigned(&file, p, mac); err != nil {
		return nil, err
	}
	return file.close()
}

func writeSigned(w io.Writer, p Plan, mac MAC) error {
	if p.Request.Recorded {
		return writeText(w, p)
	}
	sum := sha256.New()
	if err := writeOpen(io.MultiWriter(w, sum), p); err != nil {
		return err
	}
	sum.Write([]byte(textEnd))
	origin, err := origin(header{p.ID, p.Digest, p.CreatedAt, p.Request.Lineage}, sum.Sum(nil), mac)
	if err != nil {
		return fmt.Errorf("sign the plan: %w", err)
	}
	_, err = fmt.Fprintf(w, `,"origin":"%s"`+textEnd, origin)
	return err
}

// textEnd is how the text of every plan file ends.
const textEnd = "}\n"

func writeText(w io.Writer, p Plan) error {
	if err := writeOpen(w, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, textEnd)
	return err
}

// placeholder stands for what is written piece by piece. No name of a node and no step's id can be that: a NUL is
// neither in a configuration nor in an answer.
const placeholder = "\x00"

// writeOpen writes the text of a plan file without its end. Nodes and steps, which are nearly all of it, are encoded
// one after another; the bytes are those of json.Marshal.
func writeOpen(w io.Writer, p Plan) error {
	nodes, steps := p.Request.World.Nodes, p.Steps
	var parts []part
	if len(nodes) > 0 {
		p.Request.World.Nodes = map[string]*facts.Node{placeholder: nil}
		parts = append(parts, part{p.Request.World.Nodes, func() error { return writeNodes(w, nodes) }})
	}
	if len(steps) > 0 {
		p.Steps = []providers.Step{{ID: placeholder}}
		parts = append(parts, part{p.Steps, func() error { return writeSteps(w, steps) }})
	}
	p.Objects = nil
	rest, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	for _, part := range parts {
		stands, err := json.Marshal(part.stands)
		if err != nil {
			return fmt.Errorf("encode the plan: %w", err)
		}
		before, after, found := bytes.Cut(rest, stands)
		if !found || bytes.Contains(after, stands) {
			return errors.New("encode the plan: a node or a step has a NUL for its name")
		}
		if _, err := w.Write(before); err != nil {
			return err
		}
		if err := part.write(); err != nil {
			return err
		}
		rest = after
	}
	_, err = w.Write(bytes.TrimSuffix(rest, []byte("}")))
	return err
}

// part is a value that is written by itself, and what stands for it in the text around.
type part struct {
	stands any
	write  func() error
}

func writeNodes(w io.Writer, nodes map[string]*facts.Node) error {
	before := "{"
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if err := writePiece(w, before, name); err != nil {
			return err
		}
		if err := writePiece(w, ":", nodes[name]); err != nil {
			return err
		}
		before = ","
	}
	_, err := io.WriteString(w, "}")
	return err
}

func writeSteps(w io.Writer, steps []providers.Step) error {
	before := "["
	for i := range steps {
		if err := writePiece(w, before, &steps[i]); err != nil {
			return err
		}
		before = ","
	}
	_, err := io.WriteString(w, "]")
	return err
}

func writePiece(w io.Writer, before string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	if _, err := io.WriteString(w, before); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
