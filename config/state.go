package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// State says where the state is kept: a kind of backend, and the options of that kind alone.
type State struct {
	Backend string      `json:"backend"` // "local"
	Local   *LocalState `json:"local,omitempty"`
	// PublicKeys are the public halves of the keys that sign bundles, as the operator keeps them.
	PublicKeys []string `json:"public_keys,omitempty"`
	Position   Position `json:"position,omitzero"`
}

// LocalState are the options of the backend "local": a file.
type LocalState struct {
	// Path is relative to the configuration directory unless absolute.
	Path string `json:"path"`
}

// stateBackend is one kind of backend as the language knows it.
type stateBackend struct {
	name       string
	example    string
	attributes []Attribute
	decode     func(Block) (State, hcl.Diagnostics)
	// options returns the options of this kind, nil where there are none; check says what is wrong with them.
	options func(State) any
	check   func(State) error
}

// publicKeyPattern is what facts.PublicKey writes.
var publicKeyPattern = regexp.MustCompile(`^ed25519:[A-Za-z0-9+/]{43}=$`)

const localPath = "upkeep.state.json"

func stateBackends() []stateBackend {
	return []stateBackend{{
		name:    "local",
		example: "state \"local\" {\n  path = \"" + localPath + "\"\n}\n",
		attributes: []Attribute{{
			Name: "path", Type: cty.String, Default: cty.StringVal(localPath),
			Doc: "The state file, relative to the configuration directory.",
		}},
		decode: func(b Block) (State, hcl.Diagnostics) {
			if b.String("path") == "" {
				return State{}, hcl.Diagnostics{b.Diagnose("path", "Invalid path", "\"path\" is empty. Name the state file, such as \""+localPath+"\".")}
			}
			return State{Local: &LocalState{Path: b.String("path")}}, nil
		},
		options: func(s State) any {
			if s.Local == nil {
				return nil
			}
			return *s.Local
		},
		check: func(s State) error {
			if s.Local == nil || s.Local.Path == "" {
				return errors.New("the state backend \"local\" has no path")
			}
			return nil
		},
	}}
}

// defaultState is where the state is kept without a state block.
func defaultState() State { return State{Backend: "local", Local: &LocalState{Path: localPath}} }

func stateBlock() entry {
	t := BlockType{
		Name:   "state",
		Label:  backendLabel,
		Doc:    "Says where upkeep keeps its memory between runs. Without this block it is the file `" + localPath + "` in the configuration directory.",
		Decode: decodeState,
	}
	t.Schema.Attributes = append(t.Schema.Attributes, Attribute{
		Name: "public_keys", Type: cty.List(cty.String),
		Doc: "The public halves of the keys that sign bundles, as `upkeep state public-key` prints them, old ones included. `upkeep backup restore` checks bundles against them when the state is lost.",
	})
	for _, backend := range stateBackends() {
		t.Example += backend.example
		t.Schema.Attributes = append(t.Schema.Attributes, backend.attributes...)
	}
	return entry{single: true, plain: true, check: func(d Desired) error { return d.State.check() }, BlockType: t}
}

func (s State) enter(l *loader, _ Block) { l.desired.State = s }

func decodeState(b Block) (any, hcl.Diagnostics) {
	backends := stateBackends()
	i := slices.IndexFunc(backends, func(s stateBackend) bool { return s.name == b.Name })
	if i < 0 {
		var written []string
		for _, backend := range backends {
			written = append(written, fmt.Sprintf("state %q { ... }", backend.name))
		}
		d := b.Diagnose("", "Unknown state backend", "There is no state backend \""+b.Name+"\". Write "+strings.Join(written, " or "))
		return nil, hcl.Diagnostics{d}
	}
	s, diags := backends[i].decode(b)
	s.PublicKeys = b.Strings("public_keys")
	for _, key := range s.PublicKeys {
		if !publicKeyPattern.MatchString(key) {
			diags = append(diags, b.Diagnose("public_keys", "Not a public key", fmt.Sprintf("%.80q is not a public key. Write what `upkeep state public-key` prints: ed25519: and 44 letters.", key)))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	s.Backend, s.Position = b.Name, PositionOf(b.DefRange, b.Directory)
	return s, diags
}

// check reports what makes a state block that was stored contradict itself.
func (s State) check() error {
	known := false
	for _, backend := range stateBackends() {
		switch {
		case backend.name == s.Backend:
			known = true
			if err := backend.check(s); err != nil {
				return err
			}
		case backend.options(s) != nil:
			return fmt.Errorf("the state backend is %q, and there are options of %q", s.Backend, backend.name)
		}
	}
	if !known {
		return fmt.Errorf("%q is not a state backend", s.Backend)
	}
	return nil
}
