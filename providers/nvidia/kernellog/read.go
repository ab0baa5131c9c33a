package kernellog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/plain"
)

// Read reads a log to its end. The error is that of the reader, or a form that does not exist; what was read before it
// is returned with it, as a lower bound.
func Read(r io.Reader, form Form, o Options) (Log, error) {
	d := &decoder{options: o}
	in := bufio.NewReaderSize(r, longestLine)
	var err error
	switch form {
	case KMsg:
		err = d.lines(in, d.kmsg)
	case Dmesg:
		err = d.lines(in, d.dmesg)
	case Journal:
		err = d.journal(in)
	default:
		return Log{}, fmt.Errorf("a kernel log has no form %q: use %s, %s or %s", form, KMsg, Dmesg, Journal)
	}
	d.causes()
	if err != nil {
		d.log.bound(d.line, "the log could not be read to its end")
		return d.log, fmt.Errorf("kernel log, line %d: %w", d.line, err)
	}
	return d.log, nil
}

// lines hands out line after line. Of a line that is too long it hands out the beginning, and looks through the rest.
func (d *decoder) lines(in *bufio.Reader, each func([]byte)) error {
	for {
		line, err := in.ReadSlice('\n')
		if len(line) == 0 && err != nil {
			return ended(err)
		}
		d.line++
		if !errors.Is(err, bufio.ErrBufferFull) {
			each(bytes.TrimRight(line, "\r\n"))
			if err != nil {
				return ended(err)
			}
			continue
		}
		each(line)
		hidden, err := rest(in, line)
		d.tooLong(hidden)
		if err != nil {
			return ended(err)
		}
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// rest passes over the rest of a line, and reports whether a code was in it, or across the cut.
func rest(in *bufio.Reader, begun []byte) (hidden bool, err error) {
	tail := bytes.Clone(begun[len(begun)-2:])
	for {
		part, err := in.ReadSlice('\n')
		tail = append(tail, part...)
		hidden = hidden || bytes.Contains(tail, code)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return hidden, err
		}
		tail = append(tail[:0], tail[len(tail)-2:]...)
	}
}

// tooLong notes a line that was cut. A code in the part that was cut is an event, although it cannot be decoded.
func (d *decoder) tooLong(hidden bool) {
	d.log.bound(d.line, "the line is longer than %d bytes, and was cut", longestLine)
	if hidden {
		d.keep(Event{
			Kind: Xid, Unclassified: true, Origin: Unknown, Boot: d.options.Boot, Line: d.line,
			Text: "the part of a line that was cut off contains Xid",
		})
	}
}

// kmsg reads one line of /dev/kmsg. Lines that begin with a space are properties of the record before.
func (d *decoder) kmsg(line []byte) {
	head, message, ok := bytes.Cut(line, []byte(";"))
	ok = ok && !bytes.Contains(head, code)
	fields := [3]uint64{}
	for i := 0; ok && i < len(fields); i++ {
		var field []byte
		field, head, _ = bytes.Cut(head, []byte(","))
		fields[i], ok = number(field)
	}
	if !ok {
		d.damaged(line)
		return
	}
	e := Event{
		Origin: Kernel, Boot: d.options.Boot, Sequence: fields[1], HasSequence: true,
		Monotonic: time.Duration(min(fields[2], 1<<53)) * time.Microsecond, Line: d.line,
	}
	if fields[0]>>3 != 0 {
		e.Origin = User
	}
	d.raw = line
	if e.Sequence < d.options.From || !d.count(e) {
		return
	}
	if d.interesting(message) {
		d.message(e, unescape(message))
	}
}

// count follows the sequence numbers: it counts what is missing, and reports whether the record is new.
func (d *decoder) count(e Event) bool {
	next := d.options.From
	if d.log.HasLast {
		next = d.log.Last + 1
	}
	switch {
	case e.Sequence > next:
		d.log.Lost += e.Sequence - next
		d.log.bound(e.Line, "%d records before number %d are missing", e.Sequence-next, e.Sequence)
	case e.Sequence < next && d.again(e):
		return false
	case e.Sequence < next:
		d.log.bound(e.Line, "number %d follows %d: the log is joined or damaged", e.Sequence, d.log.Last)
	}
	if !d.log.HasLast || e.Sequence > d.log.Last {
		d.log.Last, d.log.HasLast = e.Sequence, true
	}
	return true
}

// again reports whether the very same record has been decoded already.
func (d *decoder) again(e Event) bool {
	before, seen := d.seen[e.Sequence]
	return seen && before == sum(d.raw)
}

func sum(line []byte) uint64 {
	h := fnv.New64a()
	h.Write(line)
	return h.Sum64()
}

// damaged keeps a line that is no record. Properties of the record before are none of the driver's words.
func (d *decoder) damaged(line []byte) {
	if len(line) == 0 || line[0] == ' ' && !bytes.Contains(line, code) {
		return
	}
	if line[0] != ' ' {
		d.log.bound(d.line, "the line is no record")
	}
	if bytes.Contains(line, code) {
		d.keep(Event{
			Kind: Xid, Unclassified: true, Origin: Unknown, Boot: d.options.Boot, Line: d.line, Text: shown(string(line)),
		})
	}
}

func number(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// unescape undoes what /dev/kmsg does to bytes that are not printable: \x0a is a line break.
func unescape(b []byte) string {
	if !bytes.Contains(b, []byte(`\x`)) {
		return string(b)
	}
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) && b[i+1] == 'x' {
			if n, err := strconv.ParseUint(string(b[i+2:i+4]), 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(b[i])
	}
	return out.String()
}

// dmesg reads one line of dmesg or of journalctl -k.
func (d *decoder) dmesg(line []byte) {
	if !d.interesting(line) {
		return
	}
	e := Event{Origin: Unknown, Boot: d.options.Boot, Line: d.line}
	text := string(line)
	if before, after, found := strings.Cut(text, " kernel: "); found && !strings.HasPrefix(text, "[") &&
		!strings.Contains(before, "NVRM") && !strings.Contains(before, "Xid") {
		text = after
	}
	if strings.HasPrefix(text, "[") {
		if stamp, after, found := strings.Cut(text[1:], "]"); found && d.stamp(&e, strings.TrimSpace(stamp)) {
			text = strings.TrimPrefix(after, " ")
		}
	}
	d.message(e, text)
}

// stamp reads what dmesg writes in brackets: seconds since boot, or with -T a date without a zone.
func (d *decoder) stamp(e *Event, stamp string) bool {
	zone := d.options.Zone
	if zone == nil {
		zone = time.UTC
	}
	if wall, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", stamp, zone); err == nil {
		e.Wall = wall
		return true
	}
	if seconds, err := strconv.ParseFloat(stamp, 64); err == nil && seconds >= 0 && seconds < 1<<33 {
		e.Monotonic = time.Duration(seconds*1e6) * time.Microsecond
		return true
	}
	return false
}

// journal reads the export format of journald: fields NAME=value, an empty line between entries, and values with
// control characters as a length of 8 bytes before the value.
func (d *decoder) journal(in *bufio.Reader) error {
	fields := map[string]string{}
	flush := func() {
		if len(fields) > 0 {
			d.line++
			d.entry(fields)
			clear(fields)
		}
	}
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case len(line) == 0 && err != nil:
			flush()
			return ended(err)
		case errors.Is(err, bufio.ErrBufferFull):
			keepField(fields, string(line))
			hidden, err := rest(in, line)
			d.tooLong(hidden)
			if err != nil {
				flush()
				return ended(err)
			}
			continue
		}
		text := string(bytes.TrimSuffix(line, []byte("\n")))
		switch {
		case text == "":
			flush()
		case strings.Contains(text, "="):
			keepField(fields, text)
		default:
			value, err := d.binary(in)
			keepField(fields, text+"="+value)
			if err != nil {
				d.log.bound(d.line+1, "the value of a field ends too early")
				flush()
				return ended(err)
			}
		}
	}
}

