package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"upkeep/providers/strictjson"
)

// Memory is what upkeep remembers between runs; it comes from the state.
type Memory struct {
	// Durations is how long each operation took when it last succeeded, by operation name, in seconds.
	Durations map[string]float64 `json:"durations,omitempty"`
	// History is how long each operation took when it succeeded, by operation name, in seconds: the last times, oldest
	// first.
	History map[string][]float64 `json:"history,omitempty"`
	// Cluster is the cluster that the first apply with this state has changed; empty parts are not known.
	Cluster Identity `json:"cluster,omitzero"`
	// Signers are the keys of the state that sign bundles, oldest first; the last one is in use.
	Signers []Signer `json:"signers,omitempty"`
	// Overrides are the safety rules that the last apply was told to lift.
	Overrides []UsedOverride `json:"overrides,omitempty"`
	// Approvals are the plans that may be applied while nobody looks, oldest first.
	Approvals []Approval `json:"approvals,omitempty"`
	// Hold stands while people work on the cluster by other means; nil: none does.
	Hold *Hold `json:"hold,omitempty"`
	// Earlier is what earlier looks saw. No state holds it: the command that plans fills it in.
	Earlier Earlier `json:"earlier,omitzero"`
	// Sections are what the domains remember, each under the address of the resource that it is about.
	Sections Sections `json:"sections,omitempty"`
}

// UsedOverride is a safety rule that one apply was told to lift.
type UsedOverride struct {
	Text string    `json:"text"` // RULE[@NODE]=REASON
	Plan string    `json:"plan"` // the plan's id
	Who  string    `json:"who,omitempty"`
	At   time.Time `json:"at"`
}

// Sections are parts of the memory by owner. Only the owner's domain decodes a section; everybody else keeps it
// unchanged, also when the owner is no longer declared. In JSON the keys are addresses as the user writes them.
//
// A section is a JSON object with a member "version", which its owner counts; see DecodeSection.
type Sections map[Address]json.RawMessage

// UnmarshalJSON reads sections, each without white space, so that equal sections are equal bytes.
func (s *Sections) UnmarshalJSON(data []byte) error {
	var read map[Address]json.RawMessage
	if err := strictjson.Decode(data, &read); err != nil {
		return err
	}
	for address, section := range read {
		var compact bytes.Buffer
		if err := json.Compact(&compact, section); err != nil {
			return fmt.Errorf("section of %s: %w", address, err)
		}
		read[address] = compact.Bytes()
	}
	*s = read
	return nil
}

// WithSections returns a memory whose sections are replaced by those of the same owner; m is not changed. An empty
// section removes what was there.
func (m Memory) WithSections(sections Sections) Memory {
	if len(sections) == 0 {
		return m
	}
	m.Sections = maps.Clone(m.Sections)
	if m.Sections == nil {
		m.Sections = Sections{}
	}
	for address, section := range sections {
		if len(section) == 0 {
			delete(m.Sections, address)
			continue
		}
		m.Sections[address] = section
	}
	return m
}

// Clone returns a memory whose maps and slices can be changed without changing m. The sections themselves are shared:
// replace a section, never write into it.
func (m Memory) Clone() Memory {
	m.Durations, m.History = maps.Clone(m.Durations), maps.Clone(m.History)
	m.Signers = append([]Signer(nil), m.Signers...)
	m.Overrides = append([]UsedOverride(nil), m.Overrides...)
	m.Approvals = append([]Approval(nil), m.Approvals...)
	m.Sections = maps.Clone(m.Sections)
	return m
}

// NewerSectionError says that a section of the memory was written by a newer upkeep. It was left unchanged.
type NewerSectionError struct {
	Owner       Address
	Found, Read int // versions: the section's, and the newest that this upkeep reads
}

// Error implements error.
func (e *NewerSectionError) Error() string {
	return fmt.Sprintf("the state's memory of %s has version %d, and this upkeep reads up to %d; it was left untouched; upgrade upkeep to the version that wrote it, or a newer one (see `upkeep version`)", e.Owner, e.Found, e.Read)
}

// DecodeSection decodes the section of an owner into a struct with a member "version", and refuses a newer version with
// a *NewerSectionError. Unknown members are refused, since writing the section again would drop them. An empty section
// leaves into unchanged: nothing is remembered.
func DecodeSection(owner Address, section json.RawMessage, newest int, into any) error {
	if len(section) == 0 {
		return nil
	}
	var head struct {
		Version int `json:"version"`
	}
	err := json.Unmarshal(section, &head)
	switch {
	case err == nil && head.Version > newest:
		return &NewerSectionError{Owner: owner, Found: head.Version, Read: newest}
	case err == nil && head.Version < 1:
		err = errors.New("it has no version")
	case err == nil:
		err = strictjson.DecodeKnown(section, into)
	}
	if err != nil {
		return fmt.Errorf("the state's memory of %s cannot be read: %w; put back a copy of the state", owner, err)
	}
	return nil
}
