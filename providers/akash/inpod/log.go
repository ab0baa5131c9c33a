package inpod

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// What a provider logs about bids (akash-network/provider, bidengine/service.go and order.go; the words are the same
// in v0.4.6, v0.6.2, v0.10.1 and in June 2026). The lines come in two forms:
//
//	I[2022-05-20|18:36:57.433] bid complete                  module=bidengine-order order=...
//	8:36PM INF bid complete module=bidengine-order order=...
const (
	bidModule     = " module=bidengine-"
	orderDetected = "order detected "
	bidComplete   = "bid complete "
	bidFailed     = "bid failed "
	priceFailed   = "error calculating price "
	errorField    = " err="
)

// longestLine is how much of a line of the log is looked at.
const longestLine = 16 << 10

// longestFailure is how much of an error in the log is kept.
const longestFailure = 256

// colour is how a terminal's colours begin in a line; they end at the letter m.
var colour = []byte("\x1b[")

// ReadLog reads the lines of a container's log, each with its time first. A line that has no time is passed over.
// More than LogLimit bytes are an error: the newest lines are then not among those that were read.
func ReadLog(log io.Reader) (facts.BidLog, error) {
	var out facts.BidLog
	total := 0
	lines := bufio.NewReaderSize(log, longestLine)
	for {
		text, err := lines.ReadSlice('\n')
		total += len(text)
		if total > LogLimit {
			return facts.BidLog{}, errors.New("its newest lines are larger than 32 MiB")
		}
		take(&out, text)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			text, err = lines.ReadSlice('\n')
			total += len(text)
		}
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return facts.BidLog{}, err
		}
	}
}

func take(out *facts.BidLog, text []byte) {
	stamp, message, found := bytes.Cut(text, []byte(" "))
	if !found {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || at.Year() < 2000 || at.Year() > 9999 {
		return
	}
	at = at.UTC().Truncate(time.Second)
	if out.Since.IsZero() {
		out.Since = at
	}
	out.Until = at
	said := wordsOf(string(withoutColour(message)))
	switch {
	case !strings.Contains(said, bidModule):
	case strings.HasPrefix(said, orderDetected):
		out.Orders++
	case strings.HasPrefix(said, bidComplete):
		out.Bids++
		out.LastBid = at
	case strings.HasPrefix(said, bidFailed):
		out.LastFailure, out.FailedAt = failureIn("the bid failed", said), at
	case strings.HasPrefix(said, priceFailed):
		out.LastFailure, out.FailedAt = failureIn("the price could not be calculated", said), at
	}
}

// wordsOf is a line of the log without its level and time; empty where it begins with neither form. What a tenant
// wrote may stand later in a line, so only its beginning says what the line is about.
func wordsOf(text string) string {
	first, rest, _ := strings.Cut(text, " ")
	if len(first) > 2 && first[1] == '[' && strings.HasSuffix(first, "]") {
		return rest
	}
	level, rest, _ := strings.Cut(rest, " ")
	if len(level) == 3 && strings.ToUpper(level) == level {
		return rest
	}
	return ""
}

// failureIn is the error that a line of the log names.
func failureIn(what, said string) string {
	_, text, found := strings.Cut(said, errorField)
	if !found {
		return what
	}
	return plain.Bound(what+": "+strings.Trim(plain.Line(strings.TrimSpace(text)), `"`), longestFailure)
}

// withoutColour takes the colours out of a line.
func withoutColour(text []byte) []byte {
	text = bytes.TrimRight(text, "\r\n")
	if !bytes.Contains(text, colour) {
		return bytes.Clone(text)
	}
	var out []byte
	for {
		before, after, found := bytes.Cut(text, colour)
		out = append(out, before...)
		if !found {
			return out
		}
		if end := bytes.IndexByte(after, 'm'); end >= 0 && end < 16 {
			after = after[end+1:]
		}
		text = after
	}
}