// keepField keeps the fields that say something about a message.
func keepField(fields map[string]string, text string) {
	name, value, _ := strings.Cut(text, "=")
	switch name {
	case "MESSAGE":
		if before, twice := fields[name]; twice {
			value = before + "\n" + value
		}
		fields[name] = value
		return
	case "_BOOT_ID", "_TRANSPORT", "SYSLOG_FACILITY", "__REALTIME_TIMESTAMP", "_SOURCE_MONOTONIC_TIMESTAMP":
		fields[name] = value
	}
	if strings.Contains(text, string(code)) { // damaged, or a field that quotes a code
		fields["other"] = plain.Bound(text+" "+fields["other"], longestText)
	}
}

// binary reads a value that has its length before it.
func (d *decoder) binary(in *bufio.Reader) (string, error) {
	var length [8]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return string(length[:]), unexpected(err)
	}
	size := binary.LittleEndian.Uint64(length[:])
	var value strings.Builder
	_, err := io.CopyN(&value, in, int64(min(size, longestLine)))
	if err != nil {
		return value.String(), unexpected(err)
	}
	if size > longestLine {
		hidden, err := rest(in, []byte("  "))
		d.tooLong(hidden)
		return value.String(), err
	}
	_, _ = in.Discard(1) // the line break behind the value; at the end of the log there may be none
	return value.String(), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// entry decodes one entry of a journal.
func (d *decoder) entry(fields map[string]string) {
	e := Event{Origin: Unknown, Boot: fields["_BOOT_ID"], Line: d.line}
	if e.Boot == "" {
		e.Boot = d.options.Boot
	}
	e.Boot = shown(e.Boot)
	facility, transport := fields["SYSLOG_FACILITY"], fields["_TRANSPORT"]
	switch {
	case facility != "" && facility != "0", transport != "" && transport != "kernel":
		e.Origin = User
	case facility == "0" && transport == "kernel":
		e.Origin = Kernel
	}
	if n, ok := number([]byte(fields["_SOURCE_MONOTONIC_TIMESTAMP"])); ok {
		e.Monotonic = time.Duration(min(n, 1<<53)) * time.Microsecond
	}
	if n, ok := number([]byte(fields["__REALTIME_TIMESTAMP"])); ok {
		e.Wall = time.UnixMicro(int64(min(n, 1<<53))).UTC()
	}
	if d.interesting([]byte(fields["MESSAGE"])) {
		d.message(e, fields["MESSAGE"])
	}
	if other := fields["other"]; other != "" {
		e.Kind, e.Unclassified, e.Text = Xid, true, shown(other)
		d.keep(e)
	}
}
