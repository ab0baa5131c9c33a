package unit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// version is the version of the records' form.
const version = 1

// request is what a unit is asked to do.
type request struct {
	Version int          `json:"version"`
	Method  string       `json:"method"`
	Run     protocol.Run `json:"run"`
	Who     string       `json:"who,omitempty"`
	Made    time.Time    `json:"made"`
	// Restarts: the method may boot the node.
	Restarts bool            `json:"restarts,omitempty"`
	Content  json.RawMessage `json:"content"`
}

// begun says that a unit began, and as what.
type begun struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Boot    string    `json:"boot"`
	PID     int       `json:"pid"`
}

// result is what became of a request.
type result struct {
	Version int             `json:"version"`
	Ended   time.Time       `json:"ended"`
	Outcome string          `json:"outcome"` // facts.Outcome…
	Error   string          `json:"error,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// identify names a request: two with the same name are the same request. One that belongs to no run is like no other.
func identify(method string, run protocol.Run, content any) (key, id string, err error) {
	h := sha256.New()
	if run.Named() {
		text, err := withoutRun(content)
		if err != nil {
			return "", "", err
		}
		for _, part := range [][]byte{[]byte(run.Lineage), []byte(run.Plan), []byte(run.Step), []byte(method), text} {
			fmt.Fprintf(h, "%d:", len(part))
			h.Write(part)
		}
	} else {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails, see crypto/rand
		h.Write(random)
	}
	key = hex.EncodeToString(h.Sum(nil)[:16])
	return key, key + "-" + strconv.FormatUint(run.Generation, 10), nil
}

// withoutRun returns a request's fields but for the run it names: another generation of it is the same piece of work.
func withoutRun(content any) ([]byte, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	delete(fields, "run")
	return json.Marshal(fields)
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}-(?:0|[1-9][0-9]{0,19})$`)

// CheckID refuses what cannot be the id of a request: it becomes part of a path and of a unit's name.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%q is not the id of a request", id)
	}
	return nil
}

type record interface{ request | begun | result }

func write[R record](dir *disk.Dir, name string, r R) error {
	text, err := json.Marshal(stamped(r))
	if err != nil {
		return err
	}
	return dir.WriteFile(name, 0o600, text)
}

func stamped(r any) any {
	switch r := r.(type) {
	case request:
		r.Version = version
		return r
	case begun:
		r.Version = version
		return r
	case result:
		r.Version = version
		return r
	}
	return r
}

// read reads a record; an error wraps fs.ErrNotExist where there is none.
func read[R record](dir *disk.Dir, name string) (R, error) {
	var r R
	if err := dir.TrustFile(name); err != nil {
		return r, err
	}
	text, _, err := dir.Read(name, maxFile)
	if err != nil {
		return r, err
	}
	if err := parse(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path.Join(dir.Path(), name), err)
	}
	return r, nil
}

func parse(text []byte, r any) error {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("it cannot be parsed: %w", err)
	}
	if v.Version != version {
		return fmt.Errorf("it is of version %d and this program knows %d", v.Version, version)
	}
	if err := strictjson.DecodeKnown(text, r); err != nil {
		return fmt.Errorf("it cannot be parsed: %w", err)
	}
	return nil
}

// lookup is read for a record that may not be there.
func lookup[R record](dir *disk.Dir, name string) (r R, there bool, err error) {
	r, err = read[R](dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

// lastLine returns the last whole line of what a unit said.
func lastLine(dir *disk.Dir) string {
	info, err := dir.Stat(progressFile)
	if err != nil {
		return ""
	}
	text, err := dir.Tail(progressFile, max(0, info.Size-2*maxLine), 2*maxLine)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 2 {
		return ""
	}
	return lines[len(lines)-2]
}
