package kernellog

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"upkeep/providers/plain"
)

// code is what no line with a code lacks.
var code = []byte("Xid")

// What a line is looked through for before it is decoded.
var (
	driver  = []byte("NVRM")
	limited = [][]byte{[]byte("callbacks suppressed"), []byte("printing 1 of every"), []byte("Rate limiting GSP RPC")}
)

// The lines of the driver, as its source of 595.45.04 and older logs have them.
var (
	begin    = regexp.MustCompile(`NVRM: |nvidia-nvswitch[0-9]+: `)
	xidLine  = regexp.MustCompile(`^NVRM: Xid \((?:PCI:)?` + address + `((?: GPU-C?I:[0-9]+)*)\): ([0-9]{1,9})(?:[,\s]|$)`)
	sxidLine = regexp.MustCompile(`^nvidia-nvswitch[0-9]+: SXid \((?:PCI:)?` + address + `\): ([0-9]{1,9})(?:[,\s]|$)`)
	cause    = regexp.MustCompile(`caused by previous Xid ([0-9]{1,9})`)
	anywhere = regexp.MustCompile(address)
	versions = regexp.MustCompile(`has the version ([0-9.]+), but.*?the version ([0-9.]+)`)
	loaded   = regexp.MustCompile(`Kernel Module.*?\s([0-9]+\.[0-9.]+)`)
	dataLine = regexp.MustCompile(`, (?:Data \{|Severity [0-9]+ Engine instance)`)
)

// address is domain:bus:device, with or without the function.
const address = `([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-9a-fA-F])?`

// topics are the lines without a code, by what they contain.
var topics = []struct {
	part  string
	topic Topic
}{
	{"fallen off the bus", Lost}, {"API mismatch", Mismatch},
	{"RmInitAdapter failed", Init}, {"rm_init_adapter failed", Init},
	{"probe routine was not called", Probe}, {"probe routine failed", Probe}, {"No NVIDIA GPU found", Probe},
	{"not supported by open", NotSupport}, {"PCI I/O region assigned", Region}, {"Kernel Module", Loaded},
}

type decoder struct {
	options Options
	log     Log
	line    int
	raw     []byte // the record of /dev/kmsg that is being read
	// seen are the sums of the records that became events, by number.
	seen map[uint64]uint64
	// open tells that the last event goes on in the next line of the driver: a message of several lines.
	open bool
}

// interesting reports whether a line says anything about a GPU, and notes where lines were left out.
func (d *decoder) interesting(line []byte) bool {
	for _, words := range limited {
		if bytes.Contains(line, words) {
			d.log.bound(d.line, "the kernel or the driver left lines out: %s", shown(string(line)))
			break
		}
	}
	return bytes.Contains(line, driver) || bytes.Contains(line, code)
}

// message decodes the message of a record: one or several lines, each of which may hold several words of the driver.
func (d *decoder) message(e Event, text string) {
	for part := range strings.SplitSeq(text, "\n") {
		starts := begin.FindAllStringIndex(part, -1)
		if len(starts) == 0 || starts[0][0] > 0 {
			// Another program's words, or a damaged line: what it quotes is no report of the driver.
			if strings.Contains(part, string(code)) {
				e.Kind, e.Unclassified, e.Text = Xid, true, shown(part)
				d.keep(e)
			}
			continue
		}
		for i, start := range starts {
			end := len(part)
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			d.said(e, part[start[0]:end])
		}
	}
}

// said decodes one line of the driver.
func (d *decoder) said(e Event, text string) {
	e.Text = shown(text)
	switch {
	case d.xid(&e, text), d.sxid(&e, text):
	case strings.Contains(text, string(code)):
		e.Kind, e.Unclassified = Xid, true
		if strings.Contains(text, "SXid") {
			e.Kind = SXid
		}
	case d.continues(e, text):
		return
	default:
		d.other(&e, text)
	}
	if e.Kind == SXid && dataLine.MatchString(text) && d.belongs(e) {
		last := &d.log.Events[len(d.log.Events)-1]
		last.Text = plain.Bound(last.Text+" | "+e.Text, longestText)
		return
	}
	d.keep(e)
	d.open = e.Topic == Mismatch || e.Kind == NVRM && strings.HasPrefix(text, "NVRM: The NVIDIA GPU ")
}

