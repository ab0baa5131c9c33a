// Package journal records what a run does, so that the next run knows after kill -9 what this one had begun.
//
// A journal is one file of JSON lines for one plan, appended to by every apply of that plan. Append returns when the
// line is on stable storage. It is written around each act, never instead of looking: the executor believes the world,
// and uses the journal to know what was in progress and to refuse what is done. It holds no secret.
//
// Each line has a sequence number and a CRC-32C chained over all lines before it, so that a line that is missing,
// repeated, moved or changed is seen. Replay accepts exactly one defect: a last line that was cut off while it was
// written. Its Append never returned, so nothing that it announces was begun.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"regexp"
	"slices"
	"time"

	"upkeep/providers/strictjson"
)

// Kind is what a record says.
type Kind string

// The kinds of records.
const (
	RunStarted  Kind = "run_started"
	StepStarted Kind = "step_started" // on stable storage before the step acts
	StepDone    Kind = "step_done"    // acted and proved
	StepSkipped Kind = "step_skipped" // what it would do was already so
	StepFailed  Kind = "step_failed"  // acted, and failed or was not proved
	StepRefused Kind = "step_refused" // its ground had moved or was unknown: not acted
	StepBlocked Kind = "step_blocked" // something that it waits for did not succeed: not acted
	StepWaiting Kind = "step_waiting" // it waits for something that passes by itself: not acted
	RunEnded    Kind = "run_ended"
)

// Record is one line. Fields that a kind does not use are left out.
type Record struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`

	// Plan, Digest, Who, Generation, Lineage (of the state) and Overrides (RULE[@NODE]=REASON) belong to run_started.
	Plan       string   `json:"plan,omitempty"`
	Digest     string   `json:"digest,omitempty"`
	Who        string   `json:"who,omitempty"`
	Generation uint64   `json:"generation,omitempty"`
	Lineage    string   `json:"lineage,omitempty"`
	Overrides  []string `json:"overrides,omitempty"`

	// Step is the step's id; Node and Operation are the step's, for readers without the plan.
	Step      string `json:"step,omitempty"`
	Node      string `json:"node,omitempty"`
	Operation string `json:"operation,omitempty"`
	// Text is why: readiness, what was proved, or the error.
	Text string `json:"text,omitempty"`
	// Seconds is how long the step, or the run, took.
	Seconds float64 `json:"seconds,omitempty"`
	// Outcome belongs to run_ended.
	Outcome string `json:"outcome,omitempty"`
}

// equal reports whether two records say the same, at the same place.
func (r Record) equal(other Record) bool {
	if !r.At.Equal(other.At) || !slices.Equal(r.Overrides, other.Overrides) {
		return false
	}
	r.At, other.At, r.Overrides, other.Overrides = time.Time{}, time.Time{}, nil, nil
	return reflect.DeepEqual(r, other)
}

// Same reports whether two records say the same, wherever they stand.
func (r Record) Same(other Record) bool {
	r.Seq, other.Seq = 0, 0
	return r.equal(other)
}

// ends reports whether k ends a step.
func (k Kind) ends() bool {
	return k == StepDone || k == StepSkipped || k == StepFailed || k == StepRefused || k == StepBlocked || k == StepWaiting
}

var planID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// CheckPlanID says whether a plan's id can name a journal. Plan files come from disk, and the id becomes a file name.
func CheckPlanID(id string) error {
	if !planID.MatchString(id) {
		return fmt.Errorf("plan id %q is not letters, digits, dots, dashes and underscores; the plan file is damaged: make a new plan", id)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The CRC is the last member of a line: `{...,"crc":"89abcdef"}`. It covers the line without it, and the CRC before.
const (
	crcBefore = `,"crc":"`
	crcAfter  = `"}`
	crcLength = len(crcBefore) + 8 + len(crcAfter)
)

// encode returns the record's line with its newline, and the CRC that the next line continues.
func encode(r Record, previous uint32) ([]byte, uint32, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, 0, fmt.Errorf("encode journal record: %w", err)
	}
	crc := crc32.Update(previous, castagnoli, body)
	line := append(body[:len(body)-1], fmt.Sprintf("%s%08x%s\n", crcBefore, crc, crcAfter)...)
	return line, crc, nil
}

// decode reads a line without its newline.
func decode(line []byte, previous uint32) (Record, uint32, error) {
	cut := len(line) - crcLength
	if cut < 1 || !bytes.HasPrefix(line[cut:], []byte(crcBefore)) || !bytes.HasSuffix(line, []byte(crcAfter)) {
		return Record{}, 0, errors.New("it does not end in a checksum")
	}
	body := append(bytes.Clone(line[:cut]), '}')
	crc := crc32.Update(previous, castagnoli, body)
	if written := string(line[cut+len(crcBefore) : len(line)-len(crcAfter)]); written != fmt.Sprintf("%08x", crc) {
		return Record{}, 0, fmt.Errorf("its checksum is %s and should be %08x", written, crc)
	}
	var r Record
	if err := strictjson.DecodeKnown(body, &r); err != nil {
		return Record{}, 0, err
	}
	return r, crc, nil
}
