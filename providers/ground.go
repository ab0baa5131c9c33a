package providers

import (
	"bytes"
	"encoding/json"
	"fmt"

	"upkeep/providers/strictjson"
)

// Ground is what a step relies on, typed: a struct of its domain that marshals to JSON and back without loss. The
// planner takes it from Effect.Ground and keeps it in the step; effects and operations read it again with GroundOf.
type Ground interface {
	// Lines renders it for people, one value a line: "serial of apiserver = 4FE68FC3EABB1A74".
	Lines() []string
}

// WithGround returns the step with what it relies on; a ground without a value is none.
func (s Step) WithGround(ground Ground) (Step, error) {
	s.Ground, s.GroundText = nil, nil
	if ground == nil {
		return s, nil
	}
	data, err := json.Marshal(ground)
	if err != nil {
		return s, fmt.Errorf("ground of %s: %w", s.ID, err)
	}
	if !bytes.Equal(data, []byte("{}")) {
		s.Ground, s.GroundText = data, ground.Lines()
	}
	return s, nil
}

// GroundOf reads what a step relies on; the zero value where that is nothing. A plan file's ground comes from disk:
// callers must check it.
func GroundOf[G any](step Step) (ground G, err error) {
	if len(step.Ground) == 0 {
		return ground, nil
	}
	if err := strictjson.Decode(step.Ground, &ground); err != nil {
		return ground, fmt.Errorf("ground of %s: %w", step.ID, err)
	}
	return ground, nil
}

// ArgsOf reads the arguments of a step. A plan file's arguments come from disk: callers must check them.
func ArgsOf[A any](step Step) (args A, err error) {
	if err := strictjson.Decode(step.Args, &args); err != nil {
		return args, fmt.Errorf("arguments of %s: %w", step.ID, err)
	}
	return args, nil
}