func (d *decoder) xid(e *Event, text string) bool {
	m := xidLine.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	e.Kind, e.PCI, e.MIG = Xid, strings.ToLower(m[1]), strings.TrimSpace(m[2])
	e.Code, _ = strconv.Atoi(m[3]) // nine digits at most
	if m := cause.FindStringSubmatch(text); m != nil {
		e.Cause, _ = strconv.Atoi(m[1])
	}
	return true
}

func (d *decoder) sxid(e *Event, text string) bool {
	m := sxidLine.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	e.Kind, e.PCI = SXid, strings.ToLower(m[1])
	e.Code, _ = strconv.Atoi(m[2])
	switch {
	case strings.Contains(text, ", Fatal,"):
		e.Severity = "Fatal"
	case strings.Contains(text, ", Non-fatal,"):
		e.Severity = "Non-fatal"
	default:
		e.Unclassified = true
	}
	return true
}

// belongs reports whether a line of data continues the SXid before it.
func (d *decoder) belongs(e Event) bool {
	if len(d.log.Events) == 0 {
		return false
	}
	last := d.log.Events[len(d.log.Events)-1]
	return last.Kind == SXid && last.Code == e.Code && last.PCI == e.PCI && last.Origin == e.Origin
}

// continues joins a line to a message of several lines.
func (d *decoder) continues(e Event, text string) bool {
	if !d.open {
		return false
	}
	last := &d.log.Events[len(d.log.Events)-1]
	rest := strings.TrimSpace(strings.TrimPrefix(text, "NVRM:"))
	for _, p := range []string{
		"has the version", "the version", "this kernel module has", "kernel module and all", "have the same version",
		"(PCI ID:", "fallen off the bus", "not supported by", "installed in this system",
	} {
		if strings.HasPrefix(rest, p) && last.Origin == e.Origin {
			last.Text = plain.Bound(last.Text+" "+shown(rest), longestText)
			d.other(last, last.Text)
			return true
		}
	}
	return false
}

// other decodes a line without a code.
func (d *decoder) other(e *Event, text string) {
	e.Kind = NVRM
	for _, t := range topics {
		if strings.Contains(text, t.part) {
			e.Topic = t.topic
			break
		}
	}
	if m := anywhere.FindStringSubmatch(text); m != nil {
		e.PCI = strings.ToLower(m[1])
	}
	switch e.Topic {
	case Mismatch:
		if m := versions.FindStringSubmatch(text); m != nil {
			e.Client, e.Module = strings.TrimRight(m[1], "."), strings.TrimRight(m[2], ".")
		}
	case Loaded:
		if m := loaded.FindStringSubmatch(text); m != nil {
			e.Module = m[1]
		}
	}
}

// keep keeps an event, unless there are too many.
func (d *decoder) keep(e Event) {
	d.open = false
	if len(d.log.Events) >= mostEvents {
		d.log.bound(e.Line, "there are more than %d events: %s", mostEvents, e.Text)
		return
	}
	d.log.Events = append(d.log.Events, e)
	if e.HasSequence {
		if d.seen == nil {
			d.seen = map[uint64]uint64{}
		}
		d.seen[e.Sequence] = sum(d.raw)
	}
}

// causes notes where the driver names a Xid as the cause that the log does not have.
func (d *decoder) causes() {
	type fault struct {
		pci  string
		code int
	}
	told := map[fault]bool{}
	for _, e := range d.log.Events {
		if e.Kind == Xid {
			told[fault{e.PCI, e.Code}] = true
		}
		if e.Cause != 0 && !told[fault{e.PCI, e.Cause}] {
			d.log.bound(e.Line, "the Xid %d that caused this line is missing", e.Cause)
		}
	}
}

func shown(s string) string { return plain.Bound(plain.Line(strings.TrimSpace(s)), longestText) }
