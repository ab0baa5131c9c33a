// Package kernellog finds what NVIDIA's driver says in a kernel log.
//
// It reads records of /dev/kmsg, a saved `dmesg -T` (or `dmesg`, `journalctl -k`) and a journal export. It yields
// events and faults, cleaned and bounded. It promises that no line with Xid or SXid is dropped silently: what it does
// not understand is an unclassified event, and what it could not read makes every count a lower bound.
package kernellog

import (
	"fmt"
	"time"
)

// Form is how a log was written.
type Form string

// The forms.
const (
	KMsg    Form = "kmsg"    // records of /dev/kmsg: priority,sequence,microseconds,flags;message
	Dmesg   Form = "dmesg"   // dmesg, dmesg -T, or journalctl -k
	Journal Form = "journal" // journalctl -k -o export
)

// Kind tells events apart.
type Kind string

// The kinds.
const (
	Xid  Kind = "Xid"
	SXid Kind = "SXid"
	NVRM Kind = "NVRM" // another line of the driver
)

// Topic is what an event without a code is about.
type Topic string

// The topics.
const (
	Lost       Topic = "lost"        // the GPU has fallen off the bus
	Mismatch   Topic = "mismatch"    // the client and the module have different versions
	Init       Topic = "init"        // the adapter could not be initialised
	Probe      Topic = "probe"       // the driver took no device, or found none
	NotSupport Topic = "unsupported" // the open module does not support the GPU
	Region     Topic = "region"      // the device has no valid PCI region
	Loaded     Topic = "loaded"      // the module was loaded, with its version
)

// Origin says who wrote a line.
type Origin string

// The origins. A program of a user can write any line to /dev/kmsg, but not with the kernel's facility.
const (
	Kernel  Origin = "kernel"
	User    Origin = "user"    // spoofed, or a test: it proves nothing about a GPU
	Unknown Origin = "unknown" // the form does not tell
)

// Event is one thing that was said.
type Event struct {
	Kind  Kind
	Topic Topic
	// Code is the number of a Xid or SXid; 0 where it could not be read.
	Code int
	// Unclassified is a line with Xid or SXid that was not understood, or a SXid without a severity.
	Unclassified bool
	// PCI is the device as domain:bus:device, in small letters, without the function. Empty where the line has none.
	PCI string
	// MIG names the instance of the GPU, as in "GPU-I:05 GPU-CI:00".
	MIG string
	// Severity is Fatal or Non-fatal. Only a SXid has one.
	Severity string
	// Cause is the Xid that the driver names as the cause; 0 where it names none.
	Cause int
	// Client and Module are the versions of a mismatch. Module is also that of a loaded module.
	Client, Module string
	Origin         Origin
	// Boot is the boot's id, where the log or the caller knows it.
	Boot string
	// Sequence is the record's number in /dev/kmsg. Only HasSequence makes it one.
	Sequence    uint64
	HasSequence bool
	// Monotonic is the time since boot, without the time in suspend. Wall is the log's own wall clock.
	Monotonic time.Duration
	Wall      time.Time
	// Line is the number of the line, or in a journal of the entry, from 1.
	Line int
	// Text is the message on one line, safe to show.
	Text string
}

// Note is something about the log itself, with the line where it was seen.
type Note struct {
	Line int
	Text string
}

// Log is what was found.
type Log struct {
	Events []Event
	Notes  []Note
	// Lost are the records that are known to be missing, by gaps in their numbers.
	Lost uint64
	// LowerBound is set where anything was lost, limited or cut: then counts are at least so many.
	LowerBound bool
	// Last is the highest sequence number seen, and HasLast whether there was one.
	Last    uint64
	HasLast bool
}

// Options say what the log itself does not. The zero value reads everything.
type Options struct {
	// Boot is the boot's id, for the forms that do not contain it.
	Boot string
	// From is the first sequence number that is of interest. Lower ones are passed over; records that are missing
	// from there on are lost.
	From uint64
	// Zone is the time zone of `dmesg -T`; UTC if nil.
	Zone *time.Location
}

// Bounds of what is kept. Beyond them the log says so, and counts are lower bounds.
const (
	longestLine = 64 << 10 // bytes
	mostEvents  = 100_000
	mostNotes   = 100
	longestText = 4 << 10 // bytes
)

func (l *Log) note(line int, format string, args ...any) {
	if len(l.Notes) < mostNotes {
		l.Notes = append(l.Notes, Note{line, fmt.Sprintf(format, args...)})
	}
}

// bound notes something that makes every count a lower bound.
func (l *Log) bound(line int, format string, args ...any) {
	l.LowerBound = true
	l.note(line, format, args...)
}
