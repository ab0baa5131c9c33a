package protocol

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep/providers/strictjson"
)

// Method is the name of one request on the wire, with the types of what is asked and of what is answered. It is a string
// constant, so that the compiler holds handlers to the table and nobody can change it.
type Method[Request, Result any] string

// Request decodes a request strictly: a field that this program does not know may be one that changes the meaning. No
// content is the zero request.
func (m Method[Request, Result]) Request(content []byte) (Request, error) {
	var q Request
	if len(content) == 0 {
		return q, nil
	}
	if err := strictjson.DecodeKnown(content, &q); err != nil {
		return q, &MisunderstoodError{Method: string(m), Err: err}
	}
	return q, nil
}

// MisunderstoodError is the refusal of a request whose content is not what its method takes.
type MisunderstoodError struct {
	Method string
	Err    error
}

// Error names the method.
func (e *MisunderstoodError) Error() string {
	return fmt.Sprintf("%s: the request is not understood: %v", e.Method, e.Err)
}

// Unwrap returns why.
func (e *MisunderstoodError) Unwrap() error { return e.Err }

// Class says who may be let in for a request.
type Class string

// The classes.
const (
	ClassObserve Class = "observe" // reads facts; no secret leaves the node
	ClassBackup  Class = "backup"  // reads keys and data, or stores bundles
	ClassChange  Class = "change"  // changes the node, or is asked by runs that do
)

// Classes returns all classes, the most harmless first.
func Classes() []Class { return []Class{ClassObserve, ClassBackup, ClassChange} }

// Means says in words what a class allows.
func (c Class) Means() string {
	switch c {
	case ClassObserve:
		return "reads facts, no secret leaves the node"
	case ClassBackup:
		return "reads keys and data, or stores bundles"
	default:
		return "changes the node, or speaks to etcd with a client certificate"
	}
}

// ParseClass reads a class.
func ParseClass(text string) (Class, error) {
	if c := Class(text); slices.Contains(Classes(), c) {
		return c, nil
	}
	return "", fmt.Errorf("%q is not a class of requests; there are %q", text, Classes())
}

// Row is what the table says of one method, for those who treat all methods alike.
type Row struct {
	Name  string
	Class Class
	// Limit is how long a request may take where it does not say.
	Limit time.Duration
	// Unit says how a request is run that changes the node: in a process of its own, which outlives its session.
	// Nil: it is answered in the session, and ends with it.
	Unit *Unit
}

// Unit is how a changing request is run.
type Unit struct {
	// Most is the most time that a request may ask for (Run.Limit).
	Most time.Duration
	// Restarts: the request may boot its own node. A unit that is found after a boot has then done what was expected.
	Restarts bool
	// WithoutRun: the request is also taken when it names no run: by hand, without the state.
	WithoutRun bool
	Hardening  Hardening
}

// Allowed returns how long a request of a run may take: what the run asks for, at most what the row allows.
func (r Row) Allowed(run Run) time.Duration {
	if r.Unit == nil || run.Limit <= 0 {
		return r.Limit
	}
	return time.Duration(min(int64(run.Limit), int64(r.Unit.Most/time.Second))) * time.Second
}

// slack is what may come before and after the work of a unit: another session's start and its own (20 s each, twice), another
// unit's end (60 s), and its own end (60 s).
const slack = 3 * time.Minute

// Patience returns how long a session waits for the answer to a request of a run.
func (r Row) Patience(run Run) time.Duration {
	if r.Unit == nil {
		return r.Limit
	}
	return r.Allowed(run) + slack
}

// Hardening is what systemd keeps the unit of a changing request from doing.
type Hardening struct {
	// Unconfined is the reason why the unit may do what root may; empty: the rest of this holds.
	Unconfined string
	// Writes are the only places that the unit may write to (ReadWritePaths=; a missing one is passed over). The directory
	// of upkeep is always one of them.
	Writes []string
	// Home leaves home directories unchanged for a unit that writes to places of a request there (Also). Otherwise it
	// may read them.
	Home bool
}

// Also returns the hardening of a unit that may write to more directories: those of the files that one request names.
func (h Hardening) Also(directories []string) Hardening {
	h.Writes = slices.Concat(h.Writes, directories)
	slices.Sort(h.Writes)
	h.Writes = slices.Compact(h.Writes)
	return h
}

// plainPath is an absolute path that systemd reads nothing into: no specifier, no quote, no escape, no list.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9@_+=.,/-]*$`)

// Check refuses what systemd would not read as the paths that are meant.
func (h Hardening) Check() error {
	for _, p := range h.Writes {
		if !plainPath.MatchString(p) {
			return fmt.Errorf("the path %q holds characters that systemd would interpret, so that no unit can be let write there", p)
		}
	}
	return nil
}

// Properties returns the properties of the unit, as systemd-run takes them (systemd.exec(5)).
func (h Hardening) Properties() []string {
	if h.Unconfined != "" {
		return nil
	}
	home := "read-only"
	if h.Home {
		home = "no"
	}
	// Strict makes everything read-only but /dev, /proc and /sys. Sockets below /run can be connected to all the same.
	p := []string{"ProtectSystem=strict", "ProtectHome=" + home, "PrivateTmp=yes", "NoNewPrivileges=yes"}
	writes := append([]string{"/var/lib/upkeep"}, h.Writes...)
	return append(p, "ReadWritePaths=-"+strings.Join(writes, " -"))
}

// read is the row of a method that is answered in the session.
func read[Request, Result any](m Method[Request, Result], c Class, limit time.Duration) Row {
	return Row{Name: string(m), Class: c, Limit: limit}
}

// change is the row of a method that changes the node. Only requests that name their run can have one.
func change[Request Changing, Result any](m Method[Request, Result], limit time.Duration, u Unit) Row {
	return Row{Name: string(m), Class: ClassChange, Limit: limit, Unit: &u}
}

// Find returns the row of a method.
func Find(name string) (Row, bool) {
	for _, r := range Methods() {
		if r.Name == name {
			return r, true
		}
	}
	return Row{}, false
}
